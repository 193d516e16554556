"""Recordings that are events already: cameras (N-MNIST) and cochleas (SHD), and their spikes in time steps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pyspice_cim.checks import as_array, check_integer, check_number, check_sequence, check_type
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.hdf5_guard import why_refused

NMNIST_SIDE = 34
SHD_INPUTS = 700
_NMNIST_BYTES = 5
# Relative error of t / dt at most: half an ulp for t, dt and the quotient, and as much again if each was computed.
_QUOTIENT_ERROR = 4 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """One recording as a list of n events: input ``inputs[k]`` spikes at time ``times[k]``.

    Attributes:
        times: time of each event from the start of the recording, in seconds, shape (n,), in any order.
        inputs: index of the input of each event, 0 or more, shape (n,).

    Raises:
        DataError: if the shapes differ, a time is negative or not finite, or an input is no index.
    """

    times: NDArray[np.float64]
    inputs: NDArray[np.int64]

    def __post_init__(self) -> None:
        times, inputs = np.asarray(as_array("times", self.times), np.float64), as_array("inputs", self.inputs)
        if times.ndim != 1 or times.shape != inputs.shape:
            raise DataError(f"times have shape {times.shape} and inputs {inputs.shape}; both must be (events,)")
        if inputs.dtype.kind not in "iu" or (inputs < 0).any():
            raise DataError("inputs hold values that are no index; they must be integers of 0 or more")
        if not (np.isfinite(times) & (times >= 0)).all():
            raise DataError("times hold values that are negative or not finite; they are seconds from the start")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "inputs", inputs.astype(np.int64))


def bin_events(recordings: list[Events], steps: int, step_seconds: float, inputs: int) -> NDArray[np.uint8]:
    """Return spikes: input j fires in step t if it has an event within ``t dt <= time < (t + 1) dt``.

    Several events of one input in a step are one spike. Events after the last step are left out.

    Floats round: 0.3 / 0.1 is just below 3. An event that is within this rounding of the start of a step therefore
    belongs to this step.

    Args:
        recordings: the recordings, one a sample.
        steps: time steps, 1 or more.
        step_seconds: duration dt of a step, in seconds.
        inputs: number of inputs, 1 or more.

    Returns:
        Spikes, uint8, shape (steps, batch, inputs).

    Raises:
        ConfigError: if an argument is out of range.
        DataError: if an event's input is not below ``inputs``.
    """
    recordings = list(check_sequence("recordings", recordings))
    for index, events in enumerate(recordings):
        check_type(f"recordings[{index}]", events, Events)
    check_integer("steps", steps, 1, 2**31 - 1)
    check_integer("inputs", inputs, 1, 2**31 - 1)
    if not (np.isfinite(check_number("step_seconds", step_seconds)) and step_seconds > 0):
        raise ConfigError(f"step_seconds is {step_seconds}; it must be above 0 s")
    spikes = np.zeros((steps, len(recordings), inputs), np.uint8)
    for sample, events in enumerate(recordings):
        if events.inputs.size and events.inputs.max() >= inputs:
            raise DataError(
                f"recording {sample} has an event of input {events.inputs.max()}; there are {inputs} inputs"
            )
        quotient = events.times / step_seconds
        nearest = np.rint(quotient)
        step = np.where(np.abs(quotient - nearest) <= _QUOTIENT_ERROR * nearest, nearest, np.floor(quotient))
        seen = step < steps
        spikes[step[seen].astype(np.int64), sample, events.inputs[seen]] = 1
    return spikes


def read_nmnist(path: str | Path) -> Events:
    """One recording of N-MNIST: 34 x 34 pixels, each with an input for OFF and one for ON (2312 inputs).

    An event has 40 bits, most significant first: x (8), y (8), polarity (1), time in microseconds (23). Events with
    y = 240 mark an overflow of the time: each adds 2^13 us to the events after it.

    Returns:
        The events; the input's index is (polarity * 34 + y) * 34 + x.

    Raises:
        DataError: if the file is missing, is cut short, or has an event outside of 34 x 34 pixels.

    Source: G. Orchard et al., "Converting Static Image Datasets to Spiking Neuromorphic Datasets Using Saccades",
    Frontiers in Neuroscience 9, 2015, and the readers that come with the data set.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if not data or len(data) % _NMNIST_BYTES:
        raise DataError(f"{path} has {len(data)} bytes, not a multiple of 5: no N-MNIST recording, or one cut short")
    x, y, *rest = np.frombuffer(data, np.uint8).reshape(-1, _NMNIST_BYTES).astype(np.int64).T
    polarity = rest[0] >> 7
    overflow = y == 240
    microseconds = ((rest[0] & 0x7F) << 16 | rest[1] << 8 | rest[2]) + (np.cumsum(overflow) << 13)
    x, y, polarity, microseconds = (each[~overflow] for each in (x, y, polarity, microseconds))
    if x.size and max(x.max(), y.max()) >= NMNIST_SIDE:
        raise DataError(
            f"{path} has an event at ({x.max()}, {y.max()}); N-MNIST has {NMNIST_SIDE} x {NMNIST_SIDE} pixels"
        )
    return Events(times=microseconds * 1e-6, inputs=(polarity * NMNIST_SIDE + y) * NMNIST_SIDE + x)


def read_shd(path: str | Path) -> tuple[list[Events], NDArray[np.int64]]:
    """Read a file of the Spiking Heidelberg Digits (SHD), or of the Spiking Speech Commands (SSC).

    The HDF5 file holds ``spikes/times`` (in seconds), ``spikes/units`` (index of the cochlear channel, 0 to 699) and
    ``labels``. The first two hold one array of variable length for each recording.

    Returns:
        The recordings, and their labels, int64, shape (recordings,).

    Raises:
        DataError: if the file is missing, is not HDF5, is cut short, points at other files, or has another layout.

    Source: B. Cramer et al., "The Heidelberg Spiking Data Sets for the Systematic Evaluation of Spiking Neural
    Networks", IEEE TNNLS 33, 2022; data: https://zenkelab.org/datasets/
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; get the data from https://zenkelab.org/datasets/ and unpack it")
    try:
        with h5py.File(path, "r") as file:
            refused = why_refused(file)
            if not refused:
                times, units, labels = (_dataset(file, name) for name in ("spikes/times", "spikes/units", "labels"))
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a file of SHD, or one that is cut short ({error})") from error
    if refused:
        raise DataError(f"{path} {refused}")
    if not len(times) == len(units) == len(labels):
        raise DataError(f"{path} has {len(times)} spikes/times, {len(units)} spikes/units and {len(labels)} labels")
    recordings = []
    for index, (when, unit) in enumerate(zip(times, units, strict=True)):
        try:
            recordings.append(Events(times=when, inputs=unit))
        except DataError as error:
            raise DataError(f"{path}, recording {index}: {error}") from error
    return recordings, np.asarray(labels, np.int64)


def _dataset(file: h5py.File, name: str) -> Any:
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{name} is missing")
    return found[()]
