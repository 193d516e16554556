"""Waveforms of the control lines, from the pulses of the microcode."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pyspice_cim.microcode.schedule import Pulse, Window


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Times of a cycle. The two phases of a cycle do not overlap.

    Attributes:
        cycle: length of a cycle in s.
        phase1: end of phase 1, as a fraction of the cycle.
        guard: least time between the two phases, as a fraction of the cycle.
        sum_delay: moment in phase 2 at which the sum latch opens, as a fraction of the phase. The latch opens late, so
            that glitches of the adder do not reach the write bitlines.
        edge: rise and fall time in s; at most nine tenths of the guard.
    """

    cycle: float
    phase1: float = 0.40
    guard: float = 0.04
    sum_delay: float = 0.60
    edge: float = 30e-12

    def window(self, window: Window, bits: int) -> tuple[float, float]:
        """Start and end of ``window`` in s after the start of its cycle.

        Args:
            window: part of a cycle, or a whole operation.
            bits: cycles of one operation.
        """
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
        """Time in a cycle at which the writes of the cycle before have settled, in s: just before phase 2."""
        return (self.phase1 + 0.5 * self.guard) * self.cycle


def line_waveforms(
    pulses: Iterable[Pulse], timing: Timing, *, bits: int, idle: float, active: float
) -> dict[str, list[tuple[float, float]]]:
    """Piecewise-linear waveform of every control line that pulses.

    Args:
        pulses: pulses of a program (``microcode.schedule``).
        timing: times of a cycle.
        bits: cycles of one operation.
        idle, active: level outside and inside a pulse, in V.

    Returns:
        Control line to its points (time in s, level in V), in rising time.
    """
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
