"""Integer layers go out as NIR and come back as the same integers; without the metadata, as neurons that fire the same."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scalar_reference import run_written_out

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.file import Layer, NetworkFile, load_network, save_network
from pyspice_cim.behavioral.network.layers import (
    AvgPool2d,
    Conv2d,
    Flatten,
    FullyConnected,
    MaxPool2d,
    NeuronLayer,
    Recurrent,
    SumPool2d,
)
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, NeuronParams
from pyspice_cim.behavioral.nir.exporter import export_nir, save_nir
from pyspice_cim.behavioral.nir.importer import import_nir
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.resources import shipped

nir = pytest.importorskip("nir")


def draw_params(draw):
    bits = draw(st.integers(2, 16))
    vmax = 2 ** (bits - 1) - 1
    common = {
        "lambda_": draw(st.integers(0, vmax)),
        "theta": draw(st.integers(1, vmax)),
        "membrane_bits": bits,
        "reset": draw(st.sampled_from(["subtract", "zero"])),
    }
    decay = draw(st.sampled_from(["clamp", "toward_zero", "none", "exponential"]))
    if decay == "clamp":
        return LDLIFParams(**common)
    shift = draw(st.integers(0, 15))
    beta = (draw(st.integers(0, 2**shift)), shift) if decay == "exponential" else None
    return NeuronParams(decay=decay, beta=beta, **common)


def draw_weights(draw, rng, *shape):
    bits = draw(st.integers(2, 8))
    return {"weights": rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape), "weight_bits": bits}


@st.composite
def networks(draw):
    """Layers, the shape of their input, and spikes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    layers, shape = [], (draw(st.integers(1, 12)),)
    if draw(st.booleans()):
        shape = (draw(st.integers(1, 3)), draw(st.integers(4, 6)), draw(st.integers(4, 6)))
        kernel = draw_weights(draw, rng, 2, shape[0], *draw(st.sampled_from([(3, 3), (2, 3), (1, 1)])))
        padding = draw(st.integers(0, min(kernel["weights"].shape[2:]) - 1))
        layers.append(Conv2d(**kernel, params=draw_params(draw), stride=draw(st.integers(1, 2)), padding=padding))
        side = min(layers[0].output_shape(shape)[1:])
        if draw(st.booleans()):
            kind = draw(st.sampled_from([SumPool2d, AvgPool2d]))
            layers.append(kind(size=draw(st.integers(1, side)), stride=draw(st.sampled_from([None, 1, 2]))))
        layers.append(Flatten())
    at = shape
    for layer in layers:
        at = layer.output_shape(at)
    for neurons in draw(st.lists(st.integers(1, 8), min_size=1, max_size=2)):
        each = draw_weights(draw, rng, at[0], neurons) | {"params": draw_params(draw)}
        at = (neurons,)
        if draw(st.booleans()):
            limit = 2 ** (each["weight_bits"] - 1)
            layers.append(Recurrent(recurrent=rng.integers(-limit, limit, (neurons, neurons)), **each))
        else:
            layers.append(FullyConnected(**each))
    return tuple(layers), shape, (rng.random((6, 3, *shape)) < 0.4).astype(np.uint8)


def assert_same(layers, found):
    assert len(layers) == len(found)
    for a, b in zip(layers, found, strict=True):
        assert type(a) is type(b)
        if not isinstance(a, NeuronLayer):
            assert getattr(a, "size", None) == getattr(b, "size", None)
            assert getattr(a, "step", None) == getattr(b, "step", None)
            continue
        assert a.params == b.params
        assert a.weight_bits == b.weight_bits
        assert np.array_equal(a.weights, b.weights)
        assert np.array_equal(getattr(a, "recurrent", 0), getattr(b, "recurrent", 0))


@settings(deadline=None, max_examples=60)
@given(networks())
def test_import_after_export_is_the_same_network(network):
    layers, shape, spikes = network
    found = import_nir(export_nir(layers, shape))
    assert found.input_shape == shape
    assert_same(layers, found.layers)
    truth, fast = (fast_run(each, spikes, record=True) for each in (layers, found.layers))
    for a, b in itertools.chain(
        zip(truth.spikes, fast.spikes, strict=True), zip(truth.membranes, fast.membranes, strict=True)
    ):
        assert np.array_equal(a, b)


