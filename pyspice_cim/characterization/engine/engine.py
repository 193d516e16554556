"""Runs simulations and benches on an executor, with a cache and a time limit."""

import contextlib
import os
from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.scheduler import Budget, Scheduler
from pyspice_cim.characterization.engine.tally import BenchRun, Progress, Tally
from pyspice_cim.characterization.engine.workers import worker_pool
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, Simulator
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Outcome, Simulation, execute


@dataclass(frozen=True)
class Engine:
    """Runs simulations and benches. ``dataclasses.replace`` makes an engine with another setting.

    Attributes:
        simulator: what runs a deck.
        cache: where outcomes are kept; ``None`` for none.
        workers: processes of the default executor. Any executor gets four times as many simulations at a time.
        executor: any ``concurrent.futures.Executor``; by default a process pool of ``workers``.
        progress: called with the tally whenever an outcome arrives, and every half second.
        budget: time after which no simulation is started, from the start of the tally, in seconds. Running simulations
            still end. Benches that are left get their outcomes from the cache, for a tenth of the budget more.
        cache_only: look into the cache and run nothing; an outcome that is not there is missing.
        tally: counts of what this engine has done; they grow.
    """

    simulator: Simulator = field(default_factory=NgspiceSimulator)
    cache: Cache | None = field(default_factory=Cache)
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    executor: Executor | None = None
    progress: Progress | None = None
    budget: float | None = None
    cache_only: bool = False
    tally: Tally = field(default_factory=Tally)

    def run(self, benches: Sequence[Bench]) -> list[BenchRun]:
        """Run all benches to their end.

        Args:
            benches: generators that yield simulations (see ``spice/simulation.py``).

        Returns:
            One result for each bench, in the order of the benches.

        Raises:
            MissingDependencyError: if ngspice is not there, or no longer.
            SimulationError: if a worker died. What was finished until then is in the cache.
        """
        # The version is asked for once, here: a missing ngspice is an error before any work is done.
        version = self.simulator.version
        pool = worker_pool(self.workers) if self.executor is None else contextlib.nullcontext(self.executor)
        with pool as executor:
            return Scheduler(
                executor=executor,
                simulator=self.simulator,
                version=version,
                cache=self.cache,
                room=4 * self.workers,
                budget=Budget(self.budget, self.tally.started),
                cache_only=self.cache_only,
                tally=self.tally,
                progress=self.progress,
            ).run(benches)

    def simulate(self, simulations: Sequence[Simulation]) -> list[Outcome]:
        """Run all simulations.

        Returns:
            One outcome for each simulation, in the order of the simulations. A simulation that was not run has an
            outcome without values, whose failure says why.

        Raises:
            MissingDependencyError: if ngspice is not there, or no longer.
            SimulationError: if a worker died. What was finished until then is in the cache.
        """
        found: dict[int, Outcome] = {}

        def alone(place: int, simulation: Simulation) -> Generator[list[Simulation], list[Outcome], list[Measurement]]:
            (found[place],) = yield [simulation]
            return []

        runs = self.run([alone(place, simulation) for place, simulation in enumerate(simulations)])
        return [
            found.get(place)
            or Outcome(
                values={}, failure=run.failure, deck_sha256=simulation.deck.sha256, cpu_seconds=0.0, judged=False
            )
            for place, (simulation, run) in enumerate(zip(simulations, runs, strict=True))
        ]


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
