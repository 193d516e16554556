"""Bench of the 8T cell: reads, the four writes and leakage at one point.

Writes: static drivers on both write bitlines. The bitlines held the complement before, so both swing in each of the four
transitions (a bitline that repeats its value costs nothing). Reads: a precharged bitline, a keeper and a sense inverter.
Reading a 1 discharges the bitline to ground. Reading a 0 leaves the bitline high while the off stacks of all other rows leak.
Wordlines are ideal sources; the charge that they draw counts as the share of one cell.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyspice_cim.characterization.benches.quantities import measurements, window_energies
from pyspice_cim.characterization.benches.testbench import BenchCircuit, by_hand, instance
from pyspice_cim.characterization.devices.timescale import gate_delay, gate_delay_simulation
from pyspice_cim.characterization.spice.measure import bits_at, crossings, first_crossing, value_at
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.analysis import Op
from pyspice_cim.netlists.cells.bitcells import sram8t
from pyspice_cim.netlists.columns.cell_ports import read_column, write_column
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.tables import contract
from pyspice_cim.tables.contract import CELL_OPERATIONS, CellOperation
from pyspice_cim.tables.quantity import Quantity
from pyspice_cim.technology import Corner, Technology

# Gate delays: wordline pulse of a write, and what lies after a pulse until all has settled.
WRITE_PULSE, _RECOVERY = 10.0, 14.0
# Gate delays until the wordline opens; precharge ends and data change at 2.
_OPENED = 6.0

# Value of a reducer -> the quantity that it is.
_LEAKAGE = {"leakage": contract.SRAM8T_LEAKAGE_POWER}
_ACCESSES: Mapping[CellOperation, Mapping[str, Quantity]] = {
    "read": {
        "read_delay": contract.SRAM8T_READ_DELAY,
        "read_droop": contract.SRAM8T_READ_DROOP,
        "read_energy": contract.SRAM8T_READ_ENERGY,
    },
    "write": {
        "write_delay": contract.SRAM8T_WRITE_DELAY,
        "write_energy": contract.SRAM8T_WRITE_ENERGY,
        "bitline_energy": contract.SRAM8T_WRITE_BITLINE_ENERGY,
    },
}
# Stored bit before and after each write, as 0->1.
TRANSITIONS = contract.TRANSITION.texts


def sram8t_bench(
    technology: Technology,
    corner: Corner,
    *,
    rows: int,
    write_pulse: float = WRITE_PULSE,
    operations: Sequence[CellOperation] = CELL_OPERATIONS,
) -> Bench:
    """The bench of the 8T cell; it measures the quantities of ``contract.SRAM8T`` that ``operations`` need.

    Args:
        technology: the technology.
        corner: operating conditions.
        rows: cells on a bitline.
        write_pulse: wordline pulse of a write, in gate delays of the corner; too short a pulse fails the accesses.
        operations: operations of the cell.
    """
    done: list[Measurement] = []
    if "hold" in operations:
        (leakage,) = yield [
            Simulation(
                deck=leakage_deck(technology, corner),
                reducer=reducer_name(reduce_leakage),
                arguments={"vdd": corner.vdd},
            )
        ]
        done += measurements(_LEAKAGE, leakage)
    accesses = [operation for operation in _ACCESSES if operation in operations]
    if not accesses:
        return done
    (scale,) = yield [gate_delay_simulation(technology, corner)]
    if not scale.ok:
        return done + [each for access in accesses for each in measurements(_ACCESSES[access], scale)]
    tau = gate_delay(scale)
    simulations = []
    for access in accesses:
        if access == "read":
            deck, arguments = read_deck(technology, corner, rows=rows, tau=tau)
        else:
            deck, arguments = write_deck(technology, corner, rows=rows, tau=tau, pulse=write_pulse)
        reducer = reducer_name(reduce_reads if access == "read" else reduce_writes)
        simulations.append(Simulation(deck=deck, reducer=reducer, arguments=arguments))
    outcomes = yield simulations
    for access, outcome in zip(accesses, outcomes, strict=True):
        done += measurements(_ACCESSES[access], outcome)
    return done


def read_deck(technology: Technology, corner: Corner, *, rows: int, tau: float) -> tuple[DrawnDeck, dict[str, Any]]:
    """Deck of two columns that read a 0 and a 1, each with its own sources; and the reducer's arguments."""
    bench = BenchCircuit(technology, corner, f"8T column of {rows} rows: reads of 0 and 1")
    reader = read_column(technology, rows)
    bench.define(reader)
    opened = _OPENED * tau
    closed = opened + (8 + rows / 4) * tau
    stop = closed + _RECOVERY * tau
    lines = {"pcb": (0, [(2 * tau, 1), (closed + tau, 0)]), "rwl": (0, [(opened, 1), (closed, 0)])}
    sources = []
    for bit in (0, 1):
        tag = str(bit)
        sources.append(_sources(bench, tag, bit, lines, 0.5 * tau))
        names = {port: f"{port}{tag}" for port in ("pcb", "rwl", "rbl", "out", "q", "qb")}
        instance(bench.circuit, tag, reader, {**names, "vcell": f"vc{tag}", "vpre": f"vp{tag}"})
        bench.capacitor(f"rwl{tag}", f"rwl{tag}", _word_wire(technology))
        bench.initial |= {f"rbl{tag}": corner.vdd}
        bench.save(f"rwl{tag}", f"rbl{tag}", f"out{tag}")
    arguments = {"vdd": corner.vdd, "edges": [tau, stop], "opened": opened, "closed": closed, "sources": sources}
    return bench.transient(stop, 2 * tau, 0.5 * tau), arguments


