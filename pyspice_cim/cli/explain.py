"""``pyspice-cim explain``: a number of a table, back to the nodes, the decks and ngspice."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from pyspice_cim.cli.conditions import check_axes, numbers, pairs
from pyspice_cim.cli.files import checked_workers, plain_console, print_json
from pyspice_cim.errors import CimError
from pyspice_cim.units import engineering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyspice_cim.characterization.plans.explain import PointTrace
    from pyspice_cim.tables import Table
    from pyspice_cim.tables.origin import Origin

app = typer.Typer()


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="Table (HDF5), e.g. table.h5.")],
    quantity: Annotated[str, typer.Argument(help="Quantity, e.g. sram6t_read_energy; `table info` lists them.")],
    process: Annotated[str, typer.Option(help="Process corner: tt, ff, ss, fs or sf.")] = "tt",
    vdd: Annotated[float | None, typer.Option(help="Supply voltage in V.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature in C.")] = None,
    at: Annotated[
        list[str] | None, typer.Option(help="Value of another axis, e.g. --at rows=64; may be repeated.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Label of an own axis, e.g. --label component=logic; may be repeated.")
    ] = None,
    technology: Annotated[
        str | None, typer.Option(help="TOML file of the table's technology, if it is not a built-in one.")
    ] = None,
    decks: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write the decks to; each runs with ngspice -b. Files are new: one that is there with another "
            "content, or a link, is an error. Give an empty folder."
        ),
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Simulate the points again and compare; with --decks, keep the waveforms.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="ngspice processes at a time; default: one a core.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON (SI units) on stdout, and nothing else there.")
    ] = False,
) -> None:
    """Say where a number of a table comes from: its nodes and weights, and of each node the point, the decks, the outcomes.

    With --run, ngspice simulates these points now, without the cache, and the new values stand beside the stored ones. Exit
    status 1: a value is another one although ngspice, package and technology are those of the table.

    Example: pyspice-cim explain table.h5 sram6t_read_energy --vdd 1.0 --temperature 27 --at rows=64 --decks decks --run
    """
    checked_workers(workers)
    from pyspice_cim.tables import load_table
    from pyspice_cim.tables.origin import origin

    table = load_table(file)
    labels = pairs("--label", label or ())
    place = numbers("--at", at or (), vdd=vdd, temperature_c=temperature)
    check_axes(table, quantity, "--label", labels)
    check_axes(table, quantity, "--at", place)
    found = origin(table, quantity, process=process, labels=labels, **place)
    points, notes = _traced(table, found, technology, decks, run, workers)
    if as_json:
        print_json(_as_data(table, found, points, notes, run))
    else:
        _print(table, found, points, notes, decks, run)
    if run and not notes and not all(point.equal for point in points):
        raise typer.Exit(1)


def _traced(
    table: "Table", found: "Origin", technology: str | None, decks: Path | None, run: bool, workers: int | None
) -> "tuple[tuple[PointTrace, ...], list[str]]":
    """The points behind the value, and what is other today than when the table was made."""
    from pyspice_cim.characterization.engine.cache import Cache
    from pyspice_cim.characterization.plans.explain import differences, technology_of, trace_cached, trace_simulated
    from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator

    try:
        loaded = technology_of(table, technology)
    except CimError as error:
        # The value and its nodes are in the table; only what wants the decks needs the technology.
        if technology is not None or decks is not None or run:
            raise
        return (), [str(error)]
    if run:
        notes = differences(table, loaded, NgspiceSimulator().version)
        return trace_simulated(table, found, loaded, workers=workers or os.cpu_count() or 1, decks=decks), notes
    notes = differences(table, loaded, str(table.dataset.attrs["ngspice"]))
    return trace_cached(table, found, loaded, cache=Cache(), decks=decks), notes


def _print(
    table: "Table",
    found: "Origin",
    points: "tuple[PointTrace, ...]",
    notes: list[str],
    decks: Path | None,
    run: bool,
) -> None:
    from pyspice_cim.tables.summary import place_text

    console = plain_console()

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False)

    attributes = table.dataset.attrs
    say(f"{found.quantity} = {_values(found.value, found.unit)}")
    say(f"  {found.description}" if found.description else f"  bench {found.bench}")
    for axis, names in found.labels.items():
        say(f"  along {axis}: {', '.join(names)}")
    if found.reason:
        say(f"  {found.reason}")
    say(
        f"table {table.source}: plan {attributes['plan']} ({attributes['plan_sha256'][:16]}), technology "
        f"{attributes['technology']} ({attributes['technology_sha256'][:16]}), {attributes['ngspice']}, {attributes['package']}"
    )
    for note in notes:
        say(f"note: {note}")
    kind = "a node of the table" if len(found.nodes) == 1 else f"interpolated, {found.interpolation}"
    say(kind)
    traces: list[PointTrace | None] = list(points) or [None] * len(found.nodes)
    for node, point in zip(found.nodes, traces, strict=True):
        helped = f", after the retries {node.rung}" if node.rung else ""
        say(f"{node.weight:8.2%}  {place_text(node.place, found.bench)}: {_values(node.value, found.unit)}")
        say(f"          point {node.point}, {node.status}{helped}" + (f": {node.reason}" if node.reason else ""))
        for deck in node.decks:
            seen = next((each for each in point.decks if each.sha256 == deck), None) if point else None
            say(f"          deck {deck[:16]}" + (f"  {_state(seen.source, seen.title)}" if seen else _unseen(point)))
        if point and run:
            say(f"          {_verdict(point, found.unit, notes)}")
        elif point:
            others = sum(not deck.listed for deck in point.decks)
            more = f"; {others} of its decks are steps of the bench that the table does not name" if others else ""
            say(f"          {_cached(point)}{more}")
    if decks is not None:
        count = len({deck.sha256 for point in points for deck in point.decks})
        say(f"wrote {count} decks{' and their waveforms' * run} to {decks}; by hand: ngspice -b -r out.raw DECK.cir")


def _state(source: str, title: str) -> str:
    where = {"cache": "outcome cached", "ngspice": "simulated now", "nowhere": "outcome not cached"}[source]
    return f"{where}: {title}"


def _unseen(point: "PointTrace | None") -> str:
    if point is None:
        return ""
    if point.complete:
        return "  not made today: the package or the technology draws another one"
    return "  follows from outcomes that are not cached; --run makes it"


def _cached(point: "PointTrace") -> str:
    held = sum(deck.source == "cache" for deck in point.decks)
    if point.complete:
        given = "the stored value" if point.equal else "another value"
        return f"the cache holds all {held} outcomes, which give {given}"
    return f"the cache holds {held} of the first {len(point.decks)} outcomes"


def _verdict(point: "PointTrace", unit: str, notes: list[str]) -> str:
    if point.value is None:
        return f"today: {point.reason}" + (", as stored" if point.equal else "")
    today = f"today {_values(point.value, unit)}"
    if point.equal:
        return f"{today}: equal to the stored value bit for bit"
    why = "as may be, see the notes" if notes else "although ngspice, package and technology are those of the table"
    return f"{today}: not the stored value, largest relative difference {point.largest_difference:.2g}, {why}"


def _values(values: "NDArray[np.float64] | None", unit: str) -> str:
    if values is None:
        return "no value"
    shown = "" if unit == "1" else unit
    flat = [f"{value:.4g}" if not shown else engineering(float(value), shown) for value in values.ravel()[:8]]
    more = f", ... ({values.size} in all)" if values.size > len(flat) else ""
    return ", ".join(flat) + more


def _as_data(
    table: "Table", found: "Origin", points: "tuple[PointTrace, ...]", notes: list[str], run: bool
) -> dict[str, Any]:
    attributes = table.dataset.attrs
    nodes: list[dict[str, Any]] = [
        {
            "weight": node.weight,
            "place": node.place,
            "value": node.value.tolist(),
            "point": node.point,
            "status": node.status,
            "reason": node.reason,
            "rung": node.rung,
            "decks": list(node.decks),
        }
        for node in found.nodes
    ]
    for data, point in zip(nodes, points, strict=False):
        data["simulations"] = [
            {
                "deck": deck.sha256,
                "title": deck.title,
                "listed": deck.listed,
                "outcome": deck.source,
                "reason": deck.reason,
            }
            for deck in point.decks
        ]
        data["all_cached"] = not run and point.complete
        if run:
            data["today"] = None if point.value is None else point.value.tolist()
            data["today_reason"] = point.reason
            data["equal"] = point.equal
            data["largest_difference"] = point.largest_difference
    return {
        "quantity": found.quantity,
        "unit": found.unit,
        "value": None if found.value is None else found.value.tolist(),
        "reason": found.reason,
        "labels": found.labels,
        "interpolation": found.interpolation,
        "nodes": nodes,
        "notes": notes,
        "provenance": {
            name: str(attributes[name])
            for name in ("technology", "technology_sha256", "plan", "plan_sha256", "package", "ngspice")
        }
        | {"table_sha256": table.sha256},
    }
