"""From grey values in 0..1 to spike trains.

An input of value x fires at rate p = max_rate x. Both encoders give ``spikes[time, batch, input]`` (uint8, 0 or 1):

    "bernoulli"   each step fires with probability p, independently; sample i draws from its own stream (seed, i)
    "regular"     step t fires where floor(p (t + 1) + phase) > floor(p t + phase): evenly spaced, no randomness;
                  input j has phase = frac(golden ratio * j), so that equal inputs do not all fire in the same step

A sample's spikes do not depend on how a data set is cut into batches: pass the index of a batch's first sample.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import ConfigError, DataError

EncoderKind = Literal["bernoulli", "regular"]
KINDS = ("bernoulli", "regular")
_GOLDEN_FRACTION = (5**0.5 - 1) / 2


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """How a network wants its inputs: ``kind``, ``max_rate`` (spikes per step of an input of value 1), ``seed``.

    Raises:
        ConfigError: if a field is out of range.
    """

    kind: EncoderKind = "bernoulli"
    max_rate: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"encoder kind is {self.kind!r}; choose one of {', '.join(KINDS)}")
        if not 0.0 < self.max_rate <= 1.0:
            raise ConfigError(f"encoder max_rate is {self.max_rate}; it must be above 0 and at most 1 spike per step")
        if not 0 <= self.seed < 2**64:
            raise ConfigError(f"encoder seed is {self.seed}; it must be 0 to 2^64 - 1")

    def encode(self, images01: NDArray[np.floating[Any]], steps: int, first_index: int = 0) -> NDArray[np.uint8]:
        """Spikes of ``images01`` by this encoder; arguments and errors as ``rate_encode``."""
        if self.kind == "regular":
            return regular_encode(images01, steps, max_rate=self.max_rate)
        return rate_encode(images01, steps, self.seed, first_index, max_rate=self.max_rate)


def rate_encode(
    images01: NDArray[np.floating[Any]], steps: int, seed: int, first_index: int = 0, *, max_rate: float = 1.0
) -> NDArray[np.uint8]:
    """Bernoulli spikes of each image, from a counter-based stream (Philox) keyed by ``seed`` and the sample's index.

    Args:
        images01: grey values in 0..1, shape (batch, inputs).
        steps: time steps, 1 or more.
        seed: 0 to 2^64 - 1.
        first_index: index of the first image in its data set.
        max_rate: spikes per step of an input of value 1.

    Returns:
        Spikes, uint8, shape (steps, batch, inputs).

    Raises:
        DataError: if the images are not a (batch, inputs) array of finite numbers in 0..1.
        ConfigError: if ``steps``, ``seed``, ``first_index`` or ``max_rate`` is out of range.
    """
    Encoder(kind="bernoulli", max_rate=max_rate, seed=seed)
    if first_index < 0:
        raise ConfigError(f"first_index is {first_index}; it must be 0 or more")
    images = _checked(images01, steps)
    batch, inputs = images.shape
    spikes = np.empty((steps, batch, inputs), np.uint8)
    for sample in range(batch):
        # Raw words, not Generator methods: NumPy guarantees the words of a bit generator across its versions.
        stream = np.random.Philox(key=np.array([seed, first_index + sample], np.uint64))
        words = np.asarray(stream.random_raw(steps * inputs), np.uint64)
        uniform = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
        spikes[:, sample] = uniform.reshape(steps, inputs) < max_rate * images[sample]
    return spikes


def regular_encode(images01: NDArray[np.floating[Any]], steps: int, *, max_rate: float = 1.0) -> NDArray[np.uint8]:
    """Evenly spaced spikes ("regular" above): the count of an input is within one of ``steps * max_rate * x``.

    Arguments, result and errors as ``rate_encode``, without a seed.
    """
    Encoder(kind="regular", max_rate=max_rate)
    images = _checked(images01, steps)
    phase = np.mod(_GOLDEN_FRACTION * np.arange(images.shape[1]), 1.0)
    edges = np.arange(steps + 1, dtype=np.float64)[:, None, None]
    whole = np.floor(edges * (max_rate * images) + phase)
    return (whole[1:] > whole[:-1]).astype(np.uint8)


def _checked(images01: NDArray[np.floating[Any]], steps: int) -> NDArray[np.float64]:
    images = np.asarray(images01, np.float64)
    if images.ndim != 2:
        raise DataError(f"images have shape {images.shape}; they must be (batch, inputs)")
    if not (np.isfinite(images).all() and (images >= 0).all() and (images <= 1).all()):
        raise DataError("images hold values outside 0..1 (or NaN); scale them first, e.g. divide by the largest value")
    if steps < 1:
        raise ConfigError(f"steps is {steps}; it must be 1 or more")
    return images
