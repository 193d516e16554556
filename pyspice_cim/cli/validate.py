"""``pyspice-cim validate``: compare the behavioral model with the transistors, bit by bit."""

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from pyspice_cim.cli.files import plain_console, print_json
from pyspice_cim.cli.options import AsJson, EngineOptions, PointOptions, TableChoice, grouped
from pyspice_cim.units import engineering

if TYPE_CHECKING:
    from pyspice_cim.validation import CosimReport

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class CosimOptions:
    """Size of the macro and number of cases: the fields of ``validation.CosimSpec``."""

    PANEL: ClassVar[str] = "Macro and cases"

    neurons: Annotated[int, typer.Option(help="Neurons of the macro: its columns.")] = 4
    inputs: Annotated[int, typer.Option(help="Inputs of the macro.")] = 4
    weight_bits: Annotated[int, typer.Option(help="Bits of a weight (two's complement).")] = 4
    membrane_bits: Annotated[int, typer.Option(help="Bits of a membrane (two's complement).")] = 8
    steps: Annotated[int, typer.Option(help="Time steps of each case.")] = 2
    vectors: Annotated[
        int, typer.Option(help="Random cases: weights, spikes, membranes, decay, threshold and kind of reset.")
    ] = 3
    seed: Annotated[int, typer.Option(help="Seed of the cases; the same seed gives the same cases.")] = 7


@app.command()
@grouped
def validate(
    size: CosimOptions,
    choice: TableChoice,
    at: PointOptions,
    simulation: EngineOptions,
    rows: Annotated[int | None, typer.Option(help="Rows of a memory segment; default: 16.")] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a small macro as transistors and as a model, and compare every bit after every operation.

    Energy and time in SPICE are compared with the predictions of the table. The cases include those that a model
    gets wrong first: negative membranes, a membrane exactly at the threshold, saturation, no input, all inputs. A
    case of the default size takes half a minute. The exit status is 1 if a bit differs or a case cannot be simulated.

    Example: pyspice-cim validate --neurons 4 --inputs 4 --steps 2 --vectors 3 --seed 7
    """
    simulation.check()
    opened = choice.open()
    # Imported here: --help answers at once.
    from pyspice_cim.report.progress import EngineProgress
    from pyspice_cim.technology import load_technology
    from pyspice_cim.validation import CosimSpec, cosimulate

    spec = CosimSpec(**asdict(size))
    with EngineProgress("validate", unit="vectors") as progress:
        drawn_in = None if choice.technology is None else load_technology(choice.technology)
        more = {} if rows is None else {"rows": rows}
        conditions = at.point(opened, technology=drawn_in, clips=False, **more)
        report = cosimulate(
            spec, opened, replace(simulation.engine(), progress=progress), technology=drawn_in, **conditions
        )
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
