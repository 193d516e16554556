"""The netlist of a user cell as a ``Cell``: elements of the user's file in place of the built-in transistors.

Names change so that none meets a name of the package:

- a node with a role gets the name of the built-in cell's port;
- ground becomes node 0;
- any other node becomes ``n_<name>``;
- a subcircuit of the file becomes ``own_<cell>_<name>``.

Storage nodes become ports, because benches preset and watch them.
"""

from collections.abc import Mapping

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.netlists.cell import Cell
from pyspice_cim.technology import Technology
from pyspice_cim.technology.user_cell.checks import UserCell, micrometres
from pyspice_cim.technology.user_cell.parse import Card, Subcircuit


def user_netlist(
    technology: Technology, own: UserCell, *, name: str, ports: Mapping[str, str], sizes: Mapping[str, float]
) -> Cell:
    """The user cell ``own`` in place of a built-in cell.

    Args:
        technology: technology of the transistors.
        own: the checked user cell.
        name, ports, sizes: name, ports and sizes of the built-in cell.

    Returns:
        A cell with this name, these ports and these sizes, drawn from the user's elements.
    """
    prefix = f"own_{name}_"
    cells: dict[str, Cell] = {}

    def drawn(each: Subcircuit, name: str, ports: Mapping[str, str], nodes: Mapping[str, str]) -> Cell:
        below = tuple(cells[card.model] for card in each.cards if card.model in cells)

        def build(circuit: SubCircuit) -> None:
            _draw(circuit, technology, each, nodes, cells)

        return Cell(name=name, ports=ports, sizes=sizes, build=build, uses=below)

    for each in own.used:
        nodes = {port: f"n_{port}" for port in each.ports}
        meaning = dict.fromkeys(nodes.values(), "port of the user's subcircuit")
        cells[each.name] = drawn(each, prefix + each.name, meaning, nodes)
    return drawn(own.top, name, ports, own.nodes)


def _draw(
    circuit: SubCircuit,
    technology: Technology,
    each: Subcircuit,
    nodes: Mapping[str, str],
    cells: Mapping[str, Cell],
) -> None:
    for card in each.cards:
        ends = [_renamed(node, nodes) for node in card.nodes]
        name = card.name[1:]
        match card.kind:
            case "m":
                values = " ".join(f"{key}={value}" for key, value in card.values.items())
                circuit.M(name, *ends, model=card.model, raw_spice=values)
            case "r":
                circuit.R(name, *ends, card.values["value"])
            case "c":
                circuit.C(name, *ends, card.values["value"])
            case _ if card.model in cells:
                circuit.X(name, cells[card.model].name, *ends)
            case _:
                circuit.X(name, _bin(technology, card), *ends, **card.values)


def _renamed(node: str, nodes: Mapping[str, str]) -> str:
    if node in nodes:
        return nodes[node]
    # ngspice takes both names for ground in every subcircuit.
    return "0" if node in ("0", "gnd") else f"n_{node}"


def _bin(technology: Technology, card: Card) -> str:
    """Name of the subcircuit that models a transistor; with binned models, the bin of its size."""
    for name, kind in technology.devices.items():
        if kind.element == "X" and kind.model.lower() == card.model:
            metres = micrometres(technology) * 1e-6
            return technology.model_name(name, (card.number("w") or 0.0) * metres, (card.number("l") or 0.0) * metres)
    return card.model
