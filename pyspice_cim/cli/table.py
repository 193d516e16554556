"""``pyspice-cim table``: show what a table holds, compare two tables, draw a quantity."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pyspice_cim.cli.files import check_picture, check_writable, plain_console, print_json, say
from pyspice_cim.cli.options import AsJson, PlaceOptions, grouped
from pyspice_cim.errors import ConfigError
from pyspice_cim.units import engineering

app = typer.Typer(
    no_args_is_help=True,
    help="Tables of measured quantities: show one, compare two, draw a quantity.\n\nExample: pyspice-cim table info table.h5",
)

_File = Annotated[Path, typer.Argument(help="Table (HDF5), e.g. table.h5.")]
# Nodes of an axis that are all printed; of a longer one, such as its samples, its ends.
_MOST_NODES = 12
# Beside the error of a quantity that is not interpolated linearly.
_SCALE_MARKS = {"log": "log", "probit": "sigma"}


@app.command()
def info(file: _File, as_json: AsJson = False) -> None:
    """Show what a table holds: provenance, axes, quantities with range and errors, failed points.

    Example: pyspice-cim table info table.h5
    """
    from pyspice_cim.tables import load_table
    from pyspice_cim.tables.summary import summary

    found = summary(load_table(file))
    if as_json:
        print_json(found)
    else:
        _print_info(found)


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(help="First table.")],
    second: Annotated[Path, typer.Argument(help="Second table.")],
    rtol: Annotated[float, typer.Option(help="Relative difference up to which two values count as equal.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Compare two tables: axes, quantities, values and the status of points.

    The exit status is 0 if the tables are the same, and 1 if they differ.

    Example: pyspice-cim table diff old.h5 new.h5 --rtol 1e-3
    """
    if not 0 <= rtol < 1:
        raise ConfigError(f"rtol is {rtol:g}; it must be 0 or more and less than 1")
    from pyspice_cim.tables import load_table
    from pyspice_cim.tables.difference import difference

    tables = load_table(first), load_table(second)
    found = difference(*tables, rtol=rtol)
    if as_json:
        print_json({"same": found.same, "rtol": rtol, **asdict(found)})
    else:
        _print_difference(
            asdict(found),
            found.same,
            rtol,
            {name: str(tables[0].dataset[name].attrs["units"]) for name in found.values},
            {name: str(tables[0].dataset[name].attrs["bench"]) for name in found.values},
        )
    if not found.same:
        raise typer.Exit(1)


@app.command()
@grouped
def plot(
    file: _File,
    quantity: Annotated[str, typer.Argument(help="Quantity, e.g. sram6t_read_energy; `table info` lists them.")],
    against: Annotated[str, typer.Option(help="Axis of the picture, e.g. vdd or rows.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Picture to write: .png, .pdf or .svg.")],
    at: PlaceOptions,
    process: Annotated[list[str] | None, typer.Option(help="Corner to draw; may be repeated; default: all.")] = None,
) -> None:
    """Draw the stored values of a quantity against an axis of its table.

    Each process corner is a curve; at a single corner, each label is a curve. A given place must be a node of the table.

    Example: pyspice-cim table plot table.h5 sram6t_read_energy --against rows --vdd 1.1 --temperature 27 --out energy.png
    """
    check_picture("--out", out)
    check_writable(out)
    # Imported here: --help answers at once.
    from pyspice_cim.report.table_figure import draw_table
    from pyspice_cim.tables import load_table

    table = load_table(file)
    labels, place = at.read(table, quantity)
    draw_table(table, quantity, out, against=against, processes=process or (), labels=labels, **place)
    say(f"wrote {out}", err=True)


