"""Expected events: every operation costs the mean of its kind.

    E[e] = operations of a kind x cycles x columns x mean of event e in a cycle of a column

The means are those of operations that are executed: of ``CALIBRATION_SAMPLES`` samples of the same run, spread over the
batch, in their first ``CALIBRATION_STEPS`` steps, and of these, if that is much work, of every n-th block of 64 columns,
another one in each sample. A kind that does not occur there is executed in the sample that has most of it; one that still
does not occur costs the mean of all.

Error: for every executed sample, the energy of the executed operations against what the means of the *other* samples say, as
relative RMS. Since the columns are then partly others, too, the error of a whole inference is smaller rather than larger.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral import macro_table as table
from pyspice_cim.behavioral.execution import all_work, layouts_of, run_layer
from pyspice_cim.behavioral.integer_reference import passed
from pyspice_cim.behavioral.kernels import as_spikes, fast_run
from pyspice_cim.behavioral.layers import NeuronLayer
from pyspice_cim.behavioral.macro_layout import NO_FAULTS, Layout, state_at_rest
from pyspice_cim.behavioral.mapped_layer import CalibratedLayer
from pyspice_cim.behavioral.mapping import LayerMap, Mapping
from pyspice_cim.microcode import EVENTS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Samples that are executed, at least and at most, how many of their first steps at most, and in a layer about how many
# operations of 64 columns.
CALIBRATION_SAMPLES = (4, 32)
CALIBRATION_STEPS = 1000
CALIBRATION_OPERATIONS = 1 << 15
_CYCLE = table.EVENT["cycle"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """``events`` (batch, kinds, events) and ``writes`` (batch, 4) as in ``LayerRun``, and the relative RMS ``error``."""

    events: Floats
    writes: Floats
    error: float


def expected_events(
    mapping: Mapping, layers: Sequence[CalibratedLayer], spikes: Any, operations: Sequence[Ints], threads: int
) -> tuple[Expected, ...]:
    """Expected events of each layer of neurons.

    Args:
        layers, operations: one a layer of neurons; counts by kind of operation (batch, kinds).
        spikes: as ``kernels.fast_run`` takes them; a few samples of them are held in memory.
    """
    chosen, strides = _samples(mapping, operations, min(1.0, CALIBRATION_STEPS / spikes.shape[0]))
    layouts = layouts_of(mapping)
    blocks = [all_work(layout) for layout in layouts]
    # A kind that none of the chosen samples has is executed where it is most frequent, in all blocks.
    rare = [
        (at, int(counts[:, kind].argmax()))
        for at, counts in enumerate(operations)
        for kind in np.flatnonzero(counts.any(axis=0) & ~counts[chosen].any(axis=0))
    ]
    with ThreadPoolExecutor(threads) as pool:
        samples = sorted({*chosen, *(sample for _, sample in rare)})
        inputs = dict(zip(samples, pool.map(lambda sample: _inputs(mapping, spikes, sample), samples), strict=True))

        def execute(task: tuple[int, int, Ints]) -> tuple[Ints, Ints]:
            at, sample, work = task
            return _executed(mapping.maps[at], layouts[at], inputs[sample][at], work)

        tasks = [
            (at, sample, blocks[at][number % stride :: stride])
            for at, stride in enumerate(strides)
            for number, sample in enumerate(chosen)
        ]
        tasks += [(at, sample, blocks[at]) for at, sample in rare]
        parts = list(pool.map(execute, tasks))
        found = []
        for at, (layer, counts) in enumerate(zip(layers, operations, strict=True)):
            own = [part for task, part in zip(tasks, parts, strict=True) if task[0] == at]
            seen = np.sum([events[:, _CYCLE] for events, _ in own], axis=0)
            # It may still lie behind the first steps, or in the blocks of other samples.
            for kind in np.flatnonzero((seen == 0) & counts.any(axis=0)):
                sample = int(counts[:, kind].argmax())
                own.append(_executed(layer.mapped, layouts[at], _inputs(mapping, spikes, sample)[at], blocks[at]))
            found.append(_from_means(layer, counts, own))
    return tuple(found)


def _samples(mapping: Mapping, operations: Sequence[Ints], share: float) -> tuple[list[int], list[int]]:
    """Samples to execute, and of how many blocks of columns one is executed in each sample, by layer."""
    batch = len(operations[0])
    least, most = CALIBRATION_SAMPLES
    each = [
        share * counts.sum() / batch * len(layout.valid)
        for counts, layout in zip(operations, layouts_of(mapping), strict=True)
    ]
    number = min(batch, max(least, min(most, int(CALIBRATION_OPERATIONS / max(each)))))
    chosen = np.unique(np.linspace(0, batch - 1, number).astype(np.intp)).tolist()
    # Every block is executed in one sample at least.
    blocks = [len(all_work(layout)) for layout in layouts_of(mapping)]
    return chosen, [
        max(1, min(-(-int(number * work) // CALIBRATION_OPERATIONS), number, size))
        for work, size in zip(each, blocks, strict=True)
    ]


def _inputs(mapping: Mapping, spikes: Any, sample: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """What every layer of neurons gets, (time, 1, inputs), and what it fires, (1 + time, 1, neurons), in the first steps."""
    x = as_spikes(spikes[:CALIBRATION_STEPS, sample : sample + 1])
    trains = fast_run(mapping.layers, x, 1, record=True).spikes
    assert trains is not None
    found: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for layer in mapping.layers:
        if isinstance(layer, NeuronLayer):
            train = trains[len(found)]
            fired = np.zeros((1 + len(train), 1, train[0].size), np.uint8)
            fired[1:] = train.reshape(len(train), 1, -1)
            found.append((np.ascontiguousarray(x).reshape(len(x), 1, -1), fired))
            x = train
        else:
            x = passed(layer, x[:, 0])[:, None]
    return found


def _executed(
    mapped: LayerMap, layout: Layout, inputs: tuple[NDArray[np.uint8], NDArray[np.uint8]], work: Ints
) -> tuple[Ints, Ints]:
    """Events (kinds, events) and writes (4,) of a part of a layer in one sample."""
    events = np.zeros((1, table.KINDS, len(EVENTS)), np.int64)
    writes = np.zeros((1, len(table.TRANSITIONS)), np.int64)
    run_layer(mapped, layout, state_at_rest(mapped, layout, 1), NO_FAULTS, *inputs, (events, writes), work)
    return events[0], writes[0]


def _from_means(layer: CalibratedLayer, counts: Ints, parts: list[tuple[Ints, Ints]]) -> Expected:
    events, writes = (np.stack(each).astype(np.float64) for each in zip(*parts, strict=True))
    column_cycles = layer.mapped.config.bits * layer.mapped.config.neurons
    error = _error(layer, events, column_cycles) if len(parts) > 1 else 0.0
    sent = counts[:, table.SEND] * column_cycles
    return Expected(
        events=(counts * column_cycles)[:, :, None] * _means(events.sum(axis=0)),
        writes=sent[:, None] * writes.sum(axis=0) / max(1.0, writes.sum()),
        error=error,
    )


def _means(events: Floats) -> Floats:
    """Events in a cycle of a column by kind (kinds, events); of a kind that did not occur, the mean of all."""
    cycles = events[:, _CYCLE]
    of_all = events.sum(axis=0) / max(1.0, cycles.sum())
    return np.where(cycles[:, None] > 0, events / np.maximum(1.0, cycles)[:, None], of_all)


def _error(layer: CalibratedLayer, events: Floats, column_cycles: int) -> float:
    each = np.sum(list(layer.calibration.event_energy.values()), axis=0)
    lines = np.array([sum(each.values()) for each in layer.line_energy])
    total, errors = events.sum(axis=0), []
    for part in events:
        cycles = part[:, _CYCLE]
        fixed = cycles @ lines / column_cycles
        truth = (part @ each).sum()
        guess = cycles @ (_means(total - part) @ each)
        errors.append((guess - truth) / (truth + fixed))
    return float(np.sqrt(np.mean(np.square(errors))))
