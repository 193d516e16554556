"""Values that a user gives, checked by the name of their field."""

from numbers import Integral, Real
from typing import Any

import numpy as np

from pyspice_cim.errors import ConfigError, DataError


def check_integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """``value`` as an int, if it is an integer (of Python or NumPy, no truth value) from ``low`` to ``high``.

    Raises:
        ConfigError: naming the field ``name`` otherwise.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        span = f"of {low} or more" if high is None else f"from {low} to {high}"
        raise ConfigError(f"{name} is {value!r}; it must be an integer {span}")
    return int(value)


def check_number(name: str, value: Any) -> float:
    """``value`` as a float, if it is a real number.

    Raises:
        ConfigError: naming the field ``name`` otherwise.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; it must be a number")
    return float(value)


def as_sliceable(spikes: Any) -> Any:
    """``spikes`` if they have a shape and a type, as arrays and HDF5 data sets do; otherwise as an array.

    Raises:
        DataError: if they are no array, such as lists of different lengths.
    """
    if hasattr(spikes, "shape") and hasattr(spikes, "dtype"):
        return spikes
    try:
        return np.asarray(spikes)
    except ValueError as error:
        raise DataError(f"spikes are no array ({error}); give one of (time, batch, inputs)") from None
