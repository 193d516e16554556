"""Classes from spike counts and final membranes."""

import numpy as np
import pytest

from pyspice_cim.behavioral.readout import classify
from pyspice_cim.errors import DataError


def test_most_spikes_then_membrane_then_lowest_index():
    counts = np.array([[1, 3, 2], [2, 0, 2], [1, 1, 1], [0, 0, 0]])
    membranes = np.array([[9, -9, 9], [3, 99, 4], [5, 7, 7], [-3, -3, -4]])
    assert classify(counts, membranes).tolist() == [1, 2, 1, 0]


@pytest.mark.parametrize(
    ("counts", "membranes"),
    [
        (np.zeros((2, 3), int), np.zeros((2, 4), int)),
        (np.zeros((2, 0), int), np.zeros((2, 0), int)),
        (np.zeros((2, 3)), np.zeros((2, 3), int)),
        (np.zeros((2, 3), int), np.zeros((2, 3))),
    ],
)
def test_bad_arrays_are_refused(counts, membranes):
    with pytest.raises(DataError, match="spike_counts"):
        classify(counts, membranes)
