"""Draw the energy of an inference by component and by operation, from a report.

python behavioral/figures/energy.py --report build/demo/report.json --out energy.png
"""

import argparse
import json
from pathlib import Path

from pyspice_cim.report.energy import draw_energy


def main() -> None:
    """Read the report and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, default=Path("build/demo/report.json"), help="written by `make demo`")
    parser.add_argument("--out", type=Path, default=Path("energy.png"))
    options = parser.parse_args()
    draw_energy(json.loads(options.report.read_text()), options.out)


if __name__ == "__main__":
    main()
