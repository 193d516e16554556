"""The report of a run of a network on macros."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class RunReport:
    """Results and cost of a run. Energies and times are means of one inference, i.e. of one sample.

    In the mode ``none`` the mappings of energies are empty, and ``energy`` is NaN.

    Attributes:
        predictions: class of each sample, (batch,).
        spike_counts: spikes of the last layer over all time steps, (batch, classes).
        membranes: membranes of the last layer after the last time step, (batch, classes).
        accuracy: share of correct predictions, 0 to 1. ``None`` without labels.
        samples: number of samples.
        energy_components: energy of each component in joules. ``leakage`` is the leakage power of all macros times the
            latency of the macros' own update.
        energy_operations: energy of each operation without leakage, in joules.
        operations: number of operations by name.
        sops: number of synaptic operations: active inputs, each times the neurons that see the input.
        latency: latency with each update organisation in seconds. ``parallel``: decay in the array. ``sequential``:
            linear decay neuron by neuron. ``sequential_exponential``: multiplication by beta neuron by neuron. The
            macros of a layer work in parallel, each with its own sequential unit. The layers of a time step are
            sequential.
        state_update_energy: energy of all decays with each update organisation, in joules, by the names of ``latency``.
        active_inputs: mean number of active inputs in a time step, by layer.
        cycle: cycle time in seconds, by layer.
        energy_error: relative RMS error of the mode ``expected``, without the error of the table.
        residual: relative RMS error of the energy of one column's operation in the table, largest of all layers.
        outside_table: number of look-ups outside of the table that were clipped.
        macros: number of macros, by layer.
        utilisation: share of the macros' weight cells that hold a weight of a neuron, 0 to 1, by layer.
        provenance: versions and hashes of the package, the network and the table.
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
    macros: tuple[int, ...]
    utilisation: tuple[float, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def energy(self) -> float:
        """Energy of one inference in joules."""
        return sum(self.energy_components.values()) if self.energy_components else float("nan")

    @property
    def energy_per_sop(self) -> float:
        """Energy of one inference divided by its synaptic operations, in joules."""
        return self.energy / self.sops if self.sops else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, without the arrays that have one entry a sample."""
        return {
            "accuracy": self.accuracy,
            "samples": self.samples,
            "energy_per_inference_j": self.energy if self.energy_components else None,
            "energy_components_j": dict(self.energy_components),
            "energy_operations_j": dict(self.energy_operations),
            "operations_per_inference": dict(self.operations),
            "energy_per_sop_j": self.energy_per_sop if self.energy_components else None,
            "sops_per_inference": self.sops,
            "latency_per_inference_s": dict(self.latency),
            "state_update_energy_per_inference_j": dict(self.state_update_energy),
            "active_inputs_per_step": list(self.active_inputs),
            "cycle_s": list(self.cycle),
            "energy_mode_error_rms": self.energy_error,
            "calibration_residual_rms": self.residual,
            "outside_table": self.outside_table,
            "macros": list(self.macros),
            "utilisation": list(self.utilisation),
        }