def write_deck(
    technology: Technology, corner: Corner, *, rows: int, tau: float, pulse: float = WRITE_PULSE
) -> tuple[DrawnDeck, dict[str, Any]]:
    """Deck of four columns, one for each of ``TRANSITIONS``, each with its own sources; and the reducer's arguments."""
    bench = BenchCircuit(technology, corner, f"8T column of {rows} rows: the four writes")
    writer = write_column(technology, rows)
    bench.define(writer)
    opened = _OPENED * tau
    closed = opened + pulse * tau
    stop = closed + _RECOVERY * tau
    sources = []
    for index, transition in enumerate(TRANSITIONS):
        old, new = int(transition[0]), int(transition[-1])
        tag = str(index)
        lines = {
            "d": (1 - new, [(2 * tau, new)]),
            "db": (new, [(2 * tau, 1 - new)]),
            "wwl": (0, [(opened, 1), (closed, 0)]),
        }
        sources.append(_sources(bench, tag, old, lines, 0.5 * tau))
        names = {port: f"{port}{tag}" for port in ("d", "db", "wwl", "wbl", "wblb", "q", "qb")}
        instance(bench.circuit, tag, writer, {**names, "vcell": f"vc{tag}", "vdrive": f"vp{tag}"})
        bench.capacitor(f"wwl{tag}", f"wwl{tag}", _word_wire(technology))
        bench.save(f"wwl{tag}")
    arguments = {"vdd": corner.vdd, "edges": [tau, stop], "opened": opened, "sources": sources}
    return bench.transient(stop, 2 * tau, 0.5 * tau), arguments


def _word_wire(technology: Technology) -> float:
    return technology.wire.c_ff_per_um * 1e-15 * technology.cell_8t.width_um


def _sources(
    bench: BenchCircuit, tag: str, bit: int, lines: dict[str, tuple[int, list[tuple[float, int]]]], edge: float
) -> list[str]:
    """Sources and stored bit of one column; returns the names of its sources, the two supplies first."""
    vdd = bench.corner.vdd
    bench.supply(f"vc{tag}", f"vp{tag}")
    for line, (start, changes) in lines.items():
        bench.line(f"{line}{tag}", start, changes, edge)
    bench.initial |= {f"q{tag}": bit * vdd, f"qb{tag}": (1 - bit) * vdd}
    bench.save(f"q{tag}", f"qb{tag}")
    return [f"vvc{tag}", f"vvp{tag}", *(f"v{line}{tag}" for line in lines)]


def reduce_reads(
    vectors: Vectors, *, vdd: float, edges: list[float], opened: float, closed: float, sources: list[list[str]]
) -> dict[str, Any]:
    """Reducer of ``read_deck``: ``read_energy`` (J) by bit, ``read_delay`` (s), ``read_droop`` (V).

    Raises:
        SimulationError: for a disturbed cell, a wrong output, or a read bitline that was not recharged.
    """
    energies = []
    for bit in (0, 1):
        _expect_stored(vectors, str(bit), bit, edges[-1], vdd, f"read of a {bit}")
        (out,) = bits_at(vectors, [f"v(out{bit})"], closed, vdd)
        if out != bit:
            raise SimulationError(f"reading a {bit} gives {out}")
        level = float(value_at(vectors, f"v(rbl{bit})", edges[-1]))
        if level < 0.97 * vdd:
            raise SimulationError(f"the read bitline is recharged to {level:.3g} V only; the cycle is too short")
        energies.append(sum(_energies(vectors, edges, vdd, sources[bit])))
    wordline = first_crossing(vectors, "v(rwl1)", vdd / 2, after=opened / 2, rising=True)
    return {
        "read_energy": energies,
        "read_delay": first_crossing(vectors, "v(out1)", vdd / 2, after=wordline, rising=True) - wordline,
        "read_droop": vdd - float(value_at(vectors, "v(rbl0)", closed)),
    }


