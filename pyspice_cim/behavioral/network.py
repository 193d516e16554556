"""A network on macros: one macro a layer, and the report of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim import __version__
from pyspice_cim.behavioral.baseline import state_update
from pyspice_cim.behavioral.config import MacroConfig
from pyspice_cim.behavioral.macro import EnergyMode, Macro, MacroRun
from pyspice_cim.behavioral.network_file import NetworkFile
from pyspice_cim.behavioral.readout import classify
from pyspice_cim.errors import DataError
from pyspice_cim.microcode import column_bits
from pyspice_cim.tables import Table

# Samples that run at once: bounds the memory of the exact mode, whose events are counted for all of them.
_TILE = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class RunReport:
    """What a run of a network gave and cost. Energies in J and times in s are means of one inference (one sample).

    Attributes:
        predictions: class of every sample [batch].
        spike_counts, membranes: of the last layer [batch, classes].
        accuracy: share of right predictions, ``None`` without labels.
        energy_components: component to energy; ``leakage`` is the leakage power times the parallel latency.
        energy_operations: operation to energy, all but leakage.
        operations: operation to its mean count.
        sops: synaptic operations (active inputs x neurons).
        latency: ``parallel`` in-array decay, ``sequential`` linear decay one neuron after the other, and
            ``sequential_exponential`` with a multiplication by beta; the layers of a step follow each other.
        state_update_energy: of all decays of an inference: ``parallel``, ``sequential``, ``sequential_exponential``.
        active_inputs: mean number of active inputs a step, by layer.
        cycle: s, by layer.
        energy_error: relative RMS error of the mode ``expected``; the table's own is in ``residual``.
        residual: RMS error of the energy of one column's operation in the table's calibration, the worst layer's.
        outside_table: look-ups that were clipped.
        provenance: where all this comes from.
    """

    predictions: NDArray[np.int64]
    spike_counts: NDArray[np.int64]
    membranes: NDArray[np.int64]
    accuracy: float | None
    samples: int
    energy_components: Mapping[str, float]
    energy_operations: Mapping[str, float]
    operations: Mapping[str, float]
    sops: float
    latency: Mapping[str, float]
    state_update_energy: Mapping[str, float]
    active_inputs: tuple[float, ...]
    cycle: tuple[float, ...]
    energy_error: float
    residual: float
    outside_table: int
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def energy(self) -> float:
        """Energy of one inference, J."""
        return sum(self.energy_components.values())

    @property
    def energy_per_sop(self) -> float:
        """Energy of one synaptic operation, J: all the energy of an inference over its synaptic operations."""
        return self.energy / self.sops if self.sops else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, per-sample arrays left out."""
        return {
            "accuracy": self.accuracy,
            "samples": self.samples,
            "energy_per_inference_j": self.energy,
            "energy_components_j": dict(self.energy_components),
            "energy_operations_j": dict(self.energy_operations),
            "operations_per_inference": dict(self.operations),
            "energy_per_sop_j": self.energy_per_sop,
            "sops_per_inference": self.sops,
            "latency_per_inference_s": dict(self.latency),
            "state_update_energy_per_inference_j": dict(self.state_update_energy),
            "active_inputs_per_step": list(self.active_inputs),
            "cycle_s": list(self.cycle),
            "energy_mode_error_rms": self.energy_error,
            "calibration_residual_rms": self.residual,
            "outside_table": self.outside_table,
        }


