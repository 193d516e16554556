"""Graphs of NIR become the integers that they stand for: against a float simulation, against other tools, and refusals."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.network.layers import Conv2d, Flatten, FullyConnected, Recurrent, SumPool2d
from pyspice_cim.behavioral.network.quantization import choose_scale, fit_lambda, to_integers
from pyspice_cim.behavioral.nir.importer import import_nir
from pyspice_cim.behavioral.nir.observe import observe
from pyspice_cim.errors import ConfigError, DataError

nir = pytest.importorskip("nir")
GRAPHS = Path(__file__).parent / "graphs"
HIGH = {"weight_bits": 8, "membrane_bits": 16}


def graph_of(*nodes, more=(), edges=None, shape=(4,)):
    """Named nodes in a chain from an input to an output, ``more`` nodes, and ``edges`` instead of the chain's or extra."""
    named = dict(nodes)
    chain = ["input", *named, "output"]
    links = [*itertools.pairwise(chain), *(edges or [])]
    every = {"input": nir.Input(np.array(shape)), **named, **dict(more), "output": nir.Output(np.array([1]))}
    return nir.NIRGraph(every, links, type_check=False)


def lif(n=3, tau=0.01, r=1.0, threshold=1.0, leak=0.0):
    return nir.LIF(*(np.broadcast_to(np.asarray(x, float), (n,)).copy() for x in (tau, r, leak, threshold)))


def if_(*shape, r=1.0, threshold=1.0):
    return nir.IF(*(np.broadcast_to(np.asarray(x, float), shape).copy() for x in (r, threshold)))


def linear(n=3, m=4, value=0.5):
    return nir.Linear(np.full((n, m), value))


def float_run(weights, spikes, *, alpha, threshold, reset, recurrent=None, bias=0.0):
    """NIR's definition in plain numpy: spikes, and how far every membrane was from the threshold."""
    v, s = np.zeros((spikes.shape[1], weights.shape[1])), np.zeros((spikes.shape[1], weights.shape[1]))
    fired, distance = [], []
    for frame in spikes:
        v = alpha * v + frame @ weights + bias + (0 if recurrent is None else s @ recurrent)
        s = (v > threshold).astype(float)
        distance.append(np.abs(v - threshold))
        v = v - threshold * s if reset == "subtract" else v * (1 - s)
        fired.append(s)
    return np.array(fired), np.array(distance)


@st.composite
def float_networks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    inputs, neurons = draw(st.integers(1, 20)), draw(st.integers(1, 10))
    return {
        "weights": rng.normal(0, draw(st.sampled_from([0.05, 0.3, 1.0])), (neurons, inputs)),
        "threshold": rng.uniform(0.5, 2.0, neurons),
        "r": rng.uniform(0.5, 2.0, neurons),
        "tau": draw(st.sampled_from([None, 2e-3, 2e-2])),
        "reset": draw(st.sampled_from(["subtract", "zero"])),
        "integration": draw(st.sampled_from(["exact", "euler"])),
        "spikes": (rng.random((12, 3, inputs)) < 0.4).astype(np.uint8),
    }


