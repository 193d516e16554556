"""Tails by importance sampling: margins whose failure probability is known, then ngspice against brute force."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from pyspice_cim.characterization.importance import Tail, tail_probabilities, tail_probability

SAMPLES = 600


def estimate(margin: Callable, dimensions: int, *, seed: int = 0, samples: int = SAMPLES, spec: float = 0.0) -> Tail:
    def run(z):
        return margin(z)
        yield

    generator = tail_probability(run, dimensions, samples=samples, seed=seed, spec=spec)
    with pytest.raises(StopIteration) as stop:
        next(generator)
    return stop.value.value


def holds(tail: Tail, exact: float) -> bool:
    """Whether the 95 % interval, widened to 4 sigma in log(P), holds ``exact``: one in 16000 does not."""
    assert not tail.reason, tail.reason
    half = 2.05 * np.log(tail.interval[1] / tail.probability)
    return abs(np.log(tail.probability / exact)) < half


@given(
    sigma=st.floats(1.0, 7.0), dimensions=st.integers(1, 20), scale=st.floats(1e-12, 1e3), seed=st.integers(0, 10**6)
)
@settings(max_examples=40, deadline=None)
def test_a_linear_margin_has_its_normal_tail(sigma: float, dimensions: int, scale: float, seed: int) -> None:
    direction = np.random.default_rng(seed).standard_normal(dimensions)
    direction /= np.linalg.norm(direction)
    tail = estimate(lambda z: scale * (sigma - z @ direction), dimensions, seed=seed)
    assert holds(tail, norm.sf(sigma))
    assert tail.shift_norm == pytest.approx(sigma, abs=0.05)
    assert tail.sigma == pytest.approx(sigma, abs=0.25)


@pytest.mark.parametrize("sigma", [2.0, 4.0, 6.0])
@pytest.mark.parametrize("curvature", [-0.1, 0.05])
def test_a_curved_margin_has_the_probability_of_its_integral(sigma: float, curvature: float) -> None:
    exact = quad(lambda y: norm.pdf(y) * norm.sf(sigma - curvature * y**2), -14, 14, epsabs=0, epsrel=1e-8)[0]
    assert holds(estimate(lambda z: sigma - z[:, 0] - curvature * z[:, 1] ** 2, 6, seed=5), exact)


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_two_mirrored_failures_are_both_found(sigma: float) -> None:
    tail = estimate(lambda z: sigma - np.abs(z[:, 0]), 6, seed=2)
    assert len(tail.points) == 2
    assert holds(tail, 2 * norm.sf(sigma))


def test_ninety_five_percent_of_the_intervals_hold_the_truth() -> None:
    inside = 0
    for seed in range(60):
        tail = estimate(lambda z: 4.0 - z[:, 0] - 0.05 * z[:, 1] ** 2, 4, seed=seed, samples=300)
        exact = quad(lambda y: norm.pdf(y) * norm.sf(4.0 - 0.05 * y**2), -14, 14, epsabs=0, epsrel=1e-8)[0]
        inside += tail.interval[0] < exact < tail.interval[1]
    # Binomial(60, 0.95): 49 or fewer has a probability below 1 in 1000.
    assert inside > 49


def test_the_spec_moves_the_limit_and_not_the_margin() -> None:
    assert holds(estimate(lambda z: 5.0 - z[:, 0], 3, spec=2.0), norm.sf(3.0))


def test_limits_share_their_samples_and_each_has_its_own_probability() -> None:
    specs = (-2.0, -3.0, -4.5)

    def run(z):
        return -z[:, 0]
        yield

    with pytest.raises(StopIteration) as stop:
        next(tail_probabilities(run, 5, samples=SAMPLES, seed=3, specs=specs))
    for spec, tail in zip(specs, stop.value.value, strict=True):
        assert holds(tail, norm.sf(-spec))
        # The exploration, at most ten steps of two searches for each limit, and the samples of all.
        assert tail.simulated <= 48 + 3 * (10 * 2 * 6 + SAMPLES)


@pytest.mark.parametrize("plateau", [3.5, 5.0])
def test_a_search_that_begins_where_all_fails_alike_comes_back(plateau: float) -> None:
    # A delay that is measured in a pulse is the whole pulse wherever it would be longer.
    assert holds(estimate(lambda z: 3.0 - np.minimum(2.0 * z[:, 0], plateau), 4, seed=1), norm.sf(1.5))


def test_a_margin_that_never_fails_has_a_reason_and_no_probability() -> None:
    tail = estimate(lambda z: np.ones(len(z)), 4)
    assert np.isnan(tail.probability) and "no failure was found" in tail.reason


def test_too_few_samples_say_so() -> None:
    tail = estimate(lambda z: 6.0 - z[:, 0], 4, samples=16)
    assert np.isnan(tail.probability) and "tail_samples" in tail.reason


def test_copies_without_a_value_are_left_out_and_counted() -> None:
    def margin(z):
        return np.where(z[:, 1] > 1.5, np.nan, 3.0 - z[:, 0])

    tail = estimate(margin, 4)
    assert tail.failed > 0
    assert holds(tail, norm.sf(3.0))


def test_the_same_seed_gives_the_same_and_more_samples_a_narrower_interval() -> None:
    few, again, many = (estimate(lambda z: 4.5 - z[:, 0], 4, seed=9, samples=n) for n in (400, 400, 3200))
    assert few.probability == again.probability
    assert np.log(many.interval[1] / many.probability) < 0.6 * np.log(few.interval[1] / few.probability)
