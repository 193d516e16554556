"""The column slice: the bit-serial ALU below every column, which adds one bit per cycle.

    x     = v xor o
    sum   = x xor c
    carry = x ? c : o

    v   bit of the word: membrane read bitline behind the mask
    o   bit of the operand: global read line
    c   carry of the cycle before

The slice has 76 transistors. Transmission gates choose between signals. An inverter restores every chain of transmission
gates, because a chain without an inverter stalls at mid-rail. Bit-serial addition below SRAM columns: Eckert et al.,
"Neural Cache: bit-serial in-cache acceleration of deep neural networks", ISCA 2018.
"""

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.netlists.cell import Cell
from pyspice_cim.netlists.cells.gates import (
    inverter,
    latch,
    nfet,
    nm,
    pfet,
    sense_inverter,
    sense_nor,
    transmission_gate,
    wide_transmission_gate,
    write_driver,
)
from pyspice_cim.technology import Technology

SLICE_PORTS = {
    "rv": "read bitline of the membrane segment",
    "rw": "global read line: weights and constants",
    "wbl": "write bitline",
    "wblb": "write bitline, inverted",
    "za": "mask of columns with FS = 1",
    "zb": "mask of columns with FS = 0",
    "dc0": "constant bit for columns with FS = 0",
    "dc1": "constant bit for columns with FS = 1",
    "ph1": "phase 1 clock: carry slave",
    "ph1b": "its complement",
    "ph2": "phase 2 clock: carry master",
    "ph2b": "its complement",
    "phq": "sum latch clock, late in phase 2",
    "phqb": "its complement",
    "pcb": "precharge, active low",
    "rst": "carry reset",
    "fc": "flag capture",
    "fcb": "its complement",
    "fs": "flag FS",
    "fsb": "its complement",
    "vdd": "supply of the logic",
    "vp": "supply of the precharge transistors",
    "vw": "supply of the write drivers",
}


def global_precharge_width(segments: int) -> float:
    """Width of the precharge transistor of a global read line with ``segments`` segments, in nm at 45 nm."""
    return 400.0 * (1 + segments / 4)


def line_pull_down_width(segments: int) -> float:
    """Width of the transistors that pull a global read line with ``segments`` segments low, in nm at 45 nm.

    These are the merge transistors of the segments and the transistors of the broadcast constants.
    """
    return 270.0 * (1 + segments / 16)


def column_slice(technology: Technology, *, segments: int = 1) -> Cell:
    """The slice of a column with ``segments`` weight segments on its global read line.

    Args:
        technology: technology of the devices.
        segments: weight segments, which size the precharge and the constants of the global read line.
    """
    cells = (
        inverter(technology),
        sense_inverter(technology),
        sense_nor(technology),
        write_driver(technology),
        transmission_gate(technology),
        wide_transmission_gate(technology),
        latch(technology),
        latch(technology, resettable=True),
    )
    keeper, keeper_length = max(60.0, _least_width(technology)), 180.0
    precharge, line_precharge = 400.0, global_precharge_width(segments)
    constant = line_pull_down_width(segments)

    def build(c: SubCircuit) -> None:
        t = technology
        # Dynamic lines: precharge, and a weak keeper that the sense output turns off when the line falls.
        pfet(c, t, "pv", "rv", "pcb", "vp", precharge)
        pfet(c, t, "kv", "rv", "m", "vdd", keeper, keeper_length)
        pfet(c, t, "pw", "rw", "pcb", "vp", line_precharge)
        pfet(c, t, "kw", "rw", "o", "vdd", keeper, keeper_length)
        # Broadcast constants: the flag of the column chooses between the bits of two constants.
        nfet(c, t, "c1a", "rw", "dc1", "n1", constant)
        nfet(c, t, "c1b", "n1", "fs", "0", constant)
        nfet(c, t, "c0a", "rw", "dc0", "n0", constant)
        nfet(c, t, "c0b", "n0", "fsb", "0", constant)
        # Mask: zg = FS ? za : zb.
        c.X("z1", "tg", "za", "zg", "fs", "fsb", "vdd")
        c.X("z0", "tg", "zb", "zg", "fsb", "fs", "vdd")
        # Sense: m = v and not masked, o = operand bit.
        c.X("nor", "snor", "rv", "zg", "m", "vdd")
        c.X("im", "sinv", "m", "mb", "vdd")
        c.X("io", "sinv", "rw", "o", "vdd")
        c.X("iob", "inv", "o", "ob", "vdd")
        # x = m xor o.
        c.X("x0", "tgf", "m", "x", "ob", "o", "vdd")
        c.X("x1", "tgf", "mb", "x", "o", "ob", "vdd")
        c.X("ix", "sinv", "x", "xb", "vdd")
        c.X("ixx", "inv", "xb", "xx", "vdd")
        # sum = x xor c, carry = x ? c : o.
        c.X("s0", "tg", "xx", "sm", "cib", "ci", "vdd")
        c.X("s1", "tg", "xb", "sm", "ci", "cib", "vdd")
        c.X("c1", "tg", "ci", "co", "xx", "xb", "vdd")
        c.X("c0", "tg", "o", "co", "xb", "xx", "vdd")
        # Carry: master in phase 2 (reset inside), slave in phase 1.
        c.X("lm", "latr", "co", "cm", "cmb", "ph2", "ph2b", "rst", "vdd")
        c.X("ls", "lat", "cm", "ci", "cib", "ph1", "ph1b", "vdd")
        # The sum latch opens late, so that glitches do not reach the write bitlines. Write drivers and flag follow.
        c.X("lq", "lat", "sm", "ql", "qlb", "phq", "phqb", "vdd")
        c.X("w1", "drv", "qlb", "wbl", "vw")
        c.X("w2", "drv", "ql", "wblb", "vw")
        c.X("lf", "lat", "ql", "fs", "fsb", "fc", "fcb", "vdd")

    sizes = {
        "precharge": nm(technology, precharge),
        "line_precharge": nm(technology, line_precharge),
        "keeper": nm(technology, keeper),
        "constant": nm(technology, constant),
    }
    return Cell(name="slice", ports=SLICE_PORTS, sizes=sizes, build=build, uses=cells)


def weight_segment(technology: Technology, *, segments: int = 1) -> Cell:
    """Sense inverter of one weight segment and its merge transistor on the global read line: 5 transistors.

    The bitline of the segment falls if the weight bit is 1. The merge transistor then pulls the global read line low.

    Args:
        technology: technology of the devices.
        segments: weight segments on the global read line, which size the merge transistor.
    """
    keeper, merge = max(60.0, _least_width(technology)), line_pull_down_width(segments)

    def build(c: SubCircuit) -> None:
        pfet(c, technology, "p", "rbl", "pcs", "vp", 400)
        pfet(c, technology, "k", "rbl", "a", "vdd", keeper, 180)
        c.X("i", "sinv", "rbl", "a", "vdd")
        nfet(c, technology, "m", "rw", "a", "0", merge)

    ports = {
        "rbl": "read bitline of the segment",
        "rw": "global read line",
        "pcs": "precharge of the segment, active low",
        "vdd": "supply of the logic",
        "vp": "supply of the precharge transistors",
    }
    sizes = {"precharge": nm(technology, 400), "merge": nm(technology, merge)}
    return Cell(name="segment", ports=ports, sizes=sizes, build=build, uses=(sense_inverter(technology),))


def _least_width(technology: Technology) -> float:
    """Width of the narrowest p transistor of the technology, in nm at 45 nm."""
    return technology.device("pmos").w_um[0] * 1e3 / technology.scale
