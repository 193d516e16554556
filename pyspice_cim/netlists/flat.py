"""Flat copies of a ``Cell``, in which every transistor has a threshold shift of its own.

All instances of a subcircuit are equal, so the samples of a Monte Carlo run cannot share one. ``draw_flat`` therefore
calls ``Cell.build`` with a circuit that follows every instance down to its elements. The text of the elements is written
once, with holes for the tag and the shifts of a copy. Each copy then costs one ``str.format``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.cell import Cell
from pyspice_cim.technology import Technology
from pyspice_cim.technology.user_cell.parse import number

# Hole for the tag of a copy in the name of a node: ``q{t}`` becomes q0, q1, ...
TAG = "{t}"


@dataclass(frozen=True, kw_only=True)
class Transistor:
    """One transistor of a flat cell.

    Attributes:
        path: names of the instances above the transistor and its own name, e.g. ``cell.pdl``.
        device: name in ``technology.devices``.
        width, length: gate as drawn, in m.
        multiplier: number of transistors in parallel.
    """

    path: str
    device: str
    width: float
    length: float
    multiplier: float = 1.0


@dataclass(frozen=True, kw_only=True)
class FlatCell:
    """A cell drawn flat: its transistors, and the text of one copy.

    Attributes:
        transistors: transistors in the order of their shifts.
        text: deck text with the hole ``{t}`` for the tag of a copy and the holes ``{0}``, ``{1}``, ... for the shifts.
    """

    transistors: tuple[Transistor, ...]
    text: str

    def copy(self, tag: str, shifts: Sequence[float]) -> str:
        """Deck text of one copy.

        Args:
            tag: number or name that no other copy in the deck has.
            shifts: threshold shift of each transistor in V, with the sign of BSIM4's ``delvto`` (``netlists.cell.mosfet``).
        """
        return self.text.format(*(f"{shift:.6g}" for shift in shifts), t=tag)


def draw_flat(technology: Technology, cell: Cell, nodes: Mapping[str, str], *, path: str) -> FlatCell:
    """``cell`` and all cells that it instantiates, drawn into one level.

    Args:
        technology: technology of the cell.
        cell: the cell.
        nodes: port to node. Each copy has its own node if the name holds ``{t}``; all copies share any other node. A
            port that is not named gets the node ``<port>{t}``.
        path: prefix of the names of all elements, which tells several cells of a copy apart.

    Returns:
        Transistors of one copy, and the text of a copy with holes.

    Raises:
        NetlistError: for a transistor whose model is no device of the technology, so that its mismatch is unknown.
    """
    drawing = _Drawing(technology=technology)
    _Level(drawing, cell, {port: nodes.get(port, f"{port}{TAG}") for port in cell.ports}, path).draw()
    return FlatCell(transistors=tuple(drawing.transistors), text="".join(f"{line}\n" for line in drawing.lines))


@dataclass(kw_only=True)
class _Drawing:
    technology: Technology
    transistors: list[Transistor] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


class _Level:
    """One instance of a cell, in the place of the PySpice subcircuit that ``Cell.build`` draws into."""

    gnd = "0"

    def __init__(self, drawing: _Drawing, cell: Cell, nodes: Mapping[str, str], path: str) -> None:
        self.drawing, self.cell, self.nodes, self.path = drawing, cell, nodes, path
        self.uses = {used.name: used for used in cell.uses}

    def draw(self) -> None:
        self.cell.build(self)

    def M(self, name: str, *ends: str, model: str, raw_spice: str) -> None:  # noqa: N802
        self._transistor("M", name, ends, model, dict(item.split("=", 1) for item in raw_spice.split()))

    def X(self, name: str, model: str, *ends: str, **values: str) -> None:  # noqa: N802
        below = self.uses.get(model)
        if below is None:
            self._transistor("X", name, ends, model, values)
            return
        inner = dict(zip(below.ports, map(self._node, ends), strict=True))
        _Level(self.drawing, below, inner, f"{self.path}.{name}").draw()

    def R(self, name: str, a: str, b: str, value: str) -> None:  # noqa: N802
        self._line("R", name, [self._node(a), self._node(b)], str(value))

    def C(self, name: str, a: str, b: str, value: str) -> None:  # noqa: N802
        self._line("C", name, [self._node(a), self._node(b)], str(value))

    def V(self, name: str, a: str, b: str, value: str) -> None:  # noqa: N802
        self._line("V", name, [self._node(a), self._node(b)], str(value))

    def _transistor(self, element: str, name: str, ends: Sequence[str], model: str, values: Mapping[str, str]) -> None:
        device, hole = self._device(element, model), f"{{{len(self.drawing.transistors)}}}"
        kind = self.drawing.technology.device(device)
        metres = 1.0 if self.drawing.technology.units.geometry == "m" else 1e-6
        self.drawing.transistors.append(
            Transistor(
                path=f"{self.path}.{name}",
                device=device,
                width=number(values["w"]) * metres,
                length=number(values["l"]) * metres,
                multiplier=number(values.get("m", "1")),
            )
        )
        nodes = [self._node(end) for end in ends]
        text = " ".join([model, *(f"{key}={value}" for key, value in values.items())])
        if kind.dvt == "gate_source":
            # netlists.cell.mosfet draws a shift in the same way: the source lowers V_GS by the shift.
            drain, gate, source, bulk = nodes
            inner = f"{self.path}.{name}.gate.{TAG}"
            self._line("V", f"{name}.dvt", [gate, inner], hole)
            self._line(element, name, [drain, inner, source, bulk], text)
        else:
            self._line(element, name, nodes, f"{text} delvto={hole}")

    def _device(self, element: str, model: str) -> str:
        technology = self.drawing.technology
        for name, kind in technology.devices.items():
            # The name of a bin begins with the name of its subcircuit (binning.py).
            if kind.element == element and model.lower().partition("__bin")[0] == kind.model.lower():
                return name
        raise NetlistError(
            f"cell {self.cell.name}: a transistor is of {model!r}, which is no device of technology {technology.name}, "
            f"so its mismatch is not known; add it under devices and mismatch.a_vt_mv_um (there are "
            f"{', '.join(technology.devices)})"
        )

    def _node(self, name: str) -> str:
        if name == self.gnd:
            return name
        return self.nodes.get(name, f"{self.path}.{name}.{TAG}")

    def _line(self, kind: str, name: str, nodes: Sequence[str], text: str) -> None:
        self.drawing.lines.append(f"{kind}{self.path}.{name}.{TAG} {' '.join(nodes)} {text}")
