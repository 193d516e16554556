"""From a number of a table back to ngspice: the points behind the number, their decks, and the values of today.

The table holds the text of its plan, so the bench of a point can be started again. The simulations of the bench are
answered from the cache, or by ngspice anew.
"""

import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim import __version__
from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.engine.kept_runs import KeepsWaveforms, NothingRuns, write_deck
from pyspice_cim.characterization.plans.plan import MAX_COORDINATE, Plan, Point, started
from pyspice_cim.characterization.plans.registry import BENCHES
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, Simulator
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Outcome, Simulation
from pyspice_cim.characterization.spice.status import Status
from pyspice_cim.errors import TableError
from pyspice_cim.resources import make_folder
from pyspice_cim.tables import Table
from pyspice_cim.tables.origin import Node, Origin
from pyspice_cim.tables.table import CORNER_AXES
from pyspice_cim.tables.technology import technology_of
from pyspice_cim.technology import Corner, Technology

__all__ = ["DeckTrace", "PointTrace", "differences", "technology_of", "trace_cached", "trace_simulated"]


@dataclass(frozen=True, kw_only=True)
class DeckTrace:
    """One simulation of a point's bench.

    Attributes:
        sha256, title: hash and title of the deck.
        listed: whether the table names the deck for this point. A search for a limit tries other decks, too.
        source: where the outcome is from; ``nowhere`` if the cache does not hold it.
        reason: why there are no values, ``""`` if there are.
        retry: name of the convergence retry that the simulation needed, ``""`` for none.
    """

    sha256: str
    title: str
    listed: bool
    source: Literal["cache", "ngspice", "nowhere"]
    reason: str
    retry: str


@dataclass(frozen=True, kw_only=True, eq=False)
class PointTrace:
    """A point behind a value, with its bench run again.

    Attributes:
        node: what the table says of the point.
        decks: simulations in the order of the bench.
        complete: whether the bench reached its end. If not, further decks depend on outcomes that are not there.
        value: value of the quantity today; ``None`` if the bench failed or is not complete.
        reason: why there is no value.
    """

    node: Node
    decks: tuple[DeckTrace, ...]
    complete: bool
    value: NDArray[np.float64] | None
    reason: str

    @property
    def equal(self) -> bool:
        """Whether today's value is the stored one bit for bit, or both failed."""
        if self.value is None:
            return self.complete and bool(np.isnan(self.node.value).all())
        return np.array_equal(self.value, self.node.value, equal_nan=True)

    @property
    def largest_difference(self) -> float:
        """Largest relative difference of today's value to the stored one; NaN where one of them is none."""
        if self.value is None:
            return float("nan")
        scale = np.maximum(np.abs(self.value), np.abs(self.node.value))
        return float(np.max(np.abs(self.value - self.node.value) / np.where(scale > 0, scale, 1.0)))


def differences(table: Table, technology: Technology, ngspice: str) -> list[str]:
    """What differs today from the time when ``table`` was made, in words; empty if nothing does."""
    attributes = table.dataset.attrs
    today = {"ngspice": ngspice, "package": f"pyspice_cim {__version__}"}
    found = [
        f"the table was made with {attributes[what]}, here is {here}"
        for what, here in today.items()
        if attributes[what] != here
    ]
    if attributes["technology_sha256"] != technology.sha256:
        found.append(
            f"technology {technology.name} has changed: the table's has the hash {attributes['technology_sha256'][:16]}, "
            f"the one here {technology.sha256[:16]}"
        )
    if attributes.get("variation_sha256", technology.variation_sha256) != technology.variation_sha256:
        found.append(f"mismatch or global variation of technology {technology.name} has changed since")
    return found


def trace_cached(
    table: Table, origin: Origin, technology: Technology, *, cache: Cache, decks: Path | None = None
) -> tuple[PointTrace, ...]:
    """The points behind ``origin``, with outcomes from ``cache`` alone.

    Args:
        table: table of the number.
        origin: points and weights behind the number.
        technology: technology of the table.
        cache: outcomes of the ngspice that made the table are looked for here.
        decks: folder to which the decks are written, as ``<first 16 digits of the hash>.cir``.

    Raises:
        TableError: if the table is not one of this version's benches.
        ConfigError: if a file of a deck's name is there that holds another text, or a link.
    """
    simulator = NothingRuns(str(table.dataset.attrs["ngspice"]))
    with ThreadPoolExecutor(1) as pool:
        engine = Engine(simulator=simulator, cache=cache, executor=pool, workers=1)
        return _traced(table, origin, technology, engine, decks)


def trace_simulated(
    table: Table, origin: Origin, technology: Technology, *, workers: int, decks: Path | None = None
) -> tuple[PointTrace, ...]:
    """The points behind ``origin``, simulated anew with the installed ngspice, without a cache.

    Args:
        table: table of the number.
        origin: points and weights behind the number.
        technology: technology of the table.
        workers: number of worker processes.
        decks: folder for the decks and, beside each, the waveforms (``.raw``).

    Raises:
        TableError: if the table is not one of this version's benches.
        ConfigError: if a file of such a name is there that holds something else, or a link.
        MissingDependencyError: if ngspice is not there.
    """
    simulator: Simulator = NgspiceSimulator() if decks is None else KeepsWaveforms(decks, NgspiceSimulator())
    return _traced(table, origin, technology, Engine(simulator=simulator, cache=None, workers=workers), decks)


