"""The standard bit cells: 6T and 8T, at the transistor widths that the technology states. Ground is node 0.

q  = not qb, qb = not q   two cross-coupled inverters (pull-down, pull-up)
bl - q, blb - qb          access transistors, gates at wl (6T) or wwl (8T)
rbl - x - 0               8T read stack, gates at rwl (upper) and q (lower): rbl falls if the bit is 1

A technology that names a file of the user's own (``cell_6t.netlist``, ``cell_8t.netlist``) has that one in its place.
"""

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.cell import Cell, mosfet
from pyspice_cim.netlists.user_cell import own_cell
from pyspice_cim.technology import CellGeometry, Technology
from pyspice_cim.technology.user_cell.checks import user_cell


def sram6t(technology: Technology, name: str = "sram6t") -> Cell:
    """The 6T cell of ``technology.cell_6t``.

    Raises:
        TechnologyError: if the user's own cell cannot be drawn.
    """
    sizes = _widths(technology.cell_6t)

    def build(circuit: SubCircuit) -> None:
        _latch_with_access(circuit, technology, sizes, bitlines=("bl", "blb"), wordline="wl")

    ports = {
        "bl": "bitline of q, precharged high to read",
        "blb": "bitline of qb",
        "wl": "wordline, active high",
        "q": "stored bit",
        "qb": "its complement",
        "vdd": "supply",
    }
    if (own := user_cell(technology, "cell_6t")) is not None:
        return own_cell(technology, own, name=name, ports=ports, sizes=sizes)
    return Cell(name=name, ports=ports, sizes=sizes, build=build)


def sram8t(technology: Technology, name: str = "sram8t") -> Cell:
    """The 8T cell of ``technology.cell_8t``: a 6T core that is written, and a read stack that cannot disturb it.

    Raises:
        NetlistError: if the technology does not state the width of the read stack.
        TechnologyError: if the user's own cell cannot be drawn.
    """
    geometry = technology.cell_8t
    if geometry.read_um is None:
        raise NetlistError(f"technology {technology.name}: cell_8t.read_um is missing; add the width of the read stack")
    sizes = {**_widths(geometry), "read": geometry.read_um * 1e-6}

    def build(circuit: SubCircuit) -> None:
        _latch_with_access(circuit, technology, sizes, bitlines=("wbl", "wblb"), wordline="wwl")
        # q below, rwl above: an unselected cell hangs one off device on rbl, and its stored bit cannot couple to it.
        for device, terminals in (("rd", ("x", "q", "0", "0")), ("ra", ("rbl", "rwl", "x", "0"))):
            mosfet(circuit, device, terminals, technology=technology, device="nmos", width=sizes["read"])

    ports = {
        "wbl": "write bitline of q",
        "wblb": "write bitline of qb",
        "wwl": "write wordline, active high",
        "rbl": "read bitline, precharged high; pulled low through the stack if q = 1",
        "rwl": "read wordline, active high",
        "q": "stored bit",
        "qb": "its complement",
        "vdd": "supply",
    }
    if (own := user_cell(technology, "cell_8t")) is not None:
        return own_cell(technology, own, name=name, ports=ports, sizes=sizes)
    return Cell(name=name, ports=ports, sizes=sizes, build=build)


def _widths(geometry: CellGeometry) -> dict[str, float]:
    return {
        "pull_down": geometry.pull_down_um * 1e-6,
        "pull_up": geometry.pull_up_um * 1e-6,
        "access": geometry.access_um * 1e-6,
    }


def _latch_with_access(
    circuit: SubCircuit, technology: Technology, sizes: dict[str, float], *, bitlines: tuple[str, str], wordline: str
) -> None:
    for side, out, inp, bitline in (("l", "q", "qb", bitlines[0]), ("r", "qb", "q", bitlines[1])):
        for device, terminals, kind, width in (
            (f"pd{side}", (out, inp, "0", "0"), "nmos", "pull_down"),
            (f"pu{side}", (out, inp, "vdd", "vdd"), "pmos", "pull_up"),
            (f"ax{side}", (bitline, wordline, out, "0"), "nmos", "access"),
        ):
            mosfet(circuit, device, terminals, technology=technology, device=kind, width=sizes[width])
