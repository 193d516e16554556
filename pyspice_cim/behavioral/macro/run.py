"""A run of a mapped network: spikes, counted operations, and energies by one of three modes.

``none``       no energy: spikes, operations and latency only
``expected``   each operation costs the mean of its kind (``expected.py``)
``exact``      each operation of each column is executed as the netlist executes it, and its events are counted

The spikes come from the kernels of ``fast_run``, or in the mode ``exact`` from the executed operations. Both are equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels.run import TILE_BYTES, keep_spikes, plan_of, processors, recorded, run_plan
from pyspice_cim.behavioral.macro.execution import execute
from pyspice_cim.behavioral.macro.expected import expected_events
from pyspice_cim.behavioral.macro.layer import CalibratedLayer, LayerRun
from pyspice_cim.behavioral.macro.layout import Counted, counted_of, places_alone, places_in_plan
from pyspice_cim.behavioral.macro.mapping import Mapping
from pyspice_cim.behavioral.network.reference import check_shape
from pyspice_cim.errors import ConfigError, DataError

EnergyMode = Literal["none", "expected", "exact"]
MODES = ("none", "expected", "exact")
Ints = NDArray[np.int64]
# The values that are kept for counting should fit in the cache. Smaller tiles cost more time between threads.
_COUNT_BYTES = 1 << 23


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedRun:
    """Result of ``run_mapped``.

    Attributes:
        spike_counts, membranes, spikes: as in ``kernels.run.FastRun``.
        layers: operations and events, one entry a layer of neurons.
    """

    spike_counts: Ints
    membranes: tuple[NDArray[np.int32], ...]
    spikes: tuple[NDArray[np.uint8], ...] | None
    layers: tuple[LayerRun, ...]


def run_mapped(
    mapping: Mapping,
    layers: Sequence[CalibratedLayer],
    spikes: Any,
    energy: EnergyMode,
    threads: int | None = None,
    *,
    record: bool = False,
    tile_bytes: int = TILE_BYTES,
) -> MappedRun:
    """Run a mapped network from rest, once.

    Peak memory is as for ``kernels.run.fast_run``; in the mode ``exact`` as for ``execution.execute``, and in the mode
    ``expected`` as for ``expected.expected_events``.

    Args:
        mapping: network on macros.
        layers: calibration of each layer of neurons.
        spikes: 0 or 1, as for ``kernels.run.fast_run``.
        energy: mode, as the module defines it.
        threads, record, tile_bytes: as for ``kernels.run.fast_run``.

    Returns:
        Spikes, membranes, operations and events.

    Raises:
        DataError: if the spikes have another shape or other values than 0 and 1.
        ConfigError: if ``energy`` is no mode, or ``threads`` is below 1.
    """
    if energy not in MODES:
        raise ConfigError(f"energy = {energy!r} is no mode; choose {', '.join(MODES)}")
    check_shape(tuple(spikes.shape))
    if tuple(spikes.shape[2:]) != mapping.shape:
        raise DataError(f"an input has shape {tuple(spikes.shape[2:])}; the network was mapped for {mapping.shape}")
    threads = processors() if threads is None else threads
    batch = int(spikes.shape[1])
    runs = [
        LayerRun(
            operations=np.zeros((batch, len(layer.mapped.program)), np.int64),
            path=np.zeros((batch, 1 + len(layer.compared))),
            active=np.zeros(batch, np.int64),
            sops=np.zeros(batch, np.int64),
        )
        for layer in layers
    ]
    run = _execute if energy == "exact" else _run_plan
    return run(mapping, tuple(layers), runs, spikes, energy, threads, record, tile_bytes)


def _execute(
    mapping: Mapping,
    layers: tuple[CalibratedLayer, ...],
    runs: list[LayerRun],
    spikes: Any,
    energy: EnergyMode,
    threads: int,
    record: bool,
    tile_bytes: int,
) -> MappedRun:
    counted = _counted_alone(layers)

    def count(at: int, some: slice, values: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
        _count(counted[at], runs[at], some, values, before, slice(0, values.shape[1]))

    found = execute(mapping, spikes, threads, record=record, count=count, tile_bytes=tile_bytes)
    parts = zip(runs, found.events, found.writes, strict=True)
    return MappedRun(
        spike_counts=found.spike_counts,
        membranes=found.membranes,
        spikes=found.spikes,
        layers=tuple(replace(run, events=events, writes=writes) for run, events, writes in parts),
    )


def _run_plan(
    mapping: Mapping,
    layers: tuple[CalibratedLayer, ...],
    runs: list[LayerRun],
    spikes: Any,
    energy: EnergyMode,
    threads: int,
    record: bool,
    tile_bytes: int,
) -> MappedRun:
    plan, counted = plan_of(mapping.layers, mapping.shape), _counted(mapping, layers)
    trains = recorded(plan, spikes) if record else None

    def count(some: slice, own: slice, when: slice, values: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
        for each, run in zip(counted, runs, strict=True):
            _count(each, run, some, values, before, own)
        if trains is not None:
            keep_spikes(plan, trains, some, own, when, values)

    counts, membranes = run_plan(plan, spikes, threads, count, tile_bytes=min(tile_bytes, _COUNT_BYTES))
    if energy == "expected":
        done = [run.operations for run in runs]
        found = expected_events(mapping, layers, counted, spikes, done, threads, min(tile_bytes, _COUNT_BYTES))
        runs = [
            replace(run, events=each.events, writes=each.writes, energy_error=each.error)
            for run, each in zip(runs, found, strict=True)
        ]
    return MappedRun(spike_counts=counts, membranes=membranes, spikes=trains, layers=tuple(runs))


def _count(
    counted: Counted, run: LayerRun, some: slice, values: NDArray[np.uint8], before: NDArray[np.uint8], own: slice
) -> None:
    """Count the operations of one layer in the samples ``own`` of the tile, and add them to ``run``.

    Args:
        counted: arrays from which the operations of the layer are counted.
        run: result of the layer, increased in place.
        some: samples of the tile.
        values: uint8, (steps, samples of the tile, values).
        before: values of the time step before the tile, uint8, (samples of the tile, values).
        own: samples to count, within the tile.
    """
    # Imported at the first run: Numba takes a second to import, and nothing else in this module needs Numba.
    from pyspice_cim.behavioral.kernels.counts import count_operations

    found = (run.operations[some], run.path[some], run.active[some], run.sops[some])
    count_operations(counted, values, before, *found, own.start, own.stop)


@lru_cache(maxsize=8)
def _counted(mapping: Mapping, layers: tuple[CalibratedLayer, ...]) -> tuple[Counted, ...]:
    plan = plan_of(mapping.layers, mapping.shape)
    each = zip(mapping.maps, plan.parts, layers, strict=True)
    return tuple(counted_of(mapped, places_in_plan(plan, part), layer.before_inputs) for mapped, part, layer in each)


@lru_cache(maxsize=8)
def _counted_alone(layers: tuple[CalibratedLayer, ...]) -> tuple[Counted, ...]:
    return tuple(counted_of(layer.mapped, places_alone(layer.mapped), layer.before_inputs) for layer in layers)
