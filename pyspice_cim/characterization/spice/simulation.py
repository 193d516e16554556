"""A simulation request is plain data; running it is one call.

A ``Simulation`` names a deck and the reducer that turns the waveforms into a few numbers. A *bench* is a generator that
yields batches of simulations, gets their outcomes back, and returns measurements: it never runs anything itself, so the
engine decides about processes, caches and order, and a test can drive a bench with outcomes of its own.
"""

import hashlib
import importlib
import json
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.spice.ngspice import Simulator
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.retries import LADDER
from pyspice_cim.characterization.spice.sources import sources_sha256
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.deck import Deck

Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """One deck and what to read off it.

    Attributes:
        deck: what ngspice runs.
        reducer: ``"package.module:function"``; called as ``function(vectors, **arguments) -> {name: array}``. It raises
            ``SimulationError`` where the waveforms are not what they must be (wrong bits, no crossing).
        arguments: JSON-able arguments of the reducer.
        retry: whether ``LADDER`` is climbed after a failure; a pack of copies is taken apart instead, and an audit is
            not to loosen what it tightens.
    """

    deck: Deck
    reducer: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    retry: bool = True

    def key(self, simulator_version: str) -> str:
        """Hash of all that the outcome depends on: deck, simulator, reducer, arguments, sources that judge and reduce."""
        parts = [
            self.deck.sha256,
            simulator_version,
            self.reducer,
            # This module runs and judges what the reducer's then reduces.
            sources_sha256(__name__, self.reducer.partition(":")[0]),
            json.dumps(self.arguments, sort_keys=True),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a simulation: values, or the reason why there are none.

    Attributes:
        values: what the reducer read off the waveforms.
        failure: why there are no values; ``None`` where there are.
        deck_sha256: of the deck as it was asked for; the rung says how it was run.
        cpu_seconds: CPU time of ngspice, all tries together.
        judged: ngspice itself ran well, so that values or reason are the reducer's and would be the same again.
        rung: name of the rung of ``LADDER`` that worked, ``""`` where none was needed.
        climbed: ``LADDER`` was asked, so that another ladder might give another outcome.
        other_cpu_seconds: CPU time of the worker around ngspice: reading, reducing.
    """

    values: Values
    failure: Failure | None = None
    deck_sha256: str
    cpu_seconds: float
    judged: bool = True
    cached: bool = False
    rung: str = ""
    climbed: bool = False
    other_cpu_seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there are values."""
        return self.failure is None

    @property
    def reason(self) -> str:
        """Text of the failure; ``""`` where there is none."""
        return "" if self.failure is None else str(self.failure)

    @property
    def status(self) -> Status | None:
        """Status of the failure; ``None`` where there is none."""
        return None if self.failure is None else self.failure.status


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One quantity of one point: an array (a scalar has no dims), or a reason.

    Attributes:
        name: quantity, e.g. ``sram6t_read_energy``.
        unit: SI unit, e.g. ``J``.
        value: array over ``dims``; ``None`` where it could not be measured.
        dims: names of the array's axes beyond the point's own coordinates, e.g. ``("component", "event")``.
        labels: for each of ``dims`` the labels along it.
        reason: why there is no value.
        status: status of the run that failed, where one run decided.
        decks: hashes of the decks behind the value.
        resolution: relative width of the grid that the value was searched on, 0 for a measured one.
        scale: how a table interpolates it, one of ``tables.lookup.SCALES``, where its unit does not say.
        description: what the quantity means, in one line.
    """

    name: str
    unit: str
    value: NDArray[np.float64] | float | None
    dims: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...] | tuple[float, ...]] = field(default_factory=dict)
    reason: str = ""
    status: Status | None = None
    decks: tuple[str, ...] = ()
    resolution: float = 0.0
    scale: str = ""
    description: str = ""

    @cached_property
    def ok(self) -> bool:
        if self.value is None:
            return False
        # A sampled write that does not happen takes for ever, and a confidence bound beyond the sample is infinite.
        sampled = {"sample", "bound"} & set(self.dims)
        return not np.isnan(self.value).any() if sampled else bool(np.isfinite(self.value).all())


Bench = Generator[list[Simulation], list[Outcome], list[Measurement]]


def execute(simulation: Simulation, simulator: Simulator) -> Outcome:
    """Run one simulation and reduce it. A failure is an outcome with a reason, not an exception.

    Where it fails in a way that other options may mend, ``LADDER`` is climbed until a rung works; the reason of a
    simulation that never did is that of its first try. Where a rung meets a full disk or is killed, nothing is known of
    the deck: that is the reason then, and the next run tries again. What the reducer refuses is a fact of a transient; but an
    operating point may be another solution of the same equations (both nodes of a cell half way), so it climbs too.
    """
    started = time.thread_time()
    first = found = _tried(simulation, simulator, simulation.deck)
    cpu_seconds, rung = first.cpu_seconds, ""
    climbed = simulation.retry and _mendable(simulation, first)
    if climbed:
        for step in LADDER:
            found = _tried(simulation, simulator, step.apply(simulation.deck))
            cpu_seconds += found.cpu_seconds
            if found.failure is not None and found.failure.status.of_the_machine:
                break
            if found.judged and not _mendable(simulation, found):
                rung = step.name
                break
        else:
            assert first.failure is not None
            words = f"{first.failure.reason}; nor with {', '.join(step.name for step in LADDER)}"
            found = replace(first, failure=replace(first.failure, reason=words))
    return replace(
        found,
        deck_sha256=simulation.deck.sha256,
        cpu_seconds=cpu_seconds,
        rung=rung,
        climbed=climbed,
        other_cpu_seconds=time.thread_time() - started,
    )


def _tried(simulation: Simulation, simulator: Simulator, deck: Deck) -> Outcome:
    """One run of ``deck``, reduced as ``simulation`` says."""
    (result,) = simulator.run([deck])
    values: Values = {}
    failure = result.failure
    if failure is None:
        try:
            reduced = _function(simulation.reducer)(result.vectors, **simulation.arguments)
            values = {name: np.asarray(value, dtype=np.float64) for name, value in reduced.items()}
        except SimulationError as error:
            failure = Failure(Status.REJECTED, str(error))
    return Outcome(
        values=values, failure=failure, deck_sha256=deck.sha256, cpu_seconds=result.cpu_seconds, judged=result.ok
    )


def _mendable(simulation: Simulation, outcome: Outcome) -> bool:
    """Whether other options may help."""
    static = simulation.deck.stop_time is None
    if outcome.failure is None:
        return False
    return outcome.failure.status.retried or (static and outcome.judged)


@lru_cache(maxsize=256)
def _function(reducer: str) -> Callable[..., Mapping[str, Any]]:
    module, _, name = reducer.partition(":")
    function: Callable[..., Mapping[str, Any]] = getattr(importlib.import_module(module), name)
    return function


def reducer_name(function: Callable[[Vectors], Mapping[str, Any]] | Callable[..., Mapping[str, Any]]) -> str:
    """The text by which a ``Simulation`` names ``function``, which must be a public function of a module."""
    return f"{function.__module__}:{function.__qualname__}"
