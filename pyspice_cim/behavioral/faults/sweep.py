"""Accuracy of a network on macros with faults, against supply voltage and cycle time."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from pyspice_cim.behavioral.faults.model import FaultRates, run_with_faults
from pyspice_cim.behavioral.macro.mapping import Mapping
from pyspice_cim.behavioral.network.readout import check_labels, classify
from pyspice_cim.behavioral.network.reference import check_shape
from pyspice_cim.checks import as_sliceable, check_integer, check_number
from pyspice_cim.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class FaultPoint:
    """Failure rates at an operating point.

    Attributes:
        vdd: supply, in volts.
        cycle: cycle time, in seconds.
        rates: failure rates at this supply and cycle.
    """

    vdd: float
    cycle: float
    rates: FaultRates


@dataclass(frozen=True, kw_only=True)
class FaultAccuracy:
    """Accuracy at an operating point.

    Attributes:
        point: supply, cycle and failure rates.
        accuracy: mean over chips and samples, 0 to 1.
        low, high: confidence interval of the mean accuracy over all chips and samples (``accuracy_interval``).
        chips: accuracy of each chip, in the order of the seeds.
        samples: number of samples that each chip classified.
        confidence: confidence level of the interval, between 0 and 1.
    """

    point: FaultPoint
    accuracy: float
    low: float
    high: float
    chips: tuple[float, ...]
    samples: int
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return the accuracy as plain data, ready for JSON."""
        return asdict(self)


def fault_sweep(
    mapping: Mapping,
    spikes: Any,
    labels: NDArray[np.integer[Any]],
    points: Sequence[FaultPoint],
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    confidence: float = 0.95,
    threads: int | None = None,
) -> tuple[FaultAccuracy, ...]:
    """Return the accuracy at each of ``points``.

    Args:
        mapping: the network on its macros.
        spikes: input spikes 0 or 1, shape (time, batch, *shape of a sample).
        labels: class of each sample, shape (batch,).
        points: operating points with their failure rates.
        seeds: one chip per seed; all points use the same seeds.
        confidence: confidence level of the intervals, between 0 and 1.
        threads: number of threads; by default one per processor.

    Returns:
        One ``FaultAccuracy`` per point, in their order.

    Raises:
        DataError: if ``spikes`` or ``labels`` have another shape, or a label is no class.
        ConfigError: without a point or a seed, or if ``confidence`` is not between 0 and 1.
    """
    if not points or not len(seeds):
        raise ConfigError(f"{len(points)} points and {len(seeds)} seeds are given; give one at least of each")
    _check_confidence(confidence)
    spikes = as_sliceable(spikes)
    check_shape(tuple(spikes.shape))
    labels = check_labels(labels, spikes.shape[1], int(np.prod(mapping.maps[-1].link.output)))
    samples, found = len(labels), []
    for point in points:
        chips = []
        for seed in seeds:
            run = run_with_faults(mapping, spikes, point.rates, seed=seed, threads=threads)
            counts = run.spike_counts.reshape(samples, -1)
            chips.append(float(np.mean(classify(counts, run.membranes[-1].reshape(counts.shape)) == labels)))
        accuracy = float(np.mean(chips))
        low, high = accuracy_interval(chips, samples, confidence)
        found.append(
            FaultAccuracy(
                point=point,
                accuracy=accuracy,
                low=low,
                high=high,
                chips=tuple(chips),
                samples=samples,
                confidence=confidence,
            )
        )
    return tuple(found)


def accuracy_interval(chips: Sequence[float], samples: int, confidence: float) -> tuple[float, float]:
    """Return the confidence interval (low, high) of the mean accuracy p of chips that saw the same samples.

    The errors of samples and of chips are independent, so their squares add (G. Y. Zou, A. Donner, Statistics in
    Medicine 27, 2008)::

        low  = p - sqrt((p - w_low)^2 + h^2)
        high = p + sqrt((w_high - p)^2 + h^2)
        h    = t s / sqrt(m)

    w is Wilson's interval for the samples; a sample counts once, however many chips classify it. s is the standard
    deviation of m chips and t the quantile of Student's t with m - 1 degrees of freedom. One chip shows no spread: then
    h = 0. The interval is cut to 0 to 1.

    Args:
        chips: accuracy of each chip, 0 to 1.
        samples: number of samples, 1 or more.
        confidence: confidence level, between 0 and 1.

    Raises:
        DataError: without a chip, or if an accuracy is not from 0 to 1.
        ConfigError: if ``samples`` or ``confidence`` are out of range.
    """
    if not len(chips):
        raise DataError("there is no chip; give the accuracy of at least one")
    for share in chips:
        _check_share(share)
    share = float(np.mean(chips))
    low, high = wilson_interval(share, samples, confidence)
    half = 0.0
    if len(chips) > 1:
        half = float(student.ppf((1 + confidence) / 2, len(chips) - 1) * np.std(chips, ddof=1) / len(chips) ** 0.5)
    return max(0.0, share - math.hypot(share - low, half)), min(1.0, share + math.hypot(high - share, half))


def wilson_interval(share: float, samples: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's score interval (low, high) of a share p of n samples.

        (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    z is the normal quantile of (1 + confidence) / 2. p may be a mean over chips, so p n need not be an integer
    (``scipy.stats.binomtest`` needs one). Source: E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", JASA 22 (1927).

    Args:
        share: p, 0 to 1.
        samples: n, 1 or more.
        confidence: confidence level, between 0 and 1.

    Raises:
        DataError: if ``share`` is not from 0 to 1.
        ConfigError: if ``samples`` or ``confidence`` are out of range.
    """
    _check_share(share)
    check_integer("samples", samples, 1)
    _check_confidence(confidence)
    z = float(norm.ppf((1 + confidence) / 2))
    centre = share + z**2 / (2 * samples)
    half = z * (share * (1 - share) / samples + z**2 / (4 * samples**2)) ** 0.5
    scale = 1 + z**2 / samples
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def _check_share(share: float) -> None:
    # max(0, NaN) and min(1, NaN) are 0 and 1: an interval of everything, made of nothing.
    if not 0.0 <= share <= 1.0:
        raise DataError(f"an accuracy is {share!r}; it must be from 0 to 1")


def _check_confidence(confidence: float) -> None:
    if not 0.0 < check_number("confidence", confidence) < 1.0:
        raise ConfigError(f"confidence is {confidence!r}; it must be between 0 and 1")
