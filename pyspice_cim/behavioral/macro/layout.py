"""From mapped layers to the flat arrays that ``kernels/macro.py`` and ``kernels/counts.py`` run on.

Bits of 64 columns stand in one int64, a plane; ``W`` blocks of 64 hold all columns of a macro. Columns without a neuron have
weights of 0 and run along with the others, as they do in the array.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels import program as table
from pyspice_cim.behavioral.kernels.plan import Part, Plan
from pyspice_cim.behavioral.macro.mapping import LayerMap
from pyspice_cim.microcode import ColumnState

BLOCK = 64
Ints = NDArray[np.int64]
# Weights of a macro, by group and tile, as its cells hold them.
Stored = Callable[[int, int, NDArray[np.int8]], NDArray[np.int8]]


class Layout(NamedTuple):
    """Macros of one layer.

    ``control``: of every kind of operation, see ``organisation.StepProgram.control``. Group g has the macros
    ``group_tiles[g]`` .. ``group_tiles[g + 1]``, the home first, and the neurons ``neurons[group_neurons[g] ..]``. Macro t
    has the lines ``lines[tile_lines[t] ..]`` with the weights ``planes[:, tile_planes[t] ..]``, planes (W, rows, weight
    bits). ``valid``: columns, (W,).
    """

    control: Ints
    group_tiles: Ints
    tile_lines: Ints
    lines: Ints
    tile_planes: Ints
    planes: Ints
    group_neurons: Ints
    neurons: Ints
    valid: Ints


class State(NamedTuple):
    """Planes of samples: ``words`` (batch, macros, W, P), ``latches`` (.., 2), ``scratch`` (batch, groups, W, 1, P)."""

    words: Ints
    latches: Ints
    scratch: Ints


class Faults(NamedTuple):
    """What fails, see ``faults/model.py``: planes of cells stuck at 0 and at 1, (macros or groups, W, 2, P); one
    generator and the accesses until the next failure by sample and class; log(1 - rate) by class.
    """

    any: bool
    stuck: Ints
    stuck_scratch: Ints
    streams: NDArray[np.uint64]
    gaps: Ints
    log_kept: NDArray[np.float64]


class Counted(NamedTuple):
    """Where the inputs of a layer's macros lie in ``Plan.values``, as runs (start, stop, fan-out).

    What lies past the end of the values is of the step before. Groups that see the same lines are counted once and stand
    for ``copies``. ``before_inputs``: operations that the update takes before the inputs, by group and update, the largest
    of the copies.
    ``guards``: of every kind of operation.
    """

    many: bool
    inputs: Ints
    group_tiles: Ints
    copies: Ints
    tile_runs: Ints
    runs: Ints
    before_inputs: NDArray[np.float64]
    guards: Ints


NO_FAULTS = Faults(
    any=False,
    stuck=np.zeros((1, 0, 2, 0), np.int64),
    stuck_scratch=np.zeros((1, 0, 2, 0), np.int64),
    streams=np.zeros((0, 0), np.uint64),
    gaps=np.zeros((0, 0), np.int64),
    log_kept=np.zeros(table.CLASSES),
)


def layout_of(mapped: LayerMap, stored: Stored | None = None) -> Layout:
    """The layout of a layer; ``stored`` may change what the weight cells of a macro hold."""
    config, groups = mapped.config, mapped.groups
    rows, starts, size = [], [], 0
    seen: dict[bytes, int] = {}
    for g, group in enumerate(groups):
        for t in range(len(group.tiles)):
            weights = mapped.weights(group, t)
            weights = np.pad(weights, ((0, 0), (0, config.neurons - weights.shape[1])))
            if stored is not None:
                weights = stored(g, t, weights)
            # Patches of a convolution hold copies of the same weights, which are laid out once.
            key = weights.tobytes()
            if key not in seen:
                seen[key] = size
                rows.append(planes_of(weights, config.weight_bits))
                size += len(weights)
            starts.append(seen[key])
    return Layout(
        control=mapped.program.control,
        group_tiles=_starts(len(group.tiles) for group in groups),
        tile_lines=_starts(len(tile) for group in groups for tile in group.tiles),
        lines=np.concatenate([tile for group in groups for tile in group.tiles]),
        tile_planes=np.array(starts, np.int64),
        planes=np.concatenate(rows).swapaxes(0, 1).copy(),
        group_neurons=_starts(len(group.neurons) for group in groups),
        neurons=np.concatenate([group.neurons for group in groups]),
        valid=planes_of(np.ones((1, config.neurons), np.int64), 1)[0, :, 0].copy(),
    )


def planes_of(values: NDArray[Any], bits: int) -> Ints:
    """Planes (..., W, ``bits``) of integers (..., columns)."""
    columns = values.shape[-1]
    wide = -(-columns // BLOCK) * BLOCK
    planes = np.zeros((*values.shape[:-1], wide // BLOCK, bits), np.int64)
    for bit in range(bits):
        column_bits = np.zeros((*values.shape[:-1], wide), np.uint8)
        column_bits[..., :columns] = (values >> bit) & 1
        planes[..., bit] = np.packbits(column_bits, axis=-1, bitorder="little").view("<i8")
    return planes


def integers_of(planes: Ints, columns: int) -> Ints:
    """Integers (..., ``columns``) in two's complement of planes (..., W, bits)."""
    bits = planes.shape[-1]
    values = np.zeros((*planes.shape[:-2], planes.shape[-2] * BLOCK), np.int64)
    for bit in range(bits):
        packed = np.ascontiguousarray(planes[..., bit], "<i8").view(np.uint8)
        set_bits = np.unpackbits(packed, axis=-1, bitorder="little").astype(np.int64)
        values += set_bits << bit if bit < bits - 1 else -(set_bits << bit)
    return values[..., :columns]