def _print_info(found: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    from pyspice_cim.tables.summary import place_text

    console = plain_console()
    console.print(
        f"{found['source']}: technology {found['technology']} ({found['technology_sha256'][:16]}), plan {found['plan']} "
        f"({found['plan_sha256'][:16]})\nmade with {found['package']} and {found['ngspice']}; file {found['sha256'][:16]}",
        soft_wrap=True,
        highlight=False,
    )
    shown = RichTable(title="axes")
    for title in ("axis", "nodes", "meaning"):
        shown.add_column(title, overflow="fold")
    for name, axis in found["axes"].items():
        nodes = ", ".join(_node(value, axis["unit"]) for value in axis["values"])
        if len(axis["values"]) > _MOST_NODES:
            ends = (_node(axis["values"][at], axis["unit"]) for at in (0, -1))
            nodes = f"{len(axis['values'])}: {' to '.join(ends)}"
        shown.add_row(name, nodes, axis["meaning"])
    console.print(shown)
    # What fits into 80 columns, with names and numbers whole; the JSON has the axes of each.
    shown = RichTable(title="quantities, and their largest errors", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("quantity", no_wrap=True)
    for title, width in (("lowest", 9), ("highest", 9), ("numerical", 9), ("between nodes", 13)):
        shown.add_column(title, justify="right", min_width=width)
    for name, each in found["quantities"].items():
        shown.add_row(
            name,
            _si(each["lowest"], each["unit"]),
            _si(each["highest"], each["unit"]),
            _percent(each.get("numerical_error")),
            f"{_percent(each.get('interpolation_error'))} {_SCALE_MARKS.get(each.get('interpolation'), '')}".strip(),
        )
    console.print(shown)
    _print_points(console, found)
    for kind, title in (("audit", "at tighter tolerances"), ("held_out", "between the nodes")):
        if found[kind]:
            shown = RichTable(title=f"simulated {title}")
            for each in ("quantity", "points", "largest error", "where"):
                shown.add_column(each, justify="left" if each in ("quantity", "where") else "right", overflow="fold")
            unknown = {why: None for each in found[kind].values() for why in each["reasons"]}
            for name, each in found[kind].items():
                where = place_text(each["where"], found["quantities"].get(name, {}).get("bench", ""))
                counted = f"{each['points'] - each['unknown']} of {each['points']}" if unknown else str(each["points"])
                shown.add_row(name, counted, _percent(each["largest"]) or "n/a", where)
            console.print(shown)
            for why in unknown:
                console.print(f"not known: {why}", soft_wrap=True, highlight=False)
    if found["refinement"]:
        console.print(f"refinement {found['refinement']}", soft_wrap=True, highlight=False)
    if found["failures"]:
        shown = RichTable(title="points that failed (no value in the table)", title_style="red")
        for title in ("bench", "point", "status", "reason"):
            shown.add_column(title, overflow="fold")
        for each in found["failures"]:
            shown.add_row(each["bench"], place_text(each["place"], each["bench"]), each["status"], each["reason"])
        console.print(shown)


def _print_points(console: Any, found: dict[str, Any]) -> None:
    from rich.table import Table as RichTable

    shown = RichTable(title="points")
    for title in ("bench", "points", "ok", "failed", "missing", "retries that helped"):
        shown.add_column(title, justify="left" if title in ("bench", "retries that helped") else "right")
    for bench, counts in found["points"].items():
        retries = ", ".join(f"{name} {count}" for name, count in counts["rungs"].items())
        shown.add_row(bench, *(str(counts.get(each, 0)) for each in ("points", "ok", "failed", "missing")), retries)
    console.print(shown)


def _print_difference(
    found: dict[str, Any], same: bool, rtol: float, units: dict[str, str], benches: dict[str, str]
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    from pyspice_cim.tables.summary import place_text

    console = plain_console()
    lines = [f"{name}: {old} | {new}" for name, (old, new) in found["provenance"].items()]
    for axis, nodes in found["axes"].items():
        lines += [
            f"axis {axis}: only in the {which}: {_list(each)}"
            for which, each in zip(_WHICH, nodes, strict=True)
            if each
        ]
    for which, names in zip(_WHICH, found["quantities"], strict=True):
        lines += [f"only in the {which}: {', '.join(names)}"] if names else []
    lines += [f"unit of {name}: {old} | {new}" for name, (old, new) in found["units"].items()]
    lines += [
        f"{each['bench']}, {each['place']}: {each['status'][0]} in the first, {each['status'][1]} in the second"
        for each in found["points"]
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
    differing = {name: each for name, each in found["values"].items() if each["largest"] or each["measured_in_one"]}
    if differing:
        shown = RichTable(
            title=f"values that differ, and where most; n: more than {rtol:g}, n1: in one table only",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        shown.add_column("quantity", no_wrap=True)
        for title, width in (("largest", 7), ("first", 8), ("second", 8), ("n", 3), ("n1", 2)):
            shown.add_column(title, justify="right", min_width=width)
        shown.add_column("where", overflow="fold")
        for name, each in differing.items():
            values = [_si(value, units[name]) for value in each["values"]] or ["", ""]
            counts = str(each["beyond"]), str(each["measured_in_one"])
            shown.add_row(name, _percent(each["largest"]), *values, *counts, place_text(each["where"], benches[name]))
        console.print(shown)
    within = f"within {rtol:g}" if rtol else "bit for bit"
    console.print(f"The same {within}." if same else "The tables differ.")


_WHICH = ("first", "second")


def _list(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values)


def _node(value: Any, unit: str) -> str:
    if isinstance(value, str):
        return value
    return engineering(value, unit) if unit in ("F", "s") else f"{value:g} {unit}".strip()


def _si(value: float | None, unit: str) -> str:
    return f"{value:.4g}" if unit == "1" and value is not None else engineering(value, unit)


def _percent(value: float | None) -> str:
    if value is None:
        return ""
    return "<0.01 %" if 0 < value < 1e-4 else f"{100 * value:.{2 if value < 1 else 3}g} %"
