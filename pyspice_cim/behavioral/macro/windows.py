"""Windows of a run: some time steps of one sample, with the state that macros need to execute these steps alone.

The words and flags of the home macros at the start of a window follow from membranes and spikes
(``Update.after_step``). Four things do not follow from membranes and spikes:

1. the word that a reset to zero leaves,
2. a sum below the range of a membrane,
3. the last words of the partial-sum macros,
4. the last received sums in the scratch rows.

The first two have no effect after one time step. The others have no effect once the partial-sum macros were active.
Some time steps before each window are therefore executed and not counted (the lead).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels.run import as_spikes, plan_of, run_plan
from pyspice_cim.behavioral.macro.layout import Counted, Layout, State, planes_of, state_at_rest
from pyspice_cim.behavioral.macro.mapping import LayerMap, Mapping

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Time steps ``start`` to ``stop - 1`` of the sample ``sample``."""

    sample: int
    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of time steps."""
        return self.stop - self.start


class LayerWindows(NamedTuple):
    """State and spikes of one layer in some windows. All windows end at the last step of the arrays.

    Attributes:
        state: state of the macros at the start of the lead of each window. The axis of samples runs over the windows.
        values: inputs, uint8, (steps, windows, inputs), as for ``kernels.macro.run_macros``.
        fired: spikes, uint8, (1 + steps, windows, neurons). Entry 0 is the time step before.
    """

    state: State
    values: NDArray[np.uint8]
    fired: NDArray[np.uint8]

    def of(self, which: Ints, steps: int) -> "LayerWindows":
        """Return a copy of some windows, cut to their last time steps.

        Args:
            which: numbers of the windows, int64.
            steps: number of time steps to keep.
        """
        return LayerWindows(
            State(*(each[which] for each in self.state)),
            np.ascontiguousarray(self.values[-steps:, which]),
            np.ascontiguousarray(self.fired[-steps - 1 :, which]),
        )


class _Ends:
    """Parts of the samples of ``spikes`` as one batch, in which all parts end at the last time step.

    Each part runs from step 0 of its sample to its own end. Before step 0 the part is silent. Silence changes nothing,
    because a network at rest stays at rest without input. Time steps are read from ``spikes`` when they are needed.

    Args:
        spikes: input of the run, (time, batch, ...).
        ends: sample and end of each part.
    """

    def __init__(self, spikes: Any, ends: Sequence[tuple[int, int]]) -> None:
        self._spikes, self._ends = spikes, ends
        self.shape = (max(1, *(end for _, end in ends)), len(ends), *spikes.shape[2:])
        self.dtype = np.dtype(np.uint8)

    def __getitem__(self, at: tuple[slice, slice]) -> NDArray[np.uint8]:
        when, some = at
        found = np.zeros((when.stop - when.start, some.stop - some.start, *self.shape[2:]), np.uint8)
        for n, (sample, end) in enumerate(self._ends[some]):
            shift = end - self.shape[0]
            begin, stop = max(0, when.start + shift), when.stop + shift
            if begin < stop:
                read = as_spikes(self._spikes[begin:stop, sample : sample + 1])
                found[begin - shift - when.start :, n] = read[:, 0]
        return found


def open_windows(
    mapping: Mapping,
    layouts: Sequence[Layout],
    spikes: Any,
    windows: Sequence[Window],
    lead: int,
    threads: int,
    tile_bytes: int,
) -> list[LayerWindows]:
    """State and spikes of each layer of neurons in all windows.

    Peak memory is as for ``kernels.run.fast_run``, with the values of all layers in the steps of all windows on top.

    Args:
        mapping: network on macros.
        layouts: layouts of the layers.
        spikes: input of the run, as for ``kernels.run.fast_run``.
        windows: windows of the run.
        lead: number of time steps before each window. A window near step 0 has fewer.
        threads: number of threads.
        tile_bytes: bound of the memory for tiles in bytes.

    Returns:
        One entry a layer of neurons.
    """
    plan, number = plan_of(mapping.layers, mapping.shape), len(windows)
    # One step more than is executed, because recurrent spikes and flags come from the step before.
    length = 1 + lead + max(each.length for each in windows)
    ends = [(each.sample, each.stop) for each in windows]
    ends += [(each.sample, max(0, each.start - lead)) for each in windows]
    batch = _Ends(spikes, ends)
    first = batch.shape[0] - length
    kept = np.zeros((length, number, plan.values), np.uint8)

    def keep(some: slice, own: slice, when: slice, values: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
        low, high, begin = some.start + own.start, min(some.start + own.stop, number), max(when.start, first)
        if low < high and begin < when.stop:
            mine = slice(own.start, own.start + high - low)
            kept[begin - first : when.stop - first, low:high] = values[begin - when.start :, mine]

    _, membranes = run_plan(plan, batch, threads, keep, tile_bytes=tile_bytes)
    rest = np.array([each.start <= lead for each in windows])
    starts = [length - 1 - min(lead, each.start) - each.length for each in windows]
    found = []
    for mapped, layout, part, v in zip(mapping.maps, layouts, plan.parts, membranes, strict=True):
        fired, values = kept[:, :, part.target + part.places.ravel()], kept[1:, :, part.inputs]
        before = fired[starts, range(number)]
        found.append(LayerWindows(_states(mapped, layout, v[number:].reshape(number, -1), before, rest), values, fired))
    return found


def _states(
    mapped: LayerMap, layout: Layout, membranes: NDArray[np.int32], fired: NDArray[np.uint8], rest: NDArray[np.bool_]
) -> State:
    """State of the macros of a layer after some time step of each window.

    Args:
        mapped: layer on macros.
        layout: layout of the layer.
        membranes: membranes after this time step, (windows, neurons).
        fired: spikes of this time step, (windows, neurons).
        rest: windows that start before the first time step, (windows,). Their state is the state at rest.
    """
    state = state_at_rest(mapped, layout, len(membranes))
    homes = layout.group_tiles[:-1]
    v = np.zeros((len(membranes), len(homes), mapped.config.neurons), np.int64)
    spikes = np.zeros_like(v)
    for g, group in enumerate(mapped.groups):
        v[:, g, : len(group.neurons)] = membranes[:, group.neurons]
        spikes[:, g, : len(group.neurons)] = fired[:, group.neurons]
    columns = mapped.update.after_step(v, spikes, mapped.layer.params)
    word, flag = columns.word, columns.flag
    later = np.flatnonzero(~rest)[:, None]
    state.words[later, homes] = planes_of(word[later[:, 0]], mapped.config.bits)
    # A time step ends with a fire. The sum latch then equals the flag.
    state.latches[later, homes] = planes_of(flag[later[:, 0]], 1)
    return state


def busiest(
    mapping: Mapping, counted: Counted, spikes: Any, sample: int, kind: int, length: int, tile_bytes: int
) -> tuple[Window, Ints]:
    """The window in which a sample has most operations of one kind.

    The time steps of the sample are divided into consecutive windows of ``length`` steps.

    Args:
        mapping: network on macros.
        counted: arrays from which the operations of the layer are counted.
        spikes: input of the run.
        sample: number of the sample.
        kind: kind of operation.
        length: number of time steps of a window.
        tile_bytes: bound of the memory for tiles in bytes.

    Returns:
        The window, and its number of operations by kind, (kinds,).
    """
    from pyspice_cim.behavioral.kernels.counts import count_operations

    steps = int(spikes.shape[0])
    found = np.zeros((-(-steps // length), counted.guards.size), np.int64)
    rest = np.zeros((1, counted.before_inputs.shape[1])), np.zeros(1, np.int64), np.zeros(1, np.int64)

    def count(some: slice, own: slice, when: slice, values: NDArray[np.uint8], before: NDArray[np.uint8]) -> None:
        begin = when.start
        while begin < when.stop:
            stop = min(when.stop, (begin // length + 1) * length)
            past = before if begin == when.start else values[begin - 1 - when.start]
            now = values[begin - when.start : stop - when.start]
            count_operations(counted, now, past, found[begin // length][None], *rest, 0, 1)
            begin = stop

    run_plan(plan_of(mapping.layers, mapping.shape), _Ends(spikes, [(sample, steps)]), 1, count, tile_bytes=tile_bytes)
    most = int(found[:, kind].argmax())
    return Window(sample=sample, start=most * length, stop=min(steps, (most + 1) * length)), found[most]
