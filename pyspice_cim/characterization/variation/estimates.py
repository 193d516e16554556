"""Statistics of n samples, each with a 95 % confidence interval.

    mean       x - t s / sqrt(n) to x + t s / sqrt(n)           t: 97.5 % quantile of Student's t
    sigma      s sqrt((n - 1) / c_high) to s sqrt((n - 1) / c_low)    c: 97.5 % and 2.5 % quantiles of chi squared
    quantile   X_(l) to X_(u), P(B < l) <= 2.5 %, P(B >= u) <= 2.5 %    X_(i): i-th smallest sample, B binomial(n, q)
    fraction   Beta(k, n - k + 1) to Beta(k + 1, n - k)         2.5 % and 97.5 % quantiles, k of n samples failed

Student's t and chi squared have n - 1 degrees of freedom; x is the mean and s the standard deviation of the samples.
The intervals of mean and sigma are exact for a normal distribution. The interval of a quantile needs no assumption on
the distribution (H. A. David, H. N. Nagaraja, "Order Statistics", Wiley, 2003). It is infinite where the sample does
not reach: a lower bound of the 0.1 % quantile needs 3688 samples. The interval of a fraction is exact for every n (C.
J. Clopper, E. S. Pearson, Biometrika 26, 1934).

All intervals assume independent samples, the sampler ``random``. The samplers ``sobol`` and ``lhs`` spread the samples
more evenly, so these intervals are too wide as a rule. The mean of a Latin hypercube has at most n / (n - 1) of the
variance (A. B. Owen, SIAM J. Numer. Anal. 34, 1997). No theorem states the coverage. ``INTERVALS`` labels the intervals
in a table.
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
# By sampler: the words that the description of a quantity has for its intervals.
INTERVALS = {
    "random": "of independent samples",
    "sobol": "as of independent samples: too wide as a rule for those of a Sobol sequence",
    "lhs": "as of independent samples: too wide as a rule for those of a Latin hypercube",
}
_TAIL = 0.025


def statistics(values: Array) -> Array:
    """Return ``STATISTICS`` of ``values`` with their ``BOUNDS``, shape (statistics, bounds).

    A positive infinite value, such as the delay of a failed write, has its rank among the quantiles. Mean and sigma are
    infinite then.

    Args:
        values: samples, shape (samples,), in any unit; NaN is left out.

    Returns:
        The statistics in the unit of ``values``; all NaN for fewer than two samples.
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
    """Return the quantile ``q`` of ``ordered`` samples and its bounds X_(l) and X_(u); ranks count from 1."""
    n = ordered.size
    lower = int(binom.ppf(_TAIL, n, q))
    upper = int(binom.ppf(1 - _TAIL, n, q)) + 1
    return [
        # An order statistic as well, not interpolated: no number lies between a finite and an infinite value.
        float(np.quantile(ordered, q, method="inverted_cdf")),
        float(ordered[lower - 1]) if lower >= 1 else -np.inf,
        float(ordered[upper - 1]) if upper <= n else np.inf,
    ]


def fraction(failed: NDArray[np.bool_]) -> Array:
    """Return the fraction of failed samples with its ``BOUNDS`` (Clopper-Pearson), shape (3,).

    ``scipy.stats.binomtest`` has the same interval from a root search, which is accurate to 2e-12 absolute only. The
    quantiles of the beta distribution keep all digits of a small fraction.

    Args:
        failed: whether a sample failed, shape (samples,).

    Returns:
        Estimate, lower and upper bound, 0 to 1; all NaN without samples.
    """
    n, k = failed.size, int(failed.sum())
    if not n:
        return np.full(len(BOUNDS), np.nan)
    lower = 0.0 if k == 0 else float(beta.ppf(_TAIL, k, n - k + 1))
    upper = 1.0 if k == n else float(beta.ppf(1 - _TAIL, k + 1, n - k))
    return np.array([k / n, lower, upper])
