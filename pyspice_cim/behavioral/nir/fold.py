"""Merging of linear maps that have no neurons between them: ``W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)``.

For the first and the second map::

    dense, dense               the product of the matrices
    convolution, pool          the pool is a convolution by ones in each channel (ones over size^2 for averages)
    convolution, convolution   W[i + S1 j] = sum W2[j] W1[i], stride S1 S2, the padding of the first
    convolution, dense         a dense map of the image: each weight of the second is spread over the first's kernel

The second of two convolutions must have no padding. Its padding would see zeros, where the merged kernel sees weighted
sums.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.layers import Conv2d, Shape
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear:
    """A linear map with a bias: a matrix or a convolution.

    Attributes:
        name: names of the nodes of the graph that the map replaces.
        shape: shape of the input.
        array: matrix (outputs, inputs), or kernel (out_channels, in_channels, height, width).
        bias: (outputs,) or (out_channels,).
        stride, padding: stride and padding of a kernel.
    """

    name: str
    shape: Shape
    array: Floats
    bias: Floats
    stride: int = 1
    padding: int = 0

    def output_shape(self) -> Shape:
        """Return the shape of the output.

        Raises:
            DataError: if ``shape`` does not fit ``array``.
        """
        if self.array.ndim == 2:
            if self.shape != self.array.shape[1:]:
                hint = "; put a Flatten before it" if len(self.shape) > 1 else ""
                raise DataError(f"it has {self.array.shape[1]} inputs, but gets {self.shape}{hint}")
            return (len(self.array),)
        return geometry(self.array, self.stride, self.padding).output_shape(self.shape)


def geometry(kernel: NDArray[Any], stride: int, padding: int) -> Conv2d:
    """Return a layer with the shape, stride and padding of a kernel, and weights of 0. Only its shapes are used."""
    params = LDLIFParams(lambda_=0, theta=1)
    return Conv2d(weights=np.zeros(kernel.shape, np.int8), params=params, stride=stride, padding=padding)


def pooling(name: str, shape: Shape, size: int, stride: int, average: bool) -> Linear:
    """Return the convolution that gives the sum, or the average, of each window of each channel.

    Args:
        name: name of the node.
        shape: shape of the input, (channels, height, width).
        size: height and width of a window.
        stride: distance of the windows.
        average: whether the output is the average.
    """
    ones = np.full((size, size), 1 / size**2 if average else 1.0)
    array = np.eye(shape[0])[:, :, None, None] * ones
    return Linear(name=name, shape=shape, array=array, bias=np.zeros(shape[0]), stride=stride)


def merged(first: Linear, second: Linear) -> Linear:
    """Return one map that equals ``first`` followed by ``second``.

    Between a convolution and a dense map, a Flatten is assumed.

    Raises:
        DataError: if both are convolutions and ``second`` has a padding; the message names the nodes.
    """
    name = f"{first.name}, {second.name}"
    if first.array.ndim == 2:
        bias = second.array @ first.bias + second.bias
        return replace(first, name=name, array=second.array @ first.array, bias=bias)
    if second.array.ndim == 2:
        out = first.output_shape()
        bias = second.array @ np.repeat(first.bias, int(np.prod(out[1:]))) + second.bias
        array = _unrolled(first, second.array.reshape(-1, *out))
        return Linear(name=name, shape=(array.shape[1],), array=array, bias=bias)
    if second.padding:
        raise DataError(
            f"nodes {first.name} and {second.name} have no neurons between them, and the padding of the second sees zeros "
            f"where one kernel would see sums; multiply them into one, or put neurons between them"
        )
    return replace(
        first,
        name=name,
        array=_composed(first, second),
        bias=second.array.sum(axis=(2, 3)) @ first.bias + second.bias,
        stride=first.stride * second.stride,
    )


def _composed(first: Linear, second: Linear) -> Floats:
    sizes = first.array.shape[2:]
    reach = [n + (k - 1) * first.stride for n, k in zip(sizes, second.array.shape[2:], strict=True)]
    array = np.zeros((len(second.array), first.array.shape[1], *reach))
    for y, x in np.ndindex(*second.array.shape[2:]):
        top, left = y * first.stride, x * first.stride
        part = np.tensordot(second.array[:, :, y, x], first.array, axes=1)
        array[:, :, top : top + sizes[0], left : left + sizes[1]] += part
    return array


def _unrolled(first: Linear, dense: Floats) -> Floats:
    """``dense`` (outputs, *output of ``first``) of the input of ``first``, flat."""
    channels, *sides = first.shape
    (height, width), (rows, columns), step = first.array.shape[2:], dense.shape[2:], first.stride
    # Room for the padding, and for the last window to start where the image ends.
    padded = np.zeros((len(dense), channels, *(side + 2 * first.padding for side in sides)))
    for y, x in np.ndindex(height, width):
        part = np.einsum("moab,oc->mcab", dense, first.array[:, :, y, x], optimize=True)
        padded[:, :, y : y + rows * step : step, x : x + columns * step : step] += part
    inside = (slice(first.padding, first.padding + side) for side in sides)
    return padded[:, :, *inside].reshape(len(dense), -1)
