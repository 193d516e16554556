"""Two tables held against each other: axes, quantities, values, points."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pyspice_cim.tables.summary import place_text, places
from pyspice_cim.tables.table import ATTRIBUTES, Table


@dataclass(frozen=True, kw_only=True)
class TableDifference:
    """What two tables do not share.

    Attributes:
        provenance: attribute to its two values, where the values differ. A different provenance alone makes no table differ.
        axes: axis to two lists: the nodes that only the first table has, and those that only the second has.
        quantities: quantities that only the first table has, and those that only the second has.
        units: quantity to its two units, where the units differ.
        values: quantity to a mapping. ``largest``: largest relative difference, infinite where one value is infinite.
            ``where``: place of that difference. ``values``: the two values there. ``beyond``: number of values that differ
            by more than the tolerance. ``measured_in_one``: number of values that one table alone has.
        points: points that ended differently: ``bench``, ``place``, and the two ``status``.
    """

    provenance: dict[str, tuple[str, str]]
    axes: dict[str, tuple[list[Any], list[Any]]]
    quantities: tuple[list[str], list[str]]
    units: dict[str, tuple[str, str]]
    values: dict[str, dict[str, Any]]
    points: list[dict[str, Any]]

    @property
    def same(self) -> bool:
        """Whether the tables say the same, within the tolerance."""
        differing = any(found["beyond"] or found["measured_in_one"] for found in self.values.values())
        return not (self.axes or any(self.quantities) or self.units or self.points or differing)


def difference(a: Table, b: Table, *, rtol: float = 0.0) -> TableDifference:
    """The difference of ``a`` and ``b`` at the nodes that both have.

    Two values differ if |a - b| > rtol * max(|a|, |b|). Values that neither table has are equal. An infinite value (a write
    that never ends) equals only an infinite value of the same sign.

    Args:
        a, b: the tables.
        rtol: relative tolerance.
    """
    first, second = a.dataset, b.dataset
    both = [name for name in a.quantities if name in b.quantities]
    units = {name: (str(a.quantity(name).attrs["units"]), str(b.quantity(name).attrs["units"])) for name in both}
    axes = {str(dim) for name in a.quantities for dim in first[name].dims}
    axes |= {str(dim) for name in b.quantities for dim in second[name].dims}
    nodes = {
        axis: tuple(_only(*pair) for pair in ((first, second, axis), (second, first, axis))) for axis in sorted(axes)
    }
    compared = {
        name: _values(a.quantity(name), b.quantity(name), rtol)
        for name in both
        if set(a.quantity(name).dims) == set(b.quantity(name).dims)
    }
    return TableDifference(
        provenance={
            name: (str(first.attrs[name]), str(second.attrs[name]))
            for name in ATTRIBUTES
            if name != "plan_text" and first.attrs[name] != second.attrs[name]
        },
        axes={_shown(axis, a, b): (left, right) for axis, (left, right) in nodes.items() if left or right},
        quantities=(
            [name for name in a.quantities if name not in compared],
            [name for name in b.quantities if name not in compared],
        ),
        units={name: pair for name, pair in units.items() if pair[0] != pair[1]},
        values=compared,
        points=_points(a, b),
    )


def _shown(axis: str, *tables: Table) -> str:
    """The name of a stored ``axis`` that users see: the short one, unless a table has several axes of that name."""
    names = {table.shown_axes[axis] for table in tables if axis in table.shown_axes}
    return names.pop() if len(names) == 1 else axis


def _only(one: xr.Dataset, other: xr.Dataset, axis: str) -> list[Any]:
    here, there = (data[axis].values.tolist() if axis in data.coords else [] for data in (one, other))
    return [node for node in here if node not in there]


def _values(a: xr.DataArray, b: xr.DataArray, rtol: float) -> dict[str, Any]:
    left, right = xr.align(a, b.transpose(*a.dims), join="inner")
    x, y = left.to_numpy(), right.to_numpy()
    known = ~np.isnan(x) & ~np.isnan(y)
    finite = np.isfinite(x) & np.isfinite(y)
    scale = np.maximum(np.abs(x), np.abs(y))
    with np.errstate(invalid="ignore", over="ignore"):
        # Infinite less infinite is no number, and not used.
        relative = np.where(finite, np.abs(x - y) / np.where(scale > 0, scale, 1.0), np.inf)
    relative = np.where(known & (x != y), relative, 0.0)
    found: dict[str, Any] = {
        "largest": 0.0,
        "where": {},
        "values": (),
        "beyond": int((relative > rtol).sum()),
        "measured_in_one": int((np.isnan(x) != np.isnan(y)).sum()),
    }
    if relative.any():
        at = np.unravel_index(int(relative.argmax()), relative.shape)
        found["largest"] = float(relative[at])
        found["where"] = {str(dim): left[dim].values[i].item() for dim, i in zip(left.dims, at, strict=True)}
        found["values"] = (float(x[at]), float(y[at]))
    return found


def _points(a: Table, b: Table) -> list[dict[str, Any]]:
    """Points of both tables whose status differs."""
    first, second = _ended(a), _ended(b)
    return [
        {"bench": bench, "place": place, "status": (first[bench, place], second[bench, place])}
        for bench, place in first
        if (bench, place) in second and first[bench, place] != second[bench, place]
    ]


def _ended(table: Table) -> dict[tuple[str, str], str]:
    """(bench, place in words) of every point to its status."""
    benches, status = (table.dataset[f"point_{what}"].values.tolist() for what in ("bench", "status"))
    return {
        (bench, place_text(place, bench)): state
        for bench, place, state in zip(benches, places(table), status, strict=True)
    }
