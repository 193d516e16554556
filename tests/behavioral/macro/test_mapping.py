"""Layers on macros: every neuron and weight has a place, and what the array does not compute is refused by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from mapped_networks import macro, mapped_networks

from pyspice_cim.behavioral.macro.execution import execute
from pyspice_cim.behavioral.macro.mapping import map_layers, scratch_inputs
from pyspice_cim.behavioral.network.layers import (
    AvgPool2d,
    Conv2d,
    Flatten,
    FullyConnected,
    Recurrent,
    SumPool2d,
    chain,
)
from pyspice_cim.behavioral.network.reference import run_integer, weighted_sum
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, NeuronParams
from pyspice_cim.errors import ConfigError, DataError

NEURON = LDLIFParams(lambda_=1, theta=9)
many_examples = settings(deadline=None, max_examples=60)


def dense_matrix(layer, link):
    """Weights of all lines from the definition of the layer: its response to one line at a time."""
    inputs, neurons = int(np.prod(link.shape)), int(np.prod(link.output))
    if not isinstance(layer, Conv2d):
        stacked = [layer.weights, layer.recurrent] if isinstance(layer, Recurrent) else [layer.weights]
        return np.concatenate(stacked).astype(int)
    return weighted_sum(layer, np.eye(inputs, dtype=np.int64).reshape(inputs, *link.shape)).reshape(inputs, neurons)


@many_examples
@given(mapped_networks())
def test_macros_hold_every_weight_of_every_neuron_once(network):
    layers, spikes, size = network
    mapping = map_layers(layers, spikes.shape[2:], size)
    for mapped in mapping.maps:
        matrix = dense_matrix(mapped.layer, mapped.link)
        found = np.zeros_like(matrix)
        neurons = np.concatenate([group.neurons for group in mapped.groups])
        assert np.array_equal(np.sort(neurons), np.arange(matrix.shape[1]))
        for group in mapped.groups:
            assert len(group.neurons) <= size.neurons
            for t, tile in enumerate(group.tiles):
                room = mapped.config.inputs - scratch_inputs(mapped.config) * (t == 0 and len(group.tiles) > 1)
                assert 0 < len(tile) <= room
                np.add.at(found, (tile[:, None], group.neurons), mapped.weights(group, t))
        assert np.array_equal(found, matrix)
        assert 0 < mapped.utilisation <= 1
        if not isinstance(mapped.layer, Conv2d):
            assert (mapped.fan_out() == matrix.shape[1]).all()


def test_fan_out_of_a_convolution_is_the_number_of_windows():
    layer = Conv2d(weights=np.ones((3, 2, 3, 2), int), params=NEURON, stride=2, padding=1)
    (mapped,) = map_layers([layer], (2, 6, 5), macro(neurons=64, inputs=64)).maps
    assert np.array_equal(mapped.fan_out(), dense_matrix(layer, mapped.link).sum(axis=1))


@many_examples
@given(mapped_networks())
def test_macros_give_the_bits_of_the_reference(network):
    layers, spikes, size = network
    truth = run_integer(layers, spikes)
    found = execute(map_layers(layers, spikes.shape[2:], size), spikes, 2, record=True)
    for name in ("spikes", "membranes"):
        for expected, got in zip(getattr(truth, name), getattr(found, name), strict=True):
            assert np.array_equal(expected, got)
    assert np.array_equal(found.spike_counts, truth.spike_counts)


def test_a_layer_on_four_macros():
    """10 neurons, 20 inputs; a macro: 8 neurons, 16 inputs, of which a home gives 3 for a word of 10 bits."""
    layer = FullyConnected(weights=np.full((20, 10), 7), params=NEURON)
    (mapped,) = map_layers([layer], (20,), macro(neurons=8, inputs=16)).maps
    assert [group.neurons.tolist() for group in mapped.groups] == [list(range(8)), [8, 9]]
    assert [[len(tile) for tile in group.tiles] for group in mapped.groups] == [[13, 7], [13, 7]]
    assert (mapped.macros, mapped.cells) == (4, 20 * 10 * 4)
    assert mapped.utilisation == pytest.approx(200 / (4 * 8 * 16))


def test_positions_of_a_convolution_share_a_macro_where_that_needs_fewer():
    layer = Conv2d(weights=np.ones((2, 1, 3, 3), int), params=NEURON, padding=1)
    (mapped,) = map_layers([layer], (1, 4, 4), macro(neurons=8, inputs=16)).maps
    # A row of 4 positions sees 3 x 4 pixels, at the edge 2 x 4; 2 x 2 positions would see 4 x 4.
    assert mapped.macros == 4 and [len(group.tiles[0]) for group in mapped.groups] == [8, 12, 12, 8]
    (alone,) = map_layers([layer], (1, 4, 4), macro(neurons=2, inputs=16)).maps
    assert alone.macros == 16 and sorted({len(group.tiles[0]) for group in alone.groups}) == [4, 6, 9]


def test_an_average_pool_is_folded_where_that_is_exact():
    def network(weights):
        return [
            Conv2d(weights=np.ones((1, 1, 1, 1), int), params=LDLIFParams(lambda_=0, theta=1)),
            AvgPool2d(size=2),
            Flatten(),
            FullyConnected(weights=weights, params=NEURON),
        ]

    rng = np.random.default_rng(0)
    spikes = (rng.random((6, 3, 1, 4, 4)) < 0.6).astype(np.uint8)
    layers = network(4 * rng.integers(-2, 2, (4, 5)))
    found = execute(map_layers(layers, (1, 4, 4), macro()), spikes, record=True)
    assert np.array_equal(found.spikes[-1], run_integer(layers, spikes).spikes[-1])
    with pytest.raises(ConfigError, match=r"layer 3 \(FullyConnected\): the average pool before it divides .* by 4"):
        map_layers(network(np.full((4, 5), 3)), (1, 4, 4), macro())


DENSE = FullyConnected(weights=np.full((8, 2), 7), params=NEURON)


@pytest.mark.parametrize(
    ("layers", "size", "error", "words"),
    [
        ([], macro(), DataError, "no layers"),
        ([DENSE, DENSE], macro(), DataError, r"layer 1 \(FullyConnected\): it has 8 inputs, but gets 2"),
        (
            [FullyConnected(weights=np.ones((8, 2), int), params=NeuronParams(theta=9, decay="none"))],
            macro(),
            ConfigError,
            r"layer 0 \(FullyConnected\): decay is 'none'; .* fast_run",
        ),
        ([DENSE], macro(column_bits=8), ConfigError, r"layer 0 .* column_bits is 8, but the layer's sums need 9"),
        (
            [FullyConnected(weights=np.full((8, 2), 127), weight_bits=8, params=NEURON)],
            macro(rows=9),
            ConfigError,
            r"layer 0 .* rows is 9, but a column's word has 12 bits",
        ),
        ([DENSE], macro(inputs=3), ConfigError, r"layer 0 .* takes 3 inputs of each home"),
        ([DENSE], [macro(), macro()], ConfigError, "2 macros are given for 1 layers"),
    ],
)
def test_what_cannot_be_mapped_is_named(layers, size, error, words):
    with pytest.raises(error, match=words):
        map_layers(layers, (8,), size)


@pytest.mark.parametrize(
    ("spikes", "words"),
    [
        (np.zeros((2, 0, 8)), "none of them 0"),
        (np.zeros((0, 2, 8)), "none of them 0"),
        (np.zeros((2, 2, 9)), r"mapped for \(8,\)"),
        (np.full((2, 2, 8), np.nan), "must be 0 or 1"),
        (np.full((2, 2, 8), 2, np.uint8), "must be 0 or 1"),
    ],
)
def test_bad_spikes_are_named(spikes, words):
    with pytest.raises(DataError, match=words):
        execute(map_layers([DENSE], (8,), macro()), spikes)


def test_sums_of_a_pool_count_in_the_guard_bits():
    layers = [
        Conv2d(weights=np.ones((1, 1, 1, 1), int), params=LDLIFParams(lambda_=0, theta=1)),
        SumPool2d(size=4),
        Flatten(),
        FullyConnected(weights=np.full((1, 3), 7), params=LDLIFParams(lambda_=0, theta=100)),
    ]
    mapping = map_layers(layers, (1, 4, 4), macro())
    assert chain(layers, (1, 4, 4))[3].largest == 16
    # 127 + 16 x 7 = 239 needs 9 bits, and 127 - 2 x 127 too; 127 + 7 alone would need no more, so take the bits as they are.
    assert mapping.maps[1].config.bits == 9
    spikes = np.ones((5, 1, 1, 4, 4), np.uint8)
    assert np.array_equal(execute(mapping, spikes).membranes[-1], run_integer(layers, spikes).membranes[-1])
