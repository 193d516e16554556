"""Figure: membranes of output neurons and spikes of all layers, for one sample."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.file import NetworkFile
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.report.style import figure


def membrane_traces(
    network: NetworkFile, spikes: NDArray[np.integer[Any]]
) -> tuple[list[NDArray[np.uint8]], NDArray[np.int32]]:
    """Run one sample and record its spikes and output membranes.

    Args:
        network: a network file.
        spikes: input spikes, shape (time, inputs).

    Returns:
        Spikes of the inputs and of each layer, shape (time, neurons) each; output membranes in LSB, shape (time, neurons).
    """
    run = run_integer(layers_of(network), np.asarray(spikes)[:, None], traces=True)
    trains = [np.asarray(spikes, np.uint8), *(train[:, 0] for train in run.spikes)]
    return trains, run.traces[-1][:, 0]


def draw_membranes(
    network: NetworkFile, spikes: NDArray[np.integer[Any]], path: str | Path, *, label: int | None = None
) -> None:
    """Draw spikes and output membranes of one sample to ``path``.

    Args:
        network: a network of fully connected layers.
        spikes: input spikes, shape (time, inputs).
        path: file to write; its suffix chooses the format.
        label: the digit of the sample, for the title.
    """
    trains, traces = membrane_traces(network, spikes)
    names = ["inputs", *(f"layer {n + 1}" for n in range(len(network.layers)))]
    counts = trains[-1].sum(axis=0)
    shown: Sequence[int] = np.argsort(-counts, kind="stable")[:4].tolist()
    steps = np.arange(1, len(spikes) + 1)
    with figure(path, 7.5, 6.0) as drawn:
        raster, membrane = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        offset, ticks = 0, []
        for n, (name, train) in enumerate(zip(names, trains, strict=True)):
            time, neuron = np.nonzero(train)
            raster.scatter(time + 1, neuron + offset, s=9, marker="|", linewidths=1.4, color=f"C{n}")
            ticks.append((offset + train.shape[1] / 2, f"{name}\n({train.shape[1]}, {train.mean():.2f}/step)"))
            offset += train.shape[1]
            raster.axhline(offset - 0.5, color="0.8", linewidth=0.8)
        raster.set_yticks(*zip(*ticks, strict=True))
        raster.set_ylim(-1, offset)
        raster.set_title("spikes" + ("" if label is None else f" of an image of a {label}"))
        theta = network.layers[-1].params.theta
        for k in shown:
            (line,) = membrane.step(steps, traces[:, k], where="mid", label=f"class {k}: {counts[k]} spikes")
            fired = steps[trains[-1][:, k] == 1]
            membrane.plot(fired, np.full(fired.size, theta), "^", markersize=5, color=line.get_color())
        membrane.axhline(theta, color="0.4", linestyle="--", linewidth=0.9)
        membrane.annotate("theta", (steps[0], theta), textcoords="offset points", xytext=(2, 3), fontsize=8)
        membrane.set_ylabel("membrane after the step (LSB)")
        membrane.set_xlabel("time step")
        membrane.set_xticks([t for t in steps if t == 1 or t % max(1, len(steps) // 10) == 0])
        membrane.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.22), fontsize=8)
