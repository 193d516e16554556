"""From layers to the flat tables that the compiled kernels run.

The kernels store the outputs of a layer in an order that suits them. Images are stored as (height, width, channels).
Neurons and output channels are padded with neurons that have no weights and never fire.
``Part.places`` gives the offset of each output.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels import record as table
from pyspice_cim.behavioral.kernels.record import LANES
from pyspice_cim.behavioral.network.layers import (
    AnyLayer,
    Conv2d,
    Flatten,
    FullyConnected,
    Link,
    MaxPool2d,
    NeuronLayer,
    Recurrent,
    Shape,
    chain,
)
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams

_ALIGN = 64
_INT8, _INT16 = 127, 32767
# Widest membrane whose update fits in int16. ``steps.fire`` limits a sum to VMAX - VMIN before the addition.
_NARROW_BITS = 14
_RULES = {
    "clamp": table.CLAMP,
    "toward_zero": table.TOWARD_ZERO,
    "none": table.NO_DECAY,
    "exponential": table.EXPONENTIAL,
}
Positions = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Where the state of one layer of neurons lies in the buffers of a sample.

    Output i of the layer is ``values[target + places[i]]``. Membrane i is ``membranes[membrane + places[i]]``.
    Input i of the layer is ``values[inputs[i]]``.

    Attributes:
        target: offset of the layer's outputs in ``values``.
        membrane: offset of the layer's membranes in ``membranes``.
        places: int64, (*shape of the layer), offset of each neuron within the layer.
        inputs: int64, (inputs,), offset of each input in ``values``.
    """

    target: int
    membrane: int
    places: Positions
    inputs: Positions


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A network in the form that the kernels run.

    Attributes:
        records: one ``record.RECORD`` for each layer except ``Flatten``.
        weights: int8, flat, the weights of all layers.
        totals: int32, one entry a membrane. For a fully connected layer: the sum of the weights of all its inputs.
        frame: (channels, places) of an input frame.
        parts: one entry a layer of neurons.
        values: number of uint8 values in the state of a sample.
        membranes: number of int16 membranes in the state of a sample.
        rows, sums: sizes of the scratch arrays of ``steps.run_samples``.
        wide: whether the sums need int32; if not, int16 is enough.
    """

    records: NDArray[np.void]
    weights: NDArray[np.int8]
    totals: NDArray[np.int32]
    frame: tuple[int, int]
    parts: tuple[Part, ...]
    values: int
    membranes: int
    rows: int
    sums: int
    wide: bool


def make_plan(layers: Sequence[AnyLayer], shape: Shape) -> Plan:
    """The plan of a network.

    Args:
        layers: layers of ``network.layers``.
        shape: shape of the input of one sample in one time step.

    Raises:
        DataError, ConfigError: as ``network.layers.chain``.
    """
    links = chain(layers, shape)
    places, stored = _image(shape, shape[0]) if len(shape) == 3 else (np.arange(shape[0]), shape[0])
    source, values, membranes, size = 0, _aligned(stored), 0, 0
    records, parts, weights, totals = [], [], [], []
    columns, most, wide = 0, 0, False
    for layer, link in zip(layers, links, strict=True):
        if isinstance(layer, Flatten):
            places = places.ravel()
            continue
        seen = source + places.ravel()
        if isinstance(layer, Conv2d):
            fields, matrix, places, outputs = _convolution(layer, link, stored)
        elif isinstance(layer, FullyConnected):
            fields, matrix, places, outputs = _dense(layer, link, places, stored)
        else:
            channels = stored // (link.shape[1] * link.shape[2])
            places, outputs = _image(link.output, channels)
            kind = table.MAX_POOL if isinstance(layer, MaxPool2d) else table.SUM_POOL
            fields = {"kind": kind, "size_y": layer.size, "size_x": layer.size, "step": layer.step}
            fields |= _sides(link, channels)
        fields |= {"source": source, "inputs": stored, "target": values, "outputs": outputs}
        if isinstance(layer, NeuronLayer):
            fields |= {"weights": size, "membrane": membranes, "many": link.largest > 1, "divisor": link.divisor}
            parts.append(Part(target=values, membrane=membranes, places=places, inputs=seen))
            weights.append(matrix.ravel())
            totals.append(np.zeros(_aligned(outputs), np.int32))
            if isinstance(layer, FullyConnected):
                totals[-1][:outputs] = matrix[:stored].sum(axis=0, dtype=np.int32)
            size += matrix.size
            membranes += _aligned(outputs)
            columns, wide = max(columns, fields.pop("sums")), bool(fields.pop("wide")) or wide
            most = max(most, stored * link.largest + outputs)
        records.append(fields)
        source, stored, values = values, outputs, values + _aligned(outputs)
    rows = np.zeros(len(records), table.RECORD)
    for row, fields in zip(rows, records, strict=True):
        for name, value in fields.items():
            row[name] = value
    return Plan(
        records=rows,
        weights=_on_cache_lines(np.concatenate([*weights, np.zeros(table.SLACK, np.int8)])),
        totals=np.concatenate(totals),
        frame=(shape[0], shape[1] * shape[2]) if len(shape) == 3 else (1, shape[0]),
        parts=tuple(parts),
        values=values + table.SLACK,
        membranes=membranes,
        rows=most + table.SLACK,
        sums=columns,
        wide=wide,
    )


def _dense(
    layer: FullyConnected, link: Link, places: Positions, stored: int
) -> tuple[dict[str, int], NDArray[np.int8], Positions, int]:
    neurons = layer.weights.shape[1]
    lanes = _rounded(neurons, LANES)
    recurrent = isinstance(layer, Recurrent)
    matrix = np.zeros((stored + lanes * recurrent, lanes), np.int8)
    matrix[places, :neurons] = layer.weights
    bound = link.largest * _one_sided(layer.weights, 0)
    if isinstance(layer, Recurrent):
        matrix[stored : stored + neurons, :neurons] = layer.recurrent
        bound = bound + _one_sided(layer.recurrent, 0)
    fields = {"kind": table.DENSE, "lanes": lanes, "sums": lanes, "recurrent": recurrent}
    fields |= _arithmetic(layer.params, matrix, int(bound.max()))
    return fields, matrix, np.arange(neurons), lanes


def _convolution(layer: Conv2d, link: Link, stored: int) -> tuple[dict[str, int], NDArray[np.int8], Positions, int]:
    _, height, width = link.shape
    channels = stored // (height * width)
    out_channels, in_channels, size_y, size_x = layer.weights.shape
    padded = _rounded(out_channels, LANES)
    # Each input adds its kernel to the neurons around it. This scatter needs the kernel mirrored in both axes.
    matrix = np.zeros((channels, size_y, size_x, padded), np.int8)
    matrix[:in_channels, :, :, :out_channels] = layer.weights[:, :, ::-1, ::-1].transpose(1, 2, 3, 0)
    fields = {
        "kind": table.CONV,
        "lanes": size_y * size_x * padded,
        "size_y": size_y,
        "size_x": size_x,
        "step": layer.stride,
        "padding": layer.padding,
        "out_channels": padded,
        "sums": (height + size_y - 1) * (width + size_x - 1) * padded,
    }
    fields |= _sides(link, channels)
    bound = link.largest * _one_sided(layer.weights, (1, 2, 3))
    fields |= _arithmetic(layer.params, matrix, int(bound.max()))
    places, outputs = _image(link.output, padded)
    return fields, matrix, places, outputs


def _arithmetic(params: LDLIFParams, matrix: NDArray[np.int8], bound: int) -> dict[str, int]:
    """Fields of the record that say how to add and to update.

    Args:
        params: parameters of the neurons.
        matrix: int8, the weights.
        bound: largest absolute value that the sum of any subset of a neuron's inputs can have.
    """
    heaviest = max(1, int(np.abs(matrix.astype(np.int64)).max()))
    numerator, shift = params.factor
    return {
        "group": max(1, _INT8 // heaviest),
        "rows_at_once": _INT16 // heaviest if bound > _INT16 else np.iinfo(np.int64).max // 2,
        "wide": bound > _INT16 or params.membrane_bits > _NARROW_BITS,
        "decay": _RULES[params.decay],
        "lambda_": params.lambda_,
        "theta": params.theta,
        "vmin": params.vmin,
        "vmax": params.vmax,
        "subtract": params.reset == "subtract",
        "beta": numerator,
        "shift": shift,
    }


def _one_sided(weights: NDArray[np.int8], axes: int | tuple[int, ...]) -> NDArray[np.int64]:
    """Largest absolute value of the sum of any subset of the weights of a neuron, int64, one entry a neuron.

    Args:
        weights: int8.
        axes: axes of ``weights`` that run over the inputs of a neuron.
    """
    exact = weights.astype(np.int64)
    return np.maximum(np.maximum(exact, 0).sum(axis=axes), -np.minimum(exact, 0).sum(axis=axes))


def _sides(link: Link, channels: int) -> dict[str, int]:
    names = ("height", "width", "out_height", "out_width", "channels")
    return dict(zip(names, (*link.shape[1:], *link.output[1:], channels), strict=True))


def _image(shape: Shape, channels: int) -> tuple[Positions, int]:
    """Where the pixels of an image lie that is stored as (y, x, ``channels``).

    Returns:
        Offset of each pixel (channel, y, x), and the size of the stored image.
    """
    stored = (shape[1], shape[2], channels)
    index = np.arange(int(np.prod(stored))).reshape(stored)
    return np.ascontiguousarray(index[:, :, : shape[0]].transpose(2, 0, 1)), int(np.prod(stored))


def _on_cache_lines(flat: NDArray[np.int8]) -> NDArray[np.int8]:
    """A copy of ``flat`` that starts at a cache line.

    A row of weights then spans the fewest cache lines and loads faster.
    """
    room = np.empty(flat.size + _ALIGN, np.int8)
    start = -room.ctypes.data % _ALIGN
    room[start : start + flat.size] = flat
    return room[start : start + flat.size]


def _rounded(n: int, to: int) -> int:
    return -(-n // to) * to


def _aligned(n: int) -> int:
    return _rounded(n, _ALIGN)
