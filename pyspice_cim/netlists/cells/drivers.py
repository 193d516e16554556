"""Drivers of control lines: the buffer that drives one control line across all columns."""

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.netlists.cell import Cell, mosfet
from pyspice_cim.netlists.cells.gates import nm
from pyspice_cim.technology import Technology


def line_driver(technology: Technology, *, units: int = 1) -> Cell:
    """Buffer of two inverters for one control line; ``units`` unit drivers in parallel.

    ``n`` unit drivers with ``n`` times the load have the delay of one unit driver and ``n`` times its energy. The
    characterization of the unit driver therefore serves every size.

    Args:
        technology: technology of the devices.
        units: number of unit drivers (last stage 270 and 405 nm at 45 nm).
    """
    stages = (("i", "x", nm(technology, 90), nm(technology, 135)), ("x", "o", nm(technology, 270), nm(technology, 405)))

    def build(c: SubCircuit) -> None:
        for stage, (source, sink, n, p) in enumerate(stages):
            for device, width, rail in (("nmos", n, "0"), ("pmos", p, "vdd")):
                mosfet(
                    c,
                    f"{device[0]}{stage}",
                    (sink, source, rail, rail),
                    technology=technology,
                    device=device,
                    width=width,
                    multiplier=units,
                )

    ports = {"i": "input", "o": "line", "vdd": "supply"}
    return Cell(name=f"driver{units}", ports=ports, sizes={"units": units}, build=build)
