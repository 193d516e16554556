"""Networks that were trained and fine-tuned, not drawn: PyTorch and the engine give the same answer to every sample."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pyspice_cim.behavioral.datasets import digits, spoken_digits  # noqa: E402
from pyspice_cim.behavioral.kernels.run import fast_run  # noqa: E402
from pyspice_cim.behavioral.network.conversion import integer_layer  # noqa: E402
from pyspice_cim.behavioral.network.encoding import Encoder  # noqa: E402
from pyspice_cim.behavioral.network.file import load_network, save_network  # noqa: E402
from pyspice_cim.behavioral.network.readout import classify  # noqa: E402
from pyspice_cim.errors import CimError  # noqa: E402
from pyspice_cim.resources import shipped  # noqa: E402
from pyspice_cim.training.export import export, integer_layers  # noqa: E402
from pyspice_cim.training.fit import FitSettings, new_network, train  # noqa: E402
from pyspice_cim.training.layers import LDLIFNetwork  # noqa: E402

SETTINGS = FitSettings(
    shape=(64, 24, 10),
    steps=12,
    encoder=Encoder(kind="regular", max_rate=0.4),
    recurrent=True,
    epochs=4,
    epochs_quantized=3,
    learning_rate=1e-2,
)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@torch.no_grad()
def answers(network, spikes):
    """Classes, spike counts and final membranes (whole numbers) of a quantized network in PyTorch."""
    output = network(torch.from_numpy(spikes).float())
    membranes = np.rint(output.membranes.numpy() * network.layers[-1].theta.numpy()).astype(np.int64)
    counts = output.counts.numpy().astype(np.int64)
    return classify(counts, membranes), counts, membranes


def assert_same(network, layers, spikes):
    classes, counts, membranes = answers(network, spikes)
    run = fast_run(layers, spikes)
    assert np.array_equal(run.spike_counts, counts)
    assert np.array_equal(run.membranes[-1], membranes)
    assert np.array_equal(classify(run.spike_counts, run.membranes[-1]), classes)
    return classes


@pytest.mark.parametrize("decay", ["clamp", "toward_zero", "none", "exponential"])
def test_a_fine_tuned_network_answers_alike_in_the_engine(tmp_path, decay):
    pytest.importorskip("sklearn")
    settings = replace(SETTINGS, decay=decay)
    network = new_network(settings)
    train(network, *digits("train"), settings)
    network.start_quantized()
    before = integer_layers(network)
    train(network, *digits("train"), settings)
    # The fine-tuning moved the integers themselves, so that what is compared was trained in them.
    assert any(
        not np.array_equal(old.weights, new.weights) for old, new in zip(before, integer_layers(network), strict=True)
    )
    values, labels = digits("test")
    spikes = settings.encoder.encode(values, settings.steps)
    classes = assert_same(network, integer_layers(network), spikes)
    # Five times as often right as by chance: it was trained.
    assert (classes == labels).mean() > 0.5
    path = tmp_path / "net.h5"
    save_network(export(network, steps=settings.steps, encoder=settings.encoder), path)
    assert_same(network, [integer_layer(layer) for layer in load_network(path).layers], spikes)


def in_torch(saved):
    """The network of a file in PyTorch: real weights and leaks whose integers are those of the file."""
    first = saved.layers[0]
    network = LDLIFNetwork(
        saved.shape,
        decay=first.params.decay,
        recurrent=first.recurrent,
        weight_bits=first.weight_bits,
        membrane_bits=first.params.membrane_bits,
        reset=first.params.reset,
    )
    with torch.no_grad():
        for layer, whole in zip(network.layers, saved.layers, strict=True):
            theta = whole.params.theta
            layer.theta = torch.tensor(float(theta))
            layer.weight.copy_(torch.from_numpy(whole.input_weights / theta))
            if layer.recurrent_weight is not None:
                layer.recurrent_weight.copy_(torch.from_numpy(whole.recurrent_weights / theta))
            layer.leak.fill_(whole.params.lambda_ / theta)
    return network


def test_the_committed_spoken_digits_answer_alike_in_pytorch():
    try:
        values, labels = spoken_digits("test")
    except CimError as error:
        pytest.skip(str(error))
    saved = load_network(shipped("networks", "spoken_digits.h5"))
    layers = [integer_layer(layer) for layer in saved.layers]
    network = in_torch(saved)
    for back, layer in zip(integer_layers(network), layers, strict=True):
        assert back.params == layer.params and np.array_equal(back.weights, layer.weights)
    classes = assert_same(network, layers, saved.encoder.encode(values, saved.steps))
    assert f"{(classes == labels).mean():.4f}" == saved.meta["accuracy"]
