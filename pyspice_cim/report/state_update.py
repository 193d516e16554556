"""Figure: time of the decay against the number of neurons, in the array and sequential.

The array's time is the decay alone, without saturate and fire; ``docs/limits.md`` says what the comparison leaves out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspice_cim.report.style import figure


def draw_state_update(report: Mapping[str, Any], path: str | Path) -> None:
    """Draw the times of a state update to ``path``.

    Args:
        report: ``report.json`` of the demo, with ``state_update_s`` (s).
        path: file to write; its suffix chooses the format.
    """
    update = report["state_update_s"]
    neurons = update["neurons"]
    with figure(path, 6.0, 4.0) as drawn:
        axes = drawn.subplots()
        for key, label, marker in (
            ("sequential_exponential", "sequential, exponential decay (multiply)", "s"),
            ("sequential", "sequential, linear decay (subtract)", "o"),
            ("parallel", "parallel in the array, linear decay", "D"),
        ):
            axes.loglog(neurons, [1e9 * t for t in update[key]], marker=marker, markersize=4, label=label)
        axes.set_xticks(neurons, [str(n) for n in neurons])
        low, high = (limit(1e9 * t for key in update if key != "neurons" for t in update[key]) for limit in (min, max))
        ticks = [m * 10.0**k for k in range(-3, 7) for m in (1, 2, 5) if low / 2 < m * 10.0**k < 2 * high]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("neurons")
        axes.set_ylabel("time of one decay of all neurons (ns)")
        # The curves are no whole architectures: saturate and fire are left out, and nothing of the memory is pipelined.
        axes.set_title(f"Decay alone; sequential memory unbanked, not pipelined ({report['technology']})")
        axes.legend()
