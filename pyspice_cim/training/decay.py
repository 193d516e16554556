"""The decay rules of ``pyspice_cim.behavioral.neuron.decay`` for training, in real numbers and in integers.

Each layer learns one number, its leak. For "clamp" and "toward_zero" the leak is lambda in units of theta. For
"exponential" the leak is x, with beta = 1 / (1 + exp(-x)), so that beta stays in 0..1. The integers are::

    lambda_int = clip(round(theta lambda), 1, VMAX)        theta, VMAX   integer threshold, largest membrane
    n = round(2^k beta)                                    k = BETA_SHIFT; the factor is n / 2^k

Rounding, and the exponential rule's truncation toward zero, pass gradients straight through.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pyspice_cim.training._torch import torch
from pyspice_cim.training.surrogate import round_through, truncate_through

# |v| n < 2^15 2^8 is exact in float32, for the widest membrane.
BETA_SHIFT = 8
FIRST_LAMBDA = 0.07
FIRST_X = math.log(0.93 / 0.07)


class Decay(NamedTuple):
    """One decay rule.

    Attributes:
        first: leak at the start of training; ``None`` for a rule without a leak.
        value: ``value(leak)`` is lambda or beta, limited to its range.
        whole: ``whole(leak, theta, vmax)`` is the integer: lambda, or n of beta.
        real: ``real(v, value)`` are the membranes after the decay, in real numbers.
        integer: ``integer(v, whole)`` are the membranes after the decay, in integers.
    """

    first: float | None
    value: Callable[[torch.Tensor], torch.Tensor]
    whole: Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
    real: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    integer: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _positive(lambda_: torch.Tensor) -> torch.Tensor:
    return lambda_.clamp(min=0)


def _whole_lambda(lambda_: torch.Tensor, theta: torch.Tensor, vmax: int) -> torch.Tensor:
    return round_through(torch.clamp(lambda_ * theta, 1, vmax))


def _clamp(v: torch.Tensor, lambda_: torch.Tensor) -> torch.Tensor:
    return torch.relu(v - lambda_)


def _toward_zero(v: torch.Tensor, lambda_: torch.Tensor) -> torch.Tensor:
    return v - torch.clamp(v, -lambda_, lambda_)


def _beta(x: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(x)


def _whole_beta(x: torch.Tensor, theta: torch.Tensor, vmax: int) -> torch.Tensor:
    return round_through(_beta(x) * (1 << BETA_SHIFT))


def _exponential(v: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    return v * beta


def _exponential_integer(v: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
    return truncate_through(v * n / (1 << BETA_SHIFT))


def _keep(v: torch.Tensor, leak: torch.Tensor) -> torch.Tensor:
    return v


DECAYS: Mapping[str, Decay] = MappingProxyType(
    {
        "clamp": Decay(FIRST_LAMBDA, _positive, _whole_lambda, _clamp, _clamp),
        "toward_zero": Decay(FIRST_LAMBDA, _positive, _whole_lambda, _toward_zero, _toward_zero),
        "none": Decay(None, _positive, lambda leak, theta, vmax: leak, _keep, _keep),
        "exponential": Decay(FIRST_X, _beta, _whole_beta, _exponential, _exponential_integer),
    }
)
