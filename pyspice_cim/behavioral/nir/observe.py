"""Membranes and saturations of a run on calibration data.

The compiled kernels run the network and give the values of every layer, tile by tile. Each layer is then computed again
from these values. The weighted sums of a tile are one product of floats, which is exact because the sums are small
integers. The membranes follow step by step in integers.

The number of steps does not change the memory beside the spikes: two tiles of ``tile_bytes``, ``CHUNK_BYTES`` for each
thread, and the state of all neurons of the batch.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels.run import TILE_BYTES, plan_of, run_plan, tiles
from pyspice_cim.behavioral.network.layers import AnyLayer, Conv2d, Link, NeuronLayer, Recurrent, chain
from pyspice_cim.behavioral.network.reference import check_shape
from pyspice_cim.behavioral.neuron.ldlif import LDLIFState, ldlif_step

Ints = NDArray[np.int64]
# Bytes of the inputs of a product as floats; a convolution's are copied once for every tap.
CHUNK_BYTES = 1 << 24
# Integers up to there, and sums that stay below, are exact in float32; no layer's sums reach 2^53.
_FLOAT32 = 1 << 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """What the neurons of one layer did in a run.

    An update is one step of one neuron.

    Attributes:
        membranes: how often each membrane 0, 1, .. VMAX occurred at the start of an update; negative ones do not count.
        saturated: number of updates whose total left the membrane's range.
        updates: number of all updates.
    """

    membranes: Ints
    saturated: int
    updates: int


def observe(
    layers: Sequence[AnyLayer], spikes: NDArray[Any], threads: int | None = None, *, tile_bytes: int = TILE_BYTES
) -> tuple[Observed, ...]:
    """Run a network on ``spikes``, and return what each layer of neurons did.

    Args:
        layers: layers of the network, in order.
        spikes, threads, tile_bytes: as for ``fast_run``.

    Returns:
        One entry for each layer of neurons.

    Raises:
        DataError, ConfigError: see ``fast_run``.
    """
    check_shape(tuple(spikes.shape))
    steps, batch, *shape = (int(n) for n in spikes.shape)
    plan = plan_of(tuple(layers), tuple(shape))
    links = [link for layer, link in zip(layers, chain(layers, shape), strict=True) if isinstance(layer, NeuronLayer)]
    watched = [_Watched(layer, link, batch) for layer, link in zip(_neurons(layers), links, strict=True)]
    lock = threading.Lock()

    def watch(some: slice, own: slice, when: slice, values: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
        samples = slice(some.start + own.start, some.start + own.stop)
        for part, each in zip(plan.parts, watched, strict=True):
            inputs = values[:, own][:, :, part.inputs]
            earlier = None
            if isinstance(each.layer, Recurrent):
                places = part.target + part.places
                earlier = np.concatenate([before[None, own][:, :, places], values[:-1, own][:, :, places]])
            membranes, saturated = each.advance(samples, inputs, earlier)
            with lock:
                each.membranes += membranes
                each.saturated += saturated

    run_plan(plan, spikes, threads, watch, tile_bytes=tile_bytes)
    return tuple(
        Observed(membranes=each.membranes, saturated=each.saturated, updates=steps * each.v.size) for each in watched
    )


def _neurons(layers: Sequence[AnyLayer]) -> list[NeuronLayer]:
    return [layer for layer in layers if isinstance(layer, NeuronLayer)]


class _Watched:
    """A layer that is observed: its membranes ``v`` (batch, *shape of the layer), and what was counted."""

    def __init__(self, layer: NeuronLayer, link: Link, batch: int) -> None:
        self.layer, self.link = layer, link
        self.v = np.zeros((batch, *link.output), np.int32)
        self.membranes, self.saturated = np.zeros(layer.params.vmax + 1, np.int64), 0

    def advance(self, samples: slice, inputs: NDArray[np.uint8], earlier: NDArray[np.uint8] | None) -> tuple[Ints, int]:
        """Run ``inputs`` (steps, samples, values), with the neurons' own spikes of the steps before; counts of membranes and
        of saturations. Only ``v`` of the ``samples`` is touched, so that threads may share this."""
        counts, saturated = np.zeros_like(self.membranes), 0
        state = LDLIFState(v=self.v[samples])
        for some in tiles(len(inputs), max(1, CHUNK_BYTES // self._step_bytes(inputs.shape[1]))):
            frames = inputs[some].reshape(-1, *self.link.shape)
            drives = _sums(self.layer, self.link.largest, frames) // self.link.divisor
            if isinstance(self.layer, Recurrent) and earlier is not None:
                own = earlier[some].reshape(len(frames), -1)
                drives += exact_product(own, self.layer.recurrent, 1)
            for drive in drives.reshape(-1, *state.v.shape):
                counts += np.bincount(state.v[state.v >= 0].ravel(), minlength=len(counts))
                _, state, events = ldlif_step(drive, state, self.layer.params)
                saturated += int(np.count_nonzero(events.saturated))
        self.v[samples] = state.v
        return counts, saturated

    def _step_bytes(self, samples: int) -> int:
        taps = int(np.prod(self.layer.weights.shape[1:])) if isinstance(self.layer, Conv2d) else 0
        places = int(np.prod(self.link.output[1:]))
        return samples * (4 * (taps * places + int(np.prod(self.link.shape))) + 16 * int(np.prod(self.link.output)))


def _sums(layer: NeuronLayer, largest: int, frames: NDArray[np.uint8]) -> Ints:
    """``sum_j w_j x_j`` of every neuron, (frames, *shape of the layer)."""
    if not isinstance(layer, Conv2d):
        return exact_product(frames, layer.weights, largest)
    edge = (layer.padding, layer.padding)
    size, step = layer.weights.shape[2:], layer.stride
    windows = sliding_window_view(np.pad(frames, ((0, 0), (0, 0), edge, edge)), size, axis=(-2, -1))[
        :, :, ::step, ::step
    ]
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, int(np.prod(layer.weights.shape[1:])))
    sums = exact_product(patches, layer.weights.reshape(len(layer.weights), -1).T, largest)
    return np.moveaxis(sums.reshape(len(frames), *windows.shape[2:4], -1), -1, 1)


def exact_product(x: NDArray[np.uint8], weights: NDArray[np.int8], largest: int) -> Ints:
    """Return ``x @ weights``, int64, exact for values of ``x`` up to ``largest``.

    Floats hold integers exactly up to a limit: float32 up to 2^24, float64 up to 2^53. The product is computed in
    float32 if all sums stay below 2^24, else in float64.
    """
    bound = largest * int(np.abs(weights.astype(np.int64)).sum(axis=0).max())
    kind = np.float32 if bound < _FLOAT32 else np.float64
    return np.rint(x.astype(kind) @ weights.astype(kind)).astype(np.int64)
