# Compiled functions are typed by Numba's compiler.
# mypy: ignore-errors
"""Compiled operations of a macro in which accesses fail.

``kernels/macro.py`` has the operations without failures and defines a bit plane. ``faults.model`` defines the faults.
"""

import numba
import numpy as np

from pyspice_cim.behavioral.kernels.program import LATE, MEMBRANE_READ, MEMBRANE_WRITE, WEIGHT_READ

_NEVER = 1 << 60

_compiled = numba.njit(nogil=True, cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_compiled
def gap(stream, index, log_kept):
    """Number of accesses that succeed before the next failure, drawn from the geometric distribution.

        n = floor(log(U) / log(1 - rate)),   U uniform in (0, 1]

    U comes from the SplitMix64 generator. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014.

    Args:
        stream: uint64, (classes,), states of the generators. ``stream[index]`` moves on.
        index: class of the access.
        log_kept: log(1 - rate) of this class.
    """
    if log_kept == 0.0:
        return _NEVER
    stream[index] += np.uint64(0x9E3779B97F4A7C15)
    z = stream[index]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    uniform = (np.float64(z >> np.uint64(11)) + 1.0) * 2.0**-53
    found = np.log(uniform) / log_kept
    return np.int64(found) if found < _NEVER else _NEVER


@_compiled
def failures(index, stream, gaps, log_kept):
    """Bit plane of the next 64 accesses of class ``index``: a 1 is an access that fails.

    Args:
        index: class of the access.
        stream: uint64, (classes,), states of the generators, which move on.
        gaps: int64, (classes,), accesses until the next failure, updated in place.
        log_kept: float64, (classes,), log(1 - rate) of each class.
    """
    plane, at = np.int64(0), gaps[index]
    while at < 64:
        plane |= np.int64(1) << at
        at += 1 + gap(stream, index, log_kept[index])
    gaps[index] = at - 64
    return plane


@_compiled
def operate_faulty(word, latches, operand, mask, capture, weight, valid, stuck, stream, gaps, log_kept):
    """One operation on 64 columns in which accesses fail.

    Args:
        word: int64, (bits,), bit planes of the words, updated in place.
        latches: int64, (2,), bit planes of the flag and of the sum latch, updated in place.
        operand: int64, (operand bits,), bit planes of the operand. The last plane serves all higher bits (its sign).
        mask: bit plane of the columns that read 0 in place of their word.
        capture: whether the sign of the sum becomes the flag.
        weight: whether the operand is read from cells, so that its reads can fail.
        valid: bit plane of the columns that exist.
        stuck: int64, (2, bits), bit planes of the cells stuck at 0 and at 1.
        stream, gaps, log_kept: as for ``failures``.
    """
    top, before, carry = operand.size - 1, latches[1], np.int64(0)
    for k in range(word.size):
        v, o = word[k], operand[k if k < top else top]
        r = (v ^ failures(MEMBRANE_READ, stream, gaps, log_kept)) & ~mask & valid
        if weight:
            o ^= failures(WEIGHT_READ, stream, gaps, log_kept) & valid
        s = r ^ o ^ carry
        late = failures(LATE, stream, gaps, log_kept)
        carry = (r & o) | ((r ^ o) & carry)
        s = (s & ~late) | (before & late)
        word[k] = written(v, s, stuck[:, k], stream, gaps, log_kept) & valid
        before = s
    latches[1] = before
    if capture:
        latches[0] = before


@_compiled
def written(old, new, stuck, stream, gaps, log_kept):
    """Bit plane that 64 cells hold after a write.

    A cell keeps its old bit if the write fails. A stuck cell holds its own bit in any case.

    Args:
        old, new: bit planes before the write and to be written.
        stuck: int64, (2,), bit planes of the cells stuck at 0 and at 1.
        stream, gaps, log_kept: as for ``failures``.
    """
    failed = failures(MEMBRANE_WRITE, stream, gaps, log_kept)
    return (((new & ~failed) | (old & failed)) & ~stuck[0]) | stuck[1]


@numba.njit(nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True)
def first_gaps(streams, log_kept):
    """Number of accesses until the first failure of each sample and class, int64, (samples, classes).

    Args:
        streams: uint64, (samples, classes), states of the generators, which move on.
        log_kept: float64, (classes,), log(1 - rate) of each class.
    """
    gaps = np.empty(streams.shape, np.int64)
    for sample in range(streams.shape[0]):
        for index in range(streams.shape[1]):
            gaps[sample, index] = gap(streams[sample], index, log_kept[index])
    return gaps
