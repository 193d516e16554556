"""From a plan to a table: run every point, put every measurement in its place, say what failed and why, and judge the table."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr

from pyspice_cim import __version__
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.engine.tally import BenchRun
from pyspice_cim.characterization.plans.costs import Costs
from pyspice_cim.characterization.plans.plan import MAX_POINTS, Plan, Point, plan_points, point_count, started
from pyspice_cim.characterization.plans.quality import (
    Check,
    Interval,
    audit_checks,
    audit_points,
    audited,
    held_out_points,
    interpolation_checks,
    refined,
)
from pyspice_cim.characterization.plans.registry import BENCHES
from pyspice_cim.characterization.spice.simulation import Bench, Measurement
from pyspice_cim.errors import TableError
from pyspice_cim.tables import SCHEMA, SCHEMA_VERSION, Table
from pyspice_cim.tables.contract import CONTRACT
from pyspice_cim.tables.quantity import scale_of, stored_name
from pyspice_cim.tables.table import CORNER_AXES
from pyspice_cim.technology import Technology, load_technology

_CORNER_UNITS = {"vdd": "V", "temperature_c": "degC"}


def characterize(
    plan: Plan, engine: Engine | None = None, *, load: Callable[[str], Technology] = load_technology
) -> Table:
    """Run ``plan`` stage by stage and return its table.

    A point that fails, or for which the budget had no time, is in the table with its reason. The stages are the grid
    with the points of ``plan.held_out``, the refinements of ``plan.refine``, and ``plan.audit``. What a stage finds
    stands in the table beside the quantity that it judges.

    Args:
        plan: what to run.
        engine: what runs it; by default one with all cores and the default cache.
        load: technology by the name that the plan gives.

    Raises:
        TechnologyError: if the plan asks for a technology or corner that does not exist.
        MissingDependencyError: if ngspice is not there.
    """
    runner = _Runner(plan, engine or Engine(), load(plan.technology))
    swept = _grid(runner, plan)
    for stage in (*plan.refine.rounds * (_refinement,), _audit):
        swept = stage(runner, swept)
    runner.costs.save()
    return _with_quality(swept.table, [check for _, checks in swept.held for check in checks], swept.audits)


@dataclass(frozen=True, kw_only=True)
class _Swept:
    """What the stages have found so far.

    Attributes:
        plan: the plan with the nodes that refinements have added.
        points, runs: points of the grid in the order of the table, and the result of each.
        table: table of the grid.
        held: held-out points: the interval that a midpoint halves, and the checks at the point.
        audits: number of an audited point along ``points``, and the checks at the point.
    """

    plan: Plan
    points: list[Point]
    runs: list[BenchRun]
    table: Table
    held: list[tuple[Interval | None, list[Check]]]
    audits: list[tuple[int, list[Check]]] = field(default_factory=list)


def _grid(runner: "_Runner", plan: Plan) -> _Swept:
    """Run the grid of ``plan`` and its held-out points."""
    points = plan_points(plan, runner.technology)
    runs = runner.run(points)
    table = assemble(plan, points, runs, origin=runner.origin)
    judged = list(held_out_points(plan))
    found = runner.run([point for point, _ in judged])
    held = [
        (interval, interpolation_checks(table, point, run))
        for (point, interval), run in zip(judged, found, strict=True)
    ]
    return _Swept(plan=plan, points=points, runs=runs, table=table, held=held)


def _refinement(runner: "_Runner", swept: _Swept) -> _Swept:
    """Add nodes where the interpolation is poor, and run them; the same result where there is no such place."""
    finer = refined(swept.plan, swept.held)
    wanted = sum(point_count(finer, bench) for bench in finer.benches)
    if finer == swept.plan:
        return swept
    if wanted > MAX_POINTS:
        stopped = f"stopped: the next grid would have {wanted:,} points, over {MAX_POINTS:,}"
        return replace(swept, table=Table(dataset=swept.table.dataset.assign_attrs(refinement=stopped)))
    return _grid(runner, finer)


def _audit(runner: "_Runner", swept: _Swept) -> _Swept:
    """Run some points again at tighter tolerances."""
    chosen = audit_points(swept.plan, swept.points, swept.runs)
    tight = runner.audit([swept.points[number] for number in chosen])
    audits = [
        (number, audit_checks(swept.points[number], swept.runs[number], run))
        for number, run in zip(chosen, tight, strict=True)
    ]
    return replace(swept, audits=audits)


class _Runner:
    """Runs points, each once.

    Attributes:
        origin: technology and ngspice, as the table's attributes are to say.
        known: key of a point to its result.
        costs: what points have cost, for the forecast of the next run.
    """

    def __init__(self, plan: Plan, engine: Engine, technology: Technology) -> None:
        self.plan, self.engine, self.technology = plan, engine, technology
        # Said before the first point: files of the technology may change, or go, while hours of decks run.
        self.origin = {
            "technology": technology.name,
            "technology_sha256": technology.sha256,
            "ngspice": engine.simulator.version,
        }
        if any(BENCHES[bench].samples for bench in plan.benches):
            self.origin["variation_sha256"] = technology.variation_sha256
        self.known: dict[tuple[object, ...], BenchRun] = {}
        self.costs = Costs.load(engine.cache)

    def run(self, points: list[Point]) -> list[BenchRun]:
        """The results of ``points``; those that were run before are not run again."""
        fresh = list({point.key: point for point in points if point.key not in self.known}.values())
        runs = self.engine.run([self._bench(point) for point in fresh])
        for point, run in zip(fresh, runs, strict=True):
            self.known[point.key] = run
            self.costs.add(self.technology.name, self.plan.kind_of(point.bench), run)
        return [self.known[point.key] for point in points]

    def audit(self, points: list[Point]) -> list[BenchRun]:
        """The results of ``points`` at tighter tolerances."""
        return self.engine.run([audited(self._bench(point)) for point in points])

    def _bench(self, point: Point) -> Bench:
        return started(self.plan, self.technology, point)


def assemble(plan: Plan, points: list[Point], runs: list[BenchRun], *, origin: Mapping[str, str]) -> Table:
    """The table of ``runs``, what became of every point of ``points``.

    Args:
        origin: ``technology``, ``technology_sha256``, ``ngspice`` and, where samples are drawn, ``variation_sha256``,
            as the table's attributes are to say.
    """
    measured = [run.measurements for run in runs]
    corners = {"process": plan.corners.process, "vdd": plan.corners.vdd, "temperature_c": plan.corners.temperature_c}
    coords = {axis: xr.Variable((axis,), np.array(values)) for axis, values in corners.items()}
    variables: dict[str, xr.Variable] = {}
    for bench in plan.benches:
        axes = [stored_name(bench, axis) for axis in BENCHES[bench].axes]
        coords |= {
            name: xr.Variable((name,), np.array(plan.benches[bench].axes[axis]), {"long_name": meaning})
            for name, (axis, meaning) in zip(axes, BENCHES[bench].axes.items(), strict=True)
        }
        dims = (*CORNER_AXES, *axes)
        sizes = (len(plan.benches[bench].axes[axis]) for axis in BENCHES[bench].axes)
        shape = (*(len(values) for values in corners.values()), *sizes)
        index = np.full(shape, -1)
        for number, point in enumerate(points):
            if point.bench == bench:
                index[point.index] = number
        variables[f"{bench}_point"] = xr.Variable(dims, index, {"long_name": "index along point"})
    shapes = _prototypes(measured)
    for point, results in zip(points, measured, strict=True):
        for result in results:
            if result.name not in variables:
                known, like = variables[f"{point.bench}_point"], shapes[result.name]
                own = _own_axes(point.bench, like)
                if own is None:
                    continue
                attributes = {"units": like.unit, "long_name": like.description, "bench": point.bench}
                attributes |= {"interpolation": like.scale} if like.scale else {}
                empty = np.full(known.shape + tuple(axis.size for axis in own.values()), np.nan)
                variables[result.name] = xr.Variable((*known.dims, *own), empty, attributes)
                for stored, axis in own.items():
                    # Own axes belong to their bench: two benches may both have a component.
                    if not coords.setdefault(stored, axis).equals(axis):
                        raise TableError(f"{result.name} has other labels along {stored} than another quantity")
            if result.value is not None:
                variables[result.name].values[point.index] = result.value
    variables |= {
        f"point_{what}": xr.Variable(("point",), np.array(values, dtype=np.str_))
        for what, values in {
            "bench": [point.bench for point in points],
            "status": [_status(run) for run in runs],
            "reason": [run.reason or _reasons(run.measurements) for run in runs],
            "rung": [" ".join(run.retries) for run in runs],
            "decks": [" ".join(dict.fromkeys(d for m in results for d in m.decks)) for results in measured],
        }.items()
    }
    provenance: dict[str, str | int] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        **origin,
        "plan": plan.name,
        "plan_sha256": plan.sha256,
        "plan_text": plan.text,
        "package": f"pyspice_cim {__version__}",
    }
    dataset = xr.Dataset(variables, coords=coords, attrs=provenance)
    for name in dataset.data_vars:
        array = dataset[name]
        if "units" in array.attrs and array.attrs.get("interpolation", scale_of(array.attrs["units"])) == "log":
            # A confidence bound may lie at minus infinity, which has no logarithm either.
            known = array.values[~np.isnan(array.values)]
            array.attrs["interpolation"] = "log" if known.size and known.min() > 0 else "linear"
    for corner_axis, unit in _CORNER_UNITS.items():
        dataset[corner_axis].attrs["units"] = unit
    return Table(dataset=dataset)


def _own_axes(bench: str, measured: Measurement) -> dict[str, xr.Variable] | None:
    """Stored name of each own axis of ``measured`` to its labels; ``short_name`` is what users see.

    ``None`` if nobody knows the labels, because no point has a value: then the points have the reasons.
    """
    found = CONTRACT.find(measured.name)
    declared = {axis.name: axis for axis in found[1].own} if found else {}
    axes = {}
    # A failed measurement need not know its axes.
    for dim in measured.dims if measured.value is not None else measured.dims or declared:
        labels = measured.labels.get(dim) or (declared[dim].labels if dim in declared else None)
        if labels is None:
            return None
        unit = declared[dim].unit if dim in declared else ""
        name = stored_name(bench, dim)
        axes[name] = xr.Variable((name,), np.array(labels), {"short_name": dim} | ({"units": unit} if unit else {}))
    return axes


def _status(run: BenchRun) -> str:
    if run.status != "done":
        return run.status
    return "ok" if all(measurement.ok for measurement in run.measurements) else "failed"


def _with_quality(table: Table, held: list[Check], audits: list[tuple[int, list[Check]]]) -> Table:
    """``table`` with its held-out points and audits, and with their largest errors on every quantity."""
    dataset = table.dataset.copy()
    numbered = [(number, check) for number, checks in audits for check in checks]
    for attribute, checks in (("interpolation_error", held), ("numerical_error", [check for _, check in numbered])):
        for check in checks:
            # The attribute is the largest error that is known; those that are not known stand beside it with their reasons.
            if np.isfinite(check.error):
                attributes = dataset[check.quantity].attrs
                attributes[attribute] = max(attributes.get(attribute, 0.0), check.error)
    for dim, checks in (("held_out", held), ("audit", [check for _, check in numbered])):
        if checks:
            dataset = dataset.assign(
                {
                    f"{dim}_{what}": xr.Variable((dim,), np.array(values))
                    for what, values in {
                        "bench": [check.point.bench for check in checks],
                        "coordinates": [json.dumps(check.point.place) for check in checks],
                        "quantity": [check.quantity for check in checks],
                        "expected": [check.expected for check in checks],
                        "found": [check.found for check in checks],
                        "error": [check.error for check in checks],
                        "decks": [" ".join(check.decks) for check in checks],
                        **({"reason": [check.reason for check in checks]} if any(c.reason for c in checks) else {}),
                    }.items()
                }
            )
    if numbered:
        dataset = dataset.assign(audit_point=xr.Variable(("audit",), np.array([number for number, _ in numbered])))
    return replace(table, dataset=dataset)


def _prototypes(measured: list[list[Measurement]]) -> dict[str, Measurement]:
    """For every quantity a measurement that knows its axes: a failed one may not."""
    found: dict[str, Measurement] = {}
    for results in measured:
        for result in results:
            if result.name not in found or (found[result.name].value is None and result.value is not None):
                found[result.name] = result
    return found


def _reasons(results: list[Measurement]) -> str:
    by_reason: dict[str, list[str]] = {}
    for result in results:
        if not result.ok:
            by_reason.setdefault(result.reason or "no reason given", []).append(result.name)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
