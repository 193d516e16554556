"""Progress of an engine: a bar on a terminal; in a log or a pipe, a plain line every ten seconds."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from pyspice_cim.characterization.engine.tally import Tally
from pyspice_cim.report.console import VisibleConsole
from pyspice_cim.units import clock

# Seconds between two plain lines, and between two drawings of the bar.
_LINE_EVERY, _BAR_EVERY = 10.0, 0.1


class EngineProgress:
    """Shows the tally of an engine; a context manager, and a value for the engine's ``progress``.

    Args:
        label: name of the work.
        unit: name of what a bench computes: points of a plan, vectors of a co-simulation.
        console: where to print; default: stderr.
    """

    def __init__(self, label: str, *, unit: str = "points", console: Console | None = None) -> None:
        self.label, self.unit = label, unit
        self.console = console or VisibleConsole(stderr=True)
        self._last: Tally | None = None
        self._shown = time.monotonic()
        # No thread draws the bar: a thread would be running while the pool forks its workers.
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[state]}", markup=False),
            console=self.console,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bar.add_task(label, total=None, state="starting")

    def __enter__(self) -> "EngineProgress":
        if self.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._bar.stop()
        if self._last is not None:
            self._print(self._last)

    def __call__(self, tally: Tally) -> None:
        """Show ``tally``; frequent calls are cheap."""
        self._last = tally
        terminal = self.console.is_terminal
        if time.monotonic() - self._shown < (_BAR_EVERY if terminal else _LINE_EVERY):
            return
        self._shown = time.monotonic()
        if terminal:
            self._bar.update(self._task, total=tally.benches, completed=tally.benches_done, state=self._state(tally))
            self._bar.refresh()
        else:
            self._print(tally)

    def _print(self, tally: Tally) -> None:
        self.console.print(f"{self.label}: {self._state(tally)}", soft_wrap=True, highlight=False, markup=False)

    def _state(self, tally: Tally) -> str:
        done = f"{tally.benches_done}/{tally.benches} {self.unit}"
        runs = f"{tally.simulations} simulations ({tally.cached} cached)"
        left = tally.seconds_left
        if tally.benches_done == tally.benches:
            forecast = ""
        elif left is None:
            forecast = ", time left not known yet"
        else:
            forecast = f", about {clock(left)} left" if left else ", longer than foreseen"
        return f"{done}, {runs}, {clock(tally.elapsed)}{forecast}"
