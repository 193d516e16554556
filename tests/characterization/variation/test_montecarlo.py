"""Margins of sampled copies in ngspice: against exact runs, bisection and brute force; what the statistics promise."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from pyspice_cim.characterization.benches.word6t import SPLIT, Word
from pyspice_cim.characterization.engine.engine import Engine, run_one
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.spice.simulation import Outcome, execute
from pyspice_cim.characterization.variation.access import (
    access_copies_deck,
    access_fixture,
    column_cell,
    nominal_sense_delay,
    reduce_access_copies,
)
from pyspice_cim.characterization.variation.cycle import pulse_slack, read_fixture, write_fixture
from pyspice_cim.characterization.variation.estimates import BOUNDS, STATISTICS, fraction, statistics
from pyspice_cim.characterization.variation.fixture import run_copies
from pyspice_cim.characterization.variation.importance import tail_probability
from pyspice_cim.characterization.variation.mechanisms import Conditions, find_mechanisms
from pyspice_cim.characterization.variation.montecarlo import MECHANISMS, monte_carlo_bench, tail_bench
from pyspice_cim.characterization.variation.population import MonteCarloSettings, Population, standard_normals
from pyspice_cim.characterization.variation.sense import latch_deck, latch_differences, sense_offset, sense_transistors
from pyspice_cim.netlists.analysis import Options
from pyspice_cim.technology import Corner, load_technology

TECHNOLOGY, CORNER = load_technology("generic45lp"), Corner(vdd=1.1)
WORD = Word(technology=TECHNOLOGY, corner=CORNER, rows=64, columns=1, tau=45e-12)
SIMULATOR = NgspiceSimulator()


def run(generator):
    """The return value of a generator that yields simulations."""
    answer = None
    while True:
        try:
            wanted = next(generator) if answer is None else generator.send(answer)
        except StopIteration as stop:
            return stop.value
        answer = [execute(simulation, SIMULATOR) for simulation in wanted]


def drawn(transistors, count: int, scale: float = 1.0):
    population = Population.of(TECHNOLOGY, [transistors])
    return population.shifts(
        scale * standard_normals(MonteCarloSettings(count=count), population.dimensions), transistors
    )


@pytest.fixture(scope="module")
def sense_delay() -> float:
    return float(execute(nominal_sense_delay(WORD), SIMULATOR).values["sense_delay"])


@pytest.fixture(scope="module")
def access(sense_delay: float):
    return access_fixture(WORD, sense_delay)


def test_an_access_is_as_accurate_as_it_says(access, sense_delay: float) -> None:
    shifts = drawn(access.transistors, 16)
    fast = execute(access.build(shifts), SIMULATOR)
    exactly = Options.of(reltol="1e-5", chgtol="1e-18")
    deck, _ = access_copies_deck(WORD, column_cell(WORD), shifts, sense_delay, exactly, 0.5)
    exact = execute(replace(access.build(shifts), deck=deck), SIMULATOR)
    assert fast.ok and exact.ok
    for name in ("write_delay", "write_energy", "differential", "read_energy"):
        error = fast.values[name] - exact.values[name]
        assert error.std() < 0.25 * exact.values[name].std(), name
        assert abs(error.mean()) < 0.05 * exact.values[name].mean(), name


def test_the_nominal_copy_has_its_split_at_the_sense_moment(access) -> None:
    # The deck of the nominal copy has other time steps: access.py states a bias of at most 5 %.
    assert execute(access.nominal, SIMULATOR).values["differential"][0] == pytest.approx(SPLIT, rel=0.05)


def test_a_failed_access_is_a_value_and_no_failed_simulation(access) -> None:
    paths = [each.path for each in access.transistors]
    shifts = np.zeros((3, len(paths)))
    # No access transistor that conducts: the cell cannot be written.
    shifts[1, [paths.index("sram6t.cell.axl"), paths.index("sram6t.cell.axr")]] = 0.7
    # A pull-down that does not hold against its access transistor, and a strong other inverter: the read flips the 1.
    shifts[2, paths.index("sram6t.cell.pdr")] = 0.7
    shifts[2, paths.index("sram6t.cell.pdl")] = -0.4
    outcome = execute(access.build(shifts), SIMULATOR)
    assert outcome.ok
    assert outcome.values["write_failed"].tolist()[:2] == [0, 1]
    assert outcome.values["read_disturbed"].tolist() == [0, 0, 1]
    assert np.isinf(outcome.values["write_delay"][1]) and np.isfinite(outcome.values["write_delay"][0])


def test_a_node_that_does_not_reach_its_rail_is_not_written() -> None:
    time = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    fast, slow = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.6, 0.85, 0.85, 0.85])
    # Copy 0: both nodes arrive. Copy 1: q does not. Copy 2: qb does not.
    waves = {"q": (fast, slow, fast), "qb": (1 - fast, 1 - fast, 1 - slow)}
    vectors = {f"v({name}{copy})": wave for name, each in waves.items() for copy, wave in enumerate(each)}
    vectors |= {f"v({name}{copy})": np.ones(6) for name in ("bl", "blb") for copy in range(3)}
    vectors |= {f"i(vvdd{copy})": np.zeros(6) for copy in range(3)} | {"time": time}
    found = reduce_access_copies(vectors, vdd=1.0, copies=3, times=[0.0, 0.5, 2.5, 3.0, 4.0, 5.0])
    assert found["write_delay"].tolist() == pytest.approx([1.4, np.inf, np.inf])
    assert not found["write_failed"].any()


def answered(generator, values: dict[str, np.ndarray]):
    """Return the result of a bench whose every simulation gives ``values``."""
    outcome = Outcome(values=values, deck_sha256="0" * 64, cpu_seconds=0.0)
    wanted = next(generator)
    while True:
        try:
            wanted = generator.send([outcome] * len(wanted))
        except StopIteration as stop:
            return stop.value


def test_a_result_that_is_not_a_number_has_a_reason(access) -> None:
    values = {name: np.array([1.0, np.nan if name == "read_energy" else 1.0]) for name in access.values}
    found = answered(run_copies(access, np.zeros((2, len(access.transistors)))), values)
    assert found.failed.tolist() == [False, True]
    assert found.reasons[1] == "rejected: a result is not a number"


def test_an_offset_that_is_not_a_number_is_not_zero() -> None:
    shifts = np.zeros((2, len(sense_transistors(WORD))))
    found = answered(sense_offset(WORD, shifts), {"offset": np.array([0.01, np.nan])})
    assert found.values["offset"].tolist() == pytest.approx([0.01, np.nan], nan_ok=True)
    assert found.failed.tolist() == [False, True]


def test_the_offset_is_the_input_at_which_the_latch_is_undecided() -> None:
    transistors = sense_transistors(WORD)
    shifts = np.concatenate([drawn(transistors, 6), drawn(transistors, 6, scale=3.0)])
    offset = run(sense_offset(WORD, shifts)).values["offset"]
    low, high = np.full(12, -0.4), np.full(12, 0.4)
    for _ in range(10):
        middle = (low + high) / 2
        (result,) = SIMULATOR.run([latch_deck(WORD, shifts, middle[:, None], stop=9.0)])
        one = latch_differences(result.vectors, 12, 1, 9.0 * WORD.tau)[:, 0] > 0
        high, low = np.where(one, middle, high), np.where(one, low, middle)
    # Sigma of an offset is about 30 mV; a latch with three times that is followed less far into its decision.
    assert offset[:6] == pytest.approx(middle[:6], abs=2e-3)
    assert offset[6:] == pytest.approx(middle[6:], abs=6e-3)


def test_a_value_depends_on_its_pack_no_more_than_on_the_tolerances(access) -> None:
    shifts = drawn(access.transistors, 12)
    whole, halves = (run(run_copies(access, shifts, pack=size)) for size in (12, 5))
    assert len(whole.decks) == 1 and len(halves.decks) == 3
    # Each of both differs from an exact run by at most a quarter of sigma, see access.py.
    for name in ("write_delay", "differential"):
        assert halves.values[name] == pytest.approx(whole.values[name], abs=0.5 * whole.values[name].std()), name


def test_samples_do_not_depend_on_the_number_of_workers(access) -> None:
    shifts = drawn(access.transistors, 6)
    found = []

    def bench():
        found.append((yield from run_copies(access, shifts, pack=2)).values)
        return []

    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            Engine(cache=None, executor=pool).run([bench()])
    for name in access.values:
        assert np.array_equal(found[0][name], found[1][name], equal_nan=True)


def conditions(minimum_cycle: float, sense_delay: float = 50e-12) -> Conditions:
    read, write = (execute(fixture(WORD).nominal, SIMULATOR) for fixture in (read_fixture, write_fixture))
    return Conditions(
        word=WORD,
        sense_delay=sense_delay,
        slack=pulse_slack(minimum_cycle),
        delays={"read": float(read.values["read_delay"][0]), "write": float(write.values["write_delay"][0])},
    )


def test_a_nominal_copy_has_the_slack_of_the_working_cycle_and_a_weak_stack_has_less() -> None:
    mechanism = find_mechanisms(TECHNOLOGY, CORNER, conditions(1e-9))["cycle"]
    paths = [each.path for each in mechanism.transistors]
    shifts = np.zeros((3, len(paths)))
    shifts[1, paths.index("sram8t.cell.ra")] = 0.1
    shifts[2, paths.index("sram8t.cell.axl")] = 0.3
    margin = run(mechanism.run(shifts, 32)).values["margin"]
    # The copies share the time steps of a deck, the nominal delay comes from a deck of its own: 1.3 ps of 26 ps.
    assert margin[0] == pytest.approx(min(pulse_slack(1e-9).values()), rel=0.05)
    assert margin[1] < margin[0] and margin[2] < margin[0]


def check_against_brute_force(name: str, given: Conditions, spec: float, *, samples: int, count: int) -> float:
    """Sigmas of the tail of mechanism ``name`` below ``spec``; its interval and that of so many plain samples must meet.

    Of two right 95 % intervals of like widths, 1 pair in 180 does not: they are 2.8 standard errors of their difference apart.
    """
    mechanism = find_mechanisms(TECHNOLOGY, CORNER, given)[name]
    population = Population.of(TECHNOLOGY, [mechanism.transistors])

    def margin(z):
        return (yield from mechanism.of(population, z, 32)).values["margin"]

    tail = run(
        tail_probability(margin, population.dimensions, samples=samples, seed=1, spec=spec, mirror=population.mirror)
    )
    z = standard_normals(MonteCarloSettings(count=count, seed=7), population.dimensions)
    failed = run(margin(z)) < spec
    assert not tail.reason and 1.5 < tail.sigma < 3
    assert failed.sum() > 4
    low, high = fraction(failed)[1:]
    assert low < tail.interval[1] and tail.interval[0] < high
    return tail.sigma


def test_the_tail_agrees_with_brute_force_where_that_reaches() -> None:
    # A limit of 0.195 V for the write margin lies between 2 and 3 sigma of it.
    assert 2 < check_against_brute_force("write", Conditions(word=None), 0.195, samples=192, count=512) < 3


def test_the_tail_of_a_late_read_agrees_with_brute_force() -> None:
    # A cycle so short that about one read in thirty is late.
    check_against_brute_force("late_read", conditions(1e-9), -92e-12, samples=160, count=256)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "spec", "count"),
    [
        # Read noise margin, V: one in a hundred is below. Sensing, V: as it is, one in a hundred fails.
        ("read", 0.195, 2048),
        ("sense", 0.0, 1024),
        # Slack, s: reads and writes are late, each of them one time in a hundred, so that there are two regions.
        ("cycle", 0.0, 2048),
    ],
)
def test_every_failure_agrees_with_brute_force(name: str, spec: float, count: int, sense_delay: float) -> None:
    given = replace(conditions(1e-9, sense_delay), slack={"read": 108e-12, "write": 34e-12})
    check_against_brute_force(name, given, spec, samples=384, count=count)


@given(n=st.integers(1, 400), part=st.floats(0, 1))
def test_a_fraction_has_the_exact_interval(n: int, part: float) -> None:
    k = round(part * n)
    expected = binomtest(k, n).proportion_ci(0.95, method="exact")
    found, lower, upper = fraction(np.arange(n) < k)
    # The root search of SciPy ends at 2e-12.
    assert (found, lower, upper) == pytest.approx((k / n, expected.low, expected.high), rel=0, abs=4e-12)
    # What the bounds mean: k or more, and k or fewer, failures have a probability of 2.5 % there.
    assert lower == 0 if k == 0 else binom.sf(k - 1, n, lower) == pytest.approx(0.025, rel=1e-9)
    assert upper == 1 if k == n else binom.cdf(k, n, upper) == pytest.approx(0.025, rel=1e-9)


def test_the_intervals_of_the_statistics_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    inside = np.zeros(len(STATISTICS))
    trials, size = 400, 1000
    truth = np.array([5.0, 2.0, *(5 + 2 * np.array([-3.0902, -2.3263, 0, 2.3263, 3.0902]))])
    for _ in range(trials):
        found = statistics(5 + 2 * rng.standard_normal(size))
        inside += (found[:, 1] <= truth) & (truth <= found[:, 2])
    assert list(BOUNDS) == ["estimate", "lower", "upper"]
    # All are exact or conservative.
    assert inside.min() >= binom.ppf(1e-4, trials, 0.95)


def test_a_quantile_that_the_sample_does_not_reach_has_no_bound() -> None:
    found = statistics(np.arange(1000.0))
    assert found[STATISTICS.index("q0.001"), 1] == -np.inf and found[STATISTICS.index("q0.999"), 2] == np.inf
    assert np.isfinite(found[:, 0]).all()


def test_writes_that_do_not_happen_have_their_rank_among_the_quantiles() -> None:
    found = statistics(np.array([*np.arange(98.0), np.inf, np.inf]))
    assert (
        found[STATISTICS.index("median")].tolist() == statistics(np.arange(100.0))[STATISTICS.index("median")].tolist()
    )
    assert found[STATISTICS.index("q0.99"), 0] == np.inf
    assert np.isinf(found[STATISTICS.index("mean"), 0]) and not np.isnan(found).any()


@pytest.mark.slow
def test_the_benches_measure_what_they_name() -> None:
    # Of the samples, each region of failure has its part: with 256, those of a write are too few to be trusted.
    settings = MonteCarloSettings(count=64, tail_samples=512, sampler="sobol", variation="both")
    measured = {m.name: m for m in run_one(monte_carlo_bench(TECHNOLOGY, CORNER, rows=16, monte_carlo=settings))}
    for name, each in measured.items():
        assert each.value is not None and not each.reason, (name, each.reason)
    assert measured["sram6t_mc_read_snm"].value.shape == (64,)
    assert measured["sram6t_mc_failure_fraction"].value.shape == (len(MECHANISMS), len(BOUNDS))
    tails = {m.name: m for m in run_one(tail_bench(TECHNOLOGY, CORNER, rows=16, monte_carlo=settings))}
    for cell, known in (("sram6t", 2), ("sram8t", 8)):
        sigma = tails[f"{cell}_tail_sigma"].value[..., 0].ravel()
        norm = tails[f"{cell}_tail_shift_norm"].value.ravel()
        told = np.isfinite(sigma)
        assert told.sum() >= known
        # A flat limit has the probability of its distance. These are bent, or have two regions: up to half a sigma.
        assert sigma[told] == pytest.approx(norm[told], abs=0.5)
    # The longer the cycle, the fewer are late.
    assert (np.diff(tails["sram8t_tail_sigma"].value[..., 0], axis=1) > 0).all()
