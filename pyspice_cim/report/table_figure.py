"""Figure: a quantity of a table against one of its axes, one curve per process corner or label."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, NullLocator

from pyspice_cim.errors import TableError
from pyspice_cim.report.style import figure
from pyspice_cim.tables import Table
from pyspice_cim.tables.table import axis_name

# A larger span of a quantity, or of an axis, is drawn on a logarithmic scale.
_DECADES, _OCTAVES = 30.0, 8.0
# The colours of the style repeat after eight curves.
_COLOURS, _MARKERS, _STYLES = 8, "osD^v", ("-", "--", ":")
_MEANINGS = {"vdd": "supply voltage", "temperature_c": "temperature"}
_SHOWN_UNITS = {"degC": "°C", "1": ""}


def draw_table(
    table: Table,
    name: str,
    path: str | Path,
    *,
    against: str,
    processes: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    **conditions: float,
) -> None:
    """Draw the stored values of a quantity to ``path``; nothing is interpolated.

    Args:
        table: table that holds the quantity.
        name: name of the quantity.
        path: file to write; its suffix chooses the format.
        against: numeric axis of the picture; values are drawn at its nodes.
        processes: corners to draw; none given: all.
        labels: label to draw, by text axis. A text axis without a label has one curve per label, at a single corner.
        conditions: node of every other numeric axis that has more than one node.

    Raises:
        TableError: if a quantity, axis, corner or label is unknown, or a value is no node.
    """
    array = table.quantity(name)
    x_axis = axis_name(array, against)
    if array[x_axis].dtype.kind not in "if":
        raise TableError(
            f"{name}: {x_axis} has labels, no numbers; draw it against one of {', '.join(_numeric(array))}"
        )
    here, fixed = _chosen(array, x_axis, processes, labels or {}, conditions)
    lines = _lines(here, x_axis)
    with figure(path, 6.4, 4.0) as drawn:
        axes = drawn.subplots()
        x = here[x_axis].to_numpy().astype(np.float64)
        for number, (label, values) in enumerate(lines.items()):
            # Curves may lie on each other: markers differ, and become smaller, so that all are visible.
            marker, size = _MARKERS[number % len(_MARKERS)], max(3.0, 7.0 - 1.5 * number)
            dashes = _STYLES[number // _COLOURS % len(_STYLES)]
            axes.plot(x, values, marker=marker, markersize=size, linestyle=dashes, label=_plain(label))
        _scaled(axes, x, np.stack(list(lines.values())), array[x_axis], str(array.attrs["units"]))
        missing = sum(int(np.isnan(values).sum()) for values in lines.values())
        where = ", ".join([*fixed, f"{missing} points without a value"] if missing else fixed)
        title = f"{_words(name)}, {table.technology}"
        axes.set_title(_plain(f"{title}\n{where}" if where else title))
        if len(lines) > 1:
            # Beside the curves, never on them.
            axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def _chosen(
    array: xr.DataArray,
    x_axis: str,
    processes: Sequence[str],
    labels: Mapping[str, str],
    conditions: Mapping[str, float],
) -> tuple[xr.DataArray, list[str]]:
    """``array`` reduced to ``x_axis`` and at most two text axes, and the fixed place in words."""
    for process in processes:
        _index(array, "process", process)
    fixed: list[str] = []
    given: dict[str, float | str] = {**labels, **conditions}
    wanted = {axis_name(array, axis): value for axis, value in given.items()}
    if x_axis in wanted:
        raise TableError(f"{array.name} is drawn against {x_axis}, which is also fixed; leave one out")
    here = array.sel(process=list(processes)) if processes else array
    for axis in (str(dim) for dim in here.dims):
        if axis == x_axis:
            continue
        if axis in wanted:
            index = _index(here, axis, wanted[axis])
        elif here[axis].size == 1:
            index = 0
        elif axis in _numeric(array):
            nodes = ", ".join(f"{node:g}" for node in here[axis].values)
            raise TableError(f"{array.name}: {axis} has the nodes {nodes}; choose one with --at {axis}=NODE")
        else:
            continue
        fixed.append(_place(here[axis], index))
        here = here.isel({axis: index})
    return here, fixed


def _lines(here: xr.DataArray, x_axis: str) -> dict[str, np.ndarray]:
    others = [str(dim) for dim in here.dims if dim != x_axis]
    if len(others) > 1:
        told = "; ".join(f"{axis}: {', '.join(str(each) for each in here[axis].values)}" for axis in others)
        raise TableError(
            f"{here.name} has lines along {' and '.join(others)} at once; choose with --process or --label axis=label ({told})"
        )
    if not others:
        return {"": here.to_numpy()}
    (axis,) = others
    return {str(each): here.isel({axis: n}).to_numpy() for n, each in enumerate(here[axis].values)}


def _index(array: xr.DataArray, axis: str, wanted: float | str) -> int:
    nodes = array[axis].values.tolist()
    if wanted not in nodes:
        raise TableError(f"{array.name}: {axis} has no node {wanted}; it has {', '.join(str(node) for node in nodes)}")
    return nodes.index(wanted)


def _numeric(array: xr.DataArray) -> list[str]:
    return [str(dim) for dim in array.dims if array[dim].dtype.kind in "if"]


def _plain(text: str) -> str:
    """``text`` without formulas: matplotlib would read two dollars in a label as a formula."""
    return text.replace("$", r"\$")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _place(axis: xr.DataArray, index: int) -> str:
    value = axis.values[index]
    if axis.dtype.kind not in "if":
        return str(value) if axis.name == "process" else f"{_words(str(axis.name))} {value}"
    unit = _SHOWN_UNITS.get(str(axis.attrs.get("units", "")), str(axis.attrs.get("units", "")))
    text = EngFormatter(unit=unit)(value) if unit in ("F", "s") else f"{value:g} {unit}".strip()
    return text if unit else f"{_words(str(axis.name))} {text}"


def _scaled(axes: Axes, x: np.ndarray, values: np.ndarray, axis: xr.DataArray, unit: str) -> None:
    good = values[np.isfinite(values)]
    if good.size and good.min() > 0 and good.max() / good.min() > _DECADES:
        axes.set_yscale("log")
    axes.yaxis.set_major_formatter(EngFormatter(unit=_plain(_SHOWN_UNITS.get(unit, unit))))
    if x.size > 2 and x[0] > 0 and x[-1] / x[0] >= _OCTAVES:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_minor_locator(NullLocator())
    x_unit = str(axis.attrs.get("units", ""))
    if x_unit in ("F", "s"):
        axes.xaxis.set_major_formatter(EngFormatter(unit=x_unit))
        axes.set_xticks(x, [EngFormatter(unit=x_unit, sep="\N{THIN SPACE}")(each) for each in x], fontsize=7)
    else:
        axes.set_xticks(x, [f"{each:g}" for each in x])
    meaning = _MEANINGS.get(str(axis.name)) or str(axis.attrs.get("long_name", "")) or _words(str(axis.name))
    shown = _SHOWN_UNITS.get(x_unit, x_unit)
    axes.set_xlabel(_plain(f"{meaning} ({shown})" if shown and x_unit not in ("F", "s") else meaning))
