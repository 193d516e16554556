"""Bench of the LD-LIF column: minimum cycle, energy per event, load per line, delays, leakage.

Random operations on random words run in SPICE, which gives the energy E of every cycle k and column j. Least squares
attributes this energy to the events of ``microcode.events``:

    E[component, k, j] = sum over events of  energy[component, event] * indicator[event, k, j] + residual

The residual is a quantity of its own, so a table states how well the attribution holds.
"""

import itertools
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.benches.array import (
    QUICK_OPTIONS,
    STATIC_OPTIONS,
    ArrayRun,
    array_deck,
    array_simulation,
    kinds_of_lines,
)
from pyspice_cim.characterization.benches.quantities import measured
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Outcome, Simulation, reducer_name
from pyspice_cim.errors import NetlistError
from pyspice_cim.microcode import EVENTS, ColumnState, Operation, cycle_events
from pyspice_cim.netlists.columns.array import ArrayShape, column_supply
from pyspice_cim.netlists.waves import Timing
from pyspice_cim.tables import contract
from pyspice_cim.tables.quantity import Quantity
from pyspice_cim.technology import Corner, Technology

COMPONENTS = contract.COMPONENT.texts
LINE_KINDS = contract.LINE.texts
# A run of a few short words is enough: what a cycle costs does not depend on how many follow.
BITS, WEIGHT_BITS, INPUTS = 6, 4, 2
# Cycles that are tried lie on a grid of this ratio, so the minimum cycle is known to 4 %.
CYCLE_RATIO = 1.04
_REFERENCE_CYCLE = 0.4e-9
# From 0.1 ns to 9 ns.
_FIRST_STEP, _LAST_STEP = -35, 79
# Energies and delays are measured at the cycle that a macro works at by default: the minimum and a tenth.
WORKING_MARGIN = 1.10


def check_column(*, rows: int, segments: int) -> None:
    """Check that the programs of the bench fit in a column with ``rows`` rows a segment and ``segments`` weight segments.

    Raises:
        NetlistError: if they do not, with the numbers that would.
    """
    if rows < BITS:
        raise NetlistError(f"rows = {rows} hold no word of the bench, which has {BITS} bits; give {BITS} rows at least")
    needed = INPUTS * WEIGHT_BITS
    if rows * segments < needed:
        raise NetlistError(
            f"segments = {segments} with rows = {rows} do not hold the bench's {needed} bits of weights in a column; give "
            f"segments = {-(-needed // rows)} at least, or rows = {-(-needed // segments)}"
        )


def column_bench(
    technology: Technology, corner: Corner, *, rows: int, segments: int, seed: int = 0, bitcell: str = "sram8t"
) -> Bench:
    """The bench of one column; it measures the quantities of ``contract.COLUMN``.

    The leakage of a cell has the name that the bit cell gives it (``technology.bitcells.TableNames``).

    Args:
        technology: the technology.
        corner: operating conditions.
        rows: rows of a segment.
        segments: weight segments on the global read line.
        seed: seed of the random program and data behind the energies of events.
        bitcell: name of the bit cell of the column.

    Raises:
        NetlistError: for a column in which the programs of the bench do not fit (``check_column``).
    """
    check_column(rows=rows, segments=segments)
    shape = ArrayShape(
        columns=2,
        bits=BITS,
        inputs=INPUTS,
        weight_bits=WEIGHT_BITS,
        rows=rows,
        segments=segments,
        bitcell=bitcell,
    )
    stress = stress_run(replace(shape, bits=BITS - 1))
    minimum, decks, reason = yield from _minimum_cycle(technology, corner, stress)
    cycle_measurement = measured(
        contract.COLUMN_MINIMUM_CYCLE, minimum, reason=reason, decks=decks, resolution=CYCLE_RATIO - 1
    )
    if minimum is None:
        return [cycle_measurement, *_unmeasured((*_WORKING, *_idle(bitcell)), f"no working cycle: {reason}")]
    timing = Timing(cycle=WORKING_MARGIN * minimum)
    runs = calibration_runs(shape, timing, seed)
    simulations = [array_simulation(technology, corner, run, title="column calibration") for run in runs]
    leakage = [_leakage_simulation(technology, corner, shape, used) for used in (False, True)]
    outcomes = yield simulations + leakage
    energies, leaks = outcomes[: len(runs)], outcomes[len(runs) :]
    return [cycle_measurement, *_energies(runs, energies, leaks, corner), *_leakages(bitcell, leaks)]


