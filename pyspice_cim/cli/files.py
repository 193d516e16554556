"""What the commands share: files that are named or shipped, output that is checked before work begins, JSON."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.resources import DEFAULT_TECHNOLOGY, atomic_write, shipped, shipped_names
from pyspice_cim.terminal import visible

if TYPE_CHECKING:
    from rich.console import Console

    from pyspice_cim.tables import Table


def named_or_shipped(kind: str, given: str, suffix: str) -> Path:
    """The file ``given``, or the shipped file of that name, with or without its suffix.

    Raises:
        DataError: if there is neither; the message lists what is shipped.
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
    """Find out before hours of work whether their result can be written.

    Raises:
        ConfigError: if it cannot.
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


def open_table(table: Path | None, technology: str | None) -> "Table":
    """The table ``table``, by default the reference table of ``technology`` that is shipped.

    Raises:
        TechnologyError: if there is no such technology.
        TableError: if the table cannot be read, or is of another technology.
        DataError: if no reference table is shipped.
    """
    from pyspice_cim.tables import load_table

    name = technology_name(technology) if technology is not None else None
    if table is None:
        table = shipped("reference", f"{name or DEFAULT_TECHNOLOGY}.h5")
    loaded = load_table(table)
    return loaded if name is None else loaded.require_technology(name)


def technology_name(technology: str) -> str:
    """Name of the technology that ``technology``, a built-in name or a TOML file, stands for.

    Raises:
        TechnologyError: if there is none.
    """
    from pyspice_cim.technology import load_technology

    # A table serves without the models that it was made from.
    return load_technology(technology, check_files=False).name


def given_only(**options: Any) -> dict[str, Any]:
    """The options that were given on the command line: the others keep the library's defaults."""
    return {name: value for name, value in options.items() if value is not None}


# A process costs some 100 MB; beyond this the number is a slip of the pen, or one of a cluster, which has its own.
MAX_WORKERS = 1024


def checked_workers(workers: int | None) -> int | None:
    """``workers`` if it is a number of processes.

    Raises:
        ConfigError: if it is not.
    """
    if workers is not None and not 1 <= workers <= MAX_WORKERS:
        raise ConfigError(f"workers is {workers}; it must be from 1 to {MAX_WORKERS}")
    return workers


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?\Z")


def duration(text: str) -> float:
    """Seconds in ``text``: ``90s``, ``90``, ``10m``, ``1h30m``.

    Raises:
        ConfigError: if it is no time, or none at all.
    """
    # Python reads no number of thousands of digits, and no clock counts so far.
    if len(text) > 30 or re.search(r"\d{10}", text):
        raise ConfigError(f"{text[:30]!r}... is too long a time; give at most 9 digits of hours, minutes or seconds")
    found = _DURATION.match(text)
    seconds = sum(int(n or 0) * unit for n, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0
    if not seconds:
        raise ConfigError(f"{text!r} is no length of time; give hours, minutes or seconds, e.g. 90s, 10m or 1h30m")
    return float(seconds)


def plain_console(*, stderr: bool = False) -> "Console":
    """A console that prints text as it is: ``[old]`` or ``:x:`` in a path, a reason or a label is no markup.

    Control characters are shown as escapes.
    """
    from pyspice_cim.report.console import VisibleConsole

    return VisibleConsole(stderr=stderr, markup=False, emoji=False)


def say(text: str, *, err: bool = False, end: str = "\n") -> None:
    """Print ``text`` as it is; control characters are shown as escapes."""
    typer.echo(visible(text) + end, err=err, nl=False)


def print_json(data: Mapping[str, Any]) -> None:
    """Print ``data`` as JSON on stdout; what is not a finite number is ``null``."""
    typer.echo(json_text(data))


def json_text(data: Mapping[str, Any]) -> str:
    """``data`` as JSON text."""
    return json.dumps(_plain(data), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
