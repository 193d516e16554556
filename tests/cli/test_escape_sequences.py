"""Escape sequences of a file that somebody sent never reach the terminal, whichever command prints them, and where."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyspice_cim.resources import shipped
from pyspice_cim.technology.loader import builtin_folder

TABLE = shipped("reference", "generic45lp.h5")
NETWORK = shipped("networks", "digits.h5")
# Clears the screen, and renames the window; C1 has the same command in one character; then writing turns round.
EVIL = "\x1b[2J\x1b]0;own\x07\x9b2J\x7f\u202egnp"
SHOWN = r"\x1b[2J\x1b]0;own\x07\x9b2J\x7f\u202egnp"
# As a TOML file writes it.
IN_TOML = r"\u001b[2J\u001b]0;own\u0007\u009b2J\u007f\u202egnp"
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
PLACE = ["--vdd", 1.1, "--temperature", 27]


@pytest.fixture(autouse=True)
def wide(monkeypatch, own_cache):
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def shown(cim):
    """Runs a command: it says the text, in one of its streams, and no control character is in either."""

    def check(*arguments, says: str = SHOWN):
        ran = cim(*arguments)
        for stream in (ran.out, ran.err):
            assert not COMMANDS.search(stream), ascii(stream)
        assert "Traceback" not in ran.err
        assert says in ran.out + ran.err, ran.out + ran.err
        return ran

    return check


@pytest.fixture
def table(tmp_path) -> Path:
    """A table whose every text is hostile, as far as a table may hold it."""
    path = tmp_path / "sent.h5"
    shutil.copyfile(TABLE, path)
    with h5py.File(path, "r+") as file:
        for name in ("plan", "package", "ngspice", "plan_sha256", "technology_sha256", "refinement"):
            file.attrs[name] = f"{EVIL} {name}"
        file["driver_energy"].attrs["long_name"] = f"{EVIL} meaning"
        file["driver_energy"].attrs["units"] = f"{EVIL}J"
        file.move("sram6t_read_energy", f"{EVIL}energy")
        for name in ("point_reason", "point_rung", "point_decks"):
            file[name][...] = np.full(file[name].shape, f"{EVIL} {name}", object)
        file["point_status"][0:3] = np.full(3, "failed", object)
        if "held_out_reason" in file:
            file["held_out_reason"][0] = f"{EVIL} why"
        file["process"][0] = f"{EVIL}corner"
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["table", "info", "{table}"],
        ["table", "diff", "{table}", TABLE],
        ["table", "diff", TABLE, "{table}", "--rtol", "0.1"],
        ["table", "plot", "{table}", "absent", "--against", "vdd", "--out", "{folder}/x.png"],
        ["table", "plot", "{table}", "driver_energy", "--against", "vdd", "--process", "x", "--out", "{folder}/x.png"],
        ["explain", "{table}", "absent"],
        ["explain", "{table}", "driver_energy", *PLACE, "--at", "line_load=1e-15", "--process", "ff"],
        ["explain", "{table}", "driver_energy", *PLACE, "--at", "line_load=1e-15", "--process", "absent"],
        ["explain", "{table}", f"{EVIL}energy", *PLACE, "--at", "rows=16", "--process", EVIL + "corner"],
        ["explain", "{table}", f"{EVIL}energy", *PLACE, "--at", "rows=16", "--process", EVIL + "corner", "--run"],
        ["simulate", "--table", "{table}", "--samples", 2],
        ["validate", "--table", "{table}"],
    ],
    ids=lambda arguments: ascii(" ".join(map(str, arguments[:3]))),
)
def test_a_table(shown, table, tmp_path, arguments):
    ran = shown(*(str(each).format(table=table, folder=tmp_path) for each in arguments))
    assert ran.out + ran.err


@pytest.mark.parametrize("command", ["info", "diff", "explain"])
def test_a_table_as_json(cim, table, command):
    place = ["driver_energy", *PLACE, "--at", "line_load=1e-15", "--process", "ff"]
    given = {"info": ["table", "info", table], "diff": ["table", "diff", TABLE, table], "explain": ["explain", table]}
    ran = cim(*given[command], *(place if command == "explain" else ()), "--json")
    assert not COMMANDS.search(ran.out + ran.err)
    # JSON has escapes of its own, and so loses nothing.
    assert EVIL in "".join(_texts(json.loads(ran.out)))


def _texts(data: object) -> list[str]:
    if isinstance(data, dict):
        return [text for each in data.items() for part in each for text in _texts(part)]
    if isinstance(data, list):
        return [text for each in data for text in _texts(each)]
    return [data] if isinstance(data, str) else []


def test_what_libraries_warn_of(table, tmp_path):
    """Fonts have no such letter, which the library that draws says on stderr, with the letter."""
    with h5py.File(table, "r+") as file:
        file["process"][1] = "\u0378\x1b[2J"
    command = ["table", "plot", table, "driver_energy", "--against", "vdd", "--temperature", 27, "--out", "x.png"]
    place = ["--at", "line_load=1e-15"]
    ran = subprocess.run(
        [sys.executable, "-m", "pyspice_cim", *map(str, command + place)], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "missing from" in ran.stderr and not COMMANDS.search(ran.stderr), ascii(ran.stderr)


@pytest.fixture
def described(tmp_path) -> Path:
    """A technology of the user's, whose texts are hostile."""
    for file in builtin_folder().glob("generic45lp*"):
        shutil.copy(file, tmp_path)
    path = tmp_path / "generic45lp.toml"
    path.write_text(path.read_text().replace('source = "', f'source = "{IN_TOML}', 1))
    return path


