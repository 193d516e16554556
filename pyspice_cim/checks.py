"""Checks of values that a user gives; a message names the field."""

from numbers import Integral, Real
from typing import Any

import numpy as np

from pyspice_cim.errors import ConfigError, DataError


def check_integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """``value`` as an int, checked to be an integer of Python or NumPy within limits; a bool is no integer.

    Args:
        name: name of the field, for the message.
        value: value to check.
        low, high: limits, both included; ``high`` may be ``None``.

    Raises:
        ConfigError: if ``value`` is no integer, or outside the limits.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        span = f"of {low} or more" if high is None else f"from {low} to {high}"
        raise ConfigError(f"{name} is {value!r}; it must be an integer {span}")
    return int(value)


def check_number(name: str, value: Any) -> float:
    """``value`` as a float, checked to be a real number; a bool is no number.

    Args:
        name: name of the field, for the message.
        value: value to check.

    Raises:
        ConfigError: if ``value`` is no number.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; it must be a number")
    return float(value)


def as_sliceable(spikes: Any) -> Any:
    """``spikes`` as an object that can be sliced: arrays and HDF5 datasets unchanged, anything else as an array.

    Raises:
        DataError: if ``spikes`` is no array, e.g. lists of different lengths.
    """
    if hasattr(spikes, "shape") and hasattr(spikes, "dtype"):
        return spikes
    try:
        return np.asarray(spikes)
    except ValueError as error:
        raise DataError(f"spikes are no array ({error}); give one of (time, batch, inputs)") from None
