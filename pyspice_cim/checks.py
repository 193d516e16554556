"""Checks of values that a user gives; a message names the field."""

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    try:
        return float(value)
    except OverflowError:
        raise ConfigError(f"{name} is too large for a float; give a number below 1e308") from None


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """``value``, checked to be one of ``choices``.

    Raises:
        ConfigError: if ``value`` is another text, or no text.
    """
    known = tuple(choices)
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"{name} is {value!r}; choose one of {', '.join(known)}")
    return value


def check_flag(name: str, value: Any) -> bool:
    """``value`` as a bool, checked to be ``True`` or ``False`` of Python or NumPy.

    Raises:
        ConfigError: if ``value`` is no truth value.
    """
    if not isinstance(value, bool | np.bool_):
        raise ConfigError(f"{name} is {value!r}; it must be True or False")
    return bool(value)


def check_type(name: str, value: Any, *kinds: type) -> None:
    """Check that ``value`` is an instance of one of ``kinds``.

    Raises:
        ConfigError: if ``value`` is of another type.
    """
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigError(f"{name} is of type {type(value).__name__}; give a {wanted}")


def check_sequence(name: str, value: Any) -> tuple[Any, ...]:
    """``value`` as a tuple, checked to be iterable and no text.

    Raises:
        ConfigError: if ``value`` is no sequence.
    """
    try:
        if isinstance(value, str | bytes | Mapping):
            raise TypeError
        return tuple(value)
    except TypeError:
        raise ConfigError(f"{name} is of type {type(value).__name__}; give a tuple or a list") from None


def as_array(name: str, value: Any) -> NDArray[Any]:
    """``value`` as an array of numbers.

    Raises:
        DataError: if ``value`` is no array, e.g. lists of different lengths, or holds anything but numbers.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{name} is no array ({error}); give an array of numbers") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name} has type {array.dtype}; give an array of numbers")
    return array


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