def reduce_writes(
    vectors: Vectors, *, vdd: float, edges: list[float], opened: float, sources: list[list[str]]
) -> dict[str, Any]:
    """Reducer of ``write_deck``: ``write_energy``, ``bitline_energy`` (J), ``write_delay`` (s) by transition.

    Raises:
        SimulationError: if a cell does not hold the bit that was written.
    """
    found: dict[str, list[float]] = {"write_energy": [], "bitline_energy": [], "write_delay": []}
    for index, transition in enumerate(TRANSITIONS):
        bit = int(transition[-1])
        _expect_stored(vectors, str(index), bit, edges[-1], vdd, f"write {transition}")
        energies = _energies(vectors, edges, vdd, sources[index])
        found["write_energy"].append(sum(energies))
        found["bitline_energy"].append(energies[1])
        found["write_delay"].append(_settled(vectors, str(index), bit, opened, vdd))
    return found


def _energies(vectors: Vectors, edges: list[float], vdd: float, sources: list[str]) -> list[float]:
    energies = window_energies(vectors, edges, vdd=vdd, supplies=sources[:2], lines=sources[2:])
    return [float(energies[name][0]) for name in sources]


def _expect_stored(vectors: Vectors, tag: str, bit: int, time: float, vdd: float, what: str) -> None:
    bits = bits_at(vectors, [f"v(q{tag})", f"v(qb{tag})"], time, vdd)
    if bits != [bit, 1 - bit]:
        raise SimulationError(f"{what} leaves q, qb = {bits}, expected {[bit, 1 - bit]}")


def _settled(vectors: Vectors, tag: str, bit: int, opened: float, vdd: float) -> float:
    wordline = first_crossing(vectors, f"v(wwl{tag})", vdd / 2, after=opened / 2, rising=True)
    last = wordline
    for node, level in ((f"v(q{tag})", bit), (f"v(qb{tag})", 1 - bit)):
        at = crossings(vectors, node, (0.9 if level else 0.1) * vdd, rising=bool(level))
        # A node that stays and only dips under the coupling of the wordline has not been written.
        if abs(float(value_at(vectors, node, opened)) - level * vdd) > vdd / 2:
            last = max(last, float(at[-1]))
    return last - wordline


def leakage_deck(technology: Technology, corner: Corner) -> DrawnDeck:
    """Operating point of four idle cells: each bit with each state of the write bitlines."""
    bench = BenchCircuit(technology, corner, "8T cell: leakage by stored bit and write bitline")
    cell = sram8t(technology)
    bench.define(cell)
    for bit in (0, 1):
        for held in (0, 1):
            tag = f"{bit}{held}"
            bench.supply(f"vc{tag}")
            rails = ("0", f"vc{tag}")
            nodes = (rails[held], rails[1 - held], "0", rails[1], "0", f"q{tag}", f"qb{tag}", rails[1])
            instance(bench.circuit, tag, cell, nodes)
            bench.initial |= {f"q{tag}": bit * corner.vdd, f"qb{tag}": (1 - bit) * corner.vdd}
    vectors = [f"{kind}{bit}{held})" for bit in (0, 1) for held in (0, 1) for kind in ("v(q", "i(vvc")]
    return bench.dc(Op(), vectors)


def reduce_leakage(vectors: Vectors, *, vdd: float) -> dict[str, list[float]]:
    """Reducer of ``leakage_deck``: ``leakage`` in W of a stored 0 and a stored 1.

    Raises:
        SimulationError: if a cell does not hold its bit.
    """
    powers = []
    for bit in (0, 1):
        for held in (0, 1):
            level = float(vectors[f"v(q{bit}{held})"][0])
            if abs(level - bit * vdd) > 0.2 * vdd:
                raise SimulationError(f"the cell that is to hold {bit} is at {level:.3g} V")
        powers.append(-vdd * float(np.mean([vectors[f"i(vvc{bit}{held})"][0] for held in (0, 1)])))
    return {"leakage": powers}


def example_decks(technology: Technology) -> dict[str, DrawnDeck]:
    """Decks to run by hand, at the nominal corner and 32 rows."""
    corner = Corner(vdd=technology.supply.nominal_v, temperature_c=technology.temperature.nominal_c)
    tau = 50e-12 * technology.scale
    return {
        "sram8t_read.cir": by_hand(
            read_deck(technology, corner, rows=32, tau=tau)[0],
            "Columns 0 and 1 read a 0 and a 1: v(rbl1) falls, v(out1) rises, v(rbl0) stays.",
        ),
        "sram8t_write.cir": by_hand(
            write_deck(technology, corner, rows=32, tau=tau)[0],
            f"Columns 0 to 3 write {', '.join(TRANSITIONS)}: v(q0) to v(q3).",
        ),
        "sram8t_leakage.cir": by_hand(
            leakage_deck(technology, corner), "Node q<bit><write bitline>; the currents of the sources are the leakage."
        ),
    }
