"""How to train, and whether data fit it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.neuron.ldlif import RESETS, Reset
from pyspice_cim.checks import check_choice, check_flag, check_sequence, check_type
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.training.decay import DECAYS

# Fields that are whole numbers, their least and their largest.
_WHOLE = (
    ("steps", 1, math.inf),
    ("weight_bits", 2, 8),
    ("membrane_bits", 2, 16),
    ("epochs", 0, math.inf),
    ("epochs_quantized", 0, math.inf),
    ("batch", 1, math.inf),
    ("seed", 0, 2**63 - 1),
)


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How to train.

    Attributes:
        shape: inputs, then neurons of each layer.
        steps: time steps of a sample.
        encoder: how values become input spikes.
        decay: decay rule of all layers.
        recurrent: whether all layers but the last see their own spikes.
        weight_bits, membrane_bits, reset: as in ``Layer`` and ``LDLIFParams``.
        epochs, epochs_quantized: epochs in real numbers, then in integers.
        learning_rate, learning_rate_quantized: learning rate of Adam at the start of each part; a cosine takes it to 0.
        batch: samples of a batch.
        rate_penalty: loss for each spike of the hidden layers, per step and neuron. It makes the activity sparse.
        label_smoothing: share of the target that is spread over all classes. It keeps the scores from growing.
        seed: seed of the weights and of the batches.

    Raises:
        ConfigError: if a field is out of its range; the message names it.
    """

    shape: tuple[int, ...]
    steps: int
    encoder: Encoder
    decay: str = "clamp"
    recurrent: bool = False
    weight_bits: int = 4
    membrane_bits: int = 8
    reset: Reset = "subtract"
    epochs: int = 60
    epochs_quantized: int = 60
    learning_rate: float = 5e-3
    learning_rate_quantized: float = 2e-3
    batch: int = 64
    rate_penalty: float = 0.0
    label_smoothing: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        shape = check_sequence("shape", self.shape)
        whole = all(isinstance(each, Integral) and not isinstance(each, bool) and int(each) >= 1 for each in shape)
        if len(shape) < 2 or not whole:
            raise ConfigError(f"shape is {self.shape}; it must name the inputs and the neurons of at least one layer")
        object.__setattr__(self, "shape", tuple(int(each) for each in shape))
        check_type("encoder", self.encoder, Encoder)
        check_flag("recurrent", self.recurrent)
        check_choice("decay", self.decay, DECAYS)
        check_choice("reset", self.reset, RESETS)
        for name, least, most in _WHOLE:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
                top = f"{least} or more" if most == math.inf else f"{least} to {most}"
                raise ConfigError(f"{name} is {value!r}; it must be a whole number, {top}")
        for name in ("learning_rate", "learning_rate_quantized"):
            _check_real(name, getattr(self, name), "above 0 and at most 1", lambda value: 0 < value <= 1)
        _check_real("rate_penalty", self.rate_penalty, "0 or more", lambda value: value >= 0)
        _check_real("label_smoothing", self.label_smoothing, "0 to 1", lambda value: 0 <= value <= 1)


def check_data(values01: NDArray[Any], labels: NDArray[Any], settings: FitSettings) -> None:
    """Check that ``values01`` and ``labels`` have the shapes and classes of ``settings``; arguments as for ``fit``.

    Raises:
        DataError: if there are no samples, the shapes do not agree, or a label is no class.
    """
    if labels.ndim != 1 or len(labels) == 0:
        raise DataError(f"labels have shape {labels.shape}; give (samples,), one sample at least")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"labels are {labels.dtype}, the first is {labels[0]}; they must be integers, the numbers of the classes"
        )
    shape = (len(labels), settings.shape[0])
    if values01.shape not in (shape, (shape[0], settings.steps, shape[1])):
        raise DataError(
            f"values have shape {values01.shape} and there are {len(labels)} labels; that does not fit the shape "
            f"{settings.shape} and {settings.steps} steps: give {shape} or {(shape[0], settings.steps, shape[1])}"
        )
    if labels.min() < 0 or labels.max() >= settings.shape[-1]:
        raise DataError(
            f"labels are {labels.min()} to {labels.max()}; the shape {settings.shape} has classes 0 to "
            f"{settings.shape[-1] - 1}"
        )


def _check_real(name: str, value: Any, range_: str, holds: Callable[[Any], bool]) -> None:
    try:
        real = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        real = False
    if not real or not holds(value):
        raise ConfigError(f"{name} is {value!r}; it must be a finite number, {range_}")
