"""Operations that Numba cannot express, as LLVM code: bits of spikes, and sums of rows of a weight matrix.

``spike_word``   64 bytes of spikes as the bits of one word
``lowest_bit``   index of the lowest 1 of a word, or 64 for a word of 0 (count trailing zeros)
``ones``         number of 1s of a word (population count)
``copy_block``   copy of 64 bytes of spikes, with a check of their values
``add_row``      addition of one row of weights to sums
``sum_rows``     sum of chosen rows of an int8 matrix, with the sums in vector registers

No function checks its arguments. The caller must provide arrays of the stated sizes.
"""

from dataclasses import dataclass
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_BIT, _BYTE, _HALF, _WORD = (ir.IntType(bits) for bits in (1, 8, 16, 64))
# Widths of blocks of columns whose sums stay in registers over all rows. With 256-bit vectors, 128 columns take
# 4 registers as int8 and 8 registers as int16, of 16 registers.
_BLOCKS = (128, 64, 32, 16)
# Fewest rows for which addition in int8 is faster. An int8 must also hold the sum of this many rows.
_WORTH = 3


@intrinsic
def lowest_bit(typing: Any, word: Any) -> Any:
    """Index of the lowest 1 of an int64, or 64 for 0 (LLVM's count of trailing zeros, ``cttz``)."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(_BIT, 0))

    return types.int64(types.int64), code


@intrinsic
def ones(typing: Any, word: Any) -> Any:
    """Number of 1s of an int64 (LLVM's population count, ``ctpop``)."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), code


@intrinsic
def spike_word(typing: Any, spikes: Any, start: Any) -> Any:
    """An int64 whose bit i is ``spikes[start + i] != 0``.

    Args:
        spikes: uint8, contiguous. 64 entries from ``start`` on are read.
        start: int64.
    """
    vector = ir.VectorType(_BYTE, 64)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.gep(_data(context, builder, signature, arguments, 0), [arguments[1]])
        loaded = builder.load(builder.bitcast(pointer, vector.as_pointer()), align=1)
        return builder.bitcast(builder.icmp_unsigned("!=", loaded, ir.Constant(vector, None)), _WORD)

    return types.int64(spikes, types.int64), code


@intrinsic
def copy_block(typing: Any, source: Any, start: Any, target: Any, to: Any) -> Any:
    """Copy 64 bytes from ``source[start:]`` to ``target[to:]``, both uint8.

    Returns:
        An int64 whose bit i says whether byte i is above 1.
    """
    vector = ir.VectorType(_BYTE, 64)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointers = [
            builder.bitcast(
                builder.gep(_data(context, builder, signature, arguments, array), [arguments[array + 1]]),
                vector.as_pointer(),
            )
            for array in (0, 2)
        ]
        block = builder.load(pointers[0], align=1)
        builder.store(block, pointers[1], align=1)
        return builder.bitcast(builder.icmp_unsigned(">", block, ir.Constant(vector, [1] * 64)), _WORD)

    return types.int64(source, types.int64, target, types.int64), code


@intrinsic
def add_row(typing: Any, weights: Any, start: Any, lanes: Any, out: Any, at: Any) -> Any:
    """Add ``weights[start + i]`` to ``out[at + i]`` for i < ``lanes``. Types and ``lanes`` are as for ``sum_rows``."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, start, lanes, _, at = arguments
        bits = signature.args[3].dtype.bitwidth
        narrow, wide = ir.VectorType(_BYTE, 16), ir.VectorType(ir.IntType(bits), 16)
        weights, out = (
            builder.gep(_data(context, builder, signature, arguments, array), [offset])
            for array, offset in ((0, start), (3, at))
        )
        with cgutils.for_range(builder, builder.sdiv(lanes, _WORD(16))) as loop:
            place = [builder.mul(loop.index, _WORD(16))]
            row = builder.load(builder.bitcast(builder.gep(weights, place), narrow.as_pointer()), align=1)
            pointer = builder.bitcast(builder.gep(out, place), wide.as_pointer())
            total = builder.add(builder.load(pointer, align=1), builder.sext(row, wide))
            builder.store(total, pointer, align=1)
        return context.get_dummy_value()

    return types.void(weights, types.int64, types.int64, out, types.int64), code


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
    at: Any,
    add: Any,
) -> Any:
    i64 = types.int64
    signature = types.void(weights, i64, i64, i64, rows, i64, i64, i64, out, i64, types.boolean)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, start, stride, lanes, _, first, count, group, _, at, add = arguments
        weights, rows, out = (
            builder.gep(_data(context, builder, signature, arguments, array), [offset])
            for array, offset in ((0, start), (4, first), (8, at))
        )
        function = _sum_rows_function(builder.module, signature.args[8].dtype.bitwidth)
        builder.call(function, [weights, stride, lanes, rows, count, group, out, builder.trunc(add, _BIT)])
        return context.get_dummy_value()

    return signature, code


def _sum_rows_function(module: Any, bits: int) -> Any:
    """The code of ``sum_rows`` as a separate LLVM function.

    Inlined code at each call would take seconds more to compile.
    """
    name = f"pyspice_cim_sum_rows_{bits}"
    if name in module.globals:
        return module.globals[name]
    pointers = [ir.IntType(width).as_pointer() for width in (8, 32, bits)]
    parameters = [pointers[0], _WORD, _WORD, pointers[1], _WORD, _WORD, pointers[2], _BIT]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), parameters), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    weights, stride, lanes, rows, count, group, out, add = function.args
    sums = _Sums(builder, weights, stride, rows, count, group, out, add)
    whole, *parts = _BLOCKS
    blocks = builder.sdiv(lanes, _WORD(whole))
    short = builder.or_(builder.icmp_signed("<", group, _WORD(_WORTH)), builder.icmp_signed("<", count, _WORD(_WORTH)))
    with builder.if_else(short) as (few, many):
        for case, block in ((few, sums.widened), (many, sums.grouped)):
            with case:
                with cgutils.for_range(builder, blocks) as loop:
                    block(whole, builder.mul(loop.index, _WORD(whole)))
                for width in parts:
                    # The bits of ``lanes`` say which smaller blocks remain, from the widest block to the narrowest.
                    with builder.if_then(builder.trunc(builder.lshr(lanes, _WORD(width.bit_length() - 1)), _BIT)):
                        block(width, builder.and_(lanes, _WORD(-2 * width)))
    builder.ret_void()
    return function


@dataclass(frozen=True)
class _Sums:
    """Builder of the code that sums one block of columns, from column ``at`` on.

    The attributes are LLVM values with the names of the arguments of ``sum_rows``.
    """

    builder: Any
    weights: Any
    stride: Any
    rows: Any
    count: Any
    group: Any
    out: Any
    add: Any

    def grouped(self, width: int, at: Any) -> None:
        """Add ``group`` rows at a time in int8, then widen each partial sum to int16."""
        builder, group = self.builder, self.group
        bytes_, halves = ir.VectorType(_BYTE, width), ir.VectorType(_HALF, width)
        total = cgutils.alloca_once_value(builder, ir.Constant(halves, None))
        groups = builder.sdiv(builder.add(self.count, builder.sub(group, _WORD(1))), group)
        with cgutils.for_range(builder, groups) as outer:
            first = builder.mul(outer.index, group)
            left = builder.sub(self.count, first)
            part = cgutils.alloca_once_value(builder, ir.Constant(bytes_, None))
            size = builder.select(builder.icmp_signed("<", left, group), left, group)
            with cgutils.for_range(builder, size) as inner:
                row = self._row(bytes_, at, builder.add(first, inner.index))
                builder.store(builder.add(builder.load(part), row), part)
            builder.store(builder.add(builder.load(total), builder.sext(builder.load(part), halves)), total)
        self._write(width, at, builder.load(total))

    def widened(self, width: int, at: Any) -> None:
        """Widen each row to int16 before the addition, for weights so large that int8 holds the sum of few rows."""
        builder = self.builder
        bytes_, halves = ir.VectorType(_BYTE, width), ir.VectorType(_HALF, width)
        total = cgutils.alloca_once_value(builder, ir.Constant(halves, None))
        with cgutils.for_range(builder, self.count) as loop:
            row = builder.sext(self._row(bytes_, at, loop.index), halves)
            builder.store(builder.add(builder.load(total), row), total)
        self._write(width, at, builder.load(total))

    def _row(self, vector: Any, at: Any, index: Any) -> Any:
        builder = self.builder
        row = builder.sext(builder.load(builder.gep(self.rows, [index])), _WORD)
        pointer = builder.gep(self.weights, [builder.add(at, builder.mul(row, self.stride))])
        return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=1)

    def _write(self, width: int, at: Any, total: Any) -> None:
        builder = self.builder
        vector = ir.VectorType(self.out.type.pointee, width)
        pointer = builder.bitcast(builder.gep(self.out, [at]), vector.as_pointer())
        if vector.element.width > _HALF.width:
            total = builder.sext(total, vector)
        before = cgutils.alloca_once_value(builder, ir.Constant(vector, None))
        with builder.if_then(self.add):
            builder.store(builder.load(pointer, align=1), before)
        builder.store(builder.add(builder.load(before), total), pointer, align=1)


def _data(context: Any, builder: Any, signature: Any, arguments: Any, at: int) -> Any:
    return context.make_array(signature.args[at])(context, builder, arguments[at]).data


@numba.njit(nogil=True, cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[untyped-decorator]
def sum_rows(weights, start, stride, lanes, rows, first, count, group, out, at, add):  # type: ignore[no-untyped-def]
    """Sum chosen rows of a weight matrix.

        out[at + i] = sum over r in rows[first:first + count] of weights[start + r stride + i]

    The caller must ensure that the sum of these rows fits in int16.

    Args:
        weights: int8, flat.
        start, stride: offset of row 0 and distance between rows.
        lanes: number of columns i, a multiple of 16.
        rows: int32, row numbers.
        first, count: range in ``rows``.
        group: number of rows whose sum always fits in int8, 127 // max|w|.
        out: int16 or int32.
        at: first place in ``out``.
        add: whether to add the sums to the present content of ``out``.
    """
    _sum_rows(weights, start, stride, lanes, rows, first, count, group, out, at, add)
