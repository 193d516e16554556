"""What a plan chooses of a bench: operations, loads, slews, data. Each reaches the decks, and the table says so."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyspice_cim.characterization.benches.column import calibration_runs, run_events
from pyspice_cim.characterization.benches.decoder import ANY, COUNTED, FAR, addresses
from pyspice_cim.characterization.benches.words import Data, balanced_words
from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.plans.explain import trace_cached
from pyspice_cim.characterization.plans.plan import load_plan
from pyspice_cim.characterization.plans.registry import BENCHES
from pyspice_cim.characterization.plans.sweep import characterize
from pyspice_cim.errors import PlanError
from pyspice_cim.microcode import EVENTS
from pyspice_cim.netlists.cells.decoder import address_bits, address_groups
from pyspice_cim.netlists.columns.array import ArrayShape
from pyspice_cim.netlists.waves import Timing
from pyspice_cim.tables.origin import origin
from pyspice_cim.technology import Corner, load_technology

HEAD = """
name = "chosen"
technology = "generic45lp"
[corners]
process = ["tt"]
vdd = [1.1]
temperature_c = [27.0]
"""
OF_OPERATION = {
    "sram6t": {
        "hold": {"leakage_power", "hold_snm"},
        "read": {"read_snm", "bitline_delay", "read_delay", "read_energy"},
        "write": {"write_margin", "write_delay", "write_energy"},
    },
    "sram8t": {
        "hold": {"leakage_power"},
        "read": {"read_delay", "read_droop", "read_energy"},
        "write": {"write_delay", "write_energy", "write_bitline_energy"},
    },
}


def plan_of(tmp_path, benches):
    path = tmp_path / "plan.toml"
    path.write_text(HEAD + benches)
    return load_plan(path)


@pytest.mark.parametrize(
    ("bench", "message"),
    [
        ("[benches.driver]\nline_load_ff = [2.0, 1.0]", "benches.driver.line_load_ff: Value error, .* must rise"),
        ("[benches.driver]\nline_load_ff = []", "benches.driver.line_load_ff"),
        ("[benches.driver]\nline_load_ff = [0.0]", "benches.driver.line_load_ff.0: Input should be greater than 0"),
        (
            "[benches.driver]\ninput_slew_ps = [3000.0]",
            "benches.driver.input_slew_ps.0: Input should be less than or equal",
        ),
        ("[benches.driver]\ninput_slew_ps = ['30']", "benches.driver.input_slew_ps.0: Input should be a valid number"),
        (
            "[benches.driver]\noperations = ['read']",
            "driver.operations is no axis of this bench .none. and no setting .line_load_ff",
        ),
        (
            "[benches.sram8t]\nrows = [16]\noperation = ['read']",
            "sram8t.operation is no axis of this bench .rows. and no setting",
        ),
        (
            "[benches.sram6t]\nrows = [16]\noperations = ['erase']",
            "benches.sram6t.operations.0: Input should be 'hold'",
        ),
        ("[benches.sram6t]\nrows = [16]\noperations = ['read', 'read']", "'read' is given twice"),
        ("[benches.sram6t]\nrows = [16]\noperations = []", "benches.sram6t.operations"),
        (
            "[benches.sequential]\nrows = [4]\nmembrane_bits = [4]\ndata_words = 6",
            "data_words: Value error, words come in",
        ),
        ("[benches.sequential]\nrows = [4]\nmembrane_bits = [4]\ndata_seed = -1", "benches.sequential.data_seed"),
        (
            "[benches.decoder]\nrows = [4]\ndata_words = 8",
            "decoder.data_words is no axis of this bench .rows. and no setting .none.",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, bench, message):
    with pytest.raises(PlanError, match=message):
        plan_of(tmp_path, bench)


@pytest.mark.parametrize("cell", ["sram6t", "sram8t"])
@pytest.mark.parametrize("operations", [("hold",), ("read",), ("write",), ("hold", "write")])
def test_operations_choose_what_is_measured(tmp_path, cell, operations):
    names = str(list(operations)).replace("'", '"')
    engine = Engine(cache=Cache(tmp_path / "cache"))
    table = characterize(plan_of(tmp_path, f"[benches.{cell}]\nrows = [16]\noperations = {names}\n"), engine)
    every = characterize(plan_of(tmp_path, f"[benches.{cell}]\nrows = [16]\n"), Engine(cache=Cache(tmp_path / "cache")))
    of = OF_OPERATION[cell]
    assert set(table.quantities) == {f"{cell}_{name}" for operation in operations for name in of[operation]}
    assert set(every.quantities) == {f"{cell}_{name}" for names in of.values() for name in names}
    assert not table.failures()
    # The decks are those of the whole bench, so the numbers are.
    for name in table.quantities:
        assert np.array_equal(table.quantity(name), every.quantity(name))
    if operations == ("hold",):
        assert engine.tally.simulations <= 2


def test_loads_and_slews_reach_the_driver(tmp_path):
    few = "[benches.driver]\nline_load_ff = [3.0, 6.0, 10.0]\ninput_slew_ps = [100.0]\n"
    chosen = characterize(plan_of(tmp_path, few), Engine(cache=None))
    whole = characterize(plan_of(tmp_path, "[benches.driver]\n"), Engine(cache=None))
    for name in ("driver_energy", "driver_slew_energy", "driver_delay", "driver_slew_delay"):
        here, there = chosen.quantity(name).squeeze(drop=True), whole.quantity(name).squeeze(drop=True)
        assert here["line_load"].values == pytest.approx([3e-15, 6e-15, 10e-15], rel=0, abs=0)
        same = there.sel(line_load=[3e-15, 6e-15, 10e-15])
        if "slew" in name:
            assert chosen.quantity(name)["input_slew"].values == pytest.approx([1e-10], rel=0, abs=0)
            same = same.sel(input_slew=1e-10)
        # Each driver has its supply, but decks of other loads take other time steps: two runs, each a little off.
        assert here.values == pytest.approx(same.values, rel=5e-3, abs=0)
    assert (chosen.quantity("driver_slew_delay") > chosen.quantity("driver_delay")).all()


def test_a_driver_that_cannot_follow_is_a_failed_point(tmp_path):
    table = characterize(plan_of(tmp_path, "[benches.driver]\nline_load_ff = [1000.0]\n"), Engine(cache=None))
    ((bench, reason),) = table.failures()
    assert bench == "driver" and "crosses half the supply" in reason


def test_a_driver_that_does_not_come_to_its_rail_is_a_failed_point(tmp_path):
    """It crosses half the supply twice in its pulse, and its energy would be a sixth short of C V^2."""
    table = characterize(plan_of(tmp_path, "[benches.driver]\nline_load_ff = [200.0]\n"), Engine(cache=None))
    ((bench, reason),) = table.failures()
    assert bench == "driver" and "its load is too large for the corner" in reason
    assert np.isnan(table.quantity("driver_energy").values).all()


def decks_of(plan, bench, **coordinates):
    """The decks behind each quantity."""
    engine = Engine(cache=None, workers=1)
    technology, asked = load_technology("generic45lp"), plan.benches[bench]
    kind = BENCHES[bench]
    (run,) = engine.run([kind.start(technology, Corner(vdd=1.1), coordinates, asked.settings)])
    return {each.name: each.decks for each in run.measurements}


def test_data_reach_the_arithmetic_and_not_the_memory(tmp_path):
    base = "[benches.sequential]\nrows = [4]\nmembrane_bits = [2]\n"
    first = decks_of(plan_of(tmp_path, base + "data_words = 4"), "sequential", rows=4, membrane_bits=2)
    other = decks_of(plan_of(tmp_path, base + "data_words = 8\ndata_seed = 3"), "sequential", rows=4, membrane_bits=2)
    changed = {name.split("_")[1] for name in first if first[name] != other[name]}
    assert changed == {"subtract", "multiply"}


def test_a_number_of_such_a_table_is_traced_to_the_same_decks(tmp_path):
    plan = plan_of(tmp_path, "[benches.driver]\nline_load_ff = [1.0, 4.0]\n")
    cache = Cache(tmp_path / "cache")
    table = characterize(plan, Engine(cache=cache))
    found = origin(table, "driver_energy", vdd=1.1, temperature_c=27, line_load=1e-15)
    (point,) = trace_cached(table, found, load_technology("generic45lp"), cache=cache)
    assert point.complete and point.equal and all(deck.listed for deck in point.decks)


def test_refinement_keeps_the_settings(tmp_path):
    more = "[held_out]\n[refine]\nrounds = 1\nenergy = 1e-6\ndelay = 1e-6\n"
    plan = plan_of(tmp_path, "[benches.sram8t]\nrows = [8, 32]\noperations = ['write']\n" + more)
    table = characterize(plan, Engine(cache=None))
    assert list(table.dataset["sram8t_rows"].values) == [8, 16, 32]
    assert set(table.quantities) == {f"sram8t_{name}" for name in OF_OPERATION["sram8t"]["write"]}


@pytest.mark.parametrize("segments", [1, 4])
def test_every_seed_of_a_column_tells_the_events_apart(segments):
    shape = ArrayShape(columns=2, bits=6, inputs=2, weight_bits=4, rows=16, segments=segments)
    runs = [calibration_runs(shape, Timing(cycle=1e-9), seed) for seed in range(40)]
    for pair in runs:
        assert np.linalg.matrix_rank(run_events(pair).T) == len(EVENTS)
    # No two seeds share a run.
    words = {tuple(run.state.word) + tuple(run.weights.ravel()) for pair in runs for run in pair}
    assert len(words) == 80


@settings(max_examples=100, deadline=None)
@given(bits=st.integers(1, 16), fours=st.integers(1, 8), seed=st.integers(0, 1000))
def test_every_bit_stays_and_changes_equally_often(bits, fours, seed):
    words = balanced_words(bits, Data(words=4 * fours, seed=seed))
    assert len(words) == 4 * fours + 1 and words[0] == words[-1] and max(words) < 2**bits
    for bit in range(bits):
        steps = Counter((a >> bit & 1, b >> bit & 1) for a, b in pairwise(words))
        assert steps == dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], fours)


def shares(rows, steps, mask):
    """Part of ``steps`` in which the bits of ``mask`` change, and of all pairs of rows."""
    return np.mean([step & mask != 0 for step in steps]), 1 - np.sum((np.bincount(np.arange(rows) & mask) / rows) ** 2)


@pytest.mark.parametrize("rows", [2, 3, 6, 11, 12, 23, 24, 45, 64, 80, 91, 100, 181, 200, 256, 1000])
def test_any_row_after_any_other_changes_bits_and_groups_as_all_pairs_do(rows):
    selected = addresses(rows)
    assert set(selected) <= set(range(rows))
    steps = [a ^ b for a, b in pairwise(selected)][FAR - 1 + COUNTED :]
    for group in address_groups(rows):
        for mask in (*(1 << bit for bit in group), sum(1 << bit for bit in group)):
            found, expected = shares(rows, steps, mask)
            # One access of eight, as the docstring says.
            assert found == pytest.approx(expected, abs=0 if rows == 2 ** address_bits(rows) else 0.126)


@pytest.mark.parametrize("bits", range(1, 13))
def test_accesses_of_the_decoder_have_the_mean_of_all(bits):
    rows = 2**bits
    selected = addresses(rows)
    assert len(selected) == FAR + COUNTED + ANY and set(selected) <= set(range(rows))
    steps = [a ^ b for a, b in pairwise(selected)]
    counted, anywhere = steps[FAR - 1 : FAR - 1 + COUNTED], steps[FAR - 1 + COUNTED :]
    # A whole count of 2^b rows changes 2^(b + 1) - 2 bits; eight steps can have that mean to within a bit in all.
    assert sum(step.bit_count() for step in counted) == pytest.approx(COUNTED * (2 - 2 ** (1 - bits)), abs=1)
    # Any row after any other: every bit changes in half the accesses, and every group stays once in 2^size.
    assert all(sum(step >> bit & 1 for step in anywhere) == ANY / 2 for bit in range(address_bits(rows)))
    for group in address_groups(rows):
        differences = Counter(step >> group[0] & 2 ** len(group) - 1 for step in anywhere)
        assert differences == dict.fromkeys(range(2 ** len(group)), ANY // 2 ** len(group))
