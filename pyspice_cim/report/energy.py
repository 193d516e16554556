"""Figure: energy of an inference by component and by operation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspice_cim.report.style import figure
from pyspice_cim.units import engineering


def draw_energy(report: Mapping[str, Any], path: str | Path) -> None:
    """Draw the energy of an inference by component and by operation to ``path``.

    Args:
        report: ``report.json`` of the demo, energies in J.
        path: file to write; its suffix chooses the format.
    """
    components = dict(sorted(report["energy_components_j"].items(), key=lambda item: item[1]))
    operations = dict(sorted(report["energy_operations_j"].items(), key=lambda item: item[1]))
    total = report["energy_per_inference_j"]
    with figure(path, 8.0, 3.6) as drawn:
        left, right = drawn.subplots(1, 2, width_ratios=(3, 2))
        for axes, parts, title in ((left, components, "by component"), (right, operations, "by operation")):
            values = [1e12 * value for value in parts.values()]
            bars = axes.barh([name.replace("_", " ") for name in parts], values)
            labels = [f"{engineering(value, 'J', 3)} ({100 * value / total:.1f} %)" for value in parts.values()]
            axes.bar_label(bars, labels=labels, padding=3, fontsize=8)
            axes.set_xlim(0, max(values) * (1.5 if axes is left else 1.9))
            axes.set_xlabel("energy per inference (pJ)")
            axes.set_title(title)
            axes.grid(axis="y", visible=False)
        drawn.suptitle(
            f"{engineering(total, 'J', 3)} per inference, {engineering(report['energy_per_sop_j'], 'J', 3)} per synaptic "
            f"operation ({report['technology']})"
        )
