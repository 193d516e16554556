r"""Events of a column in a bit cycle, to which the energy of SPICE is attributed.

In cycle :math:`k` a column reads the bit ``v`` of its word, which is ``r`` after the mask, and the bit ``o`` of its operand.
The column adds both to the carry ``c`` and writes the sum ``s`` back:

.. math::

   s = r \oplus o \oplus c, \qquad c_{k+1} = r\,o + r\,c + o\,c

Every precharge returns the nodes behind the sense gates to rest. The energy of a cycle therefore depends on these bits:
v, r, o and c, the bits that the latches held before, and the bit that is overwritten. ``EVENTS`` lists indicator
functions of these bits. The energy of a cycle is linear in the indicators:

.. math:: E_k = \sum_e E_e\,\mathbf{1}_e(k)

The column bench runs random programs in SPICE, finds the energies :math:`E_e` by least squares, and stores the residual.
Regression of power on switching events: Bogliolo, Benini and De Micheli, "Regression-based RTL power modeling", ACM Trans.
Design Automation of Electronic Systems 5 (2000).

The bits of an operation stand in one integer. Every event count is therefore the population count of a Boolean function of
a few words. The exact energy of an operation costs some twenty word operations for any number of bits.
"""

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.microcode.operations import ColumnState, Ints, Operation, execute, masked, operand_of

# Name of each event -> what is counted.
EVENTS = {
    "cycle": "bit cycles",
    "v": "membrane read bitline discharges (stored bit is 1)",
    "r": "membrane sense output rises (v, not masked)",
    "o": "global read line discharges (operand bit is 1)",
    "o_weight": "weight segment bitline discharges (operand bit is 1 and comes from a weight row)",
    "c": "carry into the bit is 1",
    "ro": "r and o",
    "rc": "r and c",
    "oc": "o and c",
    "roc": "r and o and c",
    "carry_edge": "carry latch changes",
    "sum_rise": "sum latch changes from 0 to 1: write bitlines swing",
    "sum_fall": "sum latch changes from 1 to 0: write bitlines swing",
    "r_again": "r, and the sum latch keeps its value: the sum passes through the other one while the bitline falls",
    "o_again": "o, and the sum latch keeps its value: likewise",
    # Rise and fall are one event: their difference is s - v, a sum of the events above.
    "cell_flip": "cell is overwritten with the other bit",
    "carry_out": "carry out of the last bit, which the reset discards",
    "masked": "cycles of a masked column",
    "flag_rise": "flag latch changes from 0 to 1",
    "flag_fall": "flag latch changes from 1 to 0",
}


def _words(
    operation: Operation, state: ColumnState, weights: Ints, bits: int
) -> tuple[dict[str, NDArray[np.uint64]], ColumnState]:
    """Each event as one word per column, whose bit ``k`` says whether the event occurs in cycle ``k``; columns after it."""
    full = np.uint64((1 << bits) - 1)
    top, one = np.uint64(bits - 1), np.uint64(1)
    after = execute(operation, state, weights, bits=bits)

    def word(value: Ints) -> NDArray[np.uint64]:
        return np.asarray(value, dtype=np.int64).astype(np.uint64) & full

    hidden = np.where(masked(operation, state.flag), full, np.uint64(0))
    v, o, s = word(state.word), word(operand_of(operation, state.flag, weights)), word(after.word)
    r = v & ~hidden
    c = (r ^ o ^ s) & full
    carry_out = ((r & o) | (r & c) | (o & c)) >> top & one
    s_before = ((s << one) | word(state.last_sum)) & full
    flag, flag_after = word(state.flag), word(after.flag)
    zero = np.zeros_like(v)
    return {
        "cycle": np.full_like(v, full),
        "v": v,
        "r": r,
        "o": o,
        "o_weight": o if operation.weight is not None else zero,
        "c": c,
        "ro": r & o,
        "rc": r & c,
        "oc": o & c,
        "roc": r & o & c,
        # Phase 1 at the end of a cycle moves the carry of the next bit into the slave; after the last bit it moves 0.
        "carry_edge": c ^ (c >> one),
        "sum_rise": s & ~s_before,
        "sum_fall": ~s & s_before,
        "r_again": r & ~(s ^ s_before),
        "o_again": o & ~(s ^ s_before),
        "cell_flip": s ^ v,
        "carry_out": carry_out << top,
        "masked": hidden,
        "flag_rise": (flag_after & ~flag) << top,
        "flag_fall": (flag & ~flag_after) << top,
    }, after


def count_events(
    operation: Operation, state: ColumnState, weights: Ints, *, bits: int
) -> tuple[NDArray[np.int64], ColumnState]:
    """Counts of the events of ``EVENTS`` in one operation.

    Args:
        operation: the operation.
        state: columns before the operation, arrays of shape [..., columns].
        weights: signed integers, [inputs, columns].
        bits: ``P``, bits of a column's word.

    Returns:
        Counts of shape [events, ..., columns], and the columns after the operation.

    Raises:
        ConfigError: if a constant of the operation does not fit in ``bits``.
    """
    words, after = _words(operation, state, weights, bits)
    return np.stack([np.bitwise_count(words[name]).astype(np.int64) for name in EVENTS]), after


def cycle_events(
    operation: Operation, state: ColumnState, weights: Ints, *, bits: int
) -> tuple[NDArray[np.int64], ColumnState]:
    """Indicators of the events of ``EVENTS`` in every cycle of one operation; arguments as for ``count_events``.

    Returns:
        Indicators (0 or 1) of shape [events, bits, ..., columns], and the columns after the operation.

    Raises:
        ConfigError: if a constant of the operation does not fit in ``bits``.
    """
    words, after = _words(operation, state, weights, bits)
    stacked = np.stack([words[name] for name in EVENTS])
    shifts = np.arange(bits, dtype=np.uint64).reshape((1, bits) + (1,) * (stacked.ndim - 1))
    return ((stacked[:, None] >> shifts) & np.uint64(1)).astype(np.int64), after
