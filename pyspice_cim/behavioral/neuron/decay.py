"""Decay rules of a membrane, in integers: what a neuron forgets in one time step.

With membrane ``v``, decay ``lambda`` (both in units of the membrane's least significant bit) and ``beta = n / 2^k``::

    clamp         v <- max(v - lambda, 0)                     a negative membrane is cleared: inhibition lasts one step
    toward_zero   v <- sign(v) max(|v| - lambda, 0)           never crosses zero
    none          v <- v                                      integrate and fire, lambda is not used
    exponential   v <- sign(v) floor(n |v| / 2^k)             rounded toward zero

Each rule is a pure function ``rule(v, lambda_, beta) -> (decayed, cleared)`` of integer arrays of any shape.
``decayed`` are the membranes after the decay. ``cleared`` is true where the subtraction would have crossed zero, and
the rule stopped at 0.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Beta = tuple[int, int]
Rule = Callable[[Ints, int, Beta], tuple[Ints, NDArray[np.bool_]]]


def clamp(v: Ints, lambda_: int, beta: Beta) -> tuple[Ints, NDArray[np.bool_]]:
    """Subtract lambda, and set a negative result to 0: ``max(v - lambda, 0)``. The SRAM array computes this rule."""
    decayed = v - lambda_
    cleared = decayed < 0
    return np.where(cleared, 0, decayed), cleared


def toward_zero(v: Ints, lambda_: int, beta: Beta) -> tuple[Ints, NDArray[np.bool_]]:
    """Move the membrane by lambda toward 0, from both sides: ``sign(v) max(|v| - lambda, 0)``."""
    size = np.abs(v)
    return np.sign(v) * np.maximum(size - lambda_, 0), size < lambda_


def none(v: Ints, lambda_: int, beta: Beta) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the membrane unchanged: no decay."""
    return v, np.zeros(v.shape, np.bool_)


def exponential(v: Ints, lambda_: int, beta: Beta) -> tuple[Ints, NDArray[np.bool_]]:
    """Multiply by beta and round toward 0: ``sign(v) floor(n |v| / 2^k)`` with ``beta = (n, k)``."""
    numerator, shift = beta
    return np.sign(v) * ((np.abs(v) * numerator) >> shift), np.zeros(v.shape, np.bool_)


RULES: Mapping[str, Rule] = MappingProxyType(
    {"clamp": clamp, "toward_zero": toward_zero, "none": none, "exponential": exponential}
)
