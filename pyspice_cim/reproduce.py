"""The demo, ``make demo``: all stages, from transistors to a classified digit.

technology -> netlists -> characterization -> table -> co-simulation -> digits on the calibrated macros -> report and figures
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from pyspice_cim import __version__
from pyspice_cim.behavioral.datasets import digits
from pyspice_cim.behavioral.macro.network import Network, RunReport
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.characterization.benches.examples import example_decks
from pyspice_cim.characterization.benches.waveforms import column_waveforms
from pyspice_cim.characterization.devices.figures import measure_technology
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.engine.tally import Tally
from pyspice_cim.characterization.plans.plan import load_plan
from pyspice_cim.characterization.plans.sweep import characterize
from pyspice_cim.errors import CimError
from pyspice_cim.organisation import UPDATES
from pyspice_cim.report.console import VisibleConsole
from pyspice_cim.report.energy import draw_energy
from pyspice_cim.report.membranes import draw_membranes
from pyspice_cim.report.progress import EngineProgress
from pyspice_cim.report.state_update import draw_state_update
from pyspice_cim.report.waveforms import draw_waveforms
from pyspice_cim.resources import make_folder, refuse_link, shipped, write_atomically
from pyspice_cim.tables import Table, contract, load_table, save_table
from pyspice_cim.technology import Corner, Technology, load_technology
from pyspice_cim.units import engineering
from pyspice_cim.validation import CosimReport, CosimSpec, cosimulate

# Two vectors: the first begins with a step without input, the second with a step in which all inputs are active.
DEMO_COSIM = CosimSpec(neurons=4, inputs=4, weight_bits=4, membrane_bits=8, steps=2, vectors=2, seed=7)
FIGURES = ("waveforms.png", "energy.png", "state_update.png", "membranes.png")


def reproduce(
    out: Path, *, plan_path: Path | None = None, workers: int | None = None, console: Console
) -> dict[str, Any]:
    """Run every stage and write decks, table, report and figures.

    Files with the names of the run are replaced. A link with such a name is an error.

    Args:
        out: folder for all files; made if it is missing.
        plan_path: plan to characterize; default: the shipped plan ``demo``.
        workers: number of parallel ngspice processes; default: one per core.
        console: where progress and results are printed.

    Returns:
        The report, as ``report.json`` holds it.

    Raises:
        ConfigError: if ``out`` cannot be made, or a link is in the place of a file or folder of the run.
        CimError: if a stage fails; the files of earlier stages are complete.
    """
    make_folder(out)
    for name in ("netlists", "table.h5", "report.json", *FIGURES):
        refuse_link(out / name)
    plan = load_plan(plan_path or shipped("plans", "demo.toml"))
    technology = load_technology(plan.technology)
    engine = Engine(workers=workers or os.cpu_count() or 1)
    started = time.monotonic()

    def stage(number: int, title: str) -> None:
        console.print(f"[bold]{number}/6[/bold] {title}")

    stage(1, f"technology {technology.name}")
    devices = _nominal_metrics(technology, engine)
    console.print(", ".join(f"{name} {devices[name]}" for name in _SHOWN_DEVICES if name in devices), style="dim")

    stage(2, "netlists")
    make_folder(out / "netlists")
    for name, deck in example_decks(technology).items():
        write_atomically(out / "netlists" / name, deck.text.encode(), follow=False)

    stage(3, f"characterization by plan {plan.name}")
    with _shown(engine, "characterization", "points", console) as shown:
        save_table(characterize(plan, shown), out / "table.h5")
    table = load_table(out / "table.h5")

    stage(4, f"co-simulation of {DEMO_COSIM.neurons} neurons x {DEMO_COSIM.inputs} inputs at transistor level")
    with _shown(engine, "co-simulation", "vectors", console) as shown:
        cosim = cosimulate(DEMO_COSIM, table, shown)

    stage(5, "digits on the calibrated macros")
    network = load_network(shipped("networks", "digits.h5"))
    images, labels = digits("test")
    spikes = network.encoder.encode(images, network.steps)
    simulated = Network(network, table)
    run = simulated.run(spikes, labels)

    stage(6, "report and figures")
    report = build_report(table, cosim, run, simulated)
    write_atomically(out / "report.json", (json.dumps(report, indent=2) + "\n").encode(), follow=False)
    with _shown(engine, "waveforms", "columns", console) as shown:
        waves = column_waveforms(table, shown)
    draw_waveforms(waves, out / FIGURES[0])
    draw_energy(report, out / FIGURES[1])
    draw_state_update(report, out / FIGURES[2])
    draw_membranes(network, spikes[:, 0], out / FIGURES[3], label=int(labels[0]))
    _print(console, report, table, out, time.monotonic() - started)
    return report


_SHOWN_DEVICES = ("nmos_ion", "pmos_ion", "nmos_ioff", "nmos_vt_sat", "fo4", "snm_hold", "snm_read")


@contextmanager
def _shown(engine: Engine, label: str, unit: str, console: Console) -> Iterator[Engine]:
    """An engine like ``engine`` with a new tally, whose progress is shown during the block."""
    with EngineProgress(label, unit=unit, console=console) as progress:
        yield replace(engine, progress=progress, tally=Tally())


def _nominal_metrics(technology: Technology, engine: Engine) -> dict[str, str]:
    """Metrics of the technology's transistors and gates at the nominal point, measured now."""
    corner = Corner(vdd=technology.supply.nominal_v, temperature_c=technology.temperature.nominal_c)
    measured = measure_technology(technology, corner, engine.simulator)
    return {
        name: engineering(float(m.value) if m.value is not None else None, m.unit)
        for name, m in measured.items()
        if m.value is None or np.ndim(m.value) == 0
    }


