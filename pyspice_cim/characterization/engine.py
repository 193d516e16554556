"""Drives benches: submits their simulations to an executor, caches the outcomes, reports progress.

A bench is a generator (see ``simulation.py``). Many benches advance side by side, so that the search of one for its
minimum cycle does not leave a core idle.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import active_children

from pyspice_cim.characterization.cache import Cache
from pyspice_cim.characterization.ngspice import NgspiceSimulator, Simulator
from pyspice_cim.characterization.simulation import Bench, Measurement, Outcome, Simulation, execute

Progress = Callable[["Tally"], None]


@dataclass
class Tally:
    """What an engine has done so far, for progress bars and reports.

    Attributes:
        benches, benches_done: points, and those that have all their measurements.
        benches_cached: points done without a single run of ngspice.
        simulations, cached, failed: outcomes so far, those from the cache, those with a reason in place of values.
        cpu_seconds: CPU time of ngspice in the runs that were not cached.
        started: ``time.monotonic()`` when the engine was made.
        last_done: seconds from then until the newest point was done.
    """

    benches: int = 0
    benches_done: int = 0
    benches_cached: int = 0
    simulations: int = 0
    cached: int = 0
    failed: int = 0
    cpu_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)
    last_done: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def seconds_left(self) -> float | None:
        """Forecast from the points done; ``None`` before the first that had to be simulated."""
        simulated = self.benches_done - self.benches_cached
        if self.benches_done == self.benches:
            return 0.0
        if not simulated:
            return None
        # By the pace up to the newest point; what has passed since is part of what was left then.
        left_then = self.last_done * (self.benches - self.benches_done) / simulated
        return max(left_then - (self.elapsed - self.last_done), 0.0)


@dataclass
class Engine:
    """Runs benches on an executor.

    Attributes:
        simulator: what runs a deck.
        cache: where good outcomes are kept; ``None`` for none.
        workers: processes of the default executor.
        executor: any ``concurrent.futures.Executor``; by default a process pool of ``workers``.
        progress: called whenever an outcome arrives, and every half a second.
    """

    simulator: Simulator = field(default_factory=NgspiceSimulator)
    cache: Cache | None = field(default_factory=Cache)
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    executor: Executor | None = None
    progress: Progress | None = None
    tally: Tally = field(default_factory=Tally)

    def run(self, benches: Sequence[Bench]) -> list[list[Measurement]]:
        """Run all benches to their end; the measurements come in the order of the benches."""
        # The version is asked for once, here: a missing ngspice is an error before any work is done.
        version = self.simulator.version
        if self.executor is not None:
            return self._drive(benches, self.executor, version)
        others = set(active_children())
        with ProcessPoolExecutor(self.workers, initializer=_ignore_interrupts) as pool:
            try:
                return self._drive(benches, pool, version)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                # Ctrl-C in a terminal reaches the workers too, `kill` does not: without this, minutes may pass.
                for worker in set(active_children()) - others:
                    if worker.pid is not None:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(worker.pid, signal.SIGINT)
                raise

    def _drive(self, benches: Sequence[Bench], executor: Executor, version: str) -> list[list[Measurement]]:
        results: list[list[Measurement]] = [[] for _ in benches]
        running: dict[Future[Outcome], str] = {}
        # Who waits for a simulation: two benches that ask for the same one share its outcome.
        waiting: dict[str, list[tuple[int, int]]] = {}
        batches: dict[int, list[Outcome | None]] = {}
        simulated: set[int] = set()
        self.tally.benches += len(benches)

        def submit(simulation: Simulation, place: tuple[int, int]) -> Outcome | None:
            key = simulation.key(version)
            if key in waiting:
                waiting[key].append(place)
                return None
            known = self.cache.get(key) if self.cache is not None else None
            if known is None:
                waiting[key] = [place]
                running[executor.submit(_interruptible, simulation, self.simulator)] = key
            else:
                self._count(known)
            return known

        def advance(index: int, answer: list[Outcome] | None) -> None:
            """Give a bench its outcomes; submit what it wants next, until something is really running."""
            while True:
                try:
                    wanted = next(benches[index]) if answer is None else benches[index].send(answer)
                except StopIteration as stop:
                    results[index] = stop.value
                    self.tally.benches_done += 1
                    self.tally.last_done = self.tally.elapsed
                    self.tally.benches_cached += index not in simulated
                    self._report()
                    return
                batches[index] = [submit(simulation, (index, i)) for i, simulation in enumerate(wanted)]
                answer = complete(index)
                if answer is None:
                    simulated.add(index)
                    return

        def complete(index: int) -> list[Outcome] | None:
            """The outcomes of a bench's batch, if all are there."""
            found = [outcome for outcome in batches[index] if outcome is not None]
            if len(found) < len(batches[index]):
                return None
            del batches[index]
            return found

        for index in range(len(benches)):
            advance(index, None)
        while running:
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            if not done:
                self._report()
            for future in done:
                key = running.pop(future)
                outcome = future.result()
                if self.cache is not None:
                    self.cache.put(key, outcome)
                self._count(outcome)
                for index, position in waiting.pop(key):
                    batches[index][position] = outcome
                    answer = complete(index)
                    if answer is not None:
                        advance(index, answer)
        return results

    def _count(self, outcome: Outcome) -> None:
        self.tally.simulations += 1
        self.tally.cached += outcome.cached
        self.tally.failed += not outcome.ok
        self.tally.cpu_seconds += 0.0 if outcome.cached else outcome.cpu_seconds
        self._report()

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(self.tally)


_interrupted = False


def _ignore_interrupts() -> None:
    """A worker that waits for work takes no notice of Ctrl-C: the engine ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interruptible(simulation: Simulation, simulator: Simulator) -> Outcome:
    """``execute``, which in a worker ends its ngspice on Ctrl-C; nothing that is still queued starts after that."""
    global _interrupted
    if _interrupted:
        raise KeyboardInterrupt
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        return execute(simulation, simulator)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return execute(simulation, simulator)
    except KeyboardInterrupt:
        _interrupted = True
        raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_one(bench: Bench, simulator: Simulator | None = None) -> list[Measurement]:
    """Run a single bench here and now, without processes or cache: for tests and for stepping through by hand."""
    simulator = simulator or NgspiceSimulator()
    answer: list[Outcome] | None = None
    while True:
        try:
            wanted = next(bench) if answer is None else bench.send(answer)
        except StopIteration as stop:
            measurements: list[Measurement] = stop.value
            return measurements
        answer = [execute(simulation, simulator) for simulation in wanted]
