"""One port of a bit cell at a time, for the cell's benches: read bitline with sensing, write bitlines with drivers.

The cell has a read port of its own. The other rows are lumped into off transistors of multiplier ``rows - 1``. Widths
are stated in nm at a gate length of 45 nm, as in the column slice.
"""

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.cell import Cell, mosfet
from pyspice_cim.netlists.cells.bitcells import bit_cell, draw_off_read_paths, draw_off_rows
from pyspice_cim.netlists.cells.gates import inverter, nm, sense_inverter
from pyspice_cim.netlists.cells.periphery6t import bitline_drive
from pyspice_cim.technology import Technology
from pyspice_cim.technology.bitcells import GROUND, SRAM8T, BitCell


def _check(kind: BitCell, rows: int) -> None:
    if not kind.decoupled:
        raise NetlistError(f"bit cell {kind.name} has no read port of its own; choose a cell that has one")
    if rows < 1:
        raise NetlistError(f"rows = {rows}: a column needs at least 1")


def _wire(technology: Technology, kind: BitCell, rows: int) -> str:
    """Capacitance of a bitline along ``rows`` cells, F."""
    return f"{technology.wire.c_ff_per_um * 1e-15 * technology.cell_sizes(kind).height_um * rows:.6g}"


def read_column(technology: Technology, rows: int, kind: BitCell = SRAM8T) -> Cell:
    """Read bitline of ``rows`` cells with precharge, keeper, sense inverter; the other rows hold a 1 (largest leakage).

    Args:
        technology: technology that holds the sizes.
        rows: cells on the bitline; one of them is selected.
        kind: the bit cell.

    Raises:
        NetlistError: if there is no row, or if the cell has no read port of its own.
    """
    _check(kind, rows)
    pull = 400 * bitline_drive(rows)
    cell, sense = bit_cell(technology, kind), sense_inverter(technology)

    def build(c: SubCircuit) -> None:
        # Both write bitlines rest at the supply: the write port is closed and costs only its leakage.
        nodes = kind.connected(
            write_bitlines=("vcell", "vcell"),
            write_wordline=GROUND,
            read_bitline="rbl",
            read_wordline="rwl",
            bit="q",
            complement="qb",
            supply="vcell",
        )
        c.X("cell", cell.name, *nodes)
        c.C("wire", "rbl", "0", _wire(technology, kind, rows))
        draw_off_read_paths(c, technology, kind, node="rbl", supply="vcell", rows=rows - 1)
        c.X("sense", "sinv", "rbl", "out", "vpre")
        for name, gate, width, length in (("pre", "pcb", pull, 45), ("keep", "out", 60, 180)):
            mosfet(
                c,
                name,
                ("rbl", gate, "vpre", "vpre"),
                technology=technology,
                device="pmos",
                width=nm(technology, width),
                length=nm(technology, length),
            )

    ports = {
        "rwl": "read wordline",
        "pcb": "precharge, active low",
        "rbl": "read bitline",
        "out": "sense inverter: the bit read",
        "q": "stored bit",
        "qb": "its complement",
        "vcell": "supply of the cell",
        "vpre": "supply of precharge, keeper and sense inverter",
    }
    name = f"read_column{kind.label.lower()}"
    return Cell(name=name, ports=ports, sizes={"pull": nm(technology, pull)}, build=build, uses=(cell, sense))


def write_column(technology: Technology, rows: int, kind: BitCell = SRAM8T) -> Cell:
    """Write bitlines of ``rows`` cells with static drivers: ``wbl`` = not ``db``, ``wblb`` = not ``d``.

    Args:
        technology: technology that holds the sizes.
        rows: cells on the bitlines; one of them is selected.
        kind: the bit cell.

    Raises:
        NetlistError: if there is no row, or if the cell has no read port of its own.
    """
    _check(kind, rows)
    strength = bitline_drive(rows)
    cell, drive = bit_cell(technology, kind), inverter(technology, "bitline_driver", 270 * strength, 405 * strength)

    def build(c: SubCircuit) -> None:
        # The read bitline rests at the supply.
        nodes = kind.connected(
            write_bitlines=("wbl", "wblb"),
            write_wordline="wwl",
            read_bitline="vcell",
            read_wordline=GROUND,
            bit="q",
            complement="qb",
            supply="vcell",
        )
        c.X("cell", cell.name, *nodes)
        lines = (("t", "db", "wbl"), ("c", "d", "wblb"))
        for (name, data, bitline), port in zip(lines, kind.roles.write_bitlines, strict=True):
            c.X(f"drive{name}", drive.name, data, bitline, "vdrive")
            c.C(f"wire{name}", bitline, "0", _wire(technology, kind, rows))
            # Half of the rows would hold each bit; an inner node at ground leaks most.
            draw_off_rows(
                c, technology, kind, name=f"off{name}", port=port, node=bitline, supply="vcell", rows=rows - 1
            )

    ports = {
        "d": "bit to write",
        "db": "its complement",
        "wwl": "write wordline",
        "wbl": "write bitline",
        "wblb": "write bitline of the complement",
        "q": "stored bit",
        "qb": "its complement",
        "vcell": "supply of the cell",
        "vdrive": "supply of the write drivers",
    }
    name = f"write_column{kind.label.lower()}"
    return Cell(name=name, ports=ports, sizes=dict(drive.sizes), build=build, uses=(cell, drive))
