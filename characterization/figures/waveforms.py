"""Draw the waveforms of a column during decay, accumulate, saturate and fire, simulated now in ngspice.

python characterization/figures/waveforms.py --table build/demo/table.h5 --out waveforms.png
"""

import argparse
from pathlib import Path

from pyspice_cim.characterization.benches.waveforms import column_waveforms
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.report.waveforms import draw_waveforms
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table


def main() -> None:
    """Simulate the column at the operating point of the table, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=None, help="table (default: the shipped table of generic45lp)")
    parser.add_argument("--out", type=Path, default=Path("waveforms.png"))
    options = parser.parse_args()
    table = load_table(options.table or shipped("reference", "generic45lp.h5"))
    draw_waveforms(column_waveforms(table, Engine()), options.out)


if __name__ == "__main__":
    main()
