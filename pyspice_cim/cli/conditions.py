"""Places in a table on the command line: ``--at axis=value``, ``--label axis=label``, and the operating point of macros."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspice_cim.errors import ConfigError, OutsideTableError, TableError, TechnologyError

if TYPE_CHECKING:
    from pyspice_cim.tables import Table
    from pyspice_cim.technology import Technology


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Names and values of ``given``, a list of texts ``name=value``.

    Args:
        option: name of the option, for messages.
        given: values of the option, e.g. ``["rows=64"]``.

    Raises:
        ConfigError: if a text has no ``=``, or a name comes twice.
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
    """Names and numbers of ``given``, a list of texts ``name=value``.

    Args:
        option: name of the option, for messages.
        given: values of the option, e.g. ``["rows=64"]``.
        more: numbers by name, from other options; ``None`` counts as not given.

    Raises:
        ConfigError: if a value is no number, a text has no ``=``, or a name comes twice.
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
    """Check that every name is an axis of ``quantity`` and is not the process corner.

    Args:
        table: table that holds the quantity.
        quantity: name of the quantity.
        option: name of the option, for messages.
        names: names to check.

    Raises:
        ConfigError: if a name is the process corner, which has the option ``--process``.
        TableError: if the quantity or an axis is unknown.
    """
    from pyspice_cim.tables.table import axis_name

    array = table.quantity(quantity)
    for name in names:
        if axis_name(array, name) == "process":
            raise ConfigError(f"{option} {name}: the process corner is no axis of {option}; give --process")


def operating_point(
    table: "Table", given: Mapping[str, Any], *, technology: "Technology | None" = None, clips: bool = True
) -> dict[str, Any]:
    """The operating point of macros: ``given``, with defaults for what is missing.

    Defaults are ``process`` tt, ``outside`` raise, and the nominal supply and temperature of the technology. For a
    technology that is not built in, the middle node of the table is nominal. A nominal value outside the table becomes
    the nearest value of the table.

    Args:
        table: table that calibrates the macros.
        given: values of the command line: ``process``, ``vdd`` (V), ``temperature_c`` (degrees Celsius), ``outside``, ``rows``.
        technology: the table's technology, if it is not built in.
        clips: whether the command has the option ``--outside``.

    Raises:
        OutsideTableError: if a given value is outside the table; the message names the option.
        TableError: if the table has no such process corner; the message names the option.
    """
    from pyspice_cim.tables.contract import COLUMN_EVENT_ENERGY
    from pyspice_cim.technology import builtin_technology

    # A quantity of every macro: a macro must lie within its axes.
    quantity = COLUMN_EVENT_ENERGY.name
    axes = {name: nodes_of(table, quantity, name) for name in ("vdd", "temperature_c")}
    try:
        # The models are not needed: the table holds their results.
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
    """Nodes of a numeric axis of ``quantity``, in rising order.

    Raises:
        TableError: if the table has no such quantity.
    """
    return [float(node) for node in table.quantity(quantity)[axis].values]


def check_inside(
    table: "Table", name: str, value: float, nodes: Sequence[float], remedy: str, *, clips: bool = True
) -> None:
    """Check that ``value`` lies within ``nodes``.

    Args:
        table: table of the axis, for the message.
        name: name of the axis, for the message.
        value: value to check.
        nodes: nodes of the axis, in rising order.
        remedy: text that names the option to change.
        clips: whether the command has the option ``--outside``.

    Raises:
        OutsideTableError: if ``value`` is outside; the message has the reach of the table and the remedy.
    """
    if not nodes[0] <= value <= nodes[-1]:
        reach = f"{nodes[0]:g}" + (f" to {nodes[-1]:g}" if len(nodes) > 1 else " only")
        raise OutsideTableError(
            f"{name} = {value:g} is outside table {table.source} ({reach}); {remedy}"
            + (", a --table that reaches it, or --outside clip" if clips else " or a --table that reaches it")
        )
