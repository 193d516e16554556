"""Word and clock drivers: the buffer that drives one control line across all columns."""

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.netlists.cell import Cell, mosfet
from pyspice_cim.netlists.cells.gates import nm
from pyspice_cim.technology import Technology


def line_driver(technology: Technology, *, units: int = 1) -> Cell:
    """Non-inverting buffer of two inverters; ``units`` of the unit driver in parallel.

    A driver of ``n`` units with ``n`` times the load is ``n`` unit drivers with their loads: same delay, ``n`` times the
    energy. The characterization of the unit therefore serves every size.
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
