"""A table in memory: an ``xarray.Dataset`` and the few questions that everybody asks of it.

Layout (schema 2). Every quantity is a variable over ``process``, ``vdd``, ``temperature_c``, the axes of its bench and its
own axes. Tables store an axis of a bench, and an own axis (``component``, ``event``, ``line``), as ``<bench>_<axis>``. The
attribute ``short_name`` of an own axis is the name that users see and give. The attribute ``units`` names the SI unit. A
value that was not measured is NaN.

``<bench>_point`` gives the index along ``point`` at every coordinate of a bench. Along ``point`` stand ``point_bench``,
``point_status`` (``ok``, ``failed``, or ``missing`` where time ran out), ``point_reason``, ``point_rung`` (names of the
retries that helped) and ``point_decks`` (hashes of the ngspice decks, separated by spaces).

The attribute ``interpolation`` of a quantity is a key of ``lookup.SCALES``, by default ``linear``. ``interpolation_error``
is the largest relative error at the points of ``held_out_*`` (``expected``: simulated, ``found``: interpolated).
``numerical_error`` is the largest relative error at the points of ``audit_*`` (``expected``: at tighter tolerances,
``found``: in the table). An error that is not known is NaN, with a ``held_out_reason`` or ``audit_reason``.

Attributes of the file: ``schema``, ``schema_version``, ``technology``, ``technology_sha256``, ``plan``, ``plan_sha256``,
``plan_text``, ``package``, ``ngspice``; ``variation_sha256`` where samples were drawn; ``refinement`` where it was stopped.

Schema 1 stored own axes by their short names, one for all benches. ``load_table`` brings such a table to schema 2.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from pyspice_cim.errors import TableError
from pyspice_cim.tables.contract import CONTRACT
from pyspice_cim.tables.quantity import stored_name

SCHEMA = "pyspice-cim table"
SCHEMA_VERSION = 2
CORNER_AXES = ("process", "vdd", "temperature_c")
ATTRIBUTES = ("technology", "technology_sha256", "plan", "plan_sha256", "plan_text", "package", "ngspice")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Calibrated quantities of one technology.

    Attributes:
        dataset: all variables, in the layout of this module.
        source: name of the file that the table came from, for messages and reports.
        sha256: hash of that file; ``""`` for a table that was not read from a file.
    """

    dataset: xr.Dataset
    source: str = "in memory"
    sha256: str = ""

    @property
    def technology(self) -> str:
        """Name of the technology."""
        return str(self.dataset.attrs["technology"])

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the measured quantities."""
        return tuple(
            str(name) for name in self.dataset.data_vars if "units" in self.dataset[name].attrs and name != "point"
        )

    def quantity(self, name: str) -> xr.DataArray:
        """The quantity ``name`` over its axes, own axes under their short names.

        Raises:
            TableError: if the table has none of that name.
        """
        if name not in self.dataset.data_vars or "units" not in self.dataset[name].attrs:
            declared = CONTRACT.find(name)
            reasons = self.why_missing(declared[0].name) if declared else ""
            if reasons:
                raise TableError(f"table {self.source} has no value of {name}: {reasons}")
            raise TableError(
                f"table {self.source} has no quantity {name!r}; it has {', '.join(self.quantities) or 'none'}. "
                "Characterize with a plan that measures it"
            )
        array = self.dataset[name]
        short = {dim: short_name(array, str(dim)) for dim in array.dims}
        return array.rename({dim: each for dim, each in short.items() if each != dim})

    @property
    def shown_axes(self) -> dict[str, str]:
        """Stored name of every axis to the name that users see.

        That is the short name, unless another axis of the same short name has other labels.
        """
        axes = {str(dim): short_name(self.dataset, str(dim)) for dim in self.dataset.coords}
        labels: dict[str, set[tuple[object, ...]]] = {}
        for stored, short in axes.items():
            labels.setdefault(short, set()).add(tuple(self.dataset[stored].values.ravel().tolist()))
        return {stored: short if len(labels[short]) == 1 else stored for stored, short in axes.items()}

    def require_technology(self, technology: str) -> "Table":
        """This table, if the table is of ``technology``.

        Raises:
            TableError: if the table is of another technology.
        """
        if self.technology != technology:
            raise TableError(f"table {self.source} is of technology {self.technology!r}, not {technology!r}")
        return self

    def failures(self) -> list[tuple[str, str]]:
        """(bench, reason) of every point that has no value, because it failed or is missing."""
        status, bench, reason = (self.dataset[f"point_{what}"].values for what in ("status", "bench", "reason"))
        return [(str(bench[i]), str(reason[i])) for i in np.flatnonzero(status != "ok")]

    def why_missing(self, bench: str) -> str:
        """The reasons of all points of ``bench`` without a value, in words; ``""`` if there is no such point."""
        reasons = {reason for failed, reason in self.failures() if failed == bench}
        return "; ".join(sorted(reasons))


def short_name(data: xr.Dataset | xr.DataArray, axis: str) -> str:
    """The name of a stored ``axis`` that users see."""
    return str(data[axis].attrs.get("short_name", axis)) if axis in data.coords else axis


def axis_name(array: xr.DataArray, axis: str) -> str:
    """The axis of ``array`` (``Table.quantity``) that ``axis`` means: its name, with or without the bench.

    Raises:
        TableError: if there is none.
    """
    name = _axis_named(array, axis)
    if name is None:
        raise TableError(f"{array.name} has no axis {axis!r}; it has {', '.join(str(dim) for dim in array.dims)}")
    return name


def is_axis(array: xr.DataArray, axis: str) -> bool:
    """Whether ``array`` has the axis that ``axis`` means."""
    return _axis_named(array, axis) is not None


def _axis_named(array: xr.DataArray, axis: str) -> str | None:
    bench = str(array.attrs.get("bench", ""))
    names = (axis, stored_name(bench, axis), axis.removeprefix(f"{bench}_"))
    return next((name for name in names if name in array.dims), None)
