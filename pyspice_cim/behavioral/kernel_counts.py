# Compiled functions are typed by Numba's compiler.
# mypy: ignore-errors
"""Compiled counts of the operations of macros, from the values that the kernels of ``kernel_steps.py`` kept."""

import numba
import numpy as np

from pyspice_cim.behavioral.macro_table import (
    ADD,
    ADD_RECEIVED,
    BEGIN,
    DECAY,
    FIRE,
    FIRE_SILENT,
    FIRST,
    FIRST_RECEIVED,
    SATURATE,
    SEND,
)
from pyspice_cim.behavioral.simd import ones, spike_word

_inlined = numba.njit(nogil=True, inline="always", error_model="numpy")
_entry = numba.njit(nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True)


@_inlined
def total(values, start, stop, many):
    """Sum of the values of a run."""
    n = 0
    if many:
        for i in range(start, stop):
            n += values[i]
    else:
        for base in range(start, stop, 64):
            word = spike_word(values, base)
            if stop - base < 64:
                word &= (np.int64(1) << (stop - base)) - 1
            n += ones(word)
    return n


@_entry
def count_operations(counted, values, before, operations, path, active, sops, first, last):
    """Count the operations of one layer in samples ``first`` to ``last``, from the values that the kernels kept.

    Args:
        counted: tuple of arrays, see ``macro_layout.py``.
        values: uint8, (steps, batch, all values); ``before``: those of the step before, (batch, all values).
        operations, path, active, sops: as in ``mapped_run.LayerRun``, of these samples, added to.
    """
    many, inputs, runs, tile_runs = counted.many, counted.inputs, counted.runs, counted.tile_runs
    group_tiles, copies, decay = counted.group_tiles, counted.copies, counted.decay
    size, updates = values.shape[2], decay.shape[1]
    busiest = np.zeros(updates)
    for sample in range(first, last):
        count, past = operations[sample], before[sample]
        for step in range(values.shape[0]):
            now = values[step, sample]
            for i in range(inputs.shape[0]):
                # What lies past the end of the values is of the step before.
                if inputs[i, 0] < size:
                    n = total(now, inputs[i, 0], inputs[i, 1], many)
                else:
                    n = total(past, inputs[i, 0] - size, inputs[i, 1] - size, many)
                active[sample] += n
                sops[sample] += n * inputs[i, 2]
            busiest[:] = 0
            for g in range(copies.size):
                own, sent, slowest = 0, 0, 0
                for t in range(group_tiles[g], group_tiles[g + 1]):
                    n = 0
                    for i in range(tile_runs[t], tile_runs[t + 1]):
                        if runs[i, 0] < size:
                            n += total(now, runs[i, 0], runs[i, 1], many)
                        else:
                            n += total(past, runs[i, 0] - size, runs[i, 1] - size, many)
                    if t == group_tiles[g]:
                        own = n
                    elif n:
                        sent += 1
                        slowest = max(slowest, n)
                        count[ADD] += (n - 1) * copies[g]
                count[DECAY] += copies[g]
                if own:
                    count[FIRST] += copies[g]
                    count[ADD] += (own - 1) * copies[g]
                elif sent:
                    count[FIRST_RECEIVED] += copies[g]
                count[BEGIN] += sent * copies[g]
                count[SEND] += sent * copies[g]
                count[ADD_RECEIVED] += (sent if own else max(sent - 1, 0)) * copies[g]
                if own or sent:
                    count[SATURATE] += copies[g]
                    count[FIRE] += copies[g]
                else:
                    count[FIRE_SILENT] += copies[g]
                # A transfer: the write of the word, during which it is read, and its accumulate.
                after = 2 * sent + (2 if own or sent else 1)
                for u in range(updates):
                    busiest[u] = max(busiest[u], max(decay[g, u] + own, slowest) + after)
            for u in range(updates):
                path[sample, u] += busiest[u]
            past = now
