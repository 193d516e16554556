"""The option ``--data`` of ``simulate``: data sets, files and folders become the input spikes of a network."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import typer
from numpy.typing import NDArray

from pyspice_cim.behavioral import datasets
from pyspice_cim.behavioral.datasets.events import NMNIST_SIDE, SHD_INPUTS
from pyspice_cim.behavioral.datasets.recordings import NMNIST_SOURCE, SHD_SOURCE
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.readout import check_labels
from pyspice_cim.errors import ConfigError, DataError

# Data set to a function of the network's time steps and inputs; the function returns values from 0 to 1, and labels.
VALUES: Mapping[str, Callable[[int, int], tuple[NDArray[Any], NDArray[Any]]]] = {
    "digits": lambda steps, inputs: datasets.digits("test"),
    "mnist": lambda steps, inputs: datasets.mnist("test"),
    "spoken_digits": lambda steps, inputs: datasets.spoken_digits("test", steps=steps, bands=inputs),
}
EVENTS = ("shd", "nmnist")
NAMES = (*VALUES, *EVENTS)


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which data a network sees, and how the data become spikes."""

    PANEL: ClassVar[str] = "Data"

    data: Annotated[
        str | None,
        typer.Option(
            help="Test set digits, mnist, spoken_digits, shd or nmnist (files: below PYSPICE_CIM_DATA); a .npz file "
            "with spikes of 0 and 1, shape (time, batch, input), and optional labels (batch); an SHD file (.h5); a folder "
            "of N-MNIST. Default: the set that a shipped network is named after, else digits."
        ),
    ] = None
    samples: Annotated[int | None, typer.Option(help="Use the first N samples only; default: all.")] = None
    steps: Annotated[
        int | None,
        typer.Option(help="Time steps of a sample; default: those of the network. A .nir file states none."),
    ] = None
    encoder: Annotated[
        Literal["bernoulli", "regular", "latency"] | None,
        typer.Option(help="How values become spikes; default: the network's encoder, else bernoulli."),
    ] = None
    max_rate: Annotated[
        float | None,
        typer.Option(help="Spikes per step of an input with the value 1; default: the network's rate, else 1."),
    ] = None
    step_seconds: Annotated[
        float | None,
        typer.Option(help="Duration of a time step of events in s; default: the steps share a whole recording."),
    ] = None

    def check(self) -> None:
        """Raise ``ConfigError`` if ``samples`` is no number of samples."""
        if self.samples is not None and self.samples < 1:
            raise ConfigError(f"--samples is {self.samples}; it must be 1 or more")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a network takes, and what the command line asks for.

    Attributes:
        shape: shape of the input of one sample in one step.
        classes: number of neurons of the last layer.
        steps: time steps of the network's file; ``None`` if the file states none.
        encoder: encoder of the network's file, or the default encoder.
        options: the options of the command line.
    """

    shape: tuple[int, ...]
    classes: int
    steps: int | None
    encoder: Encoder
    options: DataOptions

    def given(self, name: str, default: Any) -> Any:
        """The option ``name`` of the command line, or ``default`` if it is not given."""
        value = getattr(self.options, name)
        return default if value is None else value


def load_data(data: str, asked: Asked) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Spikes and labels for a network.

    Args:
        data: one of ``NAMES``, a ``.npz`` file, an SHD file, or a folder of N-MNIST.
        asked: what the network takes, and the options of the command line.

    Returns:
        Spikes of shape (time, batch, *shape of an input), and labels of shape (batch,) or ``None``.

    Raises:
        DataError: if the data do not exist, or do not fit the network; the message says where to get them.
        ConfigError: if an option is missing, or is given for data that do not take it.
    """
    path = Path(data)
    if path.suffix == ".npz":
        _refuse(data, asked, ("steps", "encoder", "max_rate", "step_seconds"), "holds spikes in time steps already")
        return load_spikes(path, asked.options.samples, asked.classes)
    if data in VALUES:
        _refuse(data, asked, ("step_seconds",), "has values, no events in seconds")
        spikes, labels = _encoded(data, asked)
    elif data in EVENTS or path.suffix in (".h5", ".hdf5") or path.is_dir():
        _refuse(data, asked, ("encoder", "max_rate"), "holds events already")
        spikes, labels = _binned(data, asked)
    else:
        raise DataError(
            f"--data {data} is neither {', '.join(NAMES)} nor an existing .npz file, SHD file (.h5) or folder of N-MNIST; "
            f"get SHD from {SHD_SOURCE}, N-MNIST from {NMNIST_SOURCE}"
        )
    return spikes.reshape(*spikes.shape[:2], *asked.shape), check_labels(labels, spikes.shape[1], asked.classes)


