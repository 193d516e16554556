"""The engine, with an analytic simulator in the place of ngspice: order, batches, cache, failures."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, dataclass, field, replace

import numpy as np
import pytest

from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.engine import Engine, run_one
from pyspice_cim.characterization.engine.tally import Tally
from pyspice_cim.characterization.spice.ngspice import SimResult
from pyspice_cim.characterization.spice.simulation import Measurement, Simulation, reducer_name
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.deck import Deck


@dataclass
class Analytic:
    """Decks are numbers; the "waveform" of ``x`` is ``x`` squared. ``13`` fails."""

    version: str = "analytic-1"
    ran: list[str] = field(default_factory=list)

    def run(self, decks):
        self.ran += [deck.text for deck in decks]
        return [
            SimResult(vectors={}, failure=Failure(Status.UNTRUSTED, "unlucky"), cpu_seconds=1.0)
            if deck.text == "13"
            else SimResult(vectors={"y": np.array([float(deck.text) ** 2])}, cpu_seconds=1.0)
            for deck in decks
        ]


def last(vectors, *, offset):
    if vectors["y"][-1] > 1e6:
        raise SimulationError("too large to be true")
    return {"last": vectors["y"][-1] + offset}


def simulation(number, offset=0.0):
    # A transient: what the reducer refuses is final.
    return Simulation(
        deck=Deck(text=str(number), stop_time=1.0), reducer=reducer_name(last), arguments={"offset": offset}
    )


def bench(*rounds):
    total, reasons = 0.0, []
    for numbers in rounds:
        outcomes = yield [simulation(n) for n in numbers]
        assert [o.deck_sha256 for o in outcomes] == [Deck(text=str(n)).sha256 for n in numbers]
        reasons += [o.reason for o in outcomes if not o.ok]
        total += sum(float(o.values["last"]) for o in outcomes if o.ok)
    return [Measurement(name="total", unit="1", value=None if reasons else total, reason="; ".join(reasons))]


BENCHES = [((1, 2), (3,)), ((4,), (5, 6), (7,)), ((13, 2),), ((2000,),), ()]


def totals(runs):
    return [(m.value, m.reason) for run in runs for m in run.measurements]


EXPECTED = [(14.0, ""), (126.0, ""), (None, "untrusted: unlucky"), (None, "rejected: too large to be true"), (0.0, "")]


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_results_do_not_depend_on_the_number_of_workers(workers):
    with ThreadPoolExecutor(workers) as pool:
        engine = Engine(simulator=Analytic(), cache=None, executor=pool)
        assert totals(engine.run([bench(*rounds) for rounds in BENCHES])) == EXPECTED
    assert engine.tally.failed == 2 and engine.tally.benches_done == len(BENCHES)


def test_a_process_pool_gives_the_same(tmp_path):
    engine = Engine(simulator=Analytic(), cache=Cache(tmp_path), workers=2)
    assert totals(engine.run([bench(*rounds) for rounds in BENCHES])) == EXPECTED


def test_what_is_cached_is_not_run_again_but_what_ngspice_failed_at_is(tmp_path):
    simulator = Analytic()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            engine = Engine(simulator=simulator, cache=Cache(tmp_path), executor=pool)
            assert totals(engine.run([bench(*rounds) for rounds in BENCHES])) == EXPECTED
    assert sorted(simulator.ran) == sorted(["1", "2", "3", "4", "5", "6", "7", "13", "2000", "13"])


def test_a_damaged_cache_entry_is_run_again(tmp_path):
    simulator, cache = Analytic(), Cache(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        Engine(simulator=simulator, cache=cache, executor=pool).run([bench((5,))])
        (entry,) = tmp_path.rglob("*.json")
        entry.write_bytes(entry.read_bytes()[:20])
        (result,) = Engine(simulator=simulator, cache=cache, executor=pool).run([bench((5,))])
    assert result.measurements[0].value == 25.0 and simulator.ran == ["5", "5"]


def test_the_key_depends_on_all_that_matters():
    plain = simulation(5).key("v1")
    assert plain == simulation(5).key("v1")
    assert len({plain, simulation(6).key("v1"), simulation(5, offset=1.0).key("v1"), simulation(5).key("v2")}) == 4


def test_the_forecast_counts_down_between_points(monkeypatch):
    now = 100.0
    monkeypatch.setattr("pyspice_cim.characterization.engine.tally.time.monotonic", lambda: now)
    tally = Tally(benches=4, started=100.0)
    assert tally.seconds_left is None
    tally.benches_done, tally.last_done, now = 1, 10.0, 110.0
    assert tally.seconds_left == 30.0
    now = 125.0
    assert tally.seconds_left == 15.0
    now = 200.0
    assert tally.seconds_left == 0.0


def test_outcomes_come_in_the_order_of_their_simulations(tmp_path):
    wanted = [simulation(number) for number in (3, 13, 3, 2000, 1)]
    with ThreadPoolExecutor(2) as pool:
        engine = Engine(simulator=Analytic(), cache=Cache(tmp_path), executor=pool)
        found = engine.simulate(wanted)
    assert [o.deck_sha256 for o in found] == [each.deck.sha256 for each in wanted]
    assert [float(o.values["last"]) for o in found if o.ok] == [9.0, 9.0, 1.0]
    assert [o.status for o in found] == [None, Status.UNTRUSTED, None, Status.REJECTED, None]


def test_a_simulation_that_is_not_run_has_an_outcome_that_says_why(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        engine = Engine(simulator=Analytic(), cache=Cache(tmp_path), executor=pool)
        engine.simulate([simulation(1)])
        late = replace(engine, budget=0.0).simulate([simulation(2)])
        looked_up = replace(engine, cache_only=True).simulate([simulation(1), simulation(2)])
    assert [o.reason for o in late] == ["not simulated: the budget of 0 s ran out"]
    assert [(o.ok, o.cached, o.reason) for o in looked_up] == [(True, True, ""), (False, False, "not in the cache")]


def test_an_engine_is_changed_by_making_another():
    with pytest.raises(FrozenInstanceError):
        Engine(cache=None).budget = 1.0


def test_run_one_needs_no_executor():
    (measured,) = run_one(bench((1, 2), (3,)), Analytic())
    assert measured.value == 14.0
