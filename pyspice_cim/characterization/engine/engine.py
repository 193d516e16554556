"""Drives benches: submits their simulations to an executor, caches the outcomes, reports progress.

A bench is a generator (see ``spice/simulation.py``). Many benches advance side by side, so that the search of one for its
minimum cycle does not leave a core idle.
"""

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass, field
from multiprocessing import active_children, parent_process
from typing import Literal

from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, Simulator
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Outcome, Simulation, execute
from pyspice_cim.errors import CimError, SimulationError

# Netlists are made to ask the cache for their outcomes, a hundredth of a second for one, and a plan has thousands: share of
# the budget, and s at least, for which that goes on after it.
_LOOK_ON, _LOOK_ON_LEAST = 0.1, 1.0

Progress = Callable[["Tally"], None]


@dataclass
class Tally:
    """What an engine has done so far, for progress bars and reports.

    Attributes:
        benches, benches_done: points, and those that have all their measurements.
        benches_cached: points that have all their measurements without a single run of ngspice.
        simulations, cached, failed: outcomes so far, those from the cache, those with a reason in place of values.
        retried: outcomes that a rung of ``LADDER`` gave.
        cpu_seconds: CPU time of ngspice in the runs that were not cached.
        worker_seconds: CPU time of the workers around ngspice in these runs.
        started: ``time.monotonic()`` when the engine was made.
        started_cpu: ``time.process_time()`` at that moment.
        last_done: seconds from then until the newest point was done.
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

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def ngspice_cpu_fraction(self) -> float | None:
        """Share of all CPU time that ngspice had; ``None`` if it did not run."""
        if not self.cpu_seconds:
            return None
        own = time.process_time() - self.started_cpu
        return self.cpu_seconds / (self.cpu_seconds + self.worker_seconds + own)

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


@dataclass(kw_only=True)
class BenchRun:
    """What became of one bench.

    Attributes:
        measurements: what it returned; empty if it could not go to its end.
        status: ``done``; ``failed`` if its netlist could not be made; ``missing`` if the budget ran out before.
        reason: why it is not done.
        rungs: names of the rungs of ``LADDER`` that its simulations needed.
        simulations, cached: its outcomes, and those of them that came from the cache.
        decks, cpu_seconds: decks that no bench of this engine had asked for before, so that what benches share is counted
            once, and the CPU time of ngspice behind them, whenever they ran.
    """

    measurements: list[Measurement] = field(default_factory=list)
    status: Literal["done", "failed", "missing"] = "missing"
    reason: str = ""
    rungs: tuple[str, ...] = ()
    simulations: int = 0
    cached: int = 0
    decks: int = 0
    cpu_seconds: float = 0.0


@dataclass
class Engine:
    """Runs benches on an executor.

    Attributes:
        simulator: what runs a deck.
        cache: where good outcomes are kept; ``None`` for none.
        workers: processes of the default executor; of any executor, four times as many simulations are handed to it at
            a time.
        executor: any ``concurrent.futures.Executor``; by default a process pool of ``workers``.
        progress: called whenever an outcome arrives, and every half a second.
        budget: s after which no simulation is begun; those that run are waited for, and for ``_LOOK_ON`` of it more, what
            the cache holds of the other benches is looked for.
        simulate: ``False`` looks into the cache alone: what is not there is missing, and nothing is run.
    """

    simulator: Simulator = field(default_factory=NgspiceSimulator)
    cache: Cache | None = field(default_factory=Cache)
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    executor: Executor | None = None
    progress: Progress | None = None
    budget: float | None = None
    simulate: bool = True
    tally: Tally = field(default_factory=Tally)
    _asked_for: set[str] = field(default_factory=set, init=False, repr=False)

    def run(self, benches: Sequence[Bench]) -> list[BenchRun]:
        """Run all benches to their end; the results come in the order of the benches.

        Raises:
            MissingDependencyError: if ngspice is not there, or no longer.
            SimulationError: if a worker died. What was finished until then is in the cache.
        """
        # The version is asked for once, here: a missing ngspice is an error before any work is done.
        version = self.simulator.version
        with self._workers() as executor:
            return _Drive(self, executor, version).run(benches)

    @contextlib.contextmanager
    def _workers(self) -> Iterator[Executor]:
        if self.executor is not None:
            yield self.executor
            return
        others = set(active_children())
        with ProcessPoolExecutor(self.workers, initializer=_begin_worker) as pool:
            try:
                yield pool
            except BaseException:
                # Otherwise minutes may pass until the decks that run are done.
                for worker in set(active_children()) - others:
                    worker.terminate()
                pool.shutdown(cancel_futures=True)
                raise

    @property
    def out_of_time(self) -> bool:
        """Whether the budget has run out."""
        return self.budget is not None and self.tally.elapsed > self.budget

    @property
    def out_of_time_to_look(self) -> bool:
        """Whether even the time has run out to ask the cache for what would not be simulated any more."""
        return self.budget is not None and self.tally.elapsed > self.budget + max(
            _LOOK_ON * self.budget, _LOOK_ON_LEAST
        )

    @property
    def deadline(self) -> float | None:
        """When the budget runs out, as ``time.time()``, which another process or machine can read too."""
        return None if self.budget is None else time.time() + self.budget - self.tally.elapsed


class _Drive:
    """One call of ``Engine.run``: who waits for what."""

    def __init__(self, engine: Engine, executor: Executor, version: str) -> None:
        self.engine, self.executor, self.version = engine, executor, version
        self.running: dict[Future[Outcome | None], tuple[str, Simulation]] = {}
        # Who waits for a simulation: two benches that ask for the same one share its outcome.
        self.waiting: dict[str, list[tuple[int, int]]] = {}
        self.batches: dict[int, list[Outcome | None]] = {}
        # Simulations that are not handed over yet: what is handed over costs memory, and cannot always be taken back.
        self.queue: deque[tuple[str, Simulation]] = deque()
        self.deadline = engine.deadline

    def run(self, benches: Sequence[Bench]) -> list[BenchRun]:
        try:
            return self._run(benches)
        except BaseException:
            self._keep_finished()
            raise

    def _keep_finished(self) -> None:
        """Into the cache with what workers have finished and nobody has fetched: making a netlist may take seconds."""
        for future, (key, _) in self.running.items():
            if self.engine.cache is not None and future.done() and not _failed(future):
                outcome = future.result()
                if outcome is not None:
                    self.engine.cache.put(key, outcome)

    def _run(self, benches: Sequence[Bench]) -> list[BenchRun]:
        self.benches, self.results = benches, [BenchRun() for _ in benches]
        self.engine.tally.benches += len(benches)
        room = 4 * self.engine.workers
        fresh = deque(range(len(benches)))
        while True:
            while fresh and len(self.running) + len(self.queue) < room:
                if self.engine.out_of_time_to_look:
                    self._end(fresh.popleft(), "missing", self._out_of_time())
                else:
                    self._advance(fresh.popleft(), None)
                    if not self.engine.simulate:
                        self._give_up("not in the cache")
            if self.engine.out_of_time:
                self._give_up(self._out_of_time())
            while self.queue and len(self.running) < room:
                self._hand_over(*self.queue.popleft())
            if not self.running:
                if fresh:
                    continue
                break
            done, _ = wait(self.running, timeout=0.5, return_when=FIRST_COMPLETED)
            if not done:
                self._report()
            # What is finished is kept before a failure of something else ends the run.
            for future in sorted(done, key=_failed):
                key, simulation = self.running.pop(future)
                outcome = _result(future)
                if outcome is None:
                    self._not_begun(key, simulation)
                else:
                    self._arrived(key, outcome)
        return self.results

    def _hand_over(self, key: str, simulation: Simulation) -> None:
        try:
            future = self.executor.submit(_in_worker, simulation, self.engine.simulator, self.deadline)
        except BrokenExecutor as error:
            raise _executor_died(error) from error
        self.running[future] = key, simulation

    def _not_begun(self, key: str, simulation: Simulation) -> None:
        """A worker found the time run out; on another machine, its clock may only be fast."""
        if not self.engine.out_of_time:
            self.deadline = None
        self.queue.append((key, simulation))

    def _out_of_time(self) -> str:
        return f"not simulated: the budget of {self.engine.budget:g} s ran out"

    def _give_up(self, reason: str) -> None:
        """Leave undone what waits for a simulation that will not be begun."""
        for key, _ in self.queue:
            for index, _ in self.waiting.pop(key):
                if self.batches.pop(index, None) is not None:
                    self._end(index, "missing", reason)
        self.queue.clear()

    def _arrived(self, key: str, outcome: Outcome) -> None:
        if self.engine.cache is not None:
            self.engine.cache.put(key, outcome)
        self._count(outcome)
        for index, position in self.waiting.pop(key):
            if index in self.batches:
                self.batches[index][position] = outcome
                answer = self._complete(index)
                if answer is not None:
                    self._advance(index, answer)

    def _advance(self, index: int, answer: list[Outcome] | None) -> None:
        """Give a bench its outcomes; submit what it wants next, until something is really running."""
        bench, result = self.benches[index], self.results[index]
        while True:
            try:
                wanted = next(bench) if answer is None else bench.send(answer)
                self.batches[index] = [self._submit(simulation, (index, i)) for i, simulation in enumerate(wanted)]
            except StopIteration as stop:
                result.measurements = stop.value
                self._end(index, "done", "")
                return
            except CimError as error:
                # A netlist that cannot be made (a model file that has gone, a size out of range) is this point's failure.
                self._end(index, "failed", f"no netlist: {error}")
                return
            answer = self._complete(index)
            if answer is None:
                return

    def _submit(self, simulation: Simulation, place: tuple[int, int]) -> Outcome | None:
        key = simulation.key(self.version)
        if key in self.waiting:
            self.waiting[key].append(place)
            return None
        known = self.engine.cache.get(key) if self.engine.cache is not None else None
        if known is None:
            self.waiting[key] = [place]
            self.queue.append((key, simulation))
        else:
            self._count(known)
        return known

    def _complete(self, index: int) -> list[Outcome] | None:
        """The outcomes of a bench's batch, if all are there."""
        found = [outcome for outcome in self.batches[index] if outcome is not None]
        if len(found) < len(self.batches[index]):
            return None
        del self.batches[index]
        result = self.results[index]
        result.simulations += len(found)
        result.cached += sum(outcome.cached for outcome in found)
        for outcome in found:
            if outcome.deck_sha256 not in self.engine._asked_for:
                self.engine._asked_for.add(outcome.deck_sha256)
                result.decks += 1
                result.cpu_seconds += outcome.cpu_seconds
        result.rungs = tuple(dict.fromkeys((*result.rungs, *(outcome.rung for outcome in found if outcome.rung))))
        return found

    def _end(self, index: int, status: Literal["done", "failed", "missing"], reason: str) -> None:
        result, tally = self.results[index], self.engine.tally
        result.status, result.reason = status, reason
        self.benches[index].close()
        tally.benches_done += 1
        tally.last_done = tally.elapsed
        # Where nothing is run, a cached point takes as long as any other, and the forecast counts it.
        tally.benches_cached += self.engine.simulate and status == "done" and result.cached == result.simulations
        self._report()

    def _count(self, outcome: Outcome) -> None:
        tally = self.engine.tally
        tally.simulations += 1
        tally.cached += outcome.cached
        tally.failed += not outcome.ok
        tally.retried += bool(outcome.rung)
        if not outcome.cached:
            tally.cpu_seconds += outcome.cpu_seconds
            tally.worker_seconds += outcome.other_cpu_seconds
        self._report()

    def _report(self) -> None:
        if self.engine.progress is not None:
            self.engine.progress(self.engine.tally)


