"""A number of a table, back to ngspice: the benches of the points behind it, their decks, and the numbers they give today.

The table holds the text of its plan, so a point's bench can be started again. Its simulations are answered from the cache
as far as that goes, or by ngspice anew.
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
from pyspice_cim.characterization.engine.kept_runs import NOT_CACHED, KeepsWaveforms, NothingRuns, write_deck
from pyspice_cim.characterization.plans.plan import Plan, Point, started
from pyspice_cim.characterization.plans.registry import BENCHES
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, Simulator
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Outcome, Simulation
from pyspice_cim.errors import TableError
from pyspice_cim.resources import make_folder
from pyspice_cim.tables import Table
from pyspice_cim.tables.origin import Node, Origin
from pyspice_cim.tables.quantity import BenchAxis
from pyspice_cim.tables.table import CORNER_AXES
from pyspice_cim.tables.technology import technology_of
from pyspice_cim.technology import Corner, Technology

__all__ = ["DeckTrace", "PointTrace", "differences", "technology_of", "trace_cached", "trace_simulated"]


@dataclass(frozen=True, kw_only=True)
class DeckTrace:
    """One simulation of a point's bench.

    Attributes:
        sha256, title: of the deck.
        listed: whether the table names it for this point; a search for a limit tries others, too.
        source: where its outcome is from; ``nowhere``: the cache does not hold it.
        reason: why it gave no values, ``""`` if it did.
        rung: the retry rung that it needed, ``""`` for none.
    """

    sha256: str
    title: str
    listed: bool
    source: Literal["cache", "ngspice", "nowhere"]
    reason: str
    rung: str


@dataclass(frozen=True, kw_only=True, eq=False)
class PointTrace:
    """A point behind a value, with its bench driven again.

    Attributes:
        node: what the table says.
        decks: simulations, in the order of the bench.
        complete: whether the bench came to its end; if not, further decks depend on outcomes that are not there.
        value: what the bench gives for the quantity today; ``None`` if it failed or is not complete.
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
    """What is other today than when ``table`` was made, in words; empty if nothing is."""
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
        found.append(f"mismatch or die-to-die variation of technology {technology.name} has changed since")
    return found


def trace_cached(
    table: Table, origin: Origin, technology: Technology, *, cache: Cache, decks: Path | None = None
) -> tuple[PointTrace, ...]:
    """The points behind ``origin``, with the outcomes that ``cache`` holds of the ngspice that made ``table``.

    Args:
        decks: folder that the decks are written to, as ``<first 16 digits of the hash>.cir``.

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
    """The points behind ``origin``, simulated anew with the installed ngspice; nothing is read from a cache or kept in one.

    Args:
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
    coordinates = {axis.name: _count(table, kind.contract.stored(axis.name), node, axis) for axis in kind.contract.axes}
    return started(_plan(table), technology, Point(bench=bench, corner=corner, coordinates=coordinates))


def _count(table: Table, axis: str, node: Node, bounds: BenchAxis) -> int:
    """The coordinate of ``node`` along ``axis``, if the coordinate is one that a plan may ask for.

    Raises:
        TableError: if it is none.
    """
    value = node.place[axis]
    if isinstance(value, str) or value != int(value) or not bounds.lowest <= value <= bounds.highest:
        raise TableError(
            f"table {table.source}: {axis} = {value!r} is no place of a bench; a plan asks for whole numbers from "
            f"{bounds.lowest} to {bounds.highest}: the table was edited; characterize again"
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
    """``bench``, whose simulations are noted; it ends where an outcome is not there."""
    outcomes: list[Outcome] | None = None
    while True:
        try:
            wanted = next(bench) if outcomes is None else bench.send(outcomes)
        except StopIteration as stop:
            return list(stop.value)
        outcomes = yield wanted
        seen += zip(wanted, outcomes, strict=True)
        if any(outcome.reason == NOT_CACHED for outcome in outcomes):
            return []


def _point(
    origin: Origin,
    node: Node,
    seen: Sequence[tuple[Simulation, Outcome]],
    measurements: Sequence[Measurement],
    failure: str,
) -> PointTrace:
    missing = any(outcome.reason == NOT_CACHED for _, outcome in seen)
    measured = next((each for each in measurements if each.name == origin.quantity), None)
    value = None
    if measured is not None and measured.value is not None:
        value = _selected(origin, node, measured)
    reason = "" if value is not None else NOT_CACHED if missing else measured.reason if measured else failure
    return PointTrace(
        node=node,
        decks=tuple(
            DeckTrace(
                sha256=simulation.deck.sha256,
                title=simulation.deck.text.partition("\n")[0].removeprefix(".title").lstrip("* "),
                listed=simulation.deck.sha256 in node.decks,
                source="nowhere" if outcome.reason == NOT_CACHED else "cache" if outcome.cached else "ngspice",
                reason=outcome.reason,
                rung=outcome.rung,
            )
            for simulation, outcome in seen
        ),
        complete=bool(measurements) and not missing,
        value=value,
        reason=reason,
    )


def _selected(origin: Origin, node: Node, measured: Measurement) -> NDArray[np.float64]:
    """The part of ``measured`` that the node's value is: own axes that were chosen or looked up are taken out."""
    array = np.asarray(measured.value, dtype=np.float64)
    for position, dim in reversed(list(enumerate(measured.dims))):
        if dim not in origin.labels:
            label = origin.chosen.get(dim, node.place.get(dim))
            array = np.take(array, list(measured.labels[dim]).index(label), axis=position)
    return array
