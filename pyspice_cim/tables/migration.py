"""Tables of schema 1 as tables of schema 2, in memory: own axes belong to their bench.

Schema 1 stored every own axis under its short name, one for all benches. Where a quantity has no value at all, schema 1 may
also lack its own axes; the contract knows their labels.
"""

import numpy as np
import xarray as xr

from pyspice_cim.tables.contract import CONTRACT
from pyspice_cim.tables.quantity import stored_name
from pyspice_cim.tables.table import SCHEMA_VERSION


def from_version_1(dataset: xr.Dataset) -> xr.Dataset:
    """``dataset`` of schema 1 in schema 2; every value, label and attribute stays.

    Args:
        dataset: layout of schema 1, as ``layout_problem`` has judged it.
    """
    arrays: dict[str, xr.Variable] = {}
    # Axes keep their order: after each old axis come those that it becomes.
    axes: dict[str, dict[str, xr.Variable]] = {str(name): {} for name in dataset.coords}
    for name in map(str, dataset.data_vars):
        array = arrays[name] = dataset[name].variable
        bench = array.attrs.get("bench")
        if "units" not in array.attrs or not isinstance(bench, str):
            continue
        own = {
            str(dim): stored_name(bench, str(dim)) for dim in array.dims if dim not in dataset[f"{bench}_point"].dims
        }
        for dim, stored in own.items():
            attributes = {**dataset[dim].attrs, "short_name": dim}
            axes[dim][stored] = xr.Variable((stored,), dataset[dim].values, attributes)
        arrays[name] = xr.Variable([own.get(str(dim), dim) for dim in array.dims], array.values, array.attrs)
    coords: dict[str, xr.Variable] = {}
    for name, become in axes.items():
        coords |= become or {name: dataset[name].variable}
    for name, array in arrays.items():
        arrays[name] = _with_own_axes(name, array, coords)
    moved = xr.Dataset(coords=coords).assign(arrays)
    return moved.assign_attrs({**dataset.attrs, "schema_version": SCHEMA_VERSION})


def _with_own_axes(name: str, array: xr.Variable, coords: dict[str, xr.Variable]) -> xr.Variable:
    """``array``, with the own axes that the contract has and a quantity without any value lacks; adds to ``coords``."""
    declared = CONTRACT.find(name)
    if declared is None or not np.isnan(array.values).all():
        return array
    bench, quantity = declared
    for axis in quantity.own:
        stored = bench.stored(axis.name)
        if stored in array.dims or axis.labels is None:
            continue
        if stored not in coords:
            attributes = {"short_name": axis.name} | ({"units": axis.unit} if axis.unit else {})
            coords[stored] = xr.Variable((stored,), np.array(axis.labels), attributes)
        shape = (*array.shape, coords[stored].size)
        array = xr.Variable((*array.dims, stored), np.full(shape, np.nan), array.attrs)
    return array
