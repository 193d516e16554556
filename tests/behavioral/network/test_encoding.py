"""Spike encoders: rates, seeds, and independence of how a data set is cut into batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.behavioral.network.encoding import Encoder, delta_encode, latency_encode, rate_encode, regular_encode
from pyspice_cim.errors import ConfigError, DataError

IMAGES = np.random.default_rng(3).random((12, 10))


RATES = ["bernoulli", "regular"]
KINDS = [*RATES, "latency"]
SIGNALS = np.random.default_rng(4).random((12, 9, 10))


@given(st.integers(0, 12), st.sampled_from(KINDS), st.booleans(), st.integers(0, 2**64 - 1), st.integers(0, 2**40))
def test_batch_split_does_not_matter(cut, kind, signal, seed, first):
    values = SIGNALS if signal and kind in RATES else IMAGES
    encoder = Encoder(kind=kind, max_rate=0.7 if kind in RATES else 1.0, seed=seed)
    whole = encoder.encode(values, 9, first)
    parts = [encoder.encode(values[:cut], 9, first), encoder.encode(values[cut:], 9, first + cut)]
    assert np.array_equal(whole, np.concatenate(parts, axis=1))


@pytest.mark.parametrize("kind", RATES)
def test_a_constant_signal_is_coded_as_its_value(kind):
    encoder = Encoder(kind=kind, max_rate=0.5, seed=3)
    # Multiples of 1/64 add up without rounding, so that both ways count alike.
    images = np.round(64 * IMAGES) / 64
    signal = np.repeat(images[:, None], 9, axis=1)
    assert np.array_equal(encoder.encode(signal, 9), encoder.encode(images, 9))


@pytest.mark.parametrize("max_rate", [1.0, 0.5, 0.1])
def test_a_sum_that_is_the_next_whole_number_fires_in_its_step(max_rate):
    """Ten times 0.1 is 0.9999999999999999 when it is added up, and 50 times 0.58 is below 29 when it is multiplied."""
    images = np.arange(101)[:, None] / 100
    spikes = regular_encode(images, 100, max_rate=max_rate)
    assert np.array_equal(regular_encode(np.repeat(images[:, None], 100, axis=1), 100, max_rate=max_rate), spikes)
    whole = np.arange(101)[None] * np.arange(1, 101)[:, None] * round(10 * max_rate) // 1000
    assert np.array_equal(np.cumsum(spikes[:, :, 0], axis=0, dtype=int), whole)


def test_regular_counts_of_a_signal_follow_its_sum():
    counts = np.cumsum(regular_encode(SIGNALS, 9, max_rate=0.6), axis=0)
    due = np.moveaxis(np.cumsum(0.6 * SIGNALS, axis=1), 1, 0)
    assert np.abs(counts - due).max() < 1 + 1e-9


def test_bernoulli_spikes_of_a_signal_come_where_it_is_not_zero():
    signal = np.zeros((2, 6, 3))
    signal[:, 2:4] = 1
    assert np.array_equal(np.moveaxis(rate_encode(signal, 6, 5), 1, 0), signal)


@given(st.integers(1, 60), st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_latency_is_one_spike_and_earlier_for_the_larger(steps, values):
    spikes = latency_encode(np.array([values]), steps)[:, 0]
    assert np.array_equal(spikes.sum(axis=0), np.array(values) > 0)
    when = np.where(spikes.any(axis=0), spikes.argmax(axis=0), steps)
    order = np.argsort(values)
    assert (np.diff(when[order]) <= 0).all()
    assert all(at == 0 for at, value in zip(when, values, strict=True) if value == 1)


def test_latency_uses_all_steps():
    assert latency_encode(np.linspace(0.001, 1, 200)[None], 20).sum(axis=(1, 2)).min() > 0


STEP = st.integers(-3, 3)


@given(st.lists(st.lists(STEP, min_size=1, max_size=20), min_size=2, max_size=2), st.sampled_from([0.1, 0.25, 1.7]))
def test_delta_follows_the_signal(changes, threshold):
    length = min(map(len, changes))
    slow = np.cumsum(np.clip([each[:length] for each in changes], -1, 1), axis=1)[:, :, None] * threshold + 0.3
    spikes = delta_encode(slow, threshold).astype(int)
    # A signal that moves by whole thresholds, one at most a step, comes back exactly.
    back = slow[:, :1] + threshold * np.moveaxis(np.cumsum(spikes[:, :, :1] - spikes[:, :, 1:], axis=0), 1, 0)
    assert np.allclose(back, slow)
    assert spikes.min() >= 0 and (spikes[:, :, 0] * spikes[:, :, 1]).max() == 0


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30), st.floats(0.05, 3))
def test_delta_ends_within_a_threshold_of_a_signal_that_rests(values, threshold):
    rest = int(10 / threshold) + 2
    signal = np.array(values + [values[-1]] * rest)[None, :, None]
    spikes = delta_encode(signal, threshold).astype(int)
    reached = values[0] + threshold * (spikes[:, 0, 0] - spikes[:, 0, 1]).sum()
    # The encoder counts a change that is a whole threshold but for 1e-9 of rounding.
    assert abs(reached - values[-1]) < threshold * (1 + 2e-9)


def test_delta_of_the_negative_swaps_up_and_down():
    up_down = delta_encode(SIGNALS, 0.2)
    assert np.array_equal(delta_encode(-SIGNALS, 0.2), np.concatenate([up_down[:, :, 10:], up_down[:, :, :10]], axis=2))
    assert up_down.shape == (9, 12, 20)


@pytest.mark.parametrize(
    ("signal", "threshold", "error", "words"),
    [
        (SIGNALS, 0.0, ConfigError, "threshold is 0.0"),
        (SIGNALS, np.nan, ConfigError, "threshold is nan"),
        (IMAGES, 0.1, DataError, r"shape \(12, 10\); it must be \(batch, steps, channels\)"),
        (np.full((1, 2, 1), np.nan), 0.1, DataError, "not finite"),
    ],
)
def test_bad_signals_are_named(signal, threshold, error, words):
    with pytest.raises(error, match=words):
        delta_encode(signal, threshold)


def test_a_signal_of_another_length_or_for_latency_is_named():
    with pytest.raises(DataError, match="9 steps; the network has 8"):
        Encoder(kind="regular").encode(SIGNALS, 8)
    with pytest.raises(DataError, match="latency codes one value an input"):
        Encoder(kind="latency").encode(SIGNALS, 9)


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


@pytest.mark.parametrize("kind", KINDS)
def test_shape_and_type(kind):
    spikes = Encoder(kind=kind).encode(IMAGES, 7)
    assert (spikes.shape, spikes.dtype) == ((7, 12, 10), np.uint8)
    assert spikes.max() == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("images", "steps", "error", "words"),
    [
        (np.zeros(4), 5, DataError, r"must be \(batch, inputs\) or"),
        (np.array([[1.1]]), 5, DataError, "lie outside 0..1"),
        (np.array([[-0.1]]), 5, DataError, "lie outside 0..1"),
        (np.array([[np.nan]]), 5, DataError, "lie outside 0..1"),
        (np.zeros((1, 1)), 0, ConfigError, "steps is 0"),
    ],
)
def test_bad_images_and_steps_are_named(kind, images, steps, error, words):
    with pytest.raises(error, match=words):
        Encoder(kind=kind).encode(images, steps)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "delta"}, "choose one of bernoulli, regular, latency"),
        ({"kind": "latency", "max_rate": 0.5}, "'latency' gives one spike an input"),
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
