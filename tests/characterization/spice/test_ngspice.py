"""The runner: a good run, and every way in which a run is not to be trusted."""

import contextlib
import re
import stat
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.characterization.spice.log import alarms
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, find_ngspice
from pyspice_cim.characterization.spice.rawfile import read_raw, write_raw
from pyspice_cim.errors import MissingDependencyError, NetlistError, SimulationError
from pyspice_cim.netlists.deck import Deck, checked_name, pwl

RC = """* RC
V1 in 0 pulse(0 1 0 1p 1p 1 2)
R1 in out 1k
C1 out 0 1p
{extra}
.save v(out) i(v1)
.tran 10p {stop} 0 10p
.end
"""


def run(deck, **arguments):
    return NgspiceSimulator(**arguments).run([deck])[0]


def test_an_rc_charges_as_it_must():
    result = run(Deck(text=RC.format(extra="", stop="5n"), vectors=("time", "v(out)", "i(v1)"), stop_time=5e-9))
    assert result.ok, result.reason
    time, wave = result.vectors["time"], result.vectors["v(out)"]
    # Trapezoidal integration with steps of tau / 100: the error of a step is (h / tau)^2 / 12.
    np.testing.assert_allclose(wave, 1 - np.exp(-time / 1e-9), atol=2e-3)
    assert result.cpu_seconds > 0


@pytest.mark.parametrize(
    ("deck", "reason"),
    [
        (Deck(text=RC.format(extra="", stop="1n"), stop_time=5e-9), "stopped at 1e-09 s of 5e-09 s"),
        (Deck(text=RC.format(extra="", stop="1n"), vectors=("v(nowhere)",)), r"did not save v\(nowhere\)"),
        (Deck(text=RC.format(extra="M1 out in 0 0 nosuchmodel", stop="1n")), "nosuchmodel"),
        (
            Deck(text=RC.format(extra=".model x nmos level=54 nosuchkey=3\nM1 out in 0 0 x l=1u w=1u", stop="1n")),
            "nosuchkey",
        ),
        (Deck(text=RC.format(extra="R2 a b 1k\nV3 a b 1\nV4 a b 2", stop="1n")), "singular|ended with status"),
        (Deck(text="* nothing\n.end\n"), "ngspice"),
    ],
)
def test_a_run_that_cannot_be_trusted_has_a_reason(deck, reason):
    result = run(deck)
    assert not result.ok and not result.vectors
    assert re.search(reason, result.reason, re.IGNORECASE), result.reason


def script(tmp_path, text):
    program = tmp_path / "ngspice"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_a_run_that_hangs_is_killed(tmp_path):
    result = run(Deck(text=RC.format(extra="", stop="1n"), timeout=0.3), program=script(tmp_path, "sleep 60"))
    assert result.reason == "timeout: killed after 0.3 s"


def test_a_crash_is_a_reason(tmp_path):
    result = run(Deck(text=RC.format(extra="", stop="1n")), program=script(tmp_path, "kill -SEGV $$"))
    assert result.reason == "crashed: ngspice ended by SIGSEGV"


def test_garbage_is_a_reason(tmp_path):
    result = run(Deck(text=RC.format(extra="", stop="1n")), program=script(tmp_path, "echo garbage > deck.raw"))
    assert "cut short" in result.reason
    result = run(Deck(text=RC.format(extra="", stop="1n")), program=script(tmp_path, "exit 0"))
    assert "wrote no result" in result.reason


# Failing decks, and what their reason must say.
FAILING = {
    "no such model": (RC.format(extra="M1 out in 0 0 nosuchmodel", stop="1n"), ["nosuchmodel", "valid modelname"]),
    "no such subcircuit": (RC.format(extra="X1 out in nosub", stop="1n"), ["unknown subckt: x1 out in nosub"]),
    "no such parameter": (RC.format(extra="R2 out 0 {foo}", stop="1n"), ["Undefined parameter [foo]"]),
    "a device twice": (RC.format(extra="R1 out 0 1k", stop="1n"), ["r1 out 0 1k", "already exists"]),
    "no solution": (RC.format(extra="V2 out 0 1\nV3 out 0 2", stop="1n"), ["singular matrix", "v2#branch"]),
    "nothing in it": ("* nothing\n.end\n", ["wrote no result"]),
    # What ngspice reports and goes on from, with a value of its own.
    "an option that is no number": (
        RC.format(extra=".options reltol=abc", stop="1n"),
        ["bad type given for option reltol"],
    ),
    "a temperature that is none": (RC.format(extra=".temp abc", stop="1n"), ["Could not set temperature to abc"]),
}


