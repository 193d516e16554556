"""Figure: accuracy with each decay rule; each run is a dot, in real numbers or in the integers of the array."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspice_cim.report.style import figure

_NUMBERS = (("real", "real numbers", -0.17, "C0"), ("integer", "4-bit weights, 8-bit membranes", 0.17, "C1"))


def draw_decay_study(results: Mapping[str, Any], path: str | Path) -> None:
    """Draw the study of decay rules to ``path``, one panel per task.

    Args:
        results: ``results.json`` of ``behavioral/study_decay.py``.
        path: file to write; its suffix chooses the format.
    """
    tasks = results["tasks"]
    with figure(path, max(5.0, 3.4 * len(tasks)), 4.4) as drawn:
        panels = drawn.subplots(1, len(tasks), squeeze=False)[0]
        for axes, task in zip(panels, tasks.values(), strict=True):
            decays = list(dict.fromkeys(row["decay"] for row in task["summary"]))
            for numbers, label, shift, colour in _NUMBERS:
                rows = {row["decay"]: row for row in task["summary"] if row["numbers"] == numbers}
                for place, decay in enumerate(decays):
                    dots = [100 * accuracy for accuracy in task["accuracies"][decay][numbers]]
                    # Dots are spread in a fixed order, so that equal accuracies do not hide each other.
                    spread = [place + shift + 0.16 * (k / max(1, len(dots) - 1) - 0.5) for k in range(len(dots))]
                    axes.plot(spread, dots, ".", color=colour, alpha=0.45, markersize=5, markeredgewidth=0)
                    axes.plot(
                        place + shift, 100 * rows[decay]["mean"], "_", color=colour, markersize=17, markeredgewidth=2
                    )
                axes.plot([], [], "s", color=colour, label=label)
            axes.set_xticks(range(len(decays)), [decay.replace("_", "\n") for decay in decays])
            axes.grid(axis="x", visible=False)
            axes.set_title("\n".join(textwrap.wrap(task["title"], 42)), fontsize=8)
        panels[0].set_ylabel("test accuracy (%)")
        drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
