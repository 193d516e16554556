"""Execution of a mapped network: each operation of each column of each macro, as the netlist computes the operation.

Spikes, membranes and events come from the bits of the columns (``kernels/macro.py``), not from the neuron's equation.
Without faults, spikes and membranes equal the result of ``fast_run``. A tile of samples and time steps runs layer by
layer, because within a time step a layer reads the spikes of the layers before it.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels import program as table
from pyspice_cim.behavioral.kernels.run import TILE_BYTES, as_spikes, frame_bytes, processors, tiles
from pyspice_cim.behavioral.macro.layout import NO_FAULTS, Faults, Layout, State, layout_of, membranes_of, state_at_rest
from pyspice_cim.behavioral.macro.mapping import LayerMap, Mapping
from pyspice_cim.behavioral.network.layers import NeuronLayer, Recurrent, chain
from pyspice_cim.behavioral.network.reference import check_shape, passed
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.microcode import EVENTS

Ints = NDArray[np.int64]
# The argument ``count`` of ``execute``.
Count = Callable[[int, slice, NDArray[np.uint8], NDArray[np.uint8]], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Execution:
    """Result of ``execute``. All attributes but ``spike_counts`` have one entry a layer of neurons.

    Attributes:
        spike_counts: spikes of the last layer over all time steps, int64, (batch, *shape of the layer).
        membranes: membranes after the last time step, int32, (batch, *shape of the layer).
        spikes: uint8, (time, batch, *shape of the layer). ``None`` if not recorded.
        events: counts of ``microcode.EVENTS`` by kind, summed over the columns of all macros, (batch, kinds, events).
        writes: number of scratch cells written, by ``kernels.program.TRANSITIONS``, (batch, 4).
    """

    spike_counts: Ints
    membranes: tuple[NDArray[np.int32], ...]
    spikes: tuple[NDArray[np.uint8], ...] | None
    events: tuple[Ints, ...]
    writes: tuple[Ints, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerFaults:
    """Faults of one layer.

    Attributes:
        layout: layout with the weights that the faulty cells hold.
        draw: function from a range of samples to the faults of these samples.
    """

    layout: Layout
    draw: Callable[[slice], Faults]


@lru_cache(maxsize=8)
def layouts_of(mapping: Mapping) -> tuple[Layout, ...]:
    """Layouts of all layers without faults. A mapping is immutable, so one result serves all its runs."""
    return tuple(layout_of(each) for each in mapping.maps)


def execute(
    mapping: Mapping,
    spikes: Any,
    threads: int | None = None,
    *,
    faults: Sequence[LayerFaults] | None = None,
    record: bool = False,
    count: Count | None = None,
    tile_bytes: int = TILE_BYTES,
) -> Execution:
    """Execute a mapped network from rest.

    Peak memory is as for ``fast_run``, with the weights of all macros as bit planes on top. The planes take
    8 x weight bits x blocks of 64 columns bytes for each input row.

    Args:
        mapping: network on macros.
        spikes, threads, record, tile_bytes: as for ``kernels.run.fast_run``.
        faults: one entry a layer of neurons; by default no faults. Events are not counted with faults.
        count: function ``(layer, samples, values, before)`` that is called for each tile and layer of neurons.
            ``values`` has the offsets of ``layout.places_alone``, (steps, samples, values). ``before`` are the values
            of the time step before the tile, (samples, values).

    Returns:
        Spikes, membranes and counts.

    Raises:
        DataError, ConfigError: as ``kernels.run.fast_run``.
    """
    check_shape(tuple(spikes.shape))
    steps, batch, *shape = (int(n) for n in spikes.shape)
    if tuple(shape) != mapping.shape:
        raise DataError(f"an input has shape {tuple(shape)}; the network was mapped for {mapping.shape}")
    threads = processors() if threads is None else threads
    if threads < 1:
        raise ConfigError(f"threads is {threads}; it must be 1 or more")
    maps = mapping.maps
    outputs = [each.link.output for each in maps]
    result = Execution(
        spike_counts=np.zeros((batch, *outputs[-1]), np.int64),
        membranes=tuple(np.empty((batch, *each), np.int32) for each in outputs),
        spikes=tuple(np.empty((steps, batch, *each), np.uint8) for each in outputs) if record else None,
        events=tuple(np.zeros((batch, len(each.program), len(EVENTS)), np.int64) for each in maps),
        writes=tuple(np.zeros((batch, len(table.TRANSITIONS)), np.int64) for _ in maps),
    )
    layouts = layouts_of(mapping) if faults is None else tuple(each.layout for each in faults)
    # The membranes are converted to int64 layer by layer, in about six arrays at once.
    sample_bytes = max(8 * 8 * len(each.layout.neurons) for each in _layers(maps, layouts)) + sum(
        8 * len(each.layout.valid) * each.mapped.macros * (2 * each.mapped.config.bits + 2)
        for each in _layers(maps, layouts)
    )
    step_bytes = sum(int(np.prod(link.shape)) + 2 * int(np.prod(link.output)) for link in chain(mapping.layers, shape))
    step_bytes += frame_bytes(spikes)
    budget = tile_bytes // threads
    samples = max(1, min(-(-batch // threads), budget // (sample_bytes + step_bytes)))
    length = max(1, min(steps, (budget - samples * sample_bytes) // (samples * step_bytes)))

    # Each thread takes the next tile by itself. A future for each tile would need memory without a bound.
    parts, lock = tiles(batch, samples), Lock()

    def run(_: int) -> None:
        while True:
            with lock:
                some = next(parts, None)
            if some is None:
                return
            drawn = [NO_FAULTS] * len(maps) if faults is None else [each.draw(some) for each in faults]
            _run_samples(mapping, layouts, drawn, spikes, some, length, result, count)

    with ThreadPoolExecutor(threads) as pool:
        for _ in map(run, (0,)) if threads == 1 or samples >= batch else pool.map(run, range(threads)):
            pass
    return result


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    mapped: LayerMap
    layout: Layout


def _layers(maps: Sequence[LayerMap], layouts: Sequence[Layout]) -> list[_Layer]:
    return [_Layer(mapped=mapped, layout=layout) for mapped, layout in zip(maps, layouts, strict=True)]


def _run_samples(
    mapping: Mapping,
    layouts: Sequence[Layout],
    faults: Sequence[Faults],
    spikes: Any,
    some: slice,
    length: int,
    result: Execution,
    count: Count | None,
) -> None:
    batch = some.stop - some.start
    layers = _layers(mapping.maps, layouts)
    states = [state_at_rest(each.mapped, each.layout, batch) for each in layers]
    last = [np.zeros((batch, len(each.layout.neurons)), np.uint8) for each in layers]
    for when in tiles(spikes.shape[0], length):
        x = as_spikes(spikes[when, some])
        if (x > 1).any():
            raise DataError("spikes hold other values than 0 and 1; they must be 0 or 1")
        at = 0
        for layer in mapping.layers:
            if not isinstance(layer, NeuronLayer):
                flat = passed(layer, x.reshape(-1, *x.shape[2:]))
                x = flat.reshape(*x.shape[:2], *flat.shape[1:])
                continue
            layout, state = layers[at].layout, states[at]
            fired = np.empty((len(x) + 1, *last[at].shape), np.uint8)
            fired[0] = last[at]
            values = np.ascontiguousarray(x).reshape(len(x), batch, -1)
            counts = result.events[at][some], result.writes[at][some]
            run_layer(layers[at].mapped, layout, state, faults[at], values, fired, counts)
            if count is not None:
                count(at, some, *_lines(layers[at].mapped, values, fired))
            last[at] = fired[-1].copy()
            x = fired[1:].reshape(len(values), batch, *layers[at].mapped.link.output)
            if result.spikes is not None:
                result.spikes[at][when, some] = x
            at += 1
        result.spike_counts[some] += x.sum(axis=0, dtype=np.int64)
    for each, state, final in zip(layers, states, result.membranes, strict=True):
        final[some] = membranes_of(each.mapped, each.layout, state).reshape(final[some].shape)


def _lines(
    mapped: LayerMap, values: NDArray[np.uint8], fired: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Values of a layer's inputs with the offsets of ``layout.places_alone``, and the values of the step before."""
    if not isinstance(mapped.layer, Recurrent):
        return values, np.zeros_like(values[0])
    return np.concatenate([values, fired[1:]], axis=2), np.concatenate([np.zeros_like(values[0]), fired[0]], axis=1)


