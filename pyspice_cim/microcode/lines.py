"""Sizes of the drivers of the control lines. The netlist draws these drivers; the behavioral model counts their energy."""

from pyspice_cim.microcode.schedule import line_kind

# Load of one column on a control line in fF at 45 nm, for sizing only. Energies come from measured loads
# (``column_line_capacitance``).
_SIZING_LOADS = {"za": 1.8, "zb": 1.8}
_SIZING_LOAD = 0.8
# Load in fF that a unit driver (last stage 270 and 405 nm) drives at a fan-out of about four. All control lines then have
# similar edges and delays.
_LOAD_PER_UNIT = 3.0


def driver_units(line: str, *, columns: int, segments: int) -> int:
    """Size of the driver of a control line, in unit drivers.

        units = round(columns * load of one column / load of a unit driver), and at least 1

    Args:
        line: control line, e.g. ``ph1`` or ``rwv3``.
        columns: columns that the control line crosses.
        segments: weight segments on the global read line of a column.
    """
    kind = line_kind(line)
    load = _SIZING_LOADS.get(kind, _SIZING_LOAD)
    if kind == "pcb":  # gates of both precharge transistors; one of them grows with the segments
        load = 1.5 + 0.16 * segments
    elif kind in ("dc0", "dc1"):
        load = 0.9 * (1 + segments / 16)
    return max(1, round(columns * load / _LOAD_PER_UNIT))
