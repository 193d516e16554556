"""Tables: what is written comes back, look-ups are exact at the nodes, and what is wrong is said."""

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator
from scipy.stats import norm

from pyspice_cim.errors import OutsideTableError, TableError
from pyspice_cim.tables import Lookup, Table, load_table, save_table
from pyspice_cim.tables.origin import origin

VDD, ROWS = np.array([0.9, 1.0, 1.2]), np.array([8, 16, 64])


def make_table(**changes):
    rng = np.random.default_rng(3)
    dims = ("process", "vdd", "temperature_c", "cell_rows")
    energy = rng.random((2, 3, 1, 3, 2))
    dataset = xr.Dataset(
        {
            "cell_energy": ((*dims, "component"), energy, {"units": "J", "long_name": "energy", "bench": "cell"}),
            "cell_point": (dims, np.arange(18).reshape(2, 3, 1, 3)),
            "point_bench": ("point", np.array(["cell"] * 18)),
            "point_status": ("point", np.array(["ok"] * 17 + ["failed"])),
            "point_reason": ("point", np.array([""] * 17 + ["the transient stopped"])),
            "point_rung": ("point", np.array([""] * 18)),
            "point_decks": ("point", np.array([f"{i:064x}" for i in range(18)])),
        },
        coords={
            "process": ["tt", "ss"],
            "vdd": VDD,
            "temperature_c": [27.0],
            "cell_rows": ROWS,
            "component": ["logic", "cells"],
        },
        attrs={
            "schema": "pyspice-cim table",
            "schema_version": 1,
            "technology": "generic45lp",
            "technology_sha256": "0" * 64,
            "plan": "test",
            "plan_sha256": "1" * 64,
            "plan_text": "",
            "package": "pyspice_cim test",
            "ngspice": "ngspice-39",
            **changes,
        },
    )
    dataset["cell_energy"][1, 2, 0, 2] = np.nan
    return Table(dataset=dataset)


