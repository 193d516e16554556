"""``pyspice-cim table info | diff | plot``."""

import json
import shutil

import h5py
import matplotlib.image
import numpy as np
import pytest

from pyspice_cim.resources import shipped
from pyspice_cim.tables import Table, load_table, save_table

TABLE = shipped("reference", "generic45lp.h5")
ENERGY = "sram6t_read_energy"
RAISED = {"process": "tt", "vdd": 1.1, "temperature_c": 27.0, "sram6t_rows": 256}

_PLOT = ["plot", TABLE, ENERGY, "--against", "vdd", "--temperature", 27, "--out", "x.png"]


@pytest.fixture
def other(tmp_path):
    """The reference table with one value one per cent up, and one point failed."""
    dataset = load_table(TABLE).dataset.copy(deep=True)
    dataset[ENERGY].loc[RAISED] *= 1.01
    dataset["point_status"] = dataset["point_status"].astype("U8")
    dataset["point_reason"] = dataset["point_reason"].astype("U64")
    dataset["point_status"][0], dataset["point_reason"][0] = "missing", "the budget of 9 s ran out"
    save_table(Table(dataset=dataset), tmp_path / "other.h5")
    return tmp_path / "other.h5"


@pytest.mark.parametrize("command", ["info", "diff", "plot"])
def test_every_subcommand_has_an_example(cim, command):
    assert f"Example: pyspice-cim table {command}" in " ".join(cim("table", command, "--help").out.split())


