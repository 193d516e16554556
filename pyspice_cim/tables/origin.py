"""Where a looked-up value comes from: the nodes that it is interpolated between, their weights, and the points behind them.

    f(value) = sum over nodes of  weight * f(value at the node)      f: function of the scale, ``lookup.SCALES``
    weight   = product over axes of  1 - |at - node| / step          at, node, step: on the axis

The weights of a value add up to 1. On the scale ``log`` the axis is -1/T or a logarithm, as in ``lookup.neighbours``.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pyspice_cim.errors import OutsideTableError, TableError
from pyspice_cim.tables.lookup import Lookup, labelled, neighbours
from pyspice_cim.tables.table import Table, axis_name


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """A node of a table with a share in a looked-up value.

    Attributes:
        weight: share of the node, 0 to 1.
        place: axis to coordinate of the node.
        value: stored value; NaN where nothing was measured.
        point: index of the simulated point along ``point``.
        status, reason: what became of the point, and why.
        rung: names of the convergence retries that helped, ``""`` for none.
        decks: hashes of the ngspice decks behind the point.
    """

    weight: float
    place: dict[str, float | str]
    value: NDArray[np.float64]
    point: int
    status: str
    reason: str
    rung: str
    decks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Origin:
    """A looked-up value and its origin.

    Attributes:
        quantity, unit, description, bench: name, SI unit, meaning and bench of the quantity.
        value: array over ``labels``; ``None`` if a node that is needed has no value.
        reason: why there is no value.
        labels: own axis without a chosen label to all its labels.
        chosen: own axis to the chosen label.
        interpolation: key of ``lookup.SCALES``.
        nodes: nodes with a share.
    """

    quantity: str
    unit: str
    description: str
    bench: str
    value: NDArray[np.float64] | None
    reason: str
    labels: dict[str, tuple[str, ...]]
    chosen: dict[str, str]
    interpolation: str
    nodes: tuple[Node, ...]


def origin(
    table: Table, name: str, *, process: str = "tt", labels: Mapping[str, str] | None = None, **coordinates: float
) -> Origin:
    """The value of ``name`` that ``Lookup`` gives, with the nodes behind it.

    Args:
        table: the table.
        name: quantity.
        process: process corner.
        labels: own axis of the quantity (``component``, ``event``) to the label that is wanted; all labels otherwise.
        coordinates: value along every numeric axis; an axis with a single node may be left out.

    Raises:
        TableError: for an unknown quantity, process, axis or label.
        OutsideTableError: outside the range.
    """
    array = table.quantity(name)
    process_known = [str(each) for each in array["process"].values]
    if process not in process_known:
        raise TableError(f"table {table.source} has no process corner {process!r}; it has {', '.join(process_known)}")
    chosen = {axis_name(array, axis): label for axis, label in (labels or {}).items()}
    given = {axis_name(array, axis): value for axis, value in coordinates.items()}
    numeric = [str(dim) for dim in array.dims if array[dim].dtype.kind in "if"]
    for axis in numeric:
        if array[axis].size == 1:
            given.setdefault(axis, float(array[axis].values[0]))
    if set(given) != set(numeric):
        several = [axis for axis in numeric if axis not in given]
        told = [f"{axis} ({', '.join(f'{node:g}' for node in array[axis].values)})" for axis in several]
        other = [axis for axis in given if axis not in numeric]
        raise TableError(
            f"{name}: "
            + "; ".join(["give " + ", ".join(told)] * bool(told) + [f"{axis} is no number" for axis in other])
        )
    here = labelled(array.sel(process=process), chosen)
    try:
        value = Lookup(table)(name, process=process, labels=chosen, **given)
        reason = ""
    except OutsideTableError:
        raise
    except TableError as error:
        value, reason = None, str(error)
    own = {str(dim): tuple(str(each) for each in here[dim].values) for dim in here.dims if str(dim) not in numeric}
    attributes = array.attrs
    return Origin(
        quantity=name,
        unit=str(attributes["units"]),
        description=str(attributes.get("long_name", "")),
        bench=str(attributes["bench"]),
        value=value,
        reason=reason,
        labels=own,
        chosen=chosen,
        interpolation=str(attributes.get("interpolation", "linear")),
        nodes=tuple(
            _node(table, str(attributes["bench"]), here, process, index, numeric, weight)
            for index, weight in _weights(here, numeric, given)
        ),
    )


def _weights(array: xr.DataArray, axes: list[str], at: Mapping[str, float]) -> list[tuple[tuple[int, ...], float]]:
    """Index along ``axes`` and weight of every node with a share."""
    logarithmic = array.attrs.get("interpolation") == "log"
    shares: list[list[tuple[int, float]]] = []
    for axis in axes:
        found = neighbours(axis, array[axis].to_numpy().astype(float), np.array(at[axis]), logarithmic=logarithmic)
        both = (int(found.below), 1 - float(found.share)), (int(found.above), float(found.share))
        shares.append([(index, share) for index, share in both if share > 0])
    return [
        (tuple(index for index, _ in corner), float(np.prod([share for _, share in corner])))
        for corner in itertools.product(*shares)
    ]


def _node(
    table: Table, bench: str, array: xr.DataArray, process: str, index: tuple[int, ...], axes: list[str], weight: float
) -> Node:
    chosen = dict(zip(axes, index, strict=True))
    points = table.dataset[f"{bench}_point"].sel(process=process)
    number = int(points.isel({axis: at for axis, at in chosen.items() if axis in points.dims}).values)
    found = {
        what: str(table.dataset[f"point_{what}"].values[number]) if f"point_{what}" in table.dataset else ""
        for what in ("status", "reason", "rung", "decks")
    }
    place: dict[str, float | str] = {"process": process}
    place |= {axis: array[axis].values[at].item() for axis, at in chosen.items()}
    return Node(
        weight=weight,
        place=place,
        value=array.isel(chosen).to_numpy(),
        point=number,
        status=found["status"],
        reason=found["reason"],
        rung=found["rung"],
        decks=tuple(found["decks"].split()),
    )
