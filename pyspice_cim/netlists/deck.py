"""A deck: the text that ngspice reads, with its hash, what it saves and how long it runs."""

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from pyspice_cim.errors import NetlistError
from pyspice_cim.technology.cards import DECK, Line, harmless, joined, lines_of, refusals, shown, without_unused

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
    """One ngspice input, which holds all that it needs and no commands.

    Attributes:
        text: the whole input, models included, ``.end`` included.
        vectors: names of the vectors that the raw file must hold (lower case, e.g. ``v(q0)``, ``i(vdd)``).
        stop_time: s, the last time point that a transient must reach; ``None`` for other analyses.
        timeout: s, after which the run is killed and recorded as failed.

    Raises:
        NetlistError: for a line that is no card of ``technology.cards.DECK``, or a comment that ngspice would run.
    """

    text: str
    vectors: tuple[str, ...] = field(default=())
    stop_time: float | None = None
    timeout: float = 600.0

    def __post_init__(self) -> None:
        # Whatever text reached the deck, and from where.
        _checked(self.text)

    @cached_property
    def sha256(self) -> str:
        """Hash of the text: what a number of a table is traced back to."""
        return hashlib.sha256(self.text.encode()).hexdigest()


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
