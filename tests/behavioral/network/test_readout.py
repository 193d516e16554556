"""Classes from spike counts and final membranes."""

import numpy as np
import pytest

from pyspice_cim.behavioral.network.readout import check_labels, classify
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


def test_labels_that_are_classes_come_back_as_integers():
    for labels in ([0, 2, 1], np.array([0, 2, 1], np.uint8), (np.int16(0), 2, 1)):
        found = check_labels(labels, 3, 3)
        assert found.dtype == np.int64 and found.tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 99, 1], r"labels\[1\] is 99; a label is an integer, 0 to 2"),
        ([0, -1, 1], r"labels\[1\] is -1; a label is an integer, 0 to 2"),
        ([float("nan"), 0, 1], "labels are of type float64, the first is nan; a label is an integer, 0 to 2"),
        ([1.0, 0.0, 1.0], "the first is 1.0; a label"),
        (["one", "two", "three"], "the first is 'one'; a label"),
        ([True, False, True], "the first is True; a label"),
        ([0, None, 1], "labels are of type object"),
        ([0, 1], r"labels have shape \(2,\); there are 3 samples"),
        ([[0], [1, 2], [1]], "labels are no array"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels, words):
    with pytest.raises(DataError, match=words):
        check_labels(labels, 3, 3)