def test_info_in_words_and_in_json(cim, other, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    ran = cim("table", "info", other)
    assert ran.status == 0, ran.err
    words = " ".join(ran.out.replace("│", " ").split())
    for expected in ("technology generic45lp", "ngspice-39", "0.99 V, 1.1 V, 1.21 V", "sram6t_read_energy", "fJ"):
        assert expected in words
    assert "sram6t tt, vdd 0.99, temperature_c 27, rows 16 missing the budget of 9 s ran out" in words
    printed = json.loads(cim("table", "info", other, "--json").out)
    assert printed["sha256"] == load_table(other).sha256
    assert printed["quantities"][ENERGY]["unit"] == "J"
    assert printed["failures"][0]["place"]["sram6t_rows"] == 16


def test_diff_says_what_and_where_and_its_status_is_1(cim, other):
    same = cim("table", "diff", TABLE, TABLE)
    assert (same.status, same.out.strip()) == (0, "The same bit for bit.")
    ran = cim("table", "diff", TABLE, other)
    assert ran.status == 1
    words = " ".join(ran.out.replace("│", " ").split())
    assert "ok in the first, missing in the second" in words
    assert "The tables differ." in words
    printed = json.loads(cim("table", "diff", TABLE, other, "--json", "--rtol", "0.02").out)
    found = printed["values"][ENERGY]
    assert found["largest"] == pytest.approx(1 - 1 / 1.01, rel=1e-9)
    assert found["where"] == RAISED
    assert found["beyond"] == 0
    # The value is within the tolerance; the point that ended otherwise is not a matter of tolerance.
    assert printed["same"] is False


def test_diff_of_an_infinite_value_and_none(cim, tmp_path):
    for name, value in (("a", np.inf), ("b", np.nan), ("c", 1e-15)):
        shutil.copyfile(TABLE, tmp_path / f"{name}.h5")
        with h5py.File(tmp_path / f"{name}.h5", "a") as file:
            file[ENERGY][0, 1, 0, -1] = value
    ran = cim("table", "diff", tmp_path / "a.h5", tmp_path / "b.h5")
    assert (ran.status, ran.err) == (1, ""), ran.out
    assert "The tables differ." in ran.out
    ran = cim("table", "diff", tmp_path / "a.h5", tmp_path / "c.h5")
    assert (ran.status, ran.err) == (1, ""), ran.out
    assert "inf %" in ran.out and "rows 256" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        [ENERGY, "--against", "rows", "--vdd", 1.1, "--temperature", 27],
        ["sram8t_leakage_power", "--against", "temperature_c", "--vdd", 1.1, "--at", "rows=16", "--label", "bit=0"],
        ["driver_delay", "--against", "line_load", "--vdd", 1.1, "--temperature", 27],
    ],
)
def test_plot_draws_and_draws_the_same_again(cim, tmp_path, arguments):
    out = tmp_path / "figure.png"
    ran = cim("table", "plot", TABLE, *arguments, "--out", out)
    assert (ran.status, ran.out) == (0, ""), ran.err
    picture = matplotlib.image.imread(out)
    assert picture.shape[0] > 300 and picture.shape[1] > 500
    # Lines in colour, not axes alone.
    assert np.ptp(picture[..., :3], axis=-1).max() > 0.4
    first = out.read_bytes()
    cim("table", "plot", TABLE, *arguments, "--out", out)
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "gone.h5"], "no table at gone.h5"),
        (["diff", TABLE, "gone.h5"], "no table at gone.h5"),
        (["diff", TABLE, TABLE, "--rtol", "2"], "rtol is 2"),
        (["plot", TABLE, "nothing", "--against", "vdd", "--out", "x.png"], "no quantity 'nothing'"),
        (["plot", TABLE, ENERGY, "--against", "lines", "--out", "x.png"], "has no axis 'lines'"),
        (["plot", TABLE, ENERGY, "--against", "process", "--out", "x.png"], "process has labels, no numbers"),
        (["plot", TABLE, ENERGY, "--against", "vdd", "--out", "x.png"], "choose one with --at temperature_c=NODE"),
        (["plot", TABLE, ENERGY, "--against", "vdd", "--vdd", "1.1", "--out", "x.png"], "which is also fixed"),
        (
            ["plot", TABLE, ENERGY, "--against", "vdd", "--temperature", 27, "--at", "rows=20", "--out", "x.png"],
            "sram6t_rows has no node 20",
        ),
        (["plot", TABLE, ENERGY, "--against", "vdd", "--at", "rows", "--out", "x.png"], "write it as --at axis=value"),
        (["plot", TABLE, ENERGY, "--against", "vdd", "--process", "xx", "--out", "x.png"], "process has no node xx"),
        *(
            ([*_PLOT, "--at", f"{name}=1"], f"has no axis '{name}'")
            for name in ("table", "name", "labels", "path", "against")
        ),
        ([*_PLOT, "--at", "process=1"], "give --process"),
        ([*_PLOT, "--label", "process=ff"], "give --process"),
        (["plot", TABLE, ENERGY, "--against", "vdd", "--out", "x.doc"], "ends in .png, .pdf or .svg"),
        (["plot", TABLE, ENERGY, "--against", "vdd", "--out", "no/x.png"], "cannot write no/x.png"),
    ],
)
def test_bad_input_is_one_line_and_status_2(cim, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    ran = cim("table", *arguments)
    assert (ran.status, ran.out) == (2, ""), ran.out
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert list(tmp_path.iterdir()) == []


def test_labels_are_drawn_as_they_are(cim, tmp_path):
    dataset = load_table(TABLE).dataset.copy(deep=True)
    dataset[ENERGY].attrs["units"] = "$J^$"
    dataset = dataset.assign_coords(process=["$tt^$", "ff", "ss"])
    save_table(Table(dataset=dataset), tmp_path / "t.h5")
    place = ["--vdd", 1.1, "--temperature", 27, "--out", tmp_path / "x.png"]
    ran = cim("table", "plot", tmp_path / "t.h5", ENERGY, "--against", "rows", *place)
    assert ran.status == 0, ran.err


def test_lines_along_two_axes_at_once_are_refused(cim, tmp_path):
    place = ["--temperature", 27, "--at", "segments=1"]
    ran = cim("table", "plot", TABLE, "column_event_energy", "--against", "vdd", *place, "--out", tmp_path / "x.png")
    assert ran.status == 2
    assert "lines along process and component and event at once" in ran.err
