"""What is in a table, in short, as plain data."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pyspice_cim.tables.table import ATTRIBUTES, Table

_ERRORS = ("numerical_error", "interpolation_error", "interpolation")


def summary(table: Table) -> dict[str, Any]:
    """Provenance, axes, quantities, points, failures, audit and held-out points of ``table``, as plain data.

    Returns:
        ``axes``: name to ``unit``, ``meaning``, ``values``. ``quantities``: name to ``unit``, ``meaning``, ``bench``,
        ``shape`` (axis to size), ``lowest``, ``highest``, ``values`` (number of values), ``measured`` (number of finite
        values), and the known errors. ``points``: bench to ``points`` (number of points), numbers by status, and ``rungs``
        (convergence retry to number of points that it helped). ``failures``, ``audit``, ``held_out``: as the functions of
        these names return. ``refinement``: why the refinement stopped early, or ``""``.
    """
    dataset = table.dataset
    kept = [name for name in ATTRIBUTES if name != "plan_text"]
    used = {str(dim) for name in table.quantities for dim in dataset[name].dims}
    shown = table.shown_axes
    return {
        "source": table.source,
        "sha256": table.sha256,
        **{name: str(dataset.attrs[name]) for name in kept},
        "axes": {
            shown[str(name)]: {
                "unit": str(axis.attrs.get("units", "")),
                "meaning": str(axis.attrs.get("long_name", "")),
                "values": axis.values.tolist(),
            }
            for name, axis in dataset.coords.items()
            if str(name) in used
        },
        "quantities": {name: _quantity(table.dataset[name], shown) for name in table.quantities},
        "points": _points(table),
        "failures": failures(table),
        "audit": audit(table),
        "held_out": held_out(table),
        "refinement": str(dataset.attrs.get("refinement", "")),
    }


def _quantity(array: xr.DataArray, shown: Mapping[str, str]) -> dict[str, Any]:
    good = array.values[np.isfinite(array.values)]
    return {
        "unit": str(array.attrs["units"]),
        "meaning": str(array.attrs.get("long_name", "")),
        "bench": str(array.attrs.get("bench", "")),
        "shape": {shown.get(str(dim), str(dim)): int(size) for dim, size in zip(array.dims, array.shape, strict=True)},
        "lowest": float(good.min()) if good.size else None,
        "highest": float(good.max()) if good.size else None,
        "values": int(array.size),
        "measured": int(good.size),
        **{what: _plain(array.attrs[what]) for what in _ERRORS if what in array.attrs},
    }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _points(table: Table) -> dict[str, dict[str, Any]]:
    dataset = table.dataset
    bench, status = (dataset[f"point_{what}"].values.astype(str) for what in ("bench", "status"))
    rung = dataset["point_rung"].values.astype(str) if "point_rung" in dataset else np.full(bench.shape, "")
    return {
        name: {
            "points": int((bench == name).sum()),
            **{state: int(count) for state, count in sorted(Counter(status[bench == name].tolist()).items())},
            "rungs": dict(sorted(Counter(" ".join(rung[bench == name].tolist()).split()).items())),
        }
        for name in dict.fromkeys(bench.tolist())
    }


def places(table: Table) -> list[dict[str, float | str]]:
    """Axis to coordinate of every point, in the order of the points; empty for a point without a node in the table."""
    found: list[dict[str, float | str]] = [{} for _ in range(table.dataset.sizes["point"])]
    for bench in dict.fromkeys(table.dataset["point_bench"].values.tolist()):
        index = table.dataset[f"{bench}_point"]
        axes = {str(axis): index[axis].values.tolist() for axis in index.dims}
        for where, number in np.ndenumerate(index.values):
            if number >= 0:
                found[int(number)] = {axis: nodes[at] for (axis, nodes), at in zip(axes.items(), where, strict=True)}
    return found


def place_text(where: Mapping[str, Any], bench: str = "") -> str:
    """A place in words, e.g. ``tt, vdd 1.1, temperature_c 27, rows 16``."""
    return ", ".join(
        f"{value}"
        if axis == "process"
        else f"{axis.removeprefix(f'{bench}_')} {value:g}"
        if isinstance(value, int | float)
        else f"{axis} {value}"
        for axis, value in where.items()
    )


def failures(table: Table) -> list[dict[str, Any]]:
    """``bench``, ``place``, ``status``, ``reason`` of every point whose status is not ``ok``."""
    dataset, place = table.dataset, places(table)
    return [
        {
            "bench": str(dataset["point_bench"].values[number]),
            "place": place[number],
            "status": str(dataset["point_status"].values[number]),
            "reason": str(dataset["point_reason"].values[number]),
        }
        for number in np.flatnonzero(dataset["point_status"].values.astype(str) != "ok")
    ]


def audit(table: Table) -> dict[str, dict[str, Any]]:
    """What simulations at tighter tolerances say, by quantity.

    Returns:
        ``points``: number of points. ``largest``: largest known relative error, ``None`` if no error is known. ``where``:
        its place. ``unknown``: number of points without an error. ``reasons``: why these points have none.
    """
    return _checked(table, "audit")


def held_out(table: Table) -> dict[str, dict[str, Any]]:
    """What simulations between the nodes say of look-ups, by quantity.

    Returns:
        As ``audit``; the error is the relative error of the look-up.
    """
    return _checked(table, "held_out")


def _checked(table: Table, kind: str) -> dict[str, dict[str, Any]]:
    dataset = table.dataset
    if f"{kind}_quantity" not in dataset:
        return {}
    quantity, error, place_of = (dataset[f"{kind}_{what}"].values for what in ("quantity", "error", "coordinates"))
    reason = dataset[f"{kind}_reason"].values if f"{kind}_reason" in dataset else None
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(quantity.tolist()):
        here = np.flatnonzero(quantity == name)
        known = here[np.isfinite(error[here])]
        worst = known[error[known].argmax()] if known.size else None
        found[str(name)] = {
            "points": int(here.size),
            "largest": None if worst is None else float(error[worst]),
            "where": {} if worst is None else json.loads(str(place_of[worst])),
            "unknown": int(here.size - known.size),
            "reasons": [] if reason is None else [str(each) for each in dict.fromkeys(reason[here].tolist()) if each],
        }
    return found
