"""Look-up: vectorised multilinear interpolation, exact at the nodes, with a stated policy outside the range."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from pyspice_cim.errors import ConfigError, OutsideTableError, TableError
from pyspice_cim.tables.table import Table, axis_name, is_axis
from pyspice_cim.units import celsius_to_kelvin

Policy = Literal["raise", "clip"]

# The attribute ``interpolation`` of a quantity -> the function that is linear between nodes, and its inverse.
SCALES: Mapping[str, tuple[Callable[..., NDArray[np.float64]], Callable[..., NDArray[np.float64]]]] = {
    "linear": (np.asarray, np.asarray),
    "log": (np.log, np.exp),
    # The sigma that a small probability P means: Q(sigma) = P, with Q the upper tail of the normal distribution.
    "probit": (lambda probability: -ndtri(probability), lambda sigma: ndtr(-sigma)),
}
# Axes whose nodes number things: nothing lies between two nodes.
_COUNTED = ("sample",)


@dataclass(frozen=True)
class Neighbours:
    """The two nodes of one axis between which each of some points lies.

    Attributes:
        below, above: indices of the two nodes, shape of the points.
        share: share of the node above in the interpolated value, 0 to 1. The node below has the rest.
    """

    below: NDArray[np.intp]
    above: NDArray[np.intp]
    share: NDArray[np.float64]


def neighbours(axis: str, nodes: NDArray[np.float64], at: NDArray[np.float64], *, logarithmic: bool) -> Neighbours:
    """The ``nodes`` of ``axis`` between which each of ``at`` lies. A point at a node gives that node the whole share.

    Args:
        axis: name of the axis.
        nodes: coordinates along the axis, rising.
        at: points inside the range of ``nodes``.
        logarithmic: shares are linear in -1/T over ``temperature_c``, and in ln of any other axis with positive nodes.
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


def labelled(array: xr.DataArray, labels: Mapping[str, str]) -> xr.DataArray:
    """``array`` at one label of each axis of text that ``labels`` names.

    Args:
        array: a quantity (``Table.quantity``).
        labels: axis to label.

    Raises:
        TableError: if ``array`` has no such axis or label.
    """
    own = [str(dim) for dim in array.dims if dim != "process" and array[dim].dtype.kind not in "if"]
    for given, label in labels.items():
        axis = axis_name(array, given) if is_axis(array, given) else given
        if axis not in own:
            raise TableError(f"{array.name} has no axis {axis!r} of labels; it has {', '.join(own) or 'none'}")
        known = [str(each) for each in array[axis].values]
        if label not in known:
            raise TableError(f"{axis} is {label!r}; {array.name} has {', '.join(known)}")
        array = array.isel({axis: known.index(label)})
    return array


@dataclass(frozen=True)
class Looked:
    """The result of a look-up.

    Attributes:
        value: see ``Lookup``.
        clipped: number of coordinates that were moved into the range.
    """

    value: NDArray[np.float64]
    clipped: int