def _run(
    shape: ArrayShape, timing: Timing, program: list[Operation], weights: Any, words: Any, flags: Any, last: Any = None
) -> ArrayRun:
    integers = [np.asarray(values, dtype=np.int64) for values in (weights, words, flags)]
    last_sum = np.zeros(shape.columns, dtype=np.int64) if last is None else np.asarray(last, dtype=np.int64)
    state = ColumnState(word=integers[1], flag=integers[2], last_sum=last_sum)
    return ArrayRun(shape=shape, weights=integers[0], state=state, program=program, timing=timing)


def stress_run(shape: ArrayShape) -> ArrayRun:
    """A run that makes a cycle slow: long carries, alternating sums, both flags, masks on and off.

    The two columns hold opposite data. The sum -1 + 1 carries through all bits. The sum 01010 + 10101 discharges every read
    line in every other cycle, which is the hardest precharge. The weights alternate their bits.
    """
    program = [
        Operation(name="decay", k0=1, k1=-11, capture=True),
        Operation(name="accumulate", weight=0, za=True),
        Operation(name="accumulate", weight=1),
        Operation(name="saturate", k0=-16, k1=-11, capture=True),
        Operation(name="fire", k0=10, k1=-1, zb=True, capture=True),
    ]
    return _run(shape, Timing(cycle=1e-9), program, [[5, -6], [-1, 7]], [-1, 10], [0, 1])


def _minimum_cycle(
    technology: Technology, corner: Corner, run: ArrayRun
) -> Generator[list[Simulation], list[Outcome], tuple[float | None, tuple[str, ...], str]]:
    """The shortest working cycle of the grid (s), hashes of the decks that decide it, and the reason where none works.

    Growing strides lead from a guess to a cycle that fails and a cycle that works; bisection finds the edge between them.
    """
    fails, works = _FIRST_STEP - 1, _LAST_STEP + 1
    hashes: dict[int, str] = {}
    reason = ""
    # Where a column works at nominal conditions; a longer read line is slower.
    trial, stride = 24 + 2 * (run.shape.segments.bit_length() - 1), 6
    while works - fails > 1:
        simulation = array_simulation(
            technology,
            corner,
            replace(run, timing=Timing(cycle=_REFERENCE_CYCLE * CYCLE_RATIO**trial)),
            title="column stress",
            options=QUICK_OPTIONS,
        )
        (outcome,) = yield [simulation]
        hashes[trial] = outcome.deck_sha256
        if outcome.ok:
            works = trial
        else:
            fails, reason = trial, outcome.reason
        if works > _LAST_STEP:
            trial = min(fails + 2 * stride, _LAST_STEP)
            stride *= 2
        elif fails < _FIRST_STEP:
            trial = max(works - stride, _FIRST_STEP)
            stride *= 2
        else:
            trial = (fails + works) // 2
    if works > _LAST_STEP:
        longest = _REFERENCE_CYCLE * CYCLE_RATIO**_LAST_STEP
        return None, tuple(hashes.values()), f"fails even at {longest:.3g} s: {reason}"
    decisive = tuple(hashes[step] for step in (works, fails) if step in hashes)
    return _REFERENCE_CYCLE * CYCLE_RATIO**works, decisive, ""


_RANDOM_RUNS, _RANDOM_OPERATIONS = 2, 9


def calibration_runs(shape: ArrayShape, timing: Timing, seed: int) -> list[ArrayRun]:
    """Random runs whose events are linearly independent, so that least squares has one solution.

    About one draw in five has dependent events; then the next draw is taken.

    Args:
        shape: array of the runs.
        timing: times of a cycle.
        seed: seed of programs and data.
    """
    firsts = (seed * _RANDOM_RUNS + draw * 2**32 for draw in itertools.count())
    draws = ([random_run(shape, timing, first + number) for number in range(_RANDOM_RUNS)] for first in firsts)
    return next(runs for runs in draws if np.linalg.matrix_rank(run_events(runs).T) == len(EVENTS))


