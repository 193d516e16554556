"""Periphery of a 6T column: precharge, sense amplifier, write driver, wordline driver, and the column with all of them.

Widths are stated in nm at a gate length of 45 nm and scale with the technology. Ground is node 0.
"""

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.cell import Cell
from pyspice_cim.netlists.cells.bitcells import draw_6t, draw_off_rows, sram6t
from pyspice_cim.netlists.cells.gates import inverter, nfet, nm, nor2, pfet
from pyspice_cim.technology import Technology
from pyspice_cim.technology.bitcells import SRAM6T

# Rows up to which the smallest precharge and write transistors serve a bitline.
_ROWS_OF_UNIT_DRIVE = 64
# Columns that the smallest wordline driver serves; columns up to which one stage is enough.
_COLUMNS_OF_UNIT_DRIVE, _COLUMNS_OF_ONE_STAGE = 8, 16


def bitline_drive(rows: int) -> float:
    """Factor on the widths that charge and discharge a bitline of ``rows`` cells, for a constant time."""
    return max(1.0, rows / _ROWS_OF_UNIT_DRIVE)


def precharge(technology: Technology, rows: int) -> Cell:
    """Precharge of a bitline pair of ``rows`` cells: pulls ``bl`` and ``blb`` up and joins them while ``pcb`` is low."""
    drive = bitline_drive(rows)
    pull, join = 400 * drive, 270 * drive

    def build(c: SubCircuit) -> None:
        pfet(c, technology, "l", "bl", "pcb", "vdd", pull)
        pfet(c, technology, "r", "blb", "pcb", "vdd", pull)
        pfet(c, technology, "e", "bl", "pcb", "blb", join)

    ports = {"bl": "bitline", "blb": "bitline of the complement", "pcb": "precharge, active low", "vdd": "supply"}
    sizes = {"pull": nm(technology, pull), "join": nm(technology, join)}
    return Cell(name="precharge", ports=ports, sizes=sizes, build=build)


def sense_amplifier(technology: Technology, n: float = 270, p: float = 135) -> Cell:
    """Latch-type voltage sense amplifier, with a set-reset latch at its output.

    The amplifier follows the bitlines while ``isolate`` is low. It amplifies the bitline differential while ``sae`` is high.
    The amplifier is precharged with the bitlines, and a write isolates it, so that no write reaches the output. The output
    ``out`` holds the bit until the next read. The offset falls with the gate area of the amplifier's transistors: Pelgrom
    et al., "Matching properties of MOS transistors", IEEE J. Solid-State Circuits 24 (1989).

    Args:
        technology: technology of the devices.
        n, p: widths of the cross-coupled transistors in nm at 45 nm.
    """
    buffer, nor = inverter(technology), nor2(technology)

    def build(c: SubCircuit) -> None:
        for side, other, bitline in (("s", "t", "bl"), ("t", "s", "blb")):
            pfet(c, technology, f"a{side}", side, "isolate", bitline, 270)
            pfet(c, technology, f"c{side}", side, "pcb", "vdd", 135)
            pfet(c, technology, f"p{side}", side, other, "vdd", p)
            nfet(c, technology, f"n{side}", side, other, "foot", n)
        nfet(c, technology, "foot", "foot", "sae", "0", 2 * n)
        # Both sides rest high: set and reset rest low.
        c.X("one", "inv", "t", "set", "vdd")
        c.X("zero", "inv", "s", "reset", "vdd")
        c.X("q", "nor2", "reset", "outb", "out", "vdd")
        c.X("qb", "nor2", "set", "out", "outb", "vdd")

    ports = {
        "bl": "bitline",
        "blb": "bitline of the complement",
        "isolate": "cuts the latch off the bitlines",
        "pcb": "precharge, active low",
        "sae": "sense enable",
        "out": "bit of the last read",
        "outb": "its complement",
        "vdd": "supply",
    }
    sizes = {"n": nm(technology, n), "p": nm(technology, p)}
    return Cell(name="sense_amplifier", ports=ports, sizes=sizes, build=build, uses=(buffer, nor))