class Lookup:
    """Reads quantities of a table.

    Args:
        table: the table.
        outside: ``"raise"``, or ``"clip"``: take the nearest value inside the range.
    """

    def __init__(self, table: Table, *, outside: Policy = "raise") -> None:
        if outside not in ("raise", "clip"):
            raise ConfigError(f"outside = {outside!r} is no policy; choose raise or clip")
        self.table = table
        self.outside = outside

    def __call__(
        self, name: str, *, process: str = "tt", labels: Mapping[str, str] | None = None, **coordinates: ArrayLike
    ) -> NDArray[np.float64]:
        """Quantity ``name`` at ``coordinates``.

        The value is linear between neighbouring nodes of every axis, and equal to the stored value at a node. The attribute
        ``interpolation`` of the quantity may name another scale. On the scale ``log`` (positive delays and powers) the
        logarithm of the value is linear: in 1/T over temperature, as a current below threshold is, and in the logarithm of
        every other axis, as a power law is. On the scale ``probit`` (probabilities of rare failures) the sigma that a
        probability means is linear.

        Args:
            name: quantity.
            process: process corner; corners are not interpolated.
            labels: own axis of the quantity to the one label that is wanted; all labels otherwise.
            coordinates: one value or array for every numeric axis of the quantity (``vdd`` in V, ``temperature_c`` in
                degrees Celsius, ``column_rows``, ...); they broadcast.

        Returns:
            Array of the broadcast shape, followed by the quantity's own axes of text (``component``, ``event``, ...)
            without those in ``labels``.

        Raises:
            TableError: for an unknown quantity, process, axis or label, for half a sample, or where a node that is needed
                failed to be measured; the message has the reasons of the quantity's bench.
            OutsideTableError: outside the range, under the policy ``raise``.
        """
        return self.counted(name, process=process, labels=labels, **coordinates).value

    def counted(
        self, name: str, *, process: str = "tt", labels: Mapping[str, str] | None = None, **coordinates: ArrayLike
    ) -> Looked:
        """As a call, with the number of coordinates that were clipped.

        Args, Raises: as of a call.

        Returns:
            Value and number of clipped coordinates.
        """
        array = self.table.quantity(name)
        source = self.table.source
        if process not in array["process"].values:
            there = ", ".join(str(p) for p in array["process"].values)
            raise TableError(f"table {source} has no process corner {process!r}; it has {there}")
        array = array.sel(process=process)
        # Axes of text (component, event, line) are the quantity's own; the numeric ones are asked for.
        axes = [str(dim) for dim in array.dims if array[dim].dtype.kind in "if"]
        own = [str(dim) for dim in array.dims if str(dim) not in axes]
        at_axes = {axis_name(array, axis): value for axis, value in coordinates.items() if is_axis(array, axis)}
        if set(axes) != set(at_axes) or len(at_axes) != len(coordinates):
            raise TableError(f"{name} has the axes {', '.join(axes)}; got {', '.join(coordinates) or 'none'}")
        array = labelled(array, labels or {})
        own = [axis for axis in own if axis in array.dims]
        values = array.transpose(*axes, *own).to_numpy()
        given = np.broadcast_arrays(*(np.asarray(at_axes[axis], dtype=np.float64) for axis in axes))
        shape = given[0].shape if given else ()
        scale = str(array.attrs.get("interpolation", "linear"))
        forward, back = SCALES[scale]
        around: list[Neighbours] = []
        clipped = 0
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
                clipped += int(beyond.sum())
            if axis in _COUNTED and not np.isin(inside, nodes).all():
                raise TableError(f"{name}: there is no {axis} between two others; give a whole number")
            around.append(neighbours(axis, nodes, inside, logarithmic=scale == "log"))
        own_axes = (1,) * len(own)
        result = np.zeros(shape + values.shape[len(axes) :])
        for corner in itertools.product((False, True), repeat=len(axes)):
            weight, node = np.ones(shape), []
            for upper, each in zip(corner, around, strict=True):
                weight = weight * (each.share if upper else 1 - each.share)
                node.append(each.above if upper else each.below)
            if not weight.any():
                continue
            weight = weight.reshape(shape + own_axes)
            # A node without a share may have failed to be measured: nothing times NaN would be NaN.
            term = np.where(weight > 0, forward(values[tuple(node)]), 0.0)
            # There is no value between infinities of both signs.
            with np.errstate(invalid="ignore"):
                result += weight * term
        if scale != "linear":
            # The value of a node itself, not what there and back is rounded to.
            own_node = tuple(np.where(each.share > 0, each.above, each.below) for each in around)
            at_node = np.all([(each.share == 0) | (each.share == 1) for each in around] or [True], axis=0)
            result = np.where(at_node.reshape(at_node.shape + own_axes), values[own_node], back(result))
        if np.isnan(result).any():
            reasons = self.table.why_missing(str(array.attrs.get("bench", ""))) or "it was not measured"
            raise TableError(f"{name} has no value at {dict(coordinates)} in table {source}: {reasons}")
        return Looked(value=np.array(result), clipped=clipped)
