"""Flat arrays of mapped layers, on which ``kernels/macro.py`` and ``kernels/counts.py`` run.

One int64 is a bit plane: one bit of each of 64 columns. ``W`` blocks of 64 columns hold all columns of a macro.
``P`` is the number of bits of a column's word. Columns without a neuron have weights of 0 and take part in all
operations, as in the array.
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
# Function of group, macro of the group and weights. Its result is what the weight cells hold.
Stored = Callable[[int, int, NDArray[np.int8]], NDArray[np.int8]]


class Layout(NamedTuple):
    """The macros of one layer, as arrays of int64.

    Attributes:
        control: program rows, (kinds, 8), see ``organisation.StepProgram.control``.
        group_tiles: (groups + 1,). Group g has the macros ``group_tiles[g]`` to ``group_tiles[g + 1] - 1``, the home
            macro first.
        tile_lines: (macros + 1,). Macro t has the input rows ``lines[tile_lines[t] : tile_lines[t + 1]]``.
        lines: (input rows of all macros,), number of the input of each input row.
        tile_planes: (macros,), first row of each macro in ``planes``.
        planes: bit planes of the weights, (W, input rows, weight bits). Macros of equal weights share their rows.
        group_neurons: (groups + 1,). Group g has the neurons ``neurons[group_neurons[g] : group_neurons[g + 1]]``.
        neurons: (neurons,), number in the layer of each neuron, in the order of the columns.
        valid: bit plane of the columns that exist, (W,).
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
    """State of the macros of one layer, as bit planes of int64.

    Attributes:
        words: words of the columns, (batch, macros, W, P).
        latches: flag and sum latch of the columns, (batch, macros, W, 2).
        scratch: scratch word of each home macro, (batch, groups, W, 1, P). Without partial-sum macros the size of the
            second axis is 0.
    """

    words: Ints
    latches: Ints
    scratch: Ints


class Faults(NamedTuple):
    """Faults of the macros of one layer in some samples (``faults/model.py`` defines each fault).

    ``W`` and ``P`` are those of this module. ``kernels/program.py`` has the classes of accesses.

    Attributes:
        any: whether there can be faults. If not, the other arrays are not read.
        stuck: bit planes of membrane cells stuck at 0 and at 1, int64, (macros, W, 2, P).
        stuck_scratch: bit planes of scratch cells stuck at 0 and at 1, int64, (groups, W, 2, P).
        streams: states of the random generators, (samples, classes).
        gaps: accesses that succeed until the next failure, int64, (samples, classes).
        log_kept: log(1 - rate) of each class of accesses, (classes,).
    """

    any: bool
    stuck: Ints
    stuck_scratch: Ints
    streams: NDArray[np.uint64]
    gaps: Ints
    log_kept: NDArray[np.float64]


