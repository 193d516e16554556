"""Drives benches: hands their simulations to an executor, gives the outcomes back, and asks the cache first.

A bench is a generator (see ``spice/simulation.py``). Many benches advance side by side. So the search of one bench for its
minimum cycle does not leave a core idle.
"""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass

from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.tally import BenchRun, Progress, Tally
from pyspice_cim.characterization.engine.workers import run_in_worker
from pyspice_cim.characterization.spice.ngspice import Simulator
from pyspice_cim.characterization.spice.simulation import Bench, Outcome, Simulation
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.errors import CimError, SimulationError

# After the budget, netlists are still made to ask the cache for their outcomes. One takes a hundredth of a second, and a
# plan has thousands. So this ends too: after a share of the budget, and after a least time in seconds.
_LOOK_ON, _LOOK_ON_LEAST = 0.1, 1.0


@dataclass(frozen=True)
class Budget:
    """A time limit.

    Attributes:
        seconds: time after which no simulation is begun, in seconds; ``None`` for no limit.
        started: ``time.monotonic()`` at the start.
    """

    seconds: float | None
    started: float

    @property
    def is_over(self) -> bool:
        """Whether no simulation is begun any more."""
        return self.seconds is not None and time.monotonic() - self.started > self.seconds

    @property
    def is_over_for_the_cache(self) -> bool:
        """Whether even the cache is not asked any more."""
        if self.seconds is None:
            return False
        more = max(_LOOK_ON * self.seconds, _LOOK_ON_LEAST)
        return time.monotonic() - self.started > self.seconds + more

    @property
    def deadline(self) -> float | None:
        """When the budget ends, as ``time.time()``, which another process or machine can read too."""
        return None if self.seconds is None else time.time() + self.seconds - (time.monotonic() - self.started)

    @property
    def failure(self) -> Failure:
        """Why a simulation was not begun."""
        return Failure(Status.NOT_SIMULATED, f"the budget of {self.seconds:g} s ran out")