@st.composite
def network_files(draw):
    """Any network that a network file can hold."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    layers, inputs = [], draw(st.integers(1, 9))
    for neurons in draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)):
        recurrent = draw(st.booleans())
        each = draw_weights(draw, rng, inputs + neurons * recurrent, neurons)
        layers.append(Layer(**each, params=draw_params(draw), recurrent=recurrent))
        inputs = neurons
    kind = draw(st.sampled_from(["bernoulli", "regular", "latency"]))
    rate = 1.0 if kind == "latency" else draw(st.floats(0.01, 1.0))
    encoder = Encoder(kind=kind, max_rate=rate, seed=draw(st.integers(0, 2**64 - 1)))
    return NetworkFile(layers=tuple(layers), steps=draw(st.integers(1, 8)), encoder=encoder)


def assert_runs_as_written_out(network, layers, spikes):
    trains, membranes = run_written_out(network, spikes)
    run = run_integer(layers, spikes)
    assert [each.tolist() for each in run.spikes] == trains
    assert [each.tolist() for each in run.membranes] == membranes


@settings(deadline=None, max_examples=60)
@given(network_files(), st.integers(0, 2**32))
def test_any_network_file_comes_back_in_every_spike(network, seed):
    found = import_nir(export_nir(network))
    assert (found.steps, found.encoder, found.input_shape) == (network.steps, network.encoder, network.shape[:1])
    values = np.random.default_rng(seed).random((2, network.shape[0]))
    spikes = network.encoder.encode(values, network.steps)
    assert np.array_equal(spikes, found.encoder.encode(values, found.steps))
    assert_runs_as_written_out(network, found.layers, spikes)


@pytest.mark.parametrize("name", ["digits.h5", "spoken_digits.h5"])
def test_a_shipped_network_comes_back_through_files(tmp_path, name):
    network = load_network(shipped("networks", name))
    save_network(network, tmp_path / "again.h5")
    save_nir(load_network(tmp_path / "again.h5"), tmp_path / "net.nir")
    found = import_nir(tmp_path / "net.nir")
    assert (found.steps, found.encoder, found.input_shape) == (network.steps, network.encoder, network.shape[:1])
    spikes = (np.random.default_rng(5).random((7, 2, network.shape[0])) < 0.2).astype(np.uint8)
    assert_runs_as_written_out(network, found.layers, spikes)


def test_through_a_file(tmp_path):
    network = load_network(shipped("networks", "digits.h5"))
    save_nir(network, tmp_path / "digits.nir")
    assert_same(layers_of(network), import_nir(tmp_path / "digits.nir").layers)
    graph = nir.read(tmp_path / "digits.nir")  # with the package's own check of all types
    assert [type(node).__name__ for node in graph.nodes.values()].count("LIF") == 2


@settings(deadline=None, max_examples=30)
@given(networks())
def test_the_types_of_nir_fit(network):
    layers, shape, _ = network
    square = all(layer.weights.shape[2] == layer.weights.shape[3] for layer in layers if isinstance(layer, Conv2d))
    if square:  # the package takes the kernel's height for its width
        export_nir(layers, shape).check_types()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from(["subtract", "zero"]), st.integers(1, 100))
def test_without_metadata_integrate_and_fire_stays_what_it_was(seed, reset, theta):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-7, 8, (9, 5))
    weights[0, 0] = 7  # all of the range is in use, so that the scale is 1
    layer = FullyConnected(
        weights=weights, params=NeuronParams(theta=theta, decay="none", reset=reset, membrane_bits=12)
    )
    graph = export_nir([layer])
    for node in graph.nodes.values():
        node.metadata = {}
    found = import_nir(graph, reset=reset, decay="none", membrane_bits=12)
    assert_same([layer], found.layers)


def test_a_leak_without_metadata_is_that_of_half_the_threshold():
    layer = FullyConnected(weights=np.full((3, 2), 7), params=LDLIFParams(lambda_=5, theta=50))
    graph = export_nir([layer], dt=1e-4)
    node = graph.nodes["0_neurons"]
    assert np.exp(-1e-4 / node.tau) == pytest.approx([0.8, 0.8], rel=1e-6)
    assert node.r * (1 - 0.8) == pytest.approx([1, 1], rel=1e-6)
    node.metadata = {}
    assert_same([layer], import_nir(graph, dt=1e-4, reset="subtract").layers)


def test_constant_inputs_come_back():
    layer = FullyConnected(weights=np.full((6, 2), 3), params=LDLIFParams(lambda_=1, theta=9))
    found = import_nir(export_nir([layer], constant_inputs=2))
    assert (found.constant_inputs, found.input_shape) == (2, (4,))
    assert found.inputs(np.zeros((1, 1, 4), int)).ravel().tolist() == [0, 0, 0, 0, 1, 1]


WIDE = Conv2d(weights=np.ones((1, 2, 2, 2), int), params=LDLIFParams(lambda_=0, theta=1))
CONV = Conv2d(weights=np.ones((1, 1, 2, 2), int), params=LDLIFParams(lambda_=0, theta=1))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: export_nir([MaxPool2d(size=2), CONV], (1, 8, 8)), DataError, "layer 0 .MaxPool2d.*sum pool"),
        (lambda: export_nir([CONV]), DataError, "give input_shape"),
        (lambda: export_nir([]), DataError, "input_shape"),
        (lambda: export_nir([CONV], (1, 1, 8)), DataError, "kernel is 2 x 2"),
        (lambda: export_nir([CONV], (1, 8, 8), dt=0), ConfigError, "dt is 0"),
        (lambda: export_nir([CONV], (1, 8, 8), dt="1 ms"), ConfigError, "dt is '1 ms'"),
        (lambda: export_nir([CONV], (1, 8.5, 8)), ConfigError, "input's shape is 8.5"),
        (lambda: export_nir([CONV, "pool"], (1, 8, 8)), DataError, "layer 1 .str.*no layer"),
        (lambda: export_nir([CONV], (1, 8, 8), constant_inputs=1), ConfigError, "constant_inputs is 1"),
        (lambda: export_nir([CONV], (1, 8, 8), constant_inputs=-1), ConfigError, "constant_inputs is -1"),
        (lambda: export_nir([WIDE], (2, 8, 8), constant_inputs=[0]), ConfigError, "constant_inputs is 0"),
    ],
)
def test_what_cannot_be_exported(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g.nodes["0_neurons"].metadata.pop("pyspice_cim_decay"), "0_neurons.*damaged"),
        (lambda g: g.nodes["0_neurons"].metadata.update(pyspice_cim_theta=9999), "0_neurons.*theta is 9999"),
        (lambda g: g.nodes["0_weights"].weight.__iadd__(0.5), "0_weights.*no integers"),
        (lambda g: g.nodes["0_weights"].weight.__iadd__(90), "0_weights.*4 bits"),
        (lambda g: g.metadata.update(pyspice_cim_constant_inputs="x"), "constant_inputs are damaged"),
        (lambda g: g.metadata.update(pyspice_cim_constant_inputs=3), "3 constant inputs"),
        (lambda g: g.metadata.update(pyspice_cim_steps=0), "steps is 0"),
        (lambda g: g.metadata.update(pyspice_cim_encoder_kind="morse"), "encoder_.*damaged"),
    ],
)
def test_metadata_that_do_not_fit_are_named(change, words):
    graph = export_nir([FullyConnected(weights=np.full((3, 2), 7), params=LDLIFParams(lambda_=5, theta=50))])
    change(graph)
    with pytest.raises(DataError, match=words):
        import_nir(graph)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    layer = FullyConnected(weights=np.full((3, 2), 7), params=LDLIFParams(lambda_=5, theta=50))
    with pytest.raises(ConfigError, match="does not exist"):
        save_nir([layer], tmp_path / "no" / "net.nir")
    assert not list(tmp_path.iterdir())
