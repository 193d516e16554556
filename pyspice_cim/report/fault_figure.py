"""Figure: accuracy on macros with faults against supply voltage, one curve per cycle time."""

from collections.abc import Sequence
from pathlib import Path

from pyspice_cim.behavioral.faults.sweep import FaultAccuracy
from pyspice_cim.errors import DataError
from pyspice_cim.report.style import figure
from pyspice_cim.units import engineering


def draw_faults(sweep: Sequence[FaultAccuracy], path: str | Path, *, fault_free: float | None = None) -> None:
    """Draw the accuracies of a sweep to ``path``: means with confidence bands, and each chip as a dot.

    Args:
        sweep: result of ``fault_sweep``.
        path: file to write; its suffix chooses the format.
        fault_free: accuracy without faults, from 0 to 1, drawn as a dashed line.

    Raises:
        DataError: if the sweep is empty.
    """
    if not sweep:
        raise DataError("the sweep has no points; give at least one")
    with figure(path, 6.0, 4.0) as drawn:
        axes = drawn.subplots()
        for number, cycle in enumerate(sorted({each.point.cycle for each in sweep})):
            line = sorted((each for each in sweep if each.point.cycle == cycle), key=lambda each: each.point.vdd)
            vdd, colour = [each.point.vdd for each in line], f"C{number}"
            axes.plot(
                vdd, [100 * each.accuracy for each in line], color=colour, label=f"cycle {engineering(cycle, 's')}"
            )
            axes.fill_between(
                vdd,
                [100 * each.low for each in line],
                [100 * each.high for each in line],
                color=colour,
                alpha=0.2,
                lw=0,
            )
            for each in line:
                axes.plot([each.point.vdd] * len(each.chips), [100 * a for a in each.chips], ".", color=colour, ms=3)
        if fault_free is not None:
            axes.axhline(100 * fault_free, color="0.4", ls="--", lw=1, label="without faults")
        axes.set_xlabel("supply voltage (V)")
        axes.set_ylabel("accuracy (%)")
        first = sweep[0]
        axes.set_title(
            f"{len(first.chips)} chips, {first.samples} samples, bands of {100 * first.confidence:g} % (images and chips)"
        )
        axes.legend()
