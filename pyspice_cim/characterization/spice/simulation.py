"""A simulation request is plain data; running it is one call.

A ``Simulation`` names a deck and the reducer that turns the waveforms into a few numbers. A *bench* is a generator that
yields batches of simulations, gets their outcomes back, and returns measurements. A bench never runs anything itself.
So the engine decides about processes, caches and order, and a test can drive a bench with outcomes of its own.
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
from pyspice_cim.characterization.spice.retries import RETRIES
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
        reducer: ``"package.module:function"``; called as ``function(vectors, **arguments) -> {name: array}``. The
            reducer raises ``SimulationError`` where the waveforms are not what they must be (wrong bits, no crossing).
        arguments: JSON-able arguments of the reducer.
        retry: whether convergence retries follow a failure. Two kinds of simulations take no retries. A deck of many
            samples is divided instead. An audit would lose its tight tolerances.
    """

    deck: Deck
    reducer: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    retry: bool = True

    def key(self, simulator_version: str) -> str:
        """Hash of all that the outcome depends on: deck, simulator, reducer, arguments, and the sources behind both."""
        parts = [
            self.deck.sha256,
            simulator_version,
            self.reducer,
            # This module runs and judges the deck; the reducer's module reduces the waveforms.
            sources_sha256(__name__, self.reducer.partition(":")[0]),
            json.dumps(self.arguments, sort_keys=True),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of a simulation: values, or the failure.

    Attributes:
        values: what the reducer read off the waveforms.
        failure: why there are no values; ``None`` where there are.
        deck_sha256: hash of the deck as the bench asked for it; ``retry`` says how the deck was run.
        cpu_seconds: CPU time of ngspice in all tries together, in seconds.
        judged: whether ngspice itself ran well. Then the values, or the failure, come from the reducer, and another run
            would give the same.
        cached: whether the outcome is from the cache.
        retry: name of the convergence retry that worked; ``""`` where none was needed.
        retried: whether convergence retries were tried. Then another list of retries might give another outcome.
        other_cpu_seconds: CPU time of the worker around ngspice (reading, reducing), in seconds.
    """

    values: Values
    failure: Failure | None = None
    deck_sha256: str
    cpu_seconds: float
    judged: bool = True
    cached: bool = False
    retry: str = ""
    retried: bool = False
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
    """One quantity of one point: an array, or a reason why there is none.

    Attributes:
        name: quantity, e.g. ``sram6t_read_energy``.
        unit: SI unit, e.g. ``J``.
        value: array over ``dims``; ``None`` where it could not be measured.
        dims: names of the array's axes beyond the point's own coordinates, e.g. ``("component", "event")``; none for a
            scalar.
        labels: labels along each of ``dims``.
        reason: why there is no value.
        status: status of the run that failed, where one run decided.
        decks: hashes of the decks behind the value.
        resolution: relative width of the grid on which the value was searched; 0 for a value that was measured.
        scale: how a table interpolates the quantity, one of ``tables.lookup.SCALES``; ``""`` where the unit decides.
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
        """Whether the value is there and finite."""
        if self.value is None:
            return False
        # A sampled write that does not happen takes for ever, and a confidence bound beyond the sample is infinite.
        sampled = {"sample", "bound"} & set(self.dims)
        return not np.isnan(self.value).any() if sampled else bool(np.isfinite(self.value).all())


Bench = Generator[list[Simulation], list[Outcome], list[Measurement]]


def execute(simulation: Simulation, simulator: Simulator) -> Outcome:
    """Run one simulation and reduce its waveforms. A failure is an outcome with a reason, not an exception.

    Convergence retries follow a failure that other options may mend, until one works. If none works, the outcome keeps
    the reason of the first try. If a retry meets a full disk or is killed, nothing is known of the deck. Then that is
    the reason, and the next run tries the deck again.

    A transient that the reducer refuses is a fact. A refused operating point may be another solution of the same
    equations (both nodes of a cell half way), so it is retried.
    """
    started = time.thread_time()
    first = found = _tried(simulation, simulator, simulation.deck)
    cpu_seconds, worked = first.cpu_seconds, ""
    retried = simulation.retry and _mendable(simulation, first)
    if retried:
        for retry in RETRIES:
            found = _tried(simulation, simulator, retry.apply(simulation.deck))
            cpu_seconds += found.cpu_seconds
            if found.failure is not None and found.failure.status.of_the_machine:
                break
            if found.judged and not _mendable(simulation, found):
                worked = retry.name
                break
        else:
            assert first.failure is not None
            words = f"{first.failure.reason}; nor with {', '.join(retry.name for retry in RETRIES)}"
            found = replace(first, failure=replace(first.failure, reason=words))
    return replace(
        found,
        deck_sha256=simulation.deck.sha256,
        cpu_seconds=cpu_seconds,
        retry=worked,
        retried=retried,
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
    """The text by which a ``Simulation`` names ``function``, a public function of a module."""
    return f"{function.__module__}:{function.__qualname__}"
