"""Spike encoders: rates, seeds, and independence of how a data set is cut into batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.behavioral.encoding import Encoder, rate_encode, regular_encode
from pyspice_cim.errors import ConfigError, DataError

IMAGES = np.random.default_rng(3).random((12, 10))


@given(st.integers(0, 12), st.sampled_from(["bernoulli", "regular"]), st.integers(0, 2**64 - 1), st.integers(0, 2**40))
def test_batch_split_does_not_matter(cut, kind, seed, first):
    encoder = Encoder(kind=kind, max_rate=0.7, seed=seed)
    whole = encoder.encode(IMAGES, 9, first)
    parts = [encoder.encode(IMAGES[:cut], 9, first), encoder.encode(IMAGES[cut:], 9, first + cut)]
    assert np.array_equal(whole, np.concatenate(parts, axis=1))


def test_bernoulli_depends_on_seed_and_index_and_on_nothing_else():
    first = rate_encode(IMAGES, 20, 1)
    assert np.array_equal(first, rate_encode(IMAGES, 20, 1))
    assert not np.array_equal(first, rate_encode(IMAGES, 20, 2))
    assert not np.array_equal(first, rate_encode(IMAGES, 20, 1, first_index=1))


def test_bernoulli_spikes_have_the_rate_of_the_image():
    steps, images = 4000, np.array([[0.0, 0.25, 0.5, 1.0]])
    rates = rate_encode(images, steps, 5, max_rate=0.5).mean(axis=(0, 1))
    sigma = np.sqrt(0.25 / steps)
    assert rates[0] == 0
    assert np.abs(rates - 0.5 * images[0]).max() < 5 * sigma
    assert rate_encode(images, 50, 5)[:, 0, 3].all()


@given(st.integers(1, 200), st.floats(0.01, 1.0))
def test_regular_counts_are_within_one_of_the_rate(steps, max_rate):
    counts = regular_encode(IMAGES, steps, max_rate=max_rate).sum(axis=0)
    assert np.abs(counts - steps * max_rate * IMAGES).max() < 1 + 1e-9


def test_regular_spikes_of_equal_inputs_are_spread_over_the_steps():
    spikes = regular_encode(np.full((1, 64), 0.5), 20, max_rate=0.5)
    per_step = spikes.sum(axis=(1, 2))
    assert per_step.min() >= 12 and per_step.max() <= 20


@pytest.mark.parametrize("kind", ["bernoulli", "regular"])
def test_shape_and_type(kind):
    spikes = Encoder(kind=kind).encode(IMAGES, 7)
    assert (spikes.shape, spikes.dtype) == ((7, 12, 10), np.uint8)
    assert spikes.max() == 1


@pytest.mark.parametrize("kind", ["bernoulli", "regular"])
@pytest.mark.parametrize(
    ("images", "steps", "error", "words"),
    [
        (np.zeros(4), 5, DataError, r"must be \(batch, inputs\)"),
        (np.array([[1.1]]), 5, DataError, "outside 0..1"),
        (np.array([[-0.1]]), 5, DataError, "outside 0..1"),
        (np.array([[np.nan]]), 5, DataError, "outside 0..1"),
        (np.zeros((1, 1)), 0, ConfigError, "steps is 0"),
    ],
)
def test_bad_images_and_steps_are_named(kind, images, steps, error, words):
    with pytest.raises(error, match=words):
        Encoder(kind=kind).encode(images, steps)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "latency"}, "choose one of bernoulli, regular"),
        ({"max_rate": 0.0}, "max_rate is 0.0"),
        ({"max_rate": 1.5}, "max_rate is 1.5"),
        ({"max_rate": float("nan")}, "max_rate is nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_encoders_are_named(fields, words):
    with pytest.raises(ConfigError, match=words):
        Encoder(**fields)


def test_a_negative_first_index_is_named():
    with pytest.raises(ConfigError, match="first_index is -1"):
        rate_encode(IMAGES, 5, 0, first_index=-1)
