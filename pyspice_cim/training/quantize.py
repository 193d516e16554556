"""Quantization: from trained real weights to the integers of the array.

The scale S is the number of integer steps for a membrane of 1. The real threshold is 1, so theta = S::

    w_int = clip(round(S w), -2^(Bw-1), 2^(Bw-1) - 1)      Bw   width of a weight, bits
    theta_int = S = round((2^(Bw-1) - 1) / (3.5 mean|w|)), at least 2 and at most VMAX

Weights beyond 3.5 mean|w| are therefore clipped. VMAX is the largest membrane. ``decay.py`` has the integers of the
leak. Rounding passes gradients unchanged; clipping makes them 0.
"""

from pyspice_cim.training._torch import torch
from pyspice_cim.training.surrogate import round_through

CLIP_IN_MEANS = 3.5


def choose_theta(weights: torch.Tensor, weight_bits: int, membrane_bits: int) -> torch.Tensor:
    """Return the integer threshold theta_int of a layer (see the top of this module).

    Args:
        weights: all real weights of the layer along the last axis; axes before it belong to copies.
        weight_bits: bits of a weight.
        membrane_bits: bits of a membrane.

    Returns:
        float32, shape of the axes of copies.
    """
    highest_weight = (1 << (weight_bits - 1)) - 1
    vmax = (1 << (membrane_bits - 1)) - 1
    clip = CLIP_IN_MEANS * weights.detach().abs().mean(dim=-1).double()
    return torch.round(highest_weight / clip.clamp(min=1e-9)).clamp(2, vmax).float()


def whole_weights(weight: torch.Tensor, theta: torch.Tensor, weight_bits: int) -> torch.Tensor:
    """Return the integer weights w_int (see the top of this module), float32, of the shape of ``weight``.

    Gradients reach ``weight``.
    """
    high = (1 << (weight_bits - 1)) - 1
    return round_through(torch.clamp(weight * theta, -high - 1, high))
