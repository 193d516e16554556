"""The slow, plain run of a network, step by step with ``ldlif_step``: what every other run is held against."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.file import NetworkFile
from pyspice_cim.behavioral.network.readout import classify
from pyspice_cim.behavioral.neuron.ldlif import LDLIFState, ldlif_step
from pyspice_cim.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceRun:
    """Result of ``run_reference``.

    One entry a layer in each: ``spikes``, uint8, shape (time, batch, neurons); final ``membranes``, int32, shape
    (batch, neurons); ``active_inputs``, the mean number of active inputs a step and sample.
    """

    spikes: tuple[NDArray[np.uint8], ...]
    membranes: tuple[NDArray[np.int32], ...]
    active_inputs: tuple[float, ...]

    @property
    def spike_counts(self) -> NDArray[np.int64]:
        """Spikes of the last layer over all steps, shape (batch, classes)."""
        return self.spikes[-1].sum(axis=0, dtype=np.int64)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """Class of each sample, by ``classify``."""
        return classify(self.spike_counts, self.membranes[-1])


def run_reference(network: NetworkFile, spikes: NDArray[np.integer[Any]]) -> ReferenceRun:
    """Run ``network`` from rest on ``spikes`` (0 or 1, shape (time, batch, inputs)), in exact integers.

    Raises:
        DataError: if the spikes have another shape or hold anything but 0 and 1.
    """
    spikes = np.asarray(spikes)
    inputs = network.layers[0].inputs
    if spikes.ndim != 3 or spikes.shape[2] != inputs:
        raise DataError(f"spikes have shape {spikes.shape}; they must be (time, batch, {inputs})")
    if spikes.size and (spikes.min() < 0 or spikes.max() > 1):
        raise DataError(f"spikes hold {spikes.min()}..{spikes.max()}; they must be 0 or 1")
    trains: list[NDArray[np.uint8]] = []
    membranes: list[NDArray[np.int32]] = []
    active: list[float] = []
    train = spikes.astype(np.uint8)
    for layer in network.layers:
        active.append(float(train.sum(dtype=np.int64) / max(1, train.shape[0] * train.shape[1])))
        # A float64 product of small integers is exact and much faster than NumPy's integer product.
        sums = (train.astype(np.float64) @ layer.weights.astype(np.float64)).astype(np.int64)
        state = LDLIFState.zeros(*sums.shape[1:])
        train = np.empty(sums.shape, np.uint8)
        for step, step_sums in enumerate(sums):
            train[step], state, _ = ldlif_step(step_sums, state, layer.params)
        trains.append(train)
        membranes.append(state.v)
    return ReferenceRun(spikes=tuple(trains), membranes=tuple(membranes), active_inputs=tuple(active))
