"""What a foreign HDF5 file may hold: itself alone.

HDF5 can point out of a file. An external link stands for an object of another file, a dataset may keep its values in other
files (external storage), or borrow them from datasets of other files (virtual). The library follows all three without a
word. ``why_refused`` looks for them before anything is read.

This module imports h5py alone, and runs as a program too: ``python hdf5_guard.py`` takes a file on stdin, looks for what
it may not hold, and reads all the rest. A damaged file can crash the library, or send it into an endless loop; then it
does so in a process of its own.
"""

import contextlib
import io
import sys
from typing import Any

import h5py
from h5py import h5d, h5g, h5l, h5o

# Links and objects of a file; those that the package writes have some hundred.
MOST_LINKS = 100_000
# Exit status of this module as a program, for a file that ``why_refused`` refuses.
REFUSED = 3


def why_refused(file: h5py.File) -> str:
    """Why ``file`` is refused, in words that follow its name; ``""`` if it is not. No value is read, no link followed.

    Refused are links out of the file, links of a user-defined type, datasets whose values lie in other files, and groups
    that two ways lead to: a reader that walks a tree would go round in a circle, or visit a few groups 2^n times.
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
                # The library would take it for a path, and follow the links along it.
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
    # Nothing in the file leads out of it, so that a soft link may be followed. One that leads nowhere is none.
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
    """``why_refused``; where there is none, every dataset is read, those that are linked twice once."""
    with h5py.File(io.BytesIO(data), "r") as file:
        if found := why_refused(file):
            return found
        file.visititems(lambda name, each: each[()] if isinstance(each, h5py.Dataset) else None)
    return ""


if __name__ == "__main__":
    if refused := _read_all(sys.stdin.buffer.read()):
        print(refused, file=sys.stderr)
        sys.exit(REFUSED)
