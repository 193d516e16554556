"""Look-up: vectorised multilinear interpolation, exact at the nodes, with a stated policy outside the range."""

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyspice_cim.errors import ConfigError, OutsideTableError, TableError
from pyspice_cim.tables.table import Table
from pyspice_cim.units import celsius_to_kelvin

Policy = Literal["raise", "clip"]


@dataclass(frozen=True)
class Neighbours:
    """The nodes of one axis between which each of some points lies.

    Attributes:
        below, above: their indices.
        share: of the node above in the interpolated value, 0 to 1; the rest is the share of the node below.
    """

    below: NDArray[np.intp]
    above: NDArray[np.intp]
    share: NDArray[np.float64]


def neighbours(axis: str, nodes: NDArray[np.float64], at: NDArray[np.float64], *, logarithmic: bool) -> Neighbours:
    """Between which ``nodes`` of ``axis`` each of ``at`` lies, all inside the range; at a node the whole share is its own.

    A logarithm is linear in -1/T over ``temperature_c``, else in ln of the axis where its nodes are positive.
    """
    above = np.clip(np.searchsorted(nodes, at), min(1, nodes.size - 1), None)
    below = np.maximum(above - 1, 0)
    low, here, high = nodes[below], at, nodes[above]
    whole = here == high
    if logarithmic and axis == "temperature_c":
        low, here, high = (-1 / (each + celsius_to_kelvin(0)) for each in (low, here, high))
    elif logarithmic and nodes[0] > 0:
        low, here, high = np.log(low), np.log(here), np.log(high)
    share = np.divide(here - low, high - low, out=np.ones(np.shape(at)), where=~whole)
    return Neighbours(below=below, above=above, share=share)


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
        around: list[Neighbours] = []
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
            around.append(neighbours(axis, nodes, inside, logarithmic=logarithmic))
        result = np.zeros(shape + values.shape[len(axes) :])
        for corner in itertools.product((False, True), repeat=len(axes)):
            weight = np.ones(shape)
            for upper, each in zip(corner, around, strict=True):
                weight = weight * (each.share if upper else 1 - each.share)
            here = values[
                tuple(each.above if upper else each.below for upper, each in zip(corner, around, strict=True))
            ]
            weight = weight.reshape(shape + (1,) * len(own))
            # A node without a share may have failed to be measured: nothing times NaN would be NaN.
            here = np.where(weight > 0, here, 1.0)
            result += weight * (np.log(here) if logarithmic else here)
        if logarithmic:
            # The value of a node itself, not what its logarithm is rounded to.
            node = tuple(np.where(each.share > 0, each.above, each.below) for each in around)
            at_node = np.all([(each.share == 0) | (each.share == 1) for each in around] or [True], axis=0)
            result = np.where(at_node.reshape(at_node.shape + (1,) * len(own)), values[node], np.exp(result))
        if np.isnan(result).any():
            reasons = "; ".join(sorted({reason for _, reason in self.table.failures()})) or "it was not measured"
            raise TableError(f"{name} has no value at {dict(coordinates)} in table {source}: {reasons}")
        return np.array(result)
