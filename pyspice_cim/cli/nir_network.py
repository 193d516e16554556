"""``pyspice-cim simulate NET.nir``: a NIR network, on macros if the array computes all of its layers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyspice_cim import __version__
from pyspice_cim.cli.files import given_only
from pyspice_cim.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pyspice_cim.behavioral.config import MacroConfig
    from pyspice_cim.behavioral.layers import AnyLayer
    from pyspice_cim.behavioral.network_file import NetworkFile
    from pyspice_cim.behavioral.nir_import import NIRNetwork


def is_nir(network: str) -> bool:
    """Whether ``network`` is to be read as a NIR file."""
    return Path(network).suffix == ".nir"


def check_unused(network: str, options: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` if options of the import are given for another kind of network."""
    if given := [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]:
        raise ConfigError(f"{', '.join(given)}: only a .nir network is imported, {network} is none; leave it out")


def load_nir(network: str, *, calibrate: Path | None, **options: Any) -> "NIRNetwork":
    """Import the file ``network`` with the ``options`` that were given; ``calibrate``: a .npz file with spikes."""
    from pyspice_cim.behavioral.nir_import import import_nir

    calibration = None if calibrate is None else load_spikes(calibrate, None)[0]
    return import_nir(network, calibration=calibration, **given_only(**options))


def load_spikes(path: Path, samples: int | None) -> tuple[Any, Any]:
    """``spikes`` and ``labels`` (or ``None``) of a .npz file, only the first ``samples``.

    Raises:
        DataError: if the file cannot be read or has no spikes.
    """
    if path.suffix != ".npz":
        raise DataError(f"{path} is no .npz file; give one with spikes[time, batch, input] and, if there are, labels")
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    # What else a damaged archive raises: zipfile and zlib have errors of their own.
    except Exception as error:
        raise DataError(f"{path} cannot be read as a .npz file of arrays: {error}") from error
    if "spikes" not in found:
        raise DataError(f"{path} has no array spikes; it has {', '.join(found) or 'none'}")
    spikes, labels = found["spikes"], found.get("labels")
    # What has too few axes to be cut goes on as it is: the network says what it must look like.
    return (spikes[:, :samples] if spikes.ndim > 2 else spikes), None if labels is None else labels[:samples]


def own_sizes(network: "NIRNetwork", steps: int) -> "NetworkFile | None":
    """``network`` with each layer on a macro of its own size; ``None`` if not all layers are fully connected."""
    from pyspice_cim.behavioral.encoding import Encoder
    from pyspice_cim.behavioral.layers import FullyConnected
    from pyspice_cim.behavioral.network_file import Layer, NetworkFile

    layers = [each for each in network.layers if type(each) is FullyConnected]
    if len(layers) < len(network.layers):
        return None
    stored = tuple(Layer(weights=each.weights, weight_bits=each.weight_bits, params=each.params) for each in layers)
    return NetworkFile(layers=stored, steps=steps, encoder=Encoder())


def obstacle(layers: "Sequence[AnyLayer]", shape: Sequence[int], macro: "MacroConfig") -> str:
    """Why macros of the size of ``macro`` cannot run ``layers``; empty if they can."""
    from pyspice_cim.behavioral.mapping import map_layers

    try:
        map_layers(layers, shape, macro)
    except ConfigError as error:
        return str(error)
    return ""


def run_without_macros(layers: "Sequence[AnyLayer]", spikes: Any, labels: Any, reason: str) -> dict[str, Any]:
    """The report of the bits alone: accuracy and spikes, and why there is no energy."""
    from pyspice_cim.behavioral.kernels import fast_run
    from pyspice_cim.behavioral.readout import classify

    samples = spikes.shape[1]
    if labels is not None and np.shape(labels) != (samples,):
        raise DataError(f"labels have shape {np.shape(labels)}; there are {samples} samples")
    run = fast_run(layers, spikes)
    predictions = classify(run.spike_counts.reshape(samples, -1), run.membranes[-1].reshape(samples, -1))
    return {
        "accuracy": None if labels is None else float(np.mean(predictions == np.asarray(labels))),
        "samples": samples,
        "output_spikes_per_inference": float(run.spike_counts.sum() / samples),
        "energy_per_inference_j": None,
        "energy_unavailable": reason,
        "provenance": {"package": f"pyspice_cim {__version__}"},
    }


def print_without_macros(result: Mapping[str, Any]) -> None:
    """Print what ``run_without_macros`` gave."""
    from rich.console import Console

    console = Console()
    if result["accuracy"] is not None:
        console.print(f"accuracy {100 * result['accuracy']:.2f} % of {result['samples']} samples")
    console.print(
        f"{result['output_spikes_per_inference']:.2f} output spikes an inference, {result['samples']} samples"
    )
    console.print(f"energy and latency are not available: {result['energy_unavailable']}", soft_wrap=True)


def print_import(network: "NIRNetwork") -> None:
    """Print what became of each layer."""
    from rich.console import Console
    from rich.table import Table as RichTable

    shown = RichTable(title="layers from NIR; error: of the weights, RMS")
    for name in ("neurons", "scale", "theta", "lambda", "decay", "error", "clipped", "bias rows", "saturated"):
        shown.add_column(name, justify="left" if name == "neurons" else "right")
    for each in network.report:
        shown.add_row(
            each.neurons,
            f"{each.scale:.4g}",
            str(each.theta),
            str(each.lambda_),
            each.decay,
            f"{100 * each.weight_error:.2f} %",
            str(each.clipped),
            str(each.constant_lines),
            "-" if each.saturated is None else f"{100 * each.saturated:.3f} %",
        )
    Console().print(shown)
