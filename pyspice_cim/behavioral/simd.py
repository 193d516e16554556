"""Four operations that Numba cannot express, as LLVM code: bits of spikes, and sums of rows of weights.

``spike_word``   64 bytes of spikes as the bits of one word
``lowest_bit``   index of the lowest 1 of a word, 64 without one (count trailing zeros)
``ones``         number of 1s of a word
``sum_rows``     sum of chosen rows of an int8 matrix, the sums held in vector registers

None of them checks its arguments: the arrays must be as large as said here.
"""

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_BYTE, _HALF, _WORD = ir.IntType(8), ir.IntType(16), ir.IntType(64)
# Columns that stay in registers over all rows: 64 are 2 registers of int8 and 4 of int16 with 256-bit vectors.
_WIDE, _NARROW = 64, 32
LANES = _NARROW
# Rows that an int8 must hold the sum of for adding in int8 to be worth it.
_WORTH = 3


@intrinsic
def lowest_bit(typing: Any, word: Any) -> Any:
    """Index of the lowest 1 of an int64, 64 for 0."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), code


@intrinsic
def ones(typing: Any, word: Any) -> Any:
    """Number of 1s of an int64."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), code


@intrinsic
def spike_word(typing: Any, spikes: Any, start: Any) -> Any:
    """An int64 whose bit i is ``spikes[start + i] != 0``; ``spikes``: uint8, contiguous, 64 of them are read."""
    vector = ir.VectorType(_BYTE, 64)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.gep(_data(context, builder, signature, arguments, 0), [arguments[1]])
        loaded = builder.load(builder.bitcast(pointer, vector.as_pointer()), align=1)
        return builder.bitcast(builder.icmp_unsigned("!=", loaded, ir.Constant(vector, None)), _WORD)

    return types.int64(spikes, types.int64), code


@intrinsic
def _sum_rows(
    typing: Any,
    weights: Any,
    start: Any,
    stride: Any,
    lanes: Any,
    rows: Any,
    first: Any,
    count: Any,
    group: Any,
    out: Any,
) -> Any:
    i64 = types.int64
    signature = types.void(weights, i64, i64, i64, rows, i64, i64, i64, out)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, start, stride, lanes, _, first, count, group, _ = arguments
        weights, rows, out = (_data(context, builder, signature, arguments, at) for at in (0, 4, 8))
        weights, rows = builder.gep(weights, [start]), builder.gep(rows, [first])
        builder.call(_sum_rows_function(builder.module), [weights, stride, lanes, rows, count, group, out])
        return context.get_dummy_value()

    return signature, code


def _sum_rows_function(module: Any) -> Any:
    """The code of ``sum_rows`` as a function of its own: inlined at every call it would take seconds more to compile."""
    name = "pyspice_cim_sum_rows"
    if name in module.globals:
        return module.globals[name]
    bytes_, halves, indices = _BYTE.as_pointer(), _HALF.as_pointer(), ir.IntType(32).as_pointer()
    function = ir.Function(
        module, ir.FunctionType(ir.VoidType(), [bytes_, _WORD, _WORD, indices, _WORD, _WORD, halves]), name
    )
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    weights, stride, lanes, rows, count, group, out = function.args
    wide = builder.sdiv(lanes, _WORD(_WIDE))
    done = builder.mul(wide, _WORD(_WIDE))
    with builder.if_else(builder.icmp_signed("<", group, _WORD(_WORTH))) as (few, many):
        for case, block in ((few, _sum_widened), (many, _sum_grouped)):
            with case:
                with cgutils.for_range(builder, wide) as loop:
                    at = builder.mul(loop.index, _WORD(_WIDE))
                    block(builder, _WIDE, at, weights, stride, rows, count, group, out)
                with builder.if_then(builder.icmp_signed("<", done, lanes)):
                    block(builder, _NARROW, done, weights, stride, rows, count, group, out)
    builder.ret_void()
    return function


def _sum_grouped(
    builder: Any, width: int, at: Any, weights: Any, stride: Any, rows: Any, count: Any, group: Any, out: Any
) -> None:
    """``out[at : at + width]``, sums of ``width`` columns: ``group`` rows at a time are added in int8, then widened."""
    bytes_, halves = ir.VectorType(_BYTE, width), ir.VectorType(_HALF, width)
    column = builder.gep(weights, [at])
    total = cgutils.alloca_once_value(builder, ir.Constant(halves, None))
    groups = builder.sdiv(builder.add(count, builder.sub(group, _WORD(1))), group)
    with cgutils.for_range(builder, groups) as outer:
        first = builder.mul(outer.index, group)
        left = builder.sub(count, first)
        part = cgutils.alloca_once_value(builder, ir.Constant(bytes_, None))
        with cgutils.for_range(builder, builder.select(builder.icmp_signed("<", left, group), left, group)) as inner:
            loaded = _row(builder, bytes_, column, stride, rows, builder.add(first, inner.index))
            builder.store(builder.add(builder.load(part), loaded), part)
        builder.store(builder.add(builder.load(total), builder.sext(builder.load(part), halves)), total)
    builder.store(builder.load(total), builder.bitcast(builder.gep(out, [at]), halves.as_pointer()), align=1)


def _sum_widened(
    builder: Any, width: int, at: Any, weights: Any, stride: Any, rows: Any, count: Any, group: Any, out: Any
) -> None:
    """As ``_sum_grouped``, each row widened at once: for weights so large that an int8 holds few of them."""
    bytes_, halves = ir.VectorType(_BYTE, width), ir.VectorType(_HALF, width)
    column = builder.gep(weights, [at])
    total = cgutils.alloca_once_value(builder, ir.Constant(halves, None))
    with cgutils.for_range(builder, count) as loop:
        loaded = _row(builder, bytes_, column, stride, rows, loop.index)
        builder.store(builder.add(builder.load(total), builder.sext(loaded, halves)), total)
    builder.store(builder.load(total), builder.bitcast(builder.gep(out, [at]), halves.as_pointer()), align=1)


def _row(builder: Any, vector: Any, column: Any, stride: Any, rows: Any, index: Any) -> Any:
    row = builder.sext(builder.load(builder.gep(rows, [index])), _WORD)
    pointer = builder.gep(column, [builder.mul(row, stride)])
    return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=1)


def _data(context: Any, builder: Any, signature: Any, arguments: Any, at: int) -> Any:
    return context.make_array(signature.args[at])(context, builder, arguments[at]).data


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def sum_rows(weights, start, stride, lanes, rows, first, count, group, out):  # type: ignore[no-untyped-def]
    """``out[i] = sum over r in rows[first : first + count] of weights[start + r stride + i]`` for i < ``lanes``.

    ``weights``: int8, flat; ``rows``: int32; ``out``: int16; ``lanes``: a multiple of ``LANES``; ``group``: how many rows
    an int8 holds the sum of, 127 // max|w|. The caller sees to it that the sums fit in int16.
    """
    _sum_rows(weights, start, stride, lanes, rows, first, count, group, out)
