"""Gradients for the steps of the neuron that have none of use: the compare, the rounding and the truncation."""

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
    """1 where ``distance`` >= 0, else 0; backwards the derivative is 1 / (1 + k |distance|)^2, k = 4.

    ``distance`` is (v - theta) / theta, any shape: how far the membrane is above the threshold, in thresholds.
    Source: F. Zenke and S. Ganguli, "SuperSpike", Neural Computation 30, 2018 (the fast sigmoid).
    """
    return _Spike.apply(distance)


def round_through(x: torch.Tensor) -> torch.Tensor:
    """``x`` rounded to the nearest integer (ties to even); backwards as if it had not been (straight through)."""
    return _Round.apply(x)


def truncate_through(x: torch.Tensor) -> torch.Tensor:
    """``x`` rounded toward zero; backwards as if it had not been (straight through)."""
    return _Truncate.apply(x)
