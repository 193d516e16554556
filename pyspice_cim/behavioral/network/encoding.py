"""Encoders of values in 0..1 as spike trains.

Values that are constant over time, as of an image, have shape (batch, inputs). A signal, as of a recording, has shape
(batch, steps, inputs). An input of value x fires at rate p = max_rate x, in spikes per step. All encoders give
``spikes[time, batch, input]`` (uint8, 0 or 1):

    "bernoulli"   each step fires with probability p, independently; sample i draws from its own stream (seed, i)
    "regular"     evenly spaced spikes without randomness; step t fires if floor(P(t) + phase) > floor(P(t - 1) + phase)
    "latency"     one spike, in step round((1 - x) (steps - 1)): the larger the value, the earlier; a 0 never fires
    "delta"       the changes of a signal, see ``delta_encode``

For "regular", P(t) is the sum of p over the steps up to t. Input j has phase = frac(golden ratio * j), so equal inputs
fire in different steps.

The spikes of a sample depend on the index of the sample in its data set. Give each batch the index of its first sample;
then the spikes do not depend on the size of the batches.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.checks import as_array, check_choice, check_integer, check_number
from pyspice_cim.errors import ConfigError, DataError

EncoderKind = Literal["bernoulli", "regular", "latency"]
KINDS = ("bernoulli", "regular", "latency")
_GOLDEN_FRACTION = (5**0.5 - 1) / 2
# What a sum of thousands of float64 steps may lose. A change of exactly one threshold, or a sum that is exactly the next
# whole number, must count in its own step.
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Encoder of a network's inputs.

    Attributes:
        kind: "bernoulli", "regular" or "latency" (see the top of this module).
        max_rate: spikes per step of an input of value 1, above 0 and at most 1; 1 for "latency", which has no rate.
        seed: seed of "bernoulli"; the other kinds do not use it.

    Raises:
        ConfigError: if a field is out of range.
    """

    kind: EncoderKind = "bernoulli"
    max_rate: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("encoder kind", self.kind, KINDS)
        object.__setattr__(self, "max_rate", check_number("encoder max_rate", self.max_rate))
        object.__setattr__(self, "seed", check_integer("encoder seed", self.seed, 0, 2**64 - 1))
        if not 0.0 < self.max_rate <= 1.0:
            raise ConfigError(f"encoder max_rate is {self.max_rate}; it must be above 0 and at most 1 spike per step")
        if self.kind == "latency" and self.max_rate != 1.0:
            raise ConfigError(f"encoder max_rate is {self.max_rate}; 'latency' gives one spike an input: leave it at 1")

    def encode(self, values01: NDArray[np.floating[Any]], steps: int, first_index: int = 0) -> NDArray[np.uint8]:
        """Return the spikes of ``values01``; arguments, result and errors are those of ``rate_encode``."""
        if self.kind == "regular":
            return regular_encode(values01, steps, max_rate=self.max_rate)
        if self.kind == "latency":
            return latency_encode(values01, steps)
        return rate_encode(values01, steps, self.seed, first_index, max_rate=self.max_rate)


def rate_encode(
    values01: NDArray[np.floating[Any]], steps: int, seed: int, first_index: int = 0, *, max_rate: float = 1.0
) -> NDArray[np.uint8]:
    """Return Bernoulli spikes ("bernoulli" above).

    The random numbers of a sample come from a counter-based stream (Philox), keyed by ``seed`` and the sample's index.

    Args:
        values01: values in 0..1, shape (batch, inputs) or (batch, steps, inputs).
        steps: time steps, 1 or more.
        seed: 0 to 2^64 - 1.
        first_index: index of the first sample in its data set.
        max_rate: spikes per step of an input of value 1.

    Returns:
        Spikes, uint8, shape (steps, batch, inputs).

    Raises:
        DataError: if the values are not such an array of finite numbers in 0..1.
        ConfigError: if ``steps``, ``seed``, ``first_index`` or ``max_rate`` is out of range.
    """
    Encoder(kind="bernoulli", max_rate=max_rate, seed=seed)
    # The index of every sample is a word of the key.
    first_index = check_integer("first_index", first_index, 0, 2**63)
    values = _checked(values01, steps)
    batch, inputs = len(values), values.shape[-1]
    spikes = np.empty((steps, batch, inputs), np.uint8)
    for sample in range(batch):
        # Raw words, not Generator methods: NumPy guarantees the words of a bit generator across its versions.
        stream = np.random.Philox(key=np.array([seed, first_index + sample], np.uint64))
        words = np.asarray(stream.random_raw(steps * inputs), np.uint64)
        uniform = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        spikes[:, sample] = uniform.reshape(steps, inputs) < max_rate * values[sample]
    return spikes


