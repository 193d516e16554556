"""Draw the output membranes and the spikes of all layers, for one held-out image of the digits.

python behavioral/figures/membranes.py --sample 0 --out membranes.png
"""

import argparse
from pathlib import Path

from pyspice_cim.behavioral.datasets import digits
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.report.membranes import draw_membranes
from pyspice_cim.resources import shipped


def main() -> None:
    """Run the network on one image and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, default=None, help="network file (default: the shipped digits network)")
    parser.add_argument("--sample", type=int, default=0, help="index of the image among the held-out digits")
    parser.add_argument("--out", type=Path, default=Path("membranes.png"))
    options = parser.parse_args()
    network = load_network(options.network or shipped("networks", "digits.h5"))
    images, labels = digits("test")
    chosen = slice(options.sample, options.sample + 1)
    spikes = network.encoder.encode(images[chosen], network.steps, first_index=options.sample)
    draw_membranes(network, spikes[:, 0], options.out, label=int(labels[options.sample]))


if __name__ == "__main__":
    main()
