"""Tables: what the circuit world and the network world share. A file format, not code."""

from pyspice_cim.tables.hdf5 import load_table, reference_table, save_table
from pyspice_cim.tables.lookup import Looked, Lookup
from pyspice_cim.tables.table import SCHEMA, SCHEMA_VERSION, Table

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "Looked",
    "Lookup",
    "Table",
    "load_table",
    "reference_table",
    "save_table",
]
