"""Co-simulation of a small macro: SPICE at transistor level, with drivers, against the behavioral model and its table.

**Bits.** Two comparisons are made. The first is after each operation: the cells and flags of the netlist against the
microcode. The second is after each time step: the membranes and spikes of the microcode against ``ldlif_step``.

**Events.** The events that the compiled kernel counts must equal the sum of the events of the single operations.

**Energy.** SPICE's energy of each operation is compared with the energy that a report computes for this operation
(``CalibratedLayer.energy``).

**Time.** The time at which SPICE stores the last bit is compared with the predicted time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.macro.calibration import Calibration
from pyspice_cim.behavioral.macro.config import MacroConfig, checked_conditions
from pyspice_cim.behavioral.macro.execution import run_layer
from pyspice_cim.behavioral.macro.layer import CalibratedLayer, LayerRun, calibrated_layer
from pyspice_cim.behavioral.macro.layout import NO_FAULTS, layout_of, state_at_rest
from pyspice_cim.behavioral.macro.mapping import map_layers
from pyspice_cim.behavioral.network.layers import FullyConnected
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, LDLIFState, ldlif_step
from pyspice_cim.characterization.benches.array import ArrayRun, array_simulation
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.spice.simulation import Outcome
from pyspice_cim.checks import check_integer, check_type
from pyspice_cim.errors import TableError
from pyspice_cim.microcode import EVENTS, column_bits, columns_at_rest, count_events, membranes
from pyspice_cim.netlists.columns.array import ArrayShape
from pyspice_cim.netlists.waves import Timing
from pyspice_cim.tables import Table
from pyspice_cim.tables.technology import technology_of
from pyspice_cim.technology import Corner, Technology


@dataclass(frozen=True, kw_only=True)
class CosimSpec:
    """What to co-simulate.

    Attributes:
        neurons: number of columns of the macro, 1 to 64.
        inputs: number of inputs of the macro, 1 to 64.
        weight_bits: width of a weight in bits, 2 to 8.
        membrane_bits: width of a membrane in bits, 3 to 12.
        steps: number of time steps of a vector, 1 to 100.
        vectors: number of random vectors, 1 to 1000.
        seed: seed of the vectors, 0 or more.

    Raises:
        ConfigError: if a number is out of range.
    """

    neurons: int = 4
    inputs: int = 4
    weight_bits: int = 4
    membrane_bits: int = 8
    steps: int = 2
    vectors: int = 3
    seed: int = 7

    def __post_init__(self) -> None:
        for name, low, high in (
            ("neurons", 1, 64),
            ("inputs", 1, 64),
            ("weight_bits", 2, 8),
            ("membrane_bits", 3, 12),
            ("steps", 1, 100),
            ("vectors", 1, 1000),
            ("seed", 0, 2**63 - 1),
        ):
            object.__setattr__(self, name, check_integer(name, getattr(self, name), low, high))


@dataclass(frozen=True, kw_only=True, eq=False)
class Vector:
    """One random case.

    Attributes:
        weights: (inputs, neurons).
        spikes: 0 or 1, (steps, inputs).
        membrane: membranes before the first time step, (neurons,), in units of the least significant bit.
        params: parameters of the neurons.
    """

    weights: NDArray[np.int64]
    spikes: NDArray[np.int64]
    membrane: NDArray[np.int64]
    params: LDLIFParams


@dataclass(frozen=True, kw_only=True)
class CosimReport:
    """Result of the comparison over all vectors. The metrics are ``None`` if SPICE could not run any vector.

    Attributes:
        bits_compared: number of stored bits and flags after each operation, and of bits of membranes and spikes after
            each time step.
        bits_wrong: number of these bits that differ, plus the number of event counts in which the kernel differs.
        energy_error_mean_pct: mean of |predicted / SPICE - 1| of the energy of one operation of the whole macro, in
            percent.
        energy_error_max_pct: largest |predicted / SPICE - 1| of the energy of one operation of the whole macro, in
            percent.
        energy_bias_pct: predicted / SPICE - 1 of the energy of all vectors together, in percent.
        latency_error_pct: largest |predicted / SPICE - 1| of the time at which the last bit is stored, in percent.
        operations: number of operations whose energies were compared.
        vectors: number of vectors.
        cases: number of occurrences of each case that the model must get right.
        failures: reason of each vector that SPICE could not run.
        decks: SHA-256 of the deck of each vector.
    """

    bits_compared: int
    bits_wrong: int
    energy_error_mean_pct: float | None
    energy_error_max_pct: float | None
    energy_bias_pct: float | None
    latency_error_pct: float | None
    operations: int
    vectors: int
    cases: dict[str, int]
    failures: tuple[str, ...]
    decks: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether SPICE ran all vectors and all bits agree."""
        return not self.bits_wrong and not self.failures and self.bits_compared > 0


