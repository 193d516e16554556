"""The shipped digits network on images that its training did not see, in plain integers."""

import sys

import numpy as np
import pytest

from pyspice_cim.behavioral.datasets import digits
from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.errors import ConfigError, DataError, MissingDependencyError
from pyspice_cim.resources import shipped


def test_the_split_is_fixed_disjoint_and_stratified():
    pytest.importorskip("sklearn")
    train, test = digits("train"), digits("test")
    assert (train[0].shape, test[0].shape) == ((1200, 64), (597, 64))
    assert np.bincount(test[1]).min() >= 58 and np.bincount(test[1]).max() <= 61
    assert test[0].min() >= 0 and test[0].max() == 1
    images = {image.tobytes() for image in train[0]}
    assert not any(image.tobytes() in images for image in test[0])


def test_the_shipped_network_reads_held_out_digits():
    pytest.importorskip("sklearn")
    network = load_network(shipped("networks", "digits.h5"))
    images, labels = digits("test")
    run = run_integer(layers_of(network), network.encoder.encode(images, network.steps))
    right = int((run.predictions == labels).sum())
    assert len(labels) >= 500
    assert right >= 0.95 * len(labels)
    assert network.meta["accuracy"] == f"{right}/{len(labels)}"
    assert all(layer.params.lambda_ >= 1 and layer.weight_bits == 4 for layer in network.layers)


def test_an_unknown_split_is_named():
    with pytest.raises(ConfigError, match="split is 'all'"):
        digits("all")


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'pyspice-cim\[digits\]'"):
        digits()


@pytest.mark.parametrize(
    ("spikes", "words"),
    [
        (np.zeros((5, 2, 63), np.uint8), "has 64 inputs, but gets 63"),
        (np.full((5, 2, 64), 2, np.uint8), "must be 0 or 1"),
    ],
)
def test_bad_spikes_are_named(spikes, words):
    with pytest.raises(DataError, match=words):
        run_integer(layers_of(load_network(shipped("networks", "digits.h5"))), spikes)
