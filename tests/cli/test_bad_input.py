"""Bad input: a message that names what and where, exit status 2, no traceback, no partial file."""

import json
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.characterization.spice import ngspice
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table
from pyspice_cim.technology.loader import builtin_folder

TABLE = shipped("reference", "generic45lp.h5")
NETWORK = shipped("networks", "digits.h5")
PLAN = """
name = "small"
technology = "generic45lp"
[corners]
process = ["tt"]
vdd = [1.1]
temperature_c = [27.0]
[benches.driver]
"""


@pytest.fixture
def refused(cim, tmp_path):
    """Runs a command that must refuse: status 2, one message with these words, and no file that was not there before."""

    def check(arguments, *words):
        before = sorted(tmp_path.rglob("*"))
        ran = cim(*arguments)
        assert ran.status == 2, (ran.out, ran.err)
        assert ran.out == ""
        assert "Traceback" not in ran.err
        for word in words:
            assert word in ran.err, ran.err
        assert sorted(tmp_path.rglob("*")) == before
        return ran.err

    return check


def written(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"generic45lp"', '"generic44"', ["no technology 'generic44'", "generic45lp"]),
        ('name = "small"', 'name = "small"\ncolour = "red"', ["small.toml", "colour", "red"]),
        ('["tt"]', '["xx"]', ["'xx'", "tt"]),
        ("[1.1]", "[5.0]", ["vdd = 5 V", "outside"]),
        ("[27.0]", "[400.0]", ["400"]),
        ("[1.1]", "[1.1, 1.1]", ["small.toml", "corners.vdd", "must rise"]),
        ("[benches.driver]", "[benches.sram9t]\nrows = [8]", ["small.toml", "benches.sram9t", "sram8t"]),
        ("[benches.driver]", "[benches.sram8t]\nlines = [8]", ["small.toml", "benches.sram8t", "rows"]),
        ("[benches.driver]", "[benches.sram8t]\nrows = [-8]", ["benches.sram8t.rows", "-8"]),
        ("[corners]", "[corners", ["small.toml", "TOML"]),
    ],
)
def test_a_plan_that_is_wrong(refused, tmp_path, old, new, words):
    assert old in PLAN
    plan = written(tmp_path / "small.toml", PLAN.replace(old, new))
    refused(["characterize", plan, "--out", tmp_path / "t.h5"], *words)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("[" + "9" * 5000 + "]", "not valid TOML"),
        ("[0x" + "f" * 5000 + "]", "benches.sram8t.rows"),
        ("[" * 20000, "not valid TOML"),
    ],
    ids=["digits", "hexadecimal", "nested"],
)
def test_a_plan_that_python_cannot_read(refused, tmp_path, rows, words):
    plan = written(tmp_path / "small.toml", PLAN.replace("[benches.driver]", f"[benches.sram8t]\nrows = {rows}"))
    refused(["characterize", plan, "--out", tmp_path / "t.h5"], "small.toml", words)


def test_a_plan_that_is_not_there(refused, tmp_path):
    refused(["characterize", "nothing", "--out", tmp_path / "t.h5"], "nothing", "demo.toml")


def test_an_output_that_cannot_be_written_is_known_before_the_run(refused, tmp_path, fake_ngspice):
    fake_ngspice(f"touch {tmp_path}/ran")
    plan = written(tmp_path / "small.toml", PLAN)
    refused(["characterize", plan, "--out", tmp_path / "no" / "t.h5"], "cannot write", "no/t.h5")
    refused(["characterize", plan, "--out", tmp_path], "it is a folder")
    refused(["characterize", plan, "--out", tmp_path / "t.h5", "--workers", "0"], "workers is 0")


@pytest.mark.parametrize("given", ["name", "path", "link"])
def test_a_table_does_not_replace_its_plan(refused, tmp_path, given):
    plan = written(tmp_path / "small.toml", PLAN)
    (tmp_path / "link").symlink_to(plan)
    out = {"name": plan, "path": tmp_path / "." / "small.toml", "link": tmp_path / "link"}[given]
    refused(["characterize", plan, "--out", out], "is the plan itself", "small.h5" if given != "link" else "link.h5")
    assert plan.read_text() == PLAN


