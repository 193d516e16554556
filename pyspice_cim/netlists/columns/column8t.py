"""One port of an 8T column at a time, for the cell's benches: read bitline with sensing, write bitlines with drivers.

The other rows are lumped into off devices of multiplier ``rows - 1``. Widths in nm at 45 nm, as in the column slice.
"""

from collections.abc import Callable

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.cell import Cell, mosfet
from pyspice_cim.netlists.cells.bitcells import sram8t
from pyspice_cim.netlists.cells.gates import inverter, nm, sense_inverter
from pyspice_cim.netlists.cells.periphery6t import bitline_drive
from pyspice_cim.technology import Technology


def _checked(rows: int) -> int:
    if rows < 1:
        raise NetlistError(f"rows = {rows}: a column needs at least 1")
    return rows


def _wire(technology: Technology, rows: int) -> str:
    return f"{technology.wire.c_ff_per_um * 1e-15 * technology.cell_8t.height_um * rows:.6g}"


def _off(technology: Technology, rows: int) -> Callable[[SubCircuit, str, tuple[str, str, str, str], float], None]:
    def draw(c: SubCircuit, name: str, terminals: tuple[str, str, str, str], width: float) -> None:
        if rows > 1:
            mosfet(c, name, terminals, technology=technology, device="nmos", width=width, multiplier=rows - 1)

    return draw


def read_column8t(technology: Technology, rows: int) -> Cell:
    """Read bitline of ``rows`` cells with precharge, keeper, sense inverter; the other rows hold a 1 (largest leakage).

    Raises:
        NetlistError: if there is no row.
    """
    pull = 400 * bitline_drive(_checked(rows))
    cell, sense = sram8t(technology), sense_inverter(technology)
    off = _off(technology, rows)

    def build(c: SubCircuit) -> None:
        # Both write bitlines rest at the supply: the write port is closed and costs only its leakage.
        c.X("cell", "sram8t", "vcell", "vcell", "0", "rbl", "rwl", "q", "qb", "vcell")
        c.C("wire", "rbl", "0", _wire(technology, rows))
        off(c, "offa", ("rbl", "0", "idle", "0"), cell.sizes["read"])
        off(c, "offd", ("idle", "vcell", "0", "0"), cell.sizes["read"])
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
    return Cell(
        name="read_column8t", ports=ports, sizes={"pull": nm(technology, pull)}, build=build, uses=(cell, sense)
    )


def write_column8t(technology: Technology, rows: int) -> Cell:
    """Write bitlines of ``rows`` cells with static drivers: ``wbl`` = not ``db``, ``wblb`` = not ``d``.

    Raises:
        NetlistError: if there is no row.
    """
    strength = bitline_drive(_checked(rows))
    cell, drive = sram8t(technology), inverter(technology, "bitline_driver", 270 * strength, 405 * strength)
    off = _off(technology, rows)

    def build(c: SubCircuit) -> None:
        # The read bitline rests at the supply.
        c.X("cell", "sram8t", "wbl", "wblb", "wwl", "vcell", "0", "q", "qb", "vcell")
        for name, data, bitline in (("t", "db", "wbl"), ("c", "d", "wblb")):
            c.X(f"drive{name}", drive.name, data, bitline, "vdrive")
            c.C(f"wire{name}", bitline, "0", _wire(technology, rows))
            # Half of the rows would hold each bit: inner nodes at ground leak most.
            off(c, f"off{name}", (bitline, "0", "0", "0"), cell.sizes["access"])

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
    return Cell(name="write_column8t", ports=ports, sizes=dict(drive.sizes), build=build, uses=(cell, drive))
