"""What a model file may not hold: a deck can run programs of the machine and read any file, models have no business to.

ngspice compares the beginnings of cards, so that ``.controlx`` is ``.control``, and takes a comment that begins with
``*#`` for a command. Code models (XSPICE) are functions of C; some of them run a program or read a file.
"""

import re
from pathlib import Path

from pyspice_cim.errors import TechnologyError

# Each begins with the line break before it, which is found many times faster than the beginning of a line.
_COMMANDS = re.compile(r"\n[^\S\n]*\.(?:control|exec)", re.IGNORECASE)
_COMMAND_COMMENT = re.compile(r"(\n[^\S\n]*\*)#")
_MODEL = re.compile(r"\n[^\S\n]*\.model", re.IGNORECASE)
# Code models that run a program, load a library or read a file.
_CODE_MODELS = {"d_process", "d_cosim", "d_source", "d_state", "filesource", "table2d", "table3d", "xfer"}
# A line that begins with anything else is left out by ngspice, or continues the one before.
_NEXT_CARD = re.compile(r"[A-Za-z0-9_.]")
# ``.model``, name, type.
_WORDS_OF_HEAD = 3
_EXPRESSION = re.compile(r"[{'\"`]")
_SEPARATORS = re.compile(r"[\s,=()]+")
_COMMENT = re.compile(r"\$|;|//")


def checked_models(text: str, path: Path) -> str:
    """``text`` of the model file ``path``, with ``*#`` as ``* #``: a comment of many such marks stays one.

    Raises:
        TechnologyError: if it holds commands, NUL characters, or models that run programs or read files.
    """
    if "\0" in text:
        raise TechnologyError(f"{path} holds a NUL character: a model file must be text; save it as UTF-8 or ASCII")
    lines = f"\n{text}"
    if found := _COMMANDS.search(lines):
        raise TechnologyError(
            f"{path} holds a .control or .exec section (line {_line_number(lines, found.start())}): a model file must "
            "hold models only; remove it"
        )
    check_code_models(text, str(path))
    return _COMMAND_COMMENT.sub(r"\1 #", lines)[1:]


def check_code_models(text: str, where: str) -> None:
    """Check that no model of ``text`` runs a program or reads a file; ``where`` is what the message calls the text.

    Raises:
        TechnologyError: for such a model.
    """
    lines = f"\n{text}"
    for found in _MODEL.finditer(lines):
        words = _head(lines, found.start() + 1)
        # A text in braces or quotes may be a parameter, whose value is any name.
        if any(word.lower() in _CODE_MODELS or _EXPRESSION.search(word) for word in words):
            raise TechnologyError(
                f"{where}, line {_line_number(lines, found.start())}: {' '.join(words)!r} is refused: a model may not run "
                "programs or read files, and its name and type must be plain words; remove it"
            )


def _line_number(lines: str, start: int) -> int:
    """Number of the line behind the line break at ``start``; the first character of ``lines`` is the one before line 1."""
    return lines.count("\n", 0, start) + 1


def _head(lines: str, start: int) -> list[str]:
    """The words of the card at ``start`` up to its third, not counting what may be a comment; those are in it, too."""
    words: list[str] = []
    wanted, end, joined = _WORDS_OF_HEAD, start - 1, True
    while wanted and end >= 0:
        begin, end = end + 1, lines.find("\n", end + 1)
        line = lines[begin : end if end >= 0 else None].strip()
        if not joined and _NEXT_CARD.match(line):
            break
        if joined or line.startswith("+"):
            joined = line.endswith("\\\\")
            line = line.removeprefix("+").removesuffix("\\\\")
            comment = _COMMENT.search(line)
            plain = _words(line[: comment.start() if comment else None])
            words += plain[:wanted] if len(plain) >= wanted else _words(line)
            wanted = max(0, wanted - len(plain))
    return words


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATORS.split(text) if word]
