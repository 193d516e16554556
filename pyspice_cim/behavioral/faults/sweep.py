"""Accuracy of a network on macros that fail, against supply voltage and cycle time."""

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
from pyspice_cim.checks import as_sliceable
from pyspice_cim.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class FaultPoint:
    """Rates of failures at a supply ``vdd`` (V) and a ``cycle`` (s)."""

    vdd: float
    cycle: float
    rates: FaultRates


@dataclass(frozen=True, kw_only=True)
class FaultAccuracy:
    """Accuracy at a point.

    Attributes:
        accuracy: mean over chips and samples.
        low, high: confidence interval of the accuracy of a chip drawn at random on an image drawn at random, see
            ``accuracy_interval``.
        chips: accuracy of each chip, in the order of the seeds.
        confidence: of the interval.
    """

    point: FaultPoint
    accuracy: float
    low: float
    high: float
    chips: tuple[float, ...]
    samples: int
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
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
    """Accuracy at each of ``points``; the chips of all points have the same ``seeds``.

    Args:
        spikes: as for ``fast_run``; ``labels``: class of every sample.

    Raises:
        DataError: for spikes or labels of another form.
        ConfigError: without a point or a seed, or if the confidence is not between 0 and 1.
    """
    if not points or not len(seeds):
        raise ConfigError(f"{len(points)} points and {len(seeds)} seeds are given; give one at least of each")
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence is {confidence!r}; it must be between 0 and 1")
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
    """Interval of the mean accuracy p of ``chips`` that saw the same ``samples``: two independent errors, added as squares.

    p - sqrt((p - w_low)^2 + h^2) to p + sqrt((w_high - p)^2 + h^2), between 0 and 1, where w is Wilson's interval of the
    samples, each counted once however many chips there are, and h = t s / sqrt(m) is that of m chips with standard
    deviation s, with Student's t of m - 1 degrees of freedom. One chip says nothing of its like: then h = 0.
    """
    share = float(np.mean(chips))
    low, high = wilson_interval(share, samples, confidence)
    half = 0.0
    if len(chips) > 1:
        half = float(student.ppf((1 + confidence) / 2, len(chips) - 1) * np.std(chips, ddof=1) / len(chips) ** 0.5)
    return max(0.0, share - math.hypot(share - low, half)), min(1.0, share + math.hypot(high - share, half))


def wilson_interval(share: float, samples: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a ``share`` of ``samples``, with z the normal quantile of (1 + ``confidence``) / 2.

        (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    z = float(norm.ppf((1 + confidence) / 2))
    centre = share + z**2 / (2 * samples)
    half = z * (share * (1 - share) / samples + z**2 / (4 * samples**2)) ** 0.5
    scale = 1 + z**2 / samples
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
