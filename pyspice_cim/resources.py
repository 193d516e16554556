"""Files that come with the package, and the ways in which any file is written."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from pyspice_cim.errors import ConfigError, DataError

_PACKAGE = Path(__file__).resolve().parent
# In a wheel the folders lie below _shipped; in a source tree they are where people edit them.
_SOURCE_FOLDERS = {
    "plans": "characterization/plans",
    "reference": "characterization/reference",
    "networks": "behavioral/networks",
}


# What a file system says that knows no second name of a file.
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)

# The technology of what is shipped, where none is named.
DEFAULT_TECHNOLOGY = "generic45lp"


def shipped(kind: str, name: str) -> Path:
    """Path of the shipped file ``name`` of a ``kind``: ``"plans"``, ``"reference"`` or ``"networks"``.

    Raises:
        ConfigError: for another kind.
        DataError: if there is no such file; the message lists those there are.
    """
    for folder in _folders(kind):
        path = folder / name
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path
    there = ", ".join(shipped_names(kind)) or "none"
    raise DataError(f"no file {name!r} is shipped under {kind}; there are: {there}")


def shipped_names(kind: str) -> tuple[str, ...]:
    """Names that ``shipped(kind, name)`` finds, sorted.

    Raises:
        ConfigError: for an unknown kind.
    """
    names = {
        path.relative_to(folder).as_posix()
        for folder in _folders(kind)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.suffix not in {".md", ".py", ".pyc"}
    }
    return tuple(sorted(names))


def _folders(kind: str) -> tuple[Path, Path]:
    if kind not in _SOURCE_FOLDERS:
        raise ConfigError(f"kind {kind!r} is not shipped; choose one of {', '.join(_SOURCE_FOLDERS)}")
    return _PACKAGE / "_shipped" / kind, _PACKAGE.parent / _SOURCE_FOLDERS[kind]


@contextlib.contextmanager
def atomic_write(path: str | Path, *, follow: bool = True) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path``; on leaving without an error it becomes ``path`` in one step.

    A reader sees the old file or the whole new one. The bytes are on disk before the rename; after an error nothing is
    left behind and the old file is as it was. A symbolic link is followed: it stays, and the file that it points at is
    replaced, or made. What is there and is no regular file (a device, a pipe, a socket) is never replaced.

    Args:
        follow: whether ``path`` is a name that the user gave. A link in the place of a name that the program chose was
            put there by somebody else: it is refused.

    Raises:
        ConfigError: if the folder is missing or not writable, ``path`` is a folder, something that is no regular file, or
            no name that the system takes, or the disk is full.
    """
    if not follow:
        refuse_link(path)
    target = _target(path)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        # Made here, exclusively, so that a folder without write permission is reported before any work is done.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        _sync(temporary)
        temporary.replace(target)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    # The rename itself is made durable where the system lets a folder be opened.
    with contextlib.suppress(OSError):
        _sync(target.parent)


def _target(path: str | Path) -> Path:
    """What ``path`` stands for in the end, if it may become a file."""
    try:
        # Path.resolve has an error of its own for links in a ring; here the ring is found below, as no regular file.
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise ConfigError(f"cannot write {path}: it is a folder; give the name of a file")
        if os.path.lexists(target) and not target.is_file():
            # A rename puts a file in the place of a device or a pipe, and what used that is broken.
            raise ConfigError(f"cannot write {path}: it is there and no regular file; give the name of a file")
        if not target.parent.is_dir():
            raise ConfigError(f"cannot write {path}: the folder {target.parent} does not exist; make it first")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    return target


def write_atomically(path: str | Path, data: bytes, *, follow: bool = True) -> None:
    """Write ``data`` to ``path`` by ``atomic_write``; the same guarantees and errors."""
    with atomic_write(path, follow=follow) as temporary:
        temporary.write_bytes(data)


def write_own(path: Path, data: bytes, ours: Callable[[bytes], bool]) -> None:
    """Write a file whose name the program chose, in one step. No link is followed.

    Args:
        ours: whether the bytes of the file that is there are some that the program wrote, which may be replaced.

    Raises:
        ConfigError: if another file is there, or a link, and as ``atomic_write``.
    """
    check_own(path, ours)
    write_atomically(path, data, follow=False)


def check_own(path: Path, ours: Callable[[bytes], bool]) -> None:
    """Raise if ``write_own`` would not write ``path``.

    Raises:
        ConfigError: as ``write_own``.
    """
    if os.path.lexists(path) and not ours(_content(path)):
        raise ConfigError(
            f"cannot write {path}: a file of that name is there that this program did not make; move it, or give another "
            "folder"
        )


def write_new(path: Path, data: bytes) -> None:
    """Write ``data`` to a new file, in one step. Where the same bytes are there already, nothing is done.

    No link is followed, and nothing is replaced.

    Raises:
        ConfigError: if another file is there, or a link, and as ``atomic_write``.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, path)
    except FileExistsError:
        if _content(path) != data:
            raise ConfigError(
                f"cannot write {path}: a file of that name is there, with another content; move it, or give an empty folder"
            ) from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _publish(temporary: Path, path: Path) -> None:
    """Give the file ``temporary`` the name ``path`` as well, if nothing has it: unlike a rename, this replaces nothing."""
    try:
        os.link(temporary, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as file:  # noqa: PTH123
            file.write(temporary.read_bytes())


def refuse_link(path: str | Path) -> None:
    """Raise if ``path``, whose name the program chose, is a symbolic link.

    Raises:
        ConfigError: naming the link, and what to do.
    """
    # A name that the system does not take is for whoever writes it to say.
    if os.path.islink(path):  # noqa: PTH114
        raise ConfigError(
            f"cannot write {path}: it is a link to another place, which is not followed; remove it, or give another folder"
        )


def make_folder(folder: Path) -> None:
    """Make ``folder``, with those above it, if it is not there.

    Raises:
        ConfigError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror or error}") from error


def _content(path: Path) -> bytes:
    """Bytes of the regular file ``path``, which the program is about to write.

    Raises:
        ConfigError: if it is a link, or anything else, or cannot be read.
    """
    refuse_link(path)
    try:
        # A pipe would have us wait for whoever writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"cannot write {path}: it is there and no regular file; give another folder")
            return file.read()
    except OSError as error:
        raise ConfigError(f"cannot write {path}: it is there, and cannot be read: {error.strerror or error}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
