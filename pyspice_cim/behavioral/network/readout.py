"""From the last layer's spikes to a class, and the labels that classes are compared with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import DataError


def classify(spike_counts: NDArray[np.integer[Any]], membranes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Class of each sample: most spikes; a tie goes to the larger final membrane, then to the lower class index.

    Args:
        spike_counts: spikes of each output neuron over all time steps, integers, shape (..., classes).
        membranes: final membranes of the same neurons, integers, the same shape. With reset by subtraction, the
            membrane is the input that has not become a spike yet. So the membrane orders neurons of equal count.

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


def check_labels(labels: Any, samples: int, classes: int) -> NDArray[np.int64]:
    """Check labels, and return them as int64, (samples,).

    Args:
        labels: one integer for each sample, 0 to ``classes`` - 1.
        samples: number of samples.
        classes: number of classes.

    Raises:
        DataError: for another shape, another type than integers, or a label that is no class.
    """
    try:
        found = np.asarray(labels)
    except ValueError as error:
        raise DataError(f"labels are no array ({error}); give one integer for each of {samples} samples") from None
    if found.shape != (samples,):
        raise DataError(f"labels have shape {found.shape}; there are {samples} samples, each with one label")
    allowed = f"a label is an integer, 0 to {classes - 1}"
    if found.dtype.kind not in "iu":
        raise DataError(f"labels are of type {found.dtype}, the first is {found.tolist()[0]!r}; {allowed}")
    wrong = np.flatnonzero((found < 0) | (found >= classes))
    if wrong.size:
        raise DataError(f"labels[{wrong[0]}] is {found[wrong[0]]}; {allowed}")
    return found.astype(np.int64)
