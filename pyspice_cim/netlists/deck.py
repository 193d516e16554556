"""A deck: the text that ngspice reads, the parts that it is made from, its hash and its time limit."""

import enum
import hashlib
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.analysis import NO_OPTIONS, Analysis, Options, Tran
from pyspice_cim.technology.binning import without_unused_bins
from pyspice_cim.technology.cards import DECK, Line, harmless, joined, lines_of, refusals, shown, without_unused

if TYPE_CHECKING:
    from PySpice.Spice.Netlist import Circuit

_END = ".end\n"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")

# ngspice runs a comment whose second character is # as a command, also in a deck that a person runs by hand.
_COMMAND = re.compile(r"(?:\A|\n)[^\S\n]*[^\n]#[^\n]*")


def checked_name(text: str, what: str = "name") -> str:
    """Return ``text`` if it is a plain SPICE identifier (letters, digits, underscore).

    A deck can run shell commands, so no text from a user reaches one without this check.

    Raises:
        NetlistError: for anything else.
    """
    if not _NAME.match(text):
        raise NetlistError(f"{what} {text!r} is not a plain identifier: use letters, digits and underscores only")
    return text


@dataclass(frozen=True, kw_only=True)
class Deck:
    """One ngspice input, which holds all that it needs and no commands. A person may write one by hand.

    Attributes:
        text: the whole input, models included, ``.end`` included.
        vectors: names of the vectors that the raw file must hold (lower case, e.g. ``v(q0)``, ``i(vdd)``).
        stop_time: last time point that a transient must reach, in seconds; ``None`` for other analyses.
        timeout: time after which the run is killed and recorded as failed, in seconds.

    Raises:
        NetlistError: for a line that is no card of ``technology.cards.DECK``, or a comment that ngspice would run.
    """

    text: str
    vectors: tuple[str, ...] = ()
    stop_time: float | None = None
    timeout: float = 600.0

    def __post_init__(self) -> None:
        # Whatever text reached the deck, and from where.
        _checked(self.text)

    @cached_property
    def sha256(self) -> str:
        """Hash of the text. A table names by this hash the decks behind its numbers."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def title(self) -> str:
        """The first line, without its mark."""
        return self.text.partition("\n")[0].removeprefix(".title").lstrip("* ")

    def retried(self, options: Options, step: float) -> "Deck":
        """Return this deck for a convergence retry.

        Args:
            options: options for a new last card. They override the deck's options, because ngspice takes the last value
                of an option.
            step: factor on the longest time step of a ``DrawnDeck``. A deck that was written by hand keeps its step.
        """
        card = f".options {options.text}\n" if options.values else ""
        return replace(self, text=f"{self.text.removesuffix(_END)}{card}{_END}")

    def tightened(self, factor: float) -> "Deck":
        """Return this deck for an audit, see ``DrawnDeck.tightened``.

        Raises:
            NetlistError: for a deck that was written by hand, which has no fields to change.
        """
        raise NetlistError(f"the deck {self.title!r} was written by hand; an audit needs a DrawnDeck")


class Layout(enum.Enum):
    """Order of the cards of a deck. Tables name decks by their hashes, so both orders stay as they are.

    ``OPTIONS_FIRST``: models of the used bins alone, options with the temperature, initial state, a ``.save`` for each
    vector. ``SAVES_FIRST``: all models, initial state, ``.save`` of several vectors, ``.temp``, options.
    """

    OPTIONS_FIRST = 1
    SAVES_FIRST = 2


@dataclass(frozen=True, kw_only=True)
class DrawnDeck(Deck):
    """A deck that is made from its parts. ``dataclasses.replace`` changes a part, and the text follows.

    Attributes:
        circuit: title and elements.
        models: model cards.
        temperature_c: temperature in degrees Celsius.
        options: simulator options of the bench.
        analysis: what ngspice computes.
        saves: vectors that the raw file must hold.
        initial: node to initial voltage in V. Of a transient the state at its start; of others only a first guess.
        layout: order of the cards.
        saves_per_line: vectors on a ``.save`` card.
        notes: comments below the title.
        outputs: cards that print results, for a person who runs the deck.
        overrides: options of a convergence retry; they win against ``options``.
    """

    text: str = field(init=False, repr=False)
    vectors: tuple[str, ...] = field(init=False, repr=False)
    stop_time: float | None = field(init=False, repr=False)
    circuit: str
    models: str
    temperature_c: float
    options: Options
    analysis: Analysis
    saves: tuple[str, ...]
    initial: tuple[tuple[str, float], ...] = ()
    layout: Layout = Layout.OPTIONS_FIRST
    saves_per_line: int = 1
    notes: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    overrides: Options = NO_OPTIONS

    def __post_init__(self) -> None:
        stop = self.analysis.stop if isinstance(self.analysis, Tran) else None
        for name, value in (("text", self._rendered()), ("vectors", self.saves), ("stop_time", stop)):
            object.__setattr__(self, name, value)
        # The guard reads the finished text, after the last change.
        super().__post_init__()

    @classmethod
    def of(cls, circuit: "Circuit", models: str, *lines: str, **parts: Any) -> "DrawnDeck":
        """The deck of a PySpice circuit.

        Args:
            models: model cards; of binned models ``OPTIONS_FIRST`` keeps the bins that the circuit uses.
            lines: further elements.
            parts: the other attributes of the class.
        """
        drawn = "\n".join([str(circuit).rstrip(), *lines])
        if parts.get("layout") is Layout.SAVES_FIRST:
            drawn = drawn.replace(".title ", "* ", 1)
        else:
            models = without_unused_bins(models, drawn)
        return cls(circuit=drawn, models=models, **parts)

    def retried(self, options: Options, step: float) -> "DrawnDeck":
        """Return this deck for a convergence retry.

        ``options`` override options of the deck, and the longest time step is multiplied by ``step``.
        """
        return replace(self, overrides=options, analysis=self._with_step(step))

    def tightened(self, factor: float) -> "DrawnDeck":
        """Return this deck for an audit.

        Every tolerance is divided by ``factor``, the longest time step is halved, and the time limit of ngspice is
        multiplied by ``factor``.
        """
        options, analysis = self.options.tightened(factor), self._with_step(0.5)
        return replace(self, options=options, analysis=analysis, timeout=factor * self.timeout)

    def _with_step(self, factor: float) -> Analysis:
        return self.analysis.with_step(factor) if isinstance(self.analysis, Tran) else self.analysis

    def _rendered(self) -> str:
        title, _, elements = self.circuit.partition("\n")
        notes = "".join(f"* {note}\n" for note in self.notes)
        saves = wrapped(".save", list(self.saves), self.saves_per_line)
        kind = ".ic" if isinstance(self.analysis, Tran) else ".nodeset"
        start = wrapped(kind, [f"v({node})={voltage:.6g}" for node, voltage in self.initial])
        if self.layout is Layout.SAVES_FIRST:
            options = f".temp {self.temperature_c:g}\n.options {self.options.text}"
            cards = f"\n{start + chr(10) if self.initial else ''}{saves}\n{options}"
        else:
            options = f".options temp={self.temperature_c:g} tnom=27 {self.options.text}"
            cards = f"{options}\n{start + chr(10) if self.initial else ''}{saves}"
        outputs = "".join(f"{card}\n" for card in self.outputs)
        last = f".options {self.overrides.text}\n" if self.overrides.values else ""
        return f"{title}\n{notes}{elements}\n{self.models}{cards}\n{self.analysis.card}\n{outputs}{last}{_END}"


def ngspice_input(deck: Deck) -> str:
    """What ngspice reads of ``deck``: its title and its cards, without comments and without subcircuits that nothing uses.

    The text is checked again: a deck that comes from another process was not made by ``Deck``.

    Raises:
        NetlistError: as ``Deck``.
    """
    title, lines = _checked(deck.text)
    title = title if title.startswith("*") else f"* {title}"
    return "\n".join([title, *(line.text for line in without_unused(lines)), ""])


def _checked(text: str) -> tuple[str, list[Line]]:
    """Title and lines of the deck ``text``."""
    if found := _COMMAND.search(text):
        raise NetlistError(
            f"the deck is refused: its line {shown(found.group().strip())} would run as a command; remove it"
        )
    title, _, rest = text.partition("\n")
    if title.startswith(".") and not title.startswith(".title "):
        raise NetlistError(
            f"the deck is refused: its first line, {shown(title)}, is no title; write a comment (*) first"
        )
    lines = lines_of(enumerate(rest.split("\n"), start=2))
    for card, why in refusals(joined(lines), DECK):
        raise NetlistError(f"the deck is refused: line {card.number}, {shown(card.text)}: {why}")
    return harmless(title), lines


def pwl(points: list[tuple[float, float]]) -> str:
    """Text of a piecewise-linear source through ``points`` (time in s, value), times strictly rising.

    Raises:
        NetlistError: if a time repeats or falls; ngspice would return an empty result without an error.
    """
    for (before, _), (after, _) in pairwise(points):
        if after <= before:
            raise NetlistError(f"PWL times must rise: {after!r} follows {before!r}")
    rows = [points[i : i + 6] for i in range(0, len(points), 6)]
    return "pwl(\n" + "\n".join("+ " + " ".join(f"{t:.7g} {v:.6g}" for t, v in row) for row in rows) + "\n+ )"


def wrapped(card: str, items: list[str], per_line: int = 12) -> str:
    """``items`` as several lines of a dot card, e.g. ``.save``; each line is a card of its own."""
    return "\n".join(card + " " + " ".join(items[i : i + per_line]) for i in range(0, len(items), per_line))
