"""From the microcode's pulses to the waveforms of the control lines."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pyspice_cim.microcode.schedule import Pulse, Window


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Times of a cycle, s; fractions are of the cycle.

    Attributes:
        cycle: length of a cycle.
        phase1: where phase 1 ends.
        guard: least time between the two phases.
        sum_delay: when in phase 2 the sum latch opens, as a fraction of the phase: late, which keeps the adder's
            glitches off the write bitlines.
        edge: rise and fall time, s; shortened where the guard would be shorter.
    """

    cycle: float
    phase1: float = 0.40
    guard: float = 0.04
    sum_delay: float = 0.60
    edge: float = 30e-12

    def window(self, window: Window, bits: int) -> tuple[float, float]:
        """Start and end of ``window``, s after the start of its cycle."""
        t, g, h = self.cycle, self.guard * self.cycle, self.phase1 * self.cycle
        return {
            Window.PHASE1: (g, h - g),
            Window.PRECHARGE: (g, h - 1.5 * g),
            # The carry and the flag move, and bits are written, inside phase 1.
            Window.RESET: (1.5 * g, h - 1.5 * g),
            Window.WRITE: (2 * g, h - 1.5 * g),
            Window.PHASE2: (h + g, t - g),
            # The read ends before the carry master closes.
            Window.READ: (h + g, t - 1.5 * g),
            Window.SUM: (h + g + self.sum_delay * (t - h - 2 * g), t - g),
            # Mask lines move before the flag latch opens.
            Window.OPERATION: (g, bits * t),
        }[window]

    @property
    def settled(self) -> float:
        """Time in a cycle at which all that the cycle before began has settled, s: just before phase 2."""
        return (self.phase1 + 0.5 * self.guard) * self.cycle


def line_waveforms(
    pulses: Iterable[Pulse], timing: Timing, *, bits: int, idle: float, active: float
) -> dict[str, list[tuple[float, float]]]:
    """PWL points of every line that pulses: (time in s, level in V); ``idle`` and ``active`` are the levels."""
    edge = min(timing.edge, 0.9 * timing.guard * timing.cycle)
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for pulse in sorted(pulses):
        start, end = timing.window(pulse.window, bits)
        spans[pulse.line].append((pulse.cycle * timing.cycle + start, pulse.cycle * timing.cycle + end))
    waveforms = {}
    for line, line_spans in spans.items():
        points = [(0.0, idle)]
        for start, end in line_spans:
            points += [(start, idle), (start + edge, active), (end, active), (end + edge, idle)]
        waveforms[line] = points
    return waveforms