def load_spikes(path: Path, samples: int | None, classes: int | None = None) -> tuple[NDArray[Any], Any]:
    """Spikes and labels of a .npz file.

    Args:
        path: file with the array ``spikes`` of shape (time, batch, inputs), and optional ``labels`` of shape (batch,).
        samples: number of samples to take; ``None``: all.
        classes: number of classes; ``None``: no labels are read.

    Returns:
        The arrays ``spikes`` and ``labels``; ``labels`` is ``None`` if there are none.

    Raises:
        DataError: if the file cannot be read, or a spike or a label is invalid; the message names the place.
    """
    if path.suffix != ".npz":
        raise DataError(
            f"{path} is no .npz file; give a .npz file with spikes[time, batch, input] and optional labels[batch]"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    # A damaged archive raises errors of zipfile and zlib, too.
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as a .npz file of arrays: {error}; write it with numpy.savez"
        ) from error
    if "spikes" not in found:
        raise DataError(f"{path} has no array spikes; it has {', '.join(found) or 'none'}; name the array of spikes so")
    spikes, labels = found["spikes"], found.get("labels")
    if spikes.ndim < 3:
        raise DataError(f"{path}: spikes have shape {spikes.shape}; they must be (time, batch, inputs)")
    _check_spikes(path, spikes)
    if labels is None or classes is None:
        return spikes[:, :samples], None
    try:
        return spikes[:, :samples], check_labels(labels, spikes.shape[1], classes)[:samples]
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _check_spikes(path: Path, spikes: NDArray[Any]) -> None:
    if spikes.dtype.kind not in "biuf":
        raise DataError(f"{path}: spikes are of type {spikes.dtype}; they must be 0 or 1")
    right = (spikes == 0) | (spikes == 1)
    if not right.all():
        place = np.unravel_index(int(np.argmin(right)), spikes.shape)
        where = ", ".join(str(int(each)) for each in place)
        raise DataError(f"{path}: spikes[{where}] is {spikes[place]:g}; every spike must be 0 or 1")


def _refuse(data: str, asked: Asked, names: tuple[str, ...], why: str) -> None:
    if given := [f"--{name.replace('_', '-')}" for name in names if getattr(asked.options, name) is not None]:
        raise ConfigError(f"{', '.join(given)}: --data {data} {why}; leave it out")


def _steps(data: str, asked: Asked) -> int:
    steps: int | None = asked.given("steps", asked.steps)
    if steps is None:
        raise ConfigError(f"--data {data} needs --steps: a .nir network does not state its time steps")
    if steps < 1:
        raise ConfigError(f"--steps is {steps}; it must be 1 or more")
    return steps


def _check_inputs(data: str, inputs: int, asked: Asked) -> None:
    if inputs != math.prod(asked.shape):
        wanted = ", ".join(map(str, asked.shape))
        raise DataError(f"--data {data} has {inputs} inputs, but the network takes {wanted}; give other --data")


def _encoded(data: str, asked: Asked) -> tuple[NDArray[Any], NDArray[Any]]:
    steps = _steps(data, asked)
    values, labels = VALUES[data](steps, math.prod(asked.shape))
    _check_inputs(data, values.shape[-1], asked)
    encoder, kind = asked.encoder, asked.options.encoder
    if kind is not None:
        # The rate of the network's encoder has no meaning for another kind of code.
        encoder = Encoder(kind=kind, seed=encoder.seed)
    encoder = replace(encoder, max_rate=asked.given("max_rate", encoder.max_rate))
    return encoder.encode(values[: asked.options.samples], steps), labels[: asked.options.samples]


def _binned(data: str, asked: Asked) -> tuple[NDArray[Any], NDArray[Any]]:
    steps, path, samples = _steps(data, asked), Path(data), asked.options.samples
    # Seconds that nearly all recordings take: they give the default duration of a step.
    if data == "nmnist" or path.is_dir():
        inputs, seconds = 2 * NMNIST_SIDE**2, 0.3
        folder = None if data == "nmnist" else path
        recordings, labels = datasets.nmnist("test", folder, samples=samples)
    else:
        inputs, seconds = SHD_INPUTS, 1.4
        recordings, labels = datasets.shd("test") if data == "shd" else datasets.read_shd(path)
    _check_inputs(data, inputs, asked)
    step_seconds = asked.given("step_seconds", seconds / steps)
    return datasets.bin_events(recordings[:samples], steps, step_seconds, inputs), labels[:samples]
