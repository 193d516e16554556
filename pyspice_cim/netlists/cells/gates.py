"""Static gates, transmission gates and latches of the column slice.

Widths are stated in nm at a gate length of 45 nm and scale with the gate length of the technology. Every gate has a port
for its supply, so that a bench can measure the energy of each group of gates. Ground is node 0.
"""

from functools import partial

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.netlists.cell import Cell, mosfet
from pyspice_cim.technology import Technology


def nm(technology: Technology, width_nm: float) -> float:
    """Width in m for ``technology``: ``width_nm`` nm at a gate length of 45 nm."""
    return width_nm * 1e-9 * technology.scale


def nfet(circuit: SubCircuit, technology: Technology, name: str, d: str, g: str, s: str, width_nm: float) -> None:
    """Draw an n transistor of minimum length with its bulk at ground.

    Args:
        circuit: subcircuit that is drawn into.
        technology: technology of the device.
        name: name of the element.
        d, g, s: nodes of drain, gate and source.
        width_nm: width in nm at 45 nm.
    """
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
    """Draw a p transistor with its bulk at the port ``vdd``; arguments as for ``nfet``, ``length_nm`` in nm at 45 nm."""
    length = nm(technology, length_nm)
    size = nm(technology, width_nm)
    mosfet(circuit, name, (d, g, s, "vdd"), technology=technology, device="pmos", width=size, length=length)


def inverter(technology: Technology, name: str = "inv", n: float = 90, p: float = 135) -> Cell:
    """Inverter: ``o`` = not ``i``.

    Args:
        technology: technology of the devices.
        name: name of the subcircuit.
        n, p: widths in nm at 45 nm.
    """

    def build(c: SubCircuit) -> None:
        nfet(c, technology, "n", "o", "i", "0", n)
        pfet(c, technology, "p", "o", "i", "vdd", p)

    ports = {"i": "input", "o": "output", "vdd": "supply"}
    return Cell(name=name, ports=ports, sizes={"n": nm(technology, n), "p": nm(technology, p)}, build=build)


def nor2(technology: Technology, name: str = "nor2", n: float = 90, p: float = 270) -> Cell:
    """NOR gate: ``o`` = not (``a`` or ``b``); arguments as for ``inverter``.

    The p transistor of ``b`` is next to the supply.
    """

    def build(c: SubCircuit) -> None:
        nfet(c, technology, "n1", "o", "a", "0", n)
        nfet(c, technology, "n2", "o", "b", "0", n)
        pfet(c, technology, "p1", "x", "b", "vdd", p)
        pfet(c, technology, "p2", "o", "a", "x", p)

    ports = {"a": "input", "b": "input", "o": "output", "vdd": "supply"}
    return Cell(name=name, ports=ports, sizes={"n": nm(technology, n), "p": nm(technology, p)}, build=build)


def transmission_gate(technology: Technology, name: str = "tg", width: float = 90) -> Cell:
    """Transmission gate: joins ``a`` and ``b`` while ``en`` is high and ``enb`` low.

    Args:
        technology: technology of the devices.
        name: name of the subcircuit.
        width: width of both transistors in nm at 45 nm.
    """

    def build(c: SubCircuit) -> None:
        nfet(c, technology, "n", "a", "en", "b", width)
        pfet(c, technology, "p", "a", "enb", "b", width)

    ports = {"a": "one side", "b": "other side", "en": "enable", "enb": "enable, active low", "vdd": "supply"}
    return Cell(name=name, ports=ports, sizes={"width": nm(technology, width)}, build=build)


def latch(technology: Technology, *, resettable: bool = False) -> Cell:
    """Static latch, transparent while ``en`` is high; the inner node ``s`` stores the bit.

    Args:
        technology: technology of the devices.
        resettable: whether a NOR gate in the loop clears ``q`` while ``rst`` is high.
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


# Stronger gates of the column slice.
write_driver = partial(inverter, name="drv", n=270, p=405)
sense_inverter = partial(inverter, name="sinv", n=135, p=405)
sense_nor = partial(nor2, name="snor", n=135, p=540)
wide_transmission_gate = partial(transmission_gate, name="tgf", width=135)
