"""The look that all figures share.

Figures are made with matplotlib's objects, never with pyplot: a figure opens no window and leaves the backend of a
notebook as it was.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cycler import cycler
from matplotlib import rc_context
from matplotlib.figure import Figure

from pyspice_cim.resources import atomic_write

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "savefig.dpi": 160,
    # Okabe and Ito's colours, which colour-blind readers can tell apart.
    "axes.prop_cycle": cycler(
        color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999"]
    ),
}


@contextmanager
def figure(path: str | Path, width: float = 7.0, height: float = 4.0) -> Iterator[Figure]:
    """Give an empty figure to draw on, and write it when the block ends without an error.

    Args:
        path: file to write; its suffix chooses the format.
        width, height: size in inches.

    Raises:
        ConfigError: if ``path`` cannot be written.
    """
    with rc_context(_STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        yield drawn
        with atomic_write(path) as temporary:
            # No date in the file: the same data give the same bytes.
            kind = Path(path).suffix.lstrip(".") or "png"
            drawn.savefig(temporary, format=kind, metadata={"Software": None} if kind == "png" else None)
