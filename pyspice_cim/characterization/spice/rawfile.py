"""Reader of ngspice's binary raw file (the format that ``ngspice -b -r FILE`` writes)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import SimulationError
from pyspice_cim.resources import write_atomically

Vectors = dict[str, NDArray[np.float64]]


def read_raw(path: Path) -> list[Vectors]:
    """Read a raw file of real analyses: for each plot a dictionary of vector name to array.

    Raises:
        SimulationError: if the file is no raw file, is cut short or damaged, or holds complex vectors.
    """
    data = path.read_bytes()
    plots: list[Vectors] = []
    at = 0
    while at < len(data):
        end = data.find(b"Binary:\n", at)
        if end < 0:
            if data[at:].strip():
                raise SimulationError(f"raw file {path.name}: no binary section after byte {at}; the run was cut short")
            break
        header = data[at:end].decode("latin-1").splitlines()
        fields = dict(line.split(":", 1) for line in header if ":" in line and not line.startswith("\t"))
        if "complex" in fields.get("Flags", ""):
            raise SimulationError(f"raw file {path.name}: complex vectors are not supported")
        try:
            count, points = int(fields["No. Variables"]), int(fields["No. Points"])
            first = next(i for i, line in enumerate(header) if line.startswith("Variables:")) + 1
            names = [line.split("\t")[2].lower() for line in header[first : first + count]]
        except (KeyError, ValueError, IndexError, StopIteration) as error:
            raise SimulationError(f"raw file {path.name}: the header at byte {at} is damaged ({error!r})") from error
        if min(count, points) < 0 or len(set(names)) != count:
            raise SimulationError(
                f"raw file {path.name}: the header at byte {at} is damaged: {len(set(names))} names of {count} vectors, "
                f"{points} points"
            )
        start, size = end + len(b"Binary:\n"), 8 * count * points
        if len(data) < start + size:
            raise SimulationError(f"raw file {path.name}: {len(data) - start} of {size} bytes; the run was cut short")
        block = np.frombuffer(data, dtype="<f8", count=count * points, offset=start).reshape(points, count)
        plots.append({name: block[:, i].copy() for i, name in enumerate(names)})
        at = start + size
        while at < len(data) and data[at : at + 1] in b"\r\n":
            at += 1
    return plots


def write_raw(path: Path, vectors: Vectors, title: str) -> None:
    """Write ``raw_bytes`` to ``path``.

    Raises:
        ConfigError: if the file cannot be written.
    """
    write_atomically(path, raw_bytes(vectors, title))


def raw_bytes(vectors: Vectors, title: str) -> bytes:
    """``vectors`` of one analysis, all of one length, as ``read_raw`` and waveform viewers read them."""
    kinds = {"t": "time", "v": "voltage", "i": "current"}
    # ngspice puts the vector that the others are plotted against first.
    names = sorted(vectors, key=lambda name: name != "time")
    header = [
        f"Title: {title}",
        f"Plotname: {'Transient Analysis' if names[0] == 'time' else 'DC transfer characteristic'}",
        "Flags: real",
        f"No. Variables: {len(names)}",
        f"No. Points: {vectors[names[0]].size}",
        "Variables:",
        *(f"\t{index}\t{name}\t{kinds.get(name[0], 'notype')}" for index, name in enumerate(names)),
        "Binary:\n",
    ]
    block = np.stack([vectors[name] for name in names], axis=1).astype("<f8")
    return "\n".join(header).encode() + block.tobytes()
