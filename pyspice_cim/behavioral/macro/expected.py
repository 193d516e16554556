"""Expected events: every operation costs the mean of its kind.

    E[e] = operations of a kind x cycles x columns x mean of event e in a cycle of a column

The means are those of operations that are executed: in about ``WINDOWS`` windows of a few steps, spread over all samples and
all steps of the run, and in each, if a layer is large, of every n-th block of 64 columns, another one in each window. A kind
of which the windows have less than an eighth of its share, or nothing, is executed where it is most frequent, too, unless
it is less than a ten-thousandth of all operations.

Error: for every window, the energy of its executed operations against what the means of the *other* windows say; the RMS of
these, relative to the mean energy of a window. It is the error of one window: that of all of them together, which a report
gives, is smaller rather than larger. To this, as squares, comes the energy of the kinds that the windows lack, times by how
much they differ from the mean of all kinds: they were seen in one place only. NaN, if a single window is not all of the run.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels import program as table
from pyspice_cim.behavioral.kernels.run import plan_of
from pyspice_cim.behavioral.macro.execution import all_work, layouts_of, run_layer
from pyspice_cim.behavioral.macro.layer import CalibratedLayer
from pyspice_cim.behavioral.macro.layout import NO_FAULTS, Counted, Layout
from pyspice_cim.behavioral.macro.mapping import LayerMap, Mapping
from pyspice_cim.behavioral.macro.windows import Window, busiest, open_windows
from pyspice_cim.microcode import EVENTS
from pyspice_cim.organisation import Guard, StepProgram

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Windows that are executed, their steps at most, and in a layer about how many operations of 64 columns in all of them.
WINDOWS = 12
CALIBRATION_STEPS = 1000
CALIBRATION_OPERATIONS = 1 << 13
# Steps that lead in, at most, and a third of what is executed at most: so many that of the macros that only add all but this
# share were active.
LEAD = 64
_STALE = 0.02
_MISSED = 1 / 8
# A kind that is less than this share of all operations of the network is not looked for.
_NEGLIGIBLE = 1e-4
_GOLDEN = (5**0.5 - 1) / 2
_CYCLE = table.EVENT["cycle"]


class Expected(NamedTuple):
    """``events`` (batch, kinds, events) and ``writes`` (batch, 4) as in ``LayerRun``, and the relative RMS ``error``."""

    events: Floats
    writes: Floats
    error: float


class _Part(NamedTuple):
    """What was executed in a window: events (kinds, events) and writes (4,)."""

    events: Ints
    writes: Ints


class _Choice(NamedTuple):
    """Windows, the steps that lead them in, and of how many blocks of columns one is executed in each, by layer."""

    windows: list[Window]
    lead: int
    strides: list[int]


def expected_events(
    mapping: Mapping,
    layers: Sequence[CalibratedLayer],
    counted: Sequence[Counted],
    spikes: Any,
    operations: Sequence[Ints],
    threads: int,
    tile_bytes: int,
) -> tuple[Expected, ...]:
    """Expected events of each layer of neurons.

    Args:
        layers, counted, operations: one a layer of neurons; ``operations`` by kind, (batch, kinds).
        spikes, threads, tile_bytes: as ``kernels.run.fast_run`` takes them; peak memory likewise, and the values of all
            layers in all windows, which are as much at most, and held twice.
    """
    layouts = layouts_of(mapping)
    choice = _choose(mapping, layouts, operations, int(spikes.shape[0]), tile_bytes)
    parts = _executed(mapping, spikes, choice, threads, tile_bytes)
    least = _NEGLIGIBLE * sum(counts.sum() * len(each.valid) for counts, each in zip(operations, layouts, strict=True))
    lacking: list[tuple[int, Window]] = []
    for at, counts in enumerate(operations):
        had = np.zeros(counts.shape[1], np.int64)
        matters = counts.sum(axis=0) * len(layouts[at].valid) > least
        for kind in np.flatnonzero(_missed(parts[at], counts, layers[at].mapped.program) & matters).tolist():
            if not had[kind]:
                sample = int(counts[:, kind].argmax())
                length = choice.windows[0].length
                window, inside = busiest(mapping, counted[at], spikes, sample, kind, length, tile_bytes)
                lacking.append((at, window))
                had += inside
    more: list[list[_Part]] = [[] for _ in layers]
    if lacking:
        windows = [window for _, window in lacking]
        executed = _executed(mapping, spikes, _Choice(windows, choice.lead, [1] * len(layers)), threads, tile_bytes)
        for number, (at, _) in enumerate(lacking):
            more[at].append(executed[at][number])
    return tuple(map(_from_means, layers, operations, parts, more))


def _choose(
    mapping: Mapping, layouts: Sequence[Layout], operations: Sequence[Ints], steps: int, tile_bytes: int
) -> _Choice:
    batch = len(operations[0])
    samples = min(batch, WINDOWS)
    each = min(steps, -(-WINDOWS // samples))
    # Operations of 64 columns in a step of a sample, and the fewest of them that can be executed.
    work = [
        counts.sum() / batch / steps * len(layout.valid) for counts, layout in zip(operations, layouts, strict=True)
    ]
    most = [min(samples * each, len(all_work(layout))) for layout in layouts]
    lead = max(
        _lead(mapped, counts.sum(axis=0)[mapped.program.kinds(Guard.FIRST_AT_PARTIAL)].sum() / batch / steps)
        for mapped, counts in zip(mapping.maps, operations, strict=True)
    )
    affordable = CALIBRATION_OPERATIONS / (samples * each)
    held = tile_bytes // (samples * each * plan_of(mapping.layers, mapping.shape).values)
    length = int(min(affordable / max(n / m for n, m in zip(work, most, strict=True)), held, CALIBRATION_STEPS))
    lead = max(1, min(lead, length // 3))
    length = max(1, min(length - lead, steps // each))
    strides = [max(1, min(m, round(n * (length + lead) / affordable))) for n, m in zip(work, most, strict=True)]
    # Where in its part of the steps a sample's windows lie: evenly spread, in an order that has nothing to do with the batch.
    places = (np.argsort(np.argsort(np.arange(samples) * _GOLDEN % 1.0)) + 0.5) / samples
    windows = []
    for sample, place in zip(np.linspace(0, batch - 1, samples).astype(np.intp).tolist(), places, strict=True):
        for n in range(each):
            start = int(n * steps / each + place * (steps / each - length))
            windows.append(Window(sample=sample, start=start, stop=start + length))
    return _Choice(windows, lead, strides)


def _lead(mapped: LayerMap, begun: float) -> int:
    """Steps that lead in a window, if the macros that only add are begun so often in a step, all together."""
    others = mapped.macros - len(mapped.groups)
    share = begun / others if others else 1.0
    if share >= 1.0:
        return 1
    return LEAD if share <= 0.0 else max(1, min(LEAD, int(np.ceil(np.log(_STALE) / np.log1p(-share)))))


def _executed(mapping: Mapping, spikes: Any, choice: _Choice, threads: int, tile_bytes: int) -> list[list[_Part]]:
    """What each layer did in each window, in its blocks there."""
    layouts, windows = layouts_of(mapping), choice.windows
    opened = open_windows(mapping, layouts, spikes, windows, choice.lead, threads, tile_bytes)
    none = _Part(np.zeros(0, np.int64), np.zeros(0, np.int64))
    found = [[none] * len(windows) for _ in layouts]

    def execute(task: tuple[int, int, int, int, Ints]) -> None:
        at, block, lead, length, which = task
        layer = opened[at].of(which, lead + length)
        work = all_work(layouts[at])[block :: choice.strides[at]]
        for values, fired in (layer.values[:lead], layer.fired[: lead + 1]), (layer.values[lead:], layer.fired[lead:]):
            events = np.zeros((len(which), len(mapping.maps[at].program), len(EVENTS)), np.int64)
            writes = np.zeros((len(which), len(table.TRANSITIONS)), np.int64)
            run_layer(mapping.maps[at], layouts[at], layer.state, NO_FAULTS, values, fired, (events, writes), work)
        for number, *part in zip(which.tolist(), events, writes, strict=True):
            found[at][number] = _Part(*part)

    # Windows of the same blocks and steps run in one call.
    alike: dict[tuple[int, int, int, int], list[int]] = {}
    for at, stride in enumerate(choice.strides):
        for number, window in enumerate(windows):
            key = (at, number % stride, min(choice.lead, window.start), window.length)
            alike.setdefault(key, []).append(number)
    tasks = [(*key, some) for key, same in alike.items() for some in np.array_split(same, min(threads, len(same)))]
    with ThreadPoolExecutor(threads) as pool:
        list(map(execute, tasks) if threads == 1 else pool.map(execute, tasks))
    return found


def _missed(parts: Sequence[_Part], counts: Ints, program: StepProgram) -> NDArray[np.bool_]:
    """Kinds of which the windows have much less than the share that they have of all steps."""
    seen = np.sum([part.events[:, _CYCLE] for part in parts], axis=0)
    total = counts.sum(axis=0)
    # Kinds that run once a step, or in one of two kinds of steps, count the steps.
    steps = program.kinds(Guard.BEFORE_INPUTS, Guard.AFTER_INPUTS) or program.kinds(Guard.AFTER_SOME, Guard.AFTER_NONE)
    seen_steps, all_steps = seen[steps[:1]].sum(), total[steps[:1]].sum()
    return np.asarray((total > 0) & (seen * all_steps <= _MISSED * seen_steps * total))


def _from_means(layer: CalibratedLayer, counts: Ints, parts: list[_Part], more: list[_Part]) -> Expected:
    windows, writes = (np.stack(each).astype(np.float64) for each in zip(*parts, strict=True))
    column_cycles = layer.mapped.config.bits * layer.mapped.config.neurons
    missed, sending = _missed(parts, counts, layer.mapped.program), layer.mapped.program.kinds(Guard.SENT)
    events = windows.sum(axis=0)
    means = _means(events)
    for part in more:
        events[missed] += part.events[missed]
    # What was executed nowhere at all may cost anything: its mean is uncertain by all of itself.
    better = _means(events)
    mended = np.where(events[:, _CYCLE, None] > 0, better - means, better)
    written = writes.sum(axis=0) + (np.sum([part.writes for part in more], axis=0) if missed[sending].any() else 0.0)
    sent = counts[:, sending[:1]].sum(axis=1) * column_cycles
    return Expected(
        events=(counts * column_cycles)[:, :, None] * better,
        writes=sent[:, None] * written / max(1.0, written.sum()),
        error=_error(layer, windows, counts.sum(axis=0) * column_cycles, mended),
    )


def _means(events: Floats) -> Floats:
    """Events in a cycle of a column by kind (kinds, events); of a kind that did not occur, the mean of all."""
    cycles = events[:, _CYCLE]
    of_all = events.sum(axis=0) / max(1.0, cycles.sum())
    return np.where(cycles[:, None] > 0, events / np.maximum(1.0, cycles)[:, None], of_all)


def _error(layer: CalibratedLayer, windows: Floats, cycles: Ints, more: Floats) -> float:
    """The error of the module's docstring; ``cycles`` of all operations by kind, ``more``: by what the means were mended."""
    each = np.sum(list(layer.calibration.event_energy.values()), axis=0)
    column_cycles = layer.mapped.config.bits * layer.mapped.config.neurons
    lines = np.array([sum(each.values()) for each in layer.line_energy]) / column_cycles
    total = windows.sum(axis=0)
    if len(windows) == 1:
        return 0.0 if np.array_equal(total[:, _CYCLE], cycles) else float("nan")
    truth = windows @ each
    guess = np.array([part[:, _CYCLE] @ (_means(total - part) @ each) for part in windows])
    energy = truth.sum(axis=1) + windows[:, :, _CYCLE] @ lines
    spread = np.sqrt(np.mean(np.square(guess - truth.sum(axis=1)))) / energy.mean()
    mended = np.abs(cycles * (more @ each)).sum() / (cycles @ (_means(total) @ each + lines))
    return float(np.hypot(spread, mended))
