"""``pyspice-cim characterize``: run a plan in ngspice and write its table."""

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from pyspice_cim.cli.files import check_writable, checked_workers, named_or_shipped, print_json

if TYPE_CHECKING:
    from pyspice_cim.tables import Table

app = typer.Typer()


@app.command()
def characterize(
    plan: Annotated[str, typer.Argument(help="Plan: a TOML file, or the name of a shipped one (demo).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Table to write (HDF5), e.g. table.h5.")],
    workers: Annotated[int | None, typer.Option(help="ngspice processes at a time; default: one a core.")] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Simulate everything anew; nothing is read from the cache or kept in it.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON on stdout, and nothing else there.")
    ] = False,
) -> None:
    """Measure cells, columns and drivers in ngspice by a plan, and write the table that calibrates a macro.

    A plan names a technology, corners, and what to measure at which sizes. Good simulations are kept by content (in
    PYSPICE_CIM_CACHE, else the user's cache folder), so that the same plan runs in seconds the next time. A point that
    fails is in the table with its reason, never as a number; the exit status is then 1.

    Example: pyspice-cim characterize demo --out table.h5
    """
    path = named_or_shipped("plans", plan, ".toml")
    checked_workers(workers)
    check_writable(out)
    # Imported here: --help answers at once.
    from pyspice_cim.characterization.cache import Cache
    from pyspice_cim.characterization.engine import Engine
    from pyspice_cim.characterization.plan import load_plan
    from pyspice_cim.characterization.sweep import characterize as run_plan
    from pyspice_cim.report.progress import EngineProgress
    from pyspice_cim.tables import load_table, save_table

    loaded = load_plan(path)
    engine = Engine(cache=None if no_cache else Cache(), workers=workers or os.cpu_count() or 1)
    with EngineProgress(f"characterize {loaded.name}") as progress:
        engine.progress = progress
        save_table(run_plan(loaded, engine), out)
    table, tally = load_table(out), engine.tally
    failures = table.failures()
    if as_json:
        print_json(
            {
                "points": tally.benches,
                "cached": tally.cached,
                "failed": len(failures),
                "simulations": tally.simulations,
                "seconds": tally.elapsed,
                "cpu_seconds": tally.cpu_seconds,
                "table": str(out),
                "table_sha256": table.sha256,
                "failures": [{"bench": bench, "reason": reason} for bench, reason in failures],
            }
        )
    else:
        _print_summary(table, out)
    if failures:
        raise typer.Exit(1)


def _print_summary(table: "Table", out: Path) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    console = Console()
    status, bench = table.dataset["point_status"].values, table.dataset["point_bench"].values
    good, bad = (Counter(str(b) for b in bench[status == wanted]) for wanted in ("ok", "failed"))
    overview = RichTable(title=f"{table.technology}, plan {table.dataset.attrs['plan']}")
    overview.add_column("bench")
    overview.add_column("points", justify="right")
    overview.add_column("failed", justify="right")
    for name in dict.fromkeys(str(b) for b in bench):
        overview.add_row(name, str(good[name] + bad[name]), str(bad[name]))
    console.print(overview)
    console.print(f"wrote {out} ({len(table.quantities)} quantities, sha256 {table.sha256[:16]})", soft_wrap=True)
    if table.failures():
        failed = RichTable(title="points that failed (no value in the table)", title_style="red")
        for title in ("bench", "point", "reason"):
            failed.add_column(title, overflow="fold")
        for number in (status == "failed").nonzero()[0]:
            failed.add_row(str(bench[number]), _place(table, int(number)), _reason(table, int(number)))
        console.print(failed)


def _reason(table: "Table", number: int) -> str:
    return str(table.dataset["point_reason"].values[number])


def _place(table: "Table", number: int) -> str:
    """Coordinates of point ``number``, e.g. ``tt, vdd 1.1, temperature_c 27, rows 16``."""
    bench = str(table.dataset["point_bench"].values[number])
    index = table.dataset[f"{bench}_point"]
    where = np.argwhere(index.values == number)[0]
    names = [
        (str(axis).removeprefix(f"{bench}_"), index[axis].values[at])
        for axis, at in zip(index.dims, where, strict=True)
    ]
    return ", ".join(f"{value}" if name == "process" else f"{name} {value:g}" for name, value in names)