def regular_encode(values01: NDArray[np.floating[Any]], steps: int, *, max_rate: float = 1.0) -> NDArray[np.uint8]:
    """Return evenly spaced spikes ("regular" above).

    The number of spikes of an input differs from the sum of its rates by less than one. Arguments, result and errors
    are those of ``rate_encode``, without a seed.
    """
    Encoder(kind="regular", max_rate=max_rate)
    values = _checked(values01, steps)
    phase = np.mod(_GOLDEN_FRACTION * np.arange(values.shape[-1]), 1.0)
    if values.ndim == 2:
        due = np.arange(steps + 1, dtype=np.float64)[:, None, None] * (max_rate * values)
    else:
        due = np.zeros((steps + 1, len(values), values.shape[-1]))
        np.cumsum(max_rate * np.moveaxis(values, 1, 0), axis=0, out=due[1:])
    whole = np.floor(due + phase + _ROUNDING)
    return (whole[1:] > whole[:-1]).astype(np.uint8)


def latency_encode(values01: NDArray[np.floating[Any]], steps: int) -> NDArray[np.uint8]:
    """Return one spike for each input that is not 0 ("latency" above).

    Values must have shape (batch, inputs). Result and errors are those of ``rate_encode``.
    """
    values = _checked(values01, steps)
    if values.ndim != 2:
        raise DataError(f"values have shape {values.shape}; latency codes one value an input: give (batch, inputs)")
    when = np.rint((1.0 - values) * (steps - 1)).astype(np.int64)
    return ((np.arange(steps)[:, None, None] == when) & (values > 0)).astype(np.uint8)


def delta_encode(signal: NDArray[np.floating[Any]], threshold: float) -> NDArray[np.uint8]:
    """Return the changes of a signal as spikes: an up and a down channel for each channel of the signal.

    A reference r starts at r = x(0). In each step, r follows the signal x by at most one threshold::

        up(t) = 1,    r <- r + threshold    where x(t) - r >=  threshold
        down(t) = 1,  r <- r - threshold    where x(t) - r <= -threshold

    If the signal changes by less than a threshold in each step, |x - r| stays below the threshold. After a faster
    change, r catches up in later steps.

    Args:
        signal: finite numbers, shape (batch, steps, channels).
        threshold: above 0, in units of the signal.

    Returns:
        Spikes, uint8, shape (steps, batch, 2 channels): the up channels first, then the down channels.

    Raises:
        DataError: if the signal is not such an array.
        ConfigError: if ``threshold`` is not above 0.
    """
    if not (np.isfinite(check_number("threshold", threshold)) and threshold > 0):
        raise ConfigError(f"threshold is {threshold}; it must be above 0")
    signal = np.asarray(as_array("signal", signal), np.float64)
    if signal.ndim != 3 or 0 in signal.shape:
        raise DataError(f"the signal has shape {signal.shape}; it must be (batch, steps, channels), none of them 0")
    if not np.isfinite(signal).all():
        raise DataError("the signal holds values that are not finite; mend them first")
    levels = np.moveaxis(signal, 1, 0) / threshold
    # Counted in whole thresholds, so that the reference gathers no rounding errors.
    position, start = np.zeros(levels.shape[1:]), levels[0]
    spikes = np.zeros((len(levels), levels.shape[1], 2, levels.shape[2]), np.uint8)
    for step, level in enumerate(levels):
        change = level - start - position
        spikes[step, :, 0] = change >= 1 - _ROUNDING
        spikes[step, :, 1] = change <= _ROUNDING - 1
        position += spikes[step, :, 0]
        position -= spikes[step, :, 1]
    return spikes.reshape(len(levels), levels.shape[1], -1)


def _checked(values01: NDArray[np.floating[Any]], steps: int) -> NDArray[np.float64]:
    values = np.asarray(as_array("values", values01), np.float64)
    check_integer("steps", steps, 1, 2**31 - 1)
    if values.ndim not in (2, 3):
        raise DataError(f"values have shape {values.shape}; they must be (batch, inputs) or (batch, steps, inputs)")
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all()):
        raise DataError("values lie outside 0..1 (or are NaN); scale them first, e.g. divide by the largest value")
    if values.ndim == 3 and values.shape[1] != steps:
        raise DataError(f"values have shape {values.shape}, {values.shape[1]} steps; the network has {steps}")
    return values
