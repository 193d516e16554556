# Compiled functions are typed by Numba's compiler.
# mypy: ignore-errors
"""Compiled operations of a macro whose accesses fail; ``macro.py`` has those that do not, and says what a plane is."""

import numba
import numpy as np

from pyspice_cim.behavioral.kernels.program import LATE, MEMBRANE_READ, MEMBRANE_WRITE, WEIGHT_READ

_NEVER = 1 << 60

_compiled = numba.njit(nogil=True, cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_compiled
def gap(stream, index, log_kept):
    """Accesses that go well before the next one fails: geometric, from the SplitMix64 generator ``stream[index]``.

    ``log_kept``: log(1 - rate). Source of the generator: Steele, Lea, Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014.
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
    """Which of the next 64 accesses of class ``index`` fail."""
    plane, at = np.int64(0), gaps[index]
    while at < 64:
        plane |= np.int64(1) << at
        at += 1 + gap(stream, index, log_kept[index])
    gaps[index] = at - 64
    return plane


@_compiled
def operate_faulty(word, latches, operand, mask, capture, weight, valid, stuck, stream, gaps, log_kept):
    """One operation in which accesses fail (``faults.model.FaultRates`` says how); ``stuck``: planes of cells at 0 and at 1."""
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
    """What cells hold after a write: the old bit where it failed, and what they are stuck at."""
    failed = failures(MEMBRANE_WRITE, stream, gaps, log_kept)
    return (((new & ~failed) | (old & failed)) & ~stuck[0]) | stuck[1]


@numba.njit(nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True)
def first_gaps(streams, log_kept):
    """Accesses of each sample and class until the first failure, (samples, classes); ``streams`` move on."""
    gaps = np.empty(streams.shape, np.int64)
    for sample in range(streams.shape[0]):
        for index in range(streams.shape[1]):
            gaps[sample, index] = gap(streams[sample], index, log_kept[index])
    return gaps
