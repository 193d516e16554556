"""What a plan would cost: points, what the cache holds of them, decks and time, without running anything."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pyspice_cim.characterization.benches import BENCHES
from pyspice_cim.characterization.costs import Costs
from pyspice_cim.characterization.engine import Engine
from pyspice_cim.characterization.plan import Plan, plan_points
from pyspice_cim.characterization.quality import held_out_points
from pyspice_cim.technology import Technology, load_technology


@dataclass(frozen=True, kw_only=True)
class BenchForecast:
    """What is ahead for one bench of a plan.

    Attributes:
        points, cached: on the grid and held out; those of them that the cache holds whole.
        decks, cpu_seconds: of the others, by the mean of points of this bench that were run; ``None`` if none ever was.
        measured_in: technology in which that mean was measured.
    """

    bench: str
    points: int
    cached: int
    decks: int | None
    cpu_seconds: float | None
    measured_in: str


def forecast(plan: Plan, engine: Engine, *, load: Callable[[str], Technology] = load_technology) -> list[BenchForecast]:
    """The forecast of every bench of ``plan``; refinement and audit are not in it.

    Raises:
        TechnologyError: if the plan asks for a technology or corner that there is not.
        MissingDependencyError: if ngspice is not there (its version is part of what the cache is asked for).
    """
    technology = load(plan.technology)
    points = [*plan_points(plan, technology), *(point for point, _ in held_out_points(plan))]
    # An engine without time runs through what is cached and begins nothing.
    still = replace(engine, budget=0.0, progress=None)
    runs = still.run([BENCHES[p.bench].start(technology, p.corner, p.coordinates, plan.monte_carlo) for p in points])
    costs = Costs.load(engine.cache)
    for point, run in zip(points, runs, strict=True):
        costs.add(technology.name, point.bench, run)
    forecasts = []
    for bench in plan.benches:
        of_bench = [run for point, run in zip(points, runs, strict=True) if point.bench == bench]
        left = sum(run.status == "missing" for run in of_bench)
        known = costs.of(technology.name, bench)
        each = known[0] if known else None
        forecasts.append(
            BenchForecast(
                bench=bench,
                points=len(of_bench),
                cached=len(of_bench) - left,
                decks=round(left * each.decks / each.points) if each else None,
                cpu_seconds=left * each.cpu_seconds / each.points if each else None,
                measured_in=known[1] if known else "",
            )
        )
    return forecasts
