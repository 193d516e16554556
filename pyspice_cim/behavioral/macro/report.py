"""The report of a run of a network on macros."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class RunReport:
    """What a run of a network gave and cost. Energies in J and times in s are means of one inference (one sample).

    Without energies (mode ``none``) their mappings are empty and ``energy`` is NaN.

    Attributes:
        predictions: class of every sample [batch].
        spike_counts, membranes: of the last layer [batch, classes].
        accuracy: share of right predictions, ``None`` without labels.
        energy_components: component to energy; ``leakage`` is the leakage power of all macros times the parallel latency.
        energy_operations: operation to energy, all but leakage.
        operations: operation to its mean count.
        sops: synaptic operations (active inputs x neurons that see them).
        latency: ``parallel`` in-array decay, ``sequential`` linear decay one neuron after the other, and
            ``sequential_exponential`` with a multiplication by beta; the macros of a layer work in parallel, each with a
            sequential unit of its own, and the layers of a step follow each other.
        state_update_energy: of all decays of an inference: ``parallel``, ``sequential``, ``sequential_exponential``.
        active_inputs: mean number of active inputs a step, by layer.
        cycle: s, by layer.
        energy_error: relative RMS error of the mode ``expected``; the table's own is in ``residual``.
        residual: RMS error of the energy of one column's operation in the table's calibration, the worst layer's.
        outside_table: look-ups that were clipped.
        macros, utilisation: how many macros a layer takes, and the share of their weight cells that it uses, by layer.
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
    macros: tuple[int, ...]
    utilisation: tuple[float, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def energy(self) -> float:
        """Energy of one inference, J."""
        return sum(self.energy_components.values()) if self.energy_components else float("nan")

    @property
    def energy_per_sop(self) -> float:
        """Energy of one synaptic operation, J: all the energy of an inference over its synaptic operations."""
        return self.energy / self.sops if self.sops else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, per-sample arrays left out."""
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
