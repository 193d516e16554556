"""The column slice: what stands below every column and adds one bit per cycle.

``x = v xor o``, ``sum = x xor c``, ``carry = x ? c : o``, where ``v`` is the membrane read bitline behind its mask and
``o`` the global read line. Transmission gates choose; every chain of them is restored by an inverter, because unrestored chains
stall at mid-rail. 76 transistors.
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
    """Width of the global read line's precharge transistor, nm at 45 nm: grows with the line's length."""
    return 400.0 * (1 + segments / 4)


def line_pull_down_width(segments: int) -> float:
    """Width of what pulls the global read line low (a segment's merge, the constants), nm at 45 nm."""
    return 270.0 * (1 + segments / 16)


def column_slice(technology: Technology, *, segments: int = 1) -> Cell:
    """The slice for a global read line with ``segments`` weight segments on it."""
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
        # Broadcast constant: each column takes the bit that its flag chooses.
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
        # Sum latch (late, which keeps glitches off the write bitlines), write drivers, flag.
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
    """Sense of one of ``segments`` weight segments and its merge into the global read line: 5 transistors.

    The segment's bitline falls where the weight bit is 1; the inverter then pulls the global read line low.
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
    """Narrowest p transistor of the technology, in nm at 45 nm."""
    return technology.device("pmos").w_um[0] * 1e3 / technology.scale
