"""IDX files, the format of MNIST and of its relatives (Fashion-MNIST, KMNIST, EMNIST).

A file holds two zero bytes, a code of the type, the number of axes and one 32-bit length for each axis. The values
follow, the last axis running fastest. All numbers are big-endian. A file may be compressed by gzip.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.datasets.folder import Split, check_split, data_folder
from pyspice_cim.errors import DataError

MNIST_SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/ (four files *-ubyte.gz)"
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


def mnist(split: Split = "test", folder: str | Path | None = None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read MNIST: 28 x 28 handwritten digits, 60 000 for training and 10 000 for the test.

    A data set with the same file names, such as Fashion-MNIST, can be read as well.

    Args:
        split: ``"train"`` or ``"test"``.
        folder: folder with ``train-images-idx3-ubyte``, ``t10k-labels-idx1-ubyte`` and so on, each plain or ``.gz``;
            by default ``mnist`` below PYSPICE_CIM_DATA.

    Returns:
        Images: grey values in 0..1 (multiples of 1/255), shape (n, height * width), row by row. Labels: shape (n,).

    Raises:
        ConfigError: if ``split`` is neither "train" nor "test".
        DataError: if a file is missing, damaged or of another form.
    """
    check_split(split)
    folder = data_folder("mnist", folder, MNIST_SOURCE)
    prefix = "train" if split == "train" else "t10k"
    paths = [_plain_or_gz(folder / f"{prefix}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")]
    images, labels = (read_idx(path) for path in paths)
    for path, array, axes in zip(paths, (images, labels), (3, 1), strict=True):
        if array.dtype != np.uint8 or array.ndim != axes:
            raise DataError(f"{path} holds {array.dtype} {array.shape}; it must hold bytes along {axes} axes")
    if len(images) != len(labels):
        raise DataError(f"{paths[0]} holds {len(images)} images, but {paths[1]} {len(labels)} labels")
    return images.reshape(len(images), -1) / 255.0, labels.astype(np.int64)


def read_idx(path: str | Path) -> NDArray[Any]:
    """Return the array of an IDX file, plain or compressed by gzip.

    Raises:
        DataError: if the file is missing, is no IDX file, or is shorter or longer than its header says.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        if data.startswith(_GZIP_MAGIC):
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as an IDX file: {error}") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise DataError(f"{path} starts with {data[:4].hex() or 'nothing'}; an IDX file starts with 0000, type, axes")
    kind, axes = np.dtype(_TYPES[data[2]]), data[3]
    header = 4 + 4 * axes
    if len(data) < header:
        raise DataError(f"{path} is cut short: {len(data)} bytes, less than its header of {header}; get it again")
    shape = struct.unpack(f">{axes}I", data[4:header])
    expected = header + kind.itemsize * math.prod(shape)
    if len(data) != expected:
        raise DataError(f"{path} has {len(data)} bytes, but its header says {expected}, shape {shape}; get it again")
    return np.frombuffer(data, kind, offset=header).reshape(shape).astype(kind.newbyteorder("="))


def _plain_or_gz(path: Path) -> Path:
    compressed = path.with_name(path.name + ".gz")
    for candidate in (path, compressed):
        if candidate.is_file():
            return candidate
    raise DataError(f"neither {path} nor {compressed.name} is there; get it from {MNIST_SOURCE}")
