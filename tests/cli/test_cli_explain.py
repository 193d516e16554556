"""``pyspice-cim explain``: a number back to its decks, in words and in JSON, and run again."""

import json

import h5py
import pytest

PLAN = """name = "drivers"
technology = "generic45lp"
[corners]
process = ["tt"]
vdd = [1.0, 1.1]
temperature_c = [27.0]
[benches.driver]
"""
PLACE = ["driver_energy", "--vdd", 1.05, "--at", "line_load=1e-15"]


@pytest.fixture
def table(cim, tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN)
    ran = cim("characterize", tmp_path / "plan.toml", "--out", tmp_path / "t.h5", "--workers", 1)
    assert ran.status == 0, ran.err
    return tmp_path / "t.h5"


def test_a_value_its_nodes_and_the_cache(cim, table):
    ran = cim("explain", table, *PLACE)
    assert ran.status == 0, ran.err
    for words in (
        "driver_energy = ",
        "fJ",
        "50.00%  tt, vdd 1, temperature_c 27",
        "outcome cached",
        "the stored value",
    ):
        assert words in ran.out, ran.out
    printed = json.loads(cim("explain", table, *PLACE, "--json").out)
    assert [node["weight"] for node in printed["nodes"]] == pytest.approx([0.5, 0.5])
    assert printed["value"] == pytest.approx(sum(node["value"] / 2 for node in printed["nodes"]), rel=1e-12, abs=0)
    assert all(node["all_cached"] and node["status"] == "ok" for node in printed["nodes"])
    assert printed["provenance"]["plan"] == "drivers"


def test_run_again_equals_the_table_bit_for_bit(cim, table, tmp_path):
    ran = cim("explain", table, *PLACE, "--run", "--workers", 1, "--decks", tmp_path / "decks")
    assert ran.status == 0, ran.out + ran.err
    assert ran.out.count("equal to the stored value bit for bit") == 2
    kept = {suffix: {path.stem for path in (tmp_path / "decks").glob(f"*{suffix}")} for suffix in (".cir", ".raw")}
    assert kept[".cir"] and kept[".cir"] == kept[".raw"]


def test_a_value_that_was_edited_is_status_1_and_another_ngspice_is_said(cim, table):
    with h5py.File(table, "r+") as file:
        file["driver_energy"][...] *= 1.001
    ran = cim("explain", table, *PLACE, "--run", "--workers", 1, "--json")
    assert ran.status == 1
    printed = json.loads(ran.out)
    assert [node["equal"] for node in printed["nodes"]] == [False, False]
    assert printed["nodes"][0]["largest_difference"] == pytest.approx(1 - 1 / 1.001, rel=1e-6)
    with h5py.File(table, "r+") as file:
        file.attrs["ngspice"] = "ngspice-12"
    ran = cim("explain", table, *PLACE, "--run", "--workers", 1)
    assert ran.status == 0
    assert "note: the table was made with ngspice-12, here is ngspice-" in ran.out
    assert "not the stored value" in ran.out and "see the notes" in ran.out
    # The cache holds nothing of that ngspice.
    assert "outcome not cached" in cim("explain", table, *PLACE).out


def test_a_technology_of_the_users(cim, table, tmp_path):
    with h5py.File(table, "r+") as file:
        file.attrs["technology"] = "mine"
    ran = cim("explain", table, *PLACE)
    # The value is in the table; where the decks are from is not known.
    assert ran.status == 0
    assert "note: table t.h5 is of technology 'mine'" in ran.out
    ran = cim("explain", table, *PLACE, "--decks", tmp_path / "decks")
    assert (ran.status, ran.out) == (2, "")
    assert "--technology FILE.toml" in ran.err
    assert not (tmp_path / "decks").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing", "--vdd", 1.0], "no quantity 'nothing'"),
        (["driver_energy", "--vdd", 1.0], "give line_load"),
        (["driver_energy", "--vdd", 2, "--at", "line_load=1e-15"], "vdd = 2 is outside"),
        (["driver_energy", "--vdd", 1.0, "--at", "line_load=big"], "'big' is no number"),
        (["driver_energy", "--vdd", 1.0, "--at", "vdd=1"], "vdd is given twice"),
        ([*PLACE, "--label", "bit=0"], "has no axis 'bit'"),
        ([*PLACE, "--process", "ss"], "no process corner 'ss'"),
        ([*PLACE, "--technology", "generic65"], "not 'generic65'"),
        ([*PLACE, "--workers", 0], "workers is 0"),
    ],
)
def test_bad_input_is_one_line_and_status_2(cim, table, arguments, words):
    ran = cim("explain", table, *arguments)
    assert (ran.status, ran.out) == (2, ""), ran.out
    assert words in ran.err
    assert "Traceback" not in ran.err
