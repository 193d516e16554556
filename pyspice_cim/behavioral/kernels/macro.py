# Compiled functions are typed by Numba's compiler.
# mypy: ignore-errors
"""Compiled macros: the operations of ``microcode``, bit for bit, on 64 columns at once.

A *bit plane* is an int64. Its bit j belongs to column j of a block of 64 columns. Words, weights and flags are stored
as bit planes. An operation processes the planes of a word bit-serially, least significant bit first, as the array does.
Source of bit-serial columns: Eckert et al., "Neural Cache", ISCA 2018.

Events are population counts of a few planes. ``microcode.count_events`` counts each event by itself.
Here some counts are computed from other counts, because fewer population counts take less time.

Arrays of one sample, for each macro and each block of 64 columns (``macro/layout.py`` builds the arrays):

    words     bit planes of the words, ``P`` planes each
    latches   bit planes of the flag FS and of the sum latch
    scratch   bit planes of the scratch word, one word for each group
"""

import numba
import numpy as np

from pyspice_cim.behavioral.kernels.faults import operate_faulty, written
from pyspice_cim.behavioral.kernels.program import (
    AFTER_INPUTS,
    AFTER_NONE,
    AFTER_SOME,
    BEFORE_INPUTS,
    EVENT,
    EVERY_INPUT,
    FIRST_AT_PARTIAL,
    FIRST_INPUT,
    FIRST_RECEIVED,
    LATER_INPUT,
    LATER_RECEIVED,
    SENT,
)
from pyspice_cim.behavioral.kernels.simd import ones

_E_CYCLE, _E_V, _E_R, _E_O, _E_O_WEIGHT, _E_C = (EVENT[name] for name in ("cycle", "v", "r", "o", "o_weight", "c"))
_E_RO, _E_RC, _E_OC, _E_ROC, _E_EDGE = (EVENT[name] for name in ("ro", "rc", "oc", "roc", "carry_edge"))
_E_RISE, _E_FALL, _E_R_AGAIN, _E_O_AGAIN = (EVENT[name] for name in ("sum_rise", "sum_fall", "r_again", "o_again"))
_E_FLIP, _E_OUT, _E_MASKED = (EVENT[name] for name in ("cell_flip", "carry_out", "masked"))
_E_FLAG_RISE, _E_FLAG_FALL = (EVENT[name] for name in ("flag_rise", "flag_fall"))

