"""The network of ``pyspice-cim simulate``: a file of this package, or a NIR file that is imported."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import typer
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.cli.data import load_spikes
from pyspice_cim.cli.files import given_only, named_or_shipped, plain_console
from pyspice_cim.errors import ConfigError

if TYPE_CHECKING:
    from pyspice_cim.behavioral.network.layers import AnyLayer
    from pyspice_cim.behavioral.nir.importer import NIRNetwork


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What a NIR file does not state: time step, reset and number of bits."""

    PANEL: ClassVar[str] = "Import of a .nir network"

    dt: Annotated[float | None, typer.Option(help="Time step in the unit of the graph's tau; LIF neurons need it.")] = (
        None
    )
    reset: Annotated[
        Literal["subtract", "zero"] | None,
        typer.Option(help="Reset of the membrane after a spike; a NIR file does not state it."),
    ] = None
    integration: Annotated[
        Literal["exact", "euler"] | None,
        typer.Option(help="How dt enters the decay; euler for snnTorch and Norse; default: exact."),
    ] = None
    weight_bits: Annotated[int | None, typer.Option(help="Bits of a weight; default: 4.")] = None
    membrane_bits: Annotated[int | None, typer.Option(help="Bits of a membrane; default: 8.")] = None
    decay: Annotated[
        Literal["clamp", "toward_zero", "none", "exponential"] | None,
        typer.Option(help="Decay rule; macros compute clamp only; default: clamp."),
    ] = None
    calibrate: Annotated[
        Path | None,
        typer.Option(help=".npz file with spikes: lambda is fitted on them, and saturated sums are counted."),
    ] = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A network, and the inputs that it takes.

    Attributes:
        layers: layers of ``behavioral.network.layers``.
        shape: shape of the input of one sample in one step.
        seen: shape of the input with the bias inputs, which spike in every step.
        steps: time steps; ``None`` if the file states none.
        encoder: encoder of the file, or the default encoder.
        provenance: hash of the file, for a file of this package.
        imported: the imported network, for a NIR file.
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
        """``spikes`` with the bias inputs that the layers take."""
        return spikes if self.imported is None else self.imported.inputs(spikes)


def load(network: str, options: ImportOptions) -> Loaded:
    """The network of a file, or the shipped network of that name.

    Args:
        network: path of a .h5 or .nir file, or name of a shipped network.
        options: how a .nir file is imported.

    Raises:
        DataError: if there is no such network, or the file is damaged.
        ConfigError: if an option is out of range, or is given for a network that is not imported.
    """
    given = given_only(**asdict(options))
    if Path(network).suffix == ".nir":
        from pyspice_cim.behavioral.nir.importer import import_nir

        spikes = given.pop("calibrate", None)
        calibration = None if spikes is None else load_spikes(spikes, None)[0]
        imported = import_nir(network, calibration=calibration, **given)
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

    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{names}: only a .nir network is imported, {network} is none; leave it out")
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
    """Print the result of the import, layer by layer, in no more than 80 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    # Nine columns have to fit: headers take two lines, and there are no lines between columns.
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
