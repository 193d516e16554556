"""Training: the exported integers answer as the quantized PyTorch network does, to the sample."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pyspice_cim.behavioral.kernels.run import fast_run  # noqa: E402
from pyspice_cim.behavioral.network.conversion import layers_of  # noqa: E402
from pyspice_cim.behavioral.network.encoding import Encoder  # noqa: E402
from pyspice_cim.behavioral.network.layers import FullyConnected, Recurrent  # noqa: E402
from pyspice_cim.behavioral.network.reference import run_integer  # noqa: E402
from pyspice_cim.behavioral.neuron.ldlif import LDLIFState, NeuronParams, ldlif_step  # noqa: E402
from pyspice_cim.training.decay import BETA_SHIFT, DECAYS  # noqa: E402
from pyspice_cim.training.export import export, integer_layers  # noqa: E402
from pyspice_cim.training.fit import FitSettings, fit, scores  # noqa: E402
from pyspice_cim.training.layers import Integers, LDLIFLayer, LDLIFNetwork  # noqa: E402
from pyspice_cim.training.surrogate import round_through, spike, truncate_through  # noqa: E402

SETTINGS = FitSettings(
    shape=(16, 12, 3), steps=12, encoder=Encoder(max_rate=0.8, seed=4), epochs=15, epochs_quantized=8, batch=15
)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def task(samples=90):
    """Three patterns with noise: images (samples, 16) and labels."""
    rng = np.random.default_rng(0)
    patterns = rng.random((3, 16)) < 0.4
    labels = np.arange(samples) % 3
    return np.clip(patterns[labels] * 0.9 + 0.1 * rng.random((samples, 16)), 0, 1), labels


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize(
    ("weight_bits", "membrane_bits", "gain", "reset"),
    [(4, 8, 1.0, "subtract"), (4, 5, 4.0, "zero"), (2, 4, 3.0, "subtract"), (8, 10, 1.0, "subtract")],
)
def test_the_engine_equals_the_quantized_forward(decay, recurrent, weight_bits, membrane_bits, gain, reset):
    torch.manual_seed(1)
    network = LDLIFNetwork(
        (24, 20, 10),
        decay=decay,
        recurrent=recurrent,
        weight_bits=weight_bits,
        membrane_bits=membrane_bits,
        reset=reset,
    )
    with torch.no_grad():
        for layer in network.layers:
            layer.weight.mul_(gain)
    network.start_quantized()
    spikes = Encoder(seed=9).encode(np.random.default_rng(2).random((200, 24)), 15)
    with torch.no_grad():
        output = network(torch.from_numpy(spikes.astype(np.float32)))
    layers = integer_layers(network)
    assert isinstance(layers[0], Recurrent) == recurrent and not isinstance(layers[1], Recurrent)
    slow, fast = run_integer(layers, spikes), fast_run(layers, spikes, threads=1)
    theta = int(network.layers[-1].theta)
    assert slow.spike_counts.sum() > 0
    for run in (slow, fast):
        assert np.array_equal(output.counts.numpy(), run.spike_counts)
        assert np.array_equal(np.round(output.membranes.numpy() * theta), run.membranes[-1])


@pytest.mark.parametrize("decay", DECAYS)
def test_the_file_holds_the_layers_of_the_engine(decay):
    network = LDLIFNetwork((6, 5, 4, 3), decay=decay, recurrent=True)
    network.start_quantized()
    saved = export(network, steps=4, encoder=Encoder())
    assert saved.shape == (6, 5, 4, 3)
    assert [layer.recurrent for layer in saved.layers] == [True, True, False]
    for layer, whole in zip(saved.layers, integer_layers(network), strict=True):
        assert (layer.params, layer.weight_bits) == (whole.params, whole.weight_bits)
        assert np.array_equal(layer.input_weights, whole.weights)
        if layer.recurrent:
            assert np.array_equal(layer.recurrent_weights, whole.recurrent)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("decay", DECAYS)
def test_the_torch_step_saturates_as_the_integer_step_does(decay, reset):
    leak = {"exponential": 200, "none": 0}.get(decay, 2)
    params = NeuronParams(
        lambda_=0 if decay == "exponential" else leak,
        beta=(leak, BETA_SHIFT) if decay == "exponential" else None,
        theta=9,
        membrane_bits=5,
        decay=decay,
        reset=reset,
    )
    layer = LDLIFLayer(1, 8, decay=decay, membrane_bits=5, reset=reset)
    layer.theta = torch.tensor(9.0)
    sums = np.random.default_rng(5).integers(-60, 60, (30, 1, 8))
    with torch.no_grad():
        numbers = Integers(layer.weight, None, torch.tensor(float(leak)), layer.theta)
        output = layer.scan(torch.from_numpy(sums).float(), numbers)
    state = LDLIFState.zeros(1, 8)
    saturated = False
    for step, expected in zip(sums, output.spikes.numpy(), strict=True):
        spikes, state, events = ldlif_step(step, state, params)
        saturated |= bool(events.saturated.any())
        assert np.array_equal(spikes, expected)
    assert saturated


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("whole", [False, True])
def test_gradients_reach_every_weight_and_leak(decay, whole):
    torch.manual_seed(2)
    network = LDLIFNetwork((24, 20, 10), decay=decay, recurrent=True)
    if whole:
        network.start_quantized()
        with torch.no_grad():
            for layer in network.layers:
                layer.leak.fill_(0.4)  # more than the least lambda, 1 / theta, where the gradient stops
    scores(network((torch.rand(12, 30, 24) < 0.4).float())).square().sum().backward()
    named = dict(network.named_parameters())
    assert ("stack.0.leak" in named) == (decay != "none") and "stack.1.recurrent_weight" not in named
    for name, parameter in named.items():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("decay", ["toward_zero", "none", "exponential"])
def test_other_rules_learn_a_task_in_time(decay):
    """The order of two halves: which of them comes first is all that tells the classes apart."""
    rng = np.random.default_rng(1)
    labels = np.arange(120) % 2
    values = 0.1 * rng.random((120, 12, 16))
    values[labels == 0, :6, :8] += 0.8
    values[labels == 0, 6:, 8:] += 0.8
    values[labels == 1, :6, 8:] += 0.8
    values[labels == 1, 6:, :8] += 0.8
    settings = FitSettings(
        shape=(16, 12, 2),
        steps=12,
        encoder=Encoder(kind="regular", max_rate=0.8),
        decay=decay,
        recurrent=True,
        epochs=12,
        epochs_quantized=6,
        batch=20,
    )
    network = fit(values, labels, settings)
    assert network.version == 2 and network.layers[0].params.decay == decay
    run = run_integer(saved_layers(network), settings.encoder.encode(values, 12))
    assert (run.spike_counts.argmax(axis=1) == labels).mean() > 0.9


def saved_layers(network):
    return [
        Recurrent(
            weights=each.input_weights,
            recurrent=each.recurrent_weights,
            weight_bits=each.weight_bits,
            params=each.params,
        )
        if each.recurrent
        else FullyConnected(weights=each.weights, weight_bits=each.weight_bits, params=each.params)
        for each in network.layers
    ]


def test_fit_learns_and_is_deterministic():
    images, labels = task()
    lines = []
    network = fit(images, labels, SETTINGS, meta={"note": "test"}, progress=lines.append)
    run = run_integer(layers_of(network), network.encoder.encode(images, network.steps))
    assert (run.predictions == labels).mean() > 0.9
    assert all(layer.params.lambda_ >= 1 and not layer.recurrent for layer in network.layers)
    assert network.version == 1
    assert len(lines) == SETTINGS.epochs + SETTINGS.epochs_quantized
    assert dict(network.meta) == {"note": "test"}
    assert fit(images, labels, SETTINGS).sha256 == network.sha256


def test_predictions_by_score_are_those_of_the_readout():
    images, _ = task()
    torch.manual_seed(3)
    network = LDLIFNetwork(SETTINGS.shape)
    network.start_quantized()
    spikes = SETTINGS.encoder.encode(images, SETTINGS.steps)
    with torch.no_grad():
        output = network(torch.from_numpy(spikes.astype(np.float32)))
    run = run_integer(layers_of(export(network, steps=SETTINGS.steps, encoder=SETTINGS.encoder)), spikes)
    # Where no final membrane reaches a whole spike or sinks below rest, the score orders as (count, membrane) does.
    plain = ((output.membranes >= 0) & (output.membranes < 1)).all(dim=1).numpy()
    assert plain.any()
    assert np.array_equal(scores(output).argmax(dim=1).numpy()[plain], run.predictions[plain])


def test_gradients_pass_the_compare_and_the_rounding():
    x = torch.tensor([-1.0, 0.0, 0.25], requires_grad=True)
    spike(x).sum().backward()
    assert x.grad.tolist() == pytest.approx([1 / 25, 1.0, 0.25])
    y = torch.tensor([0.4, 0.6], requires_grad=True)
    rounded = round_through(y)
    rounded.sum().backward()
    assert (rounded.tolist(), y.grad.tolist()) == ([0.0, 1.0], [1.0, 1.0])
    z = torch.tensor([-1.6, 1.6], requires_grad=True)
    cut = truncate_through(z)
    cut.sum().backward()
    assert (cut.tolist(), z.grad.tolist()) == ([-1.0, 1.0], [1.0, 1.0])