class Scheduler:
    """One call of ``Engine.run``: which bench waits for which simulation.

    Args:
        executor: where simulations run.
        simulator, version: what runs a deck, and its version, which is part of the cache's keys.
        cache: where outcomes are kept; ``None`` for none.
        room: simulations that are handed to the executor at a time.
        budget: time limit.
        cache_only: look into the cache and run nothing.
        tally: counts, which grow here.
        progress: called with ``tally`` whenever an outcome arrives, and every half second.
    """

    def __init__(
        self,
        *,
        executor: Executor,
        simulator: Simulator,
        version: str,
        cache: Cache | None,
        room: int,
        budget: Budget,
        cache_only: bool,
        tally: Tally,
        progress: Progress | None,
    ) -> None:
        self._executor, self._simulator, self._version = executor, simulator, version
        self._cache, self._room, self._budget, self._cache_only = cache, room, budget, cache_only
        self._tally, self._progress = tally, progress
        self._running: dict[Future[Outcome | None], tuple[str, Simulation]] = {}
        # Which benches wait for a simulation: two benches that ask for the same one share its outcome.
        self._waiting: dict[str, list[tuple[int, int]]] = {}
        self._batches: dict[int, list[Outcome | None]] = {}
        # Simulations that are not handed over yet: what is handed over costs memory, and cannot always be taken back.
        self._queue: deque[tuple[str, Simulation]] = deque()
        self._deadline = budget.deadline
        self._benches: Sequence[Bench] = ()
        self._results: list[BenchRun] = []

    def run(self, benches: Sequence[Bench]) -> list[BenchRun]:
        """Run all benches to their end; the results come in the order of the benches."""
        try:
            return self._run(benches)
        except BaseException:
            self._keep_finished()
            raise

    def _keep_finished(self) -> None:
        """Store what workers have finished and nobody has fetched: making a netlist may take seconds."""
        for future, (key, _) in self._running.items():
            if self._cache is not None and future.done() and not _failed(future):
                outcome = future.result()
                if outcome is not None:
                    self._cache.put(key, outcome)

    def _run(self, benches: Sequence[Bench]) -> list[BenchRun]:
        self._benches, self._results = benches, [BenchRun() for _ in benches]
        self._tally.benches += len(benches)
        fresh = deque(range(len(benches)))
        while True:
            while fresh and len(self._running) + len(self._queue) < self._room:
                if self._budget.is_over_for_the_cache:
                    self._end(fresh.popleft(), self._budget.failure)
                else:
                    self._advance(fresh.popleft(), None)
                    if self._cache_only:
                        self._give_up(Failure(Status.NOT_CACHED))
            if self._budget.is_over:
                self._give_up(self._budget.failure)
            while self._queue and len(self._running) < self._room:
                self._hand_over(*self._queue.popleft())
            if not self._running:
                if fresh:
                    continue
                break
            done, _ = wait(self._running, timeout=0.5, return_when=FIRST_COMPLETED)
            if not done:
                self._report()
            # What is finished is kept before a failure of something else ends the run.
            for future in sorted(done, key=_failed):
                key, simulation = self._running.pop(future)
                outcome = _result(future)
                if outcome is None:
                    self._not_begun(key, simulation)
                else:
                    self._arrived(key, outcome)
        return self._results

    def _hand_over(self, key: str, simulation: Simulation) -> None:
        try:
            future = self._executor.submit(run_in_worker, simulation, self._simulator, self._deadline)
        except BrokenExecutor as error:
            raise _executor_died(error) from error
        self._running[future] = key, simulation

    def _not_begun(self, key: str, simulation: Simulation) -> None:
        """A worker found the time run out; on another machine, its clock may only be fast."""
        if not self._budget.is_over:
            self._deadline = None
        self._queue.append((key, simulation))

    def _give_up(self, failure: Failure) -> None:
        """Leave undone what waits for a simulation that will not be begun."""
        for key, _ in self._queue:
            for index, _ in self._waiting.pop(key):
                if self._batches.pop(index, None) is not None:
                    self._end(index, failure)
        self._queue.clear()

    def _arrived(self, key: str, outcome: Outcome) -> None:
        if self._cache is not None:
            self._cache.put(key, outcome)
        self._count(outcome)
        for index, position in self._waiting.pop(key):
            if index in self._batches:
                self._batches[index][position] = outcome
                answer = self._complete(index)
                if answer is not None:
                    self._advance(index, answer)

    def _advance(self, index: int, answer: list[Outcome] | None) -> None:
        """Give a bench its outcomes; submit what it wants next, until something is really running."""
        bench, result = self._benches[index], self._results[index]
        while True:
            try:
                wanted = next(bench) if answer is None else bench.send(answer)
                self._batches[index] = [self._submit(simulation, (index, i)) for i, simulation in enumerate(wanted)]
            except StopIteration as stop:
                result.measurements = stop.value
                self._end(index, None)
                return
            except CimError as error:
                # A netlist that cannot be made (a model file that has gone, a size out of range) is this point's failure.
                self._end(index, Failure(Status.NO_NETLIST, str(error)))
                return
            answer = self._complete(index)
            if answer is None:
                return

    def _submit(self, simulation: Simulation, place: tuple[int, int]) -> Outcome | None:
        key = simulation.key(self._version)
        if key in self._waiting:
            self._waiting[key].append(place)
            return None
        known = self._cache.get(key) if self._cache is not None else None
        if known is None:
            self._waiting[key] = [place]
            self._queue.append((key, simulation))
        else:
            self._count(known)
        return known

    def _complete(self, index: int) -> list[Outcome] | None:
        """The outcomes of a bench's batch, if all are there."""
        found = [outcome for outcome in self._batches[index] if outcome is not None]
        if len(found) < len(self._batches[index]):
            return None
        del self._batches[index]
        result = self._results[index]
        result.simulations += len(found)
        result.cached += sum(outcome.cached for outcome in found)
        for outcome in found:
            if outcome.deck_sha256 not in self._tally.decks:
                self._tally.decks.add(outcome.deck_sha256)
                result.decks += 1
                result.cpu_seconds += outcome.cpu_seconds
        result.retries = tuple(dict.fromkeys((*result.retries, *(outcome.retry for outcome in found if outcome.retry))))
        return found

    def _end(self, index: int, failure: Failure | None) -> None:
        result, tally = self._results[index], self._tally
        result.failure = failure
        self._benches[index].close()
        tally.benches_done += 1
        tally.last_done = tally.elapsed
        # Where nothing is run, a cached point takes as long as any other, and the forecast counts it.
        tally.benches_cached += not self._cache_only and failure is None and result.cached == result.simulations
        self._report()

    def _count(self, outcome: Outcome) -> None:
        tally = self._tally
        tally.simulations += 1
        tally.cached += outcome.cached
        tally.failed += not outcome.ok
        tally.retried += bool(outcome.retry)
        if not outcome.cached:
            tally.cpu_seconds += outcome.cpu_seconds
            tally.worker_seconds += outcome.other_cpu_seconds
        self._report()

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self._tally)


def _failed(future: Future[Outcome | None]) -> bool:
    return future.cancelled() or future.exception() is not None


def _result(future: Future[Outcome | None]) -> Outcome | None:
    """The outcome of ``future``, ``None`` if it was not begun.

    Raises:
        SimulationError: if the executor died.
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
