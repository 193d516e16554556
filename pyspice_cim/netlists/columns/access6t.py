"""The 6T column that Monte Carlo runs sample: a cell, bitlines, precharge and write transistors, without logic.

The mismatch of an access lies in the cell and in the transistors on the bitlines. The gates that drive the control lines
are therefore left out. One sample has 11 transistors and two lumps of off rows, in place of 52 transistors. Ground is
node 0.
"""

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.cell import Cell
from pyspice_cim.netlists.cells.bitcells import draw_6t, draw_off_rows, sram6t
from pyspice_cim.netlists.cells.gates import nfet, nm
from pyspice_cim.netlists.cells.periphery6t import bitline_drive, precharge
from pyspice_cim.technology import Technology
from pyspice_cim.technology.bitcells import SRAM6T


def access_column6t(technology: Technology, rows: int) -> Cell:
    """6T column of ``rows`` cells, one of them selected; sizes, wires and off rows as in ``column6t``.

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
    pull = 540 * bitline_drive(rows)

    def build(c: SubCircuit) -> None:
        draw_6t(c, cell, "vdd")
        c.X("pre", "precharge", "bl", "blb", "pcb", "vdd")
        for side, bitline in (("l", "bl"), ("r", "blb")):
            nfet(c, technology, f"write{side}", bitline, f"pull_{bitline}", "0", pull)
            c.C(f"wire{side}", bitline, "0", f"{wire:.6g}")
            draw_off_rows(
                c, technology, SRAM6T, name=f"off{side}", port=bitline, node=bitline, supply="vdd", rows=rows - 1
            )

    ports = {
        "wl": "wordline",
        "pcb": "precharge, active low",
        "pull_bl": "pulls bl to ground: writes a 0",
        "pull_blb": "pulls blb to ground: writes a 1",
        "bl": "bitline",
        "blb": "bitline of the complement",
        "q": "stored bit",
        "qb": "its complement",
        "vdd": "supply of all",
    }
    uses = (cell, precharge(technology, rows))
    return Cell(name="access_column6t", ports=ports, sizes={"pull": nm(technology, pull)}, build=build, uses=uses)
