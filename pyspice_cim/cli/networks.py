"""The network of ``pyspice-cim simulate``: a file of this package, or one of NIR, and what became of its layers."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.cli.data import load_spikes
from pyspice_cim.cli.files import given_only, named_or_shipped, plain_console
from pyspice_cim.errors import ConfigError

if TYPE_CHECKING:
    from pyspice_cim.behavioral.network.layers import AnyLayer
    from pyspice_cim.behavioral.nir.importer import NIRNetwork


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A network, and how it wants its inputs.

    Attributes:
        layers: of ``behavioral.network.layers``.
        shape: of an input, one sample in one step; ``seen``: with the inputs that spike in every step (biases).
        steps: time steps, ``None`` if the file does not state them.
        encoder: of the file, or the default one.
        provenance: the hash of a file of this package.
        imported: the network from NIR, if it is one.
    """

    layers: "tuple[AnyLayer, ...]"
    shape: tuple[int, ...]
    seen: tuple[int, ...]
    steps: int | None
    encoder: Encoder
    provenance: dict[str, str]
    imported: "NIRNetwork | None"

    @property
    def classes(self) -> int:
        """Neurons of the last layer."""
        from pyspice_cim.behavioral.network.layers import chain

        return math.prod(chain(self.layers, self.seen)[-1].output)

    def inputs(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """``spikes`` as the layers take them."""
        return spikes if self.imported is None else self.imported.inputs(spikes)


def load(network: str, *, calibrate: Path | None, **options: Any) -> Loaded:
    """The file or shipped network ``network``.

    Args:
        calibrate: of a NIR network: a .npz file with spikes.
        options: arguments of ``import_nir``, ``None`` where they were not given.

    Raises:
        DataError: if there is no such network, or it is damaged.
        ConfigError: if options of the import are given for a network that is not imported, or one is out of range.
    """
    if Path(network).suffix == ".nir":
        from pyspice_cim.behavioral.nir.importer import import_nir

        calibration = None if calibrate is None else load_spikes(calibrate, None)[0]
        imported = import_nir(network, calibration=calibration, **given_only(**options))
        shape = imported.input_shape
        return Loaded(
            layers=imported.layers,
            shape=shape,
            seen=imported.inputs(np.zeros((1, 1, *shape), np.uint8)).shape[2:],
            steps=None,
            encoder=Encoder(),
            provenance={},
            imported=imported,
        )
    from pyspice_cim.behavioral.network.conversion import layers_of
    from pyspice_cim.behavioral.network.file import load_network

    if given := [f"--{name.replace('_', '-')}" for name in given_only(**options, calibrate=calibrate)]:
        raise ConfigError(f"{', '.join(given)}: only a .nir network is imported, {network} is none; leave it out")
    stored = load_network(named_or_shipped("networks", network, ".h5"))
    return Loaded(
        layers=layers_of(stored),
        shape=stored.shape[:1],
        seen=stored.shape[:1],
        steps=stored.steps,
        encoder=stored.encoder,
        provenance={"network_sha256": stored.sha256},
        imported=None,
    )


def print_import(network: "NIRNetwork") -> None:
    """Print what became of each layer, in no more than 80 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    # Headers in two lines and no lines between columns: nine of them have to fit.
    shown = RichTable(
        title="layers from NIR; error: of the weights, RMS",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        show_edge=False,
    )
    shown.add_column("neurons", overflow="fold", min_width=8)
    for name in ("scale", "theta", "lambda", "decay", "error", "clipped", "bias\nrows", "satu-\nrated"):
        shown.add_column(name, justify="right", no_wrap=True)
    for each in network.report:
        shown.add_row(
            each.neurons,
            f"{each.scale:.3g}",
            str(each.theta),
            str(each.lambda_),
            each.decay,
            f"{100 * each.weight_error:.1f} %",
            str(each.clipped),
            str(each.constant_lines),
            "-" if each.saturated is None else f"{100 * each.saturated:.2f} %",
        )
    console = plain_console()
    console.print(shown)
    for each in network.report:
        for warning in each.warnings:
            console.print(f"{each.neurons}: {warning}", soft_wrap=True)
