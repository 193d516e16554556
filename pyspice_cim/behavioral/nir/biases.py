"""Biases as constant inputs: inputs that spike in every step (``lines`` in the code).

The array holds rows of weights, and each input spike adds one row. A bias ``b`` is therefore a row whose input spikes
in every step. One row adds at most the largest weight, so a bias may need several rows. A layer with weights of
``bits`` bits needs ``K`` constant inputs::

    K = max(ceil(max b / (2^(bits-1) - 1)), ceil(max -b / 2^(bits-1)))

The constant inputs of the first layer come from outside. Those of a later layer are *relays*: neurons of the layer
before it that fire in every step. The weights from the constant inputs to a relay add up to theta. In each step, a
relay starts at 0, reaches theta, fires and returns to 0, whatever the decay and the reset. Relays follow the other
neurons of their layer; in an image, relays are further channels.

**Images.** A constant input of an image is a channel. The channel spikes at the places whose row and column are
multiples of its *period*. The period changes on the way through a layer::

    layer                                 period of its input    period of its output
    sum or average pool of size k         k                      1: every window holds one multiple of k
    pool of size k <= stride s, q > 1     s q                    q
    convolution, relays of period 1       1                      1
    convolution, relays of period q > 1   stride q               q: the weight at the kernel's place (padding, padding)

A convolution adds a bias through those places of the kernel that lie inside the image for every output. A fully
connected layer behind an image has one weight for each place of the channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.layers import AnyLayer, AvgPool2d, Flatten, Shape, SumPool2d
from pyspice_cim.behavioral.nir.fold import geometry
from pyspice_cim.errors import DataError

Ints = NDArray[np.int64]
Periods = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Biased:
    """A layer of integers with a bias.

    The attributes that are not listed are those of the layers in ``network/layers.py``.

    Attributes:
        bias: int64, (features,): one value for each neuron, or for each channel of an image.
        theta: threshold.
        shape: shape of the input of ``before``, or of the layer if ``before`` is empty.
        before: layers without state in front of this layer.
    """

    name: str
    weights: Ints
    bias: Ints
    recurrent: Ints | None
    theta: int
    weight_bits: int
    shape: Shape
    before: tuple[AnyLayer, ...] = ()
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Wired:
    """Weights of a layer with its constant inputs and relays.

    Attributes:
        weights: weights of the inputs, then of the constant inputs; the relays are the last neurons.
        recurrent: recurrent weights, with zeros for the relays; ``None`` without recurrence.
        lines: period of each constant input; 1 if the input is no image.
    """

    weights: Ints
    recurrent: Ints | None
    lines: Periods


def wire(layers: Sequence[Biased]) -> tuple[Wired, ...]:
    """Return the weights of each layer, in which constant inputs carry the biases.

    Args:
        layers: layers of neurons, in order.

    Raises:
        DataError: if no constant input can carry a bias to a layer; the message names the neurons.
    """
    relays: Periods = ()
    wired = []
    for layer in reversed(layers):
        wired.append(_wired(layer, relays))
        relays = wired[-1].lines
    return tuple(wired[::-1])


def _wired(layer: Biased, relays: Periods) -> Wired:
    shape, divisor = layer.shape, 1
    pools: list[SumPool2d | AvgPool2d] = []
    for each in layer.before:
        if isinstance(each, SumPool2d | AvgPool2d):
            pools.append(each)
            divisor *= each.size**2 if isinstance(each, AvgPool2d) else 1
        if not isinstance(each, Flatten):
            shape = each.output_shape(shape)
    # What the lines add up to for each neuron, (period of the neurons' spikes, their totals).
    targets = [(1, divisor * layer.bias), *((q, np.array([divisor * layer.theta])) for q in relays)]
    if not any(totals.any() for _, totals in targets):
        return Wired(weights=layer.weights, recurrent=layer.recurrent, lines=())
    weights, lines = (_dense if layer.weights.ndim == 2 else _convolution)(layer, targets, shape)
    for pool in reversed(pools):
        lines = tuple(_before_pool(layer, pool, q) for q in lines)
    recurrent = None if layer.recurrent is None else np.pad(layer.recurrent, (0, len(relays)))
    return Wired(weights=weights, recurrent=recurrent, lines=lines)


def _dense(layer: Biased, targets: Sequence[tuple[int, Ints]], shape: Shape) -> tuple[Ints, Periods]:
    totals = np.concatenate([each for _, each in targets])
    places = int(np.prod(shape[1:]))
    slots = _slots(totals, layer.weight_bits)
    lines = -(-slots // places)
    rows = np.zeros((lines * places, len(totals)), np.int64)
    rows[:slots] = _spread(totals, slots)
    relays = len(totals) - len(layer.bias)
    return np.concatenate([np.pad(layer.weights, ((0, 0), (0, relays))), rows]), (1,) * lines


def _convolution(layer: Biased, targets: Sequence[tuple[int, Ints]], shape: Shape) -> tuple[Ints, Periods]:
    outputs, kernel = len(layer.weights), layer.weights.shape[2:]
    out = geometry(layer.weights, layer.stride, layer.padding).output_shape(shape)[1:]
    # Offset 0 sees (stride y, stride x); up to these offsets the last window still ends in the image.
    reach = [side - (n - 1) * layer.stride for side, n in zip(shape[1:], out, strict=True)]
    if min(reach) < 1:
        raise DataError(
            f"the neurons {layer.name} have a bias, or pass one on, but their image is larger than the one that they see: no "
            f"weight of the kernel is inside of it everywhere; choose a smaller padding, or train without a bias (bias=False)"
        )
    taps = [
        (layer.padding + y, layer.padding + x)
        for y in range(min(reach[0], kernel[0] - layer.padding))
        for x in range(min(reach[1], kernel[1] - layer.padding))
    ]
    totals = np.concatenate([each for _, each in targets])
    periods = np.repeat([1 if q == 1 else layer.stride * q for q, _ in targets], [len(each) for _, each in targets])
    kernels, lines = [np.pad(layer.weights, ((0, len(totals) - outputs), *((0, 0),) * 3))], []
    for period in np.unique(periods[totals != 0]):
        wanted = np.where(periods == period, totals, 0)
        usable = taps if period == 1 else taps[:1]
        channels = -(-_slots(wanted, layer.weight_bits) // len(usable))
        more = np.zeros((len(totals), channels, *kernel), np.int64)
        spread = _spread(wanted, channels * len(usable)).reshape(channels, len(usable), -1)
        for (y, x), each in zip(usable, spread.transpose(1, 2, 0), strict=True):
            more[:, :, y, x] = each
        kernels.append(more)
        lines += [int(period)] * channels
    return np.concatenate(kernels, axis=1), tuple(lines)


def _before_pool(layer: Biased, pool: SumPool2d | AvgPool2d, period: int) -> int:
    if period == 1:
        return pool.size
    if pool.size > pool.step:
        raise DataError(
            f"the neurons {layer.name} have a bias, or pass one on, through a pool of size {pool.size} whose windows, "
            f"{pool.step} apart, overlap, behind another one; train without a bias (bias=False), or make stride and size equal"
        )
    return pool.step * period


def _slots(totals: Ints, bits: int) -> int:
    """K."""
    low, high = 1 << (bits - 1), (1 << (bits - 1)) - 1
    return max(-(-int(totals.max(initial=0)) // high), -(int(totals.min(initial=0)) // low))


def _spread(totals: Ints, slots: int) -> Ints:
    """(slots, neurons) whose columns add up to ``totals``, as even as integers are."""
    return totals // slots + (np.arange(slots)[:, None] < totals % slots)


def with_constants(spikes: NDArray[Any], periods: Periods) -> NDArray[Any]:
    """Return ``spikes`` with the constant inputs behind the inputs, or behind the channels of an image.

    Args:
        spikes: 0 or 1, (time, batch, *shape).
        periods: period of each constant input (see the top of this module).
    """
    if not periods:
        return spikes
    shape = (len(periods), *spikes.shape[3:])
    lines = np.ones(shape, spikes.dtype)
    if len(shape) == 3:
        rows, columns = (np.arange(n)[None, :] % np.array(periods)[:, None] == 0 for n in shape[1:])
        lines = (rows[:, :, None] & columns[:, None, :]).astype(spikes.dtype)
    return np.concatenate([spikes, np.broadcast_to(lines, (*spikes.shape[:2], *shape))], axis=2)
