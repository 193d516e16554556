"""``pyspice-cim simulate``: run a network on calibrated macros; needs neither PySpice nor ngspice."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pyspice_cim.cli.conditions import operating_point
from pyspice_cim.cli.files import check_writable, given_only, json_text, open_table, print_json
from pyspice_cim.cli.macros import divided, macro_sizes, mapped_network, not_computed
from pyspice_cim.cli.networks import load, print_import
from pyspice_cim.errors import ConfigError, OutsideTableError
from pyspice_cim.resources import write_atomically

app = typer.Typer()


@app.command()
def simulate(
    network: Annotated[
        str, typer.Argument(help="Network file (.h5, or .nir of another tool), or the name of a shipped one (digits).")
    ] = "digits",
    data: Annotated[
        str | None,
        typer.Option(
            help="digits, mnist, spoken_digits, shd or nmnist (test sets; files lie below PYSPICE_CIM_DATA); a .npz "
            "file with spikes[time, batch, input] of 0 and 1 and, if there are, labels[batch]; an SHD file (.h5); a "
            "folder of N-MNIST. Default: the set that a shipped network is named after, else digits."
        ),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Table that calibrates the macros; default: the shipped reference table.")
    ] = None,
    technology: Annotated[
        str | None, typer.Option(help="Technology that the table must be of, e.g. generic45lp; default: the table's.")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Only the first so many samples; default: all.")] = None,
    energy: Annotated[
        Literal["none", "expected", "exact"],
        typer.Option(
            help="exact counts every bit; expected is faster, takes means, and states its error; none: no energy."
        ),
    ] = "exact",
    process: Annotated[str | None, typer.Option(help="Process corner: tt, ff, ss, fs or sf; default: tt.")] = None,
    vdd: Annotated[
        float | None, typer.Option(help="Supply voltage in V; default: the technology's nominal one.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Temperature in C; default: the nominal one.")] = None,
    rows: Annotated[int | None, typer.Option(help="Rows of a memory segment; default: 16, if words fit.")] = None,
    macro_neurons: Annotated[
        int | None,
        typer.Option(
            help="Columns of a macro; default: those of each fully connected layer, as far as the table reaches, "
            "or 64 if there are convolutions."
        ),
    ] = None,
    macro_inputs: Annotated[
        int | None, typer.Option(help="Inputs of a macro, of 4 bits a weight; default: as for --macro-neurons.")
    ] = None,
    outside: Annotated[
        Literal["raise", "clip"],
        typer.Option(help="Where the table does not reach: raise an error, or clip to its edge and count it."),
    ] = "raise",
    steps: Annotated[
        int | None,
        typer.Option(help="Time steps of a sample; default: the network's; a .nir file does not state them."),
    ] = None,
    encoder: Annotated[
        Literal["bernoulli", "regular", "latency"] | None,
        typer.Option(help="How images and sounds become spikes; default: as the network states, else bernoulli."),
    ] = None,
    max_rate: Annotated[
        float | None, typer.Option(help="Spikes a step of an input of value 1; default: the network's, else 1.")
    ] = None,
    step_seconds: Annotated[
        float | None, typer.Option(help="Events: duration of a step in s; default: the steps share a whole recording.")
    ] = None,
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
    from pyspice_cim.cli.data import NAMES, Asked, load_data
    from pyspice_cim.cli.simulate_report import NOT_ASKED, print_report, print_without_macros, run_without_macros

    check_writable(out)
    if samples is not None and samples < 1:
        raise ConfigError(f"--samples is {samples}; it must be 1 or more")
    loaded = load(
        network,
        dt=dt,
        reset=reset,
        integration=integration,
        weight_bits=weight_bits,
        membrane_bits=membrane_bits,
        decay=decay,
        calibrate=calibrate,
    )
    calibration = open_table(table, technology)
    given = given_only(process=process, vdd=vdd, temperature_c=temperature, outside=outside)
    conditions = operating_point(calibration, given)
    size = given_only(neurons=macro_neurons, inputs=macro_inputs)
    # Before data that no file holds: a macro that the table does not cover is known at once.
    reason, macros = not_computed(loaded.layers, loaded.seen), None
    if not reason:
        try:
            macros = mapped_network(loaded.layers, loaded.seen, calibration, conditions, rows=rows, size=size)
        except (ConfigError, OutsideTableError):
            # Whoever asks for no energy gets the bits, unless it is an option that does not fit.
            if energy != "none" or size or rows is not None:
                raise
            reason = f"{NOT_ASKED}, and table {calibration.source} does not reach its macros"
    data = data or (network if network in NAMES else "digits")
    asked = Asked(
        shape=loaded.shape,
        classes=loaded.classes,
        steps=loaded.steps,
        encoder=loaded.encoder,
        options=given_only(steps=steps, encoder=encoder, max_rate=max_rate, step_seconds=step_seconds),
        samples=samples,
    )
    spikes, labels = load_data(data, asked)
    spikes = loaded.inputs(spikes)
    if macros is None:
        result = run_without_macros(loaded.layers, spikes, labels, reason)
    else:
        report = macros.run(spikes, labels, energy=energy)
        result = report.to_dict() | {"provenance": dict(report.provenance) | loaded.provenance}
        result |= {"energy_unavailable": NOT_ASKED if energy == "none" else None}
        result |= {"macro_sizes": macro_sizes(macros), "divided": divided(macros, size)}
        conditions |= {"rows": macros.mapping.maps[0].config.rows}
    result |= {"data": data, "conditions": conditions}
    if loaded.imported is not None:
        result["import"] = [layer.to_dict() for layer in loaded.imported.report]
    if out is not None:
        write_atomically(out, (json_text(result) + "\n").encode())
    if as_json:
        print_json(result)
        return
    if loaded.imported is not None:
        print_import(loaded.imported)
    if macros is None:
        print_without_macros(result)
    else:
        print_report(report, macros, result)
