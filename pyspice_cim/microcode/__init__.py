"""The microcode: control values of operations, which the stimulus of a netlist and the behavioral model both read.

- ``operations``: what an operation does to a column.
- ``schedule``: pulses of an operation on the control lines.
- ``events``: what happens in a column in each bit cycle of an operation.
- ``lines``: drivers of the control lines.
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
