"""``pyspice-cim validate``: hold the behavioral model against the transistors, bit by bit."""

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyspice_cim.cli.conditions import operating_point
from pyspice_cim.cli.files import checked_workers, given_only, open_table, plain_console, print_json
from pyspice_cim.units import engineering

if TYPE_CHECKING:
    from pyspice_cim.validation import CosimReport

app = typer.Typer()


@app.command()
def validate(
    neurons: Annotated[int, typer.Option(help="Neurons of the macro: its columns.")] = 4,
    inputs: Annotated[int, typer.Option(help="Inputs of the macro.")] = 4,
    weight_bits: Annotated[int, typer.Option(help="Bits of a weight, two's complement.")] = 4,
    membrane_bits: Annotated[int, typer.Option(help="Bits of a membrane, two's complement.")] = 8,
    steps: Annotated[int, typer.Option(help="Time steps of every vector.")] = 2,
    vectors: Annotated[
        int, typer.Option(help="Random cases: weights, spikes, membranes, decay, threshold, kind of reset.")
    ] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the cases; the same seed gives the same cases.")] = 7,
    table: Annotated[
        Path | None, typer.Option(help="Table that calibrates the model; default: the shipped reference table.")
    ] = None,
    technology: Annotated[
        str | None, typer.Option(help="Technology that the table must be of, e.g. generic45lp; default: the table's.")
    ] = None,
    rows: Annotated[int | None, typer.Option(help="Rows of a memory segment; default: 16.")] = None,
    process: Annotated[str | None, typer.Option(help="Process corner: tt, ff, ss, fs or sf; default: tt.")] = None,
    vdd: Annotated[
        float | None, typer.Option(help="Supply voltage in V; default: the technology's nominal one.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature in C; default: the nominal one.")] = None,
    workers: Annotated[int | None, typer.Option(help="ngspice processes at a time; default: one a core.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Simulate everything anew.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as JSON on stdout, and nothing else there.")
    ] = False,
) -> None:
    """Run a small macro as transistors and as a model, and compare every bit after every operation.

    Energy and time in SPICE are held against what the table predicts. The cases that a model gets wrong first are put in:
    negative membranes, a membrane at exactly the threshold, saturation, no input, all inputs. Half a minute for each
    vector at the default size; exit status 1 if a bit differs or a vector could not be simulated.

    Example: pyspice-cim validate --neurons 4 --inputs 4 --steps 2 --vectors 3 --seed 7
    """
    checked_workers(workers)
    opened = open_table(table, technology)
    from pyspice_cim.characterization.engine.cache import Cache
    from pyspice_cim.characterization.engine.engine import Engine
    from pyspice_cim.report.progress import EngineProgress
    from pyspice_cim.technology import load_technology
    from pyspice_cim.validation import CosimSpec, cosimulate

    spec = CosimSpec(
        neurons=neurons,
        inputs=inputs,
        weight_bits=weight_bits,
        membrane_bits=membrane_bits,
        steps=steps,
        vectors=vectors,
        seed=seed,
    )
    cache = None if no_cache else Cache()
    with EngineProgress("validate", unit="vectors") as progress:
        engine = Engine(cache=cache, workers=workers or os.cpu_count() or 1, progress=progress)
        given = given_only(rows=rows, process=process, vdd=vdd, temperature_c=temperature)
        drawn_in = None if technology is None else load_technology(technology)
        conditions = operating_point(opened, given, technology=drawn_in, clips=False)
        report = cosimulate(spec, opened, engine, technology=drawn_in, **conditions)
    if as_json:
        print_json({field.name: getattr(report, field.name) for field in fields(report)})
    else:
        _print_report(report)
    if not report.ok:
        raise typer.Exit(1)


def _print_report(report: "CosimReport") -> None:
    from rich.table import Table as RichTable
    from rich.text import Text

    def percent(value: float | None) -> str:
        return engineering(value, "%", 3)

    shown = RichTable(title=f"{report.vectors} vectors, {report.operations} operations: SPICE against the model")
    shown.add_column("what")
    shown.add_column("result", justify="right")
    verdict = ("wrong", "red" if report.bits_wrong else "")
    shown.add_row("bits", Text.assemble(f"{report.bits_wrong} ", verdict, f" of {report.bits_compared}"))
    shown.add_row("energy of an operation, mean error", percent(report.energy_error_mean_pct))
    shown.add_row("energy of an operation, largest error", percent(report.energy_error_max_pct))
    shown.add_row("energy of all vectors, predicted over SPICE", percent(report.energy_bias_pct))
    shown.add_row("time of the last bit, largest error", percent(report.latency_error_pct))
    for case, count in report.cases.items():
        shown.add_row(f"case covered: {case.replace('_', ' ')}", str(count))
    console = plain_console()
    console.print(shown)
    for reason in report.failures:
        console.print(Text.assemble(("could not be simulated:", "red"), f" {reason}"), soft_wrap=True)
