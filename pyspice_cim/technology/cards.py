"""The only reader of SPICE text: lines, cards, and the cards that may stand in a kind of text.

ngspice runs a comment as a command if its second character is ``#``. ngspice also turns cards into comments: it puts ``*``
over the first character of every line of an unused subcircuit. Other cards read or write files. Every line of a user's text
is therefore checked, and every unknown line is refused:

- a comment is dropped before ngspice reads a deck; no character ``#`` is left in a deck;
- a card begins with a letter of ``Language.elements`` or is one of ``Language.dots``, in full;
- the type of a ``.model`` is one of ``MODEL_TYPES``.

This module reads model files (``modelfiles.py``), user cells (``user_cell/parse.py``) and finished decks
(``netlists/deck.py``).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

# Characters that begin a comment: alone on a line, or behind a card (``$`` then needs a blank or a comma before it).
COMMENT_MARKS = ("*", "$", ";", "//")
_TAIL = re.compile(r";|//|(?<=[ \t,])\$")
_RUN = re.compile(r"^([ \t]*(?:\*|\$|;|//))(?=#)")
_BLANKS = " \t"
# Names, numbers, expressions in braces or apostrophes. No #, no backslash, no double quotes, no control characters.
_FOREIGN = re.compile(r"[^A-Za-z0-9_.+\-*/=(),{}'<>!&|?:^%~\[\] \t]")
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f]")
_DOT = re.compile(r"\.[a-z]+(?=[ \t(]|\Z)")
_NAME = re.compile(r"[a-z][\w.\[\]+\-]*(?=[ \t]|\Z)")

# Semiconductors and passive elements inside ngspice. Any other type is the code of a library, or simulates the structure of
# a device (CIDER) and writes files.
MODEL_TYPES = ("nmos", "pmos", "d", "npn", "pnp", "njf", "pjf", "nmf", "pmf", "r", "res", "c", "l")
_MODEL = re.compile(r"\.model[ \t]+[a-z_][\w.\-]*[ \t]+(?P<type>[a-z]+)(?=[ \t(]|\Z)")
# Options of a model file: the unit of its sizes. All other options set the accuracy of a run; the bench sets them.
_FILE_OPTIONS = ("scale", "parser")
_RUN_OPTIONS = (
    *("reltol", "abstol", "vntol", "chgtol", "trtol", "method", "maxord", "bypass", "temp", "tnom", "seed"),
    *("gmin", "gminsteps", "srcsteps", "rshunt", "cshunt", "noopiter", "pivtol", "pivrel"),
    *("itl1", "itl2", "itl3", "itl4", "itl5", "itl6"),
)
_OPTION = re.compile(r"(?P<key>[a-z0-9]+)(?:[ \t]*=[ \t]*[\w.+\-]+)?(?:[ \t,]+|\Z)")
# A source inside a model may measure a current or hold a constant level.
_VALUE = r"(?:[\w.+\-]+|\{[^{}]*\}|'[^']*')"
_CONSTANT_SOURCE = re.compile(rf"[vi][^ \t]*(?:[ \t]+[^ \t]+){{2}}(?:[ \t]+dc)?(?:[ \t]+{_VALUE})?\Z")


class Line(NamedTuple):
    """One line: its number (from 1), and its text without outer blanks and without a comment. The text is never empty."""

    number: int
    text: str


class Card(NamedTuple):
    """One card: the number of its first line, and the text of all its lines, joined with a blank for each ``+``."""

    number: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Language:
    """Which cards may stand in a kind of text.

    Attributes:
        elements: first letters of elements.
        dots: dot cards in full. ngspice compares beginnings only, and takes ``.controlx`` for ``.control``.
        options: keys of ``.option``.
        constant_sources: whether the value of a source must be a number.
    """

    elements: str
    dots: frozenset[str]
    options: tuple[str, ...]
    constant_sources: bool


_DEFINITIONS = frozenset(
    {".model", ".param", ".func", ".subckt", ".ends", ".macro", ".eom", ".if", ".elseif", ".else", ".endif", ".option"}
    | {".options"}
)
MODELS = Language(elements="mxrcdqjlbefghvi", dots=_DEFINITIONS, options=_FILE_OPTIONS, constant_sources=True)
DECK = Language(
    elements=MODELS.elements,
    dots=_DEFINITIONS | {".temp", ".ic", ".nodeset", ".save", ".op", ".dc", ".tran", ".print", ".meas", ".end"},
    options=(*_FILE_OPTIONS, *_RUN_OPTIONS),
    constant_sources=False,
)


def is_comment(line: str) -> bool:
    """Whether all of ``line`` is a comment."""
    return line.lstrip(_BLANKS).startswith(COMMENT_MARKS)


def harmless(line: str) -> str:
    """``line`` in a form that every version of ngspice reads as this module does, and never runs as a command.

    A comment gets a blank before a ``#``, and blanks in place of control characters. A comment behind a card is removed,
    unless it begins with ``;``: only this mark has one meaning in all versions.
    """
    if is_comment(line):
        return _RUN.sub(r"\1 ", _CONTROL.sub(" ", line))
    tail = _TAIL.search(line)
    return line if tail is None or tail.group() == ";" else line[: tail.start()]


def lines_of(numbered: Iterable[tuple[int, str]]) -> list[Line]:
    """The lines of a text that are not empty and not comments.

    Args:
        numbered: number and text of each line. Lines end at ``\\n`` alone, as in ngspice.
    """
    found = []
    for number, raw in numbered:
        text = raw.strip(_BLANKS)
        if text and not text.startswith(COMMENT_MARKS):
            tail = _TAIL.search(text)
            found.append(Line(number, text[: tail.start()].rstrip(_BLANKS) if tail else text))
    return found


def joined(lines: Iterable[Line]) -> list[Card]:
    """The cards of ``lines``. A ``+`` without a card before it becomes a card, which every language refuses."""
    begun: list[tuple[int, list[str]]] = []
    for number, text in lines:
        if text.startswith("+") and begun:
            begun[-1][1].append(text[1:])
        else:
            begun.append((number, [text]))
    return [Card(number, " ".join(parts)) for number, parts in begun]


def refusals(cards: Iterable[Card], language: Language) -> Iterator[tuple[Card, str]]:
    """The cards that ``language`` does not allow, each with the reason and the remedy."""
    for card in cards:
        if why := _refusal(card.text, language):
            yield card, why


def _refusal(written: str, language: Language) -> str:
    """Why ``language`` does not allow the card ``written``; empty if the language allows it."""
    # This check comes before the change of case, because the lower case of a Kelvin sign is a letter k.
    if foreign := _FOREIGN.search(written):
        return (
            f"the character {foreign.group()!r} may not stand in a card; remove it, or write the line as a comment (*)"
        )
    text = written.lower()
    if text.startswith("+"):
        return "there is no card that it continues; remove the +"
    if text.startswith("."):
        return _refused_dot(text, language)
    if text[0] not in language.elements or not _NAME.match(text):
        return f"no element begins so; only {', '.join(language.elements.upper())} with a plain name may stand here; remove it"
    if language.constant_sources and text[0] in "vi" and not _CONSTANT_SOURCE.match(text):
        return "a source in a model must have a constant value (Vname NODE NODE [DC] NUMBER); remove it"
    return ""


def _refused_dot(text: str, language: Language) -> str:
    found = _DOT.match(text)
    if found is None or found.group() not in language.dots:
        return f"no such card may stand here, only {', '.join(sorted(language.dots))}; remove it"
    if found.group() == ".model":
        model = _MODEL.match(text)
        if model is None or model["type"] not in MODEL_TYPES:
            return (
                "a model may not run programs, read files or write files, so its name and its type must be plain words, and "
                f"the type one of {', '.join(MODEL_TYPES)}; remove it"
            )
    if found.group().startswith(".option"):
        rest, position = text[found.end() :].strip(_BLANKS), 0
        while position < len(rest):
            option = _OPTION.match(rest, position)
            if option is None or option["key"] not in language.options:
                return f"only the options {', '.join(language.options)} may stand here; remove the others"
            position = option.end()
    return ""


def shown(text: str, longest: int = 80) -> str:
    """``text`` in quotes for a message, cut to ``longest`` characters."""
    return repr(text if len(text) <= longest else f"{text[: longest - 3]}...")


def without_unused(lines: list[Line]) -> list[Line]:
    """``lines`` without the outermost subcircuits that no instance reaches.

    ngspice writes ``*`` over each line of an unused subcircuit. A subcircuit counts as reached if its name is a word of an
    ``X`` card, so an unused subcircuit may stay.
    """
    spans = _subcircuits(lines)
    within = {index for _, span in spans for index in span}
    outside = [line for index, line in enumerate(lines) if index not in within]
    reached: set[str] = set()
    fresh = _instantiated(outside)
    while fresh := fresh - reached:
        reached |= fresh
        inside = [lines[index] for name, span in spans if name in fresh for index in span]
        fresh = _instantiated(inside)
    unused = {index for name, span in spans if name not in reached for index in span}
    return [line for index, line in enumerate(lines) if index not in unused]


def _subcircuits(lines: list[Line]) -> list[tuple[str, range]]:
    """Name and lines of each outermost subcircuit, from ``.subckt`` to ``.ends``."""
    found: list[tuple[str, range]] = []
    depth, start, name = 0, 0, ""
    for index, line in enumerate(lines):
        words = line.text.lower().split(None, 2)
        if words[0] in (".subckt", ".macro"):
            if depth == 0:
                start, name = index, words[1] if len(words) > 1 else ""
            depth += 1
        elif words[0] in (".ends", ".eom") and depth:
            depth -= 1
            if depth == 0:
                found.append((name, range(start, index + 1)))
    return found


def _instantiated(lines: list[Line]) -> set[str]:
    """All words of the ``X`` cards of ``lines``."""
    cards = (card.text.lower() for card in joined(lines))
    return {word for card in cards if card.startswith("x") for word in card.split()}
