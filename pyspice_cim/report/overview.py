"""Figure: the project at a glance, from the waveforms of a column to a classified digit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.file import NetworkFile
from pyspice_cim.characterization.benches.waveforms import ColumnWaveforms
from pyspice_cim.report.membranes import membrane_traces
from pyspice_cim.report.style import figure
from pyspice_cim.units import engineering

# Nodes of the column, with their names in the figure.
_NODES = (("rv_0", "membrane\nbitline"), ("rw_0", "global\nread line"), ("xs0.ql", "sum"), ("fs0", "flag"))


def draw_overview(
    waves: ColumnWaveforms,
    report: Mapping[str, Any],
    network: NetworkFile,
    image: NDArray[np.floating[Any]],
    spikes: NDArray[np.integer[Any]],
    path: str | Path,
) -> None:
    """Draw three panels to ``path``: a column in SPICE, the energy of an inference, the membranes of one digit.

    Args:
        waves: one time step of a column, simulated in ngspice.
        report: ``report.json`` of the demo.
        network: the network of the demo.
        image: the digit, shape (64,), values from 0 to 1.
        spikes: the encoded digit, shape (time, inputs).
        path: file to write; its suffix chooses the format.
    """
    with figure(path, 12.0, 3.5) as drawn:
        drawn_parts: Any = drawn.subfigures(1, 3, width_ratios=(4, 3, 3), wspace=0.03)
        left, middle, right = drawn_parts
        panels = left.subplots(len(_NODES), 1, sharex=True)
        _draw_column(panels, waves)
        left.suptitle("1. Transistors: one time step of a column in ngspice", fontsize=10)
        _draw_energy(middle.subplots(), report)
        middle.suptitle("2. Calibrated macros: energy of an inference", fontsize=10)
        _draw_digit(right.subplots(), network, image, spikes)
        right.suptitle("3. A network: membranes and spikes of a digit", fontsize=10)


def _draw_column(panels: NDArray[Any], waves: ColumnWaveforms) -> None:
    ends = 1e9 * waves.operation_ends
    starts = np.concatenate([[0.0], ends[:-1]])
    for axes, (node, name) in zip(panels, _NODES, strict=True):
        axes.plot(1e9 * waves.time, waves.nodes[node], linewidth=0.7)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        axes.set_yticks([])
        axes.grid(visible=False)
        for end in ends:
            axes.axvline(end, color="0.6", linewidth=0.8, linestyle=":")
    for operation, start, end in zip(waves.operations, starts, ends, strict=True):
        place = ((start + end) / 2, 1.0)
        panels[0].annotate(operation, place, xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)
    panels[-1].set_xlabel("time (ns)")
    panels[-1].set_xlim(0, ends[-1])


def _draw_energy(axes: Axes, report: Mapping[str, Any]) -> None:
    parts = sorted(report["energy_components_j"].items(), key=lambda item: item[1])[-7:]
    bars = axes.barh([name.replace("_", " ") for name, _ in parts], [1e9 * energy for _, energy in parts])
    axes.bar_label(bars, [engineering(energy, "J", 3) for _, energy in parts], padding=3, fontsize=8)
    axes.set_xlim(0, 1.35e9 * parts[-1][1])
    axes.set_xlabel("energy (nJ), largest components")
    axes.grid(axis="y", visible=False)


def _draw_digit(
    axes: Axes, network: NetworkFile, image: NDArray[np.floating[Any]], spikes: NDArray[np.integer[Any]]
) -> None:
    trains, membranes = membrane_traces(network, spikes)
    counts = trains[-1].sum(axis=0)
    steps, theta = np.arange(1, len(spikes) + 1), network.layers[-1].params.theta
    for rank, neuron in enumerate(np.argsort(-counts, kind="stable")[:3].tolist()):
        colour, label = f"C{rank}", f"neuron {neuron}: {counts[neuron]} spikes"
        axes.step(steps, membranes[:, neuron], where="mid", color=colour, linewidth=1.0, label=label)
        fired = steps[trains[-1][:, neuron] == 1]
        # One row of marks per neuron, so that spikes of the same step do not hide each other.
        axes.plot(fired, np.full(fired.size, theta + 0.6 + 0.9 * rank), "^", color=colour, markersize=4)
    axes.axhline(theta, color="0.4", linestyle="--", linewidth=0.9, label="threshold")
    axes.set_ylim(top=2.6 * theta)
    axes.set_xlabel("time step")
    axes.set_ylabel("output membrane (LSB)")
    axes.legend(loc="upper left", fontsize=7)
    inset = axes.inset_axes((0.72, 0.68, 0.27, 0.31))
    inset.imshow(image.reshape(8, 8), cmap="gray_r")
    inset.set_axis_off()
