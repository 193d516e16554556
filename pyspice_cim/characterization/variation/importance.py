"""Failure probabilities far beyond the sample, by importance sampling around the most probable failures.

    P = integral of [g(z) < 0] phi(z) dz,    estimate  P = mean of w_i [g(z_i) < 0],   w = phi(z) / h(z),  z_i from h

g is a margin, z standard normal (threshold shifts over their sigmas). h is a mixture of unit normals around the most
probable failure points z* of all regions that ``failure_points.py`` finds (mean-shift importance sampling; R. Kanj,
R. Joshi, S. Nassif, DAC 2006), and, with a small weight, around the origin, which keeps w bounded.

A sample without a margin, because its simulation failed, may be a failure or none. The interval is that of the lower
confidence limit if none of them is and of the upper one if all are; the value lies in the middle of the two estimates.
Where they are more than ``MOST_UNKNOWN`` of the probability, there is no value but a reason.

h is made twice: half of the samples come from unit normals around z*, the other half from normals that were fitted to the
failures of the first half (``mixture.py``); w has the mean of both.

What is guaranteed: w is bounded, so that the estimate tends to P with more samples, whatever the points are. What is not:
that the interval covers 95 %. It is normal in log(P) with a variance taken from the samples, and too narrow if a part of
the failures has hardly a sample: a region that was not found, or a limit so curved in many dimensions that most
failures are far from all z*. The effective number of failing samples, (sum w)^2 / sum w^2, shows the second, and below
``LEAST_EFFECTIVE`` there is no value but a reason; it cannot show the first. ``points`` says how many regions there are.

With 512 samples, at 4.5 sigma in 6, 20 and 40 dimensions, the intervals of one to four flat regions hold the truth for 55
to 60 of 60 seeds. Those of a sphere (radius 14.5 sigma, 4.5 sigma away) do for 53 of 60, 49 of 53 and 36 of 39 seeds; the
other seeds have no value. tests/characterization/variation/test_importance.py repeats that.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtri
from scipy.stats import norm

from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation
from pyspice_cim.characterization.variation.failure_points import Counted, Margin, explore, failure_points
from pyspice_cim.characterization.variation.mixture import Mixture

LEAST_EFFECTIVE = 20.0
# Largest part of a probability that samples whose simulation failed may make up.
MOST_UNKNOWN = 0.01
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Tail:
    """A failure probability and how far it can be trusted.

    Attributes:
        probability: of failure; NaN where there is a ``reason``.
        interval: 95 % confidence, normal in log(probability), widened by the failed simulations.
        points: most probable failures, sigmas: [point, dimension]; one for each region that was found.
        effective: effective number of failing samples.
        simulated: margins that were evaluated, all together.
        failed: samples whose simulation failed.
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
    margin: Margin,
    dimensions: int,
    *,
    samples: int,
    seed: int,
    specs: Sequence[float],
    mirror: Sequence[int] | None = None,
) -> Generator[list[Simulation], list[Outcome], tuple[Tail, ...]]:
    """Probability that ``margin`` is below each of ``specs`` for standard normal z.

    All limits share the exploration and the importance samples: a margin is simulated once, wherever its limit lies.

    Args:
        samples: importance samples for each of ``specs``; sample i is drawn from a generator seeded by (seed, i).
        mirror: the order of the variables of the mirrored circuit, if it has one: where failures are looked for, too.
    """
    counted = Counted(margin=margin)
    explored = yield from explore(counted, dimensions, seed)
    found: list[Array] = []
    hints = np.zeros((0, dimensions))
    for spec in specs:
        points = yield from failure_points(counted, explored, spec, hints=hints, mirror=mirror)
        found.append(points)
        # The next limit is failed in much the same way.
        hints = points if len(points) else hints
    if not any(map(len, found)):
        reason = "no failure was found: the margin does not reach its limit"
        return tuple(_untold(reason, points, counted) for points in found)
    values, weights = yield from _sampled(counted, np.concatenate(found), samples * len(specs), seed, specs)
    return tuple(
        _estimate(values, weights, spec, points, counted, samples) for spec, points in zip(specs, found, strict=True)
    )


def tail_probability(
    margin: Margin,
    dimensions: int,
    *,
    samples: int,
    seed: int,
    spec: float = 0.0,
    mirror: Sequence[int] | None = None,
) -> Generator[list[Simulation], list[Outcome], Tail]:
    """``tail_probabilities`` for a single limit."""
    (tail,) = yield from tail_probabilities(
        margin, dimensions, samples=samples, seed=seed, specs=(spec,), mirror=mirror
    )
    return tail


def _sampled(
    margin: Counted, points: Array, count: int, seed: int, specs: Sequence[float]
) -> Generator[list[Simulation], list[Outcome], tuple[Array, Array]]:
    """Margins of ``count`` samples and their weights phi / h: half from normals around ``points``, half from fitted ones."""
    proposals = [Mixture.around(points)]
    rows, values = np.zeros((0, points.shape[1])), np.zeros(0)
    for first, last in ((0, count // 2), (count // 2, count)):
        if first:
            hits = [np.where(values < spec, _weights(rows, proposals), 0.0) for spec in specs]
            proposals.append(proposals[0].fitted(rows, hits))
        more = np.stack([proposals[-1].draw(seed, index) for index in range(first, last)])
        values = np.concatenate([values, (yield from margin(more))])
        rows = np.concatenate([rows, more])
    return values, _weights(rows, proposals)


def _weights(rows: Array, proposals: Sequence[Mixture]) -> Array:
    """phi / h, h the mean of ``proposals``, of which each has the same share of ``rows``."""
    densities = np.stack([each.log_density(rows) for each in proposals])
    return np.asarray(np.exp(-0.5 * (rows**2).sum(axis=1) - logsumexp(densities, axis=0)) * len(proposals))


def _estimate(values: Array, weights: Array, spec: float, points: Array, counted: Counted, samples: int) -> Tail:
    unknown = np.isnan(values)
    failed = int(unknown.sum())
    hits = np.where(values < spec, weights, 0.0)
    if not hits.any():
        return _untold("none of the samples around the most probable failure fails", points, counted, failed)
    least, most = hits, np.where(unknown, weights, hits)
    share = 1.0 - float(least.sum() / most.sum())
    effective = float(hits.sum() ** 2 / (hits**2).sum())
    if share > MOST_UNKNOWN:
        reason = (
            f"{failed} of {len(values)} simulations failed, which may be up to {share:.2g} of the probability; "
            f"more than {MOST_UNKNOWN:g} is not estimated: see why they fail"
        )
        return _untold(reason, points, counted, failed, effective)
    if effective < LEAST_EFFECTIVE:
        reason = (
            f"{effective:.3g} effective failing samples are too few; raise monte_carlo.tail_samples above {samples}"
        )
        return _untold(reason, points, counted, failed, effective)
    return Tail(
        probability=float(least.mean() + most.mean()) / 2,
        interval=(float(least.mean()) / _factor(least), min(float(most.mean()) * _factor(most), 1.0)),
        points=points,
        effective=effective,
        simulated=counted.simulated,
        failed=failed,
    )


def _factor(hits: Array) -> float:
    """Ratio of a confidence limit to the mean of ``hits``, whose standard error is that of log(P)."""
    error = float(hits.std() / np.sqrt(hits.size) / hits.mean())
    return float(np.exp(norm.ppf((1 + _CONFIDENCE) / 2) * error))


def _untold(reason: str, points: Array, counted: Counted, failed: int = 0, effective: float = 0.0) -> Tail:
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
