"""Checks of a user cell before a circuit draws the cell: models, sizes, ports, widths."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.bitcells import BitCell
from pyspice_cim.technology.fields import CellNetlist
from pyspice_cim.technology.model import Technology
from pyspice_cim.technology.models import model_text
from pyspice_cim.technology.user_cell.parse import Card, Subcircuit, read_cell_file

_DEFINED = {
    "m": re.compile(r"^\s*\.model\s+(\w+)(?:\.\d+)?\s", re.IGNORECASE | re.MULTILINE),
    "x": re.compile(r"^\s*\.subckt\s+(\w+)\s", re.IGNORECASE | re.MULTILINE),
}
# Largest relative difference between equal widths; widths are stated to two or three digits.
_SAME_WIDTH = 0.01
# Number of nodes of a transistor.
_TERMINALS = 4


@dataclass(frozen=True, kw_only=True)
class UserCell:
    """A checked user cell.

    Attributes:
        top: subcircuit of the cell.
        used: all subcircuits inside the cell; each follows the subcircuits that it uses.
        nodes: node of ``top`` to the port of the built-in cell in its place, or to ``0``.
    """

    top: Subcircuit
    used: tuple[Subcircuit, ...]
    nodes: Mapping[str, str]


def user_cell(technology: Technology, cell: BitCell) -> UserCell | None:
    """The user cell in place of the bit cell ``cell``; ``None`` if the technology names no netlist.

    Raises:
        TechnologyError: for a file outside the language of ``parse.py``, a port without a role, an unknown model, a size
            outside the range of its device, or a width that differs from the stated one.
    """
    netlist, field = technology.cell_sizes(cell).netlist, cell.section
    if netlist is None:
        return None
    path = technology.cell_paths[field]
    subcircuits = read_cell_file(path)
    top = subcircuits.get(netlist.subckt.lower())
    if top is None:
        known = ", ".join(subcircuits) or "none"
        raise TechnologyError(f"{field}.netlist.subckt = {netlist.subckt!r} is not in {path}; it has {known}")
    used = _reached(top, subcircuits, ())
    for card in (card for each in used for card in each.cards):
        _check_model(technology, card, subcircuits)
    _check_roles(cell, netlist, top)
    nodes = {node: "0" if role == "gnd" else role for role, named in netlist.roles.items() for node in named}
    _check_widths(technology, cell, top, subcircuits, nodes)
    return UserCell(top=top, used=tuple(used[:-1]), nodes=nodes)


def _reached(top: Subcircuit, subcircuits: Mapping[str, Subcircuit], above: tuple[str, ...]) -> list[Subcircuit]:
    """``top`` and all subcircuits inside it, each once; each follows the subcircuits that it uses.

    Raises:
        TechnologyError: if a subcircuit contains itself, or if an instance has a wrong number of nodes.
    """
    if top.name in above:
        raise TechnologyError(f"{top.where}: subcircuit {top.name} contains itself; break the circle")
    found: dict[str, Subcircuit] = {}
    for card in top.cards:
        below = subcircuits.get(card.model) if card.kind == "x" else None
        if below is not None:
            if len(card.nodes) != len(below.ports) or card.values:
                raise TechnologyError(
                    f"{card.where}: {card.name} gives {len(card.nodes)} nodes and {len(card.values)} parameters to "
                    f"{below.name}, which has {len(below.ports)} ports and no parameters; mend the card"
                )
            found |= {each.name: each for each in _reached(below, subcircuits, (*above, top.name))}
    return [*found.values(), top]


def _check_model(technology: Technology, card: Card, subcircuits: Mapping[str, Subcircuit]) -> None:
    """Check that the model of a transistor is in the technology, and that the model allows the size.

    Raises:
        TechnologyError: with the card.
    """
    if card.kind in "rc" or card.model in subcircuits:
        return
    devices = {
        kind.model.lower(): name for name, kind in technology.devices.items() if kind.element.lower() == card.kind
    }
    if card.model in devices:
        _check_size(technology, card, devices[card.model])
        return
    text = model_text(technology, next(iter(technology.corners)))
    defined = {name.lower() for name in _DEFINED[card.kind].findall(text)}
    if card.model not in defined:
        what = ".model" if card.kind == "m" else "subcircuit"
        known = ", ".join(devices) or f"no {what}"
        raise TechnologyError(
            f"{card.where}: {card.name} is of {card.model!r}, which is no {what} of technology {technology.name} "
            f"(devices: {known}); name one of its models, or add it under models and devices"
        )
    if card.kind == "x" and len(card.nodes) != _TERMINALS:
        raise TechnologyError(f"{card.where}: {card.name} gives {len(card.nodes)} nodes to a transistor, which has 4")


def _check_size(technology: Technology, card: Card, device: str) -> None:
    kind = technology.device(device)
    if len(card.nodes) != _TERMINALS:
        raise TechnologyError(f"{card.where}: {card.name} gives {len(card.nodes)} nodes to a transistor, which has 4")
    for key, (low, high) in (("w", kind.w_um), ("l", kind.l_um)):
        value = card.number(key)
        if value is None:
            raise TechnologyError(f"{card.where}: {card.name} has no {key}; give it")
        size = value * micrometres(technology)
        if not low * (1 - 1e-9) <= size <= high * (1 + 1e-9):
            raise TechnologyError(
                f"{card.where}: {key}={card.values[key]} is {size:.4g} um, outside devices.{device}.{key}_um, "
                f"{low:g} to {high:g}; geometry is in {technology.units.geometry} (units.geometry)"
            )


def micrometres(technology: Technology) -> float:
    """Micrometres in one unit of the sizes on a card."""
    return 1e6 if technology.units.geometry == "m" else 1.0


def _check_roles(cell: BitCell, netlist: CellNetlist, top: Subcircuit) -> None:
    """Check that the subcircuit has every node of ``netlist.ports``, and that every port has a role.

    Raises:
        TechnologyError: with the role or the port.
    """
    field, stored = cell.section, (cell.roles.bit, cell.roles.complement)
    roles = {node: role for role, named in netlist.roles.items() for node in named}
    for node, role in roles.items():
        inner = role in stored
        if node not in (top.nodes if inner else top.ports):
            kind, there = ("node", top.nodes) if inner else ("port", top.ports)
            raise TechnologyError(
                f"{field}.netlist.ports.{role} = {node!r} is no {kind} of subcircuit {top.name} ({top.where}); it has "
                f"{', '.join(there)}"
            )
    if unused := [port for port in top.ports if port not in roles]:
        raise TechnologyError(
            f"{field}.netlist.ports gives no role to {', '.join(unused)} of subcircuit {top.name} ({top.where}); a port "
            'of a well is a further one of vdd or gnd: gnd = ["VSS", "VNB"]'
        )


def _check_widths(
    technology: Technology,
    cell: BitCell,
    top: Subcircuit,
    subcircuits: Mapping[str, Subcircuit],
    nodes: Mapping[str, str],
) -> None:
    """Check that the stated widths are those of the user cell: rows that are not selected are drawn by stated widths.

    Raises:
        TechnologyError: with the width.
    """
    flat = list(_flat(top, subcircuits, nodes, ""))
    sizes = technology.cell_sizes(cell)
    for port in cell.bitlines:
        names = [each.width for each in cell.on(port)]
        if any(name not in sizes.widths_um for name in names):
            continue
        stated = sum(sizes.widths_um[name] for name in names)
        # Transistors with source or drain on the port. With a resistor on the port there is none, and no comparison.
        on = [card for card, ends in flat if card.kind in "mx" and "w" in card.values and port in (ends[0], ends[2])]
        width = sum((card.number("w") or 0.0) * (card.number("m", 1.0) or 0.0) for card in on)
        width *= micrometres(technology)
        if on and abs(width - stated) > _SAME_WIDTH * stated:
            key = " + ".join(f"{cell.section}.{sizes.width_field(name)}" for name in dict.fromkeys(names))
            raise TechnologyError(
                f"{key} = {stated:g}, but the transistors on {port} have {width:.4g} um ({on[0].where}): "
                f"rows that are not selected are drawn by it; set {key} = {width:.4g}"
            )


def _flat(
    each: Subcircuit, subcircuits: Mapping[str, Subcircuit], nodes: Mapping[str, str], path: str
) -> Iterator[tuple[Card, list[str]]]:
    for card in each.cards:
        ends = [nodes.get(node, f"{path}{node}") for node in card.nodes]
        if card.kind == "x" and card.model in subcircuits:
            below = subcircuits[card.model]
            yield from _flat(below, subcircuits, dict(zip(below.ports, ends, strict=True)), f"{path}{card.name}.")
        else:
            yield card, ends
