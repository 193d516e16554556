"""Train the digits network that the package ships: 64-32-10, 4-bit weights, 8-bit membranes, 20 steps.

    python behavioral/train_digits.py               # writes behavioral/networks/digits.h5, about 20 s
    python behavioral/train_digits.py --validate    # to choose settings: writes nothing, held-out images unseen

The same PyTorch on the same kind of processor gives the same file. Elsewhere the last bits of the real numbers can
differ, and so can the network.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from pyspice_cim.behavioral.datasets import digits
from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.file import NetworkFile, save_network
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.errors import CimError

OUTPUT = Path(__file__).resolve().parent / "networks" / "digits.h5"


def main(arguments: list[str] | None = None) -> int:
    """Train, print the accuracy of the integer network, and write the file; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file to write (default: %(default)s)")
    parser.add_argument("--hidden", type=int, default=32, help="hidden neurons (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="time steps an image (default: %(default)s)")
    parser.add_argument("--max-rate", type=float, default=0.25, help="spikes a step of a white pixel (%(default)s)")
    parser.add_argument(
        "--epochs", type=int, default=40, help="epochs in reals, then as many in integers (%(default)s)"
    )
    parser.add_argument("--rate-penalty", type=float, default=0.5, help="weight of the hidden spikes (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the initial weights and the batches (%(default)s)")
    parser.add_argument(
        "--validate", action="store_true", help="measure the accuracy on a quarter of the training images"
    )
    parser.add_argument("--verbose", action="store_true", help="print the loss of every epoch")
    chosen = parser.parse_args(arguments)
    try:
        network = train(chosen)
        if not chosen.validate:
            save_network(network, chosen.output)
            print(f"wrote {chosen.output} ({network.sha256[:16]})")
    except CimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def train(chosen: argparse.Namespace) -> NetworkFile:
    """Train and return the network; prints its accuracy and the active inputs per step."""
    # Imported here: without PyTorch, --help still works and the error says what to install.
    from pyspice_cim.training._torch import torch
    from pyspice_cim.training.fit import FitSettings, fit

    torch.set_num_threads(1)
    images, labels = digits("train")
    if chosen.validate:
        judged = np.arange(len(labels)) % 4 == 3
        held_images, held_labels = images[judged], labels[judged]
        images, labels = images[~judged], labels[~judged]
    else:
        held_images, held_labels = digits("test")
    settings = FitSettings(
        shape=(images.shape[1], chosen.hidden, 10),
        steps=chosen.steps,
        encoder=Encoder(kind="regular", max_rate=chosen.max_rate),
        epochs=chosen.epochs,
        epochs_quantized=chosen.epochs,
        rate_penalty=chosen.rate_penalty,
        seed=chosen.seed,
    )
    network = fit(images, labels, settings, progress=print if chosen.verbose else lambda line: None)
    spikes = network.encoder.encode(held_images, network.steps)
    run = run_integer(layers_of(network), spikes)
    right = int((run.predictions == held_labels).sum())
    print(f"integer network {'-'.join(map(str, network.shape))}: {right} of {len(held_labels)} held-out images right")
    for index, (layer, seen) in enumerate(zip(network.layers, (spikes, *run.spikes), strict=False)):
        active = seen.sum(axis=2).mean()
        print(f"layer {index}: lambda {layer.params.lambda_}, theta {layer.params.theta}, {active:.2f} inputs a step")
    meta = {
        "data": "8 x 8 digits of scikit-learn, split of pyspice_cim.behavioral.datasets.digits",
        "accuracy": f"{right}/{len(held_labels)}",
        "written by": "behavioral/train_digits.py",
        "seed": str(chosen.seed),
        "torch": torch.__version__.partition("+")[0],
    }
    return replace(network, meta=meta)


if __name__ == "__main__":
    sys.exit(main())