@settings(deadline=None, max_examples=40)
@given(float_networks())
def test_the_integers_follow_the_float_neurons(net):
    """Until a float membrane comes within the bound of its threshold, every spike is the same.

    In a step the integer sum is off by at most half a least significant bit an active input (S w is rounded), the decay by
    one (it rounds toward zero) and by |v| 2^-16 (beta is rounded), the threshold and a reset by one each.
    """
    dt, tau, threshold = 1e-3, net["tau"], net["threshold"]
    n = len(threshold)
    node = if_(n, r=net["r"], threshold=threshold) if tau is None else lif(n, tau, net["r"], threshold)
    graph = graph_of(("fc", nir.Linear(net["weights"])), ("n", node), shape=net["weights"].shape[1:])
    found = import_nir(
        graph,
        dt=dt,
        reset=net["reset"],
        integration=net["integration"],
        decay="exponential",
        calibration=net["spikes"],
        **HIGH,
    )
    alpha = 1.0 if tau is None else np.exp(-dt / tau) if net["integration"] == "exact" else 1 - dt / tau
    gain = net["r"] * (1.0 if tau is None else 1 - alpha)
    effective = (net["weights"] * gain[:, None]).T
    truth, distance = float_run(effective, net["spikes"], alpha=alpha, threshold=threshold, reset=net["reset"])
    layer, report = found.layers[0], found.report[0]
    fired = fast_run(found.layers, found.inputs(net["spikes"]), record=True).spikes[0]
    normalised = effective * threshold.max() / threshold
    error = np.abs(layer.weights / report.scale - normalised)  # what was clipped is in it, too
    step = net["spikes"] @ error + (2 + 2**15 * 2.0**-16) / report.scale
    bound = np.cumsum(step, axis=0) * threshold / threshold.max() + 2 * threshold / threshold.max() / report.scale
    unsure = np.maximum.accumulate(distance <= bound, axis=0)
    if report.saturated == 0:
        assert np.array_equal(fired[~unsure], truth[~unsure])
    assert report.theta == layer.params.theta <= layer.params.vmax
    assert report.alpha == pytest.approx(alpha)


@pytest.mark.parametrize(
    ("name", "options", "most"),
    [
        ("snntorch_dense", {"integration": "euler", "dt": 1e-4, "reset": "subtract"}, 0.02),
        ("snntorch_recurrent", {"integration": "euler", "dt": 1e-4, "reset": "subtract"}, 0.02),
        ("norse_dense", {"integration": "euler", "dt": 1e-3, "reset": "zero"}, 0.02),
        ("sinabs_dense", {"dt": 1.0, "reset": "subtract"}, 0.04),
        ("sinabs_conv", {"reset": "subtract"}, 0.0),
    ],
)
def test_networks_of_other_tools(name, options, most):
    """Integrate-and-fire networks on the weights' grid fire as the tool's own simulator does, every spike; leaky ones differ
    where the rounding of the decay, at most one of the 2^-7 to 2^-9 of a threshold that a bit is, carries a membrane across."""
    data = np.load(GRAPHS / f"{name}.npz")
    network = import_nir(GRAPHS / f"{name}.nir", decay="exponential", calibration=data["spikes"], **HIGH, **options)
    fired = fast_run(network.layers, network.inputs(data["spikes"]), record=True).spikes[-1]
    assert 0.05 < data["fired"].mean() < 0.95
    assert np.mean(fired != data["fired"]) <= most
    # A spike that is displaced by a step differs twice, and is counted once all the same.
    assert np.abs(fired.sum(axis=0, dtype=int) - data["fired"].sum(axis=0, dtype=int)).max() <= 2
    assert all(each.saturated == 0 for each in network.report)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("snntorch_dense", {"method": "euler", "dt": 1e-4}),
        ("snntorch_recurrent", {"method": "euler", "dt": 1e-4}),
        ("norse_dense", {"method": "euler", "dt": 1e-3}),
        ("sinabs_dense", {"method": "exact", "dt": 1.0}),
    ],
)
def test_before_rounding_other_tools_are_met_in_every_spike(name, options):
    from pyspice_cim.behavioral.nir.graph import chain_of
    from pyspice_cim.behavioral.nir.layers import float_layers
    from pyspice_cim.behavioral.nir.reader import read_graph

    data = np.load(GRAPHS / f"{name}.npz")
    _, layers = float_layers(chain_of(read_graph(GRAPHS / f"{name}.nir")), **options)
    spikes = data["spikes"].astype(float)
    for layer in layers:
        # The tools compute in float32: what is a tie up to its rounding is one.
        neurons = {"alpha": layer.neurons.alpha, "threshold": layer.neurons.threshold * (1 + 1e-6)}
        reset = "zero" if name.startswith("norse") else "subtract"
        spikes, _ = float_run(layer.weights, spikes, reset=reset, recurrent=layer.recurrent, bias=layer.bias, **neurons)
    assert np.array_equal(spikes, data["fired"])


