"""Figure: waveforms of a column in ngspice during one time step: decay, accumulate, saturate, fire."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.benches.waveforms import ColumnWaveforms
from pyspice_cim.report.style import figure

_PANELS: Sequence[tuple[str, tuple[tuple[str, str], ...]]] = (
    ("clocks", (("ph1", "phase 1"), ("ph2", "phase 2"))),
    ("read lines", (("rv_0", "membrane bitline"), ("rw_0", "global read line"))),
    ("sum", (("xs0.ql", "sum latch"), ("xs0.ci", "carry"))),
    ("flag", (("fs0", "FS"),)),
)


def draw_waveforms(waves: ColumnWaveforms, path: str | Path) -> None:
    """Draw the waveforms of a column to ``path``: clocks, read lines, sum, flag, and the stored word as a bus.

    Args:
        waves: one time step of a column, simulated in ngspice.
        path: file to write; its suffix chooses the format.
    """
    time = 1e9 * waves.time
    ends: NDArray[np.float64] = 1e9 * waves.operation_ends
    starts = np.concatenate([[0.0], ends[:-1]])
    with figure(path, 10.0, 6.0) as drawn:
        panels = drawn.subplots(len(_PANELS) + 1, 1, sharex=True, height_ratios=[1] * len(_PANELS) + [0.8])
        for axes, (title, lines) in zip(panels, _PANELS, strict=False):
            for node, label in lines:
                axes.plot(time, waves.nodes[node], linewidth=0.9, label=label)
            axes.set_ylabel(f"{title} (V)")
            axes.set_ylim(-0.1 * waves.vdd, 1.15 * waves.vdd)
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
        bus = panels[-1]
        for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
            for axes in panels:
                axes.axvline(end, color="0.6", linewidth=0.8, linestyle=":")
            panels[0].annotate(
                waves.operations[n],
                ((start + end) / 2, 1.0),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="bottom",
            )
            bus.annotate(
                f"word {waves.words[n]}, FS {waves.flags[n]}",
                ((start + end) / 2, 0.5),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="center",
            )
        bus.set_yticks([])
        bus.set_ylabel("after the\noperation")
        bus.grid(visible=False)
        bus.set_xlabel(f"time (ns); a cycle is {1e9 * waves.cycle:.3g} ns, {waves.bits} cycles an operation")
        drawn.suptitle(waves.title)