def _traced(
    table: Table, origin: Origin, technology: Technology, engine: Engine, folder: Path | None
) -> tuple[PointTrace, ...]:
    seen: list[list[tuple[Simulation, Outcome]]] = [[] for _ in origin.nodes]
    benches = [_started(table, technology, origin.bench, node) for node in origin.nodes]
    runs = engine.run([_watched(bench, record) for bench, record in zip(benches, seen, strict=True)])
    if folder is not None:
        make_folder(folder)
        for simulation, _ in (pair for record in seen for pair in record):
            write_deck(folder, simulation.deck)
    return tuple(
        _point(origin, node, record, run.measurements, run.reason)
        for node, record, run in zip(origin.nodes, seen, runs, strict=True)
    )


def _started(table: Table, technology: Technology, bench: str, node: Node) -> Bench:
    """The bench of ``node``, from its start.

    Raises:
        TableError: for a bench that this package does not have, or a plan that is none.
        TechnologyError: if the technology does not have the node's corner.
    """
    kind = BENCHES.get(bench)
    if kind is None or not {kind.contract.stored(axis) for axis in kind.axes} <= node.place.keys():
        raise TableError(
            f"table {table.source} is of another version: this package has no bench {bench!r} with the axes "
            f"{', '.join(axis for axis in node.place)}"
        )
    conditions = {name: node.place[name] for name in CORNER_AXES}
    corner = Corner.model_validate(conditions).check(technology)
    coordinates = {axis: _count(table, kind.contract.stored(axis), node) for axis in kind.axes}
    return started(_plan(table), technology, Point(bench=bench, corner=corner, coordinates=coordinates))


def _count(table: Table, axis: str, node: Node) -> int:
    """The coordinate of ``node`` along ``axis``, if the coordinate is one that a plan may ask for.

    Raises:
        TableError: if it is none.
    """
    value = node.place[axis]
    if isinstance(value, str) or value != int(value) or not 1 <= value <= MAX_COORDINATE:
        raise TableError(
            f"table {table.source}: {axis} = {value!r} is no place of a bench; a plan asks for whole numbers from 1 to "
            f"{MAX_COORDINATE}: the table was edited; characterize again"
        )
    return int(value)


def _plan(table: Table) -> Plan:
    text = str(table.dataset.attrs["plan_text"])
    try:
        return Plan.model_validate({**tomllib.loads(text), "text": text})
    except (ValueError, RecursionError) as error:  # of TOML, of the plan, of numbers that Python does not read
        raise TableError(
            f"table {table.source}: its attribute plan_text is no plan, so its benches cannot be started again: {error}"
        ) from error


def _watched(bench: Bench, seen: list[tuple[Simulation, Outcome]]) -> Bench:
    """``bench`` with its simulations noted in ``seen``; the bench ends where the cache lacks an outcome."""
    outcomes: list[Outcome] | None = None
    while True:
        try:
            wanted = next(bench) if outcomes is None else bench.send(outcomes)
        except StopIteration as stop:
            return list(stop.value)
        outcomes = yield wanted
        seen += zip(wanted, outcomes, strict=True)
        if any(_nowhere(outcome) for outcome in outcomes):
            return []


def _point(
    origin: Origin,
    node: Node,
    seen: Sequence[tuple[Simulation, Outcome]],
    measurements: Sequence[Measurement],
    failure: str,
) -> PointTrace:
    missing = any(_nowhere(outcome) for _, outcome in seen)
    measured = next((each for each in measurements if each.name == origin.quantity), None)
    value = None
    if measured is not None and measured.value is not None:
        value = _selected(origin, node, measured)
    reason = (
        "" if value is not None else Status.NOT_CACHED.value if missing else measured.reason if measured else failure
    )
    return PointTrace(
        node=node,
        decks=tuple(
            DeckTrace(
                sha256=simulation.deck.sha256,
                title=simulation.deck.title,
                listed=simulation.deck.sha256 in node.decks,
                source="nowhere" if _nowhere(outcome) else "cache" if outcome.cached else "ngspice",
                reason=outcome.reason,
                retry=outcome.retry,
            )
            for simulation, outcome in seen
        ),
        complete=bool(measurements) and not missing,
        value=value,
        reason=reason,
    )


def _nowhere(outcome: Outcome) -> bool:
    """Whether the cache did not hold ``outcome``, and nothing was run."""
    return outcome.failure is not None and outcome.failure.status is Status.NOT_CACHED


def _selected(origin: Origin, node: Node, measured: Measurement) -> NDArray[np.float64]:
    """The part of ``measured`` that the node's value is: own axes that were chosen or interpolated are taken out."""
    array = np.asarray(measured.value, dtype=np.float64)
    for position, dim in reversed(list(enumerate(measured.dims))):
        if dim not in origin.labels:
            label = origin.chosen.get(dim, node.place.get(dim))
            array = np.take(array, list(measured.labels[dim]).index(label), axis=position)
    return array