def bitline_writer(technology: Technology, rows: int) -> Cell:
    """Write driver: pulls ``bl`` (if ``d`` = 0) or ``blb`` (if ``d`` = 1) to ground while ``web`` is low.

    Args:
        technology: technology of the devices.
        rows: cells on a bitline; the drive grows with the rows (``bitline_drive``).
    """
    pull = 540 * bitline_drive(rows)
    invert, nor = inverter(technology), nor2(technology, name="write_nor", n=135, p=405)

    def build(c: SubCircuit) -> None:
        c.X("i", "inv", "d", "db", "vdd")
        c.X("g0", "write_nor", "d", "web", "zero", "vdd")
        c.X("g1", "write_nor", "db", "web", "one", "vdd")
        nfet(c, technology, "l", "bl", "zero", "0", pull)
        nfet(c, technology, "r", "blb", "one", "0", pull)

    ports = {
        "bl": "bitline",
        "blb": "bitline of the complement",
        "d": "bit to write",
        "web": "write enable, active low",
        "vdd": "supply",
    }
    return Cell(
        name="bitline_writer", ports=ports, sizes={"pull": nm(technology, pull)}, build=build, uses=(invert, nor)
    )


def wordline_driver(technology: Technology, columns: int) -> Cell:
    """Wordline driver of ``columns`` cells, of one inverter or three; its input is a row output of the decoder.

    The first stage has about one size for any number of columns. So the decoder's delay and energy do not depend on
    the number of columns.

    Args:
        technology: technology of the devices.
        columns: cells on the wordline.

    Raises:
        NetlistError: if there is no column.
    """
    if columns < 1:
        raise NetlistError(f"columns = {columns}: a wordline needs at least 1")
    last = 270 * max(1.0, columns / _COLUMNS_OF_UNIT_DRIVE)
    sizes = [last] if columns <= _COLUMNS_OF_ONE_STAGE else [180.0, (180.0 * last) ** 0.5, last]
    stages = [inverter(technology, f"wordline_stage{i}", n, 1.5 * n) for i, n in enumerate(sizes)]

    def build(c: SubCircuit) -> None:
        nodes = ["selb", *(f"x{i}" for i in range(1, len(stages))), "wl"]
        for i, stage in enumerate(stages):
            c.X(str(i), stage.name, nodes[i], nodes[i + 1], "vdd")

    return Cell(
        name="wordline_driver",
        ports={"selb": "row select, active low", "wl": "wordline", "vdd": "supply"},
        sizes={"last": nm(technology, last)},
        build=build,
        uses=tuple(stages),
    )


def column6t(technology: Technology, rows: int) -> Cell:
    """6T column of ``rows`` cells, one of them selected, with precharge, sense amplifier and write driver.

    The other rows are lumped into one off access transistor of multiplier ``rows - 1`` on each bitline. Its inner end is at
    ground, the largest leakage that the stored bits can cause. The wire of a bitline is ``rows`` times the height of a cell.

    Args:
        technology: technology of the devices, wires and 6T cell.
        rows: cells on a bitline.

    Raises:
        NetlistError: if there is no row.
    """
    if rows < 1:
        raise NetlistError(f"rows = {rows}: a column needs at least 1")
    wire = technology.wire.c_ff_per_um * 1e-15 * technology.cell_sizes(SRAM6T).height_um * rows
    cell = sram6t(technology)
    uses = (
        cell,
        precharge(technology, rows),
        sense_amplifier(technology),
        bitline_writer(technology, rows),
    )

    def build(c: SubCircuit) -> None:
        draw_6t(c, cell, "vcell")
        for side, bitline in (("l", "bl"), ("r", "blb")):
            c.C(f"wire{side}", bitline, "0", f"{wire:.6g}")
            draw_off_rows(
                c, technology, SRAM6T, name=f"off{side}", port=bitline, node=bitline, supply="vcell", rows=rows - 1
            )
        c.X("pre", "precharge", "bl", "blb", "pcb", "vpre")
        c.X("sense", "sense_amplifier", "bl", "blb", "isolate", "pcb", "sae", "out", "outb", "vsense")
        c.X("write", "bitline_writer", "bl", "blb", "d", "web", "vwrite")

    ports = {
        "wl": "wordline",
        "pcb": "precharge, active low",
        "isolate": "cuts the sense amplifier off the bitlines",
        "sae": "sense enable",
        "web": "write enable, active low",
        "d": "bit to write",
        "bl": "bitline",
        "blb": "bitline of the complement",
        "q": "stored bit",
        "qb": "its complement",
        "out": "bit of the last read",
        "outb": "its complement",
        "vcell": "supply of the cells",
        "vpre": "supply of the precharge",
        "vsense": "supply of the sense amplifier",
        "vwrite": "supply of the write driver",
    }
    return Cell(name="column6t", ports=ports, sizes={}, build=build, uses=uses)