def build_report(table: Table, cosim: CosimReport, run: RunReport, network: Network) -> dict[str, Any]:
    """The report of the demo (``report.json``): all results in SI units, with their provenance.

    Args:
        table: the demo's table.
        cosim: result of the co-simulation.
        run: report of the network's run.
        network: the network on its macros.
    """
    return {
        "technology": table.technology,
        "table": table.source,
        "table_sha256": table.sha256,
        **run.to_dict(),
        "state_update_s": state_update_curve(network),
        "cosim": cosim_dict(cosim),
        "failed_points": [{"bench": bench, "reason": reason} for bench, reason in table.failures()],
        "provenance": {
            "package": __version__,
            "ngspice": table.dataset.attrs["ngspice"],
            "technology_sha256": table.dataset.attrs["technology_sha256"],
            "plan_sha256": table.dataset.attrs["plan_sha256"],
            "network_sha256": run.provenance["network_sha256"],
            "data": "digits of scikit-learn, held-out split",
        },
    }


def state_update_curve(network: Network) -> dict[str, list[float]]:
    """Time of one state update against the number of neurons.

    In the array, the time is the decay alone (see ``docs/limits.md``).

    Args:
        network: a network on macros.

    Returns:
        ``neurons``: powers of 2 within the table; and the time in s by update, a list of the same length each.
    """
    macro = network.macros[0]
    _, read_time = contract.SEQUENTIAL_PARTS["read"]
    rows = network.table.quantity(read_time.name)[contract.SEQUENTIAL.stored("rows")].values
    neurons = [n for n in (2**k for k in range(13)) if rows.min() <= n <= rows.max()]
    curves = {"parallel": [macro.calibration.operation_time(1)] * len(neurons)}
    for name, update in UPDATES.items():
        if update.unit is not None:
            curves[name] = update.unit(network.table, macro.config.place, np.array(neurons)).time.tolist()
    return {"neurons": neurons, **curves}


def cosim_dict(cosim: CosimReport) -> dict[str, Any]:
    """The fields of ``cosim`` as plain data, for ``report.json``."""
    fields = vars(cosim)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _print(console: Console, report: dict[str, Any], table: Table, out: Path, seconds: float) -> None:
    cosim = report["cosim"]
    summary = RichTable(title=f"{report['technology']}: from transistors to a classified digit", show_header=False)
    summary.add_column()
    summary.add_column(justify="right")

    def row(name: str, value: str) -> None:
        summary.add_row(name, value)

    row("accuracy", f"{100 * report['accuracy']:.2f} % of {report['samples']} held-out images")
    row("energy per inference", engineering(report["energy_per_inference_j"], "J"))
    for name, energy in sorted(report["energy_components_j"].items(), key=lambda item: -item[1]):
        row(f"  {name.replace('_', ' ')}", engineering(energy, "J"))
    row("energy per SOP", f"{engineering(report['energy_per_sop_j'], 'J')} ({report['sops_per_inference']:.0f} SOPs)")
    latency = report["latency_per_inference_s"]
    row("latency, parallel in-array decay", engineering(latency["parallel"], "s"))
    row("latency, sequential linear decay", engineering(latency["sequential"], "s"))
    row("latency, sequential exponential decay", engineering(latency["sequential_exponential"], "s"))
    update = report["state_update_s"]
    row(
        f"decay of {update['neurons'][-1]} neurons",
        f"{engineering(update['parallel'][-1], 's')} parallel, {engineering(update['sequential'][-1], 's')} sequential",
    )
    energy = report["state_update_energy_per_inference_j"]
    row(
        "energy of all decays per inference",
        f"{engineering(energy['parallel'], 'J')} parallel, {engineering(energy['sequential'], 'J')} sequential",
    )
    row("co-simulation, bits", f"{cosim['bits_wrong']} wrong of {cosim['bits_compared']}")
    if cosim["energy_error_mean_pct"] is not None:
        row(
            "co-simulation, energy error",
            f"{cosim['energy_error_mean_pct']:.2f} % mean, {cosim['energy_error_max_pct']:.2f} % worst operation",
        )
        row("co-simulation, latency error", f"{cosim['latency_error_pct']:.2f} %")
    row("look-ups outside the table", str(report["outside_table"]))
    console.print(summary)
    for bench, reason in table.failures():
        console.print(f"[red]failed point[/red] {bench}: {escape(reason)}")
    for reason in cosim["failures"]:
        console.print(f"[red]co-simulation, a vector could not be simulated[/red]: {escape(reason)}")
    console.print(f"{out / 'report.json'}, {out / 'table.h5'} and the figures {', '.join(FIGURES)} ({seconds:.0f} s)")


def main(arguments: list[str] | None = None) -> int:
    """Command line of the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pyspice_cim.reproduce", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("build/demo"), help="folder for decks, table, report and figures"
    )
    parser.add_argument("--plan", type=Path, help="plan to run (default: the shipped plan demo)")
    parser.add_argument("--workers", type=int, help="number of parallel ngspice processes (default: one per core)")
    options = parser.parse_args(arguments)
    console = VisibleConsole()
    try:
        report = reproduce(options.out, plan_path=options.plan, workers=options.workers, console=console)
    except CimError as error:
        VisibleConsole(stderr=True).print(f"[red]error:[/red] {escape(str(error))}", highlight=False)
        return error.exit_status
    except KeyboardInterrupt:
        VisibleConsole(stderr=True).print(
            "interrupted: finished simulations are cached, so the same command goes on from here"
        )
        return 130
    return 1 if report["cosim"]["bits_wrong"] or report["cosim"]["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
