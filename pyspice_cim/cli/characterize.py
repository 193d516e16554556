"""``pyspice-cim characterize``: run a plan in ngspice and write its table."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from pyspice_cim.cli.files import check_writable, duration, named_or_shipped, plain_console, print_json, say
from pyspice_cim.cli.options import EngineOptions, grouped
from pyspice_cim.errors import ConfigError
from pyspice_cim.units import clock

if TYPE_CHECKING:
    from pyspice_cim.characterization.engine.engine import Engine
    from pyspice_cim.characterization.engine.tally import Tally
    from pyspice_cim.characterization.plans.plan import Plan
    from pyspice_cim.tables import Table
    from pyspice_cim.technology import Technology

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class RunOptions(EngineOptions):
    """How ngspice runs, for how long, and where."""

    budget: Annotated[
        str | None,
        typer.Option(help="Time limit, e.g. 90s, 10m or 1h30m: later, no simulation starts; missing points are named."),
    ] = None
    executor: Annotated[
        str | None, typer.Option(help="Run on a dask cluster: dask://HOST:PORT of its scheduler (extra: dask).")
    ] = None

    @contextlib.contextmanager
    def open(self) -> "Iterator[Engine]":
        """An engine with these options, on the cluster if one is named."""
        from pyspice_cim.characterization.engine.executors import open_executor

        engine = self.engine(budget=None if self.budget is None else duration(self.budget))
        if self.executor is None:
            yield engine
            return
        with open_executor(self.executor) as cluster:
            engine = replace(engine, executor=cluster.executor, workers=self.workers or cluster.workers)
            yield engine


@app.command()
@grouped
def characterize(
    plan: Annotated[str, typer.Argument(help="Plan: a TOML file, or the name of a shipped plan (demo).")],
    run: RunOptions,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Table to write (HDF5), e.g. table.h5.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would run and how long it would take; write nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON on stdout, and nothing else there.")
    ] = False,
) -> None:
    """Measure cells, columns and drivers in ngspice by a plan, and write the table that calibrates a macro.

    A plan names a technology, corners, and what to measure at which sizes. Good simulations are kept by content, in
    PYSPICE_CIM_CACHE or else in the user's cache folder. So the same plan runs in seconds the next time, and an
    interrupted plan goes on where it stopped.

    A failed point is in the table with its reason, never as a number. The exit status is 1 if a point failed or is
    missing, on the grid or among the points that check the table.

    Example: pyspice-cim characterize demo --out table.h5
    """
    path = named_or_shipped("plans", plan, ".toml")
    run.check()
    if out is None and not dry_run:
        raise ConfigError("no table to write is named; give --out FILE.h5, or --dry-run")
    if out is not None and not dry_run:
        check_writable(out)
        _check_nothing_lost(out, path)
    # Imported here: --help answers at once.

    from pyspice_cim.characterization.plans.plan import load_plan
    from pyspice_cim.characterization.plans.sweep import characterize as run_plan
    from pyspice_cim.report.progress import EngineProgress
    from pyspice_cim.tables import load_table, save_table
    from pyspice_cim.technology import load_technology

    loaded = load_plan(path)

    def load(name: str) -> "Technology":
        # A technology's file is looked for beside the plan that names it.
        beside = path.parent / name
        return load_technology(beside if name.endswith(".toml") and beside.is_file() else name)

    with run.open() as engine:
        if out is None or dry_run:
            _forecast(loaded, engine, load, as_json)
            return
        with EngineProgress(f"characterize {loaded.name}") as progress:
            save_table(run_plan(loaded, replace(engine, progress=progress), load=load), out)
    if not _report(load_table(out), out, engine.tally, as_json):
        raise typer.Exit(1)


def _report(table: "Table", out: Path, tally: "Tally", as_json: bool) -> bool:
    """Print what the run found; true if every point, and every check of the table, has a value."""
    from pyspice_cim.tables.summary import audit, failures, held_out

    status = table.dataset["point_status"].values
    unknown = sum(each["unknown"] for checks in (held_out(table), audit(table)) for each in checks.values())
    if as_json:
        print_json(
            {
                "points": int(status.size),
                "checks": tally.benches - int(status.size),
                "errors_unknown": unknown,
                "cached": tally.benches_cached,
                "failed": int((status == "failed").sum()),
                "missing": int((status == "missing").sum()),
                "retried": int((table.dataset["point_rung"].values != "").sum()),
                "simulations": tally.simulations,
                "simulations_cached": tally.cached,
                "seconds": tally.elapsed,
                "cpu_seconds": tally.cpu_seconds,
                "ngspice_cpu_fraction": tally.ngspice_cpu_fraction,
                "table": str(out),
                "table_sha256": table.sha256,
                "failures": failures(table),
            }
        )
    else:
        _print_summary(table, out, tally)
        if unknown:
            say(
                f"{unknown} errors of the table (held-out points, audit) are unknown: `pyspice-cim table info` says why"
            )
    return not ((status != "ok").any() or unknown)


def _check_nothing_lost(out: Path, plan: Path) -> None:
    """Raise if writing ``out`` would replace anything but a table or an empty file.

    Raises:
        ConfigError: if ``out`` is the plan, or another file that is no table.
    """
    if not out.exists() or out.stat().st_size == 0:
        return
    if out.samefile(plan):
        raise ConfigError(f"--out {out} is the plan itself; give another name, e.g. {out.with_suffix('.h5').name}")
    import h5py

    from pyspice_cim.tables import SCHEMA

    try:
        with h5py.File(out, "r") as file:
            found = file.attrs.get("schema")
    except OSError:
        found = None
    # In a file of another program, this attribute may be an array.
    if not isinstance(found, str) or found != SCHEMA:
        raise ConfigError(f"--out {out} exists and is no table of this package; give another name, or remove the file")


def _forecast(plan: "Plan", engine: "Engine", load: "Callable[[str], Technology]", as_json: bool) -> None:
    from dataclasses import asdict

    from rich.table import Table as RichTable

    from pyspice_cim.characterization.plans.forecast import forecast
    from pyspice_cim.report.progress import EngineProgress

    with EngineProgress(f"look for {plan.name} in the cache") as progress:
        found = forecast(plan, replace(engine, progress=progress), load=load)
    total = sum(each.cpu_seconds for each in found) / engine.workers
    failed = sum(each.failed for each in found)
    if as_json:
        benches = [asdict(each) for each in found]
        points, cached = sum(each.points for each in found), sum(each.cached for each in found)
        print_json(
            {
                "points": points,
                "cached": cached,
                "failed": failed,
                "seconds": total,
                "workers": engine.workers,
                "benches": benches,
            }
        )
        if failed:
            raise typer.Exit(1)
        return
    overview = RichTable(title=f"plan {plan.name}: what would be run")
    overview.add_column("bench")
    for title in ("points", "cached", *["failed"] * bool(failed), "decks to run", "CPU time", "measured in"):
        overview.add_column(title, justify="right")
    for each in found:
        counts = (each.points, each.cached, *[each.failed] * bool(failed), each.decks)
        numbers = (str(number) for number in counts)
        overview.add_row(each.bench, *numbers, clock(each.cpu_seconds), each.measured_in)
    console = plain_console()
    console.print(overview)
    for each in found:
        for reason in each.reasons:
            console.print(f"{each.bench}: {reason}", soft_wrap=True, highlight=False)
    ahead = f"about {clock(total)} with {engine.workers} workers"
    console.print(f"time ahead: {ahead}; refinement and audit are not in it", soft_wrap=True, highlight=False)
    if failed:
        raise typer.Exit(1)


def _print_summary(table: "Table", out: Path, tally: "Tally") -> None:
    from rich.table import Table as RichTable

    console = plain_console()
    status, bench = table.dataset["point_status"].values, table.dataset["point_bench"].values
    retried = Counter(str(b) for b in bench[table.dataset["point_rung"].values != ""])
    counts = {wanted: Counter(str(b) for b in bench[status == wanted]) for wanted in ("ok", "failed", "missing")}
    overview = RichTable(title=f"{table.technology}, plan {table.dataset.attrs['plan']}")
    overview.add_column("bench")
    for title in ("points", "failed", "missing", "retried"):
        overview.add_column(title, justify="right")
    for name in dict.fromkeys(str(b) for b in bench):
        numbers = (
            sum(c[name] for c in counts.values()),
            counts["failed"][name],
            counts["missing"][name],
            retried[name],
        )
        overview.add_row(name, *(str(number) for number in numbers))
    console.print(overview)
    share = tally.ngspice_cpu_fraction
    spent = f"{clock(tally.cpu_seconds)} of CPU time in ngspice" + (f", {100 * share:.1f} % of all" if share else "")
    console.print(f"{tally.simulations} simulations, {tally.cached} of them cached; {spent}", highlight=False)
    console.print(f"wrote {out} ({len(table.quantities)} quantities, sha256 {table.sha256[:16]})", soft_wrap=True)
    if table.failures():
        failed = RichTable(title="points without a value in the table", title_style="red")
        for title in ("bench", "point", "status", "reason"):
            failed.add_column(title, overflow="fold")
        for number in (status != "ok").nonzero()[0]:
            where = (str(bench[number]), _place(table, int(number)), str(status[number]), _reason(table, int(number)))
            failed.add_row(*where)
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
