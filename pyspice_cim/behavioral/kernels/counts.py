# Compiled functions are typed by Numba's compiler.
# mypy: ignore-errors
"""Compiled counting of the operations of macros, from the spikes that the kernels of ``steps.py`` kept."""

import numba
import numpy as np

from pyspice_cim.behavioral.kernels.program import (
    AFTER_INPUTS,
    AFTER_NONE,
    AFTER_SOME,
    BEFORE_INPUTS,
    EVERY_INPUT,
    FIRST_AT_PARTIAL,
    FIRST_INPUT,
    FIRST_RECEIVED,
    GUARDS,
    LATER_INPUT,
    LATER_RECEIVED,
    SENT,
)
from pyspice_cim.behavioral.kernels.simd import ones, spike_word

_inlined = numba.njit(nogil=True, inline="always", error_model="numpy")
_compiled = numba.njit(nogil=True, cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
_entry = numba.njit(nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True)


@_inlined
def total(values, start, stop, many):
    """Sum of ``values[start:stop]``.

    Args:
        values: uint8, flat. 64 entries from any place before ``stop`` must be readable.
        start, stop: bounds of the run in ``values``.
        many: whether values may exceed 1. If not, the sum is a population count of 64 values at once.
    """
    n = 0
    if many:
        for i in range(np.uint64(start), np.uint64(stop)):
            n += values[i]
    else:
        for base in range(start, stop, 64):
            word = spike_word(values, base)
            if stop - base < 64:
                word &= (np.int64(1) << (stop - base)) - 1
            n += ones(word)
    return n


@_compiled
def add_run(values, before, sample, start, stop, many, n):
    """Add the sum of one run of values to ``n`` in each time step.

    Args:
        values: uint8, (steps, batch, all values).
        before: uint8, (batch, all values), the values of the time step before the first one.
        sample: number of the sample.
        start, stop: bounds of the run. A run past the end of the values reads the previous time step.
        many: whether values may exceed 1.
        n: int64, (steps,), increased in place.
    """
    steps, (batch, size) = n.size, before.shape
    # Flat arrays and offsets are used, because a view of one time step costs more time than its spikes.
    now, past = values.reshape(-1), before.reshape(-1)
    old = start >= size
    if old:
        start, stop = start - size, stop - size
        n[0] += total(past, sample * size + start, sample * size + stop, many)
    step = np.int64(old)
    first = sample * size
    for i in range(np.uint64(step), np.uint64(steps)):
        n[i] += total(now, first + start, first + stop, many)
        first += batch * size


@_entry
def count_operations(counted, values, before, operations, path, active, sops, first, last):
    """Count the operations of one layer in the samples ``first`` to ``last - 1``.

    The critical path of a time step is, in operations::

        path = max over groups (max(update + inputs at home, inputs at the slowest partial-sum macro) + transfers + end)

    A transfer is sequential: the home macro waits for the write of the word and then adds the received sum.

    Args:
        counted: ``macro.layout.Counted``, a tuple of arrays.
        values: uint8, (steps, batch, all values).
        before: uint8, (batch, all values), the values of the time step before the first one.
        operations: int64, (batch, kinds), increased in place.
        path: float64, (batch, updates), increased in place.
        active: int64, (batch,), sum of the input values, increased in place.
        sops: int64, (batch,), synaptic operations, increased in place.
        first, last: range of samples.
    """
    many, inputs, runs, tile_runs = counted.many, counted.inputs, counted.runs, counted.tile_runs
    group_tiles, copies, before_inputs, guards = (
        counted.group_tiles,
        counted.copies,
        counted.before_inputs,
        counted.guards,
    )
    steps, updates, kinds = values.shape[0], before_inputs.shape[1], guards.size
    # Number of program rows with each guard.
    of = np.zeros(GUARDS, np.int64)
    for kind in range(kinds):
        of[guards[kind]] += 1
    # Arrays by time step. n: active inputs of one macro. The others are of one group. own: active inputs of the home
    # macro. sent: partial-sum macros with an active input. slowest: most operations in one partial-sum macro.
    # later: active inputs that are not the first one of their macro. every: all active inputs.
    n, own, sent, slowest, later, every = np.empty((6, steps), np.int64)
    busiest, times = np.empty((updates, steps)), np.zeros(GUARDS, np.int64)
    for sample in range(first, last):
        count = operations[sample]
        for i in range(inputs.shape[0]):
            n[:] = 0
            add_run(values, before, sample, inputs[i, 0], inputs[i, 1], many, n)
            active[sample] += n.sum()
            sops[sample] += n.sum() * inputs[i, 2]
        busiest[:] = 0
        for g in range(copies.size):
            same = copies[g]
            sent[:], slowest[:] = 0, 0
            for t in range(group_tiles[g], group_tiles[g + 1]):
                n[:] = 0
                for i in range(tile_runs[t], tile_runs[t + 1]):
                    add_run(values, before, sample, runs[i, 0], runs[i, 1], many, n)
                if t == group_tiles[g]:
                    own[:], every[:] = n, n
                    for step in range(steps):
                        later[step] = max(n[step] - 1, 0)
                    continue
                for step in range(steps):
                    some, rest = n[step] > 0, max(n[step] - 1, 0)
                    sent[step] += some
                    every[step] += n[step]
                    later[step] += rest
                    adds = of[FIRST_AT_PARTIAL] * some + of[LATER_INPUT] * rest + of[EVERY_INPUT] * n[step]
                    slowest[step] = max(slowest[step], adds)
            for step in range(steps):
                mine, others = own[step] > 0, sent[step] > 0
                some = mine or others
                times[BEFORE_INPUTS] = times[AFTER_INPUTS] = 1
                times[FIRST_INPUT], times[LATER_INPUT], times[EVERY_INPUT] = mine, later[step], every[step]
                times[FIRST_AT_PARTIAL] = times[SENT] = sent[step]
                times[FIRST_RECEIVED] = others and not mine
                times[LATER_RECEIVED] = sent[step] - times[FIRST_RECEIVED]
                times[AFTER_SOME], times[AFTER_NONE] = some, not some
                for kind in range(kinds):
                    count[kind] += same * times[guards[kind]]
                adds = of[FIRST_INPUT] * mine + of[LATER_INPUT] * max(own[step] - 1, 0) + of[EVERY_INPUT] * own[step]
                # A transfer takes one operation that reads and writes the word, and one operation that adds the word.
                after = of[SENT] * times[SENT] + of[FIRST_RECEIVED] * times[FIRST_RECEIVED]
                after += of[LATER_RECEIVED] * times[LATER_RECEIVED]
                after += of[AFTER_INPUTS] + (of[AFTER_SOME] if some else of[AFTER_NONE])
                for u in range(updates):
                    busiest[u, step] = max(busiest[u, step], max(before_inputs[g, u] + adds, slowest[step]) + after)
        for u in range(updates):
            # The sum runs step by step. Its rounding then does not depend on the length of the tiles.
            for step in range(steps):
                path[sample, u] += busiest[u, step]
