"""Stimuli and decks of the memory benches: stepped lines, and the deck around a circuit with its sources.

All times of a bench are stated in units of the corner's gate delay (``devices/timescale.py``), so that one schedule serves from
a fast corner to a supply near the threshold.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from PySpice.Spice.Netlist import Circuit

from pyspice_cim.characterization.benches.quantities import line_vector
from pyspice_cim.characterization.devices.curves import dc_deck
from pyspice_cim.netlists.analysis import Dc, Op, Options, Tran, rounded
from pyspice_cim.netlists.cell import Cell, library
from pyspice_cim.netlists.deck import DrawnDeck, pwl
from pyspice_cim.technology import Corner, Technology, model_text

# Nodes of a bit cell hold less than 1 fF.
CELL_TOLERANCES = Options.of(reltol="1e-4", chgtol="1e-17")
# For everything larger than a column: up to 0.5 % off in energy and delay against the above, and four times as fast.
# Ten times more charge tolerance would put the glitches of a multiplier 12 % off in delay.
LOGIC_TOLERANCES = Options.of(reltol="1e-3", chgtol="1e-16")


def stepped(start: float, changes: Iterable[tuple[float, float]], edge: float) -> list[tuple[float, float]]:
    """Points (time, level) of a control line that steps between levels.

    A change to the present level is left out, so that no time repeats.

    Args:
        start: first level in V.
        changes: time in s and next level in V, in order of time.
        edge: duration of an edge in s; the edge is centred on its time.
    """
    points = [(0.0, start)]
    level = start
    for time, wanted in changes:
        if wanted != level:
            points += [(time - edge / 2, level), (time + edge / 2, wanted)]
            level = wanted
    return points


@dataclass
class BenchCircuit:
    """A circuit under construction, with its supplies, driven lines, initial voltages and saved vectors.

    Attributes:
        supplies: sources of the supply voltage. The energy of a supply is its charge times V_DD.
        lines: sources of control lines. A real driver would take the charge that pulls the line up, times V_DD.
    """

    technology: Technology
    corner: Corner
    title: str
    circuit: Circuit = field(init=False)
    supplies: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    initial: dict[str, float] = field(default_factory=dict)
    saved: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        where = f"{self.technology.name} {self.corner.process} {self.corner.vdd:g} V {self.corner.temperature_c:g} C"
        self.circuit = Circuit(f"{self.title}, {where}")

    def define(self, *cells: Cell) -> None:
        """Put the subcircuits of ``cells`` and of all that they use into the deck."""
        for cell in library(*cells):
            self.circuit.subcircuit(cell.subcircuit())

    def supply(self, *names: str) -> None:
        """Add supplies at V_DD, each a node and a source ``V<node>``."""
        for name in names:
            self.circuit.V(name, name, self.circuit.gnd, self.corner.vdd)
            self.supplies.append(f"v{name}")

    def line(self, name: str, start: int, changes: Iterable[tuple[float, int]], edge: float) -> None:
        """Add a driven line: the bit ``start``, then each (time, bit)."""
        vdd = self.corner.vdd
        points = stepped(start * vdd, [(time, bit * vdd) for time, bit in changes], edge)
        self.circuit.V(name, name, self.circuit.gnd, pwl(points) if len(points) > 1 else start * vdd)
        self.lines.append(f"v{name}")

    def capacitor(self, name: str, node: str, farads: float) -> None:
        """Wire capacitance from ``node`` to ground."""
        self.circuit.C(name, node, self.circuit.gnd, f"{farads:.6g}")

    def save(self, *nodes: str) -> None:
        """Save node voltages; those of driven lines and the currents of all sources are saved in any case."""
        self.saved += [f"v({node})".lower() for node in nodes]

    def transient(self, stop: float, step: float, edge: float, tolerances: Options = CELL_TOLERANCES) -> DrawnDeck:
        """The deck of a transient until ``stop`` s, with time steps of at most ``step`` s.

        ``.ic`` and an operating point, never ``uic``: starting without one adds a false energy of several percent.
        """
        levels = [line_vector(source) for source in self.lines]
        currents = [f"i({source})" for source in (*self.supplies, *self.lines)]
        vectors = list(dict.fromkeys([*self.saved, *levels, *currents]))
        return DrawnDeck.of(
            self.circuit,
            model_text(self.technology, self.corner.process),
            temperature_c=self.corner.temperature_c,
            options=tolerances.changed(gmin="1e-15", method="trap"),
            analysis=Tran(step=rounded(edge / 5, 4), stop=stop, max_step=rounded(step, 4)),
            saves=tuple(vector.lower() for vector in vectors),
            initial=tuple(self.initial.items()),
        )

    def dc(self, analysis: Dc | Op, vectors: Iterable[str]) -> DrawnDeck:
        """The deck of a DC analysis; ``initial`` chooses the state of bistable cells and binds nothing."""
        models = model_text(self.technology, self.corner.process)
        initial = tuple(self.initial.items())
        return dc_deck(self.circuit, models, self.corner, analysis, vectors, initial=initial)

    @property
    def sources(self) -> dict[str, list[str]]:
        """Reducer arguments that name the sources, for ``window_energies``."""
        return {"supplies": [s.lower() for s in self.supplies], "lines": [s.lower() for s in self.lines]}


def by_hand(deck: DrawnDeck, explanation: str) -> DrawnDeck:
    """``deck`` with comments on top and a ``.print`` of a few voltages, without which ``ngspice -b FILE`` runs nothing.

    Args:
        deck: the deck; ngspice prints an operating point in any case.
        explanation: lines of comments.
    """
    kind = "tran" if isinstance(deck.analysis, Tran) else "dc"
    shown = [name for name in deck.saves if name.startswith("v(")][:6]
    printed = () if isinstance(deck.analysis, Op) else (f".print {kind} {' '.join(shown)}",)
    return replace(deck, notes=(*explanation.splitlines(), *deck.notes), outputs=(*deck.outputs, *printed))


def instance(circuit: Circuit, name: str, cell: Cell, nodes: Mapping[str, str] | Sequence[str]) -> None:
    """Place ``cell`` into ``circuit``.

    Args:
        circuit: the circuit.
        name: name of the instance.
        cell: the cell.
        nodes: port to node, where a port without a node is a node of the same name; or all nodes in the order of the ports.
    """
    order = [nodes.get(port, port) for port in cell.ports] if isinstance(nodes, Mapping) else list(nodes)
    circuit.X(name, cell.name, *order)
