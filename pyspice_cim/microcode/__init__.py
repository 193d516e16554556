"""The microcode: one table of control values that the stimulus generator and the behavioral model both read.

``operations`` says what an operation does to a column, ``schedule`` on which lines and in which cycles, ``events`` what a
column goes through bit by bit while it does it.
"""

from pyspice_cim.microcode.events import EVENTS, count_events, cycle_events
from pyspice_cim.microcode.operations import (
    ColumnState,
    Operation,
    column_bits,
    columns_at_rest,
    execute,
    membranes,
)
from pyspice_cim.microcode.schedule import Pulse, Window, line_pulses, schedule

__all__ = [
    "EVENTS",
    "ColumnState",
    "Operation",
    "Pulse",
    "Window",
    "column_bits",
    "columns_at_rest",
    "count_events",
    "cycle_events",
    "execute",
    "line_pulses",
    "membranes",
    "schedule",
]
