"""Whole sets of events: the Spiking Heidelberg Digits and N-MNIST in the folders that they are unpacked into."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.datasets.events import Events, read_nmnist, read_shd
from pyspice_cim.behavioral.datasets.folder import Split, check_split, data_folder
from pyspice_cim.errors import DataError

SHD_SOURCE = "https://zenkelab.org/datasets/ (shd_test.h5.gz, shd_train.h5.gz, unpacked)"
NMNIST_SOURCE = "https://www.garrickorchard.com/datasets/n-mnist (Test.zip, Train.zip, unpacked)"
_CLASSES = 10


def shd(split: Split = "test", folder: str | Path | None = None) -> tuple[list[Events], NDArray[np.int64]]:
    """Read the Spiking Heidelberg Digits: digits spoken in two languages, 20 classes, 700 inputs.

    Args:
        split: ``"train"`` or ``"test"``.
        folder: folder with ``shd_train.h5`` and ``shd_test.h5``; by default ``shd`` below PYSPICE_CIM_DATA.

    Returns:
        The recordings and their labels, see ``read_shd``.

    Raises:
        ConfigError: if ``split`` is neither "train" nor "test".
        DataError: if the file is missing, damaged or of another form.
    """
    check_split(split)
    return read_shd(data_folder("shd", folder, SHD_SOURCE) / f"shd_{split}.h5")


def nmnist(
    split: Split = "test", folder: str | Path | None = None, *, samples: int | None = None
) -> tuple[list[Events], NDArray[np.int64]]:
    """Read N-MNIST: digits of MNIST as an event camera records them, 2312 inputs.

    Args:
        split: ``"train"`` or ``"test"``.
        folder: folder with ``Train`` and ``Test``, or one of these two folders. Each holds the folders ``0`` to ``9``,
            one for each label, with ``.bin`` files. The default is ``nmnist`` below PYSPICE_CIM_DATA.
        samples: number of recordings to read, from the first; by default all.

    Returns:
        The recordings, and their labels, int64, shape (recordings,). Both are in the order of the file names. The file
        names number the recordings of all labels together.

    Raises:
        ConfigError: if ``split`` is neither "train" nor "test".
        DataError: if the folder is missing or has no ``.bin`` files, or a file is damaged.
    """
    check_split(split)
    folder = data_folder("nmnist", folder, NMNIST_SOURCE)
    part = folder / split.capitalize()
    part = part if part.is_dir() else folder
    found = [(path, label) for label in range(_CLASSES) for path in (part / str(label)).glob("*.bin")]
    if not found:
        raise DataError(f"{part} has no recordings LABEL/*.bin with labels 0 to 9; get them from {NMNIST_SOURCE}")
    chosen = sorted(found, key=lambda each: (each[0].name, each[1]))[:samples]
    return [read_nmnist(path) for path, _ in chosen], np.array([label for _, label in chosen], np.int64)
