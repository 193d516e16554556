"""The integer reference: a network of any layers in plain NumPy integers, step by step.

Tests compare every faster path with ``run_integer``, in every spike and every membrane. The neuron is ``ldlif_step``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.layers import (
    AnyLayer,
    AvgPool2d,
    Conv2d,
    Flatten,
    FullyConnected,
    MaxPool2d,
    NeuronLayer,
    Recurrent,
    SumPool2d,
    chain,
)
from pyspice_cim.behavioral.network.readout import classify
from pyspice_cim.behavioral.neuron.ldlif import LDLIFState, ldlif_step
from pyspice_cim.errors import DataError

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerRun:
    """Result of ``run_integer``. Each attribute has one entry for each layer of neurons.

    Attributes:
        spikes: uint8, (time, batch, *shape of the layer).
        membranes: membranes after the last step, int32, (batch, *shape of the layer).
        traces: membranes after every step, int32, (time, batch, *shape of the layer); empty unless asked for.
    """

    spikes: tuple[NDArray[np.uint8], ...]
    membranes: tuple[NDArray[np.int32], ...]
    traces: tuple[NDArray[np.int32], ...] = ()

    @property
    def spike_counts(self) -> Ints:
        """Spikes of the last layer over all steps, (batch, *shape of the layer)."""
        return self.spikes[-1].sum(axis=0, dtype=np.int64)

    @property
    def predictions(self) -> Ints:
        """Class of each sample by ``readout.classify``, (batch,). Each neuron of the last layer is a class."""
        counts = self.spike_counts.reshape(len(self.membranes[-1]), -1)
        return classify(counts, self.membranes[-1].reshape(counts.shape))


def run_integer(layers: Sequence[AnyLayer], spikes: NDArray[np.integer[Any]], *, traces: bool = False) -> IntegerRun:
    """Run ``layers`` from rest and return every spike.

    Args:
        layers: layers in order; ``conversion.layers_of`` gives those of a network file.
        spikes: 0 or 1, (time, batch, inputs) or (time, batch, channels, height, width).
        traces: whether the membranes after every step are kept.

    Raises:
        DataError: if shapes do not chain, a step or sample is missing, or spikes are neither 0 nor 1.
        ConfigError: see ``layers.chain``.
    """
    spikes = np.asarray(spikes)
    check_shape(spikes.shape)
    if not ((spikes == 0) | (spikes == 1)).all():
        raise DataError("spikes hold other values than 0 and 1; they must be 0 or 1")
    links = chain(layers, spikes.shape[2:])
    batch = spikes.shape[1]
    states = [LDLIFState.zeros(batch, *link.output) for link in links]
    fired = [np.zeros((batch, *link.output), np.uint8) for link in links]
    neurons = [index for index, layer in enumerate(layers) if isinstance(layer, NeuronLayer)]
    trains: list[list[NDArray[np.uint8]]] = [[] for _ in neurons]
    seen: list[list[NDArray[np.int32]]] = [[] for _ in neurons]
    for frame in spikes:
        x = frame.astype(np.int64)
        for index, (layer, link) in enumerate(zip(layers, links, strict=True)):
            if isinstance(layer, NeuronLayer):
                drive = weighted_sum(layer, x) // link.divisor
                if isinstance(layer, Recurrent):
                    drive += _product(fired[index], layer.recurrent)
                fired[index], states[index], _ = ldlif_step(drive, states[index], layer.params)
                x = fired[index].astype(np.int64)
            else:
                x = passed(layer, x)
        for train, trace, index in zip(trains, seen, neurons, strict=True):
            train.append(fired[index])
            if traces:
                trace.append(states[index].v)
    return IntegerRun(
        spikes=tuple(np.stack(train) for train in trains),
        membranes=tuple(states[index].v for index in neurons),
        traces=tuple(np.stack(trace) for trace in seen) if traces else (),
    )


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise ``DataError`` if ``shape`` is not that of spikes: time, batch and a sample's one or three axes, none 0."""
    if len(shape) not in (3, 5) or 0 in shape:
        raise DataError(
            f"spikes have shape {shape}; they must be (time, batch, inputs) or (time, batch, channels, height, width), "
            f"none of them 0"
        )


def weighted_sum(layer: FullyConnected | Conv2d, x: Ints) -> Ints:
    """``sum_j w_j x_j`` of every neuron, (batch, *shape of the layer), from the inputs ``x`` of one step."""
    if not isinstance(layer, Conv2d):
        return _product(x, layer.weights)
    edge = (layer.padding, layer.padding)
    padded = np.pad(x, ((0, 0), (0, 0), edge, edge))
    windows = _windows(padded, layer.weights.shape[2:], layer.stride)  # batch, channel, y, x, kernel y, kernel x
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(*windows.shape[:1], *windows.shape[2:4], -1)
    return np.moveaxis(_product(patches, layer.weights.reshape(len(layer.weights), -1).T), -1, 1)


def passed(layer: MaxPool2d | SumPool2d | AvgPool2d | Flatten, x: NDArray[Any]) -> NDArray[Any]:
    """What a layer without state makes of ``x`` (batch, *shape of its input), in the type of ``x``."""
    if isinstance(layer, Flatten):
        return x.reshape(len(x), -1)
    windows = _windows(x, (layer.size, layer.size), layer.step)
    return windows.max(axis=(-2, -1)) if isinstance(layer, MaxPool2d) else windows.sum(axis=(-2, -1), dtype=x.dtype)


def _windows(x: NDArray[Any], size: tuple[int, ...], stride: int) -> NDArray[Any]:
    return sliding_window_view(x, size, axis=(-2, -1))[:, :, ::stride, ::stride]


def _product(x: NDArray[Any], weights: NDArray[np.int8]) -> Ints:
    # A float64 product of small integers is exact and much faster than NumPy's integer product.
    return np.rint(x.astype(np.float64) @ weights.astype(np.float64)).astype(np.int64)
