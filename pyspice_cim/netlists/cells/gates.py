"""Static gates, transmission gates and latches of the column slice.

Widths are stated at 45 nm and scale with the technology's gate length; every gate draws its supply from a port, so that
the energy of each group of gates can be measured apart. Ground is node 0.
"""

from functools import partial

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.netlists.cell import Cell, mosfet
from pyspice_cim.technology import Technology


def nm(technology: Technology, width_nm: float) -> float:
    """``width_nm`` (stated at 45 nm) in metres for ``technology``."""
    return width_nm * 1e-9 * technology.scale


def nfet(circuit: SubCircuit, technology: Technology, name: str, d: str, g: str, s: str, width_nm: float) -> None:
    """An n transistor of minimum length with its bulk at ground."""
    mosfet(circuit, name, (d, g, s, "0"), technology=technology, device="nmos", width=nm(technology, width_nm))


def pfet(
    circuit: SubCircuit,
    technology: Technology,
    name: str,
    d: str,
    g: str,
    s: str,
    width_nm: float,
    length_nm: float = 45,
) -> None:
    """A p transistor with its bulk at the port ``vdd``."""
    length = nm(technology, length_nm)
    size = nm(technology, width_nm)
    mosfet(circuit, name, (d, g, s, "vdd"), technology=technology, device="pmos", width=size, length=length)


def inverter(technology: Technology, name: str = "inv", n: float = 90, p: float = 135) -> Cell:
    """``o`` = not ``i``; widths ``n`` and ``p`` in nm at 45 nm."""

    def build(c: SubCircuit) -> None:
        nfet(c, technology, "n", "o", "i", "0", n)
        pfet(c, technology, "p", "o", "i", "vdd", p)

    ports = {"i": "input", "o": "output", "vdd": "supply"}
    return Cell(name=name, ports=ports, sizes={"n": nm(technology, n), "p": nm(technology, p)}, build=build)


def nor2(technology: Technology, name: str = "nor2", n: float = 90, p: float = 270) -> Cell:
    """``o`` = not (``a`` or ``b``); the p transistor of ``b`` is at the supply."""

    def build(c: SubCircuit) -> None:
        nfet(c, technology, "n1", "o", "a", "0", n)
        nfet(c, technology, "n2", "o", "b", "0", n)
        pfet(c, technology, "p1", "x", "b", "vdd", p)
        pfet(c, technology, "p2", "o", "a", "x", p)

    ports = {"a": "input", "b": "input", "o": "output", "vdd": "supply"}
    return Cell(name=name, ports=ports, sizes={"n": nm(technology, n), "p": nm(technology, p)}, build=build)


def transmission_gate(technology: Technology, name: str = "tg", width: float = 90) -> Cell:
    """Joins ``a`` and ``b`` while ``en`` is high and ``enb`` low."""

    def build(c: SubCircuit) -> None:
        nfet(c, technology, "n", "a", "en", "b", width)
        pfet(c, technology, "p", "a", "enb", "b", width)

    ports = {"a": "one side", "b": "other side", "en": "enable", "enb": "enable, active low", "vdd": "supply"}
    return Cell(name=name, ports=ports, sizes={"width": nm(technology, width)}, build=build)


def latch(technology: Technology, *, resettable: bool = False) -> Cell:
    """Static latch, transparent while ``en`` is high; ``s`` is its storage node.

    The resettable one clears ``q`` inside its loop by a NOR while ``rst`` is high, so that a reset needs no second path.
    """
    tg, inv, nor = transmission_gate(technology), inverter(technology), nor2(technology)

    def build(c: SubCircuit) -> None:
        c.X("t", "tg", "d", "s", "en", "enb", "vdd")
        c.X("i", "inv", "s", "qb", "vdd")
        if resettable:
            c.X("j", "nor2", "qb", "rst", "q", "vdd")
        else:
            c.X("j", "inv", "qb", "q", "vdd")
        c.X("f", "tg", "q", "s", "enb", "en", "vdd")

    ports = {"d": "data", "q": "output", "qb": "inverted output", "en": "enable", "enb": "enable, active low"}
    ports |= {"rst": "reset"} if resettable else {}
    ports |= {"vdd": "supply"}
    used = (tg, inv, nor) if resettable else (tg, inv)
    return Cell(name="latr" if resettable else "lat", ports=ports, sizes={}, build=build, uses=used)


# The sizes that the slice gives its stronger gates.
write_driver = partial(inverter, name="drv", n=270, p=405)
sense_inverter = partial(inverter, name="sinv", n=135, p=405)
sense_nor = partial(nor2, name="snor", n=135, p=540)
wide_transmission_gate = partial(transmission_gate, name="tgf", width=135)
