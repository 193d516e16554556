"""A table in memory: an ``xarray.Dataset`` and the few questions that everybody asks of it.

Layout (schema 1). Every quantity is a variable over ``process``, ``vdd``, ``temperature_c``, the axes of its bench (named
``<bench>_<axis>``) and axes of its own (``component``, ``event``, ``line``), in SI units that its attribute ``units`` names.
A value that was not measured is NaN. ``<bench>_point`` gives, at every coordinate of a bench, the index along ``point``,
where ``point_bench``, ``point_status`` (``ok``, ``failed``, or ``missing`` where time ran out), ``point_reason``,
``point_rung`` (names of the retries that it needed) and ``point_decks`` (hashes of the ngspice decks, separated by spaces)
stand. A quantity's attribute ``interpolation`` is a key of ``lookup.SCALES``, linear if it has none;
``interpolation_error`` and ``numerical_error`` are its largest relative errors at the points of ``held_out_*`` (simulated:
``expected``, interpolated: ``found``) and ``audit_*`` (at tighter tolerances: ``expected``, in the table: ``found``).
Attributes of the file:
``schema``, ``schema_version``, ``technology``, ``technology_sha256``, ``plan``, ``plan_sha256``, ``plan_text``,
``package``, ``ngspice``; where samples were drawn ``variation_sha256``; ``refinement`` where it was stopped. What a check
could not find is NaN, with its ``held_out_reason`` or ``audit_reason``.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pyspice_cim.errors import OutsideTableError, TableError

SCHEMA = "pyspice-cim table"
SCHEMA_VERSION = 1
CORNER_AXES = ("process", "vdd", "temperature_c")
ATTRIBUTES = ("technology", "technology_sha256", "plan", "plan_sha256", "plan_text", "package", "ngspice")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Calibrated figures of one technology.

    Attributes:
        dataset: see the module's layout.
        source: file name that the table came from, for messages and reports.
        sha256: hash of that file, ``""`` for a table that was not read from one.
    """

    dataset: xr.Dataset
    source: str = "in memory"
    sha256: str = ""

    @property
    def technology(self) -> str:
        return str(self.dataset.attrs["technology"])

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the measured quantities."""
        return tuple(
            str(name) for name in self.dataset.data_vars if "units" in self.dataset[name].attrs and name != "point"
        )

    def quantity(self, name: str) -> xr.DataArray:
        """The quantity ``name`` with its axes.

        Raises:
            TableError: if the table has none of that name.
        """
        if name not in self.dataset.data_vars or "units" not in self.dataset[name].attrs:
            raise TableError(
                f"table {self.source} has no quantity {name!r}; it has {', '.join(self.quantities) or 'none'}. "
                "Characterize with a plan that measures it"
            )
        return self.dataset[name]

    def require_technology(self, technology: str) -> "Table":
        """Return this table if it is of ``technology``.

        Raises:
            TableError: if it is of another.
        """
        if self.technology != technology:
            raise TableError(f"table {self.source} is of technology {self.technology!r}, not {technology!r}")
        return self

    def failures(self) -> list[tuple[str, str]]:
        """(bench, reason) of every point that has no value, because it failed or is missing."""
        status, bench, reason = (self.dataset[f"point_{what}"].values for what in ("status", "bench", "reason"))
        return [(str(bench[i]), str(reason[i])) for i in np.flatnonzero(status != "ok")]

    def trace(self, name: str, **coordinates: float | str) -> dict[str, object]:
        """Where the value of ``name`` at the nearest node of ``coordinates`` comes from: node, status, reason, decks.

        Raises:
            TableError: for an unknown quantity, axis or label, or a place where the table has no point.
            OutsideTableError: outside the range.
        """
        array = self.quantity(name)
        bench = str(array.attrs["bench"])
        points = self.dataset[f"{bench}_point"]
        node: dict[Hashable, object] = {}
        for axis, wanted in coordinates.items():
            if axis not in array.dims:
                raise TableError(f"{name} has no axis {axis!r}; it has {', '.join(map(str, array.dims))}")
            index = self._nearest(axis, array[axis].values, wanted)
            if axis in points.dims:
                node[axis] = array[axis].values.tolist()[index]
        point = int(points.sel(node).values.ravel()[0])
        if point < 0:
            raise TableError(f"table {self.source} has no point of {name} at {node}")
        found = {what: str(self.dataset[f"point_{what}"].values[point]) for what in ("status", "reason", "decks")}
        return {"node": {str(k): v for k, v in node.items()}, **found, "ngspice": self.dataset.attrs["ngspice"]}

    def _nearest(self, axis: str, nodes: NDArray[Any], wanted: float | str) -> int:
        if nodes.dtype.kind not in "if":
            if wanted not in nodes.tolist():
                raise TableError(
                    f"table {self.source}: {axis} has no label {wanted!r}; it has {', '.join(map(str, nodes))}"
                )
            return nodes.tolist().index(wanted)
        if isinstance(wanted, str):
            raise TableError(f"{axis} = {wanted!r} is no number; the axis has {', '.join(map(str, nodes))}")
        if not nodes.min() <= wanted <= nodes.max():
            raise OutsideTableError(
                f"{axis} = {wanted:g} is outside table {self.source} ({nodes.min():g} to {nodes.max():g})"
            )
        return int(np.abs(nodes - wanted).argmin())
