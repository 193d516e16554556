"""Failure probabilities far beyond the sample, by importance sampling around the most probable failures.

    P = integral of [g(z) < 0] phi(z) dz,    estimate  P = mean of w_i [g(z_i) < 0],   w = phi(z) / h(z),  z_i from h

g is a margin, z standard normal (threshold shifts over their sigmas). h is a mixture of unit normals around the most
probable failure points z*, the points of g = 0 that are nearest to the origin (mean-shift importance sampling; R. Kanj,
R. Joshi, S. Nassif, DAC 2006), and, with a small weight, around the origin, which keeps w bounded.

z* is found by the iteration of Hasofer and Lind, Rackwitz and Fiessler (Computers & Structures 9, 1978):

    z <- (grad g . z - g) grad g / |grad g|^2

with forward differences, all copies of a step in packed decks. It starts from the worst points of an exploration with
wider samples, one in each half-space, so that a margin with two mirrored failures (the lobes of a butterfly) has both.

The estimate says how far it can be trusted: its confidence interval, and the effective number of failing samples
(sum w)^2 / sum w^2. Below ``LEAST_EFFECTIVE`` there is no value but a reason.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp, ndtri
from scipy.stats import norm

from pyspice_cim.characterization.measure import Array
from pyspice_cim.characterization.simulation import Outcome, Simulation

Margin = Callable[[Array], Generator[list[Simulation], list[Outcome], Array]]
"""From z [sample, dimension] to the margins [sample], in any unit; NaN where a simulation failed."""

LEAST_EFFECTIVE = 20.0
# Samples and their sigma of the exploration.
_EXPLORED, _WIDE = 48, 2.5
# Step of a forward difference, sigmas; iterations; change of z, sigmas, that ends them; longest step, sigmas.
_DIFFERENCE, _ITERATIONS, _CONVERGED, _STRIDE = 0.1, 10, 0.05, 3.0
# Weight of the component around the origin; further failure points count up to this distance beyond the nearest.
_DEFENSIVE, _FURTHER = 0.05, 2.0
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Tail:
    """A failure probability and how far it can be trusted.

    Attributes:
        probability: of failure; NaN where there is a ``reason``.
        interval: 95 % confidence, normal in log(probability).
        points: most probable failures, sigmas: [point, dimension].
        effective: effective number of failing samples.
        simulated: margins that were evaluated, all together.
        failed: simulations among the samples that failed; they count neither as failures nor as passes.
        reason: why there is no probability.
    """

    probability: float
    interval: tuple[float, float]
    points: Array
    effective: float
    simulated: int
    failed: int
    reason: str = ""

    @classmethod
    def unknown(cls, reason: str) -> "Tail":
        """A tail that nothing was simulated for."""
        nan = float("nan")
        none = np.zeros((0, 0))
        return cls(
            probability=nan, interval=(nan, nan), points=none, effective=0.0, simulated=0, failed=0, reason=reason
        )

    @property
    def sigma(self) -> float:
        """Equivalent sigma: the threshold that a standard normal number exceeds with the same probability."""
        return float(-ndtri(self.probability))

    @property
    def sigma_interval(self) -> tuple[float, float]:
        """95 % confidence of ``sigma``: the larger probability is the smaller sigma."""
        low, high = self.interval
        return float(-ndtri(high)), float(-ndtri(low))

    @property
    def shift_norm(self) -> float:
        """Distance of the nearest most probable failure from the origin, sigmas."""
        return float(np.linalg.norm(self.points, axis=1).min()) if len(self.points) else float("nan")


def tail_probabilities(
    margin: Margin, dimensions: int, *, samples: int, seed: int, specs: Sequence[float]
) -> Generator[list[Simulation], list[Outcome], tuple[Tail, ...]]:
    """Probability that ``margin`` is below each of ``specs`` for standard normal z.

    All limits share the exploration and the importance samples: a margin is simulated once, wherever its limit lies.

    Args:
        samples: importance samples for each of ``specs``; sample i is drawn from a generator seeded by (seed, i).
    """
    counted = _Counted(margin=margin)
    rng = np.random.default_rng([seed, 2**31])
    explored = _WIDE * rng.standard_normal((_EXPLORED, dimensions))
    values = yield from counted(explored)
    starts = _starts(explored, values)
    found: list[Array] = []
    for spec in specs:
        points = yield from _failure_points(counted, starts, spec)
        found.append(points)
        # The next limit is failed in much the same way.
        starts = points if len(points) else starts
    if not any(map(len, found)):
        reason = "no failure was found: the margin does not reach its limit"
        return tuple(_untold(reason, points, counted) for points in found)
    places = np.concatenate(found)
    rows = np.stack([_draw(places, seed, index) for index in range(samples * len(specs))])
    values = yield from counted(rows)
    weights = np.exp(_log_density(rows, np.zeros((1, dimensions)), np.ones(1)) - _log_density(rows, *_mixture(places)))
    return tuple(
        _estimate(values, weights, spec, points, counted, samples) for spec, points in zip(specs, found, strict=True)
    )


def tail_probability(
    margin: Margin, dimensions: int, *, samples: int, seed: int, spec: float = 0.0
) -> Generator[list[Simulation], list[Outcome], Tail]:
    """``tail_probabilities`` for a single limit."""
    (tail,) = yield from tail_probabilities(margin, dimensions, samples=samples, seed=seed, specs=(spec,))
    return tail


def _estimate(values: Array, weights: Array, spec: float, points: Array, counted: "_Counted", samples: int) -> Tail:
    good = ~np.isnan(values)
    hits = np.where(good & (values < spec), weights, 0.0)
    count, failed = int(good.sum()), int((~good).sum())
    if not hits.any():
        return _untold("none of the samples around the most probable failure fails", points, counted, failed)
    probability = float(hits.sum() / count)
    effective = float(hits.sum() ** 2 / (hits**2).sum())
    if effective < LEAST_EFFECTIVE:
        reason = (
            f"{effective:.3g} effective failing samples are too few; raise monte_carlo.tail_samples above {samples}"
        )
        return _untold(reason, points, counted, failed, effective)
    error = float(np.sqrt(max((hits[good] ** 2).mean() - probability**2, 0.0) / count)) / probability
    factor = float(np.exp(norm.ppf((1 + _CONFIDENCE) / 2) * error))
    return Tail(
        probability=probability,
        interval=(probability / factor, min(probability * factor, 1.0)),
        points=points,
        effective=effective,
        simulated=counted.simulated,
        failed=failed,
    )


def _untold(reason: str, points: Array, counted: "_Counted", failed: int = 0, effective: float = 0.0) -> Tail:
    nan = float("nan")
    return Tail(
        probability=nan,
        interval=(nan, nan),
        points=points,
        effective=effective,
        simulated=counted.simulated,
        failed=failed,
        reason=reason,
    )


@dataclass
class _Counted:
    """A margin, and how often it was evaluated."""

    margin: Margin
    simulated: int = 0

    def __call__(self, rows: Array) -> Generator[list[Simulation], list[Outcome], Array]:
        self.simulated += len(rows)
        values = yield from self.margin(rows)
        return np.asarray(values)


def _starts(explored: Array, values: Array) -> Array:
    """The worst of the explored points, and the worst one in the opposite half-space."""
    values = np.where(np.isnan(values), np.inf, values)
    worst = explored[values.argmin()]
    opposite = explored @ worst < 0
    starts = [worst]
    if opposite.any():
        starts.append(explored[np.where(opposite, values, np.inf).argmin()])
    return np.stack(starts)


def _failure_points(margin: _Counted, starts: Array, spec: float) -> Generator[list[Simulation], list[Outcome], Array]:
    """The most probable failures: the nearest one, and others that are not much farther."""
    points = yield from _search(margin, starts, spec)
    points = points[np.argsort(np.linalg.norm(points, axis=1))]
    kept: list[Array] = []
    for point in points:
        near = not kept or np.linalg.norm(point) < np.linalg.norm(kept[0]) + _FURTHER
        if near and all(np.linalg.norm(point - other) > 1.0 for other in kept):
            kept.append(point)
    return np.array(kept).reshape(-1, starts.shape[1])


def _search(margin: _Counted, starts: Array, spec: float) -> Generator[list[Simulation], list[Outcome], Array]:
    """Points of g = spec nearest to the origin, from each of ``starts``; those of searches that found none are left out."""
    points, dimensions = starts.copy(), starts.shape[1]
    reached, stepped = np.zeros(len(points), dtype=bool), np.zeros(len(points), dtype=bool)
    steps = np.concatenate([np.zeros((1, dimensions)), _DIFFERENCE * np.eye(dimensions)])
    for _ in range(_ITERATIONS):
        active = np.flatnonzero(~reached)
        if not active.size:
            break
        values = yield from margin((points[active, None, :] + steps).reshape(-1, dimensions))
        for place, row in zip(active, (values - spec).reshape(len(active), -1), strict=True):
            slope = (row[1:] - row[0]) / _DIFFERENCE
            steepness = float(slope @ slope)
            stepped[place] = np.isfinite(steepness) and steepness > 0.0
            if not stepped[place]:
                # Where all fails alike, as a read that never comes, no direction is better: back towards the origin.
                points[place] /= 2.0
                continue
            change = (slope @ points[place] - row[0]) * slope / steepness - points[place]
            length = float(np.linalg.norm(change))
            points[place] = points[place] + change * min(1.0, _STRIDE / max(length, 1e-12))
            reached[place] = length < _CONVERGED
    # A search that still wanders within a sigma is near enough to sample around; the weights are exact in any case.
    return points[stepped]


def _mixture(points: Array) -> tuple[Array, Array]:
    """Centres and weights of h."""
    centres = np.concatenate([np.zeros((1, points.shape[1])), points])
    return centres, np.array([_DEFENSIVE, *np.full(len(points), (1 - _DEFENSIVE) / len(points))])


def _draw(points: Array, seed: int, index: int) -> Array:
    centres, weights = _mixture(points)
    rng = np.random.default_rng([seed, index])
    return np.asarray(centres[rng.choice(len(weights), p=weights)] + rng.standard_normal(points.shape[1]))


def _log_density(rows: Array, centres: Array, weights: Array) -> Any:
    """Logarithm of a mixture of unit normals, but for a constant."""
    distances = ((rows[:, None, :] - centres) ** 2).sum(axis=2)
    return logsumexp(-0.5 * distances, b=weights, axis=1)
