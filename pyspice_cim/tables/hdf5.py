"""Tables as HDF5 files (netCDF-4 layout): ``h5py`` and ``xarray.open_dataset(..., engine="h5netcdf")`` open both."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from pyspice_cim.errors import TableError
from pyspice_cim.resources import DEFAULT_TECHNOLOGY, atomic_write, shipped
from pyspice_cim.tables.table import ATTRIBUTES, CORNER_AXES, SCHEMA, SCHEMA_VERSION, Table

_BACKEND: Literal["h5netcdf"] = "h5netcdf"


def save_table(table: Table, path: str | Path) -> None:
    """Write ``table`` to ``path``, whole or not at all; the same table gives the same bytes.

    Raises:
        ConfigError: if the file cannot be written.
    """
    attributes = {**table.dataset.attrs, "schema": SCHEMA, "schema_version": SCHEMA_VERSION}
    with atomic_write(path) as temporary:
        table.dataset.assign_attrs(attributes).to_netcdf(temporary, engine=_BACKEND, format="NETCDF4")


def reference_table(technology: str = DEFAULT_TECHNOLOGY) -> Table:
    """The table that comes with the package for a built-in technology.

    Raises:
        DataError: if there is none for ``technology``; the message lists those there are.
    """
    return load_table(shipped("reference", f"{technology}.h5"))


def load_table(path: str | Path) -> Table:
    """Read and check a table.

    Raises:
        TableError: if the file is missing, is no HDF5 file or cut short, or follows another schema; the message names
            the file and what is wrong with it.
    """
    path = Path(path)
    if not path.is_file():
        raise TableError(f"no table at {path}; make one with `pyspice-cim characterize PLAN.toml --out {path.name}`")
    try:
        with xr.open_dataset(path, engine=_BACKEND) as opened:
            dataset = opened.load()
    except Exception as error:  # h5netcdf and h5py raise many kinds for one cause: a file that is not whole
        raise TableError(f"table {path} cannot be read: it is no HDF5 table or was cut short ({error})") from error
    attributes = dataset.attrs
    if attributes.get("schema") != SCHEMA:
        raise TableError(f"{path} is no table of this package: attribute schema is {attributes.get('schema')!r}")
    if int(attributes.get("schema_version", -1)) != SCHEMA_VERSION:
        raise TableError(
            f"table {path} has schema version {attributes.get('schema_version')}, this package reads {SCHEMA_VERSION}; "
            "characterize again"
        )
    missing = [name for name in ATTRIBUTES if name not in attributes]
    missing += [axis for axis in (*CORNER_AXES, "point_status", "point_reason") if axis not in dataset.variables]
    if missing:
        raise TableError(f"table {path} lacks {', '.join(missing)}: it was cut short or edited")
    for axis in CORNER_AXES:
        nodes = dataset[axis].values.tolist()
        if len(set(nodes)) < len(nodes):
            raise TableError(f"table {path}: the axis {axis} has a node twice ({nodes}); characterize again")
    for name in dataset.variables:
        if dataset[name].dtype.kind in "OS":
            dataset[name] = dataset[name].astype(np.str_)
    return Table(dataset=dataset, source=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
