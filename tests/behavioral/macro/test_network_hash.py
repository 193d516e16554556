"""The hash of a mapped network tells every two networks apart that can give different answers."""

import itertools

import numpy as np
from mapped_networks import macro

from pyspice_cim.behavioral.macro.network import MappedNetwork
from pyspice_cim.behavioral.network.layers import Conv2d, Flatten, FullyConnected, MaxPool2d, Recurrent, SumPool2d
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams

PARAMS = LDLIFParams(lambda_=1, theta=9)


def dense(inputs, neurons=2, value=1):
    return FullyConnected(weights=np.full((inputs, neurons), value), params=PARAMS)


def kernel(height, width, **fields):
    weights = np.arange(height * width).reshape(1, 1, height, width)
    return Conv2d(weights=weights, params=PARAMS, **fields)


def networks():
    image = (1, 4, 4)
    for pool in (MaxPool2d, SumPool2d):
        yield image, [pool(size=2), Flatten(), dense(4)]
    yield image, [MaxPool2d(size=2, stride=1), Flatten(), dense(9)]
    for height, width in ((2, 3), (3, 2), (1, 6), (6, 1)):
        yield (1, 6, 6), [kernel(height, width)]
    yield (1, 6, 6), [kernel(2, 3, stride=2)]
    yield (1, 6, 6), [kernel(2, 3, padding=1)]
    yield (4,), [dense(4)]
    yield (4,), [dense(4, value=2)]
    yield (2,), [dense(2, neurons=4)]
    yield (2,), [dense(2), dense(2)]
    recurrent = np.full((2, 2), 1)
    yield (2,), [Recurrent(weights=recurrent, recurrent=recurrent, params=PARAMS)]


def test_different_networks_have_different_hashes():
    size = macro(neurons=32, inputs=32, rows=16, weight_bits=4, outside="clip")
    hashes = [MappedNetwork(layers, shape, None, size).sha256 for shape, layers in networks()]
    for (a, first), (b, second) in itertools.combinations(enumerate(hashes), 2):
        assert first != second, (a, b)


def test_equal_networks_have_equal_hashes():
    size = macro(neurons=32, inputs=32, rows=16, weight_bits=4, outside="clip")
    twice = [[MappedNetwork(layers, shape, None, size).sha256 for shape, layers in networks()] for _ in range(2)]
    assert twice[0] == twice[1]
