"""From trained real numbers to the integers of the array.

With the scale S (steps of the integer grid per unit of membrane; the threshold is 1 unit, so theta = S)::

    w_int = clip(round(S w), -2^(Bw-1), 2^(Bw-1) - 1)      Bw   width of a weight, bits
    theta_int = S = round((2^(Bw-1) - 1) / (3.5 mean|w|)), at least 2 and at most VMAX

so that weights beyond 3.5 mean|w| are clipped; VMAX is the largest membrane. ``decay.py`` has the integers of the leak.
Rounding passes gradients straight through, clipping stops them.
"""

from pyspice_cim.training._torch import torch
from pyspice_cim.training.surrogate import round_through

CLIP_IN_MEANS = 3.5


def choose_theta(weights: torch.Tensor, weight_bits: int, membrane_bits: int) -> torch.Tensor:
    """theta_int = S of the equations above, from all trained weights of a layer, along the last axis; shape of the others."""
    highest_weight = (1 << (weight_bits - 1)) - 1
    vmax = (1 << (membrane_bits - 1)) - 1
    clip = CLIP_IN_MEANS * weights.detach().abs().mean(dim=-1).double()
    return torch.round(highest_weight / clip.clamp(min=1e-9)).clamp(2, vmax).float()


def whole_weights(weight: torch.Tensor, theta: torch.Tensor, weight_bits: int) -> torch.Tensor:
    """w_int of the equations above, of any shape, differentiable; exact in float32."""
    high = (1 << (weight_bits - 1)) - 1
    return round_through(torch.clamp(weight * theta, -high - 1, high))