def random_run(shape: ArrayShape, timing: Timing, seed: int) -> ArrayRun:
    """Operations with random constants, weights, masks and captures on random words."""
    rng = np.random.default_rng([seed, shape.bits])
    half = 2 ** (shape.bits - 1)
    program: list[Operation] = []
    for n in range(_RANDOM_OPERATIONS):
        za, zb, capture = (bool(x) for x in rng.random(3) < (0.3, 0.3, 0.6))
        if n % 2:
            program.append(Operation(name="accumulate", weight=int(rng.integers(shape.inputs)), za=za, zb=zb))
        else:
            k0, k1 = (int(k) for k in rng.integers(-half, half, 2))
            program.append(Operation(name="decay", k0=k0, k1=k1, za=za, zb=zb, capture=capture))
    weights = rng.integers(-(2 ** (shape.weight_bits - 1)), 2 ** (shape.weight_bits - 1), (shape.inputs, shape.columns))
    words = rng.integers(-half, half, shape.columns)
    flags, last = rng.integers(0, 2, (2, shape.columns))
    return _run(shape, timing, program, weights, words, flags, last)


def program_events(run: ArrayRun) -> NDArray[np.int64]:
    """Indicators (0 or 1) of the events of ``run``, shape (events, cycles, columns)."""
    blocks, state = [], run.state
    for operation in run.program:
        indicators, state = cycle_events(operation, state, run.weights, bits=run.shape.bits)
        blocks.append(indicators)
    return np.concatenate(blocks, axis=1)


def run_events(runs: list[ArrayRun]) -> NDArray[np.int64]:
    """Indicators (0 or 1) of the events of all ``runs``, shape (events, cycles x columns)."""
    return np.concatenate([program_events(run).reshape(len(EVENTS), -1) for run in runs], axis=1)


def _energies(runs: list[ArrayRun], outcomes: list[Outcome], leaks: list[Outcome], corner: Corner) -> list[Measurement]:
    decks = tuple(outcome.deck_sha256 for outcome in outcomes)
    reasons = [outcome.reason for outcome in (*outcomes, *leaks) if not outcome.ok]
    if reasons:
        return _unmeasured(_WORKING, reasons[0], decks)
    events = run_events(runs)
    energy = np.concatenate([o.values["columns"].reshape(len(COMPONENTS), -1) for o in outcomes], axis=1)
    solution, *_ = np.linalg.lstsq(events.T.astype(float), energy.T, rcond=None)
    coefficients = solution.T  # [component, event]
    leaked = _leaked(runs[0], leaks)
    # Residual of whole operations, all components together: a user of the table adds up these energies.
    per_operation = []
    for run, outcome in zip(runs, outcomes, strict=True):
        shape = (len(run.program), run.shape.bits, run.shape.columns)
        spice = outcome.values["columns"].sum(axis=0).reshape(shape).sum(axis=1)
        model = np.einsum("ce,ekj->kj", coefficients, program_events(run)).reshape(shape).sum(axis=1)
        per_operation.append(((model - spice) / spice.mean()).ravel())
    residual = float(np.sqrt(np.mean(np.concatenate(per_operation) ** 2)))
    # Leakage is counted by power and time, so the energy that leaked in the calibration is taken off.
    coefficients[:, list(EVENTS).index("cycle")] -= leaked
    capacitance = _line_capacitance(runs, outcomes, corner)
    delays = np.stack([o.values["delays"] for o in outcomes])  # [run, (write, flag)]
    # Delays are measured at the working cycle, whose phases they follow.
    grid = CYCLE_RATIO - 1
    return [
        measured(contract.COLUMN_EVENT_ENERGY, coefficients, decks=decks),
        measured(contract.COLUMN_EVENT_RESIDUAL, residual, decks=decks),
        measured(contract.COLUMN_LINE_CAPACITANCE, capacitance, decks=decks),
        measured(contract.COLUMN_WRITE_DELAY, float(np.nanmax(delays[:, 0])), decks=decks, resolution=grid),
        measured(contract.COLUMN_FLAG_DELAY, float(np.nanmax(delays[:, 1])), decks=decks, resolution=grid),
    ]


