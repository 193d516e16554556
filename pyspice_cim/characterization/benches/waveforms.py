"""Waveforms of one real column through one time step, to look at."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.benches.array import ArrayRun, array_deck
from pyspice_cim.characterization.benches.column import WORKING_MARGIN
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.spice.measure import value_at
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.microcode import ColumnState, column_bits, columns_at_rest
from pyspice_cim.netlists.columns.array import ArrayShape
from pyspice_cim.netlists.waves import Timing
from pyspice_cim.organisation import NeuronConstants, Organisation
from pyspice_cim.tables import Table, contract
from pyspice_cim.tables.technology import technology_of
from pyspice_cim.technology import Corner

NODES = ("ph1", "ph2", "rv_0", "rw_0", "xs0.ql", "xs0.ci", "fs0")
_SAMPLES_PER_CYCLE = 60
# One neuron that decays from 60 by 9, receives 7 and 6 and fires at 50 with 14 left: every operation does something.
_MEMBRANE, _LAMBDA, _THETA, _WEIGHTS = 60, 9, 50, (7, 6)


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnWaveforms:
    """Node voltages [V] over ``time`` [s], and what the microcode says after each operation."""

    time: NDArray[np.float64]
    nodes: dict[str, NDArray[np.float64]]
    operations: list[str]
    operation_ends: NDArray[np.float64]
    words: list[int]
    flags: list[int]
    cycle: float
    bits: int
    vdd: float
    title: str


def waveform_run(cycle: float, *, rows: int) -> ArrayRun:
    """The run that the figure shows."""
    weights = np.array(_WEIGHTS, dtype=np.int64)[:, None]
    neuron = NeuronConstants(lambda_=_LAMBDA, theta=_THETA, membrane_bits=8)
    program = Organisation().program(neuron).step(range(len(_WEIGHTS)))
    state: ColumnState = columns_at_rest(np.array([_MEMBRANE]), theta=_THETA)
    shape = ArrayShape(columns=1, bits=column_bits(weights, 8), inputs=2, weight_bits=4, rows=rows, segments=1)
    return ArrayRun(shape=shape, weights=weights, state=state, program=program, timing=Timing(cycle=cycle))


def column_waveforms(table: Table, engine: Engine) -> ColumnWaveforms:
    """Simulate the column at the point of ``table`` next to nominal, at the working cycle of its fewest segments.

    Raises:
        SimulationError: if ngspice fails, or the engine's budget is over before.
        TechnologyError: if the table's technology is not built in.
    """
    technology = technology_of(table)
    minimum = table.quantity(contract.COLUMN_MINIMUM_CYCLE.name)
    nominal = {"vdd": technology.supply.nominal_v, "temperature_c": technology.temperature.nominal_c}
    process = "tt" if "tt" in minimum["process"] else str(minimum["process"].values[0])
    here = minimum.sel(process=process).sel(nominal, method="nearest").isel(contract.COLUMN.at(rows=0, segments=0))
    corner = Corner(process=process, vdd=float(here["vdd"]), temperature_c=float(here["temperature_c"]))
    run = waveform_run(WORKING_MARGIN * float(here), rows=int(here[contract.COLUMN.stored("rows")]))
    probes = [f"v({node})" for node in NODES]
    deck = array_deck(technology, corner, run, title="waveforms of one column", probes=probes)
    assert deck.stop_time is not None
    simulation = Simulation(
        deck=deck,
        reducer=reducer_name(sampled),
        arguments={"stop": deck.stop_time, "samples": _SAMPLES_PER_CYCLE * len(run.program) * run.shape.bits},
    )
    (outcome,) = engine.simulate([simulation])
    if not outcome.ok:
        raise SimulationError(f"the column's waveforms could not be simulated: {outcome.reason}")
    states = run.states()
    return ColumnWaveforms(
        time=outcome.values["time"],
        nodes={node: outcome.values[f"v({node})"] for node in NODES},
        operations=[operation.name for operation in run.program],
        operation_ends=np.arange(1.0, len(run.program) + 1) * run.shape.bits * run.timing.cycle,
        words=[int(state.word[0]) for state in states],
        flags=[int(state.flag[0]) for state in states],
        cycle=run.timing.cycle,
        bits=run.shape.bits,
        vdd=corner.vdd,
        title=(
            f"One column of {technology.name} at {corner.vdd:g} V, {corner.temperature_c:g} C: v = {_MEMBRANE}, "
            f"lambda = {_LAMBDA}, weights {_WEIGHTS[0]} and {_WEIGHTS[1]}, theta = {_THETA}"
        ),
    )


def sampled(vectors: Vectors, *, stop: float, samples: int) -> dict[str, NDArray[np.float64]]:
    """Reducer: the nodes of the figure on an even grid of times."""
    time = np.linspace(0.0, stop, samples)
    return {"time": time} | {f"v({node})": value_at(vectors, f"v({node})", time) for node in NODES}
