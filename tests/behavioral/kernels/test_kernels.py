"""The kernels equal the integer reference, and the integer reference equals neurons that are written out one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scalar_reference import run_written_out

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.file import Layer, NetworkFile
from pyspice_cim.behavioral.network.layers import (
    AvgPool2d,
    Conv2d,
    Flatten,
    FullyConnected,
    MaxPool2d,
    Recurrent,
    SumPool2d,
)
from pyspice_cim.behavioral.network.reference import run_integer, weighted_sum
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, LDLIFState, NeuronParams, ldlif_step
from pyspice_cim.errors import ConfigError, DataError

DECAYS = ("clamp", "toward_zero", "none", "exponential")
# The first example compiles, which takes longer than any deadline.
many_examples = settings(deadline=None, max_examples=60)


def draw_params(draw):
    bits = draw(st.integers(2, 16))
    vmax = 2 ** (bits - 1) - 1
    shift = draw(st.integers(0, 15))
    return NeuronParams(
        lambda_=draw(st.integers(0, vmax)),
        theta=draw(st.integers(1, vmax)),
        membrane_bits=bits,
        decay=draw(st.sampled_from(DECAYS)),
        reset=draw(st.sampled_from(["subtract", "zero"])),
        beta=(draw(st.integers(0, 2**shift)), shift),
    )


def draw_weights(draw, rng, *shape):
    """Weights and their bits; with 8 bits, the extremes alone at times, whose sums leave int16."""
    bits = draw(st.integers(2, 8))
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if draw(st.booleans()):
        return np.full(shape, draw(st.sampled_from([low, high])), np.int8), bits
    return rng.integers(low, high + 1, shape).astype(np.int8), bits


def draw_dense(draw, rng, inputs):
    neurons = draw(st.sampled_from([1, 5, 32, 70]))
    weights, bits = draw_weights(draw, rng, inputs, neurons)
    common = {"weights": weights, "weight_bits": bits, "params": draw_params(draw)}
    if draw(st.booleans()):
        return FullyConnected(**common)
    recurrent = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (neurons, neurons)).astype(np.int8)
    return Recurrent(recurrent=recurrent, **common)


def draw_conv(draw, rng, shape):
    channels, size = draw(st.sampled_from([1, 3, 17])), (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    size = tuple(min(n, side) for n, side in zip(size, shape[1:], strict=True))
    weights, bits = draw_weights(draw, rng, channels, shape[0], *size)
    return Conv2d(
        weights=weights,
        weight_bits=bits,
        params=draw_params(draw),
        stride=draw(st.integers(1, 2)),
        padding=draw(st.integers(0, min(size) - 1)),
    )


@st.composite
def dense_networks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    inputs = draw(st.sampled_from([1, 63, 64, 65, 300]))
    layers, at = [], inputs
    for _ in range(draw(st.integers(1, 3))):
        layers.append(draw_dense(draw, rng, at))
        at = layers[-1].weights.shape[1]
    return layers, draw_spikes(draw, rng, (inputs,))


@st.composite
def image_networks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (draw(st.sampled_from([1, 2, 70])), draw(st.integers(3, 9)), draw(st.integers(3, 9)))
    layers, at = [], shape
    for _ in range(draw(st.integers(1, 2))):
        layers.append(draw_conv(draw, rng, at))
        at = layers[-1].output_shape(at)
        pool = draw(st.sampled_from([None, MaxPool2d, SumPool2d, AvgPool2d]))
        if pool is not None:
            layers.append(pool(size=min(*at[1:], draw(st.integers(1, 3))), stride=draw(st.sampled_from([None, 1, 2]))))
            at = layers[-1].output_shape(at)
    layers.append(Flatten())
    layers.append(draw_dense(draw, rng, int(np.prod(at))))
    return layers, draw_spikes(draw, rng, shape)


def draw_spikes(draw, rng, shape):
    rate = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    return (rng.random((draw(st.integers(1, 5)), draw(st.integers(1, 4)), *shape)) < rate).astype(np.uint8)


def assert_equal(layers, spikes, **options):
    truth, fast = run_integer(layers, spikes), fast_run(layers, spikes, record=True, **options)
    for name in ("spikes", "membranes"):
        for expected, found in zip(getattr(truth, name), getattr(fast, name), strict=True):
            assert found.dtype == expected.dtype
            assert np.array_equal(found, expected)
    assert np.array_equal(fast.spike_counts, truth.spike_counts)


@many_examples
@given(dense_networks(), st.integers(1, 3))
def test_dense_networks_equal_the_reference(network, threads):
    assert_equal(*network, threads=threads)


@many_examples
@given(image_networks(), st.integers(1, 3))
def test_image_networks_equal_the_reference(network, threads):
    assert_equal(*network, threads=threads)


@settings(deadline=None, max_examples=10)
@given(image_networks(), st.sampled_from([1, 20_000, 100_000]))
def test_tiles_of_any_size_give_the_same(network, tile_bytes):
    assert_equal(*network, tile_bytes=tile_bytes)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32])
def test_spikes_of_any_type(dtype):
    rng = np.random.default_rng(0)
    layers = [FullyConnected(weights=rng.integers(-8, 8, (70, 9)), params=LDLIFParams(lambda_=1, theta=20))]
    spikes = (rng.random((4, 3, 70)) < 0.4).astype(np.uint8)
    expected = run_integer(layers, spikes).spike_counts
    assert np.array_equal(fast_run(layers, spikes.astype(dtype)).spike_counts, expected)
    frozen = spikes.astype(dtype)
    frozen.setflags(write=False)
    assert np.array_equal(fast_run(layers, frozen[:, ::-1]).spike_counts, expected[::-1])


def test_more_rows_than_an_int16_holds():
    layers = [
        FullyConnected(
            weights=np.full((400, 3), -128), weight_bits=8, params=NeuronParams(theta=9, decay="none", membrane_bits=16)
        )
    ]
    assert_equal(layers, np.ones((3, 2, 400), np.uint8))
    assert run_integer(layers, np.ones((1, 1, 400), np.uint8)).membranes[0].tolist() == [[[-32768] * 3][0]]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_reference_equals_neurons_that_are_written_out(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    layers, inputs = [], data.draw(st.integers(1, 12))
    spikes = draw_spikes(data.draw, rng, (inputs,))
    for neurons in data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)):
        recurrent = data.draw(st.booleans())
        weights, bits = draw_weights(data.draw, rng, inputs + neurons * recurrent, neurons)
        params = draw_params(data.draw)
        layers.append(Layer(weights=weights, weight_bits=bits, params=params, recurrent=recurrent))
        inputs = neurons
    network = NetworkFile(layers=tuple(layers), steps=len(spikes), encoder=Encoder())
    trains, membranes = run_written_out(network, spikes)
    found = run_integer(layers_of(network), spikes, traces=True)
    assert [each.tolist() for each in found.spikes] == trains
    assert [each.tolist() for each in found.membranes] == membranes
    assert [each[-1].tolist() for each in found.traces] == membranes


def test_the_convolution_is_its_equation():
    rng = np.random.default_rng(5)
    weights = rng.integers(-8, 8, (2, 3, 3, 2))
    layer = Conv2d(weights=weights, params=LDLIFParams(lambda_=0, theta=9), stride=2, padding=1)
    x = rng.integers(0, 3, (1, 3, 6, 5))
    sums = weighted_sum(layer, x)[0]
    assert sums.shape == layer.output_shape((3, 6, 5))
    for o, y, column in itertools.product(*map(range, sums.shape)):
        total = 0
        for c, i, j in itertools.product(range(3), range(3), range(2)):
            row, at = 2 * y + i - 1, 2 * column + j - 1
            if 0 <= row < 6 and 0 <= at < 5:
                total += weights[o, c, i, j] * x[0, c, row, at]
        assert sums[o, y, column] == total


@pytest.mark.parametrize(
    ("decay", "v", "after"),
    [
        ("clamp", [-9, -1, 0, 2, 3, 9], [0, 0, 0, 0, 0, 6]),
        ("toward_zero", [-9, -1, 0, 2, 3, 9], [-6, 0, 0, 0, 0, 6]),
        ("none", [-9, -1, 0, 2, 3, 9], [-9, -1, 0, 2, 3, 9]),
        ("exponential", [-9, -1, 0, 2, 3, 9], [-6, 0, 0, 1, 2, 6]),
    ],
)
def test_decay_rules(decay, v, after):
    params = NeuronParams(lambda_=3, theta=100, decay=decay, beta=(3, 2))
    _, state, _ = ldlif_step(np.zeros(6, int), LDLIFState(v=np.array(v)), params)
    assert state.v.tolist() == after


def test_an_average_pool_divides_after_the_weighted_sum():
    conv = Conv2d(weights=np.ones((1, 1, 1, 1), int), params=NeuronParams(theta=1, decay="none"))
    last = FullyConnected(weights=np.array([[7], [-1]]), params=NeuronParams(theta=100, decay="none"))
    spikes = np.array([1, 1, 0, 1, 1, 1, 0, 0], np.uint8).reshape(1, 1, 1, 2, 4)
    layers = [conv, AvgPool2d(size=2), Flatten(), last]
    # Windows hold 4 and 1 spikes: floor((7 * 4 - 1) / 4).
    assert run_integer(layers, spikes).membranes[-1].tolist() == [[6]]
    assert_equal(layers, spikes)


NEURON = LDLIFParams(lambda_=1, theta=9)
DENSE = FullyConnected(weights=np.ones((8, 2), int), params=NEURON)
CONV = Conv2d(weights=np.ones((2, 1, 3, 3), int), params=NEURON)


@pytest.mark.parametrize("run", [run_integer, fast_run])
@pytest.mark.parametrize(
    ("layers", "spikes", "words"),
    [
        ([], np.zeros((1, 1, 8), int), "no layers"),
        ([DENSE], np.zeros((1, 1, 9), int), r"layer 0 \(FullyConnected\): it has 8 inputs, but gets 9"),
        ([CONV, DENSE], np.zeros((1, 1, 1, 4, 4), int), r"layer 1 .* put Flatten\(\) before it"),
        ([CONV], np.zeros((1, 1, 1, 2, 2), int), "larger than the image"),
        ([CONV], np.zeros((1, 1, 2, 4, 4), int), "in_channels = 1"),
        ([DENSE], np.zeros((0, 1, 8), int), "none of them 0"),
        ([DENSE], np.zeros((1, 0, 8), int), "none of them 0"),
        ([DENSE], np.full((1, 1, 8), 2), "other values than 0 and 1"),
        ([DENSE], np.full((1, 1, 8), 2, np.uint8), "other values than 0 and 1"),
        ([DENSE], np.full((1, 1, 8), np.nan), "other values than 0 and 1"),
    ],
)
def test_bad_input_is_named(run, layers, spikes, words):
    with pytest.raises(DataError, match=words):
        run(layers, spikes)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: FullyConnected(weights=np.full((2, 2), 8), params=NEURON), DataError, "weight_bits = 4 holds -8..7"),
        (lambda: FullyConnected(weights=np.ones((2, 2)), params=NEURON), DataError, "quantize the weights"),
        (
            lambda: Recurrent(weights=np.ones((2, 2), int), recurrent=np.ones((3, 2), int), params=NEURON),
            DataError,
            r"\(2, 2\)",
        ),
        (lambda: Conv2d(weights=np.ones((2, 1, 3, 3), int), params=NEURON, padding=3), ConfigError, "0 to 2"),
        (lambda: MaxPool2d(size=0), ConfigError, "size is 0"),
        (lambda: NeuronParams(theta=9, decay="exponential"), ConfigError, "without beta"),
        (lambda: NeuronParams(theta=9, decay="exponential", beta=(5, 2)), ConfigError, "n 0 to 2"),
        (
            lambda: NeuronParams(theta=9, decay="linear"),
            ConfigError,
            "supported: clamp, toward_zero, none, exponential",
        ),
        (lambda: fast_run([DENSE], np.ones((1, 1, 8), int), 0), ConfigError, "threads is 0"),
        (lambda: run_integer([CONV, SumPool2d(size=2)], np.ones((1, 1, 1, 9, 9), int)), ConfigError, "no neurons"),
        (
            lambda: run_integer([SumPool2d(size=2), MaxPool2d(size=2), CONV], np.ones((1, 1, 1, 9, 9), int)),
            ConfigError,
            "before the sum",
        ),
        (
            lambda: run_integer([SumPool2d(size=16), CONV], np.ones((1, 1, 1, 64, 64), int)),
            ConfigError,
            "sums reach 256",
        ),
    ],
)
def test_settings_out_of_range_are_named(make, error, words):
    with pytest.raises(error, match=words):
        make()
