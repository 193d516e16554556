"""What can go wrong around a run, done for real: processes that hang or are killed, disks that fill, files that go."""

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from pyspice_cim.characterization.engine import workers
from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.engine.tally import BenchRun
from pyspice_cim.characterization.plans.costs import Cost, Costs
from pyspice_cim.characterization.plans.plan import load_plan
from pyspice_cim.characterization.plans.sweep import characterize
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, SimResult, find_ngspice
from pyspice_cim.characterization.spice.simulation import Measurement, Simulation, execute, reducer_name
from pyspice_cim.errors import CimError, MissingDependencyError, SimulationError
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.technology import load_technology
from pyspice_cim.technology.loader import builtin_folder

RC = """* RC
V1 in 0 pulse(0 1 0 1p 1p 1 2)
R1 in out 1k{extra}
C1 out 0 1p
.save v(out)
.tran 10p {stop} 0 10p
.end
"""
NGSPICE = find_ngspice()
FAKE = "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '** ngspice-39 : fake'; exit 0; fi\n"


def rc(stop: str = "1n", extra: str = "", **more) -> Deck:
    return Deck(text=RC.format(stop=stop, extra=extra), **more)


def level(vectors):
    return {"level": vectors["v(out)"][-1]}


def high(vectors):
    raise SimulationError("v(out) is at 0.6 V, neither 0 nor 1 V")


def simulation(deck: Deck) -> Simulation:
    return Simulation(deck=deck, reducer=reducer_name(level))


def bench(*decks):
    outcomes = yield [simulation(deck) for deck in decks]
    reason = "; ".join(outcome.reason for outcome in outcomes if not outcome.ok)
    return [Measurement(name="level", unit="V", value=None if reason else 1.0, reason=reason)]


def one_after_the_other(*decks):
    for deck in decks:
        yield [simulation(deck)]
    return []


@pytest.fixture
def script(tmp_path):
    """Makes a program in the place of ngspice that does what it is told to on a deck."""

    def make(text: str) -> Path:
        program = tmp_path / "ngspice"
        program.write_text(f"{FAKE}{text}\n")
        program.chmod(0o755)
        return program

    return make


def gone(pid: int, within: float = 20.0) -> bool:
    """Whether the process ends in time; one that nobody has waited for yet has ended."""
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def read_when_there(path: Path, within: float = 60.0) -> int:
    limit = time.monotonic() + within
    while time.monotonic() < limit:
        if path.exists() and path.read_text().strip():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError(f"{path} did not come")


# Statuses of a run.


def test_a_timeout_ends_all_that_ngspice_had_started(script, tmp_path):
    program = script(f"sleep 300 & echo $! > {tmp_path}/grandchild; wait")
    (result,) = NgspiceSimulator(program).run([rc(timeout=0.5)])
    assert result.reason == "timeout: killed after 0.5 s"
    assert gone(int((tmp_path / "grandchild").read_text()), within=5)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kill -KILL $$", "killed: ngspice ended by SIGKILL"),
        ("kill -TERM $$", "killed: ngspice ended by SIGTERM"),
        ("kill -SEGV $$", "crashed: ngspice ended by SIGSEGV"),
        ("kill -ABRT $$", "crashed: ngspice ended by SIGABRT"),
        ("exit 3", "incomplete: ngspice ended with status 3"),
        ("exit 0", "incomplete: ngspice wrote no result"),
        ("yes '' | head -c 9000000", "untrusted: ngspice wrote more than 8 MB of messages"),
        ("echo 'Timestep too small; time = 1e-12'; exit 1", "not converged: Timestep too small"),
        ("echo 'unrecognized parameter (x) - ignored'", "untrusted: ngspice warned: unrecognized parameter"),
    ],
)
def test_how_a_run_ended_is_in_its_status(script, text, reason):
    (result,) = NgspiceSimulator(script(text)).run([rc()])
    assert result.reason.startswith(reason), result.reason
    assert result.status.value == result.reason.partition(":")[0]


