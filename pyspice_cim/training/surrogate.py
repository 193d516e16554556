"""Surrogate gradients of the compare, the rounding and the truncation, whose true gradient is 0 almost everywhere."""

from typing import Any

from pyspice_cim.training._torch import torch

SLOPE = 4.0


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, distance: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        (distance,) = ctx.saved_tensors
        return grads[0] / (1.0 + SLOPE * distance.abs()) ** 2


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        return grads[0]


class _Truncate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.trunc(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        return grads[0]


def spike(distance: torch.Tensor) -> torch.Tensor:
    """Return 1 where ``distance`` >= 0, else 0. The derivative is taken as 1 / (1 + k |distance|)^2 with k = 4.

    Args:
        distance: (v - theta) / theta, any shape: distance of the membrane from the threshold, in units of theta.

    Source: F. Zenke and S. Ganguli, "SuperSpike", Neural Computation 30, 2018 (the fast sigmoid).
    """
    return _Spike.apply(distance)


def round_through(x: torch.Tensor) -> torch.Tensor:
    """Return ``x`` rounded to the nearest integer (ties to even). The derivative is taken as 1 (straight through)."""
    return _Round.apply(x)


def truncate_through(x: torch.Tensor) -> torch.Tensor:
    """Return ``x`` rounded toward zero. The derivative is taken as 1 (straight through)."""
    return _Truncate.apply(x)