class Counted(NamedTuple):
    """Where the inputs of a layer's macros lie in an array of values.

    A run is a row (start, stop, fan-out) of consecutive values. A run past the end of the values reads the values of
    the time step before. Groups with equal input rows are counted once.

    Attributes:
        many: whether an input can exceed 1.
        inputs: runs of all inputs of the layer, (runs, 3).
        group_tiles: (counted groups + 1,), bounds of the macros of each counted group.
        copies: number of groups that each counted group stands for, (counted groups,).
        tile_runs: (macros + 1,), bounds in ``runs`` of each macro of the counted groups.
        runs: runs of all these macros, (runs, 3). Their fan-out is not used.
        before_inputs: duration of the update before the inputs in operations, (counted groups, updates). The value is
            the largest of the groups that are counted together.
        guards: guard of each kind, (kinds,).
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
    """The layout of a layer.

    Args:
        mapped: layer on macros.
        stored: function of group, macro of the group and weights. Its result is what the weight cells hold, e.g. with
            faults. By default the cells hold the weights.
    """
    config, groups = mapped.config, mapped.groups
    rows, starts, size = [], [], 0
    seen: dict[bytes, int] = {}
    for g, group in enumerate(groups):
        for t in range(len(group.tiles)):
            weights = mapped.weights(group, t)
            weights = np.pad(weights, ((0, 0), (0, config.neurons - weights.shape[1])))
            if stored is not None:
                weights = stored(g, t, weights)
            # The patches of a convolution often hold equal weights. Equal weights are stored once.
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
    """Bit planes of integers in two's complement.

    Args:
        values: integers, (..., columns).
        bits: number of bits.

    Returns:
        int64, (..., W, bits).
    """
    columns = values.shape[-1]
    wide = -(-columns // BLOCK) * BLOCK
    planes = np.zeros((*values.shape[:-1], wide // BLOCK, bits), np.int64)
    for bit in range(bits):
        column_bits = np.zeros((*values.shape[:-1], wide), np.uint8)
        column_bits[..., :columns] = (values >> bit) & 1
        planes[..., bit] = np.packbits(column_bits, axis=-1, bitorder="little").view("<i8")
    return planes


def integers_of(planes: Ints, columns: int) -> Ints:
    """Integers from their bit planes in two's complement, the inverse of ``planes_of``.

    Args:
        planes: int64, (..., W, bits).
        columns: number of columns.

    Returns:
        int64, (..., columns).
    """
    bits = planes.shape[-1]
    values = np.zeros((*planes.shape[:-2], planes.shape[-2] * BLOCK), np.int64)
    for bit in range(bits):
        packed = np.ascontiguousarray(planes[..., bit], "<i8").view(np.uint8)
        set_bits = np.unpackbits(packed, axis=-1, bitorder="little").astype(np.int64)
        values += set_bits << bit if bit < bits - 1 else -(set_bits << bit)
    return values[..., :columns]


def state_at_rest(mapped: LayerMap, layout: Layout, batch: int, membranes: Ints | None = None) -> State:
    """State before the first time step: ``membranes`` in the home macros, words of 0 in the partial-sum macros.

    Args:
        mapped: layer on macros.
        layout: layout of the layer.
        batch: number of samples.
        membranes: int64, (batch, neurons), in units of the least significant bit; by default 0.
    """
    config, groups = mapped.config, len(mapped.groups)
    # Samples at rest are alike: one of them is made, and copied to all.
    v = np.zeros((1 if membranes is None else batch, groups, config.neurons), np.int64)
    if membranes is not None:
        for g, group in enumerate(mapped.groups):
            v[:, g, : len(group.neurons)] = membranes[:, group.neurons]
    rest = mapped.update.rest(v, mapped.layer.params)
    blocks = len(layout.valid)
    words = np.zeros((batch, mapped.macros, blocks, config.bits), np.int64)
    latches = np.zeros((batch, mapped.macros, blocks, 2), np.int64)
    home = layout.group_tiles[:-1]
    words[:, home] = planes_of(rest.word, config.bits)
    # Plane 0 is the flag, plane 1 the sum latch.
    latches[:, home] = np.concatenate([planes_of(rest.flag, 1), planes_of(rest.last_sum, 1)], axis=-1)
    several = mapped.macros > groups
    return State(
        words=words, latches=latches, scratch=np.zeros((batch, groups * several, blocks, 1, config.bits), np.int64)
    )


def membranes_of(mapped: LayerMap, layout: Layout, state: State) -> NDArray[np.int32]:
    """Membranes after a time step, int32, (batch, neurons), in units of the least significant bit."""
    config, home = mapped.config, layout.group_tiles[:-1]
    word = integers_of(state.words[:, home], config.neurons)
    flag = -integers_of(state.latches[:, home, :, :1], config.neurons)
    v = mapped.update.membranes(ColumnState(word=word, flag=flag, last_sum=flag), mapped.layer.params)
    found = np.empty((len(word), len(layout.neurons)), np.int32)
    for g, group in enumerate(mapped.groups):
        found[:, group.neurons] = v[:, g, : len(group.neurons)]
    return found


def places_in_plan(plan: Plan, part: Part) -> Ints:
    """Offset of each input of a layer in the values of a plan.

    Args:
        plan: plan of the network.
        part: part of the plan that belongs to the layer.

    Returns:
        int64, (inputs + neurons,): the inputs, then the own spikes of the step before. An offset of ``plan.values`` or
        more means the values of the step before.
    """
    return np.concatenate([part.inputs, plan.values + part.target + part.places.ravel()])


def places_alone(mapped: LayerMap) -> Ints:
    """Offset of each input of a layer in an array of the layer's inputs, followed by its own spikes if it is recurrent.

    Returns:
        int64, (inputs + neurons,): the inputs, then the own spikes of the step before. An offset past the end of the
        array means the values of the step before.
    """
    inputs, neurons = int(np.prod(mapped.link.shape)), int(np.prod(mapped.link.output))
    # The own spikes of the step before lie past the end of the values, which are the inputs and the own spikes.
    return np.concatenate([np.arange(inputs), inputs + neurons + inputs + np.arange(neurons)])


def counted_of(mapped: LayerMap, places: Ints, before_inputs: NDArray[np.float64]) -> Counted:
    """The arrays from which the operations of a layer are counted.

    Args:
        mapped: layer on macros.
        places: offset of each input in the values, int64, (inputs,).
        before_inputs: duration of the update before the inputs in operations, (groups, updates).
    """
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
    """Runs (start, stop, fan-out) of consecutive ``places`` with equal fan-out, (runs, 3). ``places`` must rise."""
    fan_out = np.zeros(len(places), np.int64) if fan_out is None else fan_out
    breaks = np.flatnonzero((np.diff(places) != 1) | (np.diff(fan_out) != 0)) + 1
    first, last = np.concatenate([[0], breaks]), np.concatenate([breaks, [len(places)]]) - 1
    return np.stack([places[first], places[last] + 1, fan_out[first]], axis=1)


def _starts(sizes: Any) -> Ints:
    return np.concatenate([[0], np.cumsum(list(sizes))]).astype(np.int64)
