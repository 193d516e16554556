"""A budget ends a run in good order and the next one goes on; a dry run says what is ahead and does nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.characterization.benches.driver import driver_pulse
from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.engine.tally import BenchRun
from pyspice_cim.characterization.plans.costs import Costs
from pyspice_cim.characterization.plans.plan import load_plan
from pyspice_cim.characterization.plans.registry import BENCHES
from pyspice_cim.characterization.spice.ngspice import SimResult
from pyspice_cim.characterization.spice.simulation import Measurement, Simulation, reducer_name
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.characterization.variation.population import MonteCarloSettings
from pyspice_cim.cli import main
from pyspice_cim.cli.files import duration
from pyspice_cim.errors import ConfigError
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.tables import load_table

PLAN = """
name = "budget"
technology = "generic45lp"
[corners]
process = ["tt"]
vdd = {vdd}
temperature_c = [27.0]
[benches.driver]
[benches.decoder]
rows = [4]
"""


# The command line, with a plain line of progress at every look in place of one in ten seconds.
INTERRUPTIBLE = """
from pyspice_cim.report import progress
progress._LINE_EVERY = 0.5
from pyspice_cim.cli import main
main()
"""


class Slow:
    """A twentieth of a second for a deck."""

    version = "slow-1"

    def __init__(self):
        self.ran = []

    def run(self, decks):
        self.ran += [deck.text for deck in decks]
        time.sleep(0.05)
        return [SimResult(vectors={"y": np.ones(1)}, cpu_seconds=0.1)]


def one(vectors):
    return {"y": vectors["y"]}


def bench(name, rounds):
    for number in range(rounds):
        yield [Simulation(deck=Deck(text=f"{name} {number}"), reducer=reducer_name(one))]
    return [Measurement(name="y", unit="1", value=float(rounds))]


def run(budget, cache, simulator):
    with ThreadPoolExecutor(1) as pool:
        engine = Engine(simulator=simulator, cache=cache, executor=pool, workers=1, budget=budget)
        return engine.run([bench("short", 1), bench("long", 40), bench("short", 1), bench("late", 3)]), engine.tally


def endless_plan(made, count):
    """Benches whose netlists take a twentieth of a second each, and of which none is cached."""

    def slow_to_draw(number):
        time.sleep(0.05)
        made.append(number)
        yield [Simulation(deck=Deck(text=f"drawn {number}"), reducer=reducer_name(one))]
        return []

    return [slow_to_draw(number) for number in range(count)]


def test_after_the_budget_no_more_netlists_are_made_than_a_second_of_looking_takes(tmp_path):
    made = []
    with ThreadPoolExecutor(1) as pool:
        engine = Engine(simulator=Slow(), cache=Cache(tmp_path), executor=pool, workers=1, budget=0.2)
        runs = engine.run(endless_plan(made, 2000))
    # All of them would take 100 s.
    assert engine.tally.elapsed < 10 and len(made) < 100
    assert {run.reason for run in runs if run.status != "done"} == {"not simulated: the budget of 0.2 s ran out"}


class Sleeper:
    """Half a second for a deck, in whichever process."""

    version = "sleeper-1"

    def run(self, decks):
        time.sleep(0.5)
        return [SimResult(vectors={"y": np.ones(1)}, cpu_seconds=0.5)]


@pytest.mark.parametrize("pool", [None, ThreadPoolExecutor], ids=["processes", "threads"])
def test_what_waits_in_the_executor_is_not_begun_after_the_budget(pool):
    executor = pool(1) if pool else None
    engine = Engine(simulator=Sleeper(), cache=None, executor=executor, workers=1, budget=0.7)
    runs = engine.run([bench(f"{number}", 1) for number in range(12)])
    # Of four that the executor holds at a time, those that were begun within 0.7 s: two, or one where processes start slowly.
    assert 1 <= [run.status for run in runs].count("done") <= 2
    assert engine.tally.simulations <= 2
    if executor:
        executor.shutdown()


def test_a_worker_with_a_fast_clock_does_not_end_the_run(monkeypatch):
    monkeypatch.setattr("pyspice_cim.characterization.engine.scheduler.Budget.deadline", 1.0)
    with ThreadPoolExecutor(1) as pool:
        engine = Engine(simulator=Slow(), cache=None, executor=pool, workers=1, budget=60.0)
        runs = engine.run([bench(f"{number}", 2) for number in range(3)])
    assert [run.status for run in runs] == ["done"] * 3 and engine.tally.simulations == 6


def test_what_was_not_begun_is_missing_and_what_was_done_counts(tmp_path):
    simulator = Slow()
    runs, tally = run(0.8, Cache(tmp_path), simulator)
    # The long one would need two seconds.
    assert (runs[0].status, runs[1].status, runs[2].status) == ("done", "missing", "done")
    assert runs[1].reason == "not simulated: the budget of 0.8 s ran out" and not runs[1].measurements
    assert len(simulator.ran) < 1 + 40 + 3
    assert tally.benches_cached == 0 and tally.simulations == len(simulator.ran) + tally.cached
    begun = list(simulator.ran)
    again, _ = run(None, Cache(tmp_path), simulator)
    assert [r.status for r in again] == ["done"] * 4
    # Nothing is run twice: what the budget let through is in the cache.
    assert len(simulator.ran) == len(set(simulator.ran)) == 1 + 40 + 3
    assert simulator.ran[: len(begun)] == begun


def test_a_budget_that_is_gone_still_gives_what_is_cached(tmp_path):
    simulator = Slow()
    run(None, Cache(tmp_path), simulator)
    simulator.ran.clear()
    runs, tally = run(0.0, Cache(tmp_path), simulator)
    assert [r.status for r in runs] == ["done"] * 4 and not simulator.ran
    assert tally.benches_cached == 4


@pytest.fixture
def cim(tmp_path, monkeypatch, capsys):
    """Runs ``pyspice-cim characterize`` on a plan of some supplies with a cache; gives its status and its JSON."""

    def run(vdd, *options, cache="cache", out="t.h5"):
        (tmp_path / "plan.toml").write_text(PLAN.format(vdd=vdd))
        monkeypatch.setenv("PYSPICE_CIM_CACHE", str(tmp_path / cache))
        where = ["--out", str(tmp_path / out)] if out else []
        command = ["pyspice-cim", "characterize", str(tmp_path / "plan.toml"), *where, "--json", *options]
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def wrapped(tmp_path, monkeypatch):
    """ngspice behind a script that first does what it is told to."""

    def install(first):
        program = tmp_path / "wrapped-ngspice"
        program.write_text(f'#!/bin/sh\n[ "$1" = --version ] || {{ {first}; }}\nexec {shutil.which("ngspice")} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("NGSPICE", str(program))

    return install


def test_a_table_that_the_budget_cut_short_says_so_and_the_next_run_completes_it(cim, tmp_path, wrapped, monkeypatch):
    supplies = [1.0, 1.1]
    whole, summary = cim(supplies, "--workers", "2", out="whole.h5", cache="other")
    assert whole == 0 and (summary["points"], summary["missing"], summary["cached"]) == (4, 0, 0)
    wrapped("sleep 0.5")
    status, summary = cim(supplies, "--workers", "1", "--budget", "1s")
    table = load_table(tmp_path / "t.h5")
    missing = table.dataset["point_status"].values == "missing"
    assert status == 1 and 0 < summary["missing"] == missing.sum()
    assert summary["failed"] == summary["cached"] == 0
    assert all(reason == "not simulated: the budget of 1 s ran out" for _, reason in table.failures())
    monkeypatch.delenv("NGSPICE")
    status, summary = cim(supplies, "--workers", "1")
    assert status == 0 and summary["simulations_cached"] > 0
    assert (tmp_path / "t.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_a_dry_run_forecasts_from_what_was_measured_and_does_nothing(cim, tmp_path, wrapped):
    _, nothing = cim([1.0, 1.1], "--dry-run", out=None)
    assert (nothing["points"], nothing["cached"]) == (4, 0)
    # Nothing ran here yet: by the defaults that come with the package.
    assert all(each["measured_in"].startswith("default: ") and each["decks"] > 0 for each in nothing["benches"])
    assert nothing["seconds"] > 0
    assert not (tmp_path / "cache").exists()
    cim([1.0, 1.1])
    wrapped(f"touch {tmp_path}/ran")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix == ".json"}
    status, ahead = cim([0.95, 1.0, 1.05, 1.1], "--dry-run", "--workers", "2", out=None)
    assert status == 0 and (ahead["points"], ahead["cached"]) == (8, 4)
    costs = {bench: (points, seconds, decks) for _, bench, points, seconds, decks in stored_costs(tmp_path)}
    for each in ahead["benches"]:
        points, seconds, decks = costs[each["bench"]]
        # Two more points of each at the mean cost of the two that were run.
        assert (points, each["decks"], each["measured_in"]) == (2, decks, "generic45lp")
        assert each["cpu_seconds"] == pytest.approx(seconds)
    assert ahead["seconds"] == pytest.approx(sum(each["cpu_seconds"] for each in ahead["benches"]) / 2)
    assert not (tmp_path / "ran").exists()
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix == ".json"}


def test_a_dry_run_says_how_far_it_is_and_ends_at_ctrl_c(tmp_path):
    supplies = [round(0.95 + 0.0005 * step, 4) for step in range(400)]
    (tmp_path / "plan.toml").write_text(PLAN.format(vdd=supplies))
    command = [sys.executable, "-c", INTERRUPTIBLE, "characterize", "plan.toml", "--dry-run"]
    run = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYSPICE_CIM_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = run.stderr.readline()
    assert re.match(r"look for budget in the cache: \d+/800 points, .*, about .* left", first), first
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 130 and out == "" and "Traceback" not in err
    assert "interrupted: " in err


def test_every_bench_has_a_default_cost_that_grows_with_its_samples():
    for bench, kind in BENCHES.items():
        few, many = (
            Costs(None).expected("mine", bench, MonteCarloSettings(count=n, tail_samples=n)) for n in (100, 300)
        )
        assert few.decks >= 1 and few.cpu_seconds > 0 and few.measured_in.startswith("default: ")
        assert many.cpu_seconds == pytest.approx((3 if kind.samples else 1) * few.cpu_seconds)


@given(pace=st.floats(0.01, 100), points=st.integers(1, 50))
def test_defaults_are_scaled_by_what_was_measured_here(pace, points):
    default = Costs(None).expected("mine", "driver")
    costs = Costs(None)
    for _ in range(points):
        ran = BenchRun(simulations=3, decks=3, cpu_seconds=pace * default.cpu_seconds)
        costs.add("mine", "driver", ran)
    assert costs.expected("mine", "column").cpu_seconds == pytest.approx(
        pace * Costs(None).expected("mine", "column").cpu_seconds
    )
    # What was measured is not scaled, and is taken from another technology where need be.
    for technology in ("mine", "other"):
        driver = costs.expected(technology, "driver")
        assert driver.cpu_seconds == pytest.approx(pace * default.cpu_seconds)
        assert (driver.decks, driver.measured_in) == (3, "mine")


def test_a_deck_that_points_share_is_counted_once():
    def bench(*texts):
        outcomes = yield [
            Simulation(deck=Deck(text=text), reducer=reducer_name(driver_pulse), retry=False) for text in texts
        ]
        return [Measurement(name="m", unit="1", value=float(len(outcomes)))]

    @dataclass
    class Slow:
        version: str = "slow"

        def run(self, decks):
            return [SimResult(failure=Failure(Status.REJECTED, "no"), cpu_seconds=2.0) for _ in decks]

    with ThreadPoolExecutor(1) as pool:
        engine = Engine(simulator=Slow(), cache=None, executor=pool, workers=1)
        first, second = engine.run([bench("a", "b"), bench("a", "c")])
        (third,) = engine.run([bench("a")])
    assert (first.simulations, second.simulations, third.simulations) == (2, 2, 1)
    assert first.decks + second.decks == 3 and third.decks == 0
    assert first.cpu_seconds + second.cpu_seconds + third.cpu_seconds == 3 * 2.0


def test_settings_have_costs_of_their_own(tmp_path):
    plan = tmp_path / "plan.toml"
    names = []
    for settings in ("", "data_words = 4", "data_words = 8"):
        plan.write_text(
            'name = "p"\ntechnology = "generic45lp"\n[corners]\nprocess = ["tt"]\nvdd = [1.1]\ntemperature_c = [27.0]\n'
            f"[benches.sequential]\nrows = [4]\nmembrane_bits = [8]\n{settings}\n"
        )
        names.append(load_plan(plan).kind_of("sequential"))
    costs = Costs(None)
    default = costs.expected("mine", names[1])
    assert default == costs.expected("mine", "sequential")
    for name, seconds in zip(names[:2], (30.0, 10.0), strict=True):
        costs.add("mine", name, BenchRun(simulations=3, decks=3, cpu_seconds=seconds))
    # The third never ran: it costs what the bench does without settings.
    assert [costs.expected("mine", name).cpu_seconds for name in names] == [30.0, 10.0, 30.0]


def stored_costs(tmp_path):
    return json.loads((tmp_path / "cache" / "costs.json").read_text())


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90", 90), ("10m", 600), ("1h30m", 5400), ("2h", 7200), ("1h1m1s", 3661)]
)
def test_lengths_of_time(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-5s", "1.5h", "ten", "5d", "30m1h", "5 s"])
def test_no_length_of_time(text):
    with pytest.raises(ConfigError, match="no length of time.*1h30m"):
        duration(text)