def state_at_rest(mapped: LayerMap, layout: Layout, batch: int, membranes: Ints | None = None) -> State:
    """States before the first step: ``membranes`` in the home macros, words of 0 in the partial-sum macros.

    Args:
        batch: number of samples.
        membranes: int64, (batch, neurons); by default 0.
    """
    config, groups = mapped.config, len(mapped.groups)
    v = np.zeros((batch, groups, config.neurons), np.int64)
    if membranes is not None:
        for g, group in enumerate(mapped.groups):
            v[:, g, : len(group.neurons)] = membranes[:, group.neurons]
    rest = mapped.update.rest(v, mapped.layer.params)
    blocks = len(layout.valid)
    words = np.zeros((batch, mapped.macros, blocks, config.bits), np.int64)
    latches = np.zeros((batch, mapped.macros, blocks, 2), np.int64)
    home = layout.group_tiles[:-1]
    words[:, home] = planes_of(rest.word, config.bits)
    # The flag, and the sum latch.
    latches[:, home] = np.concatenate([planes_of(rest.flag, 1), planes_of(rest.last_sum, 1)], axis=-1)
    several = mapped.macros > groups
    return State(
        words=words, latches=latches, scratch=np.zeros((batch, groups * several, blocks, 1, config.bits), np.int64)
    )


def membranes_of(mapped: LayerMap, layout: Layout, state: State) -> NDArray[np.int32]:
    """Membranes after a step, (batch, neurons)."""
    config, home = mapped.config, layout.group_tiles[:-1]
    word = integers_of(state.words[:, home], config.neurons)
    flag = -integers_of(state.latches[:, home, :, :1], config.neurons)
    v = mapped.update.membranes(ColumnState(word=word, flag=flag, last_sum=flag), mapped.layer.params)
    found = np.empty((len(word), len(layout.neurons)), np.int32)
    for g, group in enumerate(mapped.groups):
        found[:, group.neurons] = v[:, g, : len(group.neurons)]
    return found


def places_in_plan(plan: Plan, part: Part) -> Ints:
    """Where the lines of a layer lie in ``Plan.values``, of which ``part`` is the layer's: inputs, then own spikes."""
    return np.concatenate([part.inputs, plan.values + part.target + part.places.ravel()])


def places_alone(mapped: LayerMap) -> Ints:
    """Where the lines of a layer lie in its inputs, followed by its own spikes if the layer is recurrent."""
    inputs, neurons = int(np.prod(mapped.link.shape)), int(np.prod(mapped.link.output))
    # Past the end of the values, which are inputs and own spikes.
    return np.concatenate([np.arange(inputs), inputs + neurons + inputs + np.arange(neurons)])


def counted_of(mapped: LayerMap, places: Ints, before_inputs: NDArray[np.float64]) -> Counted:
    """Where the lines of ``mapped`` lie in values of which line i has the place ``places[i]``."""
    fan_out = mapped.fan_out()
    used = np.argsort(places[: len(fan_out)])
    alike: dict[tuple[bytes, ...], list[int]] = {}
    for g, group in enumerate(mapped.groups):
        alike.setdefault(tuple(tile.tobytes() for tile in group.tiles), []).append(g)
    groups = [mapped.groups[same[0]] for same in alike.values()]
    runs = [_runs(np.sort(places[tile])) for group in groups for tile in group.tiles]
    return Counted(
        many=mapped.link.largest > 1,
        inputs=_runs(places[used], fan_out[used]),
        group_tiles=_starts(len(group.tiles) for group in groups),
        copies=np.array([len(same) for same in alike.values()], np.int64),
        tile_runs=_starts(len(each) for each in runs),
        runs=np.concatenate(runs),
        before_inputs=np.array([before_inputs[same].max(axis=0) for same in alike.values()]),
        guards=np.array([row.guard for row in mapped.program.rows], np.int64),
    )


def _runs(places: Ints, fan_out: Ints | None = None) -> Ints:
    """Runs (start, stop, fan-out) of rising ``places``."""
    fan_out = np.zeros(len(places), np.int64) if fan_out is None else fan_out
    breaks = np.flatnonzero((np.diff(places) != 1) | (np.diff(fan_out) != 0)) + 1
    first, last = np.concatenate([[0], breaks]), np.concatenate([breaks, [len(places)]]) - 1
    return np.stack([places[first], places[last] + 1, fan_out[first]], axis=1)


def _starts(sizes: Any) -> Ints:
    return np.concatenate([[0], np.cumsum(list(sizes))]).astype(np.int64)
