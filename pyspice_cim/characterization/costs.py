"""What points have cost so far, for the forecast of the next run; kept beside the cache, and harmless to lose."""

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from pyspice_cim.characterization.cache import Cache
from pyspice_cim.characterization.engine import BenchRun
from pyspice_cim.errors import CimError
from pyspice_cim.resources import write_atomically


@dataclass(frozen=True)
class Cost:
    """Points seen, and the CPU seconds of ngspice and the decks behind them."""

    points: int = 0
    cpu_seconds: float = 0.0
    decks: int = 0

    def plus(self, run: BenchRun) -> "Cost":
        """With one more point."""
        return Cost(self.points + 1, self.cpu_seconds + run.cpu_seconds, self.decks + run.simulations)


@dataclass
class Costs:
    """Costs by technology and bench.

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
            known = {(str(t), str(b)): Cost(int(n), float(s), int(d)) for t, b, n, s, d in stored if n}
        except (OSError, ValueError, TypeError):
            known = {}
        return cls(path, known)

    def add(self, technology: str, bench: str, run: BenchRun) -> None:
        """Count a point that went to its end."""
        if run.status == "done" and run.simulations:
            self.fresh[technology, bench] = self.fresh.get((technology, bench), Cost()).plus(run)

    def of(self, technology: str, bench: str) -> tuple[Cost, str] | None:
        """The cost of ``bench`` and where it was measured: here, else in any other technology, else ``None``."""
        both = {**self.known, **self.fresh}
        if (technology, bench) in both:
            return both[technology, bench], technology
        others = [(cost, name) for (name, kind), cost in both.items() if kind == bench]
        return others[0] if others else None

    def save(self) -> None:
        """Keep what this run has seen, if that can be written: no table is to be lost for a forecast."""
        if self.path is not None and self.fresh and self.path.parent.is_dir():
            rows = [(*key, c.points, c.cpu_seconds, c.decks) for key, c in {**self.known, **self.fresh}.items()]
            with contextlib.suppress(CimError):
                write_atomically(self.path, json.dumps(sorted(rows)).encode())
