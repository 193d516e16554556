"""Places in a table on the command line: ``--at axis=value``, ``--label axis=label``, and where macros work."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspice_cim.errors import ConfigError, OutsideTableError, TableError, TechnologyError

if TYPE_CHECKING:
    from pyspice_cim.tables import Table
    from pyspice_cim.technology import Technology


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """``["a=b", ...]`` as a mapping.

    Raises:
        ConfigError: if one has no ``=``, or a name comes twice.
    """
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals and value):
            raise ConfigError(f"{option} {each}: write it as {option} axis=value, e.g. {option} rows=64")
        if name in found:
            raise ConfigError(f"{option} {each}: {name} is given twice; keep one")
        found[name] = value
    return found


def numbers(option: str, given: Sequence[str], **more: float | None) -> dict[str, float]:
    """As ``pairs``, with numbers; ``more`` are those of options of their own, as far as they were given.

    Raises:
        ConfigError: if a value is no number, and as ``pairs``.
    """
    found = {name: value for name, value in more.items() if value is not None}
    for name, text in pairs(option, given).items():
        try:
            value = float(text)
        except ValueError:
            raise ConfigError(f"{option} {name}={text}: {text!r} is no number") from None
        if name in found:
            raise ConfigError(f"{option} {name}={text}: {name} is given twice; keep one")
        found[name] = value
    return found


def check_axes(table: "Table", quantity: str, option: str, names: Iterable[str]) -> None:
    """Refuse a name that is no axis of ``quantity``, or is the process corner, which has an option of its own.

    Raises:
        ConfigError: for the process corner.
        TableError: for an unknown quantity or axis.
    """
    from pyspice_cim.tables.table import axis_name

    array = table.quantity(quantity)
    for name in names:
        if axis_name(array, name) == "process":
            raise ConfigError(f"{option} {name}: the process corner is no axis of {option}; give --process")


def operating_point(
    table: "Table", given: Mapping[str, Any], *, technology: "Technology | None" = None, clips: bool = True
) -> dict[str, Any]:
    """``given`` with defaults: ``process`` tt, ``outside`` raise, ``vdd`` and ``temperature_c`` nominal.

    Nominal is what the technology says, V and degrees Celsius, or the middle node of a table whose technology is not
    built in; where the table does not hold it, the value of the table that is nearest.

    Args:
        technology: that of the table, where it is not built in.
        clips: whether the command has the option ``--outside``.

    Raises:
        OutsideTableError, TableError: if the table does not reach what was given; the message names the option.
    """
    from pyspice_cim.tables.contract import COLUMN_EVENT_ENERGY
    from pyspice_cim.technology import builtin_technology

    # A quantity of every macro: a macro must lie within its axes.
    quantity = COLUMN_EVENT_ENERGY.name
    axes = {name: nodes_of(table, quantity, name) for name in ("vdd", "temperature_c")}
    try:
        # Its models are not needed: the table holds what they gave.
        known = technology or builtin_technology(table.technology, check_files=False)
        nominal = {"vdd": known.supply.nominal_v, "temperature_c": known.temperature.nominal_c}
    except TechnologyError:
        nominal = {name: nodes[len(nodes) // 2] for name, nodes in axes.items()}
    point: dict[str, Any] = {"process": "tt", "outside": "raise"}
    point |= {name: min(max(nominal[name], nodes[0]), nodes[-1]) for name, nodes in axes.items()} | dict(given)
    if point["outside"] == "raise":
        for (name, nodes), option in zip(axes.items(), ("--vdd", "--temperature"), strict=True):
            check_inside(table, name, point[name], nodes, f"give another {option}", clips=clips)
    processes = [str(each) for each in table.quantity(quantity)["process"].values]
    if point["process"] not in processes:
        raise TableError(
            f"table {table.source} has no process corner {point['process']!r}; give --process {' or '.join(processes)}"
        )
    return point


def nodes_of(table: "Table", quantity: str, axis: str) -> list[float]:
    """Nodes of a numeric axis of ``quantity``, rising.

    Raises:
        TableError: if the table has no such quantity.
    """
    return [float(node) for node in table.quantity(quantity)[axis].values]


def check_inside(
    table: "Table", name: str, value: float, nodes: Sequence[float], remedy: str, *, clips: bool = True
) -> None:
    """Raise ``OutsideTableError`` if ``value`` does not lie within ``nodes``; ``remedy``: what option to change."""
    if not nodes[0] <= value <= nodes[-1]:
        reach = f"{nodes[0]:g}" + (f" to {nodes[-1]:g}" if len(nodes) > 1 else " only")
        raise OutsideTableError(
            f"{name} = {value:g} is outside table {table.source} ({reach}); {remedy}"
            + (", a --table that reaches it, or --outside clip" if clips else " or a --table that reaches it")
        )
