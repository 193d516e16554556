"""Check that a foreign HDF5 file refers to no other file.

HDF5 can refer to other files in three ways. An external link stands for an object of another file. A dataset with external
storage keeps its values in other files. A virtual dataset takes its values from datasets of other files. The library follows
all three silently. ``why_refused`` finds them before a value is read.

This module imports h5py alone, and also runs as a program. ``python hdf5_guard.py`` takes a file on stdin, checks it, and
reads all its values. A damaged file can crash the library or send it into an endless loop; the program confines this to a
separate process.
"""

import contextlib
import io
import sys
from typing import Any

import h5py
from h5py import h5d, h5g, h5l, h5o

# Most links of a file; the files of the package have some hundred.
MOST_LINKS = 100_000
# Exit status of this module as a program, for a file that ``why_refused`` refuses.
REFUSED = 3


def why_refused(file: h5py.File) -> str:
    """Why ``file`` is refused, in words that follow its name; ``""`` if it is accepted. No value is read.

    Refused are links out of the file, links of a user-defined type, and datasets with values in other files. A group with two
    paths is refused, too: a reader that walks the tree could loop, or visit the group 2^n times.
    """
    seen = {_address(file.id)}
    groups: list[tuple[str, h5g.GroupID]] = [("", file.id)]
    soft: list[tuple[str, h5g.GroupID, bytes]] = []
    count = 0
    while groups:
        path, group = groups.pop()
        for name in group:
            count += 1
            if count > MOST_LINKS:
                return f"has more than {MOST_LINKS:,} links; a file of this kind has some hundred: it is refused"
            where = f"{path}/{name.decode(errors='backslashreplace')}"
            if b"/" in name or name in (b"", b"."):
                # The library would read the name as a path, and follow the links on it.
                return f"has a link at {where} whose name is a path; it was edited: get the file anew"
            kind = group.links.get_info(name).type
            if kind == h5l.TYPE_SOFT:
                soft.append((where, group, name))
                continue
            if kind != h5l.TYPE_HARD:
                what = "an external link" if kind == h5l.TYPE_EXTERNAL else "a link of a user-defined type"
                return f"has {what} at {where}, which leads out of the file; replace it by a copy of what it stands for"
            found = h5o.open(group, name)
            address = _address(found)
            if isinstance(found, h5g.GroupID):
                if address in seen:
                    return f"has a second way to one of its groups at {where}; remove that link"
                groups.append((where, found))
            elif isinstance(found, h5d.DatasetID) and address not in seen and (what := _storage(found)):
                return f"has {what} at {where}: its values lie in other files; store them in this one"
            seen.add(address)
    # No link leads out of the file, so soft links can be followed. A soft link that leads nowhere is harmless.
    for where, group, name in soft:
        with contextlib.suppress(KeyError, OSError, RuntimeError):
            if isinstance(h5o.open(group, name), h5g.GroupID):
                return f"has a second way to one of its groups at {where}; remove that link"
    return ""


def _address(found: Any) -> int:
    return int(h5o.get_info(found).addr)


def _storage(found: h5d.DatasetID) -> str:
    settings = found.get_create_plist()
    if settings.get_external_count():
        return "a dataset with external storage"
    return "a virtual dataset" if settings.get_layout() == h5d.VIRTUAL else ""


def _read_all(data: bytes) -> str:
    """Why the file is refused, or ``""`` after every dataset was read once."""
    with h5py.File(io.BytesIO(data), "r") as file:
        if found := why_refused(file):
            return found
        file.visititems(lambda name, each: each[()] if isinstance(each, h5py.Dataset) else None)
    return ""


if __name__ == "__main__":
    if refused := _read_all(sys.stdin.buffer.read()):
        print(refused, file=sys.stderr)
        sys.exit(REFUSED)
