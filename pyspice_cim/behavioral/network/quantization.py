"""Real weights and a real threshold on one grid of integers, and decays that fit a membrane.

``w`` are the real weights and ``T`` is the real threshold of a layer. A layer has one scale ``S``: the number of least
significant bits of the membrane for a weight of 1::

    w_int = clip(round(S w), -2^(b-1), 2^(b-1) - 1)        b: bits of a weight
    theta = floor(S T) + 1                                 the real neuron fires at v > T, the integer one at v >= theta

``S`` is the candidate with the smallest RMS error of the weights. Some candidates use at least half of the range of
``w_int`` without clipping. The other candidates clip the largest weights. Weights that are multiples of one step get
their integers back. ``theta`` leaves room for one more input of the largest weight below the largest membrane.

A reset by subtraction takes ``theta`` off the membrane; the real neuron takes ``T`` off. For this reset, each
candidate makes ``S T`` an integer, less a rounding error. Then ``theta`` equals ``S T``, and a membrane ``v = T`` fires
as well.

All weights and the threshold are first divided by a power of two near the largest weight. This division is exact, and
prevents overflow.

A linear decay has no time constant. ``lambda`` is the integer that takes away as much as ``v <- alpha v``, on average::

    E[min(v, lambda)] = (1 - alpha) E[v]     over positive membranes v at the start of a step, in a run of calibration data
    lambda = (1 - alpha) theta / 2           without data, or if nothing happens in them: equal at half the threshold
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import ConfigError

Floats = NDArray[np.float64]
# Products of doubles that are this near (relative) to an integer are that integer; "just below" is this much below.
_ROUNDING = 2.0**-40
_BELOW = 1 - _ROUNDING
# A ratio of threshold and weights that no membrane comes near to.
_FAR = 2.0**100
BETA_SHIFT = 15


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Scale of a layer, and what the rounding of its weights costs.

    Attributes:
        scale: ``S``, least significant bits of the membrane for a weight of 1.
        theta: integer threshold.
        clipped: number of weights that did not fit.
        rms_error: RMS error of the weights, divided by their RMS.
    """

    scale: float
    theta: int
    clipped: int
    rms_error: float


def choose_scale(weights: Floats, threshold: float, *, weight_bits: int, membrane_bits: int, subtract: bool) -> Scale:
    """Return the scale of a layer (see the top of this module).

    Args:
        weights: all real weights of the layer in one array, any shape.
        threshold: real threshold ``T``, in the unit of the weights.
        weight_bits: bits of an integer weight, 2 to 8.
        membrane_bits: bits of the membrane.
        subtract: whether the neurons reset by subtraction.

    Raises:
        ConfigError: if the membrane has no room for a threshold above the weights.
    """
    if not 2 <= weight_bits <= 8:
        raise ConfigError(f"weight_bits is {weight_bits}; it must be 2 to 8")
    most = (1 << (weight_bits - 1)) - 1
    limit = (1 << (membrane_bits - 1)) - 1 - most
    if limit < 1:
        raise ConfigError(
            f"membrane_bits is {membrane_bits}, but weights of {weight_bits} bits need {weight_bits + 1} at least, or no "
            f"threshold lies above them"
        )
    largest = float(np.abs(weights).max(initial=0.0))
    if largest == 0:
        return Scale(scale=_BELOW / threshold, theta=1, clipped=0, rms_error=0.0)
    exponent = math.frexp(largest)[1]
    weights, largest = np.ldexp(weights, -exponent), math.ldexp(largest, -exponent)
    # Beyond that, every weight rounds to 0 or is clipped, whatever the threshold.
    with np.errstate(over="ignore", under="ignore"):
        threshold = float(np.clip(np.ldexp(threshold, -exponent), 1 / _FAR, _FAR))
    kept = np.arange(most // 2 + 1, most + 1) / largest
    clipping = most / (largest * np.linspace(0.25, 1, 31))
    scales = np.minimum(np.concatenate([kept, clipping]), limit / threshold)
    if subtract:
        scales = np.maximum(np.rint(scales * threshold), 1) * _BELOW / threshold
    scales = np.unique(scales)[::-1]
    size = float(np.sqrt(np.mean(weights**2)))
    errors = (
        np.array([np.sqrt(np.mean((to_integers(weights, s, weight_bits) / s - weights) ** 2)) for s in scales]) / size
    )
    # The largest of those that are as good: what lies between is rounding of the weights' own format.
    chosen = int(np.flatnonzero(errors <= errors.min() + 1e-6)[0])
    scale = float(scales[chosen])
    rounded = np.rint(scale * weights)
    with np.errstate(over="ignore", under="ignore"):
        unscaled = float(np.ldexp(scale, -exponent))
    return Scale(
        scale=unscaled,
        theta=int(np.floor(scale * threshold * (1 + _ROUNDING / 2))) + 1,
        clipped=int(np.count_nonzero(rounded != to_integers(weights, scale, weight_bits))),
        rms_error=float(errors[chosen]),
    )


def to_integers(weights: Floats, scale: float, bits: int) -> NDArray[np.int64]:
    """Return ``scale * weights``, rounded and clipped to the range of ``bits`` bits in two's complement, int64."""
    return np.clip(np.rint(scale * weights), -(1 << (bits - 1)), (1 << (bits - 1)) - 1).astype(np.int64)


def fit_lambda(alpha: float, theta: int, membranes: NDArray[np.int64] | None = None) -> int:
    """Return the linear decay ``lambda`` nearest to the factor ``alpha``, in units of the least significant bit.

    Args:
        alpha: factor of the membrane in a step, 0 to 1.
        theta: integer threshold.
        membranes: how often each membrane 0, 1, .. occurs at the start of a step; ``None`` without data.
    """
    if membranes is None or not membranes[1:].any():
        return round((1 - alpha) * theta / 2)
    # sum_v min(v, lambda) = sum_{k = 1}^{lambda} #(v >= k)
    at_least = np.cumsum(membranes[::-1])[::-1]
    removed = np.concatenate([[0], np.cumsum(at_least[1:])])
    wanted = (1 - alpha) * float(np.arange(len(membranes)) @ membranes)
    return int(np.argmin(np.abs(removed - wanted)))


def fit_beta(alpha: float) -> tuple[int, int]:
    """Return ``(n, k)`` of the factor n / 2^k nearest to ``alpha`` (0 to 1), with k = 15."""
    return round(alpha * (1 << BETA_SHIFT)), BETA_SHIFT
