"""``simulate --data``: named data sets, files and folders, as the spikes that a network takes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral import datasets
from pyspice_cim.behavioral.datasets.events import NMNIST_SIDE, SHD_INPUTS
from pyspice_cim.behavioral.datasets.recordings import NMNIST_SOURCE, SHD_SOURCE
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.readout import check_labels
from pyspice_cim.errors import ConfigError, DataError

# Values in 0..1 and labels, from the time steps and the inputs of the network that is to see them.
VALUES: Mapping[str, Callable[[int, int], tuple[NDArray[Any], NDArray[Any]]]] = {
    "digits": lambda steps, inputs: datasets.digits("test"),
    "mnist": lambda steps, inputs: datasets.mnist("test"),
    "spoken_digits": lambda steps, inputs: datasets.spoken_digits("test", steps=steps, bands=inputs),
}
EVENTS = ("shd", "nmnist")
NAMES = (*VALUES, *EVENTS)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a network takes, and what the command line says about it.

    Attributes:
        shape: of an input, one sample in one step.
        classes: neurons of the last layer.
        steps: time steps; ``None`` if neither the network's file nor ``--steps`` states them.
        encoder: of the network's file, or the default one.
        options: ``steps``, ``encoder``, ``max_rate`` and ``step_seconds`` as far as they were given.
        samples: only the first so many; ``None``: all.
    """

    shape: tuple[int, ...]
    classes: int
    steps: int | None
    encoder: Encoder
    options: Mapping[str, Any]
    samples: int | None


def load_data(data: str, asked: Asked) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Spikes, (time, batch, *shape of an input), and labels, (batch,), if there are any.

    Args:
        data: one of ``NAMES``, a ``.npz`` file, an SHD file, or a folder of N-MNIST.

    Raises:
        DataError: if there are no such data, or they do not fit the network; the message says where to get them.
        ConfigError: for an option that such data do not take, or that they need.
    """
    path = Path(data)
    if path.suffix == ".npz":
        _refuse(data, asked, ("steps", "encoder", "max_rate", "step_seconds"), "holds spikes in time steps already")
        return load_spikes(path, asked.samples, asked.classes)
    if data in VALUES:
        _refuse(data, asked, ("step_seconds",), "has values, no events in seconds")
        spikes, labels = _encoded(data, asked)
    elif data in EVENTS or path.suffix in (".h5", ".hdf5") or path.is_dir():
        _refuse(data, asked, ("encoder", "max_rate"), "holds events already")
        spikes, labels = _binned(data, asked)
    else:
        raise DataError(
            f"--data {data} is neither {', '.join(NAMES)} nor a .npz file, an SHD file (.h5) or a folder that is "
            f"there; SHD is at {SHD_SOURCE}, N-MNIST at {NMNIST_SOURCE}"
        )
    return spikes.reshape(*spikes.shape[:2], *asked.shape), check_labels(labels, spikes.shape[1], asked.classes)


def load_spikes(path: Path, samples: int | None, classes: int | None = None) -> tuple[NDArray[Any], Any]:
    """``spikes`` and ``labels`` (or ``None``) of a .npz file, only the first ``samples``.

    Args:
        classes: how many there are; ``None``: the labels are not asked for.

    Raises:
        DataError: if the file cannot be read, or its spikes or labels are none; the message names the place.
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
    if given := [f"--{name.replace('_', '-')}" for name in names if name in asked.options]:
        raise ConfigError(f"{', '.join(given)}: --data {data} {why}; leave it out")


def _steps(data: str, asked: Asked) -> int:
    steps: int | None = asked.options.get("steps", asked.steps)
    if steps is None:
        raise ConfigError(f"--data {data} needs --steps: a .nir network does not state its time steps")
    if steps < 1:
        raise ConfigError(f"--steps is {steps}; it must be 1 or more")
    return steps


def _check_inputs(data: str, inputs: int, asked: Asked) -> None:
    if inputs != math.prod(asked.shape):
        wanted = ", ".join(map(str, asked.shape))
        raise DataError(f"--data {data} has {inputs} inputs, the network takes {wanted}; name other --data")


def _encoded(data: str, asked: Asked) -> tuple[NDArray[Any], NDArray[Any]]:
    steps = _steps(data, asked)
    values, labels = VALUES[data](steps, math.prod(asked.shape))
    _check_inputs(data, values.shape[-1], asked)
    encoder, kind = asked.encoder, asked.options.get("encoder")
    if kind is not None:
        # The rate of the network's own encoder means nothing to a code of another kind.
        encoder = Encoder(kind=kind, seed=encoder.seed)
    encoder = replace(encoder, max_rate=asked.options.get("max_rate", encoder.max_rate))
    return encoder.encode(values[: asked.samples], steps), labels[: asked.samples]


def _binned(data: str, asked: Asked) -> tuple[NDArray[Any], NDArray[Any]]:
    steps, path = _steps(data, asked), Path(data)
    # The time that nearly all recordings take, for the default of a step.
    if data == "nmnist" or path.is_dir():
        inputs, seconds = 2 * NMNIST_SIDE**2, 0.3
        folder = None if data == "nmnist" else path
        recordings, labels = datasets.nmnist("test", folder, samples=asked.samples)
    else:
        inputs, seconds = SHD_INPUTS, 1.4
        recordings, labels = datasets.shd("test") if data == "shd" else datasets.read_shd(path)
    _check_inputs(data, inputs, asked)
    recordings = recordings[: asked.samples]
    step_seconds = asked.options.get("step_seconds", seconds / steps)
    return datasets.bin_events(recordings, steps, step_seconds, inputs), labels[: asked.samples]