def test_a_table_replaces_tables_and_empty_files_alone(cim, refused, tmp_path, fake_ngspice):
    fake_ngspice("exit 1")
    plan = written(tmp_path / "small.toml", PLAN)
    shutil.copyfile(NETWORK, tmp_path / "network.h5")
    written(tmp_path / "notes.txt", "months of work")
    for name in ("network.h5", "notes.txt"):
        before = (tmp_path / name).read_bytes()
        refused(["characterize", plan, "--out", tmp_path / name], name, "no table of this package", "another name")
        assert (tmp_path / name).read_bytes() == before
    shutil.copyfile(TABLE, tmp_path / "old.h5")
    written(tmp_path / "empty", "")
    for name in ("old.h5", "empty"):
        assert cim("characterize", plan, "--out", tmp_path / name, "--workers", 1).status == 1
        assert load_table(tmp_path / name).dataset.attrs["plan"] == "small"


LONG = "n" * 300


@pytest.mark.parametrize(
    "command",
    [
        ["characterize", LONG, "--out", "t.h5"],
        ["characterize", "demo", "--out", LONG],
        ["table", "info", LONG],
        ["table", "plot", LONG, "x", "--against", "vdd", "--out", "x.png"],
        ["table", "plot", TABLE, "x", "--against", "vdd", "--out", LONG + ".png"],
        ["technology", "check", LONG],
        ["explain", LONG, "x"],
        ["simulate", LONG],
    ],
    ids=lambda command: " ".join(str(part)[:12] for part in command),
)
def test_a_name_that_is_too_long_for_the_system(refused, command):
    refused(command, "nnn")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--technology", "generic44"], ["no technology 'generic44'"]),
        (["--technology", "generic65", "--table", TABLE], ["'generic45lp'", "'generic65'"]),
        (["--vdd", "5"], ["vdd = 5", "outside table"]),
        (["--temperature", "300"], ["temperature_c = 300"]),
        (["--process", "xx"], ["process corner 'xx'"]),
        (["--rows", "4"], ["rows is 4"]),
        (["--rows", "1000"], ["rows is 1000"]),
        (["--table", "nothing.h5"], ["nothing.h5", "pyspice-cim characterize"]),
    ],
)
@pytest.mark.parametrize("command", ["simulate", "validate"])
def test_conditions_that_the_table_does_not_hold(refused, command, arguments, words):
    refused([command, *arguments], *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--neurons", "0"], ["neurons is 0"]),
        (["--weight-bits", "9"], ["weight_bits is 9"]),
        (["--membrane-bits", "40"], ["membrane_bits is 40"]),
        (["--steps", "0"], ["steps is 0"]),
        (["--vectors", "-1"], ["vectors is -1"]),
        (["--seed", "-1"], ["seed is -1"]),
    ],
)
def test_a_co_simulation_that_makes_no_sense(refused, arguments, words):
    refused(["validate", *arguments], *words)


def test_a_usage_error_is_status_2(refused):
    refused(["simulate", "--energy", "free"], "free")
    refused(["validate", "--neurons", "four"], "--neurons", "integer")
    refused(["nothing"], "nothing")


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("theta", 200, ["layers/0", "theta is 200", "127"]),
        ("theta", 0, ["theta is 0"]),
        ("lambda", 128, ["lambda_ is 128"]),
        ("membrane_bits", 99, ["membrane_bits is 99"]),
        ("weight_bits", 2, ["weights hold", "weight_bits = 2"]),
    ],
)
def test_a_network_that_does_not_fit_its_bits(refused, tmp_path, attribute, value, words):
    copy = tmp_path / "network.h5"
    shutil.copyfile(NETWORK, copy)
    with h5py.File(copy, "a") as file:
        file["layers/0"].attrs[attribute] = value
    refused(["simulate", copy], "network.h5", *words)


