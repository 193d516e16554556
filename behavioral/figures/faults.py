"""Draw the accuracy of the digits on macros with slow cells (mismatch), against supply voltage and cycle time.

python behavioral/figures/faults.py --out docs/faults.png

A JSON file with the name of the figure holds every point, the hashes of table and network, and the seeds.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from pyspice_cim import __version__
from pyspice_cim.behavioral.datasets import digits
from pyspice_cim.behavioral.faults.rates import FAILURES, variation_rates
from pyspice_cim.behavioral.faults.sweep import FaultPoint, fault_sweep
from pyspice_cim.behavioral.macro.network import Network
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.errors import ConfigError
from pyspice_cim.report.fault_figure import draw_faults
from pyspice_cim.resources import atomic_write, shipped
from pyspice_cim.tables import load_table, reference_table


def main() -> None:
    """Run the sweep, and write the JSON file and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=None, help="table with tails (default: generic45lp_variation)")
    parser.add_argument(
        "--network", type=Path, default=None, help="network for 8 x 8 digits (default: the shipped network)"
    )
    parser.add_argument("--cycles-ns", type=float, nargs="+", default=[1.4, 1.5, 1.6, 1.8, 2.1])
    parser.add_argument(
        "--failures",
        choices=FAILURES,
        default="cells",
        help="kind of failures, see pyspice_cim/behavioral/faults/rates.py (default: cells)",
    )
    parser.add_argument("--chips", type=int, default=10)
    parser.add_argument("--samples", type=int, default=0, help="held-out images; default: all")
    parser.add_argument("--out", type=Path, default=Path("faults.png"))
    options = parser.parse_args()
    table = load_table(options.table or shipped("reference", "generic45lp_variation.h5"))
    network = load_network(options.network or shipped("networks", "digits.h5"))
    images, labels = digits("test")
    if options.samples:
        images, labels = images[: options.samples], labels[: options.samples]
    spikes = network.encoder.encode(images, network.steps)
    # The mapping does not depend on energies, and the table of tails has no energies.
    mapped = Network(network, reference_table(table.technology))
    supplies = table.dataset["vdd"].values
    points = []
    for cycle in 1e-9 * np.array(options.cycles_ns):
        for vdd in np.linspace(supplies[0], supplies[-1], 12).round(3).tolist():
            try:
                rates = variation_rates(table, float(cycle), vdd=vdd, failures=options.failures)
            except ConfigError:
                # Here even nominal cells are too slow: no macro works at this cycle.
                continue
            points.append(FaultPoint(vdd=vdd, cycle=float(cycle), rates=rates))
    seeds = list(range(options.chips))
    found = fault_sweep(mapped.mapping, spikes, labels, points, seeds=seeds)
    fault_free = mapped.run(spikes, labels, energy="none").accuracy
    origin = {
        "package": f"pyspice_cim {__version__}",
        "table": table.source,
        "table_sha256": table.sha256,
        "network_sha256": network.sha256,
        "failures": options.failures,
        "seeds": seeds,
        "samples": len(labels),
        "accuracy_without_faults": fault_free,
    }
    points_found = [each.to_dict() for each in found]
    with atomic_write(options.out.with_suffix(".json"), follow=False) as path:
        path.write_text(json.dumps(origin | {"points": points_found}, indent=1) + "\n")
    draw_faults(found, options.out, fault_free=fault_free)


if __name__ == "__main__":
    main()
