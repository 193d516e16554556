"""Bit cells as values: one file a cell, and one line here that registers the cell."""

from pyspice_cim.technology.bitcells.spec import (
    BITCELLS,
    GROUND,
    BitCell,
    Roles,
    TableNames,
    Transistor,
    bitcell,
    register_bitcell,
    table_names,
)
from pyspice_cim.technology.bitcells.sram6t import SRAM6T
from pyspice_cim.technology.bitcells.sram8t import SRAM8T

for _cell in (SRAM6T, SRAM8T):
    register_bitcell(_cell)

__all__ = [
    "BITCELLS",
    "GROUND",
    "SRAM6T",
    "SRAM8T",
    "BitCell",
    "Roles",
    "TableNames",
    "Transistor",
    "bitcell",
    "register_bitcell",
    "table_names",
]
