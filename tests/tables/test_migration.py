"""The shipped tables, written as schema 1, in schema 2: every value, label and attribute is the same."""

import numpy as np
import pytest
import xarray as xr

from pyspice_cim.resources import shipped
from pyspice_cim.tables import SCHEMA_VERSION, load_table, save_table

TABLES = ("generic45lp", "generic65", "sky130", "generic45lp_variation")


def equal_attributes(found, expected, *, more=()):
    assert set(found) == set(expected) | set(more)
    for name, value in expected.items():
        assert np.array_equal(found[name], value), name


@pytest.mark.parametrize("name", TABLES)
def test_nothing_of_a_shipped_table_is_lost_or_changed(name, tmp_path):
    path = shipped("reference", f"{name}.h5")
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        old = opened.load()
    assert old.attrs["schema_version"] == 1
    table = load_table(path)
    new = table.dataset
    assert list(new.data_vars) == list(old.data_vars)
    equal_attributes(
        {k: v for k, v in new.attrs.items() if k != "schema_version"},
        {k: v for k, v in old.attrs.items() if k != "schema_version"},
    )
    assert new.attrs["schema_version"] == SCHEMA_VERSION == 2
    for variable in old.data_vars:
        before, after = old[variable], new[variable]
        equal_attributes(after.attrs, before.attrs)
        values = before.values.astype(np.str_) if before.dtype.kind in "OS" else before.values
        assert values.dtype == after.dtype
        np.testing.assert_array_equal(after.values, values)
        assert len(after.dims) == len(before.dims)
        for dim, stored in zip(before.dims, after.dims, strict=True):
            if dim not in old.coords:
                assert dim == stored
                continue
            own = dim != stored
            assert stored == (f"{before.attrs['bench']}_{dim}" if own else dim)
            assert new[stored].values.tolist() == old[dim].values.tolist()
            equal_attributes(new[stored].attrs, old[dim].attrs, more=("short_name",) if own else ())
        if "units" in before.attrs:
            # Readers see the short names.
            assert table.quantity(variable).dims == before.dims
            xr.testing.assert_equal(table.quantity(variable).variable, xr.Variable(before.dims, after.values))
    assert {new[axis].attrs.get("short_name", axis) for axis in new.coords} == set(old.coords)
    # What was migrated is written as schema 2, and read again as it is.
    save_table(table, tmp_path / "t.h5")
    with xr.open_dataset(tmp_path / "t.h5", engine="h5netcdf") as opened:
        assert opened.attrs["schema_version"] == 2 and set(opened.coords) == set(new.coords)
    xr.testing.assert_identical(load_table(tmp_path / "t.h5").dataset, new)
