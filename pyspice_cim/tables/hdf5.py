"""Tables as HDF5 files (netCDF-4 layout): ``h5py`` and ``xarray.open_dataset(..., engine="h5netcdf")`` open both."""

import hashlib
import io
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import xarray as xr

from pyspice_cim.errors import TableError
from pyspice_cim.hdf5_guard import why_refused
from pyspice_cim.resources import DEFAULT_TECHNOLOGY, atomic_write, shipped
from pyspice_cim.tables.migration import from_version_1
from pyspice_cim.tables.schema_check import layout_problem
from pyspice_cim.tables.table import SCHEMA, SCHEMA_VERSION, Table

_BACKEND: Literal["h5netcdf"] = "h5netcdf"


def save_table(table: Table, path: str | Path) -> None:
    """Write ``table`` to ``path`` in the present schema, whole or not at all. The same table gives the same bytes.

    Args:
        table: the table.
        path: file to write or to replace.

    Raises:
        ConfigError: if the file cannot be written.
    """
    attributes = {**table.dataset.attrs, "schema": SCHEMA, "schema_version": SCHEMA_VERSION}
    with atomic_write(path) as temporary:
        table.dataset.assign_attrs(attributes).to_netcdf(temporary, engine=_BACKEND, format="NETCDF4")


def reference_table(technology: str = DEFAULT_TECHNOLOGY) -> Table:
    """The table that comes with the package for a built-in technology.

    Args:
        technology: name of the technology.

    Raises:
        DataError: if the package has none for ``technology``; the message lists the tables that exist.
    """
    return load_table(shipped("reference", f"{technology}.h5"))


def load_table(path: str | Path) -> Table:
    """The table in the file ``path``, checked. A table of schema 1 is brought to schema 2 in memory.

    Args:
        path: an HDF5 file that ``save_table`` wrote.

    Raises:
        TableError: if the file is missing, is no HDF5 file, was cut short, points at other files, follows another schema, or
            lacks a part of a table. The message names the file and what is wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise TableError(f"no table at {path}; make one with `pyspice-cim characterize PLAN.toml --out {path.name}`")
    try:
        # Read once: what is checked, what is loaded and what is hashed are the same bytes.
        data = path.read_bytes()
        with h5py.File(io.BytesIO(data), "r") as file:
            refused = why_refused(file)
        if not refused:
            with xr.open_dataset(io.BytesIO(data), engine=_BACKEND) as opened:
                dataset = opened.load()
    except Exception as error:  # h5netcdf and h5py raise many kinds for one cause: a file that is not whole
        raise TableError(f"table {path} cannot be read: it is no HDF5 table or was cut short ({error})") from error
    if refused:
        raise TableError(f"table {path} {refused}")
    schema, version = (dataset.attrs.get(name) for name in ("schema", "schema_version"))
    # An attribute may be an array, which is neither equal to a text nor not.
    if not isinstance(schema, str) or schema != SCHEMA:
        raise TableError(f"{path} is no table of this package: attribute schema is {schema!r}")
    if not isinstance(version, int | np.integer) or not 1 <= version <= SCHEMA_VERSION:
        raise TableError(
            f"table {path} has schema version {version}, this package reads 1 to {SCHEMA_VERSION}; characterize again"
        )
    for name in dataset.variables:
        if dataset[name].dtype.kind in "OS":
            dataset[name] = dataset[name].astype(np.str_)
    # A layout is judged as it is stored: what is no table of schema 1 is not moved.
    problem = layout_problem(dataset, version=int(version))
    if not problem and version == 1:
        dataset = from_version_1(dataset)
        problem = layout_problem(dataset)
    if problem:
        raise TableError(f"table {path} {problem}: it was cut short or edited; characterize again")
    return Table(dataset=dataset, source=path.name, sha256=hashlib.sha256(data).hexdigest())