def test_a_result_without_points_is_incomplete(script):
    header = (
        "Title: x\\nFlags: real\\nNo. Variables: 1\\nNo. Points: 0\\nVariables:\\n\\t0\\tv(out)\\tvoltage\\nBinary:\\n"
    )
    (result,) = NgspiceSimulator(script(f"printf '{header}' > deck.raw")).run([rc(vectors=("v(out)",))])
    assert result.reason == "incomplete: ngspice saved no points"


def test_what_a_good_run_has_left_running_is_ended(script, tmp_path):
    program = script(f'(while :; do date > "$RANDOM"; done) & echo $! > {tmp_path}/grandchild; exec {NGSPICE} "$@"')
    (result,) = NgspiceSimulator(program).run([rc(vectors=("v(out)",))])
    assert result.ok, result.reason
    assert gone(int((tmp_path / "grandchild").read_text()), within=5)


@pytest.mark.parametrize(
    ("deck", "status"),
    [
        (rc(extra="\nV2 out 0 1\nV3 out 0 2"), "not converged"),
        (rc("1n", vectors=("time",), stop_time=5e-9), "not converged"),
        (rc(extra="\n.model m nmos level=54 nosuch=1\nM1 out in 0 0 m l=1u w=1u"), "untrusted"),
        (rc(vectors=("v(nowhere)",)), "incomplete"),
    ],
)
def test_what_ngspice_could_not_do_is_in_its_status(deck, status):
    (result,) = NgspiceSimulator().run([deck])
    assert result.reason.startswith(f"{status}: "), result.reason


def test_waveforms_that_are_refused_are_rejected():
    outcome = execute(Simulation(deck=rc(stop_time=1e-9), reducer=reducer_name(high)), NgspiceSimulator())
    assert outcome.reason == "rejected: v(out) is at 0.6 V, neither 0 nor 1 V"


@pytest.fixture
def little_disk(tmp_path, monkeypatch):
    """A disk of 64 KiB as the folder of temporary files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("a disk that is full needs a file system of its own, and only root can mount one")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_said_and_not_taken_for_a_bad_circuit(little_disk):
    results = NgspiceSimulator().run(
        [rc("1n"), rc("50n", stop_time=50e-9), rc(extra=4000 * "\n.param a_deck_too_long=1")]
    )
    assert results[0].ok, results[0].reason
    for result in results[1:]:
        assert result.reason.startswith("disk full: ") and "set TMPDIR" in result.reason, result.reason
    assert not list(little_disk.iterdir())


def test_a_folder_for_temporary_files_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(SimulationError, match=f"cannot be run.*{tmp_path}/gone"):
        NgspiceSimulator().run([rc()])


# Workers and the engine.


class Deadly:
    """A deck of ``kill`` ends the worker, as the kernel does when memory runs out."""

    version = "deadly-1"

    def run(self, decks):
        if decks[0].text == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return [SimResult(vectors={"v(out)": np.ones(1)}, cpu_seconds=1.0)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_killed_is_an_error_in_words_and_what_was_finished_is_kept(tmp_path, workers):
    cache = Cache(tmp_path)
    with pytest.raises(SimulationError, match="a worker process.* ended in the middle.*memory.*cached"):
        Engine(simulator=Deadly(), cache=cache, workers=workers).run(
            [one_after_the_other(*(Deck(text=text) for text in ("1", "2", "3", "kill", "4")))]
        )
    assert [cache.get(simulation(Deck(text=text)).key("deadly-1")) is not None for text in "1234"] == [
        True,
        True,
        True,
        False,
    ]


def test_ngspice_that_goes_away_is_an_error_and_what_was_finished_is_kept(tmp_path, script):
    program = script(f'{shutil.which("ngspice")} "$@"; status=$?; rm "$0"; exit $status')
    cache = Cache(tmp_path / "cache")
    simulator = NgspiceSimulator(program)
    with pytest.raises(SimulationError, match=f"{program} cannot be run: .*No such file"):
        Engine(simulator=simulator, cache=cache, workers=1).run([one_after_the_other(rc("1n"), rc("2n"))])
    assert cache.get(simulation(rc("1n")).key(simulator.version)).ok


def test_ngspice_on_the_path_that_goes_away_names_the_remedy(monkeypatch, script):
    program = script("exit 0")
    monkeypatch.setenv("NGSPICE", str(program))
    simulator = NgspiceSimulator()
    assert simulator.version == "ngspice-39"
    program.unlink()
    with pytest.raises(MissingDependencyError, match="apt-get install ngspice"):
        Engine(simulator=simulator, cache=None, workers=1).run([bench(rc())])


MAIN = """
import sys
sys.path.insert(0, {here!r})
from test_faults import bench, rc
from pyspice_cim.characterization.engine.engine import Engine
Engine(cache=None, workers=1).run([bench(rc())])
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_and_no_ngspice_outlives_the_program(script, tmp_path, how):
    program = script(f"echo $PPID > {tmp_path}/worker; echo $$ > {tmp_path}/ngspice.pid; sleep 300")
    main = subprocess.Popen(
        [sys.executable, "-c", MAIN.format(here=str(Path(__file__).parent))],
        env={**os.environ, "NGSPICE": str(program), "TMPDIR": str(tmp_path)},
    )
    pids = [read_when_there(tmp_path / name) for name in ("worker", "ngspice.pid")]
    main.send_signal(how)
    main.wait(timeout=20)
    assert all(gone(pid) for pid in pids)
    assert not list(tmp_path.glob("pyspice_cim_*"))


