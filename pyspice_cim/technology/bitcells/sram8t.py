"""The 8T cell: a 6T core that is written, and a read stack of two transistors that cannot disturb the core.

Source: Chang et al., "Stable SRAM cell design for the 32 nm node and beyond", Symposium on VLSI Technology, 2005.
"""

from pyspice_cim.technology.bitcells.spec import BitCell, Roles, TableNames, Transistor
from pyspice_cim.technology.bitcells.sram6t import core

SRAM8T = BitCell(
    name="sram8t",
    label="8T",
    transistors=(
        *core(bitlines=("wbl", "wblb"), wordline="wwl"),
        # q below, rwl above: an unselected cell hangs one off device on rbl, and its stored bit cannot couple to it.
        Transistor("rd", "x", "q", "0", "0", "nmos", "read"),
        Transistor("ra", "rbl", "rwl", "x", "0", "nmos", "read"),
    ),
    ports={
        "wbl": "write bitline of q",
        "wblb": "write bitline of qb",
        "wwl": "write wordline, active high",
        "rbl": "read bitline, precharged high; pulled low through the stack if q = 1",
        "rwl": "read wordline, active high",
        "q": "stored bit",
        "qb": "its complement",
        "vdd": "supply",
    },
    roles=Roles(write_bitlines=("wbl", "wblb"), write_wordline="wwl", read_bitline="rbl", read_wordline="rwl"),
    section="cell_8t",
    table=TableNames(leakage="cell8t_leakage", write_energy="sram8t_write_energy", rows="sram8t_rows"),
)
