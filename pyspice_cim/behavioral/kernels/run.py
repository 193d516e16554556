"""Fast, exact inference: any network of ``network/layers.py``, driven by its spikes, equal to ``run_integer`` bit for bit.

The work of a step grows with the number of spikes, not with the size of the layers. Each sample runs through all steps
with its state in the fastest cache; samples are divided among threads. Which kernel runs a layer follows from the layer.
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

# Layers never change, so the plan of a network serves all its runs.
plan_of = lru_cache(maxsize=8)(make_plan)
# Bytes of input, state and recorded spikes that are held at once, next to the input and the result themselves.
TILE_BYTES = 1 << 25
Observer = Callable[[slice, slice, slice, NDArray[np.uint8], NDArray[np.uint8]], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class FastRun:
    """Result of ``fast_run``; as in ``IntegerRun``.

    Attributes:
        spike_counts: spikes of the last layer over all steps, int64, (batch, *shape of the layer).
        membranes: after the last step, int32, (batch, *shape of the layer), one a layer of neurons.
        spikes: uint8, (time, batch, *shape of the layer), one a layer of neurons; ``None`` if they were not recorded.
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

    Args:
        spikes: 0 or 1 of any type (uint8 and bool are fastest), (time, batch, inputs) or (time, batch, channels, height,
            width); anything with a shape that can be sliced, such as a memory-mapped array or an HDF5 data set.
        threads: how many, by default one a processor.
        record: keep the spikes of every layer: time x batch x neurons bytes.
        tile_bytes: bound of the memory for tiles of input and state; steps and samples are cut into tiles to meet it.

    Peak memory next to ``spikes``: ``tile_bytes`` (or what one step of one sample needs, if that is more), the result with
    its counts twice, the weights as int8, and the sums of one layer a thread; whatever the number of steps or samples.

    Raises:
        DataError: if shapes do not chain, a step or sample is missing, or spikes are neither 0 nor 1.
        ConfigError: if ``threads`` is below 1; see ``network.layers.chain``, too.
    """
    check_shape(tuple(spikes.shape))
    plan = plan_of(tuple(layers), tuple(int(n) for n in spikes.shape[2:]))
    trains = recorded(plan, spikes) if record else None

    def keep(some: slice, own: slice, when: slice, values: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
        keep_spikes(plan, trains or (), some, own, when, values)

    counts, membranes = run_plan(plan, spikes, threads, keep if record else None, tile_bytes=tile_bytes)
    return FastRun(spike_counts=counts, membranes=membranes, spikes=trains)


def recorded(plan: Plan, spikes: Any) -> tuple[NDArray[np.uint8], ...]:
    """Room for the spikes of every layer of neurons, uint8, (time, batch, *shape of the layer)."""
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
    """Write what an observer of ``run_plan`` sees to ``trains``, which ``recorded`` made."""
    for part, train in zip(plan.parts, trains, strict=True):
        train[when, some][:, own] = values[:, own][:, :, part.target + part.places]


def run_plan(
    plan: Plan, spikes: Any, threads: int | None, observe: Observer | None = None, *, tile_bytes: int = TILE_BYTES
) -> tuple[NDArray[np.int64], tuple[NDArray[np.int32], ...]]:
    """Spike counts and membranes as in ``FastRun``, tile by tile; arguments, errors and memory as ``fast_run``.

    Args:
        observe: called in every thread when it has run its part of a tile, with the samples of the tile, which of them
            are its own, the steps, the values of all layers (steps, samples of the tile, ``plan.values``), and those of
            the step before (samples of the tile, ``plan.values``). The values are overwritten by the next tile.
    """
    threads = processors() if threads is None else threads
    if threads < 1:
        raise ConfigError(f"threads is {threads}; it must be 1 or more")
    steps, batch = int(spikes.shape[0]), int(spikes.shape[1])
    counts = np.zeros((batch, int(plan.records[-1]["outputs"])), np.int64)
    membranes = tuple(np.empty((batch, *part.places.shape), np.int32) for part in plan.parts)
    # Values before and after a tile, membranes, and the membranes of one layer on their way out.
    sample_bytes = 2 * plan.values + 4 * plan.membranes
    # Values of all layers, and those of one on their way out.
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
    # Imported at the first run: Numba takes a second to import, and nothing else here needs it.
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
    # A single part runs here: a thread of its own would only cost its start.
    valid = [run(parts[0])] if len(parts) == 1 else list(pool.map(run, parts))
    if not all(valid):
        raise DataError("spikes hold other values than 0 and 1; they must be 0 or 1")


def as_spikes(spikes: Any) -> NDArray[np.uint8]:
    """Spikes as uint8, a copy only where needed; of uint8 the values are not looked at.

    Raises:
        DataError: if spikes of another type are neither 0 nor 1.
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
    """Bytes of one step of one sample as it comes and as uint8; other types are checked, by three truth values each."""
    kind = np.dtype(spikes.dtype)
    return int(np.prod(spikes.shape[2:])) * (kind.itemsize + (1 if kind.itemsize == 1 and kind.kind in "bu" else 4))


def _tile(spikes: Any, plan: Plan) -> NDArray[np.uint8]:
    """Some spikes as writable, contiguous uint8, (time, batch, channels, places)."""
    return np.require(as_spikes(spikes), requirements=["C", "W"]).reshape(*spikes.shape[:2], *plan.frame)


def tiles(n: int, size: int) -> Iterator[slice]:
    """Slices of at most ``size`` that cover ``range(n)``."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
