"""Look-up: vectorised multilinear interpolation, exact at the nodes, with a stated policy outside the range."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RegularGridInterpolator

from pyspice_cim.errors import ConfigError, OutsideTableError, TableError
from pyspice_cim.tables.table import Table
from pyspice_cim.units import celsius_to_kelvin

Policy = Literal["raise", "clip"]


def abscissa(axis: str, nodes: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Along what a logarithm is interpolated: -1/T over ``temperature_c``, else ln of the axis where its nodes are positive."""
    if axis == "temperature_c":
        return -1 / (at + celsius_to_kelvin(0))
    return np.log(at) if nodes[0] > 0 else at


class Lookup:
    """Reads quantities of a table.

    Args:
        table: the table.
        outside: ``"raise"``, or ``"clip"``: take the nearest value inside the range and count it in ``clipped``.
    """

    def __init__(self, table: Table, *, outside: Policy = "raise") -> None:
        if outside not in ("raise", "clip"):
            raise ConfigError(f"outside = {outside!r} is no policy; choose raise or clip")
        self.table = table
        self.outside = outside
        self.clipped = 0

    def __call__(self, name: str, *, process: str = "tt", **coordinates: ArrayLike) -> NDArray[np.float64]:
        """Quantity ``name`` at ``coordinates``.

        Linear between neighbouring nodes of every axis; equal to the stored value at a node. Where the attribute
        ``interpolation`` says ``log`` (positive delays and powers), the value's logarithm is linear in 1/T over temperature,
        as a current below threshold is, and in the axis's logarithm elsewhere, as a power law is.

        Args:
            name: quantity.
            process: process corner; corners are not interpolated.
            coordinates: one value or array for every numeric axis of the quantity (``vdd`` in V, ``temperature_c``,
                ``column_rows``, ...); they broadcast.

        Returns:
            Array of the broadcast shape, followed by the quantity's own axes (``component``, ``event``, ...).

        Raises:
            TableError: for an unknown quantity, process or axis, or where a node that is needed failed to be measured.
            OutsideTableError: outside the range, under the policy ``raise``.
        """
        array = self.table.quantity(name)
        source = self.table.source
        if process not in array["process"].values:
            known = ", ".join(str(p) for p in array["process"].values)
            raise TableError(f"table {source} has no process corner {process!r}; it has {known}")
        array = array.sel(process=process)
        # Axes of text (component, event, line) are the quantity's own; the numeric ones are asked for.
        axes = [str(dim) for dim in array.dims if array[dim].dtype.kind in "if"]
        own = [str(dim) for dim in array.dims if str(dim) not in axes]
        if set(axes) != set(coordinates):
            raise TableError(f"{name} has the axes {', '.join(axes)}; got {', '.join(coordinates) or 'none'}")
        values = array.transpose(*axes, *own).to_numpy()
        given = np.broadcast_arrays(*(np.asarray(coordinates[axis], dtype=np.float64) for axis in axes))
        shape = given[0].shape if given else ()
        logarithmic = array.attrs.get("interpolation") == "log"
        grids: list[NDArray[np.float64]] = []
        points: list[NDArray[np.float64]] = []
        kept: list[str] = []
        for axis, at in zip(axes, given, strict=True):
            nodes = array[axis].to_numpy().astype(np.float64)
            inside = np.clip(at, nodes[0], nodes[-1])
            beyond = inside != at
            if beyond.any():
                if self.outside == "raise":
                    raise OutsideTableError(
                        f"{name}: {axis} = {at[beyond].flat[0]:g} is outside table {source} ({nodes[0]:g} to {nodes[-1]:g}); "
                        "characterize that range, or look up with outside='clip'"
                    )
                self.clipped += int(beyond.sum())
            if nodes.size == 1:
                values = values.reshape(values.shape[1:]) if not grids else np.take(values, 0, axis=len(grids))
                continue
            kept.append(axis)
            grids.append(nodes)
            points.append(inside.ravel())
        if not grids:
            result = np.broadcast_to(values, shape + values.shape)
        else:
            along, wanted = grids, points
            if logarithmic:
                along = [abscissa(*each) for each in zip(kept, grids, grids, strict=True)]
                wanted = [abscissa(*each) for each in zip(kept, grids, points, strict=True)]
            between = RegularGridInterpolator(tuple(along), np.log(values) if logarithmic else values, method="linear")(
                np.stack(wanted, axis=-1)
            )
            if logarithmic:
                between = np.exp(between)
            # At a node its own value, whatever became of its neighbours: neither rounded, nor NaN because one of them is.
            on_node = np.all([np.isin(p, nodes) for p, nodes in zip(points, grids, strict=True)], axis=0)
            nearest = tuple(np.searchsorted(nodes, p) for p, nodes in zip(points, grids, strict=True))
            result = np.where(on_node.reshape(-1, *([1] * (between.ndim - 1))), values[nearest], between)
            result = result.reshape(shape + values.shape[len(grids) :])
        if np.isnan(result).any():
            reasons = "; ".join(sorted({reason for _, reason in self.table.failures()})) or "it was not measured"
            raise TableError(f"{name} has no value at {dict(coordinates)} in table {source}: {reasons}")
        return np.array(result)
