r"""What an operation does to a column: one addition, with the same control values for all columns.

.. math:: v \leftarrow (\mathrm{mask}\;?\;0 : v) + o \pmod{2^P}

==========  =====================================================================================
``v``       stored word of a column, two's complement, ``P`` bits: ``B`` bits of the membrane and guard bits
``FS``      flag of the column; an operation that captures sets the flag to the sign of its sum
``mask``    ``ZA`` if ``FS`` = 1, else ``ZB``; a masked column reads 0 in place of its word
``o``       weight row of the column, or a broadcast constant: ``K1`` if ``FS`` = 1, else ``K0``
==========  =====================================================================================

The organisation of a macro says which operations make a time step (``organisation.program``). Additions that run bit by
bit below the columns of an SRAM: Eckert et al., "Neural Cache: bit-serial in-cache acceleration of deep neural networks",
ISCA 2018; Jeloka et al., "A 28 nm configurable memory (TCAM/BCAM/SRAM) using push-rule 6T bit cell enabling
logic-in-memory", IEEE J. Solid-State Circuits 51 (2016).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import ConfigError

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Control values of one operation.

    Attributes:
        name: operation that a report charges, e.g. ``decay`` or ``accumulate``.
        k0, k1: operand of columns with FS = 0 and with FS = 1; both 0 if a weight row is the operand.
        weight: index of the active input whose weight row is the operand, or ``None``.
        za, zb: whether a column with FS = 1, and a column with FS = 0, reads 0 in place of its word.
        capture: whether the flag FS takes the sign of the sum after the last bit.
    """

    name: str
    k0: int = 0
    k1: int = 0
    weight: int | None = None
    za: bool = False
    zb: bool = False
    capture: bool = False


@dataclass(frozen=True, kw_only=True)
class ColumnState:
    """What columns hold, as arrays of one shape.

    Attributes:
        word: stored words, signed integers.
        flag: flags FS, 0 or 1.
        last_sum: sum latches (the last bit written), 0 or 1.
    """

    word: Ints
    flag: Ints
    last_sum: Ints


def column_bits(weights: NDArray[np.integer], membrane_bits: int) -> int:
    """Fewest bits ``P`` of a column in which no order of the inputs overflows.

    The partial sums of a step lie in [-sum of ``|w-|``, VMAX + sum of ``w+``]. The negative weights of a neuron are ``w-``,
    and the positive weights are ``w+``. Saturate then subtracts VMAX from a sum that may be the least one. Fire subtracts at
    most VMAX - 1 from a membrane that is not negative.

    Args:
        weights: signed integers, [inputs, neurons].
        membrane_bits: ``B``; VMAX = 2^(B-1) - 1.
    """
    vmax = 2 ** (membrane_bits - 1) - 1
    wide = np.asarray(weights, dtype=np.int64)
    highest = vmax + int(np.maximum(wide, 0).sum(axis=0).max(initial=0))
    # A membrane that is loaded from outside may be as low as -2^(B-1) for any weights.
    lowest = -vmax + min(int(np.minimum(wide, 0).sum(axis=0).min(initial=0)), -(2 ** (membrane_bits - 1)))
    return max(highest.bit_length(), (-lowest - 1).bit_length()) + 1


def columns_at_rest(membrane: Ints, *, theta: int) -> ColumnState:
    """Columns after a step in which no neuron fired: word = membrane - theta, FS = 1.

    Args:
        membrane: membranes ``v``, integers of any shape.
        theta: threshold.
    """
    word = np.asarray(membrane, dtype=np.int64) - theta
    return ColumnState(word=word, flag=np.ones_like(word), last_sum=np.zeros_like(word))


def membranes(state: ColumnState, *, theta: int, membrane_bits: int, reset: Literal["subtract", "zero"]) -> Ints:
    """Membranes after a fire.

        v = word + theta   if FS = 1 (the neuron did not fire)
        v = word           if FS = 0 and the reset subtracts the threshold
        v = 0              if FS = 0 and the reset is to zero

    The guard bits hold a sum below -2^(B-1) exactly. Such a sum reads as -2^(B-1); the next decay clears both values.

    Args:
        state: columns after the fire.
        theta: threshold.
        membrane_bits: ``B``.
        reset: reset of a neuron that fired.
    """
    fired = 0 if reset == "zero" else state.word
    value = np.where(state.flag == 1, state.word + theta, fired)
    return np.maximum(value, -(2 ** (membrane_bits - 1)))


def operand_of(operation: Operation, flag: Ints, weights: Ints) -> Ints:
    """Operand of each column.

    Args:
        operation: the operation.
        flag: flags FS, [..., columns].
        weights: signed integers, [inputs, columns].
    """
    if operation.weight is not None:
        return np.broadcast_to(np.asarray(weights, dtype=np.int64)[operation.weight], flag.shape)
    return np.where(flag == 1, operation.k1, operation.k0).astype(np.int64)


def masked(operation: Operation, flag: Ints) -> NDArray[np.bool_]:
    """Whether each column reads 0 in place of its word; ``flag`` are the flags FS."""
    return np.where(flag == 1, operation.za, operation.zb)


def execute(operation: Operation, state: ColumnState, weights: Ints, *, bits: int) -> ColumnState:
    """Columns after ``operation``, equal to the circuit in every bit.

    Args:
        operation: the operation.
        state: columns before the operation, arrays of shape [..., columns].
        weights: signed integers, [inputs, columns].
        bits: ``P``, bits of a column's word; sums wrap modulo 2^P as in the circuit.

    Raises:
        ConfigError: if a constant does not fit in ``bits``.
    """
    half = 2 ** (bits - 1)
    for name in ("k0", "k1"):
        if not -half <= getattr(operation, name) < half:
            raise ConfigError(
                f"{operation.name}: {name} = {getattr(operation, name)} does not fit in {bits} column bits"
            )
    kept = np.where(masked(operation, state.flag), 0, state.word)
    total = (kept + operand_of(operation, state.flag, weights) + half) % (2 * half) - half
    sign = (total < 0).astype(np.int64)
    return ColumnState(word=total, flag=sign if operation.capture else state.flag, last_sum=sign)
