"""Binned models of a foundry: one small subcircuit for each bin, in place of one subcircuit that holds all bins.

A binned model has one ``.model`` card for each range of width and length: ``NAME.1``, ``NAME.2``, ... with ``lmin``,
``lmax``, ``wmin`` and ``wmax``. A foundry may put these cards inside the subcircuit of the device. Every transistor of a
deck then copies all cards, e.g. 48 cards for the one that is used. An array would cost seconds and hundreds of megabytes.
Here the bin is chosen when the transistor is drawn, by the rule of ngspice:

    lmin <= L < lmax   and   wmin <= W < wmax

The transistor is an instance of ``SUBCIRCUIT__binN``: the subcircuit of the file with one card. The text is read from the
installed file at run time. This package holds no text of a foundry.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.cards import is_comment
from pyspice_cim.technology.modelfiles import file_text

_BIN = re.compile(r"\s*\.model\s+\S+\.(?P<number>\d+)\s", re.IGNORECASE)
_LIMIT = re.compile(r"\b(?P<name>[lw]m(?:in|ax))\s*=\s*(?P<value>[-+]?[\d.]+(?:e[-+]?\d+)?)", re.IGNORECASE)
_MARK = "__bin"
_ONE_BIN = re.compile(rf"^\.subckt\s+(\S+{_MARK}\d+)\b.*?^\.ends\s+\1\n", re.IGNORECASE | re.MULTILINE | re.DOTALL)
# Largest difference in m between equal sizes. Files state limits to a nanometre.
_SAME = 1e-11


@dataclass(frozen=True, kw_only=True)
class Bin:
    """One bin of a device.

    Attributes:
        name: name of the subcircuit with this bin alone.
        length, width: lowest and highest gate size in m; the highest size belongs to the next bin.
        text: text of the subcircuit.
    """

    name: str
    length: tuple[float, float]
    width: tuple[float, float]
    text: str

    def holds(self, width: float, length: float) -> bool:
        """Whether a transistor of ``width`` and ``length`` in m belongs to this bin."""
        return all(
            low - _SAME < value < high - _SAME for value, (low, high) in ((width, self.width), (length, self.length))
        )

    def overlaps(self, width: tuple[float, float], length: tuple[float, float]) -> bool:
        """Whether a transistor of a width and a length within the limits, in m, can belong to this bin."""
        return all(
            low - _SAME < asked[1] + _SAME and asked[0] < high - _SAME
            for asked, (low, high) in ((width, self.width), (length, self.length))
        )


def bins_of(paths: tuple[Path, ...], subcircuit: str) -> tuple[Bin, ...]:
    """The bins of ``subcircuit``.

    Args:
        paths: model files, one of which defines the subcircuit.
        subcircuit: name of the subcircuit of a device.

    Raises:
        TechnologyError: if no file defines the subcircuit with bins.
    """
    for path in paths:
        try:
            state = path.stat()
        except OSError as error:
            raise TechnologyError(f"model file {path} cannot be read: {error.strerror}") from error
        found = _bins(path, state.st_mtime_ns, state.st_size, subcircuit)
        if found:
            return found
    raise TechnologyError(
        f"models.binned: no subcircuit {subcircuit!r} with binned .model cards in {', '.join(map(str, paths))}; "
        "files without bins belong under models.include"
    )


def without_unused_bins(models: str, circuit: str) -> str:
    """``models`` without the subcircuits of bins that the deck text ``circuit`` does not name."""
    if _MARK not in models:
        return models
    used = {word.lower() for word in circuit.split() if _MARK in word}
    return _ONE_BIN.sub(lambda found: found.group() if found.group(1).lower() in used else "", models)


@lru_cache(maxsize=64)
def _bins(path: Path, changed: int, size: int, subcircuit: str) -> tuple[Bin, ...]:
    text = _text(path, changed, size)
    block = re.search(
        rf"^\.subckt\s+{re.escape(subcircuit)}\s.*?^\.ends\b[^\n]*", text, re.IGNORECASE | re.MULTILINE | re.DOTALL
    )
    if block is None:
        return ()
    frame: list[str] = []
    cards: dict[str, list[str]] = {}
    card: list[str] | None = None
    for line in block.group().split("\n")[:-1]:
        if start := _BIN.match(line):
            card = cards.setdefault(start["number"], [])
            card.append(line)
        elif card is not None and line.lstrip().startswith("+"):
            card.append(line)
        elif line.strip() and not is_comment(line):
            card = None
            frame.append(line)
    return tuple(_bin(subcircuit, number, frame, card) for number, card in cards.items())


@lru_cache(maxsize=2)
def _text(path: Path, changed: int, size: int) -> str:
    # ``changed`` and ``size`` are part of the cache's key, so that an edited file is read again.
    del changed, size
    return file_text(path)


def _bin(subcircuit: str, number: str, frame: list[str], card: list[str]) -> Bin:
    limits = {found["name"].lower(): float(found["value"]) for found in _LIMIT.finditer("\n".join(card))}
    missing = {"lmin", "lmax", "wmin", "wmax"} - limits.keys()
    if missing:
        raise TechnologyError(f"models.binned: bin {number} of {subcircuit} lacks {', '.join(sorted(missing))}")
    name = f"{subcircuit}{_MARK}{number}"
    first = re.sub(rf"(?i)^(\.subckt\s+){re.escape(subcircuit)}\b", lambda found: found.group(1) + name, frame[0])
    text = "\n".join([first, *frame[1:], *card, f".ends {name}"]) + "\n"
    return Bin(
        name=name,
        length=(limits["lmin"], limits["lmax"]),
        width=(limits["wmin"], limits["wmax"]),
        text=text,
    )