def test_a_strict_threshold():
    # 1 + 1 is not above 2; NIR fires in the third step.
    graph = graph_of(("fc", linear(1, 1, 1.0)), ("n", if_(1, threshold=2.0)), shape=(1,))
    layers = import_nir(graph, reset="zero", decay="none", **HIGH).layers
    assert fast_run(layers, np.ones((6, 1, 1), np.uint8), record=True).spikes[0].ravel().tolist() == [0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("decay", ["clamp", "none", "exponential"])
def test_biases_are_inputs_that_spike_in_every_step(reset, decay):
    rng = np.random.default_rng(2)
    graph = graph_of(
        ("a", nir.Affine(rng.normal(0, 0.5, (6, 4)), np.array([0.9, -2.0, 0.1, 0.0, 3.0, -0.4]))),
        ("n", lif(6, threshold=0.3)),
        ("b", nir.Affine(rng.normal(0, 0.5, (2, 6)), np.array([0.7, -0.3]))),
        ("m", lif(2, threshold=0.3)),
    )
    network = import_nir(graph, dt=1e-3, reset=reset, decay=decay, **HIGH)
    first, second = network.layers
    lines, relays = network.report[0].constant_lines, network.report[1].constant_lines
    assert (lines, first.weights.shape) == (network.constant_inputs, (4 + lines, 6 + relays))
    scale, gain = network.report[0].scale, 1 - np.exp(-0.1)
    bias = first.weights[4:, :6].sum(axis=0, dtype=int)
    assert np.abs(bias - scale * gain * graph.nodes["a"].bias).max() <= 0.5
    spikes = (rng.random((20, 5, 4)) < 0.3).astype(np.uint8)
    run = fast_run(network.layers, network.inputs(spikes), record=True)
    assert relays and run.spikes[0][..., 6:].all()
    assert (
        np.abs(second.weights[6:].sum(axis=0, dtype=int) - network.report[1].scale * gain * np.array([0.7, -0.3])).max()
        <= 0.5
    )


def nested():
    inner = {"in": nir.Input(np.array([4])), "fc": linear(), "n": if_(3), "out": nir.Output(np.array([3]))}
    return nir.NIRGraph(inner, list(itertools.pairwise(inner)), type_check=False)


def test_scales_gains_and_nested_graphs_are_folded():
    inner = nir.NIRGraph(
        {
            "in": nir.Input(np.array([3])),
            "s": nir.Scale(np.array([1.0, 2.0, 4.0])),
            "n": if_(3),
            "out": nir.Output(np.array([3])),
        },
        [("in", "s"), ("s", "n"), ("n", "out")],
        type_check=False,
    )
    outer = graph_of(("half", nir.Scale(np.full(4, 0.5))), ("fc", linear(value=0.5)), ("block", inner))
    network = import_nir(outer, reset="zero", **HIGH)
    assert network.report[0].neurons == "block.n"
    weights = network.layers[0].weights.astype(int)
    assert np.array_equal(weights[:, :1] * [1, 2, 4], weights)
    assert weights[0, 2] / network.report[0].scale == pytest.approx(1.0)


def test_recurrence_takes_one_step():
    loop = nir.Affine(np.diag([0.5, 0.25, 1.0]), np.zeros(3))
    graph = graph_of(("fc", linear()), ("n", if_(3)), more=[("w", loop)], edges=[("n", "w"), ("w", "n")])
    layer = import_nir(graph, reset="zero", **HIGH).layers[0]
    assert isinstance(layer, Recurrent)
    assert np.array_equal(layer.recurrent / layer.recurrent[2, 2], np.diag([0.5, 0.25, 1.0]))
    own = import_nir(graph_of(("fc", linear()), ("n", if_(3)), edges=[("n", "n")]), reset="zero", **HIGH).layers[0]
    assert np.array_equal(own.recurrent, own.recurrent[0, 0] * np.eye(3))


def conv(out=2, channels=1, size=3, **changes):
    fields = {"input_shape": None, "stride": 1, "padding": 1, "dilation": 1, "groups": 1, "bias": np.zeros(out)}
    return nir.Conv2d(weight=np.full((out, channels, size, size), 0.25), **{**fields, **changes})


def pool(kind="SumPool2d", size=(2, 2), stride=(2, 2), padding=(0, 0)):
    return getattr(nir, kind)(np.array(size), np.array(stride), np.array(padding))


def flatten(**fields):
    return nir.Flatten(None, **{"start_dim": 0, "end_dim": -1, **fields})


@pytest.mark.parametrize(("padding", "pads"), [("same", 1), ("valid", 0), (1, 1), ((1, 1), 1)])
def test_images(padding, pads):
    side = (6 + 2 * pads - 2) // 2
    nodes = [
        ("c", conv(padding=padding)),
        ("n", if_(1)),
        ("p", pool()),
        ("f", flatten()),
        ("l", linear(3, 2 * side * side)),
    ]
    network = import_nir(graph_of(*nodes, ("m", if_(3)), shape=(1, 6, 6)), reset="zero")
    assert [type(layer) for layer in network.layers] == [Conv2d, SumPool2d, Flatten, FullyConnected]
    assert network.layers[0].padding == pads
    # A Flatten between a convolution and its neurons stands behind them, too.
    whole = (6 + 2 * pads - 2) ** 2 * 2
    moved = [("c", conv(padding=padding)), ("f", flatten()), ("n", if_(1)), ("l", linear(3, whole)), ("m", if_(3))]
    after = import_nir(graph_of(*moved, shape=(1, 6, 6)), reset="zero")
    assert [type(layer) for layer in after.layers] == [Conv2d, Flatten, FullyConnected]


def two(name):
    return [("fc", linear()), ("n", if_(3)), (name, linear(3, 3)), ("m", if_(3))]


def vector(cls, count):
    return cls(*(np.ones(3) for _ in range(count)))


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (lambda: graph_of(("fc", linear()), ("x", vector(nir.CubaLIF, 5))), ["node x is a CubaLIF", "train with LIF"]),
        (lambda: graph_of(("fc", linear()), ("x", vector(nir.CubaLI, 4))), ["x is a CubaLI"]),
        (lambda: graph_of(("fc", linear()), ("x", vector(nir.LI, 3))), ["x is a LI", "end with a LIF"]),
        (lambda: graph_of(("fc", linear()), ("x", vector(nir.I, 1))), ["x is a I", "end with an IF"]),
        (lambda: graph_of(("x", nir.Delay(np.ones(4))), *two("b")), ["x is a Delay"]),
        (lambda: graph_of(("fc", linear()), ("x", nir.Threshold(np.ones(3)))), ["x is a Threshold", "IF"]),
        (lambda: graph_of(("fc", linear())), ["no neurons"]),
        (lambda: graph_of(("n", if_(4))), ["no weights lead to node n"]),
        (
            lambda: graph_of(("a", conv()), ("b", conv(2, 2)), ("n", if_(1)), shape=(1, 6, 6)),
            ["a and b have no neurons between", "padding"],
        ),
        (lambda: graph_of(*two("b"), ("z", linear(3, 3))), ["node z", "after the last neurons"]),
        (lambda: graph_of(("fc", linear(3, 5)), ("n", if_(3))), ["node fc", "5 inputs", "(4,)"]),
        (lambda: graph_of(("fc", linear()), ("n", if_(5))), ["node n", "(5,)", "(3,)"]),
        (lambda: graph_of(("fc", linear()), ("n", lif(3, [1, 2, 3]))), ["node n", "tau is 1..3", "one decay"]),
        (lambda: graph_of(("fc", linear()), ("n", lif(3, -1))), ["node n", "tau is -1"]),
        (lambda: graph_of(("fc", linear()), ("n", lif(leak=0.5))), ["node n", "v_leak is 0.5", "shift"]),
        (lambda: graph_of(("fc", linear()), ("n", if_(3, threshold=0.0))), ["node n", "v_threshold is 0"]),
        (lambda: graph_of(("fc", linear(value=np.nan)), ("n", if_(3))), ["node fc", "not finite"]),
        (lambda: graph_of(("fc", linear()), ("n", if_(3, r=np.inf))), ["node n", "not finite"]),
        (lambda: graph_of(*two("b"), edges=[("input", "b")]), ["b gets data from n, input", "merge"]),
        (lambda: graph_of(*two("b"), more=[("s", linear(3, 3))], edges=[("n", "s"), ("s", "m")]), ["n feeds", "merge"]),
        (
            lambda: graph_of(*two("b"), more=[("s", linear(3, 3))], edges=[("m", "s"), ("s", "n")]),
            ["n gets data from fc, s", "merge"],
        ),
        (lambda: graph_of(*two("b"), more=[("s", linear(3, 3))], edges=[("s", "s")]), ["cycle s -> s", "no neuron"]),
        (
            lambda: graph_of(*two("b"), more=[("s", linear()), ("t", linear())], edges=[("s", "t"), ("t", "s")]),
            ["cycle", "s", "t", "no neuron"],
        ),
        (lambda: graph_of(*two("b"), more=[("s", linear(3, 3))]), ["no input and no output", "s"]),
        (lambda: graph_of(*two("b"), more=[("s", linear(3, 3))], edges=[("n", "s")]), ["s leads nowhere"]),
        (
            lambda: graph_of(*two("b"), more=[("in2", nir.Input(np.array([3])))], edges=[("in2", "b")]),
            ["2 Input", "in2"],
        ),
        (
            lambda: graph_of(*two("b"), more=[("o2", nir.Output(np.array([3])))], edges=[("n", "o2")]),
            ["2 Output", "o2"],
        ),
        (lambda: graph_of(*two("b"), edges=[("n", "ghost")]), ["n -> ghost", "not there"]),
        (lambda: graph_of(("c", conv(groups=2)), ("n", if_(1)), shape=(1, 6, 6)), ["node c", "groups = 2"]),
        (lambda: graph_of(("c", conv(dilation=2)), ("n", if_(1)), shape=(1, 6, 6)), ["node c", "dilation"]),
        (lambda: graph_of(("c", conv(stride=(1, 2))), ("n", if_(1)), shape=(1, 6, 6)), ["node c", "stride is (1, 2)"]),
        (lambda: graph_of(("c", conv(padding=3)), ("n", if_(1)), shape=(1, 6, 6)), ["node c", "padding is 3"]),
        (
            lambda: graph_of(("c", conv(padding=2, bias=np.ones(2))), ("n", if_(1)), shape=(1, 6, 6)),
            ["neurons n have a bias", "smaller padding", "bias=False"],
        ),
        (
            lambda: graph_of(("p", pool(size=(2, 3))), ("c", conv()), ("n", if_(1)), shape=(1, 6, 6)),
            ["node p", "kernel"],
        ),
        (
            lambda: graph_of(("p", pool(padding=(1, 1))), ("c", conv()), ("n", if_(1)), shape=(1, 6, 6)),
            ["node p", "pad"],
        ),
        (
            lambda: graph_of(("c", conv()), ("p", pool(size=(9, 9))), ("n", if_(1)), shape=(1, 6, 6)),
            ["node p", "9 x 9"],
        ),
        (
            lambda: graph_of(("p", pool(size=(17, 17))), ("c", conv()), ("n", if_(1)), shape=(1, 40, 40)),
            ["node p", "289", "255"],
        ),
        (
            lambda: graph_of(("c", conv(input_shape=(9, 9))), ("n", if_(1)), shape=(1, 6, 6)),
            ["node c", "input_shape is (9, 9)", "6 x 6"],
        ),
        (
            lambda: graph_of(("p", pool()), ("c", conv(input_shape=(6, 6))), ("n", if_(1)), shape=(1, 6, 6)),
            ["node c", "input_shape is (6, 6)", "3 x 3"],
        ),
        (lambda: graph_of(("fc", linear()), ("n", if_(3)), shape=(4.5,)), ["node input", "(4.5,)", "whole"]),
        (lambda: graph_of(("block", nested()), ("block.n", if_(3))), ["two nodes are called block.n", "rename"]),
        (lambda: graph_of(("block.n", if_(3)), ("block", nested())), ["two nodes are called block.n", "rename"]),
        (
            lambda: graph_of(("fc", nir.Linear(np.full((3, 4), "a"))), ("n", if_(3))),
            ["node fc", "weight", "real numbers"],
        ),
        (lambda: graph_of(("fc", linear(value=1j)), ("n", if_(3))), ["node fc", "weight has type complex128"]),
        (lambda: graph_of(("fc", linear()), ("n", nir.IF(np.array(["a"] * 3), np.ones(3)))), ["node n", "r has type"]),
        (
            lambda: graph_of(("c", conv(stride=("a", "b"))), ("n", if_(1)), shape=(1, 6, 6)),
            ["node c", "stride has type"],
        ),
        (
            lambda: graph_of(("f", flatten(start_dim="a")), ("n", if_(1)), shape=(1, 6, 6)),
            ["node f", "start_dim has type"],
        ),
        (lambda: graph_of(("f", flatten(start_dim=1)), ("n", if_(1)), shape=(1, 6, 6)), ["node f", "start_dim = 1"]),
        (lambda: graph_of(("fc", linear(3, 6)), ("n", if_(3)), shape=(1, 6, 6)), ["node fc", "Flatten"]),
        (lambda: graph_of(("fc", linear()), ("n", if_(3)), shape=(8, 4)), ["node input", "(8, 4)", "batch"]),
    ],
)
def test_what_cannot_be_mapped_is_named(graph, words):
    with pytest.raises(DataError) as error:
        import_nir(graph(), dt=1e-3, reset="zero")
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reset": "zero"}, "node n is a LIF and needs dt"),
        ({"dt": 1e-3}, "reset is None"),
        ({"dt": 0.0, "reset": "zero"}, "dt is 0"),
        ({"dt": 1.0, "reset": "zero", "integration": "euler"}, "above tau = 0.01"),
        ({"dt": 1e-3, "reset": "zero", "integration": "rk4"}, "integration is 'rk4'"),
        ({"dt": 1e-3, "reset": "zero", "weight_bits": 9}, "weight_bits is 9"),
        ({"dt": 1e-3, "reset": "zero", "membrane_bits": 40}, "membrane_bits is 40"),
        ({"dt": 1e-3, "reset": "zero", "membrane_bits": 4}, "weights of 4 bits need 5"),
        ({"dt": 1e-3, "reset": "zero", "decay": "slow"}, "decay is 'slow'"),
    ],
)
def test_arguments_that_are_missing_or_out_of_range(options, words):
    with pytest.raises(ConfigError, match=words):
        import_nir(graph_of(("fc", linear()), ("n", lif())), **options)


