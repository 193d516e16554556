"""How good a table is: held-out points, nodes that are added where the interpolation is poor, and an audit of tolerances.

An error is relative to the largest magnitude of the simulated array:

    error = max |found - expected| / max |expected|

So an entry near zero (an event that costs nothing) does not count as infinitely wrong. Some quantities are searched on
a grid of their own (``Measurement.resolution``). The width of that grid is not the interpolation's fault. It is
subtracted before an error is compared with a bound.
"""

import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import qmc

from pyspice_cim.characterization.engine.tally import BenchRun
from pyspice_cim.characterization.plans.plan import Plan, Point
from pyspice_cim.characterization.plans.registry import BENCHES
from pyspice_cim.characterization.spice.retries import tightened
from pyspice_cim.characterization.spice.simulation import Bench, Measurement
from pyspice_cim.errors import TableError
from pyspice_cim.tables import Lookup, Table
from pyspice_cim.technology import Corner

_CORNER_AXES = ("vdd", "temperature_c")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Two neighbouring nodes of an axis.

    Attributes:
        bench: bench of the axis; ``""`` for the supply and the temperature, which all benches share.
        axis: name of the axis.
        low, high: values at the nodes.
    """

    bench: str
    axis: str
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Check:
    """One quantity at one point by two ways: as the table has it, and by a way that is trusted more.

    Attributes:
        point, quantity, unit: what is compared.
        expected: the entry with the largest error, by the trusted way.
        found: the same entry as the table has it.
        error: largest deviation over the array, relative to its largest magnitude; NaN if one of the two failed.
        excess: the part of ``error`` beyond the quantity's resolution.
        decks: hashes of the decks of the trusted way.
        reason: why there is no error.
    """

    point: Point
    quantity: str
    unit: str
    expected: float
    found: float
    error: float
    excess: float
    decks: tuple[str, ...]
    reason: str = ""


def held_out_points(plan: Plan) -> Iterator[tuple[Point, Interval | None]]:
    """The points of ``plan.held_out``. A midpoint comes with the interval that it halves, a random point with ``None``."""
    if plan.held_out is None:
        return
    for bench in plan.benches:
        if BENCHES[bench].samples:
            continue
        axes = _axes(plan, bench)
        middle = {axis: values[len(values) // 2] for axis, values in axes.items()}
        if plan.held_out.midpoints:
            for axis, values in axes.items():
                for low, high in itertools.pairwise(values):
                    at = _between(axis, low, high)
                    if at is not None:
                        owner = "" if axis in _CORNER_AXES else bench
                        interval = Interval(bench=owner, axis=axis, low=low, high=high)
                        yield _point(plan.corners.process[0], bench, {**middle, axis: at}), interval
        for number, drawn in enumerate(_drawn(axes, plan.held_out.random, plan.held_out.seed)):
            # An axis of few values is rounded onto its nodes; a point that lies on all of them judges nothing.
            if any(drawn[axis] not in values for axis, values in axes.items()):
                yield _point(plan.corners.process[number % len(plan.corners.process)], bench, drawn), None


def _axes(plan: Plan, bench: str) -> dict[str, tuple[float, ...]]:
    own = {axis: tuple(float(v) for v in plan.benches[bench].axes[axis]) for axis in BENCHES[bench].axes}
    return {"vdd": plan.corners.vdd, "temperature_c": plan.corners.temperature_c, **own}


def _between(axis: str, low: float, high: float) -> float | None:
    if axis in _CORNER_AXES:
        # Rounded to what a plan may say, which is what a deck states.
        middle = float(f"{(low + high) / 2:.6g}")
        return middle if low < middle < high else None
    middle = round(math.sqrt(low * high))
    return float(middle) if low < middle < high else None


def _drawn(axes: dict[str, tuple[float, ...]], count: int, seed: int) -> Iterator[dict[str, float]]:
    """The first ``count`` points of a scrambled Sobol sequence in the box that ``axes`` span."""
    sequence = qmc.Sobol(len(axes), rng=np.random.default_rng(seed))
    for at in sequence.random_base2(max(count - 1, 0).bit_length())[:count]:
        drawn = {}
        for share, (axis, values) in zip(at, axes.items(), strict=True):
            value = values[0] + share * (values[-1] - values[0])
            rounded = round(value, 3 if axis == "vdd" else 1) if axis in _CORNER_AXES else float(round(value))
            drawn[axis] = min(max(rounded, values[0]), values[-1])
        yield drawn


def _point(process: str, bench: str, at: dict[str, float]) -> Point:
    corner = Corner(process=process, vdd=at["vdd"], temperature_c=at["temperature_c"])
    return Point(bench=bench, corner=corner, coordinates={axis: int(at[axis]) for axis in BENCHES[bench].axes})


def interpolation_checks(table: Table, point: Point, run: BenchRun) -> list[Check]:
    """Compare what ``table`` interpolates at ``point`` with ``run``, the simulation of that point."""
    look = Lookup(table)
    known = {measured.name: measured for measured in run.measurements if measured.name in table.quantities}
    # The run of a point without simulation or netlist does not name the quantities that it lacks.
    for name in table.quantities:
        if not known.get(name) and table.dataset[name].attrs["bench"] == point.bench:
            unit = str(table.dataset[name].attrs["units"])
            known[name] = Measurement(name=name, unit=unit, value=None, reason=run.reason)
    checks = []
    for measured in known.values():
        if not measured.ok:
            checks.append(_unknown(point, measured, measured.reason or run.reason))
            continue
        try:
            checks.append(_check(point, measured, _interpolated(table, look, point, measured)))
        except TableError as error:
            checks.append(_unknown(point, measured, str(error)))
    return checks


def _interpolated(table: Table, look: Lookup, point: Point, measured: Measurement) -> NDArray[np.float64]:
    place: dict[str, Any] = dict(point.place)
    array = table.quantity(measured.name)
    numeric = [dim for dim in measured.dims if array[dim].dtype.kind in "if"]
    own = np.meshgrid(*(np.array(measured.labels[dim], dtype=float) for dim in numeric), indexing="ij")
    place |= dict(zip(numeric, own, strict=True))
    dims = [*numeric, *(dim for dim in measured.dims if dim not in numeric)]
    return xr.DataArray(look(measured.name, **place), dims=dims).transpose(*measured.dims).to_numpy()


def audit_points(plan: Plan, points: list[Point], runs: list[BenchRun]) -> list[int]:
    """Numbers of the points to audit: some of every bench that needed no convergence retry, chosen by a hash of their place."""
    chosen: list[int] = []
    for bench in plan.audit.benches or plan.benches:
        if not BENCHES[bench].samples:
            good = [
                n
                for n, (point, run) in enumerate(zip(points, runs, strict=True))
                if point.bench == bench and run.status == "done" and not run.retries
            ]
            good.sort(key=lambda n: hashlib.sha256(repr(points[n].key).encode()).hexdigest())
            chosen += sorted(good[: plan.audit.points])
    return chosen


def audited(bench: Bench) -> Bench:
    """``bench`` with every deck at a tenth of its tolerances, without convergence retries, which would loosen them again."""
    wanted = next(bench)
    while True:
        outcomes = yield [replace(each, deck=tightened(each.deck), retry=False) for each in wanted]
        try:
            wanted = bench.send(outcomes)
        except StopIteration as stop:
            measurements: list[Measurement] = stop.value
            return measurements


def audit_checks(point: Point, run: BenchRun, tight: BenchRun) -> list[Check]:
    """Compare what ``run`` measured with ``tight``, the same point at tighter tolerances."""
    second = {measured.name: measured for measured in tight.measurements}
    checks = []
    for measured in run.measurements:
        if measured.ok:
            again = second.get(measured.name, measured)
            if again is measured or not again.ok:
                checks.append(_unknown(point, measured, again.reason or tight.reason))
            else:
                checks.append(_check(point, again, np.asarray(measured.value, dtype=float)))
    return checks


def _unknown(point: Point, measured: Measurement, reason: str) -> Check:
    """A check without numbers, which says why there are none."""
    nan = float("nan")
    return Check(
        point=point,
        quantity=measured.name,
        unit=measured.unit,
        expected=nan,
        found=nan,
        error=nan,
        excess=nan,
        decks=(),
        reason=reason or "no reason given",
    )


def _check(point: Point, measured: Measurement, found: NDArray[np.float64]) -> Check:
    expected = np.asarray(measured.value, dtype=float)
    deviation = np.abs(found - expected)
    worst = np.unravel_index(int(np.argmax(deviation)), expected.shape)
    largest = float(np.max(np.abs(expected)))
    error = float(np.max(deviation)) / largest if largest else float(np.max(deviation))
    return Check(
        point=point,
        quantity=measured.name,
        unit=measured.unit,
        expected=float(expected[worst]),
        found=float(found[worst]),
        error=error,
        # Python's max may lose an error that is not a number.
        excess=float(np.maximum(error - measured.resolution, 0.0)),
        decks=measured.decks,
    )


def refined(plan: Plan, checks: list[tuple[Interval | None, list[Check]]]) -> Plan:
    """``plan`` with a node in the middle of every interval whose midpoint is off by more than the bounds."""
    bounds = {"J": plan.refine.energy, "s": plan.refine.delay}
    poor = {
        interval
        for interval, found in checks
        if interval is not None and any(check.excess > bounds.get(check.unit, math.inf) for check in found)
    }
    corners, benches = plan.corners, dict(plan.benches)
    for interval in poor:
        middle = _between(interval.axis, interval.low, interval.high)
        if middle is None:
            continue
        if interval.bench:
            asked = benches[interval.bench]
            finer = {**asked.axes, interval.axis: tuple(sorted({*asked.axes[interval.axis], int(middle)}))}
            benches[interval.bench] = asked.model_copy(update={"axes": finer})
        else:
            nodes = tuple(sorted({*getattr(corners, interval.axis), middle}))
            corners = corners.model_copy(update={interval.axis: nodes})
    return plan.model_copy(update={"corners": corners, "benches": benches})
