"""Expected events: each operation costs the mean of its kind.

    E[e] = N x cycles x columns x mean[e]

    E[e]     expected number of events e of one kind of operation
    N        number of operations of this kind, counted in the whole run
    cycles   cycles of an operation
    columns  columns of a macro
    mean[e]  mean number of events e in one cycle of one column, from executed operations of this kind

**What is executed.** About ``WINDOWS`` windows of a few time steps are executed. The windows are spread evenly over all
samples and time steps of the run. In a large layer each window executes only every n-th block of 64 columns.
The first block differs from window to window, so that all blocks take their turn.

**Missed kinds.** A kind is missed if the windows hold too few of its operations: at most an eighth of the number that
the mean of the run predicts. One more window is executed where a missed kind is most frequent. No further window is
executed for a kind with less than a ten-thousandth of all operations of the network.

**Error.** The error is a leave-one-out error over the windows (Stone, "Cross-validatory choice and assessment of
statistical predictions", J. R. Stat. Soc. B 36, 1974). The means of the other windows predict the energy of each window
in turn. The relative error is

    error^2 = mean over windows (predicted - executed)^2 / (mean energy of a window)^2 + missed^2

The first term is the error of a single window. The error of the whole run is usually smaller, because a report adds
up all windows. The second term is for missed kinds, which were seen in one place only. ``missed`` is the change of their
energy by the further windows, relative to the energy of the run. If a kind was not executed at all, its whole energy
counts as change. With a single window the error is 0 if the window is the whole run, and NaN if not.
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
# Number of windows, most time steps of a window, and about how many operations of 64 columns a layer executes.
WINDOWS = 12
CALIBRATION_STEPS = 1000
CALIBRATION_OPERATIONS = 1 << 13
# Most time steps of a lead, which also is at most a third of the executed steps. All partial-sum macros but the share
# ``_STALE`` should be active at least once in the lead.
LEAD = 64
_STALE = 0.02
# A kind is missed if the windows hold at most this part of the operations that the mean of the run predicts.
_MISSED = 1 / 8
# No further window is executed for a kind with a smaller share of all operations of the network.
_NEGLIGIBLE = 1e-4
_GOLDEN = (5**0.5 - 1) / 2
_CYCLE = table.EVENT["cycle"]


class Expected(NamedTuple):
    """Expected events of one layer of neurons.

    Attributes:
        events: expected counts of ``microcode.EVENTS`` by kind, (batch, kinds, events).
        writes: expected number of scratch cells written, by ``kernels.program.TRANSITIONS``, (batch, 4).
        error: relative RMS error of the energy, as the module defines it.
    """

    events: Floats
    writes: Floats
    error: float


class _Part(NamedTuple):
    """What one layer executed in one window.

    Attributes:
        events: counts by kind and event, (kinds, events).
        writes: scratch cells written, by ``kernels.program.TRANSITIONS``, (4,).
    """

    events: Ints
    writes: Ints


class _Choice(NamedTuple):
    """Which part of a run is executed.

    Attributes:
        windows: windows whose operations are counted.
        lead: number of time steps that are executed before each window and not counted.
        strides: for each layer of neurons, a number n: each window executes every n-th block of columns.
    """

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

    Peak memory is as for ``fast_run``, with the values of all layers in all windows on top. These values need at most
    ``tile_bytes`` and are held twice.

    Args:
        mapping: network on macros.
        layers: calibration of each layer of neurons.
        counted: arrays from which the operations of each layer are counted.
        spikes: input of the run, as for ``kernels.run.fast_run``.
        operations: number of operations of each layer by kind, int64, (batch, kinds).
        threads: number of threads.
        tile_bytes: bound of the memory for tiles in bytes.

    Returns:
        One entry a layer of neurons.
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
    # work: operations of 64 columns of each layer in one step of one sample. most: largest stride of each layer.
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
    # Relative start of a sample's windows within its part of the steps. The golden ratio spreads the starts
    # evenly, in an order that does not follow the order of the samples.
    places = (np.argsort(np.argsort(np.arange(samples) * _GOLDEN % 1.0)) + 0.5) / samples
    windows = []
    for sample, place in zip(np.linspace(0, batch - 1, samples).astype(np.intp).tolist(), places, strict=True):
        for n in range(each):
            start = int(n * steps / each + place * (steps / each - length))
            windows.append(Window(sample=sample, start=start, stop=start + length))
    return _Choice(windows, lead, strides)


def _lead(mapped: LayerMap, begun: float) -> int:
    """Number of time steps to execute before a window, so that nearly all partial-sum macros become active.

    A partial-sum macro is active in a step with the probability ``share``. After n steps, (1 - share)^n of these macros
    were never active. The result is the smallest n with (1 - share)^n <= ``_STALE``, at most ``LEAD``.

    Args:
        mapped: layer on macros.
        begun: number of active partial-sum macros of the layer in one time step, mean of the run.
    """
    others = mapped.macros - len(mapped.groups)
    share = begun / others if others else 1.0
    if share >= 1.0:
        return 1
    return LEAD if share <= 0.0 else max(1, min(LEAD, int(np.ceil(np.log(_STALE) / np.log1p(-share)))))


def _executed(mapping: Mapping, spikes: Any, choice: _Choice, threads: int, tile_bytes: int) -> list[list[_Part]]:
    """What each layer did in each window, in the executed blocks. The result is ``[layer][window]``."""
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

    # Windows with the same blocks and the same number of steps run in one call.
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
    """Which kinds the windows hold too rarely, (kinds,).

    The mean number of operations in a time step is compared. A kind is missed if its mean over the windows is at most
    ``_MISSED`` times its mean over the run.
    """
    seen = np.sum([part.events[:, _CYCLE] for part in parts], axis=0)
    total = counts.sum(axis=0)
    # A kind that runs once a step counts the steps. Without such a kind, one that runs in some steps is the measure.
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
    # The cost of a kind that was never executed is unknown. Its whole mean counts as error.
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
    """Mean number of events in one cycle of one column, by kind, (kinds, events).

    A kind that did not occur gets the mean of all operations.

    Args:
        events: counts by kind and event, (kinds, events).
    """
    cycles = events[:, _CYCLE]
    of_all = events.sum(axis=0) / max(1.0, cycles.sum())
    return np.where(cycles[:, None] > 0, events / np.maximum(1.0, cycles)[:, None], of_all)


def _error(layer: CalibratedLayer, windows: Floats, cycles: Ints, more: Floats) -> float:
    """Relative RMS error of the expected energy, as the module defines it.

    Args:
        layer: calibration of the layer.
        windows: events of each window, (windows, kinds, events).
        cycles: column cycles of all operations of the run, by kind, (kinds,).
        more: change of the means by the further windows, (kinds, events).
    """
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
