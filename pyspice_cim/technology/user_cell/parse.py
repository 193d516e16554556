"""Reader of the SPICE file of a user cell. The file is in a small language; anything else is refused.

    .subckt NAME PORT ...     .ends [NAME]
    .param NAME=NUMBER ...    before the subcircuits or inside one; a value may then be {NAME} or 'NAME'
    M<name> D G S B MODEL  KEY=VALUE ...
    X<name> NODE ... SUBCIRCUIT  [KEY=VALUE ...]
    R<name> A B VALUE         C<name> A B VALUE

Continued lines and comments are read by ``cards.py``. A deck can run programs, so no text of the file is copied into a
deck. The file becomes checked names, nodes and numbers, and ``netlists/user_cell.py`` draws the cell from them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.cards import joined, lines_of, shown

# A character that a card may not hold, e.g. a double quote, an operator or a control character.
_FOREIGN = re.compile(r"[^A-Za-z0-9_.+\-={}' \t]")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*\Z")
# The name of a node may begin with a digit, and may be a number.
_NODE = re.compile(r"[a-z0-9_]+\Z")
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(meg|[tgkmunpf])?\Z")
# `m` is milli, as in every SPICE. `mil` and unit letters are refused, because `1F` would mean a femto.
_PREFIXES = {
    "t": 1e12,
    "g": 1e9,
    "meg": 1e6,
    "k": 1e3,
    "": 1.0,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
    "f": 1e-15,
}
_NODES_OF = {"m": 4, "r": 2, "c": 2}
# The bench sets initial conditions.
_REFUSED_KEYS = ("ic", "off")


@dataclass(frozen=True, kw_only=True)
class Card:
    """One element.

    Attributes:
        where: file and line, for messages.
        kind: ``m``, ``x``, ``r`` or ``c``.
        name: name of the element, in lower case like all names.
        nodes: nodes in the order of the card.
        model: model of a transistor, or subcircuit of an ``x``; ``""`` for a resistor or capacitor.
        values: parameter to the number as written, e.g. ``{"w": "0.1u"}``; a resistor or capacitor has ``value``.
    """

    where: str
    kind: str
    name: str
    nodes: tuple[str, ...]
    model: str
    values: Mapping[str, str]

    def number(self, key: str, default: float | None = None) -> float | None:
        """The value of the parameter ``key``; ``default`` if the card does not state the parameter."""
        return number(self.values[key]) if key in self.values else default


@dataclass(frozen=True, kw_only=True)
class Subcircuit:
    """A subcircuit.

    Attributes:
        where: file and line, for messages.
        name: name in lower case.
        ports: ports in their order.
        cards: elements.
    """

    where: str
    name: str
    ports: tuple[str, ...]
    cards: list[Card] = field(default_factory=list)

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes, ports first, each once."""
        return tuple(dict.fromkeys((*self.ports, *(node for card in self.cards for node in card.nodes))))


def number(text: str) -> float:
    """The number that SPICE reads in ``text``, e.g. 1e-7 for ``0.1u``.

    Raises:
        ValueError: if the text is no number.
    """
    found = _NUMBER.match(text)
    if found is None:
        raise ValueError(text)
    return float(found.group(1)) * _PREFIXES[found.group(2) or ""]


