"""Training: the exported integers answer as the quantized PyTorch network does, to the sample."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pyspice_cim.behavioral.encoding import Encoder  # noqa: E402
from pyspice_cim.behavioral.ldlif import LDLIFParams, LDLIFState, ldlif_step  # noqa: E402
from pyspice_cim.behavioral.reference import run_reference  # noqa: E402
from pyspice_cim.errors import ConfigError, DataError  # noqa: E402
from pyspice_cim.training.fit import FitSettings, export, fit, scores  # noqa: E402
from pyspice_cim.training.layers import LDLIFNetwork, _run  # noqa: E402
from pyspice_cim.training.surrogate import round_through, spike  # noqa: E402

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


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize(
    ("weight_bits", "membrane_bits", "gain"), [(4, 8, 1.0), (4, 5, 4.0), (2, 4, 3.0), (8, 10, 1.0)]
)
def test_export_equals_the_quantized_forward(reset, weight_bits, membrane_bits, gain):
    settings = FitSettings(
        shape=(24, 20, 10),
        steps=15,
        encoder=Encoder(seed=9),
        weight_bits=weight_bits,
        membrane_bits=membrane_bits,
        reset=reset,
    )
    torch.manual_seed(1)
    network = LDLIFNetwork(settings.shape, weight_bits=weight_bits, membrane_bits=membrane_bits, reset=reset)
    with torch.no_grad():
        for layer in network.layers:
            layer.weight.mul_(gain)
    network.start_quantized()
    spikes = settings.encoder.encode(np.random.default_rng(2).random((200, 24)), settings.steps)
    with torch.no_grad():
        output = network(torch.from_numpy(spikes.astype(np.float32)))
    run = run_reference(export(network, settings), spikes)
    theta = network.layers[-1].theta
    assert run.spike_counts.sum() > 0
    assert np.array_equal(output.counts.numpy(), run.spike_counts)
    assert np.array_equal(np.round(output.membranes.numpy() * theta), run.membranes[-1])


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_the_torch_step_saturates_as_the_integer_step_does(reset):
    params = LDLIFParams(lambda_=2, theta=9, membrane_bits=5, reset=reset)
    sums = np.random.default_rng(5).integers(-60, 60, (30, 1, 8))
    output = _run(torch.from_numpy(sums).float(), torch.tensor(2.0), 9, (params.vmin, params.vmax), reset)
    state = LDLIFState.zeros(1, 8)
    saturated = False
    for step, expected in zip(sums, output.spikes.numpy(), strict=True):
        spikes, state, events = ldlif_step(step, state, params)
        saturated |= bool(events.saturated.any())
        assert np.array_equal(spikes, expected)
    assert saturated


def test_fit_learns_and_is_deterministic():
    images, labels = task()
    lines = []
    network = fit(images, labels, SETTINGS, meta={"note": "test"}, progress=lines.append)
    run = run_reference(network, network.encoder.encode(images, network.steps))
    assert (run.predictions == labels).mean() > 0.9
    assert all(layer.params.lambda_ >= 1 for layer in network.layers)
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
    run = run_reference(export(network, SETTINGS), spikes)
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


def test_bad_settings_and_data_are_named():
    with pytest.raises(ConfigError, match="shape is"):
        FitSettings(shape=(5,), steps=3, encoder=Encoder())
    images, labels = task()
    with pytest.raises(DataError, match="do not fit the shape"):
        fit(images[:, :5], labels, SETTINGS)
    with pytest.raises(DataError, match="do not fit the shape"):
        fit(images, labels + 1, SETTINGS)