def test_a_network_that_is_none(refused, tmp_path):
    refused(["simulate", "nothing"], "nothing", "digits.h5")
    refused(["simulate", TABLE], "generic45lp.h5", "schema")
    short = tmp_path / "short.h5"
    short.write_bytes(NETWORK.read_bytes()[:2000])
    refused(["simulate", short], "short.h5", "cut short")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (lambda s: {"spikes": 2 * s}, ["0 or 1"]),
        (lambda s: {"spikes": 0.5 * s}, ["0 or 1"]),
        (lambda s: {"spikes": s[..., :5]}, ["64"]),
        (lambda s: {"spikes": s[0]}, ["(time, batch, inputs)"]),
        (lambda s: {"spikes": s, "labels": np.zeros(7, int)}, ["labels"]),
        (lambda s: {"events": s}, ["spikes", "events"]),
    ],
)
def test_spikes_that_are_none(refused, tmp_path, arrays, words):
    spikes = np.ones((3, 2, load_network(NETWORK).shape[0]), dtype=np.int64)
    np.savez(tmp_path / "data.npz", **arrays(spikes))
    refused(["simulate", "--data", tmp_path / "data.npz"], *words)


def test_data_that_are_none(refused, tmp_path):
    refused(["simulate", "--data", "letters"], "letters", "digits")
    refused(["simulate", "--data", tmp_path / "no.npz"], "no.npz")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK nothing")
    refused(["simulate", "--data", broken], "broken.npz")
    refused(["simulate", "--samples", "0"], "samples is 0")


@pytest.mark.parametrize("command", ["simulate", "validate"])
def test_a_table_that_is_none(refused, tmp_path, command):
    table = tmp_path / "table.h5"
    table.write_bytes(TABLE.read_bytes()[:9000])
    refused([command, "--table", table], "table.h5", "cut short")
    refused([command, "--table", NETWORK], "digits.h5", "schema")
    shutil.copyfile(TABLE, table)
    with h5py.File(table, "a") as file:
        file.attrs["schema_version"] = 99
    refused([command, "--table", table], "table.h5", "schema version", "99")
    shutil.copyfile(TABLE, table)
    with h5py.File(table, "a") as file:
        file.attrs["technology"] = "generic65"
    refused([command, "--table", table, "--technology", "generic45lp"], "generic65")


def test_a_table_with_a_corner_twice(refused, tmp_path):
    table = tmp_path / "table.h5"
    shutil.copyfile(TABLE, table)
    with h5py.File(table, "a") as file:
        file["process"][1] = file["process"][0]
    for command in (["explain", table, "sram6t_read_energy", "--vdd", "1.1"], ["table", "info", table]):
        refused(command, "table.h5", "a node of the axis process twice", "'tt', 'tt'")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.attrs.update(schema=[1, 2]), "schema"),
        (lambda file: file.attrs.update(schema_version="abc"), "schema version abc"),
        (lambda file: file.pop("point_bench"), "lacks point_bench"),
        (lambda file: file.pop("sram6t_point"), "lacks sram6t_point"),
        (lambda file: file["sram6t_read_energy"].attrs.pop("bench"), "attribute bench"),
        (lambda file: file["vdd"].__setitem__(1, np.nan), "axis vdd that is no finite number"),
    ],
)
def test_a_file_that_is_not_quite_a_table(refused, tmp_path, spoil, words):
    table = tmp_path / "table.h5"
    shutil.copyfile(TABLE, table)
    with h5py.File(table, "a") as file:
        spoil(file)
    place = ["--against", "rows", "--vdd", "1.1", "--temperature", "27"]
    for command in (
        ["table", "info", table],
        ["table", "diff", TABLE, table],
        ["table", "plot", table, "sram6t_read_energy", *place, "--out", tmp_path / "x.png"],
        ["explain", table, "sram6t_read_energy", "--vdd", "1.1", "--temperature", "27", "--at", "rows=16"],
    ):
        refused(command, "table.h5", words)
    if words == "schema":
        plan = written(tmp_path / "small.toml", PLAN)
        refused(["characterize", plan, "--out", table], "table.h5", "no table of this package")


@pytest.mark.parametrize("name", ["table", "name", "labels"])
def test_a_name_that_is_no_axis(refused, name):
    explain = ["explain", TABLE, "sram6t_read_energy", "--vdd", "1.1", "--temperature", "27", "--at", "rows=16"]
    refused([*explain, "--at", f"{name}=1"], f"has no axis '{name}'")
    refused([*explain, "--at", "process=1"], "give --process")
    refused([*explain, "--label", "process=ff"], "give --process")


