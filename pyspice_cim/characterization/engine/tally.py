"""What an engine has done: counts for progress bars and reports, and the result of each bench."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pyspice_cim.characterization.spice.simulation import Measurement
from pyspice_cim.characterization.spice.status import Failure, Status

Progress = Callable[["Tally"], None]


@dataclass
class Tally:
    """Counts of one or more calls of ``Engine.run``, for progress bars and reports.

    Attributes:
        benches, benches_done: points, and points that have all their measurements.
        benches_cached: points that have all their measurements without a single run of ngspice.
        simulations, cached, failed: outcomes, outcomes from the cache, outcomes without values.
        retried: outcomes that a convergence retry gave.
        cpu_seconds: CPU time of ngspice in the runs that were not cached, in seconds.
        worker_seconds: CPU time of the workers around ngspice in these runs, in seconds.
        started: ``time.monotonic()`` when the tally was made.
        started_cpu: ``time.process_time()`` at that moment.
        last_done: time from ``started`` until the last point was done, in seconds.
        decks: hashes of the decks that the benches have asked for.
    """

    benches: int = 0
    benches_done: int = 0
    benches_cached: int = 0
    simulations: int = 0
    cached: int = 0
    failed: int = 0
    retried: int = 0
    cpu_seconds: float = 0.0
    worker_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)
    started_cpu: float = field(default_factory=time.process_time)
    last_done: float = 0.0
    decks: set[str] = field(default_factory=set, repr=False)

    @property
    def elapsed(self) -> float:
        """Time since the start in seconds."""
        return time.monotonic() - self.started

    @property
    def ngspice_cpu_fraction(self) -> float | None:
        """Share of ngspice in all CPU time; ``None`` if ngspice did not run."""
        if not self.cpu_seconds:
            return None
        own = time.process_time() - self.started_cpu
        return self.cpu_seconds / (self.cpu_seconds + self.worker_seconds + own)

    @property
    def seconds_left(self) -> float | None:
        """Forecast from the points done, in seconds; ``None`` before the first point that had to be simulated."""
        simulated = self.benches_done - self.benches_cached
        if self.benches_done == self.benches:
            return 0.0
        if not simulated:
            return None
        # By the pace up to the newest point; the time since then is part of what was left at that moment.
        left_then = self.last_done * (self.benches - self.benches_done) / simulated
        return max(left_then - (self.elapsed - self.last_done), 0.0)


@dataclass(kw_only=True)
class BenchRun:
    """Result of one bench.

    Attributes:
        measurements: what the bench returned; empty if the bench did not reach its end.
        failure: why the bench did not reach its end; ``None`` if it did.
        retries: names of the convergence retries that its simulations needed.
        simulations, cached: its outcomes, and those outcomes that came from the cache.
        decks: decks that no bench of this tally had asked for before; a deck that benches share counts once.
        cpu_seconds: CPU time of ngspice behind these decks, whenever they ran, in seconds.
    """

    measurements: list[Measurement] = field(default_factory=list)
    failure: Failure | None = None
    retries: tuple[str, ...] = ()
    simulations: int = 0
    cached: int = 0
    decks: int = 0
    cpu_seconds: float = 0.0

    @property
    def status(self) -> Literal["done", "failed", "missing"]:
        """``done``; ``failed`` if a netlist could not be made; ``missing`` if a simulation was not run."""
        if self.failure is None:
            return "done"
        return "failed" if self.failure.status is Status.NO_NETLIST else "missing"

    @property
    def reason(self) -> str:
        """Text of the failure; ``""`` where there is none."""
        return "" if self.failure is None else str(self.failure)
