"""Shipped files and atomic writes."""

import errno
import os
import stat

import pytest

from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.resources import atomic_write, shipped, shipped_names, write_atomically, write_new, write_own


def test_shipped_files_are_found_and_listed():
    assert "digits.h5" in shipped_names("networks")
    assert shipped("networks", "digits.h5").is_file()


@pytest.mark.parametrize("name", ["nothing.h5", "../train_digits.py", ""])
def test_what_is_not_shipped_is_named(name):
    with pytest.raises(DataError, match=r"there are: .*digits\.h5"):
        shipped("networks", name)


def test_an_unknown_kind_is_named():
    with pytest.raises(ConfigError, match="choose one of plans, reference, networks"):
        shipped("models", "x")


def test_a_write_replaces_the_whole_file(tmp_path):
    write_atomically(tmp_path / "a", b"old and longer")
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208


def test_after_an_error_the_old_file_is_as_it_was(tmp_path):
    write_atomically(tmp_path / "a", b"old")
    with pytest.raises(RuntimeError, match="stop"), atomic_write(tmp_path / "a") as temporary:
        temporary.write_bytes(b"half of the n")
        raise RuntimeError("stop")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_a_message(tmp_path):
    with pytest.raises(ConfigError, match="No space left"), atomic_write(tmp_path / "a"):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomically(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"x"


def test_bad_targets_are_named(tmp_path):
    with pytest.raises(ConfigError, match="does not exist; make it first"):
        write_atomically(tmp_path / "no" / "a", b"")
    with pytest.raises(ConfigError, match="it is a folder"):
        write_atomically(tmp_path, b"")


@pytest.mark.parametrize("linked", [False, True])
def test_what_is_no_regular_file_is_never_replaced(tmp_path, linked):
    os.mkfifo(tmp_path / "pipe")
    name = "pipe"
    if linked:
        name = "link"
        (tmp_path / name).symlink_to(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=f"cannot write .*{name}: it is there and no regular file"):
        write_atomically(tmp_path / name, b"x")
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted({"pipe", name})


def test_a_device_is_never_replaced(tmp_path):
    # A node of our own below the test's folder: none of the machine's is ever written to.
    try:
        os.mknod(tmp_path / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    with pytest.raises(ConfigError, match="it is there and no regular file"):
        write_atomically(tmp_path / "device", b"x")
    assert (tmp_path / "device").is_char_device()


def test_links_in_a_ring_are_named(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ConfigError, match="cannot write .*/a: it is there and no regular file"):
        write_atomically(tmp_path / "a", b"x")
    assert (tmp_path / "a").is_symlink() and (tmp_path / "b").is_symlink()


@pytest.mark.parametrize("name", ["n" * 300, "a\0b"])
def test_a_name_that_the_system_does_not_take_is_named(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot write .*: (File name too long|.*null)"):
        write_atomically(tmp_path / name, b"x")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="Permission denied"):
        write_atomically(tmp_path / "a", b"")


def everything(folder):
    """Name to content, or to where a link points."""
    return {
        path.name: str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.iterdir()
        if path.is_symlink() or path.is_file()
    }


def test_a_new_file_is_new(tmp_path):
    write_new(tmp_path / "a", b"x")
    write_new(tmp_path / "a", b"x")
    with pytest.raises(ConfigError, match="a: a file of that name is there, with another content; .* an empty folder"):
        write_new(tmp_path / "a", b"y")
    assert everything(tmp_path) == {"a": b"x"}


@pytest.mark.parametrize("code", ["EPERM", "EOPNOTSUPP"])
def test_a_new_file_where_files_have_one_name_each(tmp_path, monkeypatch, code):
    def no_links(*arguments, **how):
        raise OSError(getattr(errno, code), "no")

    monkeypatch.setattr(os, "link", no_links)
    test_a_new_file_is_new(tmp_path)


@pytest.mark.parametrize("target", ["there", "absent", "a"])
def test_a_link_in_the_place_of_an_own_name_is_not_followed(tmp_path, target):
    (tmp_path / "there").write_bytes(b"x")
    (tmp_path / "a").symlink_to(target)
    before = everything(tmp_path)
    for write in (
        lambda path: write_new(path, b"x"),
        lambda path: write_own(path, b"x", lambda data: True),
        lambda path: write_atomically(path, b"x", follow=False),
    ):
        with pytest.raises(ConfigError, match="a: it is a link to another place, which is not followed; remove it"):
            write(tmp_path / "a")
    assert everything(tmp_path) == before


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "a")
    for write in (lambda path: write_new(path, b"x"), lambda path: write_own(path, b"x", lambda data: True)):
        with pytest.raises(ConfigError, match="cannot write .*a: it is there"):
            write(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_own_file_replaces_own_ones(tmp_path):
    write_own(tmp_path / "a", b"ours, old", lambda data: data.startswith(b"ours"))
    write_own(tmp_path / "a", b"ours, new", lambda data: data.startswith(b"ours"))
    assert everything(tmp_path) == {"a": b"ours, new"}
    (tmp_path / "a").write_bytes(b"months of work")
    with pytest.raises(ConfigError, match="a: a file of that name is there that this program did not make; move it"):
        write_own(tmp_path / "a", b"ours, new", lambda data: data.startswith(b"ours"))
    assert everything(tmp_path) == {"a": b"months of work"}
