"""Several networks as one: the same answers, gradients and batches as each alone."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pyspice_cim.behavioral.network.encoding import Encoder  # noqa: E402
from pyspice_cim.training.decay import DECAYS  # noqa: E402
from pyspice_cim.training.ensemble import clip_gradients, stack, unstack  # noqa: E402
from pyspice_cim.training.fit import FitSettings, new_network, scores, train  # noqa: E402

SETTINGS = FitSettings(
    shape=(12, 8, 3), steps=6, encoder=Encoder(kind="regular"), recurrent=True, epochs=1, epochs_quantized=1, batch=10
)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def networks(decay, count=3):
    return [new_network(replace(SETTINGS, decay=decay, seed=seed)) for seed in range(count)]


@pytest.mark.parametrize("decay", DECAYS)
def test_unstack_undoes_stack(decay):
    alone = networks(decay)
    for old, new in zip(alone, unstack(stack(alone)), strict=True):
        old_state, new_state = old.state_dict(), new.state_dict()
        assert old_state.keys() == new_state.keys()
        assert all(torch.equal(old_state[name], new_state[name]) for name in old_state)


@pytest.mark.parametrize("decay", DECAYS)
def test_integers_answer_exactly_as_each_alone(decay):
    alone = networks(decay)
    whole = stack(alone)
    whole.start_quantized()
    spikes = (torch.rand(6, 3, 20, 12) < 0.5).float()
    with torch.no_grad():
        together = whole(spikes)
        for number, network in enumerate(alone):
            network.start_quantized()
            assert [int(layer.theta) for layer in network.layers] == [
                int(layer.theta[number]) for layer in whole.layers
            ]
            output = network(spikes[:, number])
            assert torch.equal(output.counts, together.counts[number])
            assert torch.equal(output.membranes, together.membranes[number])
    assert together.counts.sum() > 0
    for network, apart in zip(alone, unstack(whole), strict=True):
        for old, new in zip(network.layers, apart.layers, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(old.integers(), new.integers(), strict=True) if a is not None)


@pytest.mark.parametrize("limit", [0.01, 1e6])
def test_gradients_are_clipped_for_each_copy_alone(limit):
    alone = networks("clamp")
    whole = stack(alone)
    spikes = (torch.rand(6, 3, 20, 12) < 0.5).float()
    scores(whole(spikes)).square().sum().backward()
    clip_gradients(whole, limit)
    for number, network in enumerate(alone):
        scores(network(spikes[:, number])).square().sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), limit)
        for old, new in zip(network.parameters(), whole.parameters(), strict=True):
            # The two sum in another order, in float32.
            assert torch.allclose(old.grad, new.grad[number].reshape(old.grad.shape), rtol=1e-3, atol=1e-5 * limit)


def test_a_copy_trains_as_it_would_alone():
    """To the rounding of float32, whose sums have another order, in a training too short for a spike to move."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 3
    values = 0.8 * (rng.random((3, 12)) < 0.4)[labels] + 0.2 * rng.random((40, 12))
    alone, batches = [], []
    for seed in range(2):
        alone.append(new_network(replace(SETTINGS, seed=seed)))
        batches.append(torch.Generator())
        batches[-1].set_state(torch.get_rng_state())
    whole = stack(alone)
    train(whole, values, labels, SETTINGS, batches=batches)
    for seed, apart in enumerate(unstack(whole)):
        network = new_network(replace(SETTINGS, seed=seed))
        train(network, values, labels, replace(SETTINGS, seed=seed))
        for old, new in zip(network.parameters(), apart.parameters(), strict=True):
            assert torch.allclose(old, new, rtol=1e-3, atol=1e-4)