def hold(path):
    """Pool code that must not be interrupted, such as the sending of a result, and then the wait for work."""
    workers.begin_worker()
    (path / "held").write_text("1")
    time.sleep(0.2)
    (path / "released").write_text("")
    time.sleep(300)


def test_what_is_finished_while_a_netlist_is_made_is_kept(tmp_path):
    def slow():
        yield [simulation(rc("1.5n"))]
        # Meanwhile the others end.
        time.sleep(3)
        raise KeyboardInterrupt

    decks = [rc(f"{n}n") for n in range(2, 6)]
    with pytest.raises(KeyboardInterrupt):
        Engine(cache=Cache(tmp_path), workers=2).run([slow(), *(bench(deck) for deck in decks)])
    assert len(list(tmp_path.rglob("*.json"))) == 1 + len(decks)


def test_a_worker_is_not_ended_while_its_pool_holds_a_lock(tmp_path):
    worker = multiprocessing.get_context("fork").Process(target=hold, args=(tmp_path,))
    worker.start()
    read_when_there(tmp_path / "held")
    worker.terminate()
    worker.join(timeout=20)
    assert worker.exitcode == 1
    assert (tmp_path / "released").exists()


def test_ngspice_is_a_group_to_kill_and_no_session_that_nice_does_not_reach(script, tmp_path):
    program = script(f"cut -d' ' -f5,6 /proc/$$/stat > {tmp_path}/ids; echo $$ > {tmp_path}/pid; exit 1")
    NgspiceSimulator(program=program).run([rc()])
    group, session = (int(word) for word in (tmp_path / "ids").read_text().split())
    assert group == int((tmp_path / "pid").read_text()) and session == os.getsid(0)


# Files.


