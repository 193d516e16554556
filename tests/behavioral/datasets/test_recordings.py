"""Whole sets of events in folders: which files, in which order, and what is said where they are not."""

import h5py
import numpy as np
import pytest

from pyspice_cim.behavioral.datasets import nmnist, shd
from pyspice_cim.behavioral.datasets.folder import DATA_VARIABLE
from pyspice_cim.errors import ConfigError, DataError


def recording(path, x):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((x << 32 | 1 << 24 | 5).to_bytes(5, "big"))


def test_nmnist_is_read_in_the_order_of_its_numbers(tmp_path, monkeypatch):
    for part, first in (("Test", 1), ("Train", 11)):
        for index, label in enumerate((9, 0, 9)):
            recording(tmp_path / "nmnist" / part / str(label) / f"{first + index:05}.bin", first + index)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    recordings, labels = nmnist()
    assert labels.tolist() == [9, 0, 9]
    assert [each.inputs.tolist() for each in recordings] == [[34 + 1], [34 + 2], [34 + 3]]
    # One part by itself is what its folder holds; some of it are its first recordings.
    some, labels = nmnist("test", tmp_path / "nmnist" / "Train", samples=2)
    assert labels.tolist() == [9, 0] and some[0].inputs.tolist() == [34 + 11]
    assert nmnist("train")[0][0].inputs.tolist() == [34 + 11]


def test_shd_has_a_file_for_each_part(tmp_path, monkeypatch):
    (tmp_path / "shd").mkdir()
    with h5py.File(tmp_path / "shd" / "shd_train.h5", "w") as file:
        file["labels"] = [7]
        for name, value in (("times", 0.5), ("units", 3)):
            data = file.create_dataset(f"spikes/{name}", (1,), dtype=h5py.vlen_dtype(type(value)))
            data[0] = np.array([value])
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    recordings, labels = shd("train")
    assert (labels.tolist(), recordings[0].times.tolist(), recordings[0].inputs.tolist()) == ([7], [0.5], [3])
    assert shd("train", tmp_path / "shd")[1].tolist() == [7]
    with pytest.raises(DataError, match=r"shd_test\.h5: no such file; get the data from https://zenkelab\.org"):
        shd()


@pytest.mark.parametrize(
    ("read", "source"), [(nmnist, r"https://www\.garrickorchard\.com"), (shd, r"https://zenkelab")]
)
def test_what_is_missing_says_where_to_get_it(tmp_path, monkeypatch, read, source):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(DataError, match=rf"{DATA_VARIABLE} is not set; get the data from {source}"):
        read()
    with pytest.raises(DataError, match=rf"none: no such folder; get the data from {source}"):
        read("test", tmp_path / "none")
    with pytest.raises(ConfigError, match="split is 'all'"):
        read("all", tmp_path)


def test_a_folder_without_recordings_says_what_it_should_hold(tmp_path):
    recording(tmp_path / "ten" / "1.bin", 1)
    with pytest.raises(DataError, match=r"has no recordings LABEL/\*\.bin with labels 0 to 9; get them from https://"):
        nmnist("test", tmp_path)
