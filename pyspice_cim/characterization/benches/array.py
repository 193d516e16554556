"""Testbench of an array: a program of operations on stored data, at a cycle, as one deck with its expected bits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.spice.measure import crossings, pull_up_charges, value_at, window_charges
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.microcode import ColumnState, Operation, execute, schedule
from pyspice_cim.microcode.schedule import ACTIVE_LOW, Window, line_kind
from pyspice_cim.netlists.analysis import Options, Tran, rounded
from pyspice_cim.netlists.columns.array import COLUMN_SUPPLIES, ArrayShape, build_array, column_supply
from pyspice_cim.netlists.deck import DrawnDeck, Layout, pwl
from pyspice_cim.netlists.waves import Timing, line_waveforms
from pyspice_cim.technology import Corner, Technology, model_text

# Trapezoidal, with a charge tolerance for nodes below 1 fF: the default of 1e-14 C is a few percent of such a node's charge.
# Against reltol=1e-4 chgtol=1e-17 with default vntol, abstol and no bypass this moves every supply's energy by less than
# 0.7 % and is six times faster: most transistors of an array are at rest, and bypass skips their evaluation.
OPTIONS = Options.of(method="trap", reltol="1e-3", chgtol="1e-16", vntol="1e-4", abstol="1e-10", bypass="1")
# For runs that ask only whether the bits are right.
QUICK_OPTIONS = Options.of(method="trap", reltol="3e-3", chgtol="3e-16", vntol="1e-4", abstol="1e-9", bypass="1")
# Leakage currents of a picoampere need ngspice's own current tolerance, and less of its shunt conductance.
STATIC_OPTIONS = Options.of(method="gear", reltol="1e-4", abstol="1e-15", gmin="1e-15")


@dataclass(frozen=True, kw_only=True)
class ArrayRun:
    """One program on one array.

    Attributes:
        weights: [inputs, columns].
        state: stored words and flags before the program, [columns].
        program: the operations.
        timing: times of a cycle.
        drivers: whether real drivers, each with its own supply, drive the control lines; else ideal sources do.
    """

    shape: ArrayShape
    weights: NDArray[np.int64]
    state: ColumnState
    program: Sequence[Operation]
    timing: Timing
    drivers: bool = False

    def states(self) -> list[ColumnState]:
        """The columns after each operation, by the microcode."""
        states, state = [], self.state
        for operation in self.program:
            state = execute(operation, state, self.weights, bits=self.shape.bits)
            states.append(state)
        return states


def array_deck(
    technology: Technology,
    corner: Corner,
    run: ArrayRun,
    *,
    title: str,
    probes: Sequence[str] = (),
    options: Options = OPTIONS,
) -> DrawnDeck:
    """The deck of ``run``. An empty program with ``STATIC_OPTIONS`` gives the leakage of the idle array.

    Args:
        technology: the technology.
        corner: operating conditions.
        run: array, data, program and timing.
        title: first line of the deck.
        probes: further vectors to save, e.g. ``v(rv_0)``.
        options: options of ngspice.
    """
    corner.check(technology)
    shape, timing, vdd = run.shape, run.timing, corner.vdd
    netlist = build_array(technology, shape, vdd=vdd, weights=run.weights, state=run.state, title=title)
    circuit = netlist.circuit
    pulses = schedule(run.program, bits=shape.bits, weight_bits=shape.weight_bits, rows=shape.rows)
    high = line_waveforms(pulses, timing, bits=shape.bits, idle=0.0, active=vdd)
    low = line_waveforms(pulses, timing, bits=shape.bits, idle=vdd, active=0.0)
    lines = []
    for line in shape.lines:
        wave = (low if line in ACTIVE_LOW or line.startswith("pcs") else high).get(line)
        idle = vdd if line in ACTIVE_LOW or line.startswith("pcs") else 0.0
        node = f"{line}_in" if run.drivers else line
        lines.append(f"V{line} {node} 0 " + (f"dc {idle:g}" if wave is None else pwl(wave)))
        if run.drivers:
            circuit.V(f"drv_{line}", f"drv_{line}", "0", f"dc {vdd:g}")
            circuit.X(f"drv_{line}", f"driver{shape.driver_units[line]}", node, line, f"drv_{line}")
    static = options == STATIC_OPTIONS
    stop = 2e-6 if static else (len(run.program) * shape.bits + timing.phase1 + 1.5 * timing.guard) * timing.cycle
    line_sources = [f"v{'drv_' if run.drivers else ''}{line}" for line in shape.lines]
    saved = [f"i({source})" for source in line_sources]
    saved += [f"i({column_supply(c, j)})" for j in range(shape.columns) for c in COLUMN_SUPPLIES]
    saved += [f"v({node})" for nodes in netlist.word_nodes for node in nodes]
    saved += [f"v({node})" for node in netlist.flag_nodes]
    saved += [] if run.drivers else [f"v({line})" for line in shape.lines]
    saved += [probe for probe in probes if probe not in saved]
    return DrawnDeck.of(
        circuit,
        model_text(technology, corner.process),
        *lines,
        temperature_c=corner.temperature_c,
        options=options,
        analysis=_analysis(timing, stop, static),
        saves=tuple(saved),
        initial=tuple((node, vdd * level) for node, level in netlist.initial.items()),
        layout=Layout.SAVES_FIRST,
        saves_per_line=20,
    )


def _analysis(timing: Timing, stop: float, static: bool) -> Tran:
    if static:
        # Long enough for the charge of the initial state to settle.
        return Tran(step=1e-9, stop=stop, max_step=50e-9, letter="n")
    step, longest = min(20e-12, timing.cycle / 50), min(200e-12, timing.cycle / 8)
    return Tran(step=rounded(step, 5), stop=stop, max_step=rounded(longest, 5), stop_digits=7)


def array_simulation(
    technology: Technology,
    corner: Corner,
    run: ArrayRun,
    *,
    title: str,
    accept_wrong_bits: bool = False,
    options: Options = OPTIONS,
) -> Simulation:
    """The simulation of ``run``: energy by cycle and column, and by control line.

    Args:
        technology, corner, run, title, options: as of ``array_deck``.
        accept_wrong_bits: whether wrong bits are counted; otherwise a run with a wrong bit fails with a reason.
    """
    shape = run.shape
    arguments = {
        "columns": shape.columns,
        "bits": shape.bits,
        "lines": list(shape.lines),
        "drivers": run.drivers,
        "cycle": run.timing.cycle,
        "settled": run.timing.settled,
        "vdd": corner.vdd,
        "changes": _expected_changes(run),
        "pulses": _pulse_counts(run),
        "words": [(state.word & ((1 << shape.bits) - 1)).tolist() for state in run.states()],
        "flags": [state.flag.tolist() for state in run.states()],
    }
    deck = array_deck(technology, corner, run, title=title, options=options)
    reducer = array_observation if accept_wrong_bits else array_energies
    return Simulation(deck=deck, reducer=reducer_name(reducer), arguments=arguments)


def array_observation(
    vectors: Vectors,
    *,
    columns: int,
    bits: int,
    lines: list[str],
    drivers: bool,
    cycle: float,
    settled: float,
    vdd: float,
    changes: dict[str, list[list[int]]],
    pulses: list[int],
    words: list[list[int]],
    flags: list[list[int]],
) -> dict[str, NDArray[np.float64]]:
    """Reducer: what the array did, right or wrong.

    A cycle's window reaches from just before its phase 2 to just before the next one, so that the read, the precharge
    that it makes necessary and the write of its sum fall together. A line that an ideal source drives counts what a
    driver would take from the supply (``pull_up_charges``).

    Returns:
        ``bits_wrong`` [operation, column]: stored bits and flag that differ from ``words`` and ``flags`` after each
        operation, a node that is at neither rail included; ``columns`` [component, cycle, column] J; ``lines``
        [line, cycle] J; ``pulses`` [line] counts; ``delays``: the longest time from the start of a cycle until a cell
        that it writes and a flag that it captures cross half the supply, s (NaN if none changes); ``last_change``: when
        the last cell or flag did, s after time 0.
    """
    wrong = np.array(
        [
            [
                _wrong_bits(vectors, j, bits, word[j], flag[j], (n + 1) * bits * cycle + settled, vdd)
                for j in range(columns)
            ]
            for n, (word, flag) in enumerate(zip(words, flags, strict=True))
        ]
    )
    edges: NDArray[np.float64] = settled + cycle * np.arange(len(words) * bits + 1, dtype=np.float64)
    column_energy = vdd * np.array(
        [
            [window_charges(vectors, column_supply(component, j), edges) for j in range(columns)]
            for component in COLUMN_SUPPLIES
        ]
    ).transpose(0, 2, 1)
    if drivers:
        line_charge = [window_charges(vectors, f"vdrv_{line}", edges) for line in lines]
    else:
        line_charge = [pull_up_charges(vectors, f"v{line}", f"v({line})", edges, vdd=vdd) for line in lines]
    line_energy = vdd * np.array(line_charge)
    delays = [_longest_delay(vectors, changes[kind], cycle, vdd) for kind in ("cells", "flags")]
    nodes = [f"v(qv{j}_{b})" for j in range(columns) for b in range(bits)] + [f"v(fs{j})" for j in range(columns)]
    last = max((float(times[-1]) for node in nodes if (times := crossings(vectors, node, vdd / 2)).size), default=0.0)
    return {
        "bits_wrong": wrong.astype(float),
        "columns": column_energy,
        "lines": line_energy,
        "pulses": np.array(pulses, dtype=float),
        "delays": np.array(delays),
        "last_change": np.array(last),
    }


def array_energies(vectors: Vectors, **arguments: Any) -> dict[str, NDArray[np.float64]]:
    """Reducer: ``array_observation``, accepted only if every bit after every operation is right.

    Raises:
        SimulationError: naming the first operation and column with a wrong bit.
    """
    observed = array_observation(vectors, **arguments)
    wrong = np.argwhere(observed["bits_wrong"])
    if wrong.size:
        operation, column = (int(x) for x in wrong[0])
        raise SimulationError(
            f"wrong bits: {int(observed['bits_wrong'].sum())}, first after operation {operation} in column {column} "
            f"at a cycle of {arguments['cycle']:.4g} s"
        )
    return observed


def _wrong_bits(vectors: Vectors, column: int, bits: int, word: int, flag: int, time: float, vdd: float) -> int:
    nodes = {f"v(qv{column}_{b})": word >> b & 1 for b in range(bits)} | {f"v(fs{column})": flag}
    # A level more than a tenth of the supply away from its rail is no stored bit.
    return sum(abs(float(value_at(vectors, node, time)) - vdd * bit) > 0.1 * vdd for node, bit in nodes.items())


def _longest_delay(vectors: Vectors, changes: list[list[int]], cycle: float, vdd: float) -> float:
    """Longest time from the start of the given cycle to the crossing in it; ``changes`` are [node id..., cycle]."""
    longest = float("nan")
    for *node, start in changes:
        name = f"v(qv{node[0]}_{node[1]})" if len(node) == 2 else f"v(fs{node[0]})"
        times = crossings(vectors, name, vdd / 2)
        times = times[times >= start * cycle]
        if times.size:
            longest = np.fmax(longest, times[0] - start * cycle)
    return float(longest)


def _expected_changes(run: ArrayRun) -> dict[str, list[list[int]]]:
    """Which cell [column, bit] and flag [column] changes in which cycle, by the microcode."""
    cells, flags, before = [], [], run.state
    for n, after in enumerate(run.states()):
        flips = before.word ^ after.word
        for j in range(run.shape.columns):
            cells += [[j, b, n * run.shape.bits + b + 1] for b in range(run.shape.bits) if int(flips[j]) >> b & 1]
            if before.flag[j] != after.flag[j]:
                flags.append([j, (n + 1) * run.shape.bits])
        before = after
    return {"cells": cells, "flags": flags}


def _pulse_counts(run: ArrayRun) -> list[int]:
    """Pulses of each line in the windows that are measured: the phase 1 before the first read is not."""
    shape = run.shape
    pulses = schedule(run.program, bits=shape.bits, weight_bits=shape.weight_bits, rows=shape.rows)
    first = (Window.PHASE1, Window.PRECHARGE, Window.RESET, Window.WRITE, Window.OPERATION)
    counts = Counter(p.line for p in pulses if p.cycle > 0 or p.window not in first)
    return [counts[line] for line in shape.lines]


def kinds_of_lines(lines: Sequence[str]) -> list[str]:
    """The kind of each control line of ``lines``."""
    return [line_kind(line) for line in lines]