def test_failures_in_json_have_their_place(cim, tmp_path, fake_ngspice):
    fake_ngspice("exit 1")
    plan = written(tmp_path / "small.toml", PLAN.replace("[1.1]", "[1.0, 1.1]"))
    ran = cim("characterize", plan, "--out", tmp_path / "t.h5", "--workers", 1, "--json")
    failures = json.loads(ran.out)["failures"]
    assert [each["place"] for each in failures] == [
        {"process": "tt", "vdd": vdd, "temperature_c": 27.0} for vdd in (1.0, 1.1)
    ]
    assert {(each["bench"], each["status"]) for each in failures} == {("driver", "failed")}
    assert all("ended with status 1" in each["reason"] for each in failures)


def test_ngspice_is_missing(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("NGSPICE", "/nonexistent")
    plan = written(tmp_path / "small.toml", PLAN)
    for command in (
        ["characterize", plan, "--out", tmp_path / "t.h5"],
        ["validate"],
        ["technology", "show", "generic45lp"],
    ):
        refused(command, "/nonexistent", "apt-get install ngspice")


def test_ngspice_is_something_else(refused, tmp_path, fake_ngspice):
    fake_ngspice("exit 0", version="echo hello")
    plan = written(tmp_path / "small.toml", PLAN)
    for command in (["characterize", plan, "--out", tmp_path / "t.h5"], ["validate"]):
        refused(command, "--version", "NGSPICE")


def test_ngspice_is_too_old(cim, refused, tmp_path, fake_ngspice):
    fake_ngspice("exit 0", version="echo '** ngspice-17 : Circuit level simulation program'")
    refused(["characterize", written(tmp_path / "small.toml", PLAN), "--out", tmp_path / "t.h5"], "ngspice-17", "34")
    ran = cim("doctor", "--json")
    (check,) = (each for each in json.loads(ran.out)["checks"] if each["name"] == "ngspice")
    assert ran.status == 1 and not check["ok"] and "ngspice-17, and ngspice-34 or newer" in check["found"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 1", "ended with status 1"),
        ("exit 0", "wrote no result"),
        ("printf garbage > deck.raw", "deck.raw"),
        ("head -c 3000 /dev/zero > deck.raw", "deck.raw"),
        ("kill -9 $$", "killed: ngspice ended by SIGKILL"),
        ("kill -SEGV $$", "crashed: ngspice ended by SIGSEGV"),
    ],
)
def test_ngspice_fails_or_writes_garbage(cim, tmp_path, fake_ngspice, script, reason):
    fake_ngspice(script)
    ran = cim("characterize", written(tmp_path / "small.toml", PLAN), "--out", tmp_path / "t.h5", "--workers", 1)
    assert ran.status == 1, (ran.out, ran.err)
    assert "Traceback" not in ran.err
    assert reason in " ".join(ran.out.replace("│", " ").split())


def test_ngspice_hangs(cim, tmp_path, fake_ngspice, monkeypatch):
    fake_ngspice("sleep 300")
    # The same way for every deck, in a second and not in ten minutes.
    run_child = ngspice.run_child
    monkeypatch.setattr(ngspice, "run_child", lambda program, folder, timeout: run_child(program, folder, 1.0))
    ran = cim("characterize", written(tmp_path / "small.toml", PLAN), "--out", tmp_path / "t.h5", "--workers", 4)
    assert ran.status == 1 and "Traceback" not in ran.err
    assert "timeout: killed after 600 s" in " ".join(ran.out.replace("│", " ").split())


def test_ngspice_goes_away_in_the_middle(cim, tmp_path, fake_ngspice, monkeypatch):
    fake_ngspice(f'{shutil.which("ngspice")} "$@"; status=$?; rm "$0"; exit $status')
    command = ["characterize", written(tmp_path / "small.toml", PLAN), "--out", tmp_path / "t.h5", "--workers", 1]
    ran = cim(*command)
    assert (ran.status, ran.out) == (2, "") and "Traceback" not in ran.err
    assert "ngspice was not found" in ran.err and "apt-get install ngspice" in ran.err
    assert not (tmp_path / "t.h5").exists()
    monkeypatch.delenv("NGSPICE")
    again = cim(*command, "--json")
    assert again.status == 0 and json.loads(again.out)["simulations_cached"] == 1


