"""A calibrated macro: runs one layer of LD-LIF neurons bit for bit, and says what it cost.

Energies come from events that are counted in the run, times the energies of the table:

``exact``     every operation of every column is executed as the netlist executes it, and its events are counted bit by bit.
``expected``  spikes come from ``ldlif_step``; each operation costs its mean over ``CALIBRATION_SAMPLES`` samples of the
              same run that are executed exactly. The relative RMS error over those samples is part of the result.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.calibration import Calibration, calibrate
from pyspice_cim.behavioral.config import MacroConfig
from pyspice_cim.behavioral.ldlif import LDLIFState, ldlif_step
from pyspice_cim.behavioral.network_file import Layer
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.microcode import (
    EVENTS,
    ColumnState,
    Operation,
    column_bits,
    columns_at_rest,
    count_events,
    membranes,
    step_program,
)
from pyspice_cim.tables import Table

EnergyMode = Literal["exact", "expected"]
CALIBRATION_SAMPLES = 32
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class MacroRun:
    """Result of a layer on a macro; ``[batch]`` arrays are per sample.

    Attributes:
        spikes: uint8 [time, batch, neurons].
        membranes: int64 [batch, neurons], after the last step.
        energy: component to J [batch]; ``leakage`` included.
        operations: name of operation to its count [batch].
        operation_energy: name of operation to J [batch], without leakage.
        sops: synaptic operations (active input x neuron) [batch].
        time: s [batch]: cycles of all operations, and the drain of the last write of every step.
        energy_error: relative RMS error of ``expected`` against ``exact``; 0 for ``exact``.
    """

    spikes: NDArray[np.uint8]
    membranes: NDArray[np.int64]
    energy: dict[str, Floats]
    operations: dict[str, NDArray[np.int64]]
    operation_energy: dict[str, Floats]
    sops: NDArray[np.int64]
    time: Floats
    energy_error: float


class Macro:
    """One macro of ``config``, calibrated by ``table``.

    Raises:
        TableError: see ``calibrate``.
    """

    def __init__(self, config: MacroConfig, table: Table) -> None:
        self.config = config
        self.calibration: Calibration = calibrate(config, table)

    def check(self, layer: Layer) -> None:
        """Raise ``ConfigError`` if the macro cannot hold ``layer``."""
        config = self.config
        for name, value, wanted in (
            ("neurons", config.neurons, layer.neurons),
            ("inputs", config.inputs, layer.inputs),
            ("weight_bits", config.weight_bits, layer.weight_bits),
            ("membrane_bits", config.membrane_bits, layer.params.membrane_bits),
        ):
            if value != wanted:
                raise ConfigError(f"the layer has {name} = {wanted}, the macro {value}; give the macro the layer's")
        if layer.params.decay != "clamp":
            raise ConfigError(
                f"decay is {layer.params.decay!r}; the array computes clamp only: run the layer with fast_run"
            )
        needed = column_bits(layer.weights, config.membrane_bits)
        if needed > config.bits:
            raise ConfigError(
                f"column_bits is {config.bits}, but the layer's sums need {needed}: a step could overflow its guard bits"
            )

    def run(self, layer: Layer, spikes: NDArray[np.integer[Any]], energy: EnergyMode = "exact") -> MacroRun:
        """Run ``layer`` on this macro, from rest.

        Args:
            spikes: 0 or 1, [time, batch, inputs].

        Raises:
            ConfigError: if the macro cannot hold the layer.
            DataError: if the spikes have another shape or other values.
        """
        self.check(layer)
        spikes = checked_spikes(spikes, self.config.inputs)
        if energy == "exact":
            out, final, tally = _execute(self, layer, spikes)
            return self._result(out, final, tally, 0.0)
        if energy != "expected":
            raise ConfigError(f"energy = {energy!r} is no mode; choose exact or expected")
        chosen = _calibration_samples(spikes)
        _, _, exact = _execute(self, layer, spikes[:, chosen])
        means = {op: events.sum(axis=1) / max(1, count.sum()) for op, (events, count) in exact.items()}
        out, final = _fast(layer, spikes)
        tally = _expected_tally(self, spikes, means)
        few = _expected_tally(self, spikes[:, chosen], means)
        truth, guess = (sum(self._energy(t)[0].values()) for t in (exact, few))
        error = float(np.sqrt(np.mean((np.asarray(guess) / np.asarray(truth) - 1) ** 2)))
        return self._result(out, final, tally, error)

    def _energy(self, tally: "Tally") -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Energy by component and by operation, J [batch]."""
        components: dict[str, Floats] = {}
        operations: dict[str, Floats] = {}
        for operation, (events, count) in tally.items():
            parts: dict[str, Any] = {
                n: np.tensordot(e, events, axes=1) for n, e in self.calibration.event_energy.items()
            }
            parts |= {n: each * count for n, each in self.calibration.lines_energy(operation).items()}
            for name, part in parts.items():
                components[name] = components.get(name, 0.0) + part
                operations[operation.name] = operations.get(operation.name, 0.0) + part
        return components, operations

    def _result(self, out: NDArray[np.uint8], final: NDArray[np.int64], tally: "Tally", error: float) -> MacroRun:
        components, by_operation = self._energy(tally)
        counts: dict[str, NDArray[np.int64]] = {"accumulate": np.zeros(out.shape[1], dtype=np.int64)}
        for operation, (_, count) in tally.items():
            counts[operation.name] = counts.get(operation.name, 0) + count
        cal, steps = self.calibration, out.shape[0]
        total = np.sum(list(counts.values()), axis=0)
        time = cal.operation_time(1) * total + steps * max(cal.write_delay, cal.flag_delay)
        components["leakage"] = cal.leakage * time
        return MacroRun(
            spikes=out,
            membranes=final,
            energy=components,
            operations=counts,
            operation_energy=by_operation,
            sops=counts["accumulate"] * self.config.neurons,
            time=time,
            energy_error=error,
        )


