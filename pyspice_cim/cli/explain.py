"""``pyspice-cim explain``: trace a number of a table to its nodes, to its decks, and to ngspice."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import typer

from pyspice_cim.cli.files import checked_workers, plain_console, print_json
from pyspice_cim.cli.options import AsJson, PlaceOptions, Workers, grouped
from pyspice_cim.errors import CimError
from pyspice_cim.units import engineering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyspice_cim.characterization.plans.explain import PointTrace
    from pyspice_cim.tables import Table
    from pyspice_cim.tables.origin import Origin

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class TraceOptions:
    """How far a number is traced: to its decks, and to a new simulation."""

    PANEL: ClassVar[str] = "Decks and simulation"

    technology: Annotated[
        str | None, typer.Option(help="TOML file of the table's technology, if this technology is not built in.")
    ] = None
    decks: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the decks; each deck runs with ngspice -b. Give an empty folder: a file with another "
            "content, or a link, is an error."
        ),
    ] = None
    run: Annotated[
        bool, typer.Option("--run", help="Simulate the points again and compare; with --decks, keep the waveforms.")
    ] = False
    workers: Workers = None


@app.command()
@grouped
def explain(
    file: Annotated[Path, typer.Argument(help="Table (HDF5), e.g. table.h5.")],
    quantity: Annotated[str, typer.Argument(help="Quantity, e.g. sram6t_read_energy; `table info` lists them.")],
    at: PlaceOptions,
    trace: TraceOptions,
    process: Annotated[str, typer.Option(help="Process corner: tt, ff, ss, fs or sf.")] = "tt",
    as_json: AsJson = False,
) -> None:
    """Show where a number of a table comes from: its nodes and their weights, points, decks and outcomes.

    With --run, ngspice simulates these points now, without the cache. The new values are printed beside the stored
    values. The exit status is 1 if a value differs although ngspice, package and technology are those of the table.

    Example: pyspice-cim explain table.h5 sram6t_read_energy --vdd 1.0 --temperature 27 --at rows=64 --decks decks --run
    """
    checked_workers(trace.workers)
    # Imported here: --help answers at once.
    from pyspice_cim.tables import load_table
    from pyspice_cim.tables.origin import origin

    table = load_table(file)
    labels, place = at.read(table, quantity)
    found = origin(table, quantity, process=process, labels=labels, **place)
    points, notes = _traced(table, found, trace)
    if as_json:
        print_json(_as_data(table, found, points, notes, trace.run))
    else:
        _print(table, found, points, notes, trace)
    if trace.run and not notes and not all(point.equal for point in points):
        raise typer.Exit(1)


def _traced(table: "Table", found: "Origin", trace: TraceOptions) -> "tuple[tuple[PointTrace, ...], list[str]]":
    """The points behind the value, and notes on what has changed since the table was made."""
    from pyspice_cim.characterization.engine.cache import Cache
    from pyspice_cim.characterization.plans.explain import differences, technology_of, trace_cached, trace_simulated
    from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator

    try:
        loaded = technology_of(table, trace.technology)
    except CimError as error:
        # The value and its nodes are in the table; the technology is needed for decks only.
        if trace.technology is not None or trace.decks is not None or trace.run:
            raise
        return (), [str(error)]
    if trace.run:
        notes = differences(table, loaded, NgspiceSimulator().version)
        workers = trace.workers or os.cpu_count() or 1
        return trace_simulated(table, found, loaded, workers=workers, decks=trace.decks), notes
    notes = differences(table, loaded, str(table.dataset.attrs["ngspice"]))
    return trace_cached(table, found, loaded, cache=Cache(), decks=trace.decks), notes


def _print(
    table: "Table", found: "Origin", points: "tuple[PointTrace, ...]", notes: list[str], trace: TraceOptions
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
        helped = f", after the convergence retries {node.rung}" if node.rung else ""
        say(f"{node.weight:8.2%}  {place_text(node.place, found.bench)}: {_values(node.value, found.unit)}")
        say(f"          point {node.point}, {node.status}{helped}" + (f": {node.reason}" if node.reason else ""))
        for deck in node.decks:
            seen = next((each for each in point.decks if each.sha256 == deck), None) if point else None
            say(f"          deck {deck[:16]}" + (f"  {_state(seen.source, seen.title)}" if seen else _unseen(point)))
        if point and trace.run:
            say(f"          {_verdict(point, found.unit, notes)}")
        elif point:
            others = sum(not deck.listed for deck in point.decks)
            more = f"; {others} of its decks are steps of the bench that the table does not list" if others else ""
            say(f"          {_cached(point)}{more}")
    if trace.decks is not None:
        count = len({deck.sha256 for point in points for deck in point.decks})
        say(
            f"wrote {count} decks{' and their waveforms' * trace.run} to {trace.decks}; by hand: ngspice -b -r out.raw DECK.cir"
        )


def _state(source: str, title: str) -> str:
    where = {"cache": "outcome cached", "ngspice": "simulated now", "nowhere": "outcome not cached"}[source]
    return f"{where}: {title}"


def _unseen(point: "PointTrace | None") -> str:
    if point is None:
        return ""
    if point.complete:
        return "  not made today: the package or the technology now draws another deck"
    return "  depends on outcomes that are not cached; --run simulates them"


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
    why = "possible, see the notes" if notes else "although ngspice, package and technology are those of the table"
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
