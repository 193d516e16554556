"""Sizes of the drivers of the control lines: what the netlist draws and what the behavioral model counts."""

from pyspice_cim.microcode.schedule import line_kind

# What one column hangs on a line, fF at 45 nm: a rule for sizing, not a figure that anything is computed from. The loads
# themselves are measured (``column_line_capacitance``).
_SIZING_LOADS = {"za": 1.8, "zb": 1.8}
_SIZING_LOAD = 0.8
# A unit (last stage 270/405 nm) drives this much at a fan-out of about four, so that all lines have like edges and delays.
_LOAD_PER_UNIT = 3.0


def driver_units(line: str, *, columns: int, segments: int) -> int:
    """Size of the driver of ``line`` across ``columns`` columns whose read line has ``segments`` segments."""
    kind = line_kind(line)
    load = _SIZING_LOADS.get(kind, _SIZING_LOAD)
    if kind == "pcb":  # gates of both precharge transistors; the read line's grows with the segments
        load = 1.5 + 0.16 * segments
    elif kind in ("dc0", "dc1"):
        load = 0.9 * (1 + segments / 16)
    return max(1, round(columns * load / _LOAD_PER_UNIT))
