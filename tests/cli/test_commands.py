"""Every command does its job: help, tables, JSON that is JSON, exit statuses."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import h5py
import pytest

from pyspice_cim import __version__
from pyspice_cim.cli import COMMANDS
from pyspice_cim.errors import SimulationError
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table
from pyspice_cim.technology.loader import builtin_folder

PLAN = """
name = "drivers"
technology = "{technology}"
[corners]
process = ["tt"]
vdd = [1.1]
temperature_c = [27.0]
[benches.driver]
"""
TABLE = shipped("reference", "generic45lp.h5")


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.format(technology="generic45lp"))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_an_example(cim, command):
    ran = cim(command, "--help")
    assert ran.status == 0
    assert "Usage:" in ran.out
    if command not in ("technology", "netlist", "table"):
        assert f"Example: pyspice-cim {command}" in " ".join(ran.out.split())


@pytest.mark.parametrize("deck_command", ["list", "show", "render"])
def test_subcommands_of_netlist_have_a_help(cim, deck_command):
    assert f"Example: pyspice-cim netlist {deck_command}" in " ".join(
        cim("netlist", deck_command, "--help").out.split()
    )


def test_the_help_lists_every_command_and_the_version_prints(cim):
    printed = cim("--help").out
    assert all(command in printed for command in COMMANDS)
    assert cim("--version").out.strip() == f"pyspice-cim {__version__}"


def test_characterize_writes_a_table_and_repeats_from_the_cache(cim, plan, tmp_path):
    out = tmp_path / "t.h5"
    first = cim("characterize", plan, "--out", out, "--workers", 1, "--json")
    assert first.status == 0, first.err
    summary = json.loads(first.out)
    assert summary["points"] == 1
    assert (summary["failed"], summary["cached"]) == (0, 0)
    assert summary["table_sha256"] == load_table(out).sha256
    assert "1/1 points" in first.err
    again = json.loads(cim("characterize", plan, "--out", out, "--workers", 1, "--json").out)
    assert (again["cached"], again["simulations_cached"]) == (1, summary["simulations"])
    assert again["table_sha256"] == summary["table_sha256"]
    assert again["cpu_seconds"] == 0.0


def test_a_failed_point_is_in_the_table_with_its_reason(cim, plan, tmp_path, fake_ngspice):
    fake_ngspice("echo 'Fatal: the moon is full' >&2; exit 1")
    ran = cim("characterize", plan, "--out", tmp_path / "t.h5", "--workers", 1)
    assert ran.status == 1
    words = " ".join(ran.out.replace("│", " ").split())
    assert "moon is full" in words
    assert "vdd 1.1" in words
    table = load_table(tmp_path / "t.h5")
    assert "the moon is full" in table.failures()[0][1]


def test_a_dry_run_tells_points_that_cannot_be_built(cim, plan):
    plan.write_text(plan.read_text().replace("driver]", "column]\nrows = [16]\nsegments = [2048, 4096]"))
    ran = cim("characterize", plan, "--dry-run", "--json")
    assert ran.status == 1, ran.err
    told = json.loads(ran.out)
    (bench,) = told["benches"]
    assert told["failed"] == bench["failed"] > 0 and told["cached"] == 0
    assert bench["reasons"] and all(reason.startswith("no netlist: ") for reason in bench["reasons"])
    ran = cim("characterize", plan, "--dry-run")
    assert ran.status == 1 and "failed" in ran.out and f"column: {bench['reasons'][0]}" in ran.out, ran.out


# In the language of rich the first is a colour, the second a smile, and [/old] ends what never began.
@pytest.mark.parametrize("name", ["[red]t.h5", ":smile:.h5", os.fsdecode(b"x\xff.h5")])
def test_paths_and_reasons_are_printed_as_they_are(cim, plan, tmp_path, monkeypatch, fake_ngspice, name):
    monkeypatch.setenv("COLUMNS", "300")
    fake_ngspice("echo 'Fatal: [red]no file [/old] :smile:' >&2; exit 1")
    shown = name.encode(errors="backslashreplace").decode()
    ran = cim("characterize", plan, "--out", tmp_path / name, "--workers", 1)
    assert ran.status == 1, ran.err
    assert f"/{shown} (" in ran.out
    assert "Fatal: [red]no file [/old] :smile:" in ran.out
    told = cim("table", "info", tmp_path / name)
    assert told.status == 0, told.err
    assert told.out.startswith(f"{shown}: technology")
    assert "Fatal: [red]no file [/old] :smile:" in told.out


def test_a_folder_in_brackets_is_printed_as_it_is(cim, tmp_path, monkeypatch, fake_ngspice):
    monkeypatch.setenv("COLUMNS", "300")
    folder = tmp_path / "pdk [/old]"
    folder.mkdir(parents=True)
    for file in builtin_folder().glob("generic45lp*"):
        shutil.copy(file, folder)
    mine = folder / "generic45lp.toml"
    mine.write_text(mine.read_text().replace('source = "', 'source = "[/old]; ', 1))
    assert f"decks of {mine}" in cim("netlist", "list", "--technology", mine).out
    fake_ngspice("echo 'Fatal: [/old]' >&2; exit 1")
    ran = cim("technology", "check", mine)
    assert ran.status == 1 and "[/old]" in ran.out, ran.err
    ran = cim("validate", "--neurons", 2, "--inputs", 4, "--membrane-bits", 4, "--steps", 1, "--vectors", 1)
    assert ran.status == 1 and "could not be simulated: " in ran.out and "[/old]" in ran.out, ran.err
    monkeypatch.setenv("PYSPICE_CIM_CACHE", str(folder / "cache"))
    assert "pdk [/old]/cache" in cim("doctor").out


def test_simulate_reports_in_words_and_in_json(cim, tmp_path):
    words = cim("simulate", "--samples", 12)
    assert words.status == 0, words.err
    for expected in ("accuracy", "energy per SOP", "latency, parallel decay", "latency, sequential decay"):
        assert expected in words.out
    report = tmp_path / "report.json"
    ran = cim("simulate", "digits", "--samples", 12, "--json", "--out", report)
    printed = json.loads(ran.out)
    assert printed == json.loads(report.read_text())
    assert printed["samples"] == 12
    assert printed["energy_per_inference_j"] == pytest.approx(
        sum(printed["energy_components_j"].values()), rel=1e-9, abs=0
    )
    assert printed["provenance"]["table_sha256"] == load_table(TABLE).sha256


def test_simulate_expected_states_its_error(cim):
    printed = json.loads(cim("simulate", "--samples", 40, "--energy", "expected", "--json").out)
    assert 0 < printed["energy_mode_error_rms"] < 0.1


def test_netlist_list_show_and_render(cim, tmp_path):
    listed = json.loads(cim("netlist", "list", "--json").out)
    assert cim("netlist", "show", "column_fire").out.startswith("* one column, one operation: fire")
    rendered = cim("netlist", "render", "--out", tmp_path / "new" / "decks")
    assert rendered.status == 0
    assert sorted(path.name for path in (tmp_path / "new" / "decks").iterdir()) == sorted(listed)


def test_validate_prints_the_comparison(cim):
    ran = cim("validate", "--neurons", 2, "--inputs", 4, "--membrane-bits", 4, "--steps", 1, "--vectors", 1, "--json")
    assert ran.status == 0, ran.err
    printed = json.loads(ran.out)
    assert printed["bits_wrong"] == 0
    assert printed["bits_compared"] > 0
    assert printed["failures"] == []


def test_validate_works_at_the_nominal_supply_of_the_table(cim, monkeypatch):
    asked = {}

    def record(spec, table, engine, *, technology, **conditions):
        asked.update(conditions)
        raise SimulationError("enough")

    monkeypatch.setattr("pyspice_cim.validation.cosimulate", record)
    assert cim("validate", "--table", shipped("reference", "sky130.h5")).status == 2
    assert (asked["vdd"], asked["temperature_c"], asked["process"]) == (1.8, 27.0, "tt")


def test_validate_fails_where_a_vector_cannot_be_simulated(cim, fake_ngspice):
    fake_ngspice("exit 1")
    ran = cim("validate", "--neurons", 2, "--inputs", 4, "--membrane-bits", 4, "--steps", 1, "--vectors", 1, "--json")
    assert ran.status == 1
    printed = json.loads(ran.out)
    assert printed["energy_error_mean_pct"] is None
    assert "ngspice ended with status 1" in printed["failures"][0]


def test_doctor_finds_everything_here(cim):
    ran = cim("doctor", "--json")
    assert ran.status == 0, ran.out
    checks = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert {"Python", "numpy", "ngspice", "cache folder", "reference table", "digits network"} <= set(checks)
    assert "ngspice-" in checks["ngspice"]["found"]
    assert "All is there" in cim("doctor").out


@pytest.mark.parametrize("script", [None, "exit 1", "echo ngspice-99; exit 0"])
def test_doctor_says_how_to_mend_ngspice(cim, fake_ngspice, monkeypatch, script):
    if script is None:
        monkeypatch.setenv("NGSPICE", "/nonexistent/ngspice")
    else:
        fake_ngspice(script)
    ran = cim("doctor")
    assert ran.status == 1
    assert "sudo apt-get install ngspice" in ran.out


def test_doctor_says_how_to_mend_a_cache_and_a_package(cim, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PYSPICE_CIM_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("pyspice_cim.cli.doctor.dependencies", lambda: ["no-such-package"])
    ran = cim("doctor")
    assert ran.status == 1
    assert "PYSPICE_CIM_CACHE=" in ran.out
    assert "-m pip install no-such-package" in ran.out


def test_ctrl_c_is_one_line_and_leaves_nothing(plan, tmp_path, fake_ngspice):
    # A decoy that never ends; it names itself, so that we see it is gone.
    fake_ngspice(f"echo $$ > {tmp_path}/pid; sleep 60")
    command = [sys.executable, "-m", "pyspice_cim", "characterize", str(plan), "--out", str(tmp_path / "t.h5")]
    process = subprocess.Popen([*command, "--workers", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    waited = time.monotonic()
    while not (tmp_path / "pid").exists() and time.monotonic() < waited + 60:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not (tmp_path / "t.h5").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_the_table_of_a_plan_opens_in_plain_h5py(cim, plan, tmp_path):
    cim("characterize", plan, "--out", tmp_path / "t.h5", "--workers", 1)
    with h5py.File(tmp_path / "t.h5") as file:
        assert file.attrs["technology"] == "generic45lp"
