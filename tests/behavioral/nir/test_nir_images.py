"""Biased convolutions, averages, pools of weighted sums and weights behind weights: what a graph of NIR computes, exactly.

Weights, biases and thresholds are whole numbers (times the size of a window where averages are taken), so that rounding does
nothing, and the integers must fire as the graph does in plain floats.
"""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.mapping import map_layers
from pyspice_cim.behavioral.network.layers import AvgPool2d, Conv2d, Flatten, FullyConnected, SumPool2d
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.behavioral.nir.exporter import export_nir
from pyspice_cim.behavioral.nir.importer import import_nir
from pyspice_cim.errors import DataError

nir = pytest.importorskip("nir")
EXACT = {"decay": "none", "weight_bits": 8, "membrane_bits": 16}


def graph_of(shape, *nodes):
    named = {"input": nir.Input(np.array(shape)), **dict(nodes), "output": nir.Output(np.array([1]))}
    return nir.NIRGraph(named, list(itertools.pairwise(named)), type_check=False)


def conv(weight, bias=0, stride=1, padding=0):
    return nir.Conv2d(None, weight, stride, padding, 1, 1, np.broadcast_to(bias, len(weight)).astype(float))


def pool(kind, size, stride=None):
    return getattr(nir, kind)(*(np.array((n, n)) for n in (size, stride or size, 0)))


def if_(threshold):
    return nir.IF(np.ones(1), np.array([float(threshold)]))


FLAT = nir.Flatten(None, 0, -1)


def windows(x, height, width, stride):
    return sliding_window_view(x, (height, width), axis=(-2, -1))[..., ::stride, ::stride, :, :]


def passed(node, x):
    """What ``node`` makes of ``x`` (time, batch, *shape)."""
    kind = type(node).__name__
    if kind == "Conv2d":
        edge = (node.padding[0], node.padding[0])
        seen = windows(np.pad(x, ((0, 0),) * 3 + (edge, edge)), *node.weight.shape[2:], node.stride[0])
        return np.einsum("tbcyxij,ocij->tboyx", seen, node.weight) + node.bias[:, None, None]
    if kind.endswith("Pool2d"):
        seen = windows(x, *node.kernel_size, node.stride[0])
        return seen.mean(axis=(-2, -1)) if kind == "AvgPool2d" else seen.sum(axis=(-2, -1))
    if kind == "Flatten":
        return x.reshape(*x.shape[:2], -1)
    return x @ node.weight.T + getattr(node, "bias", 0)


def simulate(graph, spikes, neurons):
    """The spikes of all neurons, (time, batch, *shape); ``neurons`` of a name and its inputs."""
    x, fired = spikes.astype(float), []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.IF | nir.LIF):
            x = neurons(name, node, x)
            fired.append(x)
        elif name not in ("input", "output"):
            x = passed(node, x)
    return fired


def integrate_and_fire(reset):
    def run(_, node, drive):
        v, fired, threshold = np.zeros(drive.shape[1:]), [], float(node.v_threshold.ravel()[0])
        for current in drive:
            v = v + current
            s = v > threshold
            v = v - threshold * s if reset == "subtract" else v * ~s
            fired.append(s.astype(float))
        return np.array(fired)

    return run


def clamped(found):
    """Integer neurons with the linear decay that the import chose, from the sums of the graph."""
    reports = {each.neurons: each for each in found.report}

    def run(name, _, drive):
        report, v, fired = reports[name], np.zeros(drive.shape[1:]), []
        for current in np.rint(report.scale * drive):
            v = np.maximum(v - report.lambda_, 0) + current
            s = v >= report.theta
            v = v - report.theta * s
            fired.append(s.astype(float))
        return np.array(fired)

    return run


def fired_by(found, spikes):
    """The spikes of the graph's own neurons, from layers whose two simulators agree."""
    inputs = found.inputs(spikes)
    fast, truth = fast_run(found.layers, inputs, record=True), run_integer(found.layers, inputs)
    for a, b in zip((*fast.spikes, *fast.membranes), (*truth.spikes, *truth.membranes), strict=True):
        assert np.array_equal(a, b)
    return fast.spikes


def assert_same(found, spikes, truth):
    for mine, theirs in zip(fired_by(found, spikes), truth, strict=True):
        assert np.array_equal(mine[:, :, : theirs.shape[2]], theirs)  # relays stand behind the others


