"""``pyspice-cim simulate``: run a network on calibrated macros; needs neither PySpice nor ngspice."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pyspice_cim.cli.data import NAMES, Asked, DataOptions, load_data
from pyspice_cim.cli.files import check_writable, json_text, print_json
from pyspice_cim.cli.macros import MacroOptions, divided, macro_sizes, mapped_network, not_computed
from pyspice_cim.cli.networks import ImportOptions, Loaded, load, print_import
from pyspice_cim.cli.options import AsJson, PointOptions, TableChoice, grouped
from pyspice_cim.cli.simulate_report import NOT_ASKED, print_report, print_without_macros, run_without_macros
from pyspice_cim.errors import ConfigError, OutsideTableError
from pyspice_cim.resources import write_atomically

if TYPE_CHECKING:
    from pyspice_cim.behavioral.macro.network import MappedNetwork
    from pyspice_cim.tables import Table

app = typer.Typer()


@app.command()
@grouped
def simulate(
    data: DataOptions,
    choice: TableChoice,
    at: PointOptions,
    size: MacroOptions,
    nir: ImportOptions,
    network: Annotated[
        str, typer.Argument(help="Network file (.h5, or .nir of another tool), or name of a shipped network (digits).")
    ] = "digits",
    energy: Annotated[
        Literal["none", "expected", "exact"],
        typer.Option(
            help="exact: count every bit; expected: use means (faster), and state their error; none: no energy."
        ),
    ] = "exact",
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option(help="Also write the report (JSON) into this file.")] = None,
) -> None:
    """Run a network on calibrated SRAM macros: accuracy, energy by component, energy per SOP, latency.

    Every bit is the bit that the transistors would hold. An energy is a sum of counted events times values of the
    table. Neither ngspice nor PySpice is needed.

    A .nir network is quantized first. If no macro can compute a layer (a decay other than clamp, most average pools),
    the report has the accuracy and no energy: pyspice-cim simulate net.nir --data test.npz --dt 1e-3 --reset subtract

    Example: pyspice-cim simulate digits --samples 100
    """
    check_writable(out)
    data.check()
    loaded = load(network, nir)
    table = choice.open()
    conditions = at.point(table, outside=size.outside)
    # Macros come first: an error of the table is known before large data are read.
    macros, reason = _macros(loaded, table, conditions, size, energy)
    name = data.data or (network if network in NAMES else "digits")
    asked = Asked(shape=loaded.shape, classes=loaded.classes, steps=loaded.steps, encoder=loaded.encoder, options=data)
    spikes, labels = load_data(name, asked)
    spikes = loaded.inputs(spikes)
    if macros is None:
        result = run_without_macros(loaded.layers, spikes, labels, reason)
    else:
        report = macros.run(spikes, labels, energy=energy)
        result = report.to_dict() | {"provenance": dict(report.provenance) | loaded.provenance}
        result |= {"energy_unavailable": NOT_ASKED if energy == "none" else None}
        result |= {"macro_sizes": macro_sizes(macros), "divided": divided(macros, size.size)}
        conditions |= {"rows": macros.mapping.maps[0].config.rows}
    result |= {"data": name, "conditions": conditions}
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


def _macros(
    loaded: Loaded, table: "Table", point: dict[str, Any], options: MacroOptions, energy: str
) -> "tuple[MappedNetwork | None, str]":
    """The network on macros, or ``None`` and the reason why there are no macros.

    Raises:
        ConfigError, OutsideTableError: if the table does not reach the macros, and an energy or a size is asked for.
    """
    reason = not_computed(loaded.layers, loaded.seen)
    if reason:
        return None, reason
    try:
        size = options.size
        return mapped_network(loaded.layers, loaded.seen, table, point, rows=options.rows, size=size), ""
    except (ConfigError, OutsideTableError):
        # Without an energy, the accuracy alone is a good answer; a size that does not fit stays an error.
        if energy != "none" or options.size or options.rows is not None:
            raise
        return None, f"{NOT_ASKED}, and table {table.source} does not reach its macros"
