"""Windows of a run: some steps of one sample, with all that macros need to be executed there and nowhere else.

At the start of a window, the words and flags of the home macros follow from membranes and spikes (``Update.after_step``). Four
things do not follow from them: what a reset to zero left in a word,
sums below the range of a membrane, the last words of macros that only add, and what was last received from them. The first
two are gone after a step, the others once these macros were active; so a window is led in by some steps, which are executed
and not counted.
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
    """Steps ``start`` to ``stop`` - 1 of ``sample``."""

    sample: int
    start: int
    stop: int

    @property
    def length(self) -> int:
        """Steps."""
        return self.stop - self.start


class LayerWindows(NamedTuple):
    """One layer in some windows, which end together: ``state`` (windows) at the start of the steps that lead in, and as
    ``kernels.macro.run_macros`` takes them inputs ``values`` (steps, windows, inputs) and spikes ``fired`` (1 + steps, ..).
    """

    state: State
    values: NDArray[np.uint8]
    fired: NDArray[np.uint8]

    def of(self, which: Ints, steps: int) -> "LayerWindows":
        """Copies of the windows ``which``, of their last ``steps`` alone."""
        return LayerWindows(
            State(*(each[which] for each in self.state)),
            np.ascontiguousarray(self.values[-steps:, which]),
            np.ascontiguousarray(self.fired[-steps - 1 :, which]),
        )


class _Ends:
    """Samples of ``spikes``, each up to a step of its own, as one batch that ends there together; silent before step 0.

    A network at rest stays there without input, so the silence changes nothing. Steps are read when they are asked for.
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
    """Each layer of neurons in ``windows``, led in by ``lead`` steps where there are as many.

    Peak memory: that of ``kernels.run.fast_run``, and the values of all layers in the steps of all windows.
    """
    plan, number = plan_of(mapping.layers, mapping.shape), len(windows)
    # One step more than is executed: recurrent spikes and flags are those of the step before.
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
    """States after steps that left ``membranes`` and in which neurons ``fired``, (windows, neurons); at ``rest`` before all."""
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
    # A step ends with a fire, whose last sum bit is the flag.
    state.latches[later, homes] = planes_of(flag[later[:, 0]], 1)
    return state


def busiest(
    mapping: Mapping, counted: Counted, spikes: Any, sample: int, kind: int, length: int, tile_bytes: int
) -> tuple[Window, Ints]:
    """Of the windows of ``length`` steps, one after the other, that in which ``sample`` has most operations of ``kind``, and
    its operations (kinds,).
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
