"""Draw the time of the decay against the number of neurons, in the array and sequential, from a report.

python behavioral/figures/state_update.py --report build/demo/report.json --out state_update.png
"""

import argparse
import json
from pathlib import Path

from pyspice_cim.report.state_update import draw_state_update


def main() -> None:
    """Read the report and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, default=Path("build/demo/report.json"), help="written by `make demo`")
    parser.add_argument("--out", type=Path, default=Path("state_update.png"))
    options = parser.parse_args()
    draw_state_update(json.loads(options.report.read_text()), options.out)


if __name__ == "__main__":
    main()
