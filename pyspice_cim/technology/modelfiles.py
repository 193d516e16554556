"""Model files as one text, which holds every file of ``.include`` and every section of ``.lib`` that the files name.

A deck with this text needs no other file, so that it can be kept, hashed and run anywhere. A changed model file changes the
hash of the deck. ngspice reads one section of a library. Without this, ngspice expands every section, which costs seconds
and gigabytes for the library of a whole process.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.cards import MODELS, harmless, joined, lines_of, refusals, shown

# `.include FILE`, `.lib FILE SECTION` (a call), `.lib SECTION` (a definition, up to `.endl`); a comment may follow.
_CARD = re.compile(
    r"""\s*\.(?P<card>include|incl|inc|lib|endl)\b
        (?:\s+(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<bare>[^\s;$]+)))?
        (?:\s+(?P<section>[^\s;$]+))?\s*(?:[;$].*)?$""",
    re.IGNORECASE | re.VERBOSE,
)
# Lines that ngspice takes for one of these cards, by their beginning.
_CARDS = re.compile(r"^[^\S\n]*\.(?:inc|lib|endl)[^\n]*", re.IGNORECASE | re.MULTILINE)
# Files that include each other deeper than this are taken for a circle.
_DEEPEST = 20


@dataclass(frozen=True)
class _Named:
    """The file and the section that the card at ``line`` names; section ``None``: the text outside of all sections."""

    line: int
    file: str
    section: str | None


def file_text(path: Path, depth: int = 0) -> str:
    """The text of ``path`` and of the files that it includes, without the sections that it defines.

    Args:
        path: model file.
        depth: number of files above this one in a chain of includes.

    Raises:
        TechnologyError: if a file cannot be read, holds a card that ``cards.py`` refuses or an include in another form, or
            files include each other.
    """
    return _text(path, None, depth)


def section_text(path: Path, section: str, depth: int = 0) -> str:
    """The text of one section of the library ``path``, with the files and sections that the section names.

    Args:
        path: library file.
        section: name of the section.
        depth: number of files above this one in a chain of includes.

    Raises:
        TechnologyError: if there is no such section (the message lists all sections), and as for ``file_text``.
    """
    return _text(path, section.lower(), depth, section)


def _text(path: Path, section: str | None, depth: int, asked: str = "") -> str:
    if depth > _DEEPEST:
        raise TechnologyError(f"{path} is included by a file that it includes itself; break the circle")
    try:
        state = path.stat()
    except OSError as error:
        raise TechnologyError(f"model file {path} cannot be read: {error.strerror}") from error
    pieces, names = _pieces(path, state.st_mtime_ns, state.st_size, section)
    if section is not None and section not in (name.lower() for name in names):
        known = ", ".join(dict.fromkeys(names)) or "none"
        raise TechnologyError(f"{path} has no section {asked!r}; it has {known}")
    return "\n".join(piece if isinstance(piece, str) else _included(path, piece, depth) for piece in pieces)


@lru_cache(maxsize=256)
def _pieces(
    path: Path, changed: int, size: int, section: str | None
) -> tuple[tuple[str | _Named, ...], tuple[str, ...]]:
    """Parts of ``section`` of ``path`` in order (checked lines and other files), and the names of all sections of ``path``.

    Lines of other sections do not reach a deck. Of these lines only the cards of sections and includes are checked.
    """
    # ``changed`` and ``size`` are part of the cache's key, so that an edited file is read again.
    del changed, size
    pieces: list[str | _Named] = []
    names: list[str] = []
    carried: list[tuple[int, str]] = []
    inside: str | None = None

    def end_of_carried() -> None:
        if carried:
            pieces.append(_checked(path, carried))
            carried.clear()

    for number, line in enumerate(_read(path).split("\n"), start=1):
        card = _parsed(line, path, number)
        kind = card["card"].lower() if card else ""
        if card is not None and kind == "lib" and card["section"] is None:
            names.append(_target(card))
            inside = names[-1].lower()
        elif kind == "endl":
            inside = None
        elif inside == section:
            if card is not None:
                end_of_carried()
                pieces.append(_Named(number, _target(card), card["section"]))
            else:
                carried.append((number, line))
    end_of_carried()
    return tuple(pieces), tuple(names)


def _checked(path: Path, numbered: list[tuple[int, str]]) -> str:
    """The lines ``numbered`` of ``path`` as text.

    Raises:
        TechnologyError: for the first card that may not stand in a deck, with its line.
    """
    for card, why in refusals(joined(lines_of(numbered)), MODELS):
        raise TechnologyError(f"{path}, line {card.number}: {shown(card.text)} is refused: {why}")
    return "\n".join(harmless(line) for _, line in numbered)


def with_included(path: Path) -> tuple[Path, ...]:
    """``path`` and all files that its sections and includes name, each once; missing files are left out."""
    found: dict[Path, None] = {}

    def visit(file: Path) -> None:
        if file in found or not file.is_file():
            return
        found[file] = None
        for line in _CARDS.findall(file.read_text(encoding="utf-8", errors="replace")):
            card = _CARD.match(line)
            if card is not None and _names_a_file(card):
                # The files of a section that nobody asks for may be missing.
                with suppress(TechnologyError):
                    visit(_beside(file, _target(card)))

    visit(path)
    return tuple(found)


def _parsed(line: str, path: Path, number: int) -> re.Match[str] | None:
    """The card of ``line``, if it is one of ``_CARD``.

    Raises:
        TechnologyError: for a line that ngspice would take for such a card, and that is not of its form: copied as it is,
            it would bring in a file that is not in the deck's hash.
    """
    if not _CARDS.match(line):
        return None
    card = _CARD.match(line)
    if card is None or (card["card"].lower() != "endl" and not _target(card)):
        raise TechnologyError(
            f"{path}, line {number}: {line.strip()[:80]!r} is refused; write .include FILE, .lib FILE SECTION, "
            '.lib SECTION or .endl, a path with blanks or $ in quotes, and a comment behind ";"'
        )
    return card


def _included(path: Path, named: _Named, depth: int) -> str:
    target = _beside(path, named.file)
    if not target.is_file():
        raise TechnologyError(f"{path} includes {target}, which is not a file")
    if named.section is not None:
        return section_text(target, named.section, depth + 1)
    return file_text(target, depth + 1)


def _names_a_file(card: re.Match[str]) -> bool:
    kind = card["card"].lower()
    return kind.startswith("inc") or (kind == "lib" and card["section"] is not None)


def _target(card: re.Match[str]) -> str:
    return card["double"] or card["single"] or card["bare"] or ""


def _beside(path: Path, name: str) -> Path:
    try:
        target = (path.parent / Path(os.path.expandvars(name)).expanduser()).resolve()
        target.is_file()
    except (ValueError, OSError, RuntimeError) as error:
        # No such home folder, a circle of links, or a name that is too long.
        why = error.strerror if isinstance(error, OSError) else error
        raise TechnologyError(f"{path} includes {name[:80]!r}, which is no path of a file: {why}") from error
    return target


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TechnologyError(f"model file {path} cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise TechnologyError(f"{path} holds a NUL character: a model file must be text; save it as UTF-8 or ASCII")
    return text
