"""``pyspice-cim simulate``: run a network on calibrated macros; needs neither PySpice nor ngspice."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pyspice_cim.cli.files import check_writable, given_only, json_text, named_or_shipped, open_table, print_json
from pyspice_cim.cli.nir_network import (
    check_unused,
    is_nir,
    load_nir,
    load_spikes,
    obstacle,
    own_sizes,
    print_import,
    print_without_macros,
    run_without_macros,
)
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.resources import write_atomically
from pyspice_cim.units import engineering

if TYPE_CHECKING:
    from pyspice_cim.behavioral.network import MappedNetwork, RunReport
    from pyspice_cim.behavioral.network_file import NetworkFile

app = typer.Typer()


@app.command()
def simulate(
    network: Annotated[
        str, typer.Argument(help="Network file (.h5, or .nir of another tool), or the name of a shipped one (digits).")
    ] = "digits",
    data: Annotated[
        str,
        typer.Option(
            help="digits (held-out images of scikit-learn's), or a .npz file with spikes[time, batch, input] "
            "of 0 and 1 and, if there are, labels[batch]."
        ),
    ] = "digits",
    table: Annotated[
        Path | None, typer.Option(help="Table that calibrates the macros; default: the shipped reference table.")
    ] = None,
    technology: Annotated[
        str | None, typer.Option(help="Technology that the table must be of, e.g. generic45lp; default: the table's.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Only the first so many samples; default: all.")] = None,
    energy: Annotated[
        Literal["exact", "expected"],
        typer.Option(help="exact counts every bit; expected is faster, takes means, and states its error."),
    ] = "exact",
    process: Annotated[str | None, typer.Option(help="Process corner: tt, ff, ss, fs or sf; default: tt.")] = None,
    vdd: Annotated[float | None, typer.Option(help="Supply voltage in V; default: 1.1.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature in C; default: 27.")] = None,
    rows: Annotated[int | None, typer.Option(help="Rows of a memory segment; default: 16.")] = None,
    macro_neurons: Annotated[
        int | None,
        typer.Option(help="Columns of a macro; default: a macro for every fully connected layer, else 64."),
    ] = None,
    macro_inputs: Annotated[
        int | None, typer.Option(help="Weight rows of a macro, in inputs; default: as for --macro-neurons.")
    ] = None,
    outside: Annotated[
        Literal["raise", "clip"],
        typer.Option(help="Where the table does not reach: raise an error, or clip to its edge and count it."),
    ] = "raise",
    dt: Annotated[
        float | None, typer.Option(help="NIR: time step in the unit of the graph's tau; needed by LIF neurons.")
    ] = None,
    reset: Annotated[
        Literal["subtract", "zero"] | None, typer.Option(help="NIR: what a spike leaves; the file does not state it.")
    ] = None,
    integration: Annotated[
        Literal["exact", "euler"] | None,
        typer.Option(help="NIR: how dt enters the decay; euler for snnTorch and Norse; default: exact."),
    ] = None,
    weight_bits: Annotated[int | None, typer.Option(help="NIR: bits of a weight; default: 4.")] = None,
    membrane_bits: Annotated[int | None, typer.Option(help="NIR: bits of a membrane; default: 8.")] = None,
    decay: Annotated[
        Literal["clamp", "toward_zero", "none", "exponential"] | None,
        typer.Option(help="NIR: rule of the decay; only clamp runs on macros; default: clamp."),
    ] = None,
    calibrate: Annotated[
        Path | None, typer.Option(help="NIR: .npz file with spikes, on which lambda is fitted and saturation counted.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON (SI units) on stdout, and nothing else there.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the report (JSON) into this file.")] = None,
) -> None:
    """Run a network on calibrated SRAM macros: accuracy, energy by component, energy per SOP, latency.

    Bits are those that the transistors would hold; energies are counted events times the values of the table. Neither
    ngspice nor PySpice is needed.

    A .nir network is quantized first; what no macro can run (decays other than clamp, most average pools) gives its
    accuracy without an energy: pyspice-cim simulate net.nir --data test.npz --dt 1e-3 --reset subtract

    Example: pyspice-cim simulate digits --samples 100
    """
    from pyspice_cim.behavioral.config import MacroConfig
    from pyspice_cim.behavioral.macro import integer_layer
    from pyspice_cim.behavioral.network import MappedNetwork, Network
    from pyspice_cim.behavioral.network_file import load_network

    check_writable(out)
    if samples is not None and samples < 1:
        raise ConfigError(f"samples is {samples}; it must be 1 or more")
    conditions = given_only(process=process, vdd=vdd, temperature_c=temperature, rows=rows, outside=outside)
    options: dict[str, Any] = {
        "dt": dt,
        "reset": reset,
        "integration": integration,
        "weight_bits": weight_bits,
        "membrane_bits": membrane_bits,
        "decay": decay,
        "calibrate": calibrate,
    }
    size = given_only(neurons=macro_neurons, inputs=macro_inputs)
    imported, reason = None, ""
    macros: MappedNetwork | None = None
    if is_nir(network):
        imported = load_nir(network, **options)
        spikes, labels = load_spikes(Path(data), samples)
        spikes = imported.inputs(spikes)
        loaded, layers, shape = own_sizes(imported, len(spikes)), imported.layers, spikes.shape[2:]
    else:
        check_unused(network, options)
        loaded = load_network(named_or_shipped("networks", network, ".h5"))
        layers, shape = tuple(integer_layer(each) for each in loaded.layers), loaded.shape[:1]
    calibration = open_table(table, technology)
    given = MacroConfig(technology=calibration.technology, **({"neurons": 64, "inputs": 64} | size | conditions))
    if imported is not None:
        reason = obstacle(layers, shape, given)
    # Before data that no file holds: a macro that the table does not cover is known at once.
    if reason:
        result = run_without_macros(layers, spikes, labels, reason)
    else:
        if loaded is not None and not size:
            macros = Network(loaded, calibration, **conditions)
        else:
            macros = MappedNetwork(layers, shape, calibration, given)
        if imported is None and loaded is not None:
            spikes, labels = _data(data, loaded, samples)
        report = macros.run(spikes, labels, energy=energy)
        result = report.to_dict() | {"provenance": dict(report.provenance)}
    result |= {"data": data, "conditions": conditions}
    if imported is not None:
        result["import"] = [layer.to_dict() for layer in imported.report]
    if out is not None:
        write_atomically(out, (json_text(result) + "\n").encode())
    if as_json:
        print_json(result)
        return
    if imported is not None:
        print_import(imported)
    if macros is None:
        print_without_macros(result)
    else:
        _print_report(report, macros)


def _data(data: str, network: "NetworkFile", samples: int | None) -> tuple[Any, Any]:
    """Spikes [time, batch, input] and labels [batch] (or ``None``)."""
    if data != "digits":
        if Path(data).suffix != ".npz":
            raise DataError(f"--data {data} is neither digits nor a .npz file")
        return load_spikes(Path(data), samples)
    from pyspice_cim.behavioral.datasets import digits

    images, classes = digits("test")
    if images.shape[1] != network.shape[0]:
        raise DataError(f"the digits have {images.shape[1]} inputs, the network {network.shape[0]}; name other --data")
    return network.encoder.encode(images[:samples], network.steps), classes[:samples]


def _print_report(report: "RunReport", network: "MappedNetwork") -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    sizes = [math.prod(network.mapping.shape), *(math.prod(each.link.output) for each in network.mapping.maps)]
    shown = RichTable(title=f"network {'-'.join(map(str, sizes))}, {report.samples} samples, means of one inference")
    shown.add_column("what")
    shown.add_column("value", justify="right")
    if report.accuracy is not None:
        shown.add_row("accuracy", f"{100 * report.accuracy:.2f} %")
    shown.add_row("energy", engineering(report.energy, "J"))
    for name, part in sorted(report.energy_components.items(), key=lambda item: -item[1]):
        shown.add_row(f"  {name.replace('_', ' ')}", f"{engineering(part, 'J')}  {100 * part / report.energy:4.1f} %")
    shown.add_row("energy per SOP", engineering(report.energy_per_sop, "J"))
    shown.add_row("SOPs (active inputs x neurons)", f"{report.sops:.0f}")
    for name, latency in report.latency.items():
        shown.add_row(f"latency, {name.replace('_', ' ')} decay", engineering(latency, "s"))
    for name, update in report.state_update_energy.items():
        shown.add_row(f"energy of all decays, {name.replace('_', ' ')}", engineering(update, "J"))
    shown.add_row("macros of each layer", ", ".join(map(str, report.macros)))
    shown.add_row("cycle of each layer's macro", ", ".join(engineering(cycle, "s") for cycle in report.cycle))
    shown.add_row("calibration residual of an operation", f"{100 * report.residual:.2f} % RMS")
    if report.energy_error:
        shown.add_row("error of the expected energies", f"{100 * report.energy_error:.2f} % RMS")
    shown.add_row("look-ups clipped to the table's edge", str(report.outside_table))
    console = Console()
    console.print(shown)
    of = report.provenance
    console.print(
        f"{of['technology']}, table {of['table']} ({of['table_sha256'][:16]}), {of['ngspice']}", soft_wrap=True
    )