def test_a_full_disk_and_a_reader_that_left_are_no_traceback(tmp_path):
    plan = written(tmp_path / "small.toml", PLAN)
    for arguments in (
        ["table", "info", TABLE],
        ["table", "info", TABLE, "--json"],
        ["characterize", plan, "--dry-run"],
        ["--help"],
        ["--version"],
    ):
        command = [sys.executable, "-m", "pyspice_cim", *map(str, arguments)]
        with open("/dev/full", "w") as full:  # noqa: PTH123
            ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        # The progress of a dry run stands before it.
        assert ran.returncode == 2 and ran.stderr.splitlines()[-1].startswith("error: what is printed"), ran.stderr
        assert "No space left" in ran.stderr and "Traceback" not in ran.stderr and "ignored" not in ran.stderr
        reader, writer = os.pipe()
        os.close(reader)
        ran = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
        os.close(writer)
        assert ran.returncode == 1 and "rror" not in ran.stderr, ran.stderr


def test_a_worker_is_killed(cim, tmp_path, fake_ngspice):
    fake_ngspice("kill -9 $PPID")
    ran = cim("characterize", written(tmp_path / "small.toml", PLAN), "--out", tmp_path / "t.h5", "--workers", 2)
    assert (ran.status, ran.out) == (2, "") and "Traceback" not in ran.err
    assert "error: a worker process" in ran.err and "fewer workers" in ran.err
    assert not (tmp_path / "t.h5").exists()


def test_a_cache_that_cannot_be_written(cim, tmp_path, monkeypatch):
    monkeypatch.setenv("PYSPICE_CIM_CACHE", str(written(tmp_path / "file", "")))
    ran = cim("characterize", written(tmp_path / "small.toml", PLAN), "--out", tmp_path / "t.h5", "--workers", 1)
    assert (ran.status, ran.out) == (2, "") and "Traceback" not in ran.err
    assert "cannot write the cache folder" in ran.err and "PYSPICE_CIM_CACHE" in ran.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "soon"], ["'soon' is no length of time", "1h30m"]),
        (["--workers", "9" * 19], ["workers is 9999999999999999999; it must be from 1 to 1024"]),
        (["--budget", "9" * 400], ["too long a time"]),
        (["--budget", "9" * 5000 + "h"], ["too long a time"]),
        (["--budget", "0s"], ["'0s' is no length of time"]),
        (["--executor", "slurm://host:1"], ["'slurm://host:1' is not known", "dask://HOST:PORT"]),
        (["--executor", "dask://host"], ["'dask://host' is not known"]),
        (["--executor", "dask://a b:1"], ["'dask://a b:1' is not known"]),
    ],
)
def test_options_of_a_characterization_that_make_no_sense(refused, tmp_path, options, words):
    plan = written(tmp_path / "small.toml", PLAN)
    refused(["characterize", plan, "--out", tmp_path / "t.h5", *options], *words)
    refused(["characterize", plan], "no table to write is named", "--out", "--dry-run")


def test_decks_that_are_not_there(refused, tmp_path):
    refused(["netlist", "show", "nothing"], "nothing", "column_fire.cir")
    refused(["netlist", "list", "--technology", "nothing"], "nothing")
    (tmp_path / "file").write_text("")
    refused(["netlist", "render", "--out", tmp_path / "file"], "file")


def test_validate_draws_in_the_technology_that_is_given(refused, tmp_path):
    """Its name is the table's, its models are not: what the transistors said would not be what the table holds."""
    for file in builtin_folder().glob("generic45lp*"):
        shutil.copy(file, tmp_path)
    own = tmp_path / "generic45lp.toml"
    own.write_text(own.read_text().replace('source = "', 'source = "changed; ', 1))
    refused(["validate", "--technology", own], "other models of generic45lp")


def test_validate_works_where_the_table_does(refused):
    refused(["validate", "--vdd", 2], "vdd = 2", "generic45lp", "--vdd")
    refused(["validate", "--table", shipped("reference", "sky130.h5"), "--vdd", 1.1], "vdd = 1.1", "sky130", "--vdd")
