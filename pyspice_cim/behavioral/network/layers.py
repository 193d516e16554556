"""Layers of a spiking network as plain data, and the shapes of their outputs.

Layers of neurons (``FullyConnected``, ``Recurrent``, ``Conv2d``) have weights and membranes, and give spikes. Layers
without state are ``MaxPool2d``, ``SumPool2d``, ``AvgPool2d`` and ``Flatten``. A shape describes one sample in one step:
``(inputs,)``, or ``(channels, height, width)`` for images. In a time step, each layer reads the output that the layer
before it gives in the same step.

All values are integers. A sum pool gives numbers of spikes, 0..size^2. An average pool gives the same numbers. The next
layer of neurons then divides the weighted sum of each neuron::

    I = floor(sum_j w_j x_j / D)        D: product of size^2 of the average pools since the last layer of neurons

Nothing is rounded before the sum. If the sizes are powers of two, the division is a shift.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.checks import as_array, check_integer, check_sequence, check_type
from pyspice_cim.errors import ConfigError, DataError

Shape = tuple[int, ...]
MAX_VALUE = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class FullyConnected:
    """Neurons that see every input: ``I_n = sum_j w_jn x_j``.

    Attributes:
        weights: int8, (inputs, neurons), made read-only.
        params: the neurons' parameters.
        weight_bits: width of a weight in two's complement, 2..8.

    Raises:
        DataError: if the weights have another form or do not fit in ``weight_bits``.
        ConfigError: if another field is of another type or out of range.
    """

    weights: NDArray[np.int8]
    params: LDLIFParams
    weight_bits: int = 4

    def __post_init__(self) -> None:
        _check_neurons(self)
        object.__setattr__(self, "weights", _weights("weights", self.weights, 2, self.weight_bits))

    def output_shape(self, shape: Shape) -> Shape:
        """``(neurons,)``.

        Raises:
            DataError: if ``shape`` is not ``(inputs,)``.
        """
        if shape != self.weights.shape[:1]:
            raise DataError(f"it has {self.weights.shape[0]} inputs, but gets {_text(shape)}{_flatten_hint(shape)}")
        return (int(self.weights.shape[1]),)


@dataclass(frozen=True, kw_only=True, eq=False)
class Recurrent(FullyConnected):
    """Neurons that also see their own spikes of the step before: ``I_n(t) = sum_j w_jn x_j(t) + sum_m r_mn s_m(t - 1)``.

    Before the first step there are no spikes: ``s(-1) = 0``. Behind an average pool, only the sum over the inputs ``x``
    is divided by D.

    Attributes:
        recurrent: weights ``r``, int8, (neurons, neurons), of ``weight_bits`` bits, made read-only.
    """

    recurrent: NDArray[np.int8]

    def __post_init__(self) -> None:
        super().__post_init__()
        recurrent = _weights("recurrent", self.recurrent, 2, self.weight_bits)
        neurons = self.weights.shape[1]
        if recurrent.shape != (neurons, neurons):
            raise DataError(
                f"recurrent has shape {recurrent.shape}; with {neurons} neurons it is ({neurons}, {neurons})"
            )
        object.__setattr__(self, "recurrent", recurrent)


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d:
    """Neurons ``(o, y, x)`` that see a window of every channel, zeros outside of the image::

        I[o, y, x] = sum_{c, i, j} w[o, c, i, j] x[c, y stride + i - padding, x stride + j - padding]

    Attributes:
        weights: int8, (out_channels, in_channels, kernel height, kernel width), made read-only.
        stride: 1 or more.
        padding: rows and columns of zeros on every side, less than the kernel's height and width.

    Raises:
        DataError: if the weights have another form or do not fit in ``weight_bits``.
        ConfigError: if another field is of another type or out of range.
    """

    weights: NDArray[np.int8]
    params: LDLIFParams
    weight_bits: int = 4
    stride: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        _check_neurons(self)
        object.__setattr__(self, "weights", _weights("weights", self.weights, 4, self.weight_bits))
        object.__setattr__(self, "stride", check_integer("stride", self.stride, 1))
        object.__setattr__(self, "padding", check_integer("padding", self.padding, 0))
        limit = min(self.weights.shape[2:])
        if self.padding >= limit:
            raise ConfigError(f"padding is {self.padding}; it must be 0 to {limit - 1}, less than the kernel's size")

    def output_shape(self, shape: Shape) -> Shape:
        """``(out_channels, height, width)``.

        Raises:
            DataError: if ``shape`` is no image of ``in_channels``, or smaller than the kernel.
        """
        out_channels, in_channels, *kernel = self.weights.shape
        if len(shape) != 3 or shape[0] != in_channels:
            raise DataError(f"it takes (in_channels = {in_channels}, height, width), but gets {_text(shape)}")
        sides = [(n + 2 * self.padding - k) // self.stride + 1 for n, k in zip(shape[1:], kernel, strict=True)]
        if min(sides) < 1:
            raise DataError(f"its kernel is {kernel[0]} x {kernel[1]}, larger than the image {_text(shape)}")
        return (int(out_channels), *(int(side) for side in sides))


@dataclass(frozen=True, kw_only=True)
class _Pool2d:
    size: int
    stride: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_integer("size", self.size, 1))
        if self.stride is not None:
            object.__setattr__(self, "stride", check_integer("stride", self.stride, 1))

    @property
    def step(self) -> int:
        """Distance of the windows: ``stride``, by default ``size``."""
        return self.size if self.stride is None else self.stride

    def output_shape(self, shape: Shape) -> Shape:
        """``(channels, height, width)``; windows that do not lie within the image are left out.

        Raises:
            DataError: if ``shape`` is no image or smaller than the window.
        """
        if len(shape) != 3 or min(shape[1:]) < self.size:
            raise DataError(f"it takes images of at least {self.size} x {self.size}, but gets {_text(shape)}")
        return (shape[0], *((n - self.size) // self.step + 1 for n in shape[1:]))


@dataclass(frozen=True, kw_only=True)
class MaxPool2d(_Pool2d):
    """Output 1 where a window of ``size`` x ``size`` holds a spike, else 0.

    Windows lie ``stride`` apart, by default ``size``.
    """


@dataclass(frozen=True, kw_only=True)
class SumPool2d(_Pool2d):
    """Output the number of spikes in each window of ``size`` x ``size``.

    Windows lie ``stride`` apart, by default ``size``.
    """


@dataclass(frozen=True, kw_only=True)
class AvgPool2d(_Pool2d):
    """Output the same numbers as ``SumPool2d``; the next layer of neurons divides its sums by ``size^2``."""


@dataclass(frozen=True, kw_only=True)
class Flatten:
    """``(channels, height, width)`` to ``(inputs,)``, the width running fastest."""

    def output_shape(self, shape: Shape) -> Shape:
        """One axis of all values."""
        return (int(np.prod(shape)),)


NeuronLayer = FullyConnected | Conv2d
AnyLayer = FullyConnected | Conv2d | MaxPool2d | SumPool2d | AvgPool2d | Flatten


@dataclass(frozen=True, kw_only=True)
class Link:
    """Place of a layer in a chain of layers.

    Attributes:
        shape: shape of the layer's input.
        output: shape of the layer's output.
        largest: largest value of the input; 1 for spikes.
        divisor: D of the average pools before the layer.
    """

    shape: Shape
    output: Shape
    largest: int
    divisor: int


def chain(layers: Sequence[AnyLayer], shape: Iterable[int]) -> tuple[Link, ...]:
    """Return the ``Link`` of each layer.

    Args:
        layers: layers in order.
        shape: shape of the first layer's input, for one sample in one step.

    Raises:
        DataError: if there is no layer, an entry is no layer, or shapes do not chain; the message names the layer.
        ConfigError: if the last layer has no neurons, a max pool does not see spikes, or sums leave 0..MAX_VALUE.
    """
    layers = check_sequence("layers", layers)
    if not layers:
        raise DataError("the network has no layers; give one at least")
    at = tuple(check_integer("the input's shape", n, 1) for n in check_sequence("the input's shape", shape))
    largest, divisor = 1, 1
    links = []
    for index, layer in enumerate(layers):
        name = f"layer {index} ({type(layer).__name__})"
        if not isinstance(layer, AnyLayer):
            raise DataError(f"{name}: it is no layer of this package; give one of network/layers.py")
        try:
            output = layer.output_shape(at)
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
        links.append(Link(shape=at, output=output, largest=largest, divisor=divisor))
        if isinstance(layer, NeuronLayer):
            largest, divisor = 1, 1
        elif isinstance(layer, MaxPool2d) and largest > 1:
            raise ConfigError(f"{name} sees sums, but is the OR of spikes; put it before the sum or average pool")
        elif isinstance(layer, SumPool2d | AvgPool2d):
            largest *= layer.size**2
            divisor *= layer.size**2 if isinstance(layer, AvgPool2d) else 1
            if largest > MAX_VALUE:
                raise ConfigError(f"{name}: sums reach {largest}, above {MAX_VALUE}; choose a smaller size")
        at = output
    if not isinstance(layers[-1], NeuronLayer):
        raise ConfigError(f"the last layer, {type(layers[-1]).__name__}, has no neurons; end with one that has")
    return tuple(links)


def _check_neurons(layer: NeuronLayer) -> None:
    object.__setattr__(layer, "weight_bits", check_integer("weight_bits", layer.weight_bits, 2, 8))
    check_type("params", layer.params, LDLIFParams)


def _weights(name: str, weights: NDArray[np.int8], axes: int, bits: int) -> NDArray[np.int8]:
    weights = as_array(name, weights)
    if weights.ndim != axes or weights.size == 0:
        raise DataError(f"{name} has shape {weights.shape}; it must have {axes} axes, none of them 0")
    if weights.dtype.kind not in "iu":
        raise DataError(f"{name} has type {weights.dtype}; it must be integer: quantize the weights first")
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if weights.min() < low or weights.max() > high:
        raise DataError(f"{name} holds {weights.min()}..{weights.max()}; weight_bits = {bits} holds {low}..{high}")
    frozen = np.array(weights, np.int8, order="C")
    frozen.setflags(write=False)
    return frozen


def _text(shape: Shape) -> str:
    return f"{shape[0]}" if len(shape) == 1 else " x ".join(map(str, shape))


def _flatten_hint(shape: Shape) -> str:
    return "; put Flatten() before it" if len(shape) > 1 else ""
