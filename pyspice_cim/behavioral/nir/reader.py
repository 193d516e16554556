"""Reader of NIR files that may come from strangers.

NIR (Neuromorphic Intermediate Representation) is a graph of computational nodes in an HDF5 file. The package ``nir``
defines the nodes. Source: Pedersen et al., Nature Communications 15, 8122 (2024).
"""

import io
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pyspice_cim import hdf5_guard
from pyspice_cim.errors import DataError, MissingDependencyError

if TYPE_CHECKING:
    import nir

READ_SECONDS = 60.0


def nir_package() -> ModuleType:
    """The package ``nir``.

    Raises:
        MissingDependencyError: if it is not installed.
    """
    try:
        import nir
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "NIR networks need the Python package nir; install it with: pip install 'pyspice-cim[nir]'"
        ) from error
    return nir


def read_graph(source: "str | Path | nir.NIRGraph") -> "nir.NIRGraph":
    """Read a NIR file; return ``source`` unchanged if it is a graph.

    Raises:
        DataError: if the file is missing, is no NIR file, is cut short or damaged, points at other files, or has nodes
            that NIR does not define.
        MissingDependencyError: if the package ``nir`` is not installed.
    """
    nir = nir_package()
    if isinstance(source, nir.NIRGraph):
        return source
    if not isinstance(source, str | Path):
        raise DataError(f"a {type(source).__name__} is no NIR network; give the path of a .nir file or a nir.NIRGraph")
    path = Path(source)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        # Read once: what is probed is what is loaded.
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    _probe(path, data)
    try:
        types = _types(data)
        unknown = {name: kind for name, kind in types.items() if kind not in nir.ir.__all__}
        graph = nir.read(io.BytesIO(data), type_check=False) if types[""] == "NIRGraph" and not unknown else None
    except Exception as error:  # whatever the bytes of a foreign file lead its reader to
        raise DataError(f"{path}: not a NIR file, or one that is damaged ({_reason(error)})") from error
    if types[""] != "NIRGraph":
        raise DataError(f"{path}: holds a single {types['']}, not a graph; write a nir.NIRGraph")
    if unknown:
        named = ", ".join(f"{name} ({kind})" for name, kind in unknown.items())
        raise DataError(f"{path}: nodes of types that NIR does not define: {named}; replace them by NIR's own")
    return graph


def _probe(path: Path, data: bytes) -> None:
    # NIR's texts lie in heaps without a checksum: damage there can send the HDF5 library into an endless loop or a
    # segmentation fault, so another process looks at the file, and reads it, first.
    try:
        ran = subprocess.run(
            [sys.executable, "-P", hdf5_guard.__file__],
            input=data,
            capture_output=True,
            timeout=READ_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{path}: damaged: it cannot be read within {READ_SECONDS:g} s; write it again") from error
    said = ran.stderr.decode(errors="backslashreplace").strip()
    if ran.returncode == hdf5_guard.REFUSED:
        raise DataError(f"{path} {said}")
    if ran.returncode:
        last = (said.splitlines() or ["the HDF5 library crashed"])[-1]
        raise DataError(f"{path}: not a NIR file, or one that is cut short or damaged ({last})")


def _types(data: bytes) -> dict[str, str]:
    """Type of each node by its dotted name; that of the whole is at ``""``."""
    import h5py

    found: dict[str, str] = {}

    def visit(group: Any, name: str) -> None:
        found[name] = group["type"][()].decode()
        for child, node in group["nodes"].items() if found[name] == "NIRGraph" else ():
            visit(node, f"{name}.{child}" if name else child)

    with h5py.File(io.BytesIO(data), "r") as file:
        visit(file["node"], "")
    return found


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
