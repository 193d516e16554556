"""Model files as one text: what they ``.include`` and the ``.lib`` sections that they name are copied in.

A deck then stands alone (it can be kept, hashed and run elsewhere), a changed model file changes the deck's hash, and
ngspice reads the one section that is wanted: left to itself it expands every section of a library, which takes seconds
and gigabytes for the library of a whole process.
"""

import os
import re
from pathlib import Path

from pyspice_cim.errors import TechnologyError

# `.include FILE`, `.lib FILE SECTION` (a call), `.lib SECTION` (a definition, up to `.endl`); a comment may follow.
_CARD = re.compile(
    r"""\s*\.(?P<card>include|incl|inc|lib|endl)\b
        (?:\s+(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<bare>[^\s;$]+)))?
        (?:\s+(?P<section>[^\s;$]+))?\s*(?:[;$].*)?$""",
    re.IGNORECASE | re.VERBOSE,
)
# A deck can run programs of the machine; a model file has no business to.
_COMMANDS = re.compile(r"^\s*\.(?:control|exec)\b", re.IGNORECASE | re.MULTILINE)
# Lines that may be one of these cards: most model files have none, and a long one is then not read line by line.
_CARDS = re.compile(r"^[ \t]*\.(?:inc|lib|endl)[^\n]*", re.IGNORECASE | re.MULTILINE)
# Files that include files that include files: deeper than this they include each other.
_DEEPEST = 20


def file_text(path: Path, depth: int = 0) -> str:
    """The text of ``path`` with the files that it includes; sections that it defines are left out.

    Raises:
        TechnologyError: if a file cannot be read, holds commands, or files include each other.
    """
    text = _read(path, depth)
    if not _CARDS.search(text):
        return text
    lines: list[str] = []
    inside = False
    for line in text.split("\n"):
        card = _CARD.match(line)
        kind = card["card"].lower() if card else ""
        if kind == "endl":
            inside = False
        elif kind == "lib" and card is not None and card["section"] is None:
            inside = True
        elif not inside:
            lines.append(_expanded(line, card, path, depth))
    return "\n".join(lines)


def section_text(path: Path, section: str, depth: int = 0) -> str:
    """The text of one section of the library ``path``, with the files and sections that it names.

    Raises:
        TechnologyError: if there is no such section (the message lists those there are), and as ``file_text``.
    """
    names: list[str] = []
    lines: list[str] = []
    inside = False
    for line in _read(path, depth).split("\n"):
        card = _CARD.match(line)
        kind = card["card"].lower() if card else ""
        if card is not None and kind == "lib" and card["section"] is None:
            name = _target(card)
            names.append(name)
            inside = name.lower() == section.lower()
        elif kind == "endl":
            inside = False
        elif inside:
            lines.append(_expanded(line, card, path, depth))
    if section.lower() not in (name.lower() for name in names):
        known = ", ".join(dict.fromkeys(names)) or "none"
        raise TechnologyError(f"{path} has no section {section!r}; it has {known}")
    return "\n".join(lines)


def with_included(path: Path) -> tuple[Path, ...]:
    """``path`` and all files that it names, in whatever section, each once; those that are not there are left out."""
    found: dict[Path, None] = {}

    def visit(file: Path) -> None:
        if file in found or not file.is_file():
            return
        found[file] = None
        for line in _CARDS.findall(file.read_text(encoding="utf-8", errors="replace")):
            card = _CARD.match(line)
            if card is not None and _names_a_file(card):
                visit(_beside(file, _target(card)))

    visit(path)
    return tuple(found)


def _expanded(line: str, card: re.Match[str] | None, path: Path, depth: int) -> str:
    if card is None or not _names_a_file(card):
        return line
    target = _beside(path, _target(card))
    if not target.is_file():
        raise TechnologyError(f"{path} includes {target}, which is not a file")
    if card["card"].lower() == "lib":
        return section_text(target, card["section"], depth + 1)
    return file_text(target, depth + 1)


def _names_a_file(card: re.Match[str]) -> bool:
    kind = card["card"].lower()
    return kind.startswith("inc") or (kind == "lib" and card["section"] is not None)


def _target(card: re.Match[str]) -> str:
    return card["double"] or card["single"] or card["bare"] or ""


def _beside(path: Path, name: str) -> Path:
    return (path.parent / Path(os.path.expandvars(name)).expanduser()).resolve()


def _read(path: Path, depth: int) -> str:
    if depth > _DEEPEST:
        raise TechnologyError(f"{path} is included by a file that it includes itself; break the circle")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TechnologyError(f"model file {path} cannot be read: {error.strerror}") from error
    if _COMMANDS.search(text):
        raise TechnologyError(
            f"{path} holds a .control or .exec section: a model file must hold models only; remove it"
        )
    return text
