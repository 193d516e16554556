"""Bit cells drawn from their values in ``technology.bitcells``, at the widths that the technology states.

A technology that names the user's own netlist of a cell (``cell_8t.netlist``) has that netlist in place of the built-in
transistors. Ground is node 0.
"""

from PySpice.Spice.Netlist import Netlist, SubCircuit

from pyspice_cim.netlists.cell import Cell, mosfet
from pyspice_cim.netlists.user_cell import user_netlist
from pyspice_cim.technology import Technology
from pyspice_cim.technology.bitcells import GROUND, SRAM6T, SRAM8T, BitCell
from pyspice_cim.technology.user_cell.checks import user_cell


def bit_cell(technology: Technology, kind: BitCell, name: str | None = None) -> Cell:
    """The subcircuit of the bit cell ``kind``, with its ports in their order.

    Args:
        technology: technology that holds the sizes.
        kind: the bit cell, e.g. ``technology.bitcells.SRAM8T``.
        name: name of the subcircuit; by default the name of the bit cell.

    Raises:
        TechnologyError: if the technology lacks a size of the cell, or if the user's own netlist cannot be drawn.
    """
    name, sizes = name or kind.name, technology.cell_widths(kind)

    def build(circuit: SubCircuit) -> None:
        for each in kind.transistors:
            width = sizes[each.width]
            mosfet(circuit, each.name, each.nodes, technology=technology, device=each.device, width=width)

    if (own := user_cell(technology, kind)) is not None:
        return user_netlist(technology, own, name=name, ports=kind.ports, sizes=sizes)
    return Cell(name=name, ports=kind.ports, sizes=sizes, build=build)


def sram6t(technology: Technology, name: str = "sram6t") -> Cell:
    """The 6T cell; ``bit_cell`` says the rest."""
    return bit_cell(technology, SRAM6T, name)


def sram8t(technology: Technology, name: str = "sram8t") -> Cell:
    """The 8T cell; ``bit_cell`` says the rest."""
    return bit_cell(technology, SRAM8T, name)


def draw_6t(circuit: Netlist, cell: Cell, supply: str) -> None:
    """Draw the selected cell of a 6T column between the nodes ``bl``, ``blb``, ``wl``, ``q``, ``qb`` and ``supply``."""
    nodes = SRAM6T.connected(
        write_bitlines=("bl", "blb"),
        write_wordline="wl",
        read_bitline="bl",
        read_wordline="wl",
        bit="q",
        complement="qb",
        supply=supply,
    )
    circuit.X("cell", cell.name, *nodes)


def draw_off_rows(
    circuit: Netlist, technology: Technology, kind: BitCell, *, name: str, port: str, node: str, supply: str, rows: int
) -> None:
    """Draw the load of ``rows`` unselected cells on a bitline.

    Each transistor of the cell that touches the bitline is drawn once, off, with ``rows`` as its multiplier. The inner
    end of the transistor is at ground, which gives the largest leakage of any stored bit.

    Args:
        circuit: circuit or subcircuit that is drawn into.
        technology: technology that holds the sizes.
        kind: the bit cell.
        name: name of the lumped transistor; the name of the cell's transistor is added to a second one on ``port``.
        port: port of the cell on the bitline.
        node: node of the bitline.
        supply: node of the cells' supply: gate and bulk of p transistors.
        rows: number of cells; nothing is drawn for 0.
    """
    for count, each in enumerate(kind.on(port) if rows > 0 else ()):
        off = GROUND if technology.device(each.device).polarity == "n" else supply
        mosfet(
            circuit,
            f"{name}_{each.name}" if count else name,
            (node, off, GROUND, off),
            technology=technology,
            device=each.device,
            width=technology.cell_widths(kind)[each.width],
            multiplier=rows,
        )


def draw_off_read_paths(
    circuit: Netlist, technology: Technology, kind: BitCell, *, node: str, supply: str, rows: int
) -> None:
    """Draw the read paths of ``rows`` cells that hold a 1 and are not selected: the largest leakage of a read bitline.

    Args:
        circuit: circuit or subcircuit that is drawn into.
        technology: technology that holds the sizes.
        kind: the bit cell, with a read port of its own.
        node: node of the read bitline.
        supply: node of the cells' supply.
        rows: number of cells; nothing is drawn for 0.
    """
    roles = kind.roles
    nodes = {GROUND: GROUND, roles.read_bitline: node, roles.read_wordline: GROUND, roles.write_wordline: GROUND}
    nodes |= {roles.bit: supply, roles.complement: GROUND, roles.supply: supply}
    fixed = len(nodes)
    for each in kind.read_path() if rows > 0 else ():
        for inner in each.nodes:
            nodes.setdefault(inner, f"idle{len(nodes) - fixed or ''}")
        mosfet(
            circuit,
            f"off{each.name.removeprefix('r')}",
            (nodes[each.drain], nodes[each.gate], nodes[each.source], nodes[each.bulk]),
            technology=technology,
            device=each.device,
            width=technology.cell_widths(kind)[each.width],
            multiplier=rows,
        )
