"""What a plan would cost: points, what the cache holds of them, decks and time, without running anything."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.engine.tally import Tally
from pyspice_cim.characterization.plans.costs import Costs
from pyspice_cim.characterization.plans.plan import Plan, plan_points, started
from pyspice_cim.characterization.plans.quality import held_out_points
from pyspice_cim.technology import Technology, load_technology


@dataclass(frozen=True, kw_only=True)
class BenchForecast:
    """What is ahead for one bench of a plan.

    Attributes:
        points, cached: on the grid and held out; those of them that the cache holds whole.
        decks, cpu_seconds: of the others, by the mean of points of this bench that were run, else by a default.
        measured_in: technology in which that mean was measured, or the machine of the default.
        failed, reasons: points whose netlist cannot be made, which nothing is run for; why, each reason once.
    """

    bench: str
    points: int
    cached: int
    decks: int
    cpu_seconds: float
    measured_in: str
    failed: int = 0
    reasons: tuple[str, ...] = ()


def forecast(plan: Plan, engine: Engine, *, load: Callable[[str], Technology] = load_technology) -> list[BenchForecast]:
    """The forecast of every bench of ``plan``; refinement and audit are not in it.

    Every netlist is made, to ask the cache for it: ``engine.progress`` is told how far that is.

    Raises:
        TechnologyError: if the plan asks for a technology or corner that there is not.
        MissingDependencyError: if ngspice is not there (its version is part of what the cache is asked for).
    """
    technology = load(plan.technology)
    points = [*plan_points(plan, technology), *(point for point, _ in held_out_points(plan))]
    still = replace(engine, cache_only=True, budget=None, tally=Tally())
    runs = still.run([started(plan, technology, point) for point in points])
    costs = Costs.load(engine.cache)
    for point, run in zip(points, runs, strict=True):
        costs.add(technology.name, plan.kind_of(point.bench), run)
    forecasts = []
    for bench in plan.benches:
        of_bench = [run for point, run in zip(points, runs, strict=True) if point.bench == bench]
        left = sum(run.status == "missing" for run in of_bench)
        failed = [run.reason for run in of_bench if run.status == "failed"]
        each = costs.expected(technology.name, plan.kind_of(bench), plan.monte_carlo)
        forecasts.append(
            BenchForecast(
                bench=bench,
                points=len(of_bench),
                cached=len(of_bench) - left - len(failed),
                decks=round(left * each.decks),
                cpu_seconds=left * each.cpu_seconds,
                measured_in=each.measured_in,
                failed=len(failed),
                reasons=tuple(dict.fromkeys(failed)),
            )
        )
    return forecasts
