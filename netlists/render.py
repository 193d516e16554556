"""Render the decks of this folder again: python netlists/render.py [--out FOLDER] [--technology NAME]

Run this script after a change of a netlist, and read the difference. A test renders the decks too, and compares.
"""

import argparse
import sys
from pathlib import Path

from pyspice_cim.characterization.benches.examples import example_decks
from pyspice_cim.errors import CimError
from pyspice_cim.resources import write_atomically
from pyspice_cim.technology import load_technology

FOLDER = Path(__file__).resolve().parent


def main(arguments: list[str] | None = None) -> int:
    """Write the decks, and remove decks of this folder that are no longer rendered; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to (default: %(default)s)")
    parser.add_argument("--technology", default="generic45lp", help="built-in name or TOML file (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        decks = example_decks(load_technology(chosen.technology))
        for name, deck in decks.items():
            write_atomically(chosen.out / name, deck.text.encode(), follow=False)
    except CimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    if chosen.out.resolve() == FOLDER:
        for stale in {path.name for path in FOLDER.glob("*.cir")} - set(decks):
            (FOLDER / stale).unlink()
    print(f"{len(decks)} decks in {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