def test_a_graph_in_itself():
    graph = graph_of(("fc", linear()), ("n", if_(3)))
    graph.nodes["fc"] = graph
    with pytest.raises(DataError, match="contains itself"):
        import_nir(graph, reset="zero")


def test_files_that_are_none(tmp_path):
    whole = (GRAPHS / "sinabs_conv.nir").read_bytes()
    path = tmp_path / "net.nir"
    with pytest.raises(DataError, match="no such file"):
        import_nir(path)
    for length in (0, 100, 2000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match="net.nir: not a NIR file, or one that is cut short"):
            import_nir(path, reset="zero")
    path.write_text("a text")
    with pytest.raises(DataError, match="not a NIR file"):
        import_nir(path, reset="zero")
    nir.write(path, if_(3))
    with pytest.raises(DataError, match="a single IF"):
        import_nir(path, reset="zero")


def test_a_file_with_nodes_that_nir_does_not_know(tmp_path):
    import h5py

    path = tmp_path / "net.nir"
    nir.write(path, graph_of(("fc", linear()), ("odd", if_(3))))
    with h5py.File(path, "a") as file:
        del file["node/nodes/odd/type"]
        file["node/nodes/odd"].create_dataset("type", data="Izhikevich", dtype=h5py.string_dtype())
    with pytest.raises(DataError, match=r"net.nir: .*odd \(Izhikevich\)"):
        import_nir(path, reset="zero")


