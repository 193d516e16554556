"""Pulses of an operation: the control line, the cycle, and the window of the cycle.

A cycle has two phases. Phase 1 precharges the read bitlines and writes the sum bit of the cycle before. Phase 2 reads the
next bit and adds it. An operation takes ``bits`` cycles, least significant bit first. Operations follow each other without
a gap. Half a cycle after the last operation finishes its last write.

Bit-serial operation of SRAM columns: Eckert et al., "Neural Cache: bit-serial in-cache acceleration of deep neural
networks", ISCA 2018.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pyspice_cim.microcode.operations import Operation


class Window(Enum):
    """Part of a cycle in which a control line is active. ``netlists.waves.Timing`` states the times of each window."""

    PHASE1 = "phase1"
    PRECHARGE = "precharge"
    WRITE = "write"
    RESET = "reset"
    PHASE2 = "phase2"
    READ = "read"
    SUM = "sum"
    OPERATION = "operation"


@dataclass(frozen=True, order=True)
class Pulse:
    """One pulse of a control line.

    Attributes:
        line: control line.
        cycle: number of the cycle, from 0.
        window: window of the cycle; ``OPERATION`` lasts from this cycle for a whole operation.
    """

    line: str
    cycle: int
    window: Window


# Control lines of every column; the complement of a line ends in ``b`` and is active low.
CLOCK_LINES = ("ph1", "ph1b", "ph2", "ph2b", "phq", "phqb", "pcb", "rst", "fc", "fcb")
MASK_LINES = ("za", "zb")
CONSTANT_LINES = ("dc0", "dc1")
ACTIVE_LOW = frozenset({"ph1b", "ph2b", "phqb", "pcb", "fcb"})


def weight_line(row: int) -> str:
    """Read wordline of weight row ``row`` (row = input * weight bits + bit)."""
    return f"rww{row}"


def segment_line(segment: int) -> str:
    """Precharge line of weight segment ``segment``, active low."""
    return f"pcs{segment}"


def line_kind(line: str) -> str:
    """Kind of a control line: ``rwv`` for ``rwv3``. All control lines of a kind have one energy."""
    return line.rstrip("0123456789") if line.startswith(("rwv", "wwv", "rww", "pcs")) else line


def schedule(program: Sequence[Operation], *, bits: int, weight_bits: int, rows: int) -> list[Pulse]:
    """All pulses of ``program``.

    Args:
        program: operations in the order in which they run.
        bits: ``P``, bits of a column's word and cycles of one operation.
        weight_bits: bits of a weight; cycles beyond them read the sign row again (sign extension).
        rows: rows of a weight segment, which tell the segment of each weight row.

    Returns:
        Pulses, without order.
    """
    pulses: list[Pulse] = []
    segment_cycles: set[tuple[int, int]] = set()
    cycles = bits * len(program)
    for cycle in range(cycles + 1):
        index, bit = divmod(cycle, bits)
        pulses += [Pulse("ph1", cycle, Window.PHASE1), Pulse("ph1b", cycle, Window.PHASE1)]
        pulses.append(Pulse("pcb", cycle, Window.PRECHARGE))
        if bit == 0:
            # The carry master is reset before each operation, and once more after the last operation.
            pulses.append(Pulse("rst", cycle, Window.RESET))
        if cycle > 0:
            before, written = divmod(cycle - 1, bits)
            pulses.append(Pulse(f"wwv{written}", cycle, Window.WRITE))
            if written == bits - 1 and program[before].capture:
                pulses += [Pulse("fc", cycle, Window.RESET), Pulse("fcb", cycle, Window.RESET)]
        if cycle == cycles:
            break
        operation = program[index]
        for line in ("ph2", "ph2b"):
            pulses.append(Pulse(line, cycle, Window.PHASE2))
        for line in ("phq", "phqb"):
            pulses.append(Pulse(line, cycle, Window.SUM))
        pulses.append(Pulse(f"rwv{bit}", cycle, Window.READ))
        if operation.weight is not None:
            row = operation.weight * weight_bits + min(bit, weight_bits - 1)
            pulses.append(Pulse(weight_line(row), cycle, Window.READ))
            # Precharge before and after the read: a discharged segment holds the global read line low.
            segment_cycles |= {(row // rows, cycle), (row // rows, cycle + 1)}
        for line, constant in (("dc0", operation.k0), ("dc1", operation.k1)):
            if constant >> bit & 1:
                pulses.append(Pulse(line, cycle, Window.READ))
        if bit == 0:
            for line, active in (("za", operation.za), ("zb", operation.zb)):
                if active:
                    pulses.append(Pulse(line, cycle, Window.OPERATION))
    pulses += [Pulse(segment_line(segment), cycle, Window.PRECHARGE) for segment, cycle in sorted(segment_cycles)]
    return pulses


def line_pulses(operation: Operation, *, bits: int) -> Counter[str]:
    """Pulses of each kind of control line in one operation. The place of the operation in a program does not matter.

    Args:
        operation: the operation.
        bits: ``P``, bits of a column's word.
    """
    mask = (1 << bits) - 1
    counts: Counter[str] = Counter()
    for line in ("ph1", "ph1b", "ph2", "ph2b", "phq", "phqb", "pcb", "rwv", "wwv"):
        counts[line] = bits
    counts["rst"] = 1
    counts["fc"] = counts["fcb"] = int(operation.capture)
    counts["za"], counts["zb"] = int(operation.za), int(operation.zb)
    if operation.weight is None:
        counts["dc0"] = (operation.k0 & mask).bit_count()
        counts["dc1"] = (operation.k1 & mask).bit_count()
    else:
        counts["rww"] = bits
        # One more precharge follows the last read of the segment.
        counts["pcs"] = bits + 1
    return counts