def test_a_model_file_that_goes_away_fails_its_points_and_no_others(tmp_path):
    text = (builtin_folder() / "generic45lp.toml").read_text().replace('name = "generic45lp"', 'name = "mine"')
    text = re.sub(r"(?m)^(dvt_mv|mobility|note) = .*\n", "", text.split("[models]")[0])
    (tmp_path / "mine.toml").write_text(f'{text}\n[models]\ninclude = ["mine.cards"]\n')
    cards = tmp_path / "mine.cards"
    cards.write_text((builtin_folder() / "generic45lp.cards").read_text())
    (tmp_path / "plan.toml").write_text(
        'name = "going"\ntechnology = "mine.toml"\n[benches.driver]\n'
        '[corners]\nprocess = ["tt"]\nvdd = [1.0, 1.1]\ntemperature_c = [27.0]\n'
    )
    technology = load_technology(tmp_path / "mine.toml")
    before = technology.sha256
    engine = Engine(cache=None, workers=1, progress=lambda tally: cards.unlink(missing_ok=True))
    table = characterize(load_plan(tmp_path / "plan.toml"), engine, load=lambda name: technology)
    assert list(table.dataset["point_status"].values) == ["ok", "failed"]
    assert np.isfinite(table.quantity("driver_energy").values[0, 0]).all()
    assert np.isnan(table.quantity("driver_energy").values[0, 1]).all()
    ((_, reason),) = table.failures()
    assert reason.startswith("no netlist: ") and "mine.cards" in reason
    assert table.dataset.attrs["technology_sha256"] == before


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "5", "null", "\0", "[" * 100_000),
        *('{"values": 3}', '{"values": {"level": "high"}}', '{"values": {}}'),
        '{"reason": "", "deck_sha256": "ab", "cpu_seconds": 1.0, "values": {}}',
    ],
)
def test_a_cache_entry_that_is_none_is_simulated_again(tmp_path, text):
    cache = Cache(tmp_path)
    key = simulation(rc()).key(NgspiceSimulator().version)
    path = tmp_path / key[:2] / f"{key}.json"
    path.parent.mkdir()
    path.write_text(text)
    assert cache.get(key) is None
    cache.put(key, execute(simulation(rc()), NgspiceSimulator()))
    # After 1 ns, a time constant: 1 - 1/e, to the accuracy of steps of a hundredth of it.
    assert cache.get(key).values["level"] == pytest.approx(1 - np.exp(-1), abs=2e-3)


def test_a_cache_entry_with_another_number_is_none(tmp_path):
    cache = Cache(tmp_path)
    cache.put("ab", execute(simulation(rc()), NgspiceSimulator()))
    (path,) = tmp_path.rglob("*.json")
    whole = path.read_text()
    assert cache.get("ab") is not None
    for number in set(re.findall(r"\d", whole)):
        path.write_text(whole.replace(number, str((int(number) + 1) % 10), 1))
        assert cache.get("ab") is None


def test_every_beginning_of_a_cache_entry_is_none(tmp_path):
    cache = Cache(tmp_path)
    cache.put("ab", execute(simulation(rc()), NgspiceSimulator()))
    (path,) = tmp_path.rglob("*.json")
    whole = path.read_bytes()
    for kept in range(len(whole)):
        path.write_bytes(whole[:kept])
        assert cache.get("ab") is None


def test_a_cache_that_cannot_be_written_names_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CimError, match=f"{tmp_path}/file.*PYSPICE_CIM_CACHE"):
        Engine(cache=Cache(tmp_path / "file"), workers=1).run([bench(rc())])


def test_no_table_is_lost_for_the_costs_of_its_points(tmp_path):
    (tmp_path / "costs.json").mkdir()
    costs = Costs.load(Cache(tmp_path))
    costs.add("mine", "driver", BenchRun(simulations=2, decks=2, cpu_seconds=3.0))
    costs.save()
    assert costs.of("mine", "driver") == (Cost(1, 3.0, 2), "mine")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[1]", "[" * 100_000),
        *(f'[["t", "b", {costs}]]' for costs in ("0, 1.0, 1", '"many", 1.0, 1', "-1, 1.0, 1", "0.5, 1.0, 1")),
        *(f'[["t", "b", {costs}]]' for costs in ("1, Infinity, 1", "1, NaN, 1", "1, -2.0, 1", "Infinity, 1.0, 1")),
    ],
)
def test_damaged_costs_are_none(tmp_path, text):
    (tmp_path / "costs.json").write_text(text)
    assert Costs.load(Cache(tmp_path)).of("t", "b") is None
