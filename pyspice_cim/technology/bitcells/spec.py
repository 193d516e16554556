"""What a bit cell is: transistors, ports by role, the section of a technology with its sizes, its names in a table.

A bit cell is a value. One file states it, and one call of ``register_bitcell`` makes it known by its name. ``netlists``
draws it, a technology checks its sizes, and a macro looks up its quantities. No PySpice is needed here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pyspice_cim.errors import ConfigError

GROUND = "0"
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class Transistor:
    """One transistor of a bit cell, of the shortest gate length.

    Attributes:
        name: name of the element, unique in the cell.
        drain, gate, source, bulk: nodes: a port, an inner node, or ``0`` for ground.
        device: device of the technology, ``nmos`` or ``pmos``.
        width: name of the width in the technology's sizes, e.g. ``pull_down``.
    """

    name: str
    drain: str
    gate: str
    source: str
    bulk: str
    device: str
    width: str

    @property
    def nodes(self) -> tuple[str, str, str, str]:
        """Drain, gate, source, bulk."""
        return self.drain, self.gate, self.source, self.bulk

    def other_end(self, node: str) -> str:
        """End of the channel that is not ``node``."""
        return self.source if self.drain == node else self.drain


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The port that plays each role. A cell without a read port of its own names its write port twice.

    Attributes:
        write_bitlines: bitline that writes the bit, bitline that writes the complement.
        write_wordline: opens the access transistors; active high.
        read_bitline: precharged high; falls during a read if the bit is 1.
        read_wordline: opens the read path; active high.
        bit, complement: storage nodes.
        supply: supply of the cell. Ground is node 0.
    """

    write_bitlines: tuple[str, str]
    write_wordline: str
    read_bitline: str
    read_wordline: str
    bit: str = "q"
    complement: str = "qb"
    supply: str = "vdd"

    @property
    def all(self) -> tuple[str, ...]:
        """Ports of all roles, each once."""
        lines = (*self.write_bitlines, self.write_wordline, self.read_bitline, self.read_wordline)
        return tuple(dict.fromkeys((*lines, self.bit, self.complement, self.supply)))


@dataclass(frozen=True, kw_only=True)
class TableNames:
    """What a table calls the quantities of a bit cell that a macro reads.

    Attributes:
        leakage: leakage power of one cell in a column (W); the column bench of this cell writes it.
        write_energy: energy of one write by transition (J); the bench of the cell writes it.
        rows: axis of ``write_energy``: cells on a bitline.
    """

    leakage: str
    write_energy: str
    rows: str


@dataclass(frozen=True, kw_only=True)
class BitCell:
    """A kind of bit cell.

    Attributes:
        name: name in ``MacroConfig.bitcell``, and of the subcircuit.
        label: short name, for titles and descriptions, e.g. ``8T``.
        transistors: transistors in the order in which they are drawn.
        ports: port to its meaning, in the order of the subcircuit.
        roles: the port of each role.
        section: section of a technology's TOML with the sizes; by default ``cells.NAME``.
        table: names in a table; ``None`` for a cell that LD-LIF arrays are not made of.

    Raises:
        ConfigError: for a name that no deck can hold, a port without a role, or an array cell without a read port.
    """

    name: str
    label: str
    transistors: tuple[Transistor, ...]
    ports: Mapping[str, str]
    roles: Roles
    section: str = ""
    table: TableNames | None = None

    def __post_init__(self) -> None:
        if not self.section:
            object.__setattr__(self, "section", f"cells.{self.name}")
        elements = [each.name for each in self.transistors]
        nodes = {node for each in self.transistors for node in each.nodes} - {GROUND}
        for text in (self.name, *self.ports, *elements, *sorted(nodes)):
            if not _IDENTIFIER.match(text):
                raise ConfigError(f"bit cell {self.name!r}: {text!r} is no plain identifier; use letters, digits and _")
        if repeated := sorted({element for element in elements if elements.count(element) > 1}):
            raise ConfigError(f"bit cell {self.name}: two transistors are named {repeated[0]}; rename one")
        if odd := sorted(set(self.ports) ^ set(self.roles.all)):
            raise ConfigError(f"bit cell {self.name}: {odd[0]} has no role or is no port; mend ``ports`` or ``roles``")
        if unused := [port for port in self.ports if port not in nodes]:
            raise ConfigError(f"bit cell {self.name}: no transistor is connected to port {unused[0]}; remove the port")
        if self.table is not None and not self.decoupled:
            raise ConfigError(f"bit cell {self.name}: an array needs a read bitline of its own; leave ``table`` out")

    @property
    def decoupled(self) -> bool:
        """Whether reads have a bitline and a wordline of their own, so that no read disturbs the cell."""
        roles = self.roles
        return roles.read_bitline not in roles.write_bitlines and roles.read_wordline != roles.write_wordline

    @property
    def bitlines(self) -> tuple[str, ...]:
        """Ports on bitlines, each once."""
        return tuple(dict.fromkeys((*self.roles.write_bitlines, self.roles.read_bitline)))

    @property
    def widths(self) -> dict[str, str]:
        """Name of every width to the device that has it."""
        return {each.width: each.device for each in self.transistors}

    def on(self, port: str) -> tuple[Transistor, ...]:
        """Transistors whose channel ends at ``port``: what a row that is not selected loads the line with."""
        return tuple(each for each in self.transistors if port in (each.drain, each.source))

    def read_path(self) -> tuple[Transistor, ...]:
        """Transistors whose channels connect the read bitline to ground or to the supply, from the bitline inwards."""
        ends = {GROUND, self.roles.supply, self.roles.bit, self.roles.complement}
        found: dict[str, Transistor] = {}
        reached = [self.roles.read_bitline]
        for node in reached:
            for each in self.on(node):
                found.setdefault(each.name, each)
                other = each.other_end(node)
                if other not in ends and other not in reached:
                    reached.append(other)
        return tuple(found.values())

    def connected(
        self,
        *,
        write_bitlines: tuple[str, str],
        write_wordline: str,
        read_bitline: str,
        read_wordline: str,
        bit: str,
        complement: str,
        supply: str,
    ) -> tuple[str, ...]:
        """Nodes of an instance in the order of its ports.

        Args:
            write_bitlines, write_wordline, read_bitline, read_wordline, bit, complement, supply: node of each role.
        """
        roles = self.roles
        nodes = dict(zip(roles.write_bitlines, write_bitlines, strict=True))
        nodes |= {roles.write_wordline: write_wordline, roles.read_bitline: read_bitline}
        nodes |= {roles.read_wordline: read_wordline, roles.bit: bit, roles.complement: complement}
        nodes[roles.supply] = supply
        return tuple(nodes[port] for port in self.ports)


BITCELLS: dict[str, BitCell] = {}


def register_bitcell(cell: BitCell) -> None:
    """Make ``cell`` known by its name."""
    BITCELLS[cell.name] = cell


def bitcell(name: str) -> BitCell:
    """The registered bit cell ``name``.

    Raises:
        ConfigError: if no bit cell has this name.
    """
    if name not in BITCELLS:
        raise ConfigError(f"bitcell is {name!r}; choose one of {', '.join(BITCELLS)}, or register the cell")
    return BITCELLS[name]


def table_names(name: str) -> TableNames:
    """Names in a table of the bit cell ``name`` of an array.

    Raises:
        ConfigError: if no bit cell has this name, or if no array is made of the cell.
    """
    names = bitcell(name).table
    if names is None:
        known = ", ".join(each.name for each in BITCELLS.values() if each.table is not None)
        raise ConfigError(f"bitcell is {name!r}, of which no array is made; choose one of {known}")
    return names