def test_a_technology(shown, described, fake_ngspice):
    fake_ngspice("printf 'Fatal: \\033[2J\\n' >&2; exit 1")
    for command in (["check", described], ["show", described]):
        shown("technology", *command, says=r"\x1b[2J")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "generic45lp"', f'name = "{IN_TOML}"'),
        ('name = "generic45lp"', f'name = "generic45lp"\n"{IN_TOML}" = 1'),
        ("[supply]", f'[supply]\n"{IN_TOML}" = "{IN_TOML}"'),
        ('name = "generic45lp"', 'name = "generic45lp\x1b[2J"'),
    ],
)
def test_a_technology_that_is_wrong(shown, described, old, new):
    text = described.read_text()
    assert old in text
    described.write_text(text.replace(old, new, 1))
    for command in (
        ["technology", "check", described],
        ["technology", "show", described],
        ["netlist", "list", "--technology", described],
        ["validate", "--technology", described],
    ):
        assert shown(*command, says="x1b").status == 2


PLAN = """name = "small"
technology = "generic45lp"
description = "EVIL"
[corners]
process = ["tt"]
vdd = [1.1]
temperature_c = [27.0]
[benches.driver]
""".replace("EVIL", IN_TOML)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"generic45lp"', f'"{IN_TOML}"'),
        ('"generic45lp"', f'"{IN_TOML}.toml"'),
        ('"tt"', f'"{IN_TOML}"'),
        ("[benches.driver]", f'[benches."{IN_TOML}"]'),
        ('name = "small"', f'name = "small"\n"{IN_TOML}" = 1'),
        ('name = "small"', f'name = "{IN_TOML}"'),
    ],
)
def test_a_plan(shown, tmp_path, old, new):
    (tmp_path / "plan.toml").write_text(PLAN.replace(old, new))
    assert shown("characterize", tmp_path / "plan.toml", "--out", tmp_path / "t.h5", says="x1b").status == 2
    assert shown("characterize", tmp_path / "plan.toml", "--dry-run", says="x1b").status == 2


def test_the_log_of_ngspice(shown, tmp_path, fake_ngspice):
    fake_ngspice("printf 'Fatal error: \\033[2J\\033]0;own\\007\\n' >&2; exit 1")
    (tmp_path / "plan.toml").write_text(PLAN)
    shown("characterize", tmp_path / "plan.toml", "--out", tmp_path / "t.h5", "--workers", 1, says=r"\x1b[2J")
    shown("table", "info", tmp_path / "t.h5", says=r"\x1b[2J")
    small = ["--neurons", 2, "--inputs", 4, "--membrane-bits", 4, "--steps", 1, "--vectors", 1]
    shown("validate", *small, "--workers", 1, says=r"\x1b[2J")


def test_a_version_of_ngspice(shown, fake_ngspice):
    fake_ngspice("exit 1", version="printf '** ngspice-39\\033[2J : fake\\n'")
    shown("doctor", says=r"\x1b[2J")


def test_a_network(shown, tmp_path):
    path = tmp_path / "net.h5"
    shutil.copyfile(NETWORK, path)
    with h5py.File(path, "r+") as file:
        file["layers/0"].attrs["decay"] = np.bytes_(EVIL.encode())
    assert shown("simulate", path, says="x1b").status == 2
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = EVIL
    assert shown("simulate", path, says="x1b").status == 2


def test_links_with_hostile_names(shown, tmp_path):
    path = tmp_path / "sent.h5"
    shutil.copyfile(TABLE, path)
    with h5py.File(path, "r+") as file:
        file[EVIL] = h5py.ExternalLink("other.h5", "/")
    assert shown("table", "info", path).status == 2


def test_nodes_of_nir(shown, tmp_path):
    nir = pytest.importorskip("nir")
    spikes = np.ones((3, 2, 4), np.uint8)
    np.savez(tmp_path / "data.npz", spikes=spikes)
    neurons = nir.IF(np.ones(3), np.ones(3), v_reset=np.zeros(3))
    for inside, name in ((nir.Linear(np.ones((3, 4))), EVIL), (nir.Scale(np.ones(4)), f"{EVIL}scale")):
        nodes = {"in": nir.Input({"input": np.array([4])}), name: inside, f"{EVIL}n": neurons}
        nodes["out"] = nir.Output({"output": np.array([3])})
        graph = nir.NIRGraph(nodes, [("in", name), (name, f"{EVIL}n"), (f"{EVIL}n", "out")], type_check=False)
        nir.write(tmp_path / "net.nir", graph)
        shown("simulate", tmp_path / "net.nir", "--data", tmp_path / "data.npz", "--reset", "zero")


def test_a_deck(shown, described):
    """What is printed is what may be looked at; ``render`` writes the very bytes."""
    shown("netlist", "show", "column_fire", "--technology", described, says=".end")


def test_arrays_of_a_data_set(shown, tmp_path):
    np.savez(tmp_path / "data.npz", **{EVIL: np.ones(3)})
    assert shown("simulate", "--data", tmp_path / "data.npz").status == 2
