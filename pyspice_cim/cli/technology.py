"""``pyspice-cim technology``: list technologies, check one, measure one, or fit models to targets."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from pyspice_cim.characterization.devices.figures import measure_technology, technology_curves
from pyspice_cim.characterization.devices.fitting import fit_cards, write_fit
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.spice.simulation import Measurement
from pyspice_cim.characterization.technology_check.check import TechnologyCheck, check_technology
from pyspice_cim.cli.files import check_picture, plain_console
from pyspice_cim.errors import CimError, TechnologyError
from pyspice_cim.resources import atomic_write
from pyspice_cim.technology import Corner, Technology, builtin_technologies, load_technology
from pyspice_cim.technology.fields import Target
from pyspice_cim.technology.targets import load_targets
from pyspice_cim.units import engineering

app = typer.Typer(
    no_args_is_help=True,
    help="Transistors and their models: measure and check a technology, or make one from targets.",
)


@app.command()
def fit(
    targets: Annotated[str, typer.Argument(help="TOML file of targets, or a built-in name: generic45lp, generic65.")],
    output: Annotated[Path, typer.Option(help="Folder for NAME.toml and NAME.cards.")] = Path(),
    keep: Annotated[bool, typer.Option("--keep", help="Write the files although a target is missed.")] = False,
) -> None:
    """Fit BSIM4 transistor models to targets with ngspice; takes a few seconds.

    Six parameters of each transistor (n and p) are fitted to its currents and thresholds. The command writes two files:
    NAME.toml (the technology) and NAME.cards (its models). Every other command takes NAME.toml.

    Example: pyspice-cim technology fit generic45lp --output models
    """
    wanted = load_targets(targets)
    console, notes = plain_console(), plain_console(stderr=True)
    with notes.status(Text(f"fitting {wanted.name}")) as status:

        def progress(device: str, evaluations: int, residual: float) -> None:
            status.update(Text(f"{wanted.name} {device}: {evaluations} runs, largest residual {residual:.2g}"))

        result = fit_cards(wanted, NgspiceSimulator(), progress)
    table = Table(title=f"{result.name}: fitted in {result.seconds:.1f} s")
    for title in ("metric", "target", "fitted", "deviation"):
        table.add_column(title, justify="left" if title == "metric" else "right")
    for device, fitted in result.fits.items():
        for metric, target in wanted.targets[device].items():
            if metric in fitted.figures:
                value = fitted.figures[metric]
                unit = "A/um" if metric.startswith("i") else "V"
                table.add_row(
                    f"{device} {metric}",
                    engineering(target.si, unit),
                    engineering(value, unit),
                    f"{value / target.si - 1:+.1%}",
                )
    console.print(table)
    if result.missed and not keep:
        raise TechnologyError(
            f"{result.name}: targets are missed, nothing was written: {'; '.join(result.missed)}. Change the targets "
            "or the card constants, or give --keep to write the files with missed targets"
        )
    for path in write_fit(result, output):
        console.print(f"wrote {path}", soft_wrap=True)


@app.command(name="list")
def list_technologies(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")] = False,
) -> None:
    """List the built-in technologies, and whether their models are installed.

    Example: pyspice-cim technology list
    """
    rows = [_listed(name) for name in builtin_technologies()]
    if as_json:
        typer.echo(json.dumps({"technologies": rows}, indent=2))
        return
    table = Table()
    for title in ("name", "supply", "gate", "corners", "models", "source"):
        table.add_column(title, no_wrap=title in {"name", "supply", "gate"}, overflow="fold")
    for row in rows:
        corners = " ".join(row["corners"]) + (" (synthetic)" if row["synthetic_corners"] else "")
        supply, gate = engineering(row["vdd"], "V"), engineering(row["gate_length"], "m")
        table.add_row(row["name"], supply, gate, corners, row["missing"] or "ready", row["source"])
    console = plain_console()
    console.print(table)
    console.print(
        "Your own technology: the path of a TOML file. To check it: pyspice-cim technology check FILE",
        soft_wrap=True,
    )


@app.command()
def check(
    technology: Annotated[str, typer.Argument(help="Built-in name (see `technology list`) or a TOML file.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout in place of a table, and nothing else there.")
    ] = False,
) -> None:
    """Run a technology at every corner and name its problems; takes a few seconds.

    Checked are: transistors, FO4 delay and noise margins at all corners, and at the ends of supply and temperature;
    widths, multipliers and threshold shifts; the ends of the size ranges; every built-in circuit.

    The exit status is 0 without problems, 1 with problems, and 2 if the file cannot be used at all.

    Example: pyspice-cim technology check my_process.toml
    """
    try:
        loaded = load_technology(technology)
    except CimError as error:
        if not as_json:
            raise
        typer.echo(json.dumps({"technology": technology, "ok": False, "error": str(error), "problems": []}, indent=2))
        raise typer.Exit(error.exit_status) from error
    simulator = NgspiceSimulator()
    # Asked once here: a missing ngspice is one error, not a problem of every corner.
    version = simulator.version
    with plain_console(stderr=True).status(Text(f"checking {loaded.name}")) as status:
        outcome = check_technology(loaded, simulator, lambda where: status.update(Text(f"{loaded.name}: {where}")))
    if as_json:
        typer.echo(json.dumps(_check_summary(loaded, outcome, version), indent=2))
    else:
        _print_check(loaded, outcome)
    if not outcome.ok:
        raise typer.Exit(1)


@app.command()
def show(
    technology: Annotated[str, typer.Argument(help="Built-in name (see `technology list`) or a TOML file.")],
    corner: Annotated[
        str, typer.Option(help="Process corner: tt, ff, ss, fs or sf; the first letter stands for the n transistor.")
    ] = "tt",
    vdd: Annotated[float | None, typer.Option(help="Supply voltage in V; default: nominal supply.")] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Temperature in degrees Celsius; default: nominal temperature.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw the curves into this file (.png, .pdf or .svg).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (SI units) in place of a table.")] = False,
) -> None:
    """Measure a technology with ngspice and compare the metrics with their targets.

    Measured are: drive and leakage currents, thresholds, FO4 delay (an inverter that drives four), and the static noise
    margins of the 6T cell. Targets hold for corner tt at nominal supply and temperature, and are compared there only.

    Example: pyspice-cim technology show generic45lp --corner ss
    """
    loaded = load_technology(technology)
    condition = Corner(
        process=corner,
        vdd=loaded.supply.nominal_v if vdd is None else vdd,
        temperature_c=loaded.temperature.nominal_c if temperature is None else temperature,
    )
    if figure is not None:
        check_picture("--figure", figure, TechnologyError)
    simulator = NgspiceSimulator()
    measured = measure_technology(loaded, condition, simulator)
    if as_json:
        typer.echo(json.dumps(summary(loaded, condition, measured), indent=2))
    else:
        console = plain_console()
        console.print(_table(loaded, condition, measured, wide=console.width >= 115))
    if figure is not None:
        from pyspice_cim.report.technology_figure import technology_figure

        picture = technology_figure(technology_curves(loaded, condition, simulator))
        with atomic_write(figure) as path:
            picture.savefig(path, dpi=150, format=figure.suffix.lower()[1:])
        plain_console(stderr=True).print(f"wrote {figure}", soft_wrap=True)


def _listed(name: str) -> dict[str, Any]:
    described = load_technology(name, check_files=False)
    try:
        load_technology(name)
        missing = ""
    except CimError as error:
        missing = described.models.install or str(error)
    return {
        "name": name,
        "vdd": described.supply.nominal_v,
        "gate_length": described.gate_length,
        "corners": list(described.corners),
        "synthetic_corners": any(corner.synthetic for corner in described.corners.values()),
        "missing": missing,
        "source": described.source,
    }


# Columns of the table of a check: metric and title.
_SHOWN = {
    "nmos_ion": "n Ion",
    "pmos_ion": "p Ion",
    "nmos_ioff": "n Ioff",
    "pmos_ioff": "p Ioff",
    "fo4": "FO4",
    "snm_hold": "hold SNM",
    "snm_read": "read SNM",
}


def _check_summary(technology: Technology, outcome: TechnologyCheck, simulator: str) -> dict[str, Any]:
    return {
        "technology": technology.name,
        "source": technology.source,
        "sha256": technology.sha256,
        "simulator": simulator,
        "ok": outcome.ok,
        "problems": [asdict(problem) for problem in outcome.problems],
        "notes": list(outcome.notes),
        "units": dict(outcome.units),
        "figures": {where: dict(figures) for where, figures in outcome.figures.items()},
    }


def _print_check(technology: Technology, outcome: TechnologyCheck) -> None:
    console = plain_console()
    condition = (
        f"{technology.supply.nominal_v:g} V, {technology.temperature.nominal_c:g} C unless a row names another value"
    )
    table = Table(title=f"{technology.name}: {condition}", caption=technology.source)
    table.add_column("condition", no_wrap=True)
    for title in _SHOWN.values():
        table.add_column(title, justify="right")
    for where, figures in outcome.figures.items():
        values = [engineering(figures.get(name), outcome.units.get(name, ""), 3) for name in _SHOWN]
        table.add_row(where, *values)
    if outcome.figures:
        console.print(table)
    for note in outcome.notes:
        console.print(f"note: {note}", soft_wrap=True, highlight=False)
    for problem in outcome.problems:
        text = f"PROBLEM {problem.where}: {problem.what}\n  -> {problem.remedy}"
        console.print(text, soft_wrap=True, highlight=False)
    count = len(outcome.problems)
    console.print("All is well." if outcome.ok else f"{count} problem{'s' if count > 1 else ''} found.")


def target_of(technology: Technology, name: str) -> Target | None:
    """The target of the metric ``name`` (e.g. ``nmos_ion``), or ``None`` if the technology has no such target."""
    group, _, metric = name.partition("_")
    if group in technology.targets and group in technology.devices:
        return technology.targets[group].get(metric)
    return technology.targets.get("circuit", {}).get(name)


def summary(technology: Technology, corner: Corner, measured: dict[str, Measurement]) -> dict[str, Any]:
    """The data that ``show --json`` prints, in SI units."""
    metrics: dict[str, Any] = {}
    for name, item in measured.items():
        metrics[name] = {"value": item.value, "unit": item.unit, "reason": item.reason, "description": item.description}
        target = target_of(technology, name)
        if target is not None and _comparable(technology, corner):
            metrics[name]["target"] = {
                "value": target.si,
                "tolerance": target.tolerance,
                "confidence": target.confidence,
                "source": target.source,
            }
    return {
        "technology": technology.name,
        "source": technology.source,
        "sha256": technology.sha256,
        "corner": corner.model_dump(),
        "synthetic_corner": technology.corners[corner.process].synthetic,
        "figures": metrics,
    }


def _comparable(technology: Technology, corner: Corner) -> bool:
    nominal = (technology.supply.nominal_v, technology.temperature.nominal_c)
    return corner.process == "tt" and (corner.vdd, corner.temperature_c) == nominal


def _table(technology: Technology, corner: Corner, measured: dict[str, Measurement], *, wide: bool) -> Table:
    synthetic = " (synthetic)" if technology.corners[corner.process].synthetic else ""
    table = Table(
        title=f"{technology.name}, corner {corner.process}{synthetic}, {corner.vdd:g} V, {corner.temperature_c:g} C",
        caption="targets: public values, or values chosen by this project; the technology's TOML names each source",
    )
    # A narrow terminal has no room for meanings, but the reason of a missing value is always shown.
    explained = wide or any(item.reason for item in measured.values())
    table.add_column("metric", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("target", justify="right", no_wrap=True)
    table.add_column("deviation", justify="right", no_wrap=True)
    table.add_column("confidence")
    if explained:
        table.add_column("meaning")
    compare = _comparable(technology, corner)
    for name, item in measured.items():
        target = target_of(technology, name) if compare else None
        value = float(item.value) if item.value is not None else None
        cells = ["", "", ""]
        if target is not None:
            deviation = "n/a" if value is None else f"{value / target.si - 1:+.1%}"
            cells = [engineering(target.si, item.unit), deviation, target.confidence]
        meaning = [item.reason or item.description] if explained else []
        table.add_row(name, engineering(value, item.unit), *cells, *meaning)
    return table