def run_layer(
    mapped: LayerMap,
    layout: Layout,
    state: State,
    faults: Faults,
    values: NDArray[np.uint8],
    fired: NDArray[np.uint8],
    counts: tuple[Ints, Ints],
    work: Ints | None = None,
) -> None:
    """Run ``kernels.macro.run_macros`` on one layer.

    Args:
        mapped: layer on macros.
        layout: layout of the layer.
        state: state of the macros, updated in place.
        faults: faults of the samples.
        values: inputs, uint8, (steps, batch, inputs).
        fired: spikes, uint8, (1 + steps, batch, neurons). Entry 0 is the time step before. The other entries are
            overwritten.
        counts: events (batch, kinds, events) and writes of scratch cells (batch, 4), int64, increased in place.
        work: groups and blocks of 64 columns to run, int64, (tasks, 2), sorted by group; by default all.
    """
    # Imported at the first run: Numba takes a second to import, and nothing else in this module needs Numba.
    from pyspice_cim.behavioral.kernels.macro import run_macros

    lines = max(sum(map(len, group.tiles)) for group in mapped.groups)
    tiles_of_group = max(len(group.tiles) for group in mapped.groups)
    rows = np.zeros(1 + lines * mapped.link.largest, np.int64)
    ends, operand = np.zeros(1 + tiles_of_group, np.int64), np.zeros((1, mapped.config.bits), np.int64)
    run_macros(
        layout, state, faults, values, fired, all_work(layout) if work is None else work, rows, ends, operand, *counts
    )


def all_work(layout: Layout) -> Ints:
    """All pairs (group, block of 64 columns) of a layer, int64, (pairs, 2)."""
    return np.argwhere(np.ones((len(layout.group_tiles) - 1, len(layout.valid)), np.bool_))