@st.composite
def images(draw):
    """A graph of two convolutions and a dense layer, all with biases, and pools in between."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (draw(st.integers(1, 2)), draw(st.integers(8, 11)), draw(st.integers(8, 11)))
    reset = draw(st.sampled_from(["subtract", "zero"]))
    nodes, x, share = [], np.zeros((1, 1, *shape)), 1

    def add(name, node):
        nonlocal x
        nodes.append((name, node))
        x = passed(node, x)

    def maybe_pool(name):
        nonlocal share
        size, stride = draw(st.sampled_from([(2, None), (3, 2), (2, 1), (2, 3), (0, 0)]))
        if size and min(x.shape[-2:]) >= size + 3:
            kind = draw(st.sampled_from(["SumPool2d", "AvgPool2d"]))
            share = size**2 if kind == "AvgPool2d" else 1
            add(name, pool(kind, size, stride))

    def neurons(name):
        least = draw(st.integers(1, 20))
        nodes.append((name, if_(least - 1e-9 if reset == "subtract" else least - 0.5)))

    for index in range(2):
        if index or draw(st.booleans()):
            maybe_pool(f"p{index}")
        window = min(3, *x.shape[-2:])
        weight = rng.integers(-3, 4, (draw(st.integers(1, 3)), x.shape[2], window, window)) * share
        bias, share = rng.integers(-9, 10, len(weight)), 1
        add(
            f"c{index}",
            conv(
                weight,
                bias,
                draw(st.integers(1, 2)) if min(x.shape[-2:]) > 7 else 1,
                draw(st.integers(0, int(window == 3))),
            ),
        )
        if draw(st.booleans()) and min(x.shape[-2:]) > 5:
            kind = draw(st.sampled_from(["SumPool2d", "AvgPool2d"]))
            nodes[-1] = (f"c{index}", conv(4 * weight, 4 * bias, nodes[-1][1].stride[0], nodes[-1][1].padding[0]))
            add(f"q{index}", pool(kind, 2))
        neurons(f"n{index}")
    maybe_pool("p2")
    add("flat", FLAT)
    add("l", nir.Affine(rng.integers(-3, 4, (4, x.shape[2])) * share, rng.integers(-9, 10, 4)))
    if draw(st.booleans()):
        add("m", nir.Affine(rng.integers(-1, 2, (3, 4)), rng.integers(-9, 10, 3)))
    neurons("n2")
    return graph_of(shape, *nodes), reset, (rng.random((8, 3, *shape)) < 0.3).astype(np.uint8)


@settings(deadline=None, max_examples=60)
@given(images())
def test_integer_graphs_keep_every_spike(drawn):
    graph, reset, spikes = drawn
    try:
        found = import_nir(graph, reset=reset, calibration=spikes, **EXACT)
    except DataError as error:
        assert "overlap" in str(error) or "lost in rounding" in str(
            error
        )  # one that is stated below, or all weights are 0
        return
    assume(all(each.weight_error < 1e-6 and each.saturated == 0 and each.theta > 1 for each in found.report))
    assume(all(abs(each.scale - np.rint(each.scale)) < 1e-6 for each in found.report))
    assert_same(found, spikes, simulate(graph, spikes, integrate_and_fire(reset)))


@settings(deadline=None, max_examples=40)
@given(images())
def test_with_a_linear_decay_a_bias_is_what_is_added_in_every_step(drawn):
    graph, _, spikes = drawn
    for name, node in graph.nodes.items():
        if isinstance(node, nir.IF):
            r, leak = np.array([1 / (1 - np.exp(-0.1))]), np.zeros(1)
            graph.nodes[name] = nir.LIF(np.array([1e-2]), r, leak, node.v_threshold)
    try:
        found = import_nir(graph, dt=1e-3, reset="subtract", calibration=spikes, **EXACT | {"decay": "clamp"})
    except DataError as error:
        assert "overlap" in str(error) or "lost in rounding" in str(error)
        return
    assume(all(each.weight_error < 1e-6 and each.saturated == 0 for each in found.report))
    assume(all(abs(each.scale - np.rint(each.scale)) < 1e-6 for each in found.report))
    assert_same(found, spikes, simulate(graph, spikes, clamped(found)))


RNG = np.random.default_rng(5)
SPIKES = (RNG.random((10, 4, 2, 9, 9)) < 0.4).astype(np.uint8)


def kernel(out, channels, size=3):
    weight = RNG.integers(-7, 8, (out, channels, size, size))
    weight.flat[:2] = 7, 6
    return weight


def test_a_network_as_it_is_trained_by_default_runs_on_macros():
    """Biases everywhere, 'same' padding, average pools: 4 bits and 8, and a macro takes every layer."""
    graph = graph_of(
        (2, 9, 9),
        ("c", conv(kernel(4, 2), [3, -2, 9, 0], padding=1)),
        ("n", if_(41 - 1e-9)),
        ("p", pool("AvgPool2d", 2)),
        ("d", conv(4 * kernel(3, 4), [5, 1, -8], padding=1)),
        ("m", if_(31 - 1e-9)),
        ("q", pool("AvgPool2d", 2)),
        ("f", FLAT),
        ("l", nir.Affine(4 * RNG.integers(-7, 8, (5, 12)), np.array([1, 2, -3, 4, 11]))),
        ("o", if_(21 - 1e-9)),
    )
    found = import_nir(graph, reset="subtract", calibration=SPIKES)
    assert [type(each) for each in found.layers] == [Conv2d, SumPool2d, Conv2d, SumPool2d, Flatten, FullyConnected]
    truth = simulate(graph, SPIKES, clamped(found))
    assert_same(found, SPIKES, truth)
    assert all(0.01 < each.mean() < 0.9 for each in truth)
    inputs = found.inputs(SPIKES)
    assert map_layers(found.layers, inputs.shape[2:], MacroConfig(technology="generic45lp", neurons=64, inputs=64)).maps
    # Through a file and back, the channels that spike in every step are known.
    again = import_nir(export_nir(found.layers, inputs.shape[2:], constant_inputs=found.constant_periods))
    assert again.input_shape == found.input_shape == (2, 9, 9)
    assert again.constant_periods == found.constant_periods
    assert 2 in found.constant_periods
    assert np.array_equal(again.inputs(SPIKES), inputs)


def test_averages_of_integers_that_the_file_states_stay_averages():
    params = LDLIFParams(lambda_=1, theta=9)
    layers = (AvgPool2d(size=2), Conv2d(weights=kernel(2, 2), params=params))
    assert [type(each) for each in import_nir(export_nir(layers, (2, 9, 9))).layers] == [AvgPool2d, Conv2d]


def test_a_bias_behind_integers_that_the_file_states_goes_through_their_average():
    stated = export_nir(
        (AvgPool2d(size=2), Conv2d(weights=kernel(2, 2), params=LDLIFParams(lambda_=0, theta=9))), (2, 9, 9)
    )
    nodes = [(name, node) for name, node in stated.nodes.items() if name not in ("input", "output")]
    graph = graph_of((2, 9, 9), *nodes, ("d", conv(kernel(3, 2, 2), [9, -4, 2])), ("n", if_(7.5)))
    found = import_nir(graph, reset="zero", decay="none")
    first, second = fired_by(found, SPIKES)
    assert first[:, :, 2:].all()
    assert np.array_equal(
        second, integrate_and_fire("zero")("", graph.nodes["n"], passed(graph.nodes["d"], first[:, :, :2]))
    )


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 1), (2, 3)])
def test_a_pool_of_weighted_sums_goes_into_the_kernel(size, stride):
    weight = RNG.integers(-2, 3, (2, 2, 3, 3))
    weight.flat[:2] = 1, 2
    graph = graph_of(
        (2, 9, 9), ("c", conv(weight, [2, -1], padding=1)), ("p", pool("SumPool2d", size, stride)), ("n", if_(5.5))
    )
    found = import_nir(graph, reset="zero", **EXACT)
    (layer,) = found.layers
    assert layer.weights.shape[2:] == (2 + size,) * 2
    assert (layer.stride, layer.padding, found.report[0].weights) == (stride, 1, "c, p")
    assert_same(found, SPIKES, simulate(graph, SPIKES, integrate_and_fire("zero")))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("dense", [False, True])
def test_weights_behind_weights_are_multiplied(stride, padding, dense):
    first = conv(RNG.integers(-2, 3, (2, 2, 3, 3)), [1, -2], stride, padding)
    side = (9 + 2 * padding - 3) // stride + 1
    second = [("d", conv(RNG.integers(-1, 2, (3, 2, 2, 2)), [3, 0, -1], stride))]
    if dense:
        second = [("f", FLAT), ("d", nir.Affine(RNG.integers(-1, 2, (5, 2 * side**2)), RNG.integers(-5, 6, 5)))]
    graph = graph_of((2, 9, 9), ("c", first), *second, ("n", if_(4.5)))
    found = import_nir(graph, reset="zero", **EXACT)
    assert [type(each) for each in found.layers] == ([Flatten, FullyConnected] if dense else [Conv2d])
    assert found.report[0].weight_error < 1e-6
    assert_same(found, SPIKES, simulate(graph, SPIKES, integrate_and_fire("zero")))


def test_a_bias_through_pools_that_overlap_is_refused():
    pools = [("p", pool("SumPool2d", 3, 2)), ("q", pool("SumPool2d", 2, 1))]
    graph = graph_of((2, 9, 9), *pools, ("c", conv(kernel(2, 2, 2), 3)), ("n", if_(5.5)))
    with pytest.raises(DataError, match=r"neurons n have a bias.*size 3.*2 apart.*bias=False"):
        import_nir(graph, reset="zero")
    assert import_nir(graph_of((2, 9, 9), *pools, ("c", conv(kernel(2, 2, 2))), ("n", if_(5.5))), reset="zero")
