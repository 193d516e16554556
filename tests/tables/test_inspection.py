"""What is said about tables: summaries, differences, and where a value comes from."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyspice_cim.errors import OutsideTableError, TableError
from pyspice_cim.resources import shipped
from pyspice_cim.tables import Lookup, Table, load_table
from pyspice_cim.tables.difference import difference
from pyspice_cim.tables.origin import origin
from pyspice_cim.tables.summary import place_text, places, summary

REFERENCE = load_table(shipped("reference", "generic45lp.h5"))
ENERGY = "sram6t_read_energy"
PLACES = places(REFERENCE)
# Points of the 6T bench, which come first; the size of a row is the axis that runs fastest.
COUNT = REFERENCE.dataset["sram6t_point"].size
ROWS = [int(rows) for rows in REFERENCE.dataset["sram6t_rows"].values]
# The 6T bench alone, where many tables are compared.
CELL = Table(
    dataset=REFERENCE.dataset[["sram6t_point", ENERGY, "sram6t_leakage_power"]].assign(
        {name: variable[:COUNT] for name, variable in REFERENCE.dataset.items() if str(name).startswith("point_")}
    )
)


def changed() -> Table:
    """A copy of the reference table, to be changed."""
    return Table(dataset=REFERENCE.dataset.copy(deep=True), source="changed.h5")


def failed(number: int = 1, status: str = "failed") -> Table:
    """A copy in which one 6T point has no values."""
    dataset = REFERENCE.dataset.copy(deep=True)
    dataset["point_status"] = dataset["point_status"].astype("U8")
    dataset["point_reason"] = dataset["point_reason"].astype("U64")
    dataset["point_status"][number], dataset["point_reason"][number] = status, "timeout: killed after 600 s"
    at = dict(zip(dataset["sram6t_point"].dims, np.argwhere(dataset["sram6t_point"].values == number)[0], strict=True))
    for name in REFERENCE.quantities:
        if name.startswith("sram6t"):
            dataset[name][at] = np.nan
    return Table(dataset=dataset, source="failed.h5")


def test_a_summary_holds_what_the_table_holds():
    found = summary(REFERENCE)
    assert json.loads(json.dumps(found)) == found
    assert found["technology"] == "generic45lp"
    assert found["axes"]["vdd"] == {"unit": "V", "meaning": "", "values": [0.99, 1.1, 1.21]}
    assert set(found["quantities"]) == set(REFERENCE.quantities)
    for name, each in found["quantities"].items():
        values = REFERENCE.quantity(name).values
        assert (each["lowest"], each["highest"]) == (values.min(), values.max())
        assert each["measured"] == each["values"] == np.prod(list(each["shape"].values()))
    assert sum(each["points"] for each in found["points"].values()) == REFERENCE.dataset.sizes["point"]
    assert found["failures"] == []


def test_failures_rungs_audits_and_held_out_points_are_told():
    table = failed(status="missing")
    size = table.dataset.sizes["point"]
    places = [json.dumps({"process": "tt", "vdd": vdd}) for vdd in (1.0, 1.05, 1.15)]
    # The reference table has held-out points and audits of its own, as many as its plan asked for.
    told = [name for name, each in table.dataset.items() if {"held_out", "audit"} & set(each.dims)]
    dataset = table.dataset.drop_vars(told).assign(
        point_rung=("point", np.array(["step", *[""] * (size - 2), "step gmin"])),
        held_out_quantity=("held_out", np.array([ENERGY] * 3)),
        held_out_coordinates=("held_out", np.array(places)),
        held_out_error=("held_out", np.array([0.01, 0.03, np.nan])),
        held_out_reason=("held_out", np.array(["", "", "timeout: killed after 600 s"])),
        audit_quantity=("audit", np.array([ENERGY])),
        audit_coordinates=("audit", np.array(places[:1])),
        audit_error=("audit", np.array([np.nan])),
    )
    dataset[ENERGY].attrs |= {"numerical_error": np.float64(1e-3), "interpolation_error": 0.03, "interpolation": "log"}
    del dataset["driver_energy"].attrs["numerical_error"]
    found = summary(Table(dataset=dataset))
    assert found["points"]["sram6t"] == {"points": COUNT, "missing": 1, "ok": COUNT - 1, "rungs": {"step": 1}}
    assert found["points"]["sequential"]["rungs"] == {"gmin": 1, "step": 1}
    ((failure),) = found["failures"]
    assert failure["status"] == "missing"
    assert failure["reason"] == "timeout: killed after 600 s"
    assert place_text(failure["place"], "sram6t") == f"tt, vdd 0.99, temperature_c 27, rows {ROWS[1]}"
    where = {"process": "tt", "vdd": 1.05}
    assert found["held_out"] == {
        ENERGY: {"points": 3, "largest": 0.03, "where": where, "unknown": 1, "reasons": ["timeout: killed after 600 s"]}
    }
    assert found["audit"] == {ENERGY: {"points": 1, "largest": None, "where": {}, "unknown": 1, "reasons": []}}
    quantity = found["quantities"][ENERGY]
    assert (quantity["measured"], quantity["interpolation"], quantity["numerical_error"]) == (COUNT - 1, "log", 1e-3)
    assert "numerical_error" not in found["quantities"]["driver_energy"]


def test_every_point_is_where_its_index_stands():
    for number in range(0, REFERENCE.dataset.sizes["point"], 17):
        bench = str(REFERENCE.dataset["point_bench"].values[number])
        assert REFERENCE.dataset[f"{bench}_point"].sel(PLACES[number]).item() == number


def test_a_table_is_no_other_than_itself():
    found = difference(REFERENCE, changed())
    assert found.same
    assert not found.provenance
    assert max(each["largest"] for each in found.values.values()) == 0.0


@settings(deadline=None, max_examples=15)
@given(st.integers(0, COUNT - 1), st.floats(1e-6, 0.5))
def test_the_largest_difference_is_found_where_it_is(flat, relative):
    place = np.unravel_index(flat, CELL.quantity(ENERGY).shape)
    other = Table(dataset=CELL.dataset.copy(deep=True))
    other.dataset[ENERGY].values[place] *= 1 + relative
    found = difference(CELL, other)
    assert not found.same
    old, new = (table.quantity(ENERGY).values[place] for table in (CELL, other))
    differing = found.values[ENERGY]
    assert differing["largest"] == (new - old) / new
    assert differing["values"] == (old, new)
    assert CELL.quantity(ENERGY).sel(differing["where"]).item() == old
    assert [name for name, each in found.values.items() if each["beyond"]] == [ENERGY]
    # Relative to the larger of the two, so a little less than by how much it was raised.
    assert difference(CELL, other, rtol=relative).same
    assert not difference(CELL, other, rtol=relative / 2).same
    assert difference(other, CELL).values[ENERGY]["largest"] == differing["largest"]


def test_axes_quantities_units_and_points_that_differ():
    narrow = Table(dataset=REFERENCE.dataset.isel(vdd=[0, 1]))
    found = difference(REFERENCE, narrow)
    assert found.axes == {"vdd": ([1.21], [])}
    # What both have is compared, and is equal.
    assert found.values[ENERGY]["largest"] == 0.0
    assert not found.same
    fewer = Table(dataset=REFERENCE.dataset.drop_vars(["driver_delay"]))
    assert difference(fewer, REFERENCE).quantities == ([], ["driver_delay"])
    other = changed()
    other.dataset[ENERGY].attrs["units"] = "W"
    other.dataset.attrs["ngspice"] = "ngspice-99"
    found = difference(REFERENCE, other)
    assert found.units == {ENERGY: ("J", "W")}
    assert found.provenance == {"ngspice": ("ngspice-39", "ngspice-99")}
    found = difference(REFERENCE, failed())
    assert found.points == [
        {"bench": "sram6t", "place": f"tt, vdd 0.99, temperature_c 27, rows {ROWS[1]}", "status": ("ok", "failed")}
    ]
    assert found.values[ENERGY]["measured_in_one"] == 1
    assert difference(failed(), failed()).same


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("first", "second", "beyond", "measured_in_one"),
    [
        (np.inf, np.inf, 0, 0),
        (np.nan, np.nan, 0, 0),
        (np.inf, np.nan, 0, 1),
        (np.inf, -np.inf, 1, 0),
        (np.inf, 1e-9, 1, 0),
        (0.0, -np.inf, 1, 0),
        (np.nan, 1e-9, 0, 1),
        (1e308, -1e308, 1, 0),
        (0.0, -0.0, 0, 0),
    ],
)
def test_an_infinite_value_is_one(first, second, beyond, measured_in_one):
    """A write that never ends is neither one that failed to be simulated nor one that ends."""
    tables = [Table(dataset=CELL.dataset.copy(deep=True)) for _ in range(2)]
    for table, value in zip(tables, (first, second), strict=True):
        table.dataset[ENERGY].values[0, 1, 0, 2] = value
    for a, b in (tables, tables[::-1]):
        found = difference(a, b, rtol=0.999)
        assert (found.values[ENERGY]["beyond"], found.values[ENERGY]["measured_in_one"]) == (beyond, measured_in_one)
        assert found.same is not bool(beyond or measured_in_one)
        assert bool(found.values[ENERGY]["largest"]) == bool(beyond)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.99, 1.21), st.floats(27, 125), st.floats(16, 256), st.sampled_from(["tt", "ff", "ss"]))
def test_weights_give_the_looked_up_value(vdd, temperature, rows, process):
    found = origin(REFERENCE, ENERGY, process=process, vdd=vdd, temperature_c=temperature, rows=rows)
    looked_up = Lookup(REFERENCE)(ENERGY, process=process, vdd=vdd, temperature_c=temperature, sram6t_rows=rows)
    assert found.value == looked_up
    assert 1 <= len(found.nodes) <= 8
    assert all(node.weight > 0 for node in found.nodes)
    # Two ways to the same sum: rounding alone.
    assert sum(node.weight for node in found.nodes) == pytest.approx(1, rel=1e-12)
    assert sum(node.weight * node.value for node in found.nodes) == pytest.approx(looked_up, rel=1e-12, abs=0)
    for node in found.nodes:
        assert node.value == REFERENCE.quantity(ENERGY).sel(node.place)
        assert PLACES[node.point] == node.place
        assert node.decks


def test_a_node_is_its_own_origin():
    for vdd in (0.99, 1.1, 1.21):
        (node,) = origin(REFERENCE, ENERGY, vdd=vdd, temperature_c=125, rows=256).nodes
        assert (node.weight, node.place["vdd"], node.place["sram6t_rows"]) == (1.0, vdd, 256)


def test_the_logarithm_is_interpolated_where_the_table_says_so():
    log = changed()
    log.dataset[ENERGY].attrs["interpolation"] = "log"
    found = origin(log, ENERGY, vdd=1.0, temperature_c=60, rows=40)
    assert found.interpolation == "log"
    expected = np.exp(sum(node.weight * np.log(node.value) for node in found.nodes))
    assert found.value == pytest.approx(expected, rel=1e-12, abs=0)


def test_labels_and_axes_of_a_quantity():
    place = {"vdd": 1.1, "temperature_c": 27, "segments": 1}
    # column_rows has one node: it need not be said.
    whole = origin(REFERENCE, "column_event_energy", **place)
    assert list(whole.labels) == ["component", "event"]
    one = origin(REFERENCE, "column_event_energy", labels={"component": "cells", "event": "r"}, **place)
    at = whole.labels["component"].index("cells"), whole.labels["event"].index("r")
    assert one.value == whole.value[at] == one.nodes[0].value
    assert one.labels == {}
    # An axis of numbers that is the quantity's own is a coordinate, too.
    driver = origin(REFERENCE, "driver_energy", vdd=1.1, temperature_c=27, line_load=1.5e-15)
    assert [node.place["line_load"] for node in driver.nodes] == [1e-15, 2e-15]


def test_a_failed_node_gives_no_value_and_its_reason():
    found = origin(failed(), ENERGY, vdd=1.0, temperature_c=27, rows=ROWS[1])
    assert found.value is None
    assert "killed after 600 s" in found.reason
    assert [(node.status, bool(np.isnan(node.value))) for node in found.nodes] == [("failed", True), ("ok", False)]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ({"vdd": 2.0}, OutsideTableError, "vdd = 2 is outside"),
        ({"process": "xx"}, TableError, "no process corner 'xx'"),
        ({"rows": None}, TableError, re.escape(f"give sram6t_rows ({', '.join(map(str, ROWS))})")),
        ({"lines": 3}, TableError, "has no axis 'lines'"),
        ({"labels": {"bit": "0"}}, TableError, "has no axis 'bit'"),
        ({"labels": {"vdd": "1.1"}}, TableError, "has no axis 'vdd' of labels"),
        ({"name": "nothing"}, TableError, "no quantity 'nothing'"),
    ],
)
def test_wrong_questions(call, error, words):
    given = {"name": ENERGY, "vdd": 1.1, "temperature_c": 27, "rows": 64, **call}
    with pytest.raises(error, match=words):
        origin(REFERENCE, given.pop("name"), **{key: value for key, value in given.items() if value is not None})