@pytest.mark.parametrize("name", FAILING)
def test_the_same_deck_fails_with_the_same_reason(tmp_path, monkeypatch, name):
    text, words = FAILING[name]
    reasons = set()
    for number in range(3):
        # A table does not know in which folder its decks ran.
        folder = tmp_path / f"{number}"
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        reasons.add(run(Deck(text=text)).reason)
    (reason,) = reasons
    for word in words:
        assert word in reason
    assert not re.search(r"DRAM|seconds|pages|MB|/tmp|\n", reason) and str(tmp_path) not in reason
    assert len(reason) < 500


@given(
    st.lists(
        st.sampled_from(["Total DRAM available = {} MB.", "No. of Data Rows : {}", "Total elapsed time (seconds) = {}"])
    ),
    st.lists(st.integers(0, 10**6), min_size=3, max_size=3),
)
def test_statistics_are_no_part_of_a_reason(lines, numbers):
    log = "\n".join(["Error: the same", *lines, "Warning: singular matrix: check node b"])
    assert {alarms(log.replace("{}", str(number))) for number in numbers} == {
        "Error: the same; Warning: singular matrix: check node b"
    }


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("Warning: r1: resistance to low, set to 1 mOhm", "Warning: r1: resistance to low, set to 1 mOhm"),
        ("Note: Starting dynamic gmin stepping\nNote: Transient op finished successfully", ""),
        ("Warning: source stepping failed\nNote: Transient op started", ""),
        ("v(error)    0.5\nterror   1", ""),
    ],
)
def test_what_is_an_alarm(log, expected):
    assert alarms(log) == expected


@pytest.mark.parametrize("version", ["ngspice-17", "ngspice-33.2", "ngspice-9"])
def test_an_ngspice_that_is_too_old(tmp_path, version):
    program = script(tmp_path, f"echo '** {version} : Circuit level simulation program'")
    with pytest.raises(MissingDependencyError, match=f"{version}, and ngspice-34 or newer is needed"):
        _ = NgspiceSimulator(program=program).version


@pytest.mark.parametrize("version", ["ngspice-34", "ngspice-39", "ngspice-45.2", "ngspice-44+", "ngspice-100"])
def test_an_ngspice_that_is_new_enough(tmp_path, version):
    program = script(tmp_path, f"echo '** {version} : Circuit level simulation program'")
    assert NgspiceSimulator(program=program).version == version


@pytest.mark.parametrize("how", ["NGSPICE", "PATH"])
def test_a_relative_path_of_ngspice_works(tmp_path, monkeypatch, how):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "ngspice").symlink_to(find_ngspice())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NGSPICE", raising=False)
    monkeypatch.setenv(how, {"NGSPICE": "tools/ngspice", "PATH": "tools:/bin"}[how])
    assert find_ngspice() == tmp_path / "tools" / "ngspice"
    result = run(Deck(text=RC.format(extra="", stop="1n"), vectors=("time", "v(out)")))
    assert result.ok, result.reason


def test_a_version_that_is_no_text(tmp_path):
    with pytest.raises(SimulationError, match="does not answer --version as ngspice does"):
        _ = NgspiceSimulator(program=script(tmp_path, r"printf '\377'")).version


def test_no_ngspice_says_how_to_install_it(monkeypatch):
    monkeypatch.setenv("NGSPICE", "/nonexistent/ngspice")
    with pytest.raises(MissingDependencyError, match="apt-get install ngspice"):
        find_ngspice()


def test_a_program_that_is_not_ngspice(tmp_path):
    with pytest.raises(SimulationError, match="does not answer --version"):
        _ = NgspiceSimulator(program=script(tmp_path, "echo hello")).version