def test_a_file_that_cannot_be_read_in_time(monkeypatch):
    monkeypatch.setattr("pyspice_cim.behavioral.nir.reader.READ_SECONDS", 0.001)
    with pytest.raises(DataError, match="cannot be read within"):
        import_nir(GRAPHS / "sinabs_conv.nir", reset="zero")


@given(st.integers(0, 2**32), st.integers(2, 8), st.booleans(), st.floats(1e-3, 1e3))
def test_a_scale_keeps_weights_and_threshold_in_their_bits(seed, bits, subtract, threshold):
    weights = np.random.default_rng(seed).normal(size=30)
    found = choose_scale(weights, threshold, weight_bits=bits, membrane_bits=bits + 2, subtract=subtract)
    assert 1 <= found.theta <= 2 ** (bits + 1) - 1
    integers = to_integers(weights, found.scale, bits)
    assert found.clipped == np.count_nonzero(integers != np.rint(found.scale * weights))
    size = np.sqrt(np.mean(weights**2))
    assert found.rms_error == pytest.approx(np.sqrt(np.mean((integers / found.scale - weights) ** 2)) / size)


@given(st.integers(0, 2**32), st.integers(2, 8), st.floats(1e-3, 1e3))
def test_weights_on_a_grid_are_found_on_it(seed, bits, unit):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1), 20) * unit
    found = choose_scale(weights, 3.3 * unit, weight_bits=bits, membrane_bits=16, subtract=False)
    assert found.rms_error < 1e-5
    assert found.clipped == 0


