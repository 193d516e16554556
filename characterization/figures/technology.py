"""Draw the transfer, output and butterfly curves of a technology.

    python characterization/figures/technology.py [TECHNOLOGY] [PICTURE]

TECHNOLOGY is a built-in name or a TOML file (default: generic45lp). PICTURE is the file to write; its suffix chooses PNG,
PDF or SVG (default: technology_NAME.png in the current folder).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pyspice_cim.characterization.devices.figures import technology_curves
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.report.technology_figure import technology_figure
from pyspice_cim.technology import Corner, load_technology


def main(arguments: Sequence[str] | None = None) -> Path:
    """Measure and draw; returns the path of the picture."""
    parser = argparse.ArgumentParser(description="Draw the curves of a technology.")
    parser.add_argument("technology", nargs="?", default="generic45lp", help="built-in name or TOML file")
    parser.add_argument("picture", nargs="?", type=Path, help="file to write (default: technology_NAME.png)")
    parser.add_argument("--corner", default="tt", help="process corner (default tt)")
    options = parser.parse_args(arguments)
    technology = load_technology(options.technology)
    corner = Corner(
        process=options.corner, vdd=technology.supply.nominal_v, temperature_c=technology.temperature.nominal_c
    )
    picture: Path = options.picture or Path(f"technology_{technology.name}.png")
    technology_figure(technology_curves(technology, corner, NgspiceSimulator())).savefig(picture, dpi=150)
    return picture


if __name__ == "__main__":
    print(main())
