"""What a sample says about its distribution, each number with its 95 % confidence interval.

mean       Student's t                              sigma      chi squared (both exact for a normal distribution)
quantile   order statistics: the ranks l and u with P(B < l) <= 2.5 % and P(B >= u) <= 2.5 %, B binomial(n, q); no
           assumption on the distribution. A bound beyond the sample is infinite: a lower one of the 0.1 % quantile needs
           3688 samples.
fraction   Clopper-Pearson, exact for every sample size

All of this is for independent samples, the sampler ``random``. Samples of ``sobol`` and ``lhs`` are more even than that, and
their means and fractions as a rule vary less, so that the same intervals are too wide: a Latin hypercube's mean has at
most n / (n - 1) of the variance (A. B. Owen, SIAM J. Numer. Anal. 34, 1997), but no theorem has the coverage, least of all
of a quantile. ``INTERVALS`` says it in the tables.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom, chi2, t

from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.tables.contract import BOUND, STATISTIC

STATISTICS = STATISTIC.texts
# Mean and sigma come first.
QUANTILES = dict(zip(STATISTICS[2:], (0.001, 0.01, 0.5, 0.99, 0.999), strict=True))
BOUNDS = BOUND.texts
# Sampler -> what its intervals are, for the description of a quantity.
INTERVALS = {
    "random": "of independent samples",
    "sobol": "as of independent samples: too wide as a rule for those of a Sobol sequence",
    "lhs": "as of independent samples: too wide as a rule for those of a Latin hypercube",
}
_TAIL = 0.025


def statistics(values: Array) -> Array:
    """``STATISTICS`` of ``values`` (NaN left out) with their ``BOUNDS``: [statistic, bound]; NaN for fewer than two.

    An infinite value, such as the delay of a write that does not happen, has its rank among the quantiles; mean and sigma
    are infinite then.
    """
    known = np.sort(values[~np.isnan(values)])
    n = known.size
    if n < 2:
        return np.full((len(STATISTICS), len(BOUNDS)), np.nan)
    quantiles = [_quantile(known, q) for q in QUANTILES.values()]
    if np.isinf(known).any():
        return np.array([[np.inf, -np.inf, np.inf], [np.inf, 0.0, np.inf], *quantiles])
    mean, sigma = float(known.mean()), float(known.std(ddof=1))
    half = float(t.ppf(1 - _TAIL, n - 1)) * sigma / np.sqrt(n)
    low, high = (float(chi2.ppf(p, n - 1)) for p in (_TAIL, 1 - _TAIL))
    rows = [
        [mean, mean - half, mean + half],
        [sigma, sigma * np.sqrt((n - 1) / high), sigma * np.sqrt((n - 1) / low)],
        *quantiles,
    ]
    return np.array(rows)


def _quantile(ordered: Array, q: float) -> list[float]:
    """Quantile and bounds from order statistics: X_(l) <= quantile <= X_(u), ranks from 1."""
    n = ordered.size
    lower = int(binom.ppf(_TAIL, n, q))
    upper = int(binom.ppf(1 - _TAIL, n, q)) + 1
    return [
        # An order statistic as well: between a finite and an infinite value there is no number.
        float(np.quantile(ordered, q, method="inverted_cdf")),
        float(ordered[lower - 1]) if lower >= 1 else -np.inf,
        float(ordered[upper - 1]) if upper <= n else np.inf,
    ]


def fraction(failed: NDArray[np.bool_]) -> Array:
    """Fraction of ``failed`` that is true, with its ``BOUNDS``; NaN for an empty one."""
    n, k = failed.size, int(failed.sum())
    if not n:
        return np.full(len(BOUNDS), np.nan)
    lower = 0.0 if k == 0 else float(beta.ppf(_TAIL, k, n - k + 1))
    upper = 1.0 if k == n else float(beta.ppf(1 - _TAIL, k + 1, n - k))
    return np.array([k / n, lower, upper])
