"""IDX files: any array comes back, and damaged files are named."""

import gzip
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pyspice_cim.behavioral.datasets import mnist, read_idx
from pyspice_cim.behavioral.datasets.folder import DATA_VARIABLE, data_folder
from pyspice_cim.errors import ConfigError, DataError

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx(array):
    """An IDX file as the format says, written without the reader's code."""
    header = struct.pack(">HBB", 0, CODES[array.dtype.name], array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "array"


@given(
    st.sampled_from(sorted(CODES)).flatmap(
        lambda name: arrays.arrays(
            name,
            arrays.array_shapes(max_dims=4, max_side=5),
            elements={"allow_nan": False} if "float" in name else None,
        )
    ),
    st.booleans(),
)
def test_any_array_comes_back(scratch, array, compressed):
    scratch.write_bytes(gzip.compress(idx(array)) if compressed else idx(array))
    back = read_idx(scratch)
    assert back.dtype == array.dtype and np.array_equal(back, array)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for prefix, n in (("train", 6), ("t10k", 4)):
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (n, 3, 2), np.uint8)))
        (tmp_path / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(n, dtype=np.uint8))))
    return tmp_path


def test_both_splits_are_read_plain_or_compressed(folder):
    images, labels = mnist("train", folder)
    raw = read_idx(folder / "train-images-idx3-ubyte")
    assert np.array_equal(np.rint(255 * images).reshape(raw.shape), raw) and images.max() <= 1
    assert labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert mnist("test", folder)[0].shape == (4, 6)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_cut_short_anywhere_is_refused(tmp_path, compressed):
    whole = idx(np.arange(24, dtype=np.uint8).reshape(4, 3, 2))
    whole = gzip.compress(whole) if compressed else whole
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(DataError, match="cut"):
            read_idx(tmp_path / "cut")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n", "starts with 89504e47"),
        (b"\0\0\x07\x01\0\0\0\0", "starts with 00000701"),
        (idx(np.arange(5, dtype=np.uint8)) + b"x", "has 14 bytes, but its header says 13"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "its header says 7922816"),
    ],
)
def test_other_files_are_named(tmp_path, data, words):
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(DataError, match=rf"file .*{words}"):
        read_idx(tmp_path / "file")


def test_files_that_do_not_belong_together_are_named(folder):
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(DataError, match=r"4 images, but .*t10k-labels-idx1-ubyte 3 labels"):
        mnist("test", folder)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros((3, 1), np.uint8)))
    with pytest.raises(DataError, match=r"it must hold bytes along 1 axes"):
        mnist("test", folder)


def test_what_is_missing_says_where_to_get_it(tmp_path, folder, monkeypatch):
    with pytest.raises(ConfigError, match="split is 'all'"):
        mnist("all", folder)
    (folder / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match=r"neither .*t10k-images-idx3-ubyte nor .*\.gz is there; get it from https://"):
        mnist("test", folder)
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(
        DataError, match="no folder is given for mnist, and PYSPICE_CIM_DATA is not set; get the data from"
    ):
        mnist()
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match=r"/mnist: no such folder; get the data from https://"):
        mnist()
    assert data_folder("", None, "") == tmp_path


@pytest.mark.skipif(DATA_VARIABLE not in os.environ, reason="needs MNIST's files; set PYSPICE_CIM_DATA")
def test_mnist_has_the_sizes_of_its_paper():
    images, labels = mnist("test")
    assert images.shape == (10_000, 784) and images.min() == 0 and images.max() == 1
    # The counts of the test set's classes that its files have always had.
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
