"""From a plan to a table: run every point, put every measurement in its place, say what failed and why."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from pyspice_cim import __version__
from pyspice_cim.characterization.benches import BENCHES
from pyspice_cim.characterization.engine import Engine
from pyspice_cim.characterization.plan import Plan, Point, plan_points
from pyspice_cim.characterization.simulation import Measurement
from pyspice_cim.tables import SCHEMA, SCHEMA_VERSION, Table
from pyspice_cim.tables.table import CORNER_AXES
from pyspice_cim.technology import Technology, load_technology

_AXIS_UNITS = {"vdd": "V", "temperature_c": "degC", "line_load": "F"}


def characterize(
    plan: Plan, engine: Engine | None = None, *, load: Callable[[str], Technology] = load_technology
) -> Table:
    """Run ``plan`` and return its table. Points that fail are in it, with their reasons.

    Raises:
        TechnologyError: if the plan asks for a technology or corner that there is not.
        MissingDependencyError: if ngspice is not there.
    """
    engine = engine or Engine()
    technology = load(plan.technology)
    points = plan_points(plan, technology)
    benches = [BENCHES[p.bench].start(technology, p.corner, p.coordinates) for p in points]
    measured = engine.run(benches)
    return assemble(plan, technology, points, measured, ngspice=engine.simulator.version)


def assemble(
    plan: Plan, technology: Technology, points: list[Point], measured: list[list[Measurement]], *, ngspice: str
) -> Table:
    """The table of ``measured``, the measurements of every point of ``points``."""
    corners = {"process": plan.corners.process, "vdd": plan.corners.vdd, "temperature_c": plan.corners.temperature_c}
    coords: dict[str, object] = {axis: np.array(values) for axis, values in corners.items()}
    variables: dict[str, xr.Variable] = {}
    for bench in plan.benches:
        axes = [f"{bench}_{axis}" for axis in BENCHES[bench].axes]
        coords |= {
            f"{bench}_{axis}": ((f"{bench}_{axis}",), np.array(plan.benches[bench][axis]), {"long_name": meaning})
            for axis, meaning in BENCHES[bench].axes.items()
        }
        dims = (*CORNER_AXES, *axes)
        sizes = (len(plan.benches[bench][axis]) for axis in BENCHES[bench].axes)
        shape = (*(len(values) for values in corners.values()), *sizes)
        index = np.full(shape, -1)
        for number, point in enumerate(points):
            if point.bench == bench:
                index[_place(plan, point)] = number
        variables[f"{bench}_point"] = xr.Variable(dims, index, {"long_name": "index along point"})
    shapes = _prototypes(measured)
    for point, results in zip(points, measured, strict=True):
        for result in results:
            if result.name not in variables:
                known, like = variables[f"{point.bench}_point"], shapes[result.name]
                own = tuple(len(like.labels[dim]) for dim in like.dims)
                attributes = {"units": like.unit, "long_name": like.description, "bench": point.bench}
                empty = np.full(known.shape + own, np.nan)
                variables[result.name] = xr.Variable((*known.dims, *like.dims), empty, attributes)
                coords |= {dim: np.array(like.labels[dim]) for dim in like.dims}
            if result.value is not None:
                variables[result.name].values[_place(plan, point)] = result.value
    variables |= {
        f"point_{what}": xr.Variable(("point",), np.array(values, dtype=np.str_))
        for what, values in {
            "bench": [point.bench for point in points],
            "status": ["ok" if all(m.ok for m in results) else "failed" for results in measured],
            "reason": [_reasons(results) for results in measured],
            "decks": [" ".join(dict.fromkeys(d for m in results for d in m.decks)) for results in measured],
        }.items()
    }
    provenance: dict[str, str | int] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "technology": technology.name,
        "technology_sha256": technology.sha256,
        "plan": plan.name,
        "plan_sha256": plan.sha256,
        "plan_text": plan.text,
        "package": f"pyspice_cim {__version__}",
        "ngspice": ngspice,
    }
    dataset = xr.Dataset(variables, coords=coords, attrs=provenance)
    for axis, unit in _AXIS_UNITS.items():
        if axis in dataset.coords:
            dataset[axis].attrs["units"] = unit
    return Table(dataset=dataset)


def _prototypes(measured: list[list[Measurement]]) -> dict[str, Measurement]:
    """For every quantity a measurement that knows its axes: a failed one may not."""
    found: dict[str, Measurement] = {}
    for results in measured:
        for result in results:
            if result.name not in found or (found[result.name].value is None and result.value is not None):
                found[result.name] = result
    return found


def _place(plan: Plan, point: Point) -> tuple[int, ...]:
    """Index of ``point`` in the arrays of its bench."""
    corner, axes = point.corner, plan.benches[point.bench]
    return (
        plan.corners.process.index(corner.process),
        plan.corners.vdd.index(corner.vdd),
        plan.corners.temperature_c.index(corner.temperature_c),
        *(axes[axis].index(point.coordinates[axis]) for axis in BENCHES[point.bench].axes),
    )


def _reasons(results: list[Measurement]) -> str:
    by_reason: dict[str, list[str]] = {}
    for result in results:
        if not result.ok:
            by_reason.setdefault(result.reason or "no reason given", []).append(result.name)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
