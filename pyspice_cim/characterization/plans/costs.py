"""What points have cost so far, for the forecast of the next run. The file is kept beside the cache and harmless to lose.

A bench that never ran has a default cost, which the package brings from another machine. The default is scaled by the
pace of this machine, measured at the benches that did run here:

    pace = CPU time of these benches here / CPU time of these benches by default
"""

import contextlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.tally import BenchRun
from pyspice_cim.characterization.variation.population import MonteCarloSettings
from pyspice_cim.errors import CimError
from pyspice_cim.resources import write_atomically


@dataclass(frozen=True)
class Cost:
    """Cost of points that were run.

    Attributes:
        points: number of points.
        cpu_seconds: CPU time of ngspice for all these points, in seconds.
        decks: number of decks of all these points.
    """

    points: int = 0
    cpu_seconds: float = 0.0
    decks: int = 0

    def plus(self, run: BenchRun) -> "Cost":
        """This cost with one more point, whose result is ``run``."""
        return Cost(self.points + 1, self.cpu_seconds + run.cpu_seconds, self.decks + run.decks)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What one point of a bench is expected to cost.

    Attributes:
        decks: number of decks.
        cpu_seconds: CPU time of ngspice in seconds.
        measured_in: technology of the points that were measured, or machine of the default.
    """

    decks: float
    cpu_seconds: float
    measured_in: str


_DEFAULTS = Path(__file__).with_name("default_costs.toml")


@dataclass
class Costs:
    """Costs by technology and bench, as ``Plan.kind_of`` names it.

    Attributes:
        path: where they are kept; ``None`` for nowhere.
        known: technology and bench to their cost in the newest run that had any.
        fresh: the same, of this run.
    """

    path: Path | None
    known: dict[tuple[str, str], Cost] = field(default_factory=dict)
    fresh: dict[tuple[str, str], Cost] = field(default_factory=dict)

    @classmethod
    def load(cls, cache: Cache | None) -> "Costs":
        """What is kept with ``cache``; a file that cannot be read counts as absent."""
        if cache is None:
            return cls(None)
        path = cache.folder / "costs.json"
        try:
            stored = json.loads(path.read_text())
            known = {(str(t), str(b)): Cost(int(n), float(s), int(d)) for t, b, n, s, d in stored}
            if not all(c.points > 0 and c.decks >= 0 and 0 <= c.cpu_seconds < math.inf for c in known.values()):
                known = {}
        except (OSError, ValueError, TypeError, OverflowError, RecursionError):
            known = {}
        return cls(path, known)

    def add(self, technology: str, bench: str, run: BenchRun) -> None:
        """Count the point with the result ``run``, if its bench reached its end."""
        if run.status == "done" and run.simulations:
            self.fresh[technology, bench] = self.fresh.get((technology, bench), Cost()).plus(run)

    def of(self, technology: str, bench: str) -> tuple[Cost, str] | None:
        """The cost of ``bench`` and the technology in which it was measured; ``None`` if the bench never ran.

        ``technology`` is preferred to any other one. A bench that never ran with its settings costs what it costs
        without.
        """
        both = {**self.known, **self.fresh}
        for name in dict.fromkeys((bench, bench.partition(" ")[0])):
            if (technology, name) in both:
                return both[technology, name], technology
            others = [(cost, where) for (where, kind), cost in both.items() if kind == name]
            if others:
                return others[0]
        return None

    def expected(self, technology: str, bench: str, monte_carlo: MonteCarloSettings | None = None) -> Expected:
        """What a point of ``bench`` will cost: the mean of points that were run (``of``), else the default.

        Args:
            technology: name of the technology.
            bench: bench with its settings, as ``Plan.kind_of`` names it.
            monte_carlo: the plan's settings of samples; the default of a bench that draws samples grows with them.
        """
        known = self.of(technology, bench)
        if known is not None:
            cost, where = known
            return Expected(
                decks=cost.decks / cost.points, cpu_seconds=cost.cpu_seconds / cost.points, measured_in=where
            )
        defaults = tomllib.loads(_DEFAULTS.read_text())
        default, pace = defaults["benches"][bench.partition(" ")[0]], self._pace(defaults["benches"])
        size = 1.0
        for name, samples in default.get("samples", {}).items():
            size *= getattr(monte_carlo, name, samples) / samples
        machine = f"default: {defaults['machine']}" + ("" if pace == 1 else f", times {pace:.2g}")
        return Expected(
            decks=size * default["decks"], cpu_seconds=pace * size * default["cpu_seconds"], measured_in=machine
        )

    def _pace(self, defaults: Mapping[str, Mapping[str, float]]) -> float:
        """The pace of this machine; 1 if no bench ran here.

        Benches that draw samples do not count, because the number of their samples is not kept.
        """
        here = {**self.known, **self.fresh}
        fixed = {key: cost for key, cost in here.items() if key[1] in defaults and "samples" not in defaults[key[1]]}
        by_default = sum(cost.points * defaults[bench]["cpu_seconds"] for (_, bench), cost in fixed.items())
        measured = sum(cost.cpu_seconds for cost in fixed.values())
        return measured / by_default if measured and by_default else 1.0

    def save(self) -> None:
        """Store what this run has seen. A file that cannot be written is no error: no table is lost for a forecast."""
        if self.path is not None and self.fresh and self.path.parent.is_dir():
            rows = [(*key, c.points, c.cpu_seconds, c.decks) for key, c in {**self.known, **self.fresh}.items()]
            with contextlib.suppress(CimError):
                write_atomically(self.path, json.dumps(sorted(rows)).encode(), follow=False)