def _leaked(run: ArrayRun, leaks: list[Outcome]) -> NDArray[np.float64]:
    """Energy that a column of ``run`` leaks in one cycle, shape (components,), in J: slice and segments, and cells."""
    bare, full = (outcome.values for outcome in leaks)
    shape = run.shape
    segments = shape.used_segments * (full["slice"] - bare["slice"])
    cells = (shape.bits + shape.inputs * shape.weight_bits) * full["cell"]
    power = {"logic": float(bare["slice"] + segments), "cells": float(cells)}
    return run.timing.cycle * np.array([power.get(component, 0.0) for component in COMPONENTS])


def _line_capacitance(runs: list[ArrayRun], outcomes: list[Outcome], corner: Corner) -> NDArray[np.float64]:
    energy = dict.fromkeys(LINE_KINDS, 0.0)
    pulses = dict.fromkeys(LINE_KINDS, 0.0)
    for run, outcome in zip(runs, outcomes, strict=True):
        kinds = kinds_of_lines(run.shape.lines)
        for kind, line_energy, count in zip(kinds, outcome.values["lines"], outcome.values["pulses"], strict=True):
            energy[kind] += float(line_energy.sum())
            pulses[kind] += float(count)
    columns = runs[0].shape.columns
    return np.array([energy[k] / pulses[k] / columns / corner.vdd**2 for k in LINE_KINDS])


def _leakage_simulation(technology: Technology, corner: Corner, shape: ArrayShape, used: bool) -> Simulation:
    """Operating point of one idle column, with one weight segment or without any."""
    inputs = shape.rows // shape.weight_bits if used else 0
    idle = replace(shape, columns=1, inputs=inputs, segments=1)
    # Alternating bits: as many ones as zeros.
    weights = np.resize([5, -6], (inputs, 1))
    run = _run(idle, Timing(cycle=1e-9), [], weights, [21], [0])
    deck = array_deck(technology, corner, run, title="column leakage", options=STATIC_OPTIONS)
    arguments = {"vdd": corner.vdd, "cells": shape.bits + inputs * shape.weight_bits}
    return Simulation(deck=deck, reducer=reducer_name(column_leakage), arguments=arguments)


def column_leakage(vectors: Vectors, *, vdd: float, cells: int) -> dict[str, float]:
    """Reducer: leakage of an idle column; ``slice`` (all but the cells) and ``cell`` (one cell), in W."""
    power = {c: -vdd * float(vectors[f"i({column_supply(c, 0)})"][-1]) for c in COMPONENTS}
    return {"slice": sum(power[c] for c in COMPONENTS if c != "cells"), "cell": power["cells"] / cells}


def _leakages(bitcell: str, outcomes: list[Outcome]) -> list[Measurement]:
    decks = tuple(outcome.deck_sha256 for outcome in outcomes)
    reasons = [outcome.reason for outcome in outcomes if not outcome.ok]
    if reasons:
        return _unmeasured(_idle(bitcell), reasons[0], decks)
    bare, full = (outcome.values for outcome in outcomes)
    powers = (bare["slice"], full["slice"] - bare["slice"], full["cell"])
    return [measured(each, float(power), decks=decks) for each, power in zip(_idle(bitcell), powers, strict=True)]


# Quantities of a column that works.
_WORKING = (
    contract.COLUMN_EVENT_ENERGY,
    contract.COLUMN_EVENT_RESIDUAL,
    contract.COLUMN_LINE_CAPACITANCE,
    contract.COLUMN_WRITE_DELAY,
    contract.COLUMN_FLAG_DELAY,
)


def _idle(bitcell: str) -> tuple[Quantity, ...]:
    """Quantities of an idle column of ``bitcell``."""
    return contract.SLICE_LEAKAGE, contract.SEGMENT_LEAKAGE, contract.cell_leakage(bitcell)


def _unmeasured(quantities: Sequence[Quantity], reason: str, decks: tuple[str, ...] = ()) -> list[Measurement]:
    return [measured(quantity, None, reason=reason, decks=decks) for quantity in quantities]
