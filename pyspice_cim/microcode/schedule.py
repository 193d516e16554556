"""On which control line an operation pulses, in which cycle and in which window of the cycle.

A cycle has two phases. In phase 1 the read bitlines are precharged and the bit of the cycle before is written; in phase 2
the next bit is read and added. An operation takes ``bits`` cycles, least significant bit first; operations follow each
other without a gap, and half a cycle more drains the last write.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pyspice_cim.microcode.operations import Operation


class Window(Enum):
    """Part of a cycle in which a line is active; ``netlists.waves`` gives each its times."""

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
    """Line ``line`` is active in ``window`` of cycle ``cycle`` (for ``OPERATION``: from there for a whole operation)."""

    line: str
    cycle: int
    window: Window


# Lines of every column, each with its complement where the slice needs it (``b``: active low).
CLOCK_LINES = ("ph1", "ph1b", "ph2", "ph2b", "phq", "phqb", "pcb", "rst", "fc", "fcb")
MASK_LINES = ("za", "zb")
CONSTANT_LINES = ("dc0", "dc1")
ACTIVE_LOW = frozenset({"ph1b", "ph2b", "phqb", "pcb", "fcb"})


def weight_line(row: int) -> str:
    """Read wordline of weight row ``row`` (input times weight bits plus bit)."""
    return f"rww{row}"


def segment_line(segment: int) -> str:
    """Precharge line (active low) of weight segment ``segment``."""
    return f"pcs{segment}"


def line_kind(line: str) -> str:
    """The kind of a line, for energies that all lines of a kind share: ``rwv3`` is ``rwv``."""
    return line.rstrip("0123456789") if line.startswith(("rwv", "wwv", "rww", "pcs")) else line


def schedule(program: Sequence[Operation], *, bits: int, weight_bits: int, rows: int) -> list[Pulse]:
    """All pulses of ``program``.

    Args:
        bits: ``P``, cycles of one operation.
        weight_bits: bits of a weight; for higher cycles its sign row is read again.
        rows: rows of a weight segment, to know which segment's bitline must be precharged.
    """
    pulses: list[Pulse] = []
    segment_cycles: set[tuple[int, int]] = set()
    cycles = bits * len(program)
    for cycle in range(cycles + 1):
        index, bit = divmod(cycle, bits)
        pulses += [Pulse("ph1", cycle, Window.PHASE1), Pulse("ph1b", cycle, Window.PHASE1)]
        pulses.append(Pulse("pcb", cycle, Window.PRECHARGE))
        if bit == 0:
            # The carry is reset inside the master before an operation, and once more after the last one.
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
            # Before the read, and after it: a discharged segment would hold the global read line low.
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
    """Pulses per kind of line that one operation costs, wherever it stands in a program."""
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
        # The segment is precharged once more after its last read.
        counts["pcs"] = bits + 1
    return counts