@given(st.floats(0.0, 1.0), st.lists(st.integers(0, 60), min_size=1, max_size=50))
def test_lambda_takes_away_what_the_exponential_does(alpha, membranes):
    v = np.array(membranes)
    found = fit_lambda(alpha, 40, np.bincount(v, minlength=128))
    if v.any():
        removed = np.minimum.outer(v, np.arange(128)).sum(axis=0)
        assert abs(removed[found] - (1 - alpha) * v.sum()) == pytest.approx(
            np.abs(removed - (1 - alpha) * v.sum()).min()
        )
    else:
        assert found == round((1 - alpha) * 20)


def test_calibration_counts_saturation_and_fits_lambda():
    # 100 a step into membranes of 8 bits: theta <= 120, so that the second step without a leak would pass 127.
    graph = graph_of(("fc", nir.Linear(np.array([[1.0, 1.0]]))), ("n", lif(1, 0.01, 10.0, 1.0)), shape=(2,))
    quiet, busy = np.zeros((5, 2, 2), np.uint8), np.ones((5, 2, 2), np.uint8)
    options = {"dt": 1e-3, "reset": "subtract"}
    assert import_nir(graph, **options).report[0].saturated is None
    assert import_nir(graph, calibration=quiet, **options).report[0].saturated == 0
    assert import_nir(graph, calibration=busy, weight_bits=7, **options).report[0].saturated > 0
    with pytest.raises(DataError, match=r"\(time, batch, 2\)"):
        import_nir(graph, calibration=busy[..., :1], **options)


def test_observation_counts_what_the_network_does():
    data = np.load(GRAPHS / "sinabs_conv.npz")["spikes"]
    network = import_nir(GRAPHS / "sinabs_conv.nir", reset="subtract", decay="toward_zero", **HIGH)
    observed = observe(network.layers, data)
    assert [each.updates for each in observed] == [data.shape[0] * data.shape[1] * n for n in (108, 4)]
    # The membranes at the start of the last step are those at the end of the steps before.
    finals = [fast_run(network.layers, data[:steps]).membranes[1] for steps in range(1, len(data))]
    standing = np.concatenate([np.zeros(4 * data.shape[1], int), *(each.ravel() for each in finals)])
    assert np.array_equal(observed[1].membranes, np.bincount(standing[standing >= 0], minlength=32768))
