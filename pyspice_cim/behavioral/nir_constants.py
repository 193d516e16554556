"""Biases as input lines that spike in every step.

The array has rows of weights that a spike adds, and nothing else; a bias ``b`` is a row that is added in every step. One row
holds ``b`` up to the largest weight, so ``K`` of them do::

    K = max(ceil(max b / (2^(bits-1) - 1)), ceil(max -b / 2^(bits-1)))

The rows of a later layer need neurons that fire in every step: relays, whose weights from the lines of their own layer add
up to theta, so that each starts at 0, reaches theta, fires and is back at 0, whatever the decay and the reset. They stand
behind the layer's neurons. Lines reach a layer through fully connected layers only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import DataError

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Biased:
    """A layer of integers with a ``bias`` (neurons,), ``None`` for a convolution; ``direct``: nothing stands before it."""

    name: str
    weights: Ints
    bias: Ints | None
    recurrent: Ints | None
    theta: int
    weight_bits: int
    direct: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Wired:
    """Its weights with the rows of ``lines`` constant inputs and the columns of the relays."""

    weights: Ints
    recurrent: Ints | None
    lines: int


def wire(layers: Sequence[Biased]) -> tuple[Wired, ...]:
    """``layers`` with their biases in rows.

    Raises:
        DataError: if lines would have to pass something that is not fully connected; the message names the neurons.
    """
    relays, wired = 0, []
    for index in range(len(layers) - 1, -1, -1):
        layer = layers[index]
        targets = [np.zeros(0, np.int64)] if layer.bias is None else [layer.bias]
        lines = max(_lines(each, layer.weight_bits) for each in [*targets, np.full(relays, layer.theta)])
        if lines and (layer.bias is None or not layer.direct or (index and layers[index - 1].bias is None)):
            raise DataError(
                f"the neurons {layer.name} have a bias, or pass one on: it takes an input that spikes in every step, which "
                f"reaches them through fully connected layers only; train without a bias (bias=False)"
            )
        wired.append(_wired(layer, lines, relays))
        relays = lines
    return tuple(wired[::-1])


def _wired(layer: Biased, lines: int, relays: int) -> Wired:
    if not lines or layer.bias is None:
        return Wired(weights=layer.weights, recurrent=layer.recurrent, lines=0)
    zeros = np.zeros((layer.weights.shape[0], relays), np.int64)
    rows = np.concatenate([_spread(layer.bias, lines), _spread(np.full(relays, layer.theta), lines)], axis=1)
    recurrent = layer.recurrent
    return Wired(
        weights=np.concatenate([np.concatenate([layer.weights, zeros], axis=1), rows]),
        recurrent=None if recurrent is None else np.pad(recurrent, (0, relays)),
        lines=lines,
    )


def _lines(totals: Ints, bits: int) -> int:
    low, high = 1 << (bits - 1), (1 << (bits - 1)) - 1
    return max(-(-int(totals.max(initial=0)) // high), -(int(totals.min(initial=0)) // low))


def _spread(totals: Ints, lines: int) -> Ints:
    """(lines, neurons) whose columns add up to ``totals``, as even as integers are."""
    return totals // lines + (np.arange(lines)[:, None] < totals % lines)


def with_constants(spikes: NDArray[Any], lines: int) -> NDArray[Any]:
    """``spikes`` (time, batch, inputs) with ``lines`` more inputs that spike in every step."""
    return np.concatenate([spikes, np.ones((*spikes.shape[:2], lines), spikes.dtype)], axis=2) if lines else spikes