_compiled = numba.njit(nogil=True, cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
_inlined = numba.njit(nogil=True, inline="always", error_model="numpy")
_entry = numba.njit(nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True)


@_compiled
def operate(word, latches, planes, base, rows, begin, end, mask, capture, weight, valid, counts):
    """Sequential operations on 64 columns, one for each row ``planes[base + rows[begin:end]]`` that is added.

    Args:
        word: int64, (bits,), bit planes of the words, updated in place.
        latches: int64, (2,), bit planes of the flag and of the sum latch, updated in place.
        planes: int64, (rows, operand bits). The last plane of a row serves all higher bits, because it is the sign.
        base: first row of the macro in ``planes``.
        rows: int64, row numbers.
        begin, end: range in ``rows`` to add.
        mask: bit plane of the columns that read 0 in place of their word.
        capture: whether the sign of the last sum becomes the flag.
        weight: whether the operand is a weight or a received sum.
        valid: bit plane of the columns that exist.
        counts: int64, (events,), increased in place.
    """
    bits, top, kept = word.size, planes.shape[1] - 1, ~mask
    v_ones = r_ones = o_ones = ro_ones = rc_ones = oc_ones = roc_ones = 0
    rises = r_again = o_again = flips = stays = outs = 0
    first, before = latches[1], latches[1]
    for i in range(begin, end):
        row, carry, last = base + rows[i], np.int64(0), np.int64(0)
        for k in range(bits):
            v, o = word[k], planes[row, min(k, top)]
            r = v & kept
            either, ro = r ^ o, r & o
            s = either ^ carry
            rc, oc = r & carry, o & carry
            same = ~(s ^ before)
            r_ones += ones(r)
            o_ones += ones(o)
            ro_ones += ones(ro)
            rc_ones += ones(rc)
            oc_ones += ones(oc)
            roc_ones += ones(ro & carry)
            rises += ones(s & ~before)
            r_again += ones(r & same)
            o_again += ones(o & same)
            if mask:
                v_ones += ones(v)
                flips += ones(s ^ v)
            last = rc | oc
            carry = ro | last
            word[k] = s
            before = s
        stays += ones(last)
        outs += ones(carry)
    # The carry into a bit is the carry out of the bit before. The reset discards the carry out of the last bit.
    c_ones = ro_ones + rc_ones + oc_ones - 2 * roc_ones - outs
    cycles = bits * (end - begin)
    counts[_E_CYCLE] += cycles * ones(valid)
    counts[_E_V] += v_ones if mask else r_ones
    counts[_E_R] += r_ones
    counts[_E_O] += o_ones
    counts[_E_O_WEIGHT] += o_ones if weight else 0
    counts[_E_C] += c_ones
    counts[_E_RO] += ro_ones
    counts[_E_RC] += rc_ones
    counts[_E_OC] += oc_ones
    counts[_E_ROC] += roc_ones
    # A change between neighbouring carries: one of both is 1, and not both. The carry after the last bit is 0.
    counts[_E_EDGE] += 2 * (c_ones - (rc_ones + oc_ones - roc_ones - stays))
    counts[_E_RISE] += rises
    # The rises less the falls are the change of the sum latch from the first to the last bit.
    counts[_E_FALL] += rises - ones(before) + ones(first)
    counts[_E_R_AGAIN] += r_again
    counts[_E_O_AGAIN] += o_again
    # Without a mask, s differs from v exactly where o differs from the carry.
    counts[_E_FLIP] += flips if mask else o_ones + c_ones - 2 * oc_ones
    counts[_E_OUT] += outs
    counts[_E_MASKED] += cycles * ones(mask)
    latches[1] = before
    if capture:
        counts[_E_FLAG_RISE] += ones(before & ~latches[0])
        counts[_E_FLAG_FALL] += ones(latches[0] & ~before)
        latches[0] = before


@_compiled
def constant(operand, k0, k1, flag, valid):
    """Write the bit planes of a broadcast constant to ``operand``.

    Args:
        operand: int64, (bits,), overwritten.
        k0, k1: constant of the columns with flag 0 and with flag 1.
        flag: bit plane of the flags.
        valid: bit plane of the columns that exist.
    """
    for k in range(operand.size):
        at_1 = flag if (k1 >> k) & 1 else np.int64(0)
        at_0 = ~flag if (k0 >> k) & 1 else np.int64(0)
        operand[k] = (at_1 | at_0) & valid


@_inlined
def perform(kind, control, word, latches, planes, base, rows, begin, end, valid, counts, faults, stuck, sample):
    """Run operations of ``kind``, one for each row in ``rows[begin:end]``.

    If the kind adds a constant, the constant is first written to ``planes[0]``.

    Args:
        kind: index of the program row.
        control: ``organisation.StepProgram.control``.
        word, latches, planes, base, rows, begin, end, valid: as for ``operate``.
        counts: int64, (kinds, events), increased in place if no faults are given.
        faults: ``macro.layout.Faults``.
        stuck: int64, (2, bits), bit planes of the cells stuck at 0 and at 1.
        sample: number of the sample.
    """
    added, capture, flag = control[kind, 2], control[kind, 5], latches[0]
    if not added:
        constant(planes[0], control[kind, 0], control[kind, 1], flag, valid)
    # A control value is 0 or 1. Its negative is a bit plane with the same value in all columns.
    mask = ((flag & -control[kind, 3]) | (~flag & -control[kind, 4])) & valid
    if faults.any:
        stream, gaps, log_kept = faults.streams[sample], faults.gaps[sample], faults.log_kept
        for i in range(begin, end):
            operand = planes[base + rows[i]]
            operate_faulty(word, latches, operand, mask, capture, added, valid, stuck, stream, gaps, log_kept)
    else:
        operate(word, latches, planes, base, rows, begin, end, mask, capture, added, valid, counts[kind])


@_compiled
def receive(word, scratch, valid, writes, faults, stuck, sample):
    """Write the bit planes of ``word`` into the scratch rows of the home macro.

    Args:
        word: int64, (bits,), the sum of a partial-sum macro.
        scratch: int64, (bits,), overwritten.
        valid: bit plane of the columns that exist.
        writes: int64, (4,), counts by ``kernels.program.TRANSITIONS``, increased in place if no faults are given.
        faults: ``macro.layout.Faults``.
        stuck: int64, (2, bits), bit planes of the scratch cells stuck at 0 and at 1.
        sample: number of the sample.
    """
    for k in range(word.size):
        old, new = scratch[k], word[k]
        if faults.any:
            stream, gaps = faults.streams[sample], faults.gaps[sample]
            scratch[k] = written(old, new, stuck[:, k], stream, gaps, faults.log_kept) & valid
            continue
        scratch[k] = new
        writes[0] += ones(valid & ~old & ~new)
        writes[1] += ones(~old & new)
        writes[2] += ones(old & ~new)
        writes[3] += ones(old & new)


@_inlined
def run_group(layout, state, faults, g, block, sample, rows, ends, operand, counts, writes):
    """Run one time step of one block of 64 columns in all macros of one group.

    The program rows of ``layout.control`` say which operations run.

    Args:
        layout, state, faults: tuples of arrays, see ``macro/layout.py``.
        g, block, sample: numbers of the group, of the block and of the sample.
        rows, ends: ``rows[ends[i] : ends[i + 1]]`` are the active input rows of macro i of the group. ``ends[0]`` is 1.
            ``rows[0]`` is 0, the only row of a constant or of a received sum.
        operand: int64, (1, bits), scratch for the planes of a constant.
        counts: int64, (kinds, events), increased in place.
        writes: int64, (4,), transitions of scratch cells, increased in place.

    Returns:
        Bit plane of the spikes.
    """
    home, tiles, valid = layout.group_tiles[g], layout.group_tiles[g + 1], layout.valid[block]
    control, planes = layout.control, layout.planes[block]
    kinds, some = control.shape[0], ends[1] > 1
    for t in range(home, tiles):
        begin, end, base = ends[t - home], ends[t - home + 1], layout.tile_planes[t]
        word, latches = state.words[sample, t, block], state.latches[sample, t, block]
        stuck = faults.stuck[t if faults.any else 0, block]
        sends = t > home and begin < end
        for place in range(kinds):
            kind = control[place, 7]
            guard = control[kind, 6]
            if guard == BEFORE_INPUTS:
                if t == home:
                    perform(kind, control, word, latches, operand, 0, rows, 0, 1, valid, counts, faults, stuck, sample)
                continue
            # The part of the active input rows that this program row adds.
            first, last = begin, end
            if guard == FIRST_INPUT:
                last = min(begin + 1, end) if t == home else begin
            elif guard == FIRST_AT_PARTIAL:
                last = begin + 1 if sends else begin
            elif guard == LATER_INPUT:
                first = min(begin + 1, end)
            elif guard != EVERY_INPUT:
                continue
            if first < last:
                perform(
                    kind, control, word, latches, planes, base, rows, first, last, valid, counts, faults, stuck, sample
                )
        if not sends:
            continue
        for place in range(kinds):
            kind = control[place, 7]
            if control[kind, 6] == SENT:
                perform(kind, control, word, latches, operand, 0, rows, 0, 1, valid, counts, faults, stuck, sample)
        scratch = state.scratch[sample, g, block]
        receive(word, scratch[0], valid, writes, faults, faults.stuck_scratch[g if faults.any else 0, block], sample)
        guard = LATER_RECEIVED if some else FIRST_RECEIVED
        word, latches = state.words[sample, home, block], state.latches[sample, home, block]
        stuck = faults.stuck[home if faults.any else 0, block]
        for place in range(kinds):
            kind = control[place, 7]
            if control[kind, 6] == guard:
                perform(kind, control, word, latches, scratch, 0, rows, 0, 1, valid, counts, faults, stuck, sample)
        some = True
    word, latches = state.words[sample, home, block], state.latches[sample, home, block]
    stuck = faults.stuck[home if faults.any else 0, block]
    for place in range(kinds):
        kind = control[place, 7]
        guard = control[kind, 6]
        if guard == AFTER_INPUTS or guard == (AFTER_SOME if some else AFTER_NONE):
            perform(kind, control, word, latches, operand, 0, rows, 0, 1, valid, counts, faults, stuck, sample)
    return ~latches[0]


@_entry
def run_macros(layout, state, faults, values, fired, work, rows, ends, operand, events, writes):
    """Run macros of one layer over all time steps and samples of ``values``.

    Args:
        layout, state, faults: tuples of arrays, see ``macro/layout.py``. ``state`` and ``faults`` are updated in place.
        values: uint8, (steps, batch, inputs).
        fired: uint8, (1 + steps, batch, neurons). Entry 0 is the time step before. The other entries are overwritten.
        work: int64, (tasks, 2): group and block of 64 columns of each task, sorted by group.
        rows, ends: scratch for the active input rows of a group and for their bounds by macro.
        operand: int64, (1, bits), scratch for the planes of a constant.
        events: int64, (batch, kinds, events), increased in place.
        writes: int64, (batch, 4), transitions of scratch cells, increased in place.
    """
    inputs, lines = values.shape[2], layout.lines
    rows[0], ends[0] = 0, 1
    for sample in range(values.shape[1]):
        for step in range(values.shape[0]):
            x, own, out = values[step, sample], fired[step, sample], fired[step + 1, sample]
            listed = -1
            for at in range(work.shape[0]):
                g, block = work[at, 0], work[at, 1]
                if g != listed:
                    end, home, listed = 1, layout.group_tiles[g], g
                    for t in range(home, layout.group_tiles[g + 1]):
                        start = layout.tile_lines[t]
                        for i in range(start, layout.tile_lines[t + 1]):
                            line = lines[i]
                            for _ in range(x[line] if line < inputs else own[line - inputs]):
                                rows[end] = i - start
                                end += 1
                        ends[t - home + 1] = end
                spikes = run_group(
                    layout, state, faults, g, block, sample, rows, ends, operand, events[sample], writes[sample]
                )
                first = layout.group_neurons[g] + 64 * block
                for j in range(first, min(first + 64, layout.group_neurons[g + 1])):
                    out[layout.neurons[j]] = (spikes >> (j - first)) & 1
