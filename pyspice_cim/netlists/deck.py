"""A deck: the text that ngspice reads, with its hash, what it saves and how long it runs."""

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from pyspice_cim.errors import NetlistError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")

# ngspice runs a program for these lines, or reads a file that is not in the deck's hash; it compares beginnings only. The
# line break before them is found many times faster than the beginning of a line.
_COMMANDS = re.compile(r"\n[^\S\n]*(?:\.(?:control|exec|inc|lib)|\*#)[^\n]*", re.IGNORECASE)


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
        NetlistError: for a line that would run a program or read a file.
    """

    text: str
    vectors: tuple[str, ...] = field(default=())
    stop_time: float | None = None
    timeout: float = 600.0

    def __post_init__(self) -> None:
        # Whatever text reached the deck, and from where.
        if found := _COMMANDS.search(f"\n{self.text}"):
            raise NetlistError(
                f"the deck is refused: its line {found.group().strip()[:80]!r} would run a program or read a file; remove "
                "it from the models"
            )

    @cached_property
    def sha256(self) -> str:
        """Hash of the text: what a number of a table is traced back to."""
        return hashlib.sha256(self.text.encode()).hexdigest()


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
