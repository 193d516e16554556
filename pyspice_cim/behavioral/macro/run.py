"""A run of a mapped network: bits by ``fast_run``, operations by counting, energies by one of three modes.

``none``       spikes, operations and latency alone
``expected``   every operation costs the mean of its kind (``expected.py``)
``exact``      every operation of every column is executed as the netlist executes it, and its events are counted
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels.run import TILE_BYTES, plan_of, processors, run_plan
from pyspice_cim.behavioral.macro.execution import execute
from pyspice_cim.behavioral.macro.expected import expected_events
from pyspice_cim.behavioral.macro.layer import CalibratedLayer, LayerRun
from pyspice_cim.behavioral.macro.layout import Counted, counted_of
from pyspice_cim.behavioral.macro.mapping import Mapping
from pyspice_cim.behavioral.network.reference import check_shape
from pyspice_cim.errors import ConfigError, DataError

EnergyMode = Literal["none", "expected", "exact"]
MODES = ("none", "expected", "exact")
Ints = NDArray[np.int64]
# The values that are kept for counting should fit in the cache; smaller tiles cost more in the hand-over between threads.
_COUNT_BYTES = 1 << 23


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedRun:
    """Spikes and membranes as in ``kernels.run.FastRun``, and a ``LayerRun`` a layer of neurons."""

    spike_counts: Ints
    membranes: tuple[NDArray[np.int32], ...]
    layers: tuple[LayerRun, ...]


def run_mapped(
    mapping: Mapping,
    layers: Sequence[CalibratedLayer],
    spikes: Any,
    energy: EnergyMode,
    threads: int | None = None,
    *,
    tile_bytes: int = TILE_BYTES,
) -> MappedRun:
    """Run ``mapping`` from rest.

    Args:
        layers: one a layer of neurons.
        spikes, threads, tile_bytes: as for ``kernels.run.fast_run``; peak memory likewise, and in the mode ``exact`` as
            ``execution.execute``.

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
    plan, counted = plan_of(mapping.layers, mapping.shape), _counted(mapping, tuple(layers))
    batch = spikes.shape[1]
    runs = [
        LayerRun(
            operations=np.zeros((batch, each.guards.size), np.int64),
            path=np.zeros((batch, each.before_inputs.shape[1])),
            active=np.zeros(batch, np.int64),
            sops=np.zeros(batch, np.int64),
        )
        for each in counted
    ]

    def count(some: slice, own: slice, when: slice, values: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
        from pyspice_cim.behavioral.kernels.counts import count_operations

        for each, run in zip(counted, runs, strict=True):
            found = (run.operations[some], run.path[some], run.active[some], run.sops[some])
            count_operations(each, values, before, *found, own.start, own.stop)

    counts, membranes = run_plan(plan, spikes, threads, count, tile_bytes=min(tile_bytes, _COUNT_BYTES))
    if energy == "exact":
        execution = execute(mapping, spikes, threads, tile_bytes=tile_bytes)
        runs = [
            replace(run, events=events, writes=writes)
            for run, events, writes in zip(runs, execution.events, execution.writes, strict=True)
        ]
    elif energy == "expected":
        done = [run.operations for run in runs]
        found = expected_events(mapping, layers, counted, spikes, done, threads, min(tile_bytes, _COUNT_BYTES))
        runs = [
            replace(run, events=each.events, writes=each.writes, energy_error=each.error)
            for run, each in zip(runs, found, strict=True)
        ]
    return MappedRun(spike_counts=counts, membranes=membranes, layers=tuple(runs))


@lru_cache(maxsize=8)
def _counted(mapping: Mapping, layers: tuple[CalibratedLayer, ...]) -> tuple[Counted, ...]:
    plan = plan_of(mapping.layers, mapping.shape)
    each = zip(mapping.maps, plan.parts, layers, strict=True)
    return tuple(counted_of(mapped, plan, part, layer.before_inputs) for mapped, part, layer in each)