def test_a_raw_file_cut_anywhere_is_refused(tmp_path):
    header = "Title: x\nFlags: real\nNo. Variables: 2\nNo. Points: 3\nVariables:\n\t0\ttime\ttime\n\t1\tV(a)\tvoltage\n"
    whole = (header + "Binary:\n").encode() + np.arange(6.0).tobytes()
    path = tmp_path / "x.raw"
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_raw(path)[0]["v(a)"], [1.0, 3.0, 5.0])
    for kept in (10, len(header), len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(SimulationError, match="cut short"):
            read_raw(path)
    for old, new in (("No. Points: 3", "No. Points: x"), ("No. Points: 3", "No. Points: -3"), ("Variables:\n", "\n")):
        assert old.encode() in whole
        path.write_bytes(whole.replace(old.encode(), new.encode()))
        with pytest.raises(SimulationError, match="damaged"):
            read_raw(path)


@given(at=st.integers(0, 120), byte=st.integers(0, 255))
def test_one_wrong_byte_of_a_raw_file_is_an_error_or_numbers(tmp_path_factory, at, byte):
    path = tmp_path_factory.mktemp("raw") / "x.raw"
    write_raw(path, {"time": np.arange(3.0), "v(a)": np.arange(3.0)}, "a title")
    damaged = bytearray(path.read_bytes())
    damaged[at] = byte
    path.write_bytes(damaged)
    with contextlib.suppress(SimulationError):
        assert all(vector.dtype == np.float64 for vector in read_raw(path)[0].values())


@pytest.mark.parametrize("name", ["a b", "x;quit", "", "1a", "a\n.control", "é"])
def test_text_that_could_leave_its_place_in_a_deck_is_refused(name):
    with pytest.raises(NetlistError, match="plain identifier"):
        checked_name(name)


def test_repeated_times_in_a_source_are_refused():
    with pytest.raises(NetlistError, match="must rise"):
        pwl([(0.0, 0.0), (1e-9, 1.0), (1e-9, 0.0)])


# Variables that ngspice's source reads, and those that the C library reads for it.
VARIABLES = (
    *("SPICE_USERINIT_DIR", "SPICE_SCRIPTS", "SPICE_LIB_DIR", "SPICE_EXEC_DIR", "SPICE_ASCIIRAWFILE", "SPICE_PATH"),
    *("SPICE_HELP_DIR", "SPICE_NEWS", "SPICE_HOST", "SPICE_BUGADDR", "SPICE_EDITOR", "SPICE_NO_DATASEG_CHECK"),
    *("NGSPICE_INPUT_DIR", "NGSPICE_MEAS_PRECISION", "HOME", "USERPROFILE", "SHELL", "TERM", "DISPLAY", "TMPDIR"),
    *("LC_ALL", "LC_NUMERIC", "LANG", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT"),
)
SETTINGS = "option gmin=1e-3\nset filetype=ascii\nset rawfile=elsewhere.raw\nshell touch touched\n"


@pytest.mark.parametrize("name", VARIABLES)
def test_no_variable_of_the_environment_changes_a_number(name, tmp_path, monkeypatch):
    deck = Deck(text=RC.format(extra="D1 out 0 leak\n.model leak d is=1e-15", stop="5n"), stop_time=5e-9)
    expected = run(deck)
    assert expected.ok, expected.reason
    settings = tmp_path / "settings"
    settings.mkdir()
    for file in ("spinit", ".spiceinit", "scripts", "news"):
        (settings / file).write_text(SETTINGS)
    for value in (str(settings), "1", "de_DE.UTF-8"):
        monkeypatch.setenv(name, value)
        if name == "TMPDIR":
            # Of ours: where the folders of the runs are made.
            monkeypatch.setattr(tempfile, "tempdir", None)
            continue
        found = run(deck)
        assert found.ok, found.reason
        assert found.vectors.keys() == expected.vectors.keys()
        for vector, wave in expected.vectors.items():
            np.testing.assert_array_equal(found.vectors[vector], wave)
    assert sorted(path.name for path in settings.iterdir()) == [".spiceinit", "news", "scripts", "spinit"]


def test_ngspice_sees_no_variable_that_is_not_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    monkeypatch.setenv("SPICE_SCRIPTS", "/elsewhere")
    seen = tmp_path / "seen"
    said = f"env > {seen}; echo options $@ >> {seen}"
    run(Deck(text=RC.format(extra="", stop="1n")), program=script(tmp_path, said))
    lines = seen.read_text().splitlines()
    names = {line.partition("=")[0] for line in lines[:-1]}
    assert "-n" in lines[-1].split()
    # PWD, SHLVL and _ are the shell's own.
    assert names <= {
        *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT"),
        *("HOME", "TMPDIR", "SPICE_SCRIPTS", "LC_ALL", "OMP_THREAD_LIMIT", "PWD", "SHLVL", "OLDPWD", "_"),
    }
    assert "SPICE_SCRIPTS=/elsewhere" not in lines
