"""Shared by the commands: input files, checks of output files before the work begins, and printing."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pyspice_cim.errors import CimError, ConfigError, DataError
from pyspice_cim.resources import DEFAULT_TECHNOLOGY, atomic_write, shipped, shipped_names
from pyspice_cim.terminal import visible

if TYPE_CHECKING:
    from rich.console import Console

    from pyspice_cim.tables import Table


def named_or_shipped(kind: str, given: str, suffix: str) -> Path:
    """Path of the file ``given``, or of the shipped file with this name.

    Args:
        kind: kind of the shipped files: ``"plans"``, ``"reference"`` or ``"networks"``.
        given: path of a file, or name of a shipped file with or without its suffix.
        suffix: suffix of shipped files, e.g. ``".toml"``.

    Raises:
        DataError: if there is no such file; the message lists the shipped files.
    """
    path = Path(given)
    if path.is_file():
        return path
    for name in (given, given + suffix):
        if name in shipped_names(kind):
            return shipped(kind, name)
    there = ", ".join(shipped_names(kind)) or "none"
    raise DataError(
        f"there is no file {given}; give the path of a {suffix} file, or one of the shipped {kind}: {there}"
    )


def check_writable(path: Path | None) -> None:
    """Check before long work that its result can be written to ``path``; nothing is written.

    Raises:
        ConfigError: if ``path`` cannot be written.
    """
    if path is None:
        return
    try:
        with atomic_write(path):
            raise _NothingWrittenError
    except _NothingWrittenError:
        pass


class _NothingWrittenError(Exception):
    """Leaves ``atomic_write`` without a file."""


def check_picture(option: str, path: Path, error: type[CimError] = ConfigError) -> None:
    """Check that the suffix of ``path`` is a format of a picture.

    Args:
        option: name of the option that gives ``path``, for the message.
        path: file to write.
        error: kind of the error.

    Raises:
        CimError: of the kind ``error``, if the suffix is another one.
    """
    if path.suffix.lower() not in {".png", ".pdf", ".svg"}:
        raise error(f"{option} {path}: give a name that ends in .png, .pdf or .svg")


def open_table(table: Path | None, technology: str | None) -> "Table":
    """The table at a path, or a shipped reference table.

    Args:
        table: path of a table; ``None``: the reference table of ``technology``.
        technology: technology that the table must have; ``None``: any, and by default ``DEFAULT_TECHNOLOGY``.

    Raises:
        TechnologyError: if there is no such technology.
        TableError: if the table cannot be read, or has another technology.
        DataError: if no reference table is shipped for the technology.
    """
    from pyspice_cim.tables import load_table

    name = technology_name(technology) if technology is not None else None
    if table is None:
        table = shipped("reference", f"{name or DEFAULT_TECHNOLOGY}.h5")
    loaded = load_table(table)
    return loaded if name is None else loaded.require_technology(name)


def technology_name(technology: str) -> str:
    """Name of a technology, from a built-in name or the path of a TOML file.

    Raises:
        TechnologyError: if there is no such technology.
    """
    from pyspice_cim.technology import load_technology

    # The models are not needed: a table holds their results.
    return load_technology(technology, check_files=False).name


def given_only(**options: Any) -> dict[str, Any]:
    """The options that are not ``None``: the user gave them; the others keep the defaults of the library."""
    return {name: value for name, value in options.items() if value is not None}


# A process takes about 100 MB: a larger number is a typing error. A cluster brings its own workers.
MAX_WORKERS = 1024


def checked_workers(workers: int | None) -> int | None:
    """``workers``, checked to be a number of processes or ``None``.

    Raises:
        ConfigError: if ``workers`` is out of range.
    """
    if workers is not None and not 1 <= workers <= MAX_WORKERS:
        raise ConfigError(f"workers is {workers}; it must be from 1 to {MAX_WORKERS}")
    return workers


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?\Z")


def duration(text: str) -> float:
    """Duration of a text such as ``90s``, ``90``, ``10m`` or ``1h30m``, in seconds.

    Raises:
        ConfigError: if the text is no duration, or a duration of 0.
    """
    # Python refuses to read a number of thousands of digits.
    if len(text) > 30 or re.search(r"\d{10}", text):
        raise ConfigError(f"{text[:30]!r}... is too long a time; give at most 9 digits of hours, minutes or seconds")
    found = _DURATION.match(text)
    seconds = sum(int(n or 0) * unit for n, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0
    if not seconds:
        raise ConfigError(f"{text!r} is no length of time; give hours, minutes or seconds, e.g. 90s, 10m or 1h30m")
    return float(seconds)


def plain_console(*, stderr: bool = False) -> "Console":
    """A console that prints text unchanged, and control characters as escapes.

    So ``[old]`` or ``:x:`` in a path, a reason or a label is no markup of rich.
    """
    from pyspice_cim.report.console import VisibleConsole

    return VisibleConsole(stderr=stderr, markup=False, emoji=False)


def say(text: str, *, err: bool = False, end: str = "\n") -> None:
    """Print ``text`` unchanged, and control characters as escapes."""
    typer.echo(visible(text) + end, err=err, nl=False)


def print_json(data: Mapping[str, Any]) -> None:
    """Print ``data`` as JSON on stdout; NaN and infinity become ``null``."""
    typer.echo(json_text(data))


def json_text(data: Mapping[str, Any]) -> str:
    """JSON text of ``data``; NaN and infinity become ``null``."""
    return json.dumps(_plain(data), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
