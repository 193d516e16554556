"""The reports of ``pyspice-cim simulate``, as data and on the terminal."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyspice_cim import __version__
from pyspice_cim.cli.files import plain_console
from pyspice_cim.cli.macros import macros_text
from pyspice_cim.units import engineering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyspice_cim.behavioral.macro.network import MappedNetwork, RunReport
    from pyspice_cim.behavioral.network.layers import AnyLayer

NOT_ASKED = "--energy none was given"


def run_without_macros(
    layers: "Sequence[AnyLayer]", spikes: "NDArray[Any]", labels: Any, reason: str
) -> dict[str, Any]:
    """Run the layers without macros: accuracy and spikes, and no energy.

    Args:
        layers: the layers of the network.
        spikes: input spikes, shape (time, batch, *shape of an input).
        labels: classes, shape (batch,), or ``None``.
        reason: why there is no energy, in words.

    Returns:
        The report as plain data.
    """
    from pyspice_cim.behavioral.kernels.run import fast_run
    from pyspice_cim.behavioral.network.readout import classify

    samples = spikes.shape[1]
    run = fast_run(layers, spikes)
    predictions = classify(run.spike_counts.reshape(samples, -1), run.membranes[-1].reshape(samples, -1))
    return {
        "accuracy": None if labels is None else float(np.mean(predictions == labels)),
        "samples": samples,
        "output_spikes_per_inference": float(run.spike_counts.sum() / samples),
        "energy_per_inference_j": None,
        "energy_unavailable": reason,
        "provenance": {"package": f"pyspice_cim {__version__}"},
    }


def print_without_macros(result: Mapping[str, Any]) -> None:
    """Print ``result``, a report of ``run_without_macros``."""
    console = plain_console()
    if result["accuracy"] is not None:
        console.print(f"accuracy {100 * result['accuracy']:.2f} % of {result['samples']} samples")
    console.print(
        f"{result['output_spikes_per_inference']:.2f} output spikes per inference, {result['samples']} samples"
    )
    console.print(f"energy and latency are not available: {result['energy_unavailable']}", soft_wrap=True)


def print_report(report: "RunReport", network: "MappedNetwork", result: Mapping[str, Any]) -> None:
    """Print the report of a run on macros.

    Args:
        report: the report.
        network: the network on its macros.
        result: the report as plain data, with the operating point.
    """
    from rich.table import Table as RichTable

    sizes = [math.prod(network.mapping.shape), *(math.prod(each.link.output) for each in network.mapping.maps)]
    shown = RichTable(title=f"network {'-'.join(map(str, sizes))}, {report.samples} samples, means of one inference")
    shown.add_column("what")
    shown.add_column("value", justify="right")
    if report.accuracy is not None:
        shown.add_row("accuracy", f"{100 * report.accuracy:.2f} %")
    if report.energy_components:
        shown.add_row("energy", engineering(report.energy, "J"))
        for name, part in sorted(report.energy_components.items(), key=lambda item: -item[1]):
            share = f"{engineering(part, 'J')}  {100 * part / report.energy:4.1f} %"
            shown.add_row(f"  {name.replace('_', ' ')}", share)
        shown.add_row("energy per SOP", engineering(report.energy_per_sop, "J"))
    else:
        shown.add_row("energy", NOT_ASKED)
    shown.add_row("SOPs (active inputs x neurons)", f"{report.sops:.0f}")
    for name, latency in report.latency.items():
        shown.add_row(f"latency, {name.replace('_', ' ')} decay", engineering(latency, "s"))
    for name, update in report.state_update_energy.items():
        shown.add_row(f"energy of all decays, {name.replace('_', ' ')}", engineering(update, "J"))
    for each in network.mapping.maps:
        shown.add_row(f"macros of {each.name}", macros_text(each))
    shown.add_row("cycle of each layer's macro", ", ".join(engineering(cycle, "s") for cycle in report.cycle))
    shown.add_row("calibration residual of an operation", f"{100 * report.residual:.2f} % RMS")
    if report.energy_error:
        shown.add_row("error of the expected energies", f"{100 * report.energy_error:.2f} % RMS")
    shown.add_row("look-ups clipped to the table's edge", str(report.outside_table))
    console = plain_console()
    console.print(shown)
    for line in result["divided"]:
        console.print(line, soft_wrap=True)
    of, at = report.provenance, result["conditions"]
    console.print(
        f"{of['technology']} at {at['process']}, {at['vdd']:g} V, {at['temperature_c']:g} C, table {of['table']} "
        f"({of['table_sha256'][:16]}), {of['ngspice']}",
        soft_wrap=True,
    )