def draw_vector(spec: CosimSpec, index: int) -> Vector:
    """Vector number ``index``, drawn at random from (seed, index).

    Cases that a model may get wrong are forced. The first time step has no input (index 0, 3, ...), all inputs (index
    1, 4, ...) or random inputs. Neuron 0 stands exactly at theta after the first decay. Neuron 1 starts negative.
    Neuron 2 starts at the largest membrane with the largest weights, so that all inputs together saturate the neuron.
    The reset is by subtraction for an even index and to zero for an odd index.

    Args:
        spec: size of the macro, number of time steps and seed.
        index: number of the vector, 0 or more.
    """
    rng = np.random.default_rng([spec.seed, index])
    vmax, wmax = 2 ** (spec.membrane_bits - 1) - 1, 2 ** (spec.weight_bits - 1) - 1
    lambda_ = int(rng.integers(0, max(2, vmax // 6)))
    theta = int(rng.integers(max(1, vmax // 4), vmax - lambda_ + 1))
    reset: Literal["subtract", "zero"] = "zero" if index % 2 else "subtract"
    weights = rng.integers(-wmax - 1, wmax + 1, (spec.inputs, spec.neurons))
    membrane = rng.integers(-(vmax // 4), vmax + 1, spec.neurons)
    spikes = rng.integers(0, 2, (spec.steps, spec.inputs))
    membrane[0] = theta + lambda_
    if spec.neurons > 1:
        membrane[1] = -int(rng.integers(1, vmax + 1))
    if spec.neurons > 2:
        weights[:, 2], membrane[2] = wmax, vmax
    if index % 3 == 0:
        spikes[0] = 0
    elif index % 3 == 1:
        spikes[0] = 1
    params = LDLIFParams(lambda_=lambda_, theta=theta, membrane_bits=spec.membrane_bits, reset=reset)
    return Vector(weights=weights, spikes=spikes, membrane=membrane, params=params)


def vector_layer(vector: Vector, spec: CosimSpec, table: Table, conditions: dict[str, Any]) -> CalibratedLayer:
    """The layer of ``vector`` on one macro, calibrated by ``table``. A report computes its energies with the same
    object.

    Args:
        vector: weights and parameters of the layer.
        spec: size of the macro.
        table: calibration table.
        conditions: fields of ``MacroConfig``, e.g. ``vdd``, ``process`` or ``rows``.

    Raises:
        TableError: if the table does not cover the macro.
    """
    config = MacroConfig(
        technology=table.technology,
        neurons=spec.neurons,
        inputs=spec.inputs,
        weight_bits=spec.weight_bits,
        membrane_bits=spec.membrane_bits,
        column_bits=column_bits(vector.weights, spec.membrane_bits),
        **checked_conditions(conditions),
    )
    layer = FullyConnected(weights=vector.weights.astype(np.int8), weight_bits=spec.weight_bits, params=vector.params)
    (mapped,) = map_layers([layer], (spec.inputs,), config).maps
    return calibrated_layer(mapped, table, compare=())


def vector_run(vector: Vector, layer: CalibratedLayer) -> ArrayRun:
    """The transistor-level run of a vector, with drivers, at the cycle time of the layer's macro.

    Args:
        vector: weights, spikes and initial membranes.
        layer: the layer of the vector, which gives the size and the step program.
    """
    config, params = layer.mapped.config, vector.params
    steps = (np.flatnonzero(step).tolist() for step in vector.spikes)
    program = [operation for active in steps for operation in layer.mapped.program.step(active)]
    shape = ArrayShape(
        columns=config.neurons,
        bits=config.bits,
        inputs=config.inputs,
        weight_bits=config.weight_bits,
        rows=config.rows,
        segments=config.segments,
        bitcell=config.bitcell,
    )
    return ArrayRun(
        shape=shape,
        weights=vector.weights,
        state=columns_at_rest(vector.membrane, theta=params.theta),
        program=program,
        timing=Timing(cycle=layer.calibration.cycle),
        drivers=True,
    )


def cosimulate(
    spec: CosimSpec,
    table: Table,
    engine: Engine | None = None,
    *,
    technology: Technology | None = None,
    **conditions: Any,
) -> CosimReport:
    """Compare SPICE and the behavioral model on ``spec.vectors`` random vectors.

    Args:
        spec: what to co-simulate.
        table: calibration table.
        engine: engine that runs ngspice; by default a new one.
        technology: technology of the netlist; by default the built-in technology that the table names.
        conditions: fields of ``MacroConfig``, e.g. ``vdd``, ``process`` or ``rows``.

    Returns:
        The comparison over all vectors.

    Raises:
        ConfigError: if an argument is of another type, or a condition is a size that ``spec`` states.
        MissingDependencyError: if ngspice is not installed.
        TableError: if the table does not cover the macro, or was made from other models than ``technology`` has.
        TechnologyError: if no technology is given, and the technology of the table is not built in.
    """
    check_type("spec", spec, CosimSpec)
    check_type("table", table, Table)
    engine = engine or Engine()
    technology = technology or technology_of(table)
    table.require_technology(technology.name)
    if table.dataset.attrs["technology_sha256"] != technology.sha256:
        raise TableError(
            f"table {table.source} was made from other models of {technology.name} than there are now "
            f"(SHA-256 {str(table.dataset.attrs['technology_sha256'])[:12]}, not {technology.sha256[:12]}): characterize again"
        )
    drawn = [draw_vector(spec, index) for index in range(spec.vectors)]
    layers = [vector_layer(vector, spec, table, conditions) for vector in drawn]
    runs = [vector_run(vector, layer) for vector, layer in zip(drawn, layers, strict=True)]
    simulations = []
    for index, (layer, run) in enumerate(zip(layers, runs, strict=True)):
        config = layer.mapped.config
        corner = Corner(process=config.process, vdd=config.vdd, temperature_c=config.temperature_c)
        title = f"co-simulation vector {index}"
        simulations.append(array_simulation(technology, corner, run, title=title, accept_wrong_bits=True))
    outcomes = engine.simulate(simulations)
    return _report([_compare(*each) for each in zip(drawn, layers, runs, outcomes, strict=True)], outcomes)


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    bits_compared: int
    bits_wrong: int
    predicted: list[float]
    simulated: list[float]
    # None: no cell and no flag changes, neither in SPICE nor by the model.
    latency_error: float | None
    cases: dict[str, int]


def _compare(vector: Vector, layer: CalibratedLayer, run: ArrayRun, outcome: Outcome) -> _Comparison | None:
    model_wrong, model_compared, cases = model_disagreement(vector, run)
    if not outcome.ok:
        return None
    shape = run.shape
    wrong = outcome.values["bits_wrong"]
    blocks = (len(run.program), shape.bits)
    columns = outcome.values["columns"].sum(axis=(0, 2)).reshape(blocks).sum(axis=1)
    lines = outcome.values["lines"].sum(axis=0).reshape(blocks).sum(axis=1)
    latency = float(outcome.values["last_change"])
    done = _operations_one_by_one(vector, layer, run)
    # The kernel that reports use must count the same events as the single operations.
    one_by_one = np.sum([np.asarray(each.events) for each in done], axis=0)
    differing = int((_events_of_kernel(vector, layer) != one_by_one).sum())
    return _Comparison(
        bits_compared=wrong.size * (shape.bits + 1) + model_compared,
        bits_wrong=int(wrong.sum()) + model_wrong + differing,
        predicted=[_predicted(layer, each) for each in done],
        simulated=(columns + lines).tolist(),
        latency_error=_relative_error(_last_change(run, layer.calibration), latency),
        cases=cases,
    )


def _relative_error(predicted: float, simulated: float) -> float | None:
    """Return |predicted / simulated - 1|; infinity if only ``simulated`` is 0, ``None`` if both are."""
    if simulated:
        return abs(predicted / simulated - 1)
    return math.inf if predicted else None


def _operations_one_by_one(vector: Vector, layer: CalibratedLayer, run: ArrayRun) -> list[LayerRun]:
    """Each operation of ``run`` as the run of a layer that did only this operation."""
    program, state, found = layer.mapped.program, run.state, []
    for step in vector.spikes:
        for kind, index in program.step_kinds(np.flatnonzero(step).tolist()):
            counted, state = count_events(program.rows[kind].operation(index), state, run.weights, bits=run.shape.bits)
            operations = np.zeros((1, len(program)), np.int64)
            events = np.zeros((1, len(program), len(counted)), np.int64)
            operations[0, kind], events[0, kind] = 1, counted.sum(axis=-1)
            none = np.zeros(1, np.int64)
            found.append(
                LayerRun(
                    operations=operations,
                    path=np.zeros((1, 1)),
                    active=none,
                    sops=none,
                    events=events,
                    writes=np.zeros((1, len(layer.write_energy)), np.int64),
                )
            )
    return found


def _predicted(layer: CalibratedLayer, run: LayerRun) -> float:
    """Energy that a report computes for ``run``, with leakage and without the row decoder, in joules.

    The deck has no row decoder, because it drives the wordlines directly. The supply currents of the deck include
    leakage.
    """
    components, _ = layer.energy(run)
    leakage = layer.leakage * layer.calibration.operation_time(1)
    return sum(float(energy[0]) for name, energy in components.items() if name != "decoder") + leakage


def _events_of_kernel(vector: Vector, layer: CalibratedLayer) -> NDArray[np.int64]:
    """Events that the compiled kernel counts in the time steps of ``vector``, (1, kinds, events)."""
    mapped = layer.mapped
    layout = layout_of(mapped)
    state = state_at_rest(mapped, layout, 1, vector.membrane[None].astype(np.int64))
    events = np.zeros((1, len(mapped.program), len(EVENTS)), np.int64)
    writes = np.zeros((1, len(layer.write_energy)), np.int64)
    values = vector.spikes[:, None].astype(np.uint8)
    fired = np.zeros((1 + len(values), 1, vector.membrane.size), np.uint8)
    run_layer(mapped, layout, state, NO_FAULTS, values, fired, (events, writes))
    return events


def _last_change(run: ArrayRun, calibration: Calibration) -> float:
    """Predicted time of the last change of a cell or a flag, in seconds.

    Bit k of operation n is written in the cycle after its read, and a flag after the last bit::

        t_cell = (n bits + k + 1) cycle + write_delay
        t_flag = (n + 1) bits cycle + flag_delay
    """
    bits, before, last = run.shape.bits, run.state, 0.0
    for n, after in enumerate(run.states()):
        flips = int(np.bitwise_or.reduce(before.word ^ after.word)) & ((1 << bits) - 1)
        if flips:
            written = n * bits + flips.bit_length()
            last = max(last, written * calibration.cycle + calibration.write_delay)
        if (before.flag != after.flag).any():
            last = max(last, (n + 1) * bits * calibration.cycle + calibration.flag_delay)
        before = after
    return last


def model_disagreement(vector: Vector, run: ArrayRun) -> tuple[int, int, dict[str, int]]:
    """Differences between the microcode and ``ldlif_step`` after each time step of a vector.

    Args:
        vector: inputs and initial membranes.
        run: run of the vector, which gives the states of the microcode.

    Returns:
        Number of bits of membranes and spikes that differ, number of bits that were compared, and number of occurrences
        of each case.
    """
    params = vector.params
    state = LDLIFState(v=vector.membrane.astype(np.int32))
    ends = [n for n, operation in enumerate(run.program) if operation.name == "fire"]
    states = run.states()
    wrong = compared = 0
    cases = dict.fromkeys(
        ("negative_cleared", "v_equals_theta", "saturated", "no_input", "all_inputs", "reset_subtract", "reset_zero"), 0
    )
    for step, end in zip(vector.spikes, ends, strict=True):
        before = state.v
        inputs = (step @ vector.weights).astype(np.int64)
        spikes, state, events = ldlif_step(inputs, state, params)
        decayed = np.maximum(before - params.lambda_, 0)
        cases["negative_cleared"] += int((before < 0).sum())
        cases["v_equals_theta"] += int((decayed + inputs == params.theta).sum())
        cases["saturated"] += int(events.saturated.sum())
        cases["no_input"] += int(not step.any())
        cases["all_inputs"] += int(step.all())
        cases[f"reset_{params.reset}"] += int(spikes.sum())
        reached = membranes(states[end], theta=params.theta, membrane_bits=params.membrane_bits, reset=params.reset)
        difference = (reached ^ state.v) & ((1 << params.membrane_bits) - 1)
        wrong += int(np.bitwise_count(difference.astype(np.uint64)).sum())
        wrong += int((states[end].flag == spikes).sum())
        compared += reached.size * (params.membrane_bits + 1)
    return wrong, compared, cases


def _report(results: Sequence[_Comparison | None], outcomes: Sequence[Outcome]) -> CosimReport:
    good = [result for result in results if result is not None]
    predicted = np.array([energy for result in good for energy in result.predicted])
    simulated = np.array([energy for result in good for energy in result.simulated])
    error = 100 * np.abs(predicted / simulated - 1) if good else np.array([])
    # ``max`` of NumPy: a NaN is not lost.
    latencies = [result.latency_error for result in good if result.latency_error is not None]
    cases: dict[str, int] = {}
    for result in good:
        for name, count in result.cases.items():
            cases[name] = cases.get(name, 0) + count
    return CosimReport(
        bits_compared=sum(result.bits_compared for result in good),
        bits_wrong=sum(result.bits_wrong for result in good),
        energy_error_mean_pct=float(error.mean()) if good else None,
        energy_error_max_pct=float(error.max()) if good else None,
        energy_bias_pct=100 * float(predicted.sum() / simulated.sum() - 1) if good else None,
        latency_error_pct=100 * float(np.max(latencies)) if latencies else None,
        operations=int(error.size),
        vectors=len(results),
        cases=cases,
        failures=tuple(outcome.reason for outcome in outcomes if not outcome.ok),
        decks=tuple(outcome.deck_sha256 for outcome in outcomes),
    )
