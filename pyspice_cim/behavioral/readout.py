"""From the last layer's spikes to a class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import DataError


def classify(spike_counts: NDArray[np.integer[Any]], membranes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Class of each sample: most spikes; a tie goes to the larger final membrane, then to the lower class index.

    Args:
        spike_counts: spikes of each output neuron over all time steps, integers, shape (..., classes).
        membranes: final membranes of the same neurons, integers, the same shape. With reset by subtraction the membrane
            is the part of the drive that has not become a spike yet, so it orders neurons of equal count.

    Returns:
        Class indices, int64, shape (...).

    Raises:
        DataError: if the shapes differ, an array is not of integers, or there is no class.
    """
    counts, final = np.asarray(spike_counts), np.asarray(membranes)
    if counts.shape != final.shape or counts.ndim == 0 or counts.shape[-1] == 0:
        raise DataError(f"spike_counts {counts.shape} and membranes {final.shape} must have one shape (..., classes)")
    if counts.dtype.kind not in "iu" or final.dtype.kind not in "iu":
        raise DataError(f"spike_counts ({counts.dtype}) and membranes ({final.dtype}) must be integers")
    best = counts == counts.max(axis=-1, keepdims=True)
    lowest = np.iinfo(np.int64).min
    return np.asarray(np.argmax(np.where(best, final.astype(np.int64), lowest), axis=-1), np.int64)