def read_cell_file(path: Path) -> dict[str, Subcircuit]:
    """The subcircuits of ``path``, by name in lower case.

    Raises:
        TechnologyError: for a line outside the language, with file, line, text and remedy.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TechnologyError(f"{path} cannot be read: {error.strerror}") from error
    found: dict[str, Subcircuit] = {}
    everywhere: dict[str, str] = {}
    inside: Subcircuit | None = None
    params = everywhere
    for line, words in _cards(path, text):
        match words[0]:
            case ".subckt":
                if inside is not None:
                    raise line.refused(f"it is inside subcircuit {inside.name}; end that one first")
                inside, params = _opened(line, words), dict(everywhere)
                if inside.name in found:
                    raise line.refused("a subcircuit of this name stands above; give it another name")
                found[inside.name] = inside
            case ".ends":
                if inside is None or words[1:] not in ([], [inside.name]):
                    raise line.refused("it ends no open subcircuit of that name; mend the name or remove it")
                inside = None
                params = everywhere
            case ".param":
                for word in words[1:]:
                    # A parameter may refer to the parameters before it.
                    params |= _values(line, [word], params)
            case card if card.startswith("."):
                raise line.refused(
                    "only .subckt, .ends and .param may stand here: models belong to the technology; remove it"
                )
            case _ if inside is None:
                raise line.refused("it stands outside a subcircuit; move it into one")
            case _:
                inside.cards.append(_element(line, words, params, {card.name for card in inside.cards}))
    if inside is not None:
        raise TechnologyError(f"{inside.where}: subcircuit {inside.name} is not ended; add `.ends {inside.name}`")
    return found


@dataclass(frozen=True)
class _Line:
    path: Path
    number: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.path}, line {self.number}"

    def refused(self, why: str) -> TechnologyError:
        return TechnologyError(f"{self.where}: {shown(self.text)} is refused: {why}")


def _cards(path: Path, text: str) -> Iterator[tuple[_Line, list[str]]]:
    """Every card with its first line, as words. Continued lines are joined, and ``a = b`` becomes ``a=b``."""
    lines = lines_of(enumerate(text.split("\n"), start=1))
    for number, content in lines:
        if foreign := _FOREIGN.search(content):
            raise _Line(path, number, content).refused(
                f"the character {foreign.group()!r} may not stand in a cell; values are numbers or {{NAME}} of a .param, "
                "and a comment is a line of its own that begins with *"
            )
    written = dict(lines)
    for number, card in joined(lines):
        line = _Line(path, number, written[number])
        if card.startswith("+"):
            raise line.refused("there is no card that it continues; remove the +")
        tight = re.sub(r"\s*=\s*", "=", card.lower())
        yield line, re.sub(r"([{'])\s*(\w+)\s*([}'])", r"\1\2\3", tight).split()


def _opened(line: _Line, words: list[str]) -> Subcircuit:
    names = words[1:]
    if len(names) < 2:
        raise line.refused("give a name and ports: .subckt NAME PORT ...")
    if any("=" in word or word == "params:" for word in names):
        raise line.refused("subcircuits have no parameters here; write .param NAME=NUMBER inside instead")
    _identifier(line, names[0])
    for port in names[1:]:
        if port == "0":
            raise line.refused("node 0 is ground everywhere and no port; give the port another name")
        _node(line, port)
    if len(set(names[1:])) < len(names) - 1:
        raise line.refused("a port stands there twice; give each a name of its own")
    return Subcircuit(where=line.where, name=names[0], ports=tuple(names[1:]))


def _element(line: _Line, words: list[str], params: Mapping[str, str], taken: set[str]) -> Card:
    kind, name = words[0][0], words[0]
    if kind not in "mxrc":
        raise line.refused("a bit cell is drawn with M, X, R and C cards only; remove it")
    if not _NODE.match(name[1:]):
        raise line.refused(f"{name!r} is no name of an element; use a letter, then letters, digits and underscores")
    if name in taken:
        raise line.refused(f"an element {name!r} stands above; give it another name")
    plain = [word for word in words[1:] if "=" not in word]
    if plain != words[1 : 1 + len(plain)]:
        raise line.refused("parameters come last, each as KEY=VALUE; mend their order")
    values = _values(line, words[1 + len(plain) :], params)
    if kind in "rc":
        if len(plain) != 3 or values:
            raise line.refused(f"write it as {kind.upper()}name NODE NODE VALUE")
        return Card(
            where=line.where,
            kind=kind,
            name=name,
            nodes=_nodes(line, plain[:2]),
            model="",
            values={"value": _value(line, plain[2], params)},
        )
    if kind == "m" and len(plain) != 5:
        raise line.refused("write it as Mname DRAIN GATE SOURCE BULK MODEL KEY=VALUE ...")
    if len(plain) < 2:
        raise line.refused("write it as Xname NODE ... SUBCIRCUIT")
    _identifier(line, plain[-1].replace(".", "_"))
    if refused := [key for key in values if key in _REFUSED_KEYS]:
        raise line.refused(f"{refused[0]} is set by the testbench; remove it")
    return Card(where=line.where, kind=kind, name=name, nodes=_nodes(line, plain[:-1]), model=plain[-1], values=values)


def _values(line: _Line, words: list[str], params: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise line.refused(f"{word!r} is no KEY=VALUE")
        _identifier(line, key)
        if key in values:
            raise line.refused(f"{key} is given twice; keep one")
        values[key] = _value(line, value, params)
    return values


def _value(line: _Line, text: str, params: Mapping[str, str]) -> str:
    """The number in ``text``, or of the parameter in ``text``, as written."""
    named = re.fullmatch(r"\{(\w+)\}|'(\w+)'", text)
    name = (named.group(1) or named.group(2)) if named else text
    if name in params:
        return params[name]
    if not _NUMBER.match(name):
        raise line.refused(
            f"{text!r} is neither a number (such as 0.1u: prefixes {', '.join(filter(None, _PREFIXES))}, no unit) nor "
            "a .param of this file; expressions are not evaluated, write the number"
        )
    return name


def _nodes(line: _Line, words: list[str]) -> tuple[str, ...]:
    return tuple(_node(line, word) for word in words)


def _node(line: _Line, word: str) -> str:
    if not _NODE.match(word):
        raise line.refused(f"{word!r} is no plain name of a node; use letters, digits and underscores")
    return word


def _identifier(line: _Line, word: str) -> str:
    if not _IDENTIFIER.match(word):
        raise line.refused(f"{word!r} is no plain identifier; use letters, digits and underscores")
    return word
