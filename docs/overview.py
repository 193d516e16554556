"""Draw docs/overview.png from the files that `make demo` left.

python docs/overview.py --demo build/demo --out docs/overview.png
"""

import argparse
import json
from pathlib import Path

from pyspice_cim.behavioral.datasets import digits
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.characterization.benches.waveforms import column_waveforms
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.report.overview import draw_overview
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table


def main() -> None:
    """Simulate the column of the demo's table again (or find it in the cache), and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=Path("build/demo"), help="folder that `make demo` wrote")
    parser.add_argument("--sample", type=int, default=0, help="index of the image among the held-out digits")
    parser.add_argument("--out", type=Path, default=Path("overview.png"))
    options = parser.parse_args()
    network = load_network(shipped("networks", "digits.h5"))
    image = digits("test")[0][options.sample]
    spikes = network.encoder.encode(image[None], network.steps, first_index=options.sample)
    waves = column_waveforms(load_table(options.demo / "table.h5"), Engine())
    report = json.loads((options.demo / "report.json").read_text())
    draw_overview(waves, report, network, image, spikes[:, 0], options.out)


if __name__ == "__main__":
    main()
