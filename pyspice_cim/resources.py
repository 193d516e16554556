"""Files that come with the package, and safe ways to write a file."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from pyspice_cim.errors import ConfigError, DataError

_PACKAGE = Path(__file__).resolve().parent
# In a wheel the folders lie below _shipped; a source tree has them at the top.
_SOURCE_FOLDERS = {
    "plans": "characterization/plans",
    "reference": "characterization/reference",
    "networks": "behavioral/networks",
}


# Errors of a file system without hard links.
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)

# The technology that is used where none is named.
DEFAULT_TECHNOLOGY = "generic45lp"


def shipped(kind: str, name: str) -> Path:
    """Path of a shipped file.

    Args:
        kind: ``"plans"``, ``"reference"`` or ``"networks"``.
        name: name of the file, with its suffix.

    Raises:
        ConfigError: if ``kind`` is unknown.
        DataError: if there is no such file; the message lists the shipped files.
    """
    for folder in _folders(kind):
        path = folder / name
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            return path
    there = ", ".join(shipped_names(kind)) or "none"
    raise DataError(f"no file {name!r} is shipped under {kind}; there are: {there}")


def shipped_names(kind: str) -> tuple[str, ...]:
    """Sorted names of the shipped files of a kind.

    Args:
        kind: ``"plans"``, ``"reference"`` or ``"networks"``.

    Raises:
        ConfigError: if ``kind`` is unknown.
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
    """Give a temporary path beside ``path``; when the block ends without an error, the temporary file becomes ``path``.

    A reader sees the whole old file or the whole new file. The bytes are on disk before the rename. After an error, the old
    file is unchanged and no temporary file stays. A symbolic link stays, and the file behind the link is replaced or made. A
    device, a pipe or a socket is never replaced.

    Args:
        path: file to write.
        follow: whether a symbolic link at ``path`` is followed. Give ``False`` for a name that the program chose: somebody
            else put a link there, so the link is an error.

    Raises:
        ConfigError: if the folder is missing or not writable, the disk is full, or ``path`` is a folder, no regular file, or
            no valid name.
    """
    if not follow:
        refuse_link(path)
    target = _target(path)
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        # Made here, exclusively: a folder without write permission is an error before any work is done.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        _sync(temporary)
        temporary.replace(target)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    # The rename becomes durable too, where the system can open a folder.
    with contextlib.suppress(OSError):
        _sync(target.parent)


def _target(path: str | Path) -> Path:
    """The path behind all links of ``path``, checked to be a place for a file."""
    try:
        # Path.resolve raises another error for a ring of links; realpath lets the check below find the ring.
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise ConfigError(f"cannot write {path}: it is a folder; give the name of a file")
        if os.path.lexists(target) and not target.is_file():
            # A rename would replace a device or a pipe by a file, and break its users.
            raise ConfigError(f"cannot write {path}: it is there and no regular file; give the name of a file")
        if not target.parent.is_dir():
            raise ConfigError(f"cannot write {path}: the folder {target.parent} does not exist; make it first")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    return target


def write_atomically(path: str | Path, data: bytes, *, follow: bool = True) -> None:
    """Write ``data`` to ``path`` with the guarantees, arguments and errors of ``atomic_write``."""
    with atomic_write(path, follow=follow) as temporary:
        temporary.write_bytes(data)


def write_own(path: Path, data: bytes, ours: Callable[[bytes], bool]) -> None:
    """Write a file whose name the program chose, in one step. No link is followed.

    Args:
        path: file to write.
        data: bytes of the file.
        ours: whether the bytes of an existing file were written by the program, so that the file may be replaced.

    Raises:
        ConfigError: if a link or a file of somebody else is there, and as ``atomic_write``.
    """
    check_own(path, ours)
    write_atomically(path, data, follow=False)


def check_own(path: Path, ours: Callable[[bytes], bool]) -> None:
    """Check that ``write_own`` may write ``path``; the arguments and errors of ``write_own``."""
    if os.path.lexists(path) and not ours(_content(path)):
        raise ConfigError(
            f"cannot write {path}: a file of that name is there that this program did not make; move it, or give another "
            "folder"
        )


def write_new(path: Path, data: bytes) -> None:
    """Write ``data`` to a new file, in one step. No link is followed, and no file is replaced.

    If ``path`` holds the same bytes already, nothing is done.

    Raises:
        ConfigError: if a link or a file with another content is there, and as ``atomic_write``.
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
    """Give the file ``temporary`` the second name ``path``; unlike a rename, this replaces nothing."""
    try:
        os.link(temporary, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as file:  # noqa: PTH123
            file.write(temporary.read_bytes())


def refuse_link(path: str | Path) -> None:
    """Check that ``path``, a name that the program chose, is no symbolic link.

    Raises:
        ConfigError: if ``path`` is a link; the message names the link and the remedy.
    """
    # An invalid name is no link; the writer of the file reports it.
    if os.path.islink(path):  # noqa: PTH114
        raise ConfigError(
            f"cannot write {path}: it is a link to another place, which is not followed; remove it, or give another folder"
        )


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents, if they are missing.

    Raises:
        ConfigError: if the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {folder}: {error.strerror or error}") from error


def _content(path: Path) -> bytes:
    """Bytes of the existing file ``path``, which the program is about to write.

    Raises:
        ConfigError: if ``path`` is a link or no regular file, or cannot be read.
    """
    refuse_link(path)
    try:
        # Without O_NONBLOCK, a pipe would wait for a writer.
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
