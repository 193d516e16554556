"""Spoken digits: recordings to the loudness of mel bands over time."""

import re
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from pyspice_cim.behavioral.datasets.folder import Split, check_split, data_folder
from pyspice_cim.checks import check_integer
from pyspice_cim.errors import DataError

FSDD_SOURCE = "https://github.com/Jakobovski/free-spoken-digit-dataset"
TEST_RECORDINGS = 5
WINDOW_SECONDS = 0.032
RANGE_DB = 40.0
_NAME = re.compile(r"(?P<digit>[0-9])_(?P<speaker>[a-z]+)_(?P<index>[0-9]+)\.wav")


def spoken_digits(
    split: Split = "test", folder: str | Path | None = None, *, steps: int = 50, bands: int = 96
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read the Free Spoken Digit Dataset, as the loudness of mel bands over time (``mel_bands``).

    Six speakers spoke each digit 50 times: 3000 recordings. Recordings 0 to 4 of every digit and speaker are the test
    set (300). The others are for training. So every speaker is in both parts.

    Args:
        split: ``"train"`` or ``"test"``.
        folder: folder with ``{digit}_{speaker}_{index}.wav``; by default ``fsdd/recordings`` below PYSPICE_CIM_DATA.
        steps: time steps of a recording.
        bands: number of mel bands.

    Returns:
        Values in 0..1, shape (n, steps, bands), in the order of the files' names. Labels: 0..9, shape (n,).

    Raises:
        ConfigError: if ``split`` is neither "train" nor "test", or ``steps`` or ``bands`` is below 1.
        DataError: if the folder has no such recordings, or one cannot be read.

    Source: Z. Jackson et al., "Free Spoken Digit Dataset", the data set's own split.
    """
    check_split(split)
    folder = data_folder("fsdd/recordings", folder, FSDD_SOURCE)
    chosen = []
    for path in sorted(folder.glob("*.wav")):
        named = _NAME.fullmatch(path.name)
        if named and (int(named["index"]) < TEST_RECORDINGS) == (split == "test"):
            chosen.append((path, int(named["digit"])))
    if not chosen:
        raise DataError(f"{folder} has no recordings {{digit}}_{{speaker}}_{{index}}.wav; get them from {FSDD_SOURCE}")
    values = [mel_bands(*read_wav(path), steps=steps, bands=bands) for path, _ in chosen]
    return np.stack(values), np.array([digit for _, digit in chosen], np.int64)


def read_wav(path: str | Path) -> tuple[NDArray[np.float64], int]:
    """Samples in -1..1 and the sampling rate in Hz of a 16-bit mono WAV file.

    Raises:
        DataError: if the file is of another kind, is cut short or has no samples.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, frames = file.getnchannels(), file.getsampwidth(), file.getnframes()
            rate, data = file.getframerate(), file.readframes(frames)
    except (OSError, EOFError, wave.Error) as error:
        raise DataError(f"{path} cannot be read as a WAV file: {error}") from error
    if (channels, width) != (1, 2):
        raise DataError(f"{path} has {channels} channels of {8 * width} bits; convert it to one channel of 16 bits")
    if not data or len(data) != 2 * frames:
        raise DataError(f"{path} holds {len(data)} bytes of samples, its header says {2 * frames}; get it again")
    return np.frombuffer(data, "<i2") / 32768.0, rate


def mel_bands(samples: NDArray[np.float64], rate: int, *, steps: int, bands: int) -> NDArray[np.float64]:
    """Return the loudness of each mel band in windows that are spread evenly over a recording::

        E[t, b] = sum_f H[b, f] |F_t(f)|^2        x[t, b] = clip(1 + 10 log10(E[t, b] / max E) / R, 0, 1)

        F_t        Fourier transform of window t (Hann, WINDOW_SECONDS)
        H[b, f]    triangle of band b over the frequency f
        R          RANGE_DB: x is 0 at 40 dB or more below the loudest band of the recording

    The corners of the triangles are evenly spaced on the mel scale, m = 2595 log10(1 + f / 700 Hz). They reach from 0
    to half the sampling rate.

    Args:
        samples: samples of the recording, shape (n,). A recording shorter than a window is filled up with zeros.
        rate: sampling rate in Hz.
        steps: number of windows.
        bands: number of mel bands.

    Returns:
        x, 0 to 1, shape (steps, bands); all 0 for silence.

    Raises:
        ConfigError: if ``steps`` or ``bands`` is below 1.

    Source: the mel scale of D. O'Shaughnessy, "Speech Communication", 1987.
    """
    for name, value in (("steps", steps), ("bands", bands)):
        check_integer(name, value, 1)
    window = round(WINDOW_SECONDS * rate)
    padded = np.pad(samples, (0, max(0, window - len(samples))))
    starts = np.rint(np.linspace(0, len(padded) - window, steps)).astype(int)
    frames = padded[starts[:, None] + np.arange(window)] * np.hanning(window)
    # Four times as many frequencies as the window has: the lowest triangles are narrower than 1 / WINDOW_SECONDS.
    power = np.abs(rfft(frames, 4 * window, axis=1)) ** 2
    energy = power @ _triangles(rate, power.shape[1], bands).T
    loudest = energy.max()
    if loudest == 0:
        return np.zeros((steps, bands))
    return np.clip(1 + 10 * np.log10(np.maximum(energy / loudest, 1e-30)) / RANGE_DB, 0, 1)


def _triangles(rate: int, frequencies: int, bands: int) -> NDArray[np.float64]:
    mel = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), bands + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)
    low, peak, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    f = np.linspace(0, rate / 2, frequencies)
    return np.clip(np.minimum((f - low) / (peak - low), (high - f) / (high - peak)), 0, None)
