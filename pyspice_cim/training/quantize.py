"""From trained real numbers to the integers of the array.

With the scale S (steps of the integer grid per unit of membrane; the threshold is 1 unit, so theta = S)::

    w_int = clip(round(S w), -2^(Bw-1), 2^(Bw-1) - 1)      Bw   width of a weight, bits
    lambda_int = clip(round(S lambda), 1, VMAX)            VMAX largest membrane
    theta_int = S = round((2^(Bw-1) - 1) / (3.5 mean|w|)), at least 2 and at most VMAX

so that weights beyond 3.5 mean|w| are clipped. Rounding passes gradients straight through, clipping stops them.
"""

from typing import NamedTuple

from pyspice_cim.training._torch import torch
from pyspice_cim.training.surrogate import round_through

CLIP_IN_MEANS = 3.5


class Integers(NamedTuple):
    """Integers, exact in float32 below 2^24: ``weights`` (inputs, neurons), ``lambda_`` (scalar), ``theta``."""

    weights: torch.Tensor
    lambda_: torch.Tensor
    theta: int


def choose_theta(weight: torch.Tensor, weight_bits: int, membrane_bits: int) -> int:
    """theta_int = S of the equations above, for trained ``weight`` of any shape."""
    highest_weight = (1 << (weight_bits - 1)) - 1
    vmax = (1 << (membrane_bits - 1)) - 1
    clip = CLIP_IN_MEANS * float(weight.detach().abs().mean())
    return min(max(round(highest_weight / max(clip, 1e-9)), 2), vmax)


def quantize(weight: torch.Tensor, lambda_: torch.Tensor, theta: int, weight_bits: int, membrane_bits: int) -> Integers:
    """The integers of a layer with the scale ``theta``, differentiable in ``weight`` and ``lambda_`` (real units)."""
    high = (1 << (weight_bits - 1)) - 1
    vmax = (1 << (membrane_bits - 1)) - 1
    return Integers(
        weights=round_through(torch.clamp(weight * theta, -high - 1, high)),
        lambda_=round_through(torch.clamp(lambda_ * theta, 1, vmax)),
        theta=theta,
    )