def test_round_trip_and_equal_bytes(tmp_path):
    table = make_table()
    save_table(table, tmp_path / "a.h5")
    save_table(table, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    back = load_table(tmp_path / "a.h5")
    xr.testing.assert_equal(back.dataset, table.dataset)
    assert back.sha256 and back.source == "a.h5"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_h5py_and_xarray_open_it(tmp_path):
    save_table(make_table(), tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5") as file:
        assert file["cell_energy"].shape == (2, 3, 1, 3, 2)
        assert file["cell_energy"].attrs["units"] == "J"
    with xr.open_dataset(tmp_path / "t.h5", engine="h5netcdf") as dataset:
        assert dataset["cell_energy"].dims[-1] == "component"


def test_exact_at_the_nodes():
    table = make_table()
    values = table.dataset["cell_energy"].values
    look = Lookup(table)
    for i, vdd in enumerate(VDD):
        for j, rows in enumerate(ROWS):
            found = look("cell_energy", vdd=vdd, temperature_c=27.0, cell_rows=rows)
            np.testing.assert_array_equal(found, values[0, i, 0, j])


@given(st.floats(0.9, 1.0), st.floats(8, 16))
def test_between_the_nodes_it_is_linear(vdd, rows):
    table = make_table()
    corner = table.dataset["cell_energy"].values[0, :2, 0, :2]
    a, b = (vdd - 0.9) / 0.1, (rows - 8) / 8
    expected = (1 - a) * ((1 - b) * corner[0, 0] + b * corner[0, 1]) + a * ((1 - b) * corner[1, 0] + b * corner[1, 1])
    found = Lookup(table)("cell_energy", vdd=vdd, temperature_c=27.0, cell_rows=rows)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(st.floats(0.9, 1.2), st.floats(8, 64), st.floats(-40, 125))
def test_a_logarithm_follows_power_laws_and_arrhenius(vdd, rows, temperature):
    """Exact, between the nodes too, for the laws that it stands for: c vdd^2 rows^0.7 exp(-E / k T)."""

    def law(vdd, temperature, rows):
        return 1e-12 * vdd**2 * rows**0.7 * np.exp(-4000 / (temperature + 273.15))

    temperatures = np.array([-40.0, 27.0, 125.0])
    values = law(np.array(VDD)[:, None, None], temperatures[:, None], np.array(ROWS, dtype=float))
    array = xr.DataArray(
        values[None],
        dims=("process", "vdd", "temperature_c", "cell_rows"),
        coords={"process": ["tt"], "vdd": list(VDD), "temperature_c": temperatures, "cell_rows": list(ROWS)},
        attrs={"units": "W", "interpolation": "log"},
    )
    table = Table(dataset=make_table().dataset.drop_dims(["vdd", "temperature_c", "cell_rows"]).assign(leakage=array))
    found = Lookup(table)("leakage", vdd=vdd, temperature_c=temperature, cell_rows=rows)
    # Rounding alone: logarithms of about -40 carry an absolute error of 1e-14.
    assert found == pytest.approx(law(vdd, temperature, rows), rel=1e-11, abs=0)


@given(st.lists(st.tuples(st.floats(0.9, 1.2), st.floats(8, 64)), min_size=1, max_size=5))
def test_it_is_what_scipy_interpolates(places):
    """Off the nodes and on them, in several places at once."""
    table = make_table()
    vdd, rows = np.array(places).T
    reference = RegularGridInterpolator((VDD, ROWS), table.dataset["cell_energy"].values[0, :, 0])
    found = Lookup(table)("cell_energy", vdd=vdd, temperature_c=27.0, cell_rows=rows)
    np.testing.assert_allclose(found, reference(np.array(places)), rtol=1e-12)


def test_a_failed_node_without_a_share_does_not_count():
    """The point of ss, 1.2 V and 64 rows failed."""
    table = make_table()
    values = table.dataset["cell_energy"].values[1]
    look = Lookup(table)
    found = look("cell_energy", process="ss", vdd=[1.0, 1.1], temperature_c=27.0, cell_rows=[40, 16])
    np.testing.assert_allclose(found[0], values[1, 0, 1:].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found[1], values[1:, 0, 1].mean(axis=0), rtol=1e-12)
    with pytest.raises(TableError, match="the transient stopped"):
        look("cell_energy", process="ss", vdd=1.01, temperature_c=27.0, cell_rows=40)


def probabilities(values) -> Table:
    """Over two supplies and two labels."""
    array = xr.DataArray(
        np.array(values)[None],
        dims=("process", "vdd", "bound"),
        coords={"process": ["tt"], "vdd": [1.0, 1.1], "bound": ["low", "high"]},
        attrs={"units": "1", "interpolation": "probit"},
    )
    return Table(dataset=make_table().dataset.drop_dims(["vdd", "temperature_c", "cell_rows"]).assign(failing=array))


@given(st.floats(1, 30), st.floats(1, 30), st.floats(0, 1))
def test_between_probabilities_their_sigmas_are_linear(a, b, share):
    table = probabilities([[norm.sf(a)] * 2, [norm.sf(b)] * 2])
    vdd = 1.0 + share * 0.1
    part = (vdd - 1.0) / (1.1 - 1.0)
    found = Lookup(table)("failing", vdd=vdd)
    assert norm.isf(found) == pytest.approx([(1 - part) * a + part * b] * 2, rel=1e-9)


def test_a_label_does_not_need_the_others():
    table = probabilities([[1e-9, np.nan], [0.0, np.nan]])
    look = Lookup(table)
    assert look("failing", vdd=1.0, labels={"bound": "low"}) == 1e-9
    # No probability is infinitely many sigmas, and half of that is as many.
    assert look("failing", vdd=1.05, labels={"bound": "low"}) == 0.0
    with pytest.raises(TableError, match="failing has no value"):
        look("failing", vdd=1.0)
    for labels, message in (({"bound": "middle"}, "failing has low, high"), ({"vdd": "1"}, "no axis 'vdd' of labels")):
        with pytest.raises(TableError, match=message):
            look("failing", vdd=1.0, labels=labels)


def test_there_is_nothing_between_two_samples():
    table = probabilities([[0.1, 0.2], [0.3, 0.4]])
    dataset = table.dataset.rename(vdd="sample").assign_coords(sample=[0, 1])
    look = Lookup(Table(dataset=dataset))
    assert look("failing", sample=1, labels={"bound": "low"}) == 0.3
    with pytest.raises(TableError, match="no sample between two others"):
        look("failing", sample=0.5)


def test_vectorised_equals_one_by_one():
    look = Lookup(make_table())
    vdd, rows = np.array([[0.9], [0.95]]), np.array([8.0, 20.0, 64.0])
    together = look("cell_energy", vdd=vdd, temperature_c=27.0, cell_rows=rows)
    assert together.shape == (2, 3, 2)
    for i in range(2):
        for j in range(3):
            one = look("cell_energy", vdd=vdd[i, 0], temperature_c=27.0, cell_rows=rows[j])
            np.testing.assert_array_equal(together[i, j], one)


def test_outside_raises_or_is_clipped_and_counted():
    table = make_table()
    with pytest.raises(OutsideTableError, match="vdd = 1.3 is outside table in memory"):
        Lookup(table)("cell_energy", vdd=1.3, temperature_c=27.0, cell_rows=8)
    look = Lookup(table, outside="clip")
    place = {"vdd": [1.3, 1.2], "temperature_c": 27.0, "cell_rows": [4, 8]}
    found = look.counted("cell_energy", **place)
    np.testing.assert_array_equal(found.value[0], found.value[1])
    assert found.clipped == 2
    # A look-up keeps no count: what one caller clips is not what the next one reads.
    assert look.counted("cell_energy", **place).clipped == 2
    assert look.counted("cell_energy", vdd=1.2, temperature_c=27.0, cell_rows=8).clipped == 0
    with pytest.raises(OutsideTableError, match="temperature_c"):
        Lookup(table)("cell_energy", vdd=1.0, temperature_c=28.0, cell_rows=8)


def test_a_failed_point_is_never_a_number():
    with pytest.raises(TableError, match="the transient stopped"):
        Lookup(make_table())("cell_energy", process="ss", vdd=1.2, temperature_c=27.0, cell_rows=64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"name": "no_such"}, "no quantity 'no_such'"),
        ({"process": "xx"}, "no process corner 'xx'"),
        ({"cell_rows": None}, "has the axes vdd, temperature_c, cell_rows"),
    ],
)
def test_wrong_questions(call, message):
    arguments = {"vdd": 1.0, "temperature_c": 27.0, "cell_rows": 8, **call}
    name = arguments.pop("name", "cell_energy")
    with pytest.raises(TableError, match=message):
        Lookup(make_table())(name, **{k: v for k, v in arguments.items() if v is not None})


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.98])
def test_a_table_cut_short_is_refused(tmp_path, kept):
    save_table(make_table(), tmp_path / "t.h5")
    whole = (tmp_path / "t.h5").read_bytes()
    (tmp_path / "t.h5").write_bytes(whole[: kept if kept > 1 or kept == 0 else int(kept * len(whole))])
    with pytest.raises(TableError, match="t.h5 cannot be read"):
        load_table(tmp_path / "t.h5")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(TableError, match="no table at"):
        load_table(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("not a table")
    with pytest.raises(TableError, match="no HDF5 table"):
        load_table(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1.0
    with pytest.raises(TableError, match="no table of this package"):
        load_table(tmp_path / "other.h5")


def test_another_schema_and_technology(tmp_path):
    save_table(make_table(), tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5", "r+") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(TableError, match="schema version 99"):
        load_table(tmp_path / "t.h5")
    with pytest.raises(TableError, match="of technology 'generic45lp', not 'sky130'"):
        make_table().require_technology("sky130")


def axis(file, name, nodes):
    """Put other nodes along an axis, as many as there are."""
    file[name][...] = nodes


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.attrs.update(schema=[1, 2]), "attribute schema is array"),
        (lambda file: file.attrs.update(schema_version="abc"), "schema version abc"),
        (lambda file: file.attrs.update(schema_version=[1, 1]), r"schema version \[1 1\]"),
        (lambda file: file.attrs.update(plan=3), "attribute plan that is no text"),
        (lambda file: file.pop("point_bench"), "lacks point_bench"),
        (lambda file: file.pop("point_decks"), "lacks point_decks"),
        (lambda file: file.pop("point_rung"), "lacks point_rung"),
        (lambda file: file.pop("cell_point"), "lacks cell_point, although point_bench names 'cell'"),
        (lambda file: axis(file, "cell_point", -2), "indices in cell_point from -2"),
        (lambda file: file["cell_energy"].attrs.pop("bench"), "quantity cell_energy without the attribute bench"),
        (lambda file: file["cell_energy"].attrs.update(units=[1, 2]), "without the attribute units, a text"),
        (lambda file: file["cell_energy"].attrs.update(bench="sell"), "lacks sell_point, although it is the bench of"),
        (lambda file: file["cell_energy"].attrs.update(numerical_error="x"), "numerical_error that is no number"),
        (lambda file: axis(file, "vdd", [0.9, np.nan, 1.2]), "along the axis vdd that is no finite number"),
        (lambda file: axis(file, "vdd", [1.2, 1.0, 0.9]), "along the axis vdd that do not rise"),
        (lambda file: axis(file, "cell_rows", [8, 8, 16]), "a node of the axis cell_rows twice"),
        (lambda file: axis(file, "point_status", "fine"), "point_status 'fine'"),
    ],
)
def test_a_file_that_is_not_quite_a_table_is_refused(tmp_path, spoil, words):
    save_table(make_table(), tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5", "r+") as file:
        spoil(file)
    with pytest.raises(TableError, match=f"t.h5 .*{words}"):
        load_table(tmp_path / "t.h5")


def checks(dataset, **values):
    """``dataset`` with variables along the first part of their names."""
    return dataset.assign({name: (name.rpartition("_")[0], np.array(each)) for name, each in values.items()})


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        (lambda data: data.isel(point=slice(9)), "indices in cell_point from 0 to 17, but 9 points"),
        (
            lambda data: data.assign(cell_energy=data["cell_energy"].astype(str)),
            "quantity cell_energy that is no numbers",
        ),
        (lambda data: data.isel(vdd=[2, 1, 0]), "along the axis vdd that do not rise"),
        (lambda data: data.isel(process=0), "has process along nothing"),
        (lambda data: data.assign_coords(process=[1, 2]), "nodes of the type int64 along the axis process"),
        (lambda data: data.drop_vars("component"), "lacks the nodes of component, an axis of cell_energy"),
        (
            lambda data: data.assign(cell_energy=data["cell_energy"][0].drop_vars("process")),
            "without all axes of cell_point",
        ),
        (lambda data: checks(data, held_out_quantity=["x"]), "no held_out_coordinates along held_out"),
        (
            lambda data: checks(data, audit_quantity=["x"], audit_coordinates=["nowhere"], audit_error=[0.1]),
            "audit_coordinates that are no place",
        ),
    ],
)
def test_a_dataset_that_is_not_quite_a_table_is_refused(tmp_path, spoiled, words):
    dataset = make_table().dataset
    save_table(Table(dataset=spoiled(dataset).assign_attrs(dataset.attrs)), tmp_path / "t.h5")
    with pytest.raises(TableError, match=words):
        load_table(tmp_path / "t.h5")


def test_every_number_is_traced_to_its_decks():
    (node,) = origin(make_table(), "cell_energy", process="ss", vdd=1.2, temperature_c=27.0, cell_rows=64).nodes
    assert node.status == "failed" and node.decks == (f"{17:064x}",)
    assert node.place == {"process": "ss", "vdd": 1.2, "temperature_c": 27.0, "cell_rows": 64}


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"lines": 8}, "has no axis 'lines'"),
        ({"process": "xx"}, "no process corner 'xx'"),
        ({"labels": {"component": "none"}}, "component is 'none'"),
        ({"vdd": np.nan}, "vdd = nan is outside"),
        ({"vdd": 1.3}, "vdd = 1.3 is outside table in memory"),
    ],
)
def test_a_place_that_is_not_in_the_table_has_no_origin(place, words):
    with pytest.raises(TableError, match=words):
        origin(make_table(), "cell_energy", **{"vdd": 1.0, "cell_rows": 8} | place)