def _failed(future: Future[Outcome | None]) -> bool:
    return future.cancelled() or future.exception() is not None


def _result(future: Future[Outcome | None]) -> Outcome | None:
    """The outcome of ``future``, ``None`` if it was not begun.

    What befell its executor, and is no defect of ours, becomes a ``SimulationError``.
    """
    try:
        return future.result()
    except (BrokenExecutor, CancelledError) as error:
        raise _executor_died(error) from error
    except Exception as error:
        # distributed has many errors of its own for workers and schedulers that go; it may not be installed.
        if type(error).__module__.partition(".")[0] == "distributed":
            raise _executor_died(error) from error
        raise


def _executor_died(error: BaseException) -> SimulationError:
    return SimulationError(
        "a worker process, or the cluster, ended in the middle of its work (memory that ran out is the usual cause: try "
        f"fewer workers); what was simulated so far is cached, the same command goes on from there ({error!r})"
    )


class _Worker:
    """What a worker process knows of itself.

    Attributes:
        leaving: set when it has been told to end.
        simulating: whether our code runs, and not the pool's.
    """

    leaving = threading.Event()
    simulating = False


# s, more than sending a result takes.
_SENDING = 0.5


def _begin_worker() -> None:
    """A worker takes no notice of Ctrl-C, which a terminal sends to all: the engine ends it. None outlives the engine."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    for task in (_follow_parent, _end_soon):
        threading.Thread(target=task, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _end_soon() -> None:
    """End a worker that waits for work, or has just sent its last result; one that simulates ends when it has cleared up."""
    _Worker.leaving.wait()
    time.sleep(_SENDING)
    if not _Worker.simulating:
        os._exit(1)


def _leave(number: int, frame: object) -> None:
    # A second signal must not disturb what the first one has begun: ngspice is ended and its folder removed.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _Worker.leaving.set()
    # An exception in the pool's own code could leave a lock of its queues taken, and all others waiting for ever.
    if _Worker.simulating:
        raise SystemExit(1)


def _in_worker(simulation: Simulation, simulator: Simulator, deadline: float | None) -> Outcome | None:
    """``execute``, or ``None`` after the deadline: what waited in the executor's queue is not begun any more.

    A worker that is to leave really does, where its pool would take that for a result and go on.
    """
    if deadline is not None and time.time() > deadline:
        return None
    try:
        _Worker.simulating = True
        if _Worker.leaving.is_set():
            raise SystemExit(1)
        return execute(simulation, simulator)
    except SystemExit:
        os._exit(1)
    finally:
        _Worker.simulating = False


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
