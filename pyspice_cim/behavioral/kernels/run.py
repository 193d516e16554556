"""Fast and exact inference of any network of ``network/layers.py``, equal to ``run_integer`` bit for bit.

The work of a time step grows with the number of spikes, not with the size of the layers.
Samples are divided among threads. Samples and time steps are cut into tiles, so that the memory has a bound.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels.plan import Plan, make_plan
from pyspice_cim.behavioral.network.layers import AnyLayer
from pyspice_cim.behavioral.network.reference import check_shape
from pyspice_cim.errors import ConfigError, DataError

# Layers are immutable, so one plan serves all runs of a network.
plan_of = lru_cache(maxsize=8)(make_plan)
# Bound of the input, state and observed values held at once, in bytes. The whole input and the result come on top.
TILE_BYTES = 1 << 25
Observer = Callable[[slice, slice, slice, NDArray[np.uint8], NDArray[np.uint8]], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class FastRun:
    """Result of ``fast_run``.

    Attributes:
        spike_counts: spikes of the last layer over all time steps, int64, (batch, *shape of the layer).
        membranes: membranes after the last time step, one array a layer of neurons, int32, (batch, *shape of the
            layer).
        spikes: one array a layer of neurons, uint8, (time, batch, *shape of the layer). ``None`` if not recorded.
    """

    spike_counts: NDArray[np.int64]
    membranes: tuple[NDArray[np.int32], ...]
    spikes: tuple[NDArray[np.uint8], ...] | None


def fast_run(
    layers: Sequence[AnyLayer],
    spikes: NDArray[Any],
    threads: int | None = None,
    *,
    record: bool = False,
    tile_bytes: int = TILE_BYTES,
) -> FastRun:
    """Run ``layers`` from rest.

    The peak memory beside ``spikes`` does not depend on the number of time steps or samples. The peak memory is the sum
    of: ``tile_bytes``, the result with its counts twice, the weights as int8, and the sums of one layer for each
    thread. If one time step of one sample needs more than ``tile_bytes``, this need takes the place of ``tile_bytes``.

    Args:
        layers: layers of ``network.layers``.
        spikes: 0 or 1, (time, batch, inputs) or (time, batch, channels, height, width). The types uint8 and bool are
            fastest. Any object with a shape that can be sliced serves, e.g. a memory-mapped array or an HDF5 data set.
        threads: number of threads; by default one for each processor.
        record: whether to keep the spikes of each layer, which takes time x batch x neurons bytes.
        tile_bytes: bound of the memory for tiles of input and state in bytes.

    Returns:
        Spike counts, membranes and, if recorded, spikes.

    Raises:
        DataError: if shapes do not chain, a step or sample is missing, or spikes are neither 0 nor 1.
        ConfigError: if ``threads`` is below 1, or as ``network.layers.chain``.
    """
    check_shape(tuple(spikes.shape))
    plan = plan_of(tuple(layers), tuple(int(n) for n in spikes.shape[2:]))
    trains = recorded(plan, spikes) if record else None

    def keep(some: slice, own: slice, when: slice, values: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
        keep_spikes(plan, trains or (), some, own, when, values)

    counts, membranes = run_plan(plan, spikes, threads, keep if record else None, tile_bytes=tile_bytes)
    return FastRun(spike_counts=counts, membranes=membranes, spikes=trains)


def recorded(plan: Plan, spikes: Any) -> tuple[NDArray[np.uint8], ...]:
    """Empty arrays for the spikes of each layer of neurons, uint8, (time, batch, *shape of the layer)."""
    steps, batch = (int(n) for n in spikes.shape[:2])
    return tuple(np.empty((steps, batch, *part.places.shape), np.uint8) for part in plan.parts)


def keep_spikes(
    plan: Plan,
    trains: Sequence[NDArray[np.uint8]],
    some: slice,
    own: slice,
    when: slice,
    values: NDArray[np.uint8],
) -> None:
    """Copy the spikes that an observer of ``run_plan`` sees to ``trains``.

    Args:
        plan: plan of the network.
        trains: arrays made by ``recorded``, are written to.
        some, own, when, values: as an observer of ``run_plan`` gets them.
    """
    for part, train in zip(plan.parts, trains, strict=True):
        train[when, some][:, own] = values[:, own][:, :, part.target + part.places]


def run_plan(
    plan: Plan, spikes: Any, threads: int | None, observe: Observer | None = None, *, tile_bytes: int = TILE_BYTES
) -> tuple[NDArray[np.int64], tuple[NDArray[np.int32], ...]]:
    """Run a plan from rest, tile by tile. Memory and errors are as for ``fast_run``.

    Args:
        plan: plan of the network.
        spikes, threads, tile_bytes: as for ``fast_run``.
        observe: function ``(some, own, when, values, before)`` that each thread calls after its part of a tile.
            ``some`` are the samples of the tile. ``own`` are the samples of this thread within the tile. ``when`` are
            the time steps of the tile. ``values`` are the values of all layers, uint8, (steps, samples of the tile,
            ``plan.values``). ``before`` are the values of the time step before the tile, without the axis of steps. The
            next tile overwrites both arrays.

    Returns:
        Spike counts and membranes as in ``FastRun``.
    """
    threads = processors() if threads is None else threads
    if threads < 1:
        raise ConfigError(f"threads is {threads}; it must be 1 or more")
    steps, batch = int(spikes.shape[0]), int(spikes.shape[1])
    counts = np.zeros((batch, int(plan.records[-1]["outputs"])), np.int64)
    membranes = tuple(np.empty((batch, *part.places.shape), np.int32) for part in plan.parts)
    # Values before and after a tile, membranes, and a copy of the membranes of one layer for the result.
    sample_bytes = 2 * plan.values + 4 * plan.membranes
    # Values of all layers for the observer, and a copy of the values of one layer.
    step_bytes = frame_bytes(spikes) + 2 * plan.values * (observe is not None)
    samples = max(1, min(batch, tile_bytes // (sample_bytes + step_bytes)))
    length = max(1, min(steps, (tile_bytes - samples * sample_bytes) // (samples * step_bytes)))
    with ThreadPoolExecutor(threads) as pool:
        for some in tiles(batch, samples):
            n = some.stop - some.start
            kept = np.empty((length if observe else 0, n, plan.values), np.uint8)
            values, v = np.zeros((n, plan.values), np.uint8), np.zeros((n, plan.membranes), np.int16)
            for when in tiles(steps, length):
                before = values.copy() if observe else values
                tile = _tile(spikes[when, some], plan)
                seen = kept[: len(tile)]

                def ran(
                    own: slice,
                    some: slice = some,
                    when: slice = when,
                    seen: NDArray[np.uint8] = seen,
                    before: NDArray[np.uint8] = before,
                ) -> None:
                    if observe:
                        observe(some, own, when, seen, before)

                _run_tile(plan, tile, values, v, counts[some], seen, ran, pool, threads)
            for part, final in zip(plan.parts, membranes, strict=True):
                final[some] = v[:, part.membrane + part.places]
    return counts[:, plan.parts[-1].places], membranes


def _run_tile(
    plan: Plan,
    tile: NDArray[np.uint8],
    values: NDArray[np.uint8],
    v: NDArray[np.int16],
    counts: NDArray[np.int64],
    kept: NDArray[np.uint8],
    ran: Callable[[slice], None],
    pool: Executor,
    threads: int,
) -> None:
    # Imported at the first run: Numba takes a second to import, and nothing else in this module needs Numba.
    from pyspice_cim.behavioral.kernels.steps import run_samples

    def run(samples: slice) -> bool:
        rows, sums = np.zeros(plan.rows, np.int32), np.zeros(plan.sums, np.int32 if plan.wide else np.int16)
        state = (tile, values, v, counts, kept)
        valid = bool(
            run_samples(plan.records, plan.weights, plan.totals, *state, rows, sums, samples.start, samples.stop)
        )
        if valid:
            ran(samples)
        return valid

    parts = list(tiles(len(v), -(-len(v) // threads)))
    # A single part runs in this thread, because the start of another thread takes time.
    valid = [run(parts[0])] if len(parts) == 1 else list(pool.map(run, parts))
    if not all(valid):
        raise DataError("spikes hold other values than 0 and 1; they must be 0 or 1")


def as_spikes(spikes: Any) -> NDArray[np.uint8]:
    """Spikes as uint8.

    The array is copied only if its type needs a conversion. The values of a uint8 array are not checked.

    Raises:
        DataError: if spikes of another type than uint8 and bool are neither 0 nor 1.
    """
    spikes = np.asarray(spikes)
    if spikes.dtype == np.bool_:
        return spikes.view(np.uint8)
    if spikes.dtype != np.uint8:
        if spikes.dtype.kind not in "iuf" or not ((spikes == 0) | (spikes == 1)).all():
            raise DataError("spikes hold other values than 0 and 1; they must be 0 or 1")
        return spikes.astype(np.uint8)
    return spikes


def frame_bytes(spikes: Any) -> int:
    """Memory that one time step of one sample needs while its spikes are converted to uint8, in bytes.

    Types other than uint8 and bool also need arrays of truth values for the check of their values.
    """
    kind = np.dtype(spikes.dtype)
    return int(np.prod(spikes.shape[2:])) * (kind.itemsize + (1 if kind.itemsize == 1 and kind.kind in "bu" else 4))


def _tile(spikes: Any, plan: Plan) -> NDArray[np.uint8]:
    """Spikes as writable, contiguous uint8, (time, batch, channels, places)."""
    return np.require(as_spikes(spikes), requirements=["C", "W"]).reshape(*spikes.shape[:2], *plan.frame)


def tiles(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most ``size`` that cover ``range(n)``."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
