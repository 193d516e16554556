"""An HDF5 file that somebody sent holds itself alone: what points out of it is refused, before anything is read."""

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyspice_cim import hdf5_guard
from pyspice_cim.behavioral.datasets import read_shd
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.errors import DataError, TableError
from pyspice_cim.hdf5_guard import why_refused
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table


def write_table(path: Path) -> None:
    shutil.copyfile(shipped("reference", "generic45lp.h5"), path)


def write_network(path: Path) -> None:
    shutil.copyfile(shipped("networks", "digits.h5"), path)


def write_shd(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, kind in (("times", np.float16), ("units", np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (2,), dtype=h5py.vlen_dtype(kind))
            data[0], data[1] = np.array([0, 1], kind), np.array([1], kind)
        file["labels"] = np.array([3, 4])


def write_nir(path: Path) -> None:
    nir = pytest.importorskip("nir")
    nodes = {
        "in": nir.Input({"input": np.array([4])}),
        "fc": nir.Linear(np.ones((3, 4))),
        "out": nir.Output({"output": np.array([3])}),
    }
    nir.write(path, nir.NIRGraph(nodes, [("in", "fc"), ("fc", "out")]))


def read_nir(path: Path) -> object:
    from pyspice_cim.behavioral.nir.reader import read_graph

    return read_graph(path)


# What writes a good file, what reads it, a dataset of it that the reader wants, and the reader's error.
READERS: dict[str, tuple[Callable[[Path], None], Callable[[Path], object], str, type[Exception]]] = {
    "table": (write_table, load_table, "driver_energy", TableError),
    "network": (write_network, load_network, "layers/0/weights", DataError),
    "nir": (write_nir, read_nir, "node/nodes/fc/weight", DataError),
    "shd": (write_shd, read_shd, "labels", DataError),
}


def out_by_link(file: h5py.File, name: str) -> None:
    with h5py.File(Path(file.filename).with_name("other.h5"), "w") as other:
        other["secret"] = file[name][()]
    del file[name]
    file[name] = h5py.ExternalLink("other.h5", "/secret")


def out_by_storage(file: h5py.File, name: str) -> None:
    values = np.ascontiguousarray(file[name][()])
    Path(file.filename).with_name("secret").write_bytes(values.tobytes())
    del file[name]
    file.create_dataset(name, values.shape, values.dtype, external=[("secret", 0, values.nbytes)])


def out_by_a_virtual_dataset(file: h5py.File, name: str) -> None:
    values = file[name][()]
    with h5py.File(Path(file.filename).with_name("other.h5"), "w") as other:
        other["secret"] = values
    del file[name]
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[...] = h5py.VirtualSource("other.h5", "secret", values.shape, values.dtype)
    file.create_virtual_dataset(name, layout)


WAYS_OUT = {
    "an external link": out_by_link,
    "a dataset with external storage": out_by_storage,
    "a virtual dataset": out_by_a_virtual_dataset,
}


@pytest.fixture(params=READERS)
def reader(request, tmp_path):
    """Path of a good file, what reads it, its dataset, its error."""
    write, read, name, error = READERS[request.param]
    path = tmp_path / "sent.h5"
    write(path)
    return path, read, name, error


def test_a_file_that_holds_itself_alone_is_read(reader):
    path, read, _, _ = reader
    read(path)
    with h5py.File(path) as file:
        assert why_refused(file) == ""


@pytest.mark.parametrize("what", WAYS_OUT)
def test_what_lies_in_another_file_is_not_read(reader, what, monkeypatch):
    path, read, name, error = reader
    # Relative names are looked for in the working folder, too.
    monkeypatch.chdir(path.parent)
    with h5py.File(path, "r+") as file:
        WAYS_OUT[what](file, name)
        values = file[name][()]
    assert values.size, "the library itself follows it"
    with pytest.raises(error) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert f"has {what} at /{name}" in str(caught.value)


@pytest.mark.parametrize("what", WAYS_OUT)
def test_what_no_reader_asks_for_is_refused_as_well(reader, what):
    path, read, _, error = reader
    with h5py.File(path, "r+") as file:
        file["deep/er/unused"] = np.arange(3)
        WAYS_OUT[what](file, "deep/er/unused")
    with pytest.raises(error, match=f"has {what} at /deep/er/unused"):
        read(path)


def test_nothing_outside_is_opened(tmp_path, reader):
    """A pipe in the place of the other file would have its reader wait for ever."""
    path, read, name, error = reader
    pipe = path.with_name("pipe")
    subprocess.run(["mkfifo", pipe], check=True)
    with h5py.File(path, "r+") as file:
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, shape, np.float64, external=[(str(pipe), 0, h5py.h5f.UNLIMITED)])
    with pytest.raises(error, match="external storage"):
        read(path)


@pytest.fixture
def file():
    with h5py.File(io.BytesIO(), "w") as made:
        yield made


def test_links_inside_of_a_file_are_its_own(file):
    file["a/values"] = [1, 2]
    file["b"] = file["a/values"]
    file["c"] = h5py.SoftLink("/a/values")
    file["nowhere"] = h5py.SoftLink("/a/absent")
    file["itself"] = h5py.SoftLink("/itself")
    file["type"] = np.dtype("f8")
    assert why_refused(file) == ""


@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("to", ["/", "/a", "/a/b"])
def test_a_second_way_to_a_group(file, kind, to):
    """A tree of n such groups, each linked twice from the one before, has 2^n paths."""
    inner = file.create_group("a/b")
    inner["again"] = h5py.SoftLink(to) if kind == "soft" else file[to]
    found = why_refused(file)
    assert "has a second way to one of its groups at /a/b/again" in found and "remove" in found


def test_a_file_of_very_many_links(file, monkeypatch):
    monkeypatch.setattr(hdf5_guard, "MOST_LINKS", 50)
    for number in range(50):
        file[f"groups/of/{number}"] = number
    assert "has more than 50 links" in why_refused(file)


def test_groups_in_groups(file):
    group = file
    for _ in range(3000):
        group = group.create_group("g")
    assert why_refused(file) == ""
    group["out"] = h5py.ExternalLink("other.h5", "/")
    assert "an external link at /g/g/g" in why_refused(file)


def changed(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert data.count(old) == 1 and len(old) == len(new)
    path.write_bytes(data.replace(old, new))


def test_a_link_of_a_type_that_hdf5_does_not_define(tmp_path):
    path = tmp_path / "sent.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["out"] = h5py.ExternalLink("other.h5", "/")
    # Type, length of the name, name.
    changed(path, b"\x40\x03out", b"\x41\x03out")
    with h5py.File(path) as file:
        assert "has a link of a user-defined type at /out" in why_refused(file)


def test_a_name_that_is_a_path(tmp_path):
    """The library goes along it, link by link, and so through one that was not looked at."""
    path, other = tmp_path / "sent.h5", tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    with h5py.File(path, "w", libver="earliest") as file:
        file["q_o"] = 2
        file["o"] = h5py.ExternalLink(str(other), "/")
    changed(path, b"\x03q_o", b"\x03./o")
    with h5py.File(path) as file:
        assert file["o/x"][()] == 1
        assert "has a link at /./o whose name is a path" in why_refused(file)


def test_as_a_program_it_reads_what_it_does_not_refuse(tmp_path):
    path = tmp_path / "sent.h5"

    def ran() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-P", hdf5_guard.__file__], input=path.read_bytes(), capture_output=True, check=False
        )

    write_network(path)
    assert (ran().returncode, ran().stderr) == (0, b"")
    with h5py.File(path, "r+") as file:
        out_by_link(file, "layers/0/weights")
    assert ran().returncode == hdf5_guard.REFUSED and b"external link at /layers/0/weights" in ran().stderr
    path.write_bytes(b"nothing")
    assert ran().returncode == 1
