"""The shipped network of spoken digits, in the engine, on recordings that its training did not see."""

import os

import pytest

from pyspice_cim.behavioral.datasets import spoken_digits
from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.network.conversion import integer_layer
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.behavioral.network.layers import Recurrent
from pyspice_cim.behavioral.network.readout import classify
from pyspice_cim.resources import shipped


def network():
    return load_network(shipped("networks", "spoken_digits.h5"))


def test_it_is_recurrent_and_of_the_array():
    layers = [integer_layer(layer) for layer in network().layers]
    assert isinstance(layers[0], Recurrent)
    assert all(layer.params.decay == "clamp" and layer.weight_bits == 4 for layer in layers)


@pytest.mark.skipif("PYSPICE_CIM_DATA" not in os.environ, reason="needs the recordings; set PYSPICE_CIM_DATA")
def test_it_hears_what_its_file_says():
    loaded = network()
    values, labels = spoken_digits("test")
    run = fast_run([integer_layer(layer) for layer in loaded.layers], loaded.encoder.encode(values, loaded.steps))
    right = (classify(run.spike_counts, run.membranes[-1]) == labels).mean()
    assert f"{right:.4f}" == loaded.meta["accuracy"] and right >= 0.94