class Network:
    """A network whose layers run on macros calibrated by ``table``, a macro a layer.

    Args:
        network: the layers.
        table: the calibration.
        conditions: fields of ``MacroConfig`` other than the layer's own (``vdd``, ``process``, ``rows``, ...).

    Raises:
        ConfigError, TableError: see ``Macro``.
    """

    def __init__(self, network: NetworkFile, table: Table, **conditions: Any) -> None:
        self.network, self.table = network, table
        conditions.setdefault("technology", table.technology)
        self.macros = [
            Macro(
                MacroConfig(
                    neurons=layer.neurons,
                    inputs=layer.inputs,
                    weight_bits=layer.weight_bits,
                    membrane_bits=layer.params.membrane_bits,
                    column_bits=column_bits(layer.weights, layer.params.membrane_bits),
                    **conditions,
                ),
                table,
            )
            for layer in network.layers
        ]

    def run(
        self,
        spikes: NDArray[np.integer[Any]],
        labels: NDArray[np.integer[Any]] | None = None,
        *,
        energy: EnergyMode = "exact",
    ) -> RunReport:
        """Run all samples from rest.

        Args:
            spikes: 0 or 1, [time, batch, inputs].
            labels: class of every sample, for the accuracy.

        Raises:
            DataError: for spikes or labels of another form.
        """
        spikes = np.asarray(spikes)
        if spikes.ndim != 3 or spikes.shape[1] == 0:
            raise DataError(
                f"spikes have shape {spikes.shape}; they must be (time, batch, inputs) with a sample at least"
            )
        if labels is not None and np.shape(labels) != spikes.shape[1:2]:
            raise DataError(f"labels have shape {np.shape(labels)}; there are {spikes.shape[1]} samples")
        tiles = [self._run_tile(spikes[:, at : at + _TILE], energy) for at in range(0, spikes.shape[1], _TILE)]
        return self._report([_joined(runs) for runs in zip(*tiles, strict=True)], spikes, labels)

    def _run_tile(self, spikes: NDArray[np.integer[Any]], energy: EnergyMode) -> list[MacroRun]:
        runs = []
        for macro, layer in zip(self.macros, self.network.layers, strict=True):
            runs.append(macro.run(layer, spikes, energy))
            spikes = runs[-1].spikes
        return runs

    def _report(
        self, runs: list[MacroRun], spikes: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]] | None
    ) -> RunReport:
        counts = runs[-1].spikes.sum(axis=0, dtype=np.int64)
        predictions = classify(counts, runs[-1].membranes)
        steps = spikes.shape[0]
        latency = {"parallel": float(sum(run.time.mean() for run in runs))}
        update_energy = {"parallel": float(sum(run.operation_energy["decay"].mean() for run in runs))}
        clipped = sum(macro.calibration.clipped for macro in self.macros)
        baselines = [state_update(m.config, self.table, m.calibration, m.config.neurons) for m in self.macros]
        for name, update in (("sequential", "subtract"), ("sequential_exponential", "multiply")):
            # The baseline saves the decay's cycles in the array and spends its own, neuron by neuron.
            more = sum(b.sequential_time[update] - b.parallel_time for b in baselines)
            latency[name] = latency["parallel"] + steps * float(np.sum(more))
            update_energy[name] = steps * float(sum(np.sum(b.sequential_energy[update]) for b in baselines))
        inputs = [spikes, *(run.spikes for run in runs[:-1])]
        return RunReport(
            predictions=predictions,
            spike_counts=counts,
            membranes=runs[-1].membranes,
            accuracy=None if labels is None else float(np.mean(predictions == np.asarray(labels))),
            samples=spikes.shape[1],
            energy_components=_means([run.energy for run in runs]),
            energy_operations=_means([run.operation_energy for run in runs]),
            operations=_means([run.operations for run in runs]),
            sops=float(sum(run.sops.mean() for run in runs)),
            latency=latency,
            state_update_energy=update_energy,
            active_inputs=tuple(float(each.sum(axis=2).mean()) for each in inputs),
            cycle=tuple(macro.calibration.cycle for macro in self.macros),
            energy_error=max(run.energy_error for run in runs),
            residual=max(macro.calibration.residual for macro in self.macros),
            outside_table=clipped + sum(b.clipped for b in baselines),
            provenance={
                "package": f"pyspice_cim {__version__}",
                "network_sha256": self.network.sha256,
                "table": self.table.source,
                "table_sha256": self.table.sha256,
                **{
                    name: str(self.table.dataset.attrs[name])
                    for name in ("technology", "technology_sha256", "plan", "plan_sha256", "ngspice")
                },
            },
        )


def _means(parts: list[dict[str, NDArray[Any]]]) -> dict[str, float]:
    """Mean over samples, summed over layers, by name."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: float(sum(np.mean(part[name]) for part in parts if name in part)) for name in names}


def _joined(runs: tuple[MacroRun, ...]) -> MacroRun:
    """Runs of tiles of one batch as one run."""

    def dicts(field_name: str) -> dict[str, NDArray[Any]]:
        parts = [getattr(run, field_name) for run in runs]
        names = dict.fromkeys(name for part in parts for name in part)
        sizes = [run.sops.shape[0] for run in runs]
        return {
            name: np.concatenate([part.get(name, np.zeros(size)) for part, size in zip(parts, sizes, strict=True)])
            for name in names
        }

    return replace(
        runs[0],
        spikes=np.concatenate([run.spikes for run in runs], axis=1),
        membranes=np.concatenate([run.membranes for run in runs]),
        energy=dicts("energy"),
        operations=dicts("operations"),
        operation_energy=dicts("operation_energy"),
        sops=np.concatenate([run.sops for run in runs]),
        time=np.concatenate([run.time for run in runs]),
        energy_error=max(run.energy_error for run in runs),
    )
