"""Reads and writes of one word of a 6T memory: schedule, deck and reducers, for the cell's and the sequential bench.

One row of columns with its whole periphery runs a list of operations. A read is

    precharge off, wordline on -> bitline differential grows -> sense enable (wordline off) -> precharge on

The sense amplifier fires when the slowest column has the bitline differential ``SPLIT``. A first run (``split_simulation``)
finds this moment, a second run (``access_simulation``) uses the moment, as a replica column would.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyspice_cim.characterization.benches.quantities import window_energies
from pyspice_cim.characterization.benches.testbench import CELL_TOLERANCES, LOGIC_TOLERANCES, BenchCircuit, instance
from pyspice_cim.characterization.spice.measure import bits_at, crossings, first_crossing, value_at
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.cells.periphery6t import column6t, wordline_driver
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.tables import contract
from pyspice_cim.technology import Corner, Technology

SPLIT = contract.SENSE_DIFFERENTIAL
# Gate delays: length of sense enable, time from precharge to the end of the cycle, wordline pulse of a write.
_SENSE, _RECOVERY, WRITE_PULSE = 10.0, 14.0, 10.0
# A bitline is recharged if its level misses less than this part of the supply.
_RECOVERED = 0.03


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word in a memory at a corner.

    Attributes:
        technology: the technology.
        corner: operating conditions.
        rows: rows of the memory.
        columns: bits of the word.
        tau: gate delay in s.
    """

    technology: Technology
    corner: Corner
    rows: int
    columns: int
    tau: float


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A write of ``word`` (least significant bit in column 0), or a read that must give ``word``."""

    write: bool
    word: int


def bits_of(word: int, count: int) -> list[int]:
    """Bits of ``word``, least significant first."""
    return [(word >> k) & 1 for k in range(count)]


def access_deck(
    word: Word,
    operations: Sequence[Operation],
    *,
    split_time: float | None,
    stored: int,
    write_pulse: float = WRITE_PULSE,
) -> tuple[DrawnDeck, dict[str, Any]]:
    """DrawnDeck of ``operations`` on a row that holds ``stored``, and the reducer's arguments.

    Args:
        word: the memory.
        operations: accesses, in order.
        split_time: time from row select to sense enable in s; ``None`` for a read without sensing.
        stored: word that the row holds first.
        write_pulse: wordline pulse of a write in gate delays.
    """
    tau, vdd, count = word.tau, word.corner.vdd, word.columns
    title = (
        f"6T word of {count} bits in {word.rows} rows: writes and reads with precharge, sense amplifiers and drivers"
    )
    bench = BenchCircuit(word.technology, word.corner, title)
    column, driver = column6t(word.technology, word.rows), wordline_driver(word.technology, count)
    bench.define(column, driver)
    bench.supply("vcell", "vpre", "vsense", "vwrite", "vword")
    lines: dict[str, list[tuple[float, int]]] = {"pcb": [], "selb": [], "isolate": [], "sae": [], "web": []}
    data: list[list[tuple[float, int]]] = [[] for _ in range(count)]
    # A read without sensing needs a pulse that is long enough for the longest bitline.
    unsensed = (12 + word.rows / 4) * tau
    time, edges, rows = tau, [tau], []
    for operation in operations:
        start = time
        opened = start + 2 * tau
        if operation.write:
            for k, bit in enumerate(bits_of(operation.word, count)):
                data[k].append((start + 0.5 * tau, bit))
            closed = opened + write_pulse * tau
            lines["web"] += [(opened, 0), (closed + tau, 1)]
            done = closed + 2 * tau
        else:
            closed = opened + (unsensed if split_time is None else split_time)
            done = closed + _SENSE * tau
            lines["isolate"] += [(start + tau, 0), (closed, 1)]
            if split_time is not None:
                lines["sae"] += [(closed, 1), (done, 0)]
        lines["selb"] += [(opened, 0), (closed, 1)]
        lines["pcb"] += [(start + tau, 1), (done + tau, 0)]
        time = done + (1 + _RECOVERY) * tau
        edges.append(time)
        rows.append([start, opened, closed, done, time])
    edge = 0.5 * tau
    for name, initial in (("pcb", 0), ("selb", 1), ("isolate", 1), ("sae", 0), ("web", 1)):
        bench.line(name, initial, lines[name], edge)
    instance(bench.circuit, "word", driver, {"vdd": "vword"})
    technology = word.technology
    bench.capacitor("wl", "wl", technology.wire.c_ff_per_um * 1e-15 * technology.cell_6t.width_um * count)
    bench.save("wl")
    per_column = ("bl", "blb", "q", "qb", "out", "outb", "d")
    for k, bit in enumerate(bits_of(stored, count)):
        bench.line(f"d{k}", 0, data[k], edge)
        instance(bench.circuit, f"c{k}", column, {name: f"{name}{k}" for name in per_column})
        bench.save(*(f"{name}{k}" for name in ("bl", "blb", "q", "qb", "out")))
        bench.initial |= {f"q{k}": bit * vdd, f"qb{k}": (1 - bit) * vdd, f"bl{k}": vdd, f"blb{k}": vdd}
        bench.initial |= {f"out{k}": 0.0, f"outb{k}": vdd}
    # One column serves the bench of the cell and has its tolerances; a word serves the energy budget of the memory.
    deck = bench.transient(time, 2 * tau, edge, CELL_TOLERANCES if count == 1 else LOGIC_TOLERANCES)
    arguments = {
        "vdd": vdd,
        "columns": count,
        "edges": edges,
        "times": rows,
        "writes": [operation.write for operation in operations],
        "words": [operation.word for operation in operations],
        **bench.sources,
    }
    return deck, arguments


def split_simulation(word: Word) -> Simulation:
    """The simulation that finds the time from row select to the differential ``SPLIT`` of the slowest column."""
    # Alternating bits give differentials of both signs.
    pattern = sum(1 << k for k in range(0, word.columns, 2))
    deck, arguments = access_deck(word, [Operation(write=False, word=pattern)], split_time=None, stored=pattern)
    chosen = {name: arguments[name] for name in ("vdd", "columns", "times")}
    return Simulation(deck=deck, reducer=reducer_name(reduce_split), arguments=chosen)


def access_simulation(
    word: Word, operations: Sequence[Operation], *, split_time: float, stored: int = 0, write_pulse: float = WRITE_PULSE
) -> Simulation:
    """The simulation of ``operations``; the arguments are those of ``access_deck``."""
    deck, arguments = access_deck(word, operations, split_time=split_time, stored=stored, write_pulse=write_pulse)
    return Simulation(deck=deck, reducer=reducer_name(reduce_access), arguments=arguments)


def summarised(outcome: Outcome) -> Outcome:
    """``outcome`` of ``reduce_access`` with one number for each value: mean energies, largest delays.

    A delay that is NaN belongs to an operation without an edge, and does not count.
    """
    values = {
        name: np.asarray(np.mean(value) if name.endswith("energy") else np.nanmax(value))
        for name, value in outcome.values.items()
    }
    return replace(outcome, values=values)


def reduce_split(vectors: Vectors, *, vdd: float, columns: int, times: list[list[float]]) -> dict[str, float]:
    """Reducer: time to the differential ``SPLIT`` of the slowest column, in s.

    Returns:
        ``split_time``: from row select. ``bitline_delay``: from the wordline at V_DD/2.

    Raises:
        SimulationError: if a column never has the differential.
    """
    opened = times[0][1]
    wordline = first_crossing(vectors, "v(wl)", vdd / 2, after=opened, rising=True)
    reached = []
    for k in range(columns):
        difference = {"time": vectors["time"], "split": np.abs(vectors[f"v(bl{k})"] - vectors[f"v(blb{k})"])}
        reached.append(first_crossing(difference, "split", SPLIT, after=opened, rising=True))
    return {"split_time": max(reached) - opened, "bitline_delay": max(reached) - wordline}


def reduce_access(
    vectors: Vectors,
    *,
    vdd: float,
    columns: int,
    edges: list[float],
    times: list[list[float]],
    writes: list[bool],
    words: list[int],
    supplies: list[str],
    lines: list[str],
) -> dict[str, Any]:
    """Reducer: energy and delay of each operation, after all bits were found right.

    Returns:
        One value for each read or write. ``read_energy``, ``write_energy``: all sources and precharge recovery, in J.
        ``read_delay``, ``write_delay``: from the wordline at V_DD/2 to the last output at V_DD/2 (read) or to the last
        storage node within a tenth of the supply of its rail (write), in s. ``read_time``, ``write_time``: from row select,
        in s. An operation that changes no output and no node has the delay NaN.

    Raises:
        SimulationError: for a wrong or undecided bit, bitlines that were not recharged at the end of a cycle, or if no
            read or no write has an edge.
    """
    energy = np.sum(list(window_energies(vectors, edges, vdd=vdd, supplies=supplies, lines=lines).values()), axis=0)
    found: dict[str, list[float]] = {
        f"{op}_{what}": [] for op in ("read", "write") for what in ("energy", "delay", "time")
    }
    for i, (write, word) in enumerate(zip(writes, words, strict=True)):
        _start, opened, _closed, done, end = times[i]
        kind = "write" if write else "read"
        expected = bits_of(word, columns)
        _check(vectors, kind, i, expected, end, vdd)
        if not write:
            _expect(bits_at(vectors, [f"v(out{k})" for k in range(columns)], done, vdd), expected, f"read {i}")
        wordline = first_crossing(vectors, "v(wl)", vdd / 2, after=opened, rising=True)
        last = _last_edge(vectors, write, expected, opened, done if not write else end, vdd)
        found[f"{kind}_energy"].append(float(energy[i]))
        found[f"{kind}_delay"].append(last - wordline)
        found[f"{kind}_time"].append(last - opened)
    for name, values in found.items():
        if np.isnan(values).all():
            raise SimulationError(f"{name}: none of the operations changes a bit, so there is nothing to time")
    return found


def _last_edge(vectors: Vectors, write: bool, expected: list[int], opened: float, end: float, vdd: float) -> float:
    """Time of the last edge that the operation caused; NaN if it caused none."""
    last = float("nan")
    for k, bit in enumerate(expected):
        nodes = ((f"v(q{k})", bit), (f"v(qb{k})", 1 - bit)) if write else ((f"v(out{k})", bit),)
        for node, level in nodes:
            threshold = (0.9 if level else 0.1) * vdd if write else 0.5 * vdd
            flipped = abs(float(value_at(vectors, node, opened)) - level * vdd) > 0.5 * vdd
            at = crossings(vectors, node, threshold, rising=bool(level))
            at = at[(at > opened) & (at < end)]
            if flipped and at.size:
                last = float(np.fmax(last, at[-1]))
    return last


def _check(vectors: Vectors, kind: str, index: int, expected: list[int], end: float, vdd: float) -> None:
    count = len(expected)
    stored = bits_at(vectors, [f"v(q{k})" for k in range(count)], end, vdd)
    _expect(stored, expected, f"stored after {kind} {index}")
    complement = bits_at(vectors, [f"v(qb{k})" for k in range(count)], end, vdd)
    _expect(complement, [1 - bit for bit in expected], f"complement after {kind} {index}")
    for k in range(count):
        for line in (f"v(bl{k})", f"v(blb{k})"):
            level = float(value_at(vectors, line, end))
            if level < (1 - _RECOVERED) * vdd:
                raise SimulationError(
                    f"{line} is recharged to {level:.3g} V only after {kind} {index}; the cycle is too short"
                )


def _expect(bits: list[int], expected: list[int], what: str) -> None:
    if bits != expected:
        raise SimulationError(f"{what}: bits {bits}, expected {expected} (least significant first)")