# For every operation (the weight row set to 0): its events summed over columns [event, batch], and its count [batch].
Tally = dict[Operation, tuple[Floats, NDArray[np.int64]]]


def checked_spikes(spikes: NDArray[np.integer[Any]], inputs: int) -> NDArray[np.uint8]:
    """``spikes`` as uint8 [time, batch, inputs].

    Raises:
        DataError: for another shape, no step or sample, or values other than 0 and 1.
    """
    spikes = np.asarray(spikes)
    if spikes.ndim != 3 or spikes.shape[2] != inputs or 0 in spikes.shape[:2]:
        raise DataError(f"spikes have shape {spikes.shape}; they must be (time, batch, {inputs}), none of them 0")
    if not ((spikes == 0) | (spikes == 1)).all():
        raise DataError(f"spikes hold values from {spikes.min()} to {spikes.max()}; they must be 0 or 1")
    return spikes.astype(np.uint8)


def _execute(
    macro: Macro, layer: Layer, spikes: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], Tally]:
    """Run the microcode on all samples at once; sample by sample the n-th active input differs, the operation does not."""
    bits = macro.calibration.column_bits
    params, (steps, batch, _) = layer.params, spikes.shape
    weights = layer.weights.astype(np.int64)
    state = columns_at_rest(np.zeros((batch, layer.neurons), dtype=np.int64), theta=params.theta)
    out = np.empty((steps, batch, layer.neurons), dtype=np.uint8)
    tally: Tally = {}

    def apply(operation: Operation, samples: NDArray[np.intp], operand: NDArray[np.int64] | None) -> None:
        part = ColumnState(**{name: getattr(state, name)[samples] for name in ("word", "flag", "last_sum")})
        rows = np.zeros((1, 1), dtype=np.int64) if operand is None else operand[None]
        events, after = count_events(operation, part, rows, bits=bits)
        for name in ("word", "flag", "last_sum"):
            getattr(state, name)[samples] = getattr(after, name)
        if operation not in tally:
            tally[operation] = (np.zeros((len(EVENTS), batch)), np.zeros(batch, dtype=np.int64))
        tally[operation][0][:, samples] += events.sum(axis=-1)
        tally[operation][1][samples] += 1

    def program(active: int) -> list[Operation]:
        return step_program(
            range(active),
            lambda_=params.lambda_,
            theta=params.theta,
            membrane_bits=params.membrane_bits,
            reset=params.reset,
        )

    with_input, without = program(1), program(0)
    for step in range(steps):
        count = spikes[step].sum(axis=1, dtype=np.int64)
        # Indices of the active inputs of every sample, in rising order, padded at the end.
        order = np.argsort(1 - spikes[step], axis=1, kind="stable")
        apply(with_input[0], np.arange(batch), None)
        for n in range(int(count.max(initial=0))):
            samples = np.flatnonzero(count > n)
            accumulate = Operation(name="accumulate", weight=0, za=n == 0)
            apply(accumulate, samples, weights[order[samples, n]])
        some, none = np.flatnonzero(count > 0), np.flatnonzero(count == 0)
        for operations, samples in ((with_input[2:], some), (without[1:], none)):
            if samples.size:
                for operation in operations:
                    apply(operation, samples, None)
        out[step] = 1 - state.flag
    final = membranes(state, theta=params.theta, membrane_bits=params.membrane_bits, reset=params.reset)
    return out, final, tally


def _fast(layer: Layer, spikes: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Spikes and final membranes by ``ldlif_step``."""
    steps, batch, _ = spikes.shape
    # float32 is exact while inputs x 2^(weight bits - 1) < 2^24, which the limits of MacroConfig guarantee.
    products = spikes.reshape(steps * batch, -1).astype(np.float32) @ layer.weights.astype(np.float32)
    sums = products.astype(np.int64).reshape(steps, batch, -1)
    state = LDLIFState.zeros(batch, layer.neurons)
    out = np.empty((steps, batch, layer.neurons), dtype=np.uint8)
    for step in range(steps):
        out[step], state, _ = ldlif_step(sums[step], state, layer.params)
    return out, state.v.astype(np.int64)


def _calibration_samples(spikes: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Samples spread over the batch, and the two whose steps have the least and the most input.

    With these two every kind of operation of the batch occurs among them (a fire without input, a second accumulate).
    """
    active = spikes.sum(axis=2, dtype=np.int64)
    spread = np.linspace(0, spikes.shape[1] - 1, CALIBRATION_SAMPLES).astype(np.intp)
    return np.unique([*spread, active.min(axis=0).argmin(), active.max(axis=0).argmax()])


def _expected_tally(macro: Macro, spikes: NDArray[np.uint8], means: dict[Operation, Floats]) -> Tally:
    """Operations counted from the input spikes, each with its mean events."""
    active = spikes.sum(axis=2, dtype=np.int64)
    some = (active > 0).sum(axis=0)
    later = np.maximum(active - 1, 0).sum(axis=0)
    steps = np.full(spikes.shape[1], spikes.shape[0], dtype=np.int64)
    tally: Tally = {}
    for operation, mean in means.items():
        if operation.name == "decay":
            count = steps
        elif operation.name == "accumulate":
            count = some if operation.za else later
        else:
            # A fire that clears lazily is that of a step without input.
            count = steps - some if operation.za else some
        tally[operation] = (mean[:, None] * count, count)
    return tally
