"""Where the files of a data set lie."""

import os
from pathlib import Path
from typing import Literal

from pyspice_cim.errors import ConfigError, DataError

Split = Literal["train", "test"]
DATA_VARIABLE = "PYSPICE_CIM_DATA"


def check_split(split: str) -> None:
    """Raise ``ConfigError`` if ``split`` is neither "train" nor "test"."""
    if not isinstance(split, str) or split not in ("train", "test"):
        raise ConfigError(f"split is {split!r}; choose 'train' or 'test'")


def data_folder(name: str, folder: str | Path | None, source: str) -> Path:
    """Return the folder of a data set.

    Args:
        name: name of the data set's folder below the folder in the environment variable PYSPICE_CIM_DATA.
        folder: the folder itself; ``None`` takes the folder ``name``.
        source: where to get the data, for the error.

    Raises:
        DataError: if ``folder`` is ``None`` and the variable is not set, or if there is no such folder.
    """
    if folder is None:
        root = os.environ.get(DATA_VARIABLE)
        if not root:
            raise DataError(
                f"no folder is given for {name}, and {DATA_VARIABLE} is not set; get the data from {source}"
            )
        folder = Path(root) / name
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; get the data from {source}")
    return folder
