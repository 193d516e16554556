"""Options that belong together, as objects: a command takes groups, the user sees single options.

A group is a frozen dataclass. Each field is an option of the command line. ``PANEL`` is the title of the group in the
command's help.
"""

import inspect
import os
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_type_hints

import typer

from pyspice_cim.cli.conditions import check_axes, numbers, operating_point, pairs
from pyspice_cim.cli.files import checked_workers, given_only, open_table

if TYPE_CHECKING:
    from pyspice_cim.characterization.engine.engine import Engine
    from pyspice_cim.tables import Table
    from pyspice_cim.technology import Technology

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON (SI units) on stdout, and nothing else there.")]
Workers = Annotated[int | None, typer.Option(help="Number of parallel ngspice processes; default: one per core.")]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` as typer wants it: the fields of each group become options of the command.

    Args:
        command: function whose parameters are options, arguments and groups.

    Returns:
        A function that takes the single options, makes the groups and calls ``command``.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    single: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        single += _options_of(groups[name]) if name in groups else [_keyword(name, hints[name], parameter.default)]

    @wraps(command)
    def flat(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    flat.__signature__ = inspect.Signature(single)  # type: ignore[attr-defined]
    flat.__annotations__ = {each.name: each.annotation for each in single}
    return flat


def _options_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    found = []
    for field in fields(group):
        kind, option = get_args(hints[field.name])
        option = copy(option)
        option.rich_help_panel = group.PANEL
        found.append(_keyword(field.name, Annotated[kind, option], field.default))
    return found


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


@dataclass(frozen=True, kw_only=True)
class TableChoice:
    """Which table calibrates the macros."""

    PANEL: ClassVar[str] = "Table"

    table: Annotated[
        Path | None, typer.Option(help="Table that calibrates the macros; default: the shipped reference table.")
    ] = None
    technology: Annotated[
        str | None, typer.Option(help="Technology that the table must have, e.g. generic45lp; default: any.")
    ] = None

    def open(self) -> "Table":
        """The chosen table; the errors are those of ``files.open_table``."""
        return open_table(self.table, self.technology)


@dataclass(frozen=True, kw_only=True)
class PointOptions:
    """Operating point of the macros."""

    PANEL: ClassVar[str] = "Operating point"

    process: Annotated[str | None, typer.Option(help="Process corner: tt, ff, ss, fs or sf; default: tt.")] = None
    vdd: Annotated[
        float | None, typer.Option(help="Supply voltage in V; default: nominal supply of the technology.")
    ] = None
    temperature: Annotated[
        float | None, typer.Option(help="Temperature in degrees Celsius; default: nominal temperature.")
    ] = None

    def point(
        self, table: "Table", *, technology: "Technology | None" = None, clips: bool = True, **more: Any
    ) -> dict[str, Any]:
        """The operating point, checked against ``table``; the arguments and errors of ``conditions.operating_point``."""
        given = given_only(process=self.process, vdd=self.vdd, temperature_c=self.temperature, **more)
        return operating_point(table, given, technology=technology, clips=clips)


@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """Place of a quantity in a table, without the process corner."""

    PANEL: ClassVar[str] = "Place in the table"

    vdd: Annotated[float | None, typer.Option(help="Supply voltage in V.")] = None
    temperature: Annotated[float | None, typer.Option(help="Temperature in degrees Celsius.")] = None
    at: Annotated[
        list[str] | None, typer.Option(help="Value of another numeric axis, e.g. --at rows=64; may be repeated.")
    ] = None
    label: Annotated[
        list[str] | None, typer.Option(help="Label of a text axis, e.g. --label component=logic; may be repeated.")
    ] = None

    def read(self, table: "Table", quantity: str) -> tuple[dict[str, str], dict[str, float]]:
        """Labels by text axis, and values by numeric axis, of ``quantity`` in ``table``.

        Raises:
            ConfigError: if an option cannot be read, or names the process corner.
            TableError: if the quantity or an axis is unknown.
        """
        labels = pairs("--label", self.label or ())
        place = numbers("--at", self.at or (), vdd=self.vdd, temperature_c=self.temperature)
        check_axes(table, quantity, "--label", labels)
        check_axes(table, quantity, "--at", place)
        return labels, place


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How ngspice runs."""

    PANEL: ClassVar[str] = "Simulation"

    workers: Workers = None
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Simulate everything anew; the cache is neither read nor filled.")
    ] = False

    def check(self) -> None:
        """Raise ``ConfigError`` if ``workers`` is no number of processes."""
        checked_workers(self.workers)

    def engine(self, *, budget: float | None = None) -> "Engine":
        """An engine with these options; ``budget``: time limit in seconds."""
        from pyspice_cim.characterization.engine.cache import Cache
        from pyspice_cim.characterization.engine.engine import Engine

        cache = None if self.no_cache else Cache()
        return Engine(cache=cache, workers=self.workers or os.cpu_count() or 1, budget=budget)
