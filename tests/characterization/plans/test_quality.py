"""Held-out points, refinement and audit, by quantities whose errors are known on paper; no SPICE."""

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.engine.tally import BenchRun
from pyspice_cim.characterization.plans import quality, registry
from pyspice_cim.characterization.plans.plan import Plan, load_plan, plan_points
from pyspice_cim.characterization.plans.quality import Interval, audit_points, audited, held_out_points, refined
from pyspice_cim.characterization.plans.registry import BenchKind
from pyspice_cim.characterization.plans.sweep import characterize
from pyspice_cim.characterization.spice.simulation import Measurement, Outcome, Simulation
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.netlists.analysis import Options, Tran
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.tables import Lookup, Table, load_table, save_table
from pyspice_cim.tables.quantity import BenchAxis, BenchContract
from pyspice_cim.tables.table import CORNER_AXES
from pyspice_cim.technology import load_technology

PLAN = """
name = "parabola"
technology = "generic45lp"
[corners]
process = ["tt", "ss"]
vdd = {vdd}
temperature_c = {temperature}
[benches.parabola]
size = {size}
{more}
"""
TIGHT = 1 + 2**-10
LATE = Failure(Status.NOT_SIMULATED, "no time")


def measured(vdd, celsius, size, *, tight=False):
    """An energy that is a parabola of the supply and linear in the rest, and a delay that is linear in everything."""
    scale = TIGHT if tight else 1.0
    return [
        Measurement(
            name="energy",
            unit="J",
            value=scale * np.array([vdd**2 * size, 2 * vdd**2 * size]),
            dims=("part",),
            labels={"part": ("one", "two")},
            decks=(f"{vdd:g} {celsius:g} {size} {tight}",),
        ),
        Measurement(name="delay", unit="s", value=1.0 - 0.1 * vdd + 0.001 * celsius, decks=("d",)),
        Measurement(name="failing", unit="J", value=None, reason="never"),
    ]


class Analytic:
    version = "analytic"


@dataclass(frozen=True)
class Counting(Engine):
    """An engine without processes, which counts the batches of points that it was given."""

    simulator: Analytic = field(default_factory=Analytic)
    cache: None = None
    asked: list = field(default_factory=list)
    failing: set = field(default_factory=set)

    def run(self, benches):
        found = [drive(bench) for bench in benches]
        self.asked.append([place for place, _ in found])
        return [BenchRun(failure=LATE) if place in self.failing else BenchRun(measurements=m) for place, m in found]


def drawn(title, **options):
    return DrawnDeck(
        circuit=f"{title}\nR1 a 0 1",
        models="",
        temperature_c=27.0,
        options=Options.of(**{"reltol": "1e-3", **options}),
        analysis=Tran(step=1e-12, stop=1e-9, max_step=1e-11, letter="p"),
        saves=("v(a)",),
    )


def parabola(technology, corner, *, size):
    """A bench with one deck, whose text an audit changes; the "outcome" is where it was measured."""
    deck = drawn(f"{corner.process} {corner.vdd!r} {corner.temperature_c!r} {size}")
    (outcome,) = yield [Simulation(deck=deck, reducer="nowhere:nothing")]
    return measured(corner.vdd, corner.temperature_c, size, tight=bool(outcome.values["tight"]))


def drive(bench):
    (simulation,) = next(bench)
    place = simulation.deck.text.split("\n")[0]
    tight = simulation.deck.options["reltol"] == "0.0001"
    assert simulation.retry is not tight
    outcome = Outcome(values={"tight": np.array(float(tight))}, deck_sha256="", cpu_seconds=0.0)
    try:
        bench.send([outcome])
    except StopIteration as stop:
        return place, stop.value
    raise AssertionError("the bench has one batch")


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Makes a plan of the bench ``parabola``."""
    contract = BenchContract(name="parabola", axes=(BenchAxis(name="size", meaning="how many"),), quantities=())
    monkeypatch.setitem(registry.BENCHES, "parabola", BenchKind(parabola, contract))

    def make(more="", vdd="[0.9, 1.0, 1.2]", temperature="[0.0, 50.0]", size="[1, 4]") -> Plan:
        path = tmp_path / "parabola.toml"
        path.write_text(PLAN.format(vdd=vdd, temperature=temperature, size=size, more=more))
        return load_plan(path)

    return make


def places(points):
    return [(p.corner.process, p.corner.vdd, p.corner.temperature_c, p.coordinates["size"]) for p in points]


def test_midpoints_halve_every_interval_with_the_other_axes_at_their_middle(plan):
    held = list(held_out_points(plan("[held_out]")))
    assert places(point for point, _ in held) == [
        ("tt", 0.95, 50.0, 4),
        ("tt", 1.1, 50.0, 4),
        ("tt", 1.0, 25.0, 4),
        ("tt", 1.0, 50.0, 2),
    ]
    assert [interval for _, interval in held] == [
        Interval(bench="", axis="vdd", low=0.9, high=1.0),
        Interval(bench="", axis="vdd", low=1.0, high=1.2),
        Interval(bench="", axis="temperature_c", low=0.0, high=50.0),
        Interval(bench="parabola", axis="size", low=1, high=4),
    ]


def test_an_interval_of_whole_numbers_without_a_middle_has_none(plan):
    held = list(held_out_points(plan("[held_out]", vdd="[1.0]", temperature="[27.0]", size="[1, 2, 3]")))
    assert places(point for point, _ in held) == []


def test_without_the_table_nothing_is_held_out(plan):
    assert list(held_out_points(plan())) == []


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_random_points_are_in_the_box_off_the_grid_and_a_longer_list_begins_with_the_shorter(plan, count):
    table = "[held_out]\nmidpoints = false\nrandom = {}\nseed = {}"
    drawn = places(point for point, _ in held_out_points(plan(table.format(count, 3), size="[1, 400]")))
    more = places(point for point, _ in held_out_points(plan(table.format(count + 1, 3), size="[1, 400]")))
    others = places(point for point, _ in held_out_points(plan(table.format(count, 4), size="[1, 400]")))
    assert len(drawn) == count and more[:count] == drawn and others != drawn
    for process, vdd, celsius, size in drawn:
        assert process in ("tt", "ss") and 0.9 <= vdd <= 1.2 and 0 <= celsius <= 50 and 1 <= size <= 400
        assert vdd not in (0.9, 1.0, 1.2)


def test_a_random_point_that_rounding_puts_on_a_node_is_left_out(plan):
    only = plan("[held_out]\nmidpoints = false\nrandom = 64", vdd="[1.0]", temperature="[27.0]", size="[1, 2, 3]")
    assert list(held_out_points(only)) == []


def test_held_out_points_are_simulated_and_never_interpolated_from(plan):
    engine, wanted = Counting(), plan("[held_out]\nrandom = 3")
    table = characterize(wanted, engine)
    assert list(table.dataset["vdd"].values) == [0.9, 1.0, 1.2]
    assert list(table.dataset["parabola_size"].values) == [1, 4]
    grid, held, *rest = engine.asked
    assert len(grid) == 24 and len(held) == 4 + 3 and not set(grid) & set(held) and not any(rest)
    assert table.dataset["parabola_point"].size == len(grid) == table.dataset.sizes["point"]


def test_errors_of_interpolation_are_those_of_the_formula(plan, tmp_path):
    save_table(characterize(plan("[held_out]"), Counting()), tmp_path / "t.h5")
    data = load_table(tmp_path / "t.h5").dataset
    rows = {
        (place["vdd"], place["temperature_c"], place["parabola_size"], str(quantity)): float(error)
        for place, quantity, error in zip(
            map(json.loads, data["held_out_coordinates"].values),
            data["held_out_quantity"].values,
            data["held_out_error"].values,
            strict=True,
        )
    }
    assert len(rows) == 4 * 3
    # A chord lies above the parabola x^2 by (h / 2)^2 in the middle of an interval of width h.
    assert rows[0.95, 50, 4, "energy"] == pytest.approx(0.05**2 / 0.95**2)
    assert rows[1.1, 50, 4, "energy"] == pytest.approx(0.1**2 / 1.1**2)
    # Linear in temperature and size: nothing but rounding.
    assert rows[1.0, 25, 4, "energy"] < 1e-12 and rows[1.0, 50, 2, "energy"] < 1e-12
    assert data["energy"].attrs["interpolation_error"] == max(e for (*_, name), e in rows.items() if name == "energy")
    # The delay is interpolated in its logarithm, over the logarithm of the supply.
    linear = 1.0 - 0.1 * 1.1 + 0.05
    part = np.log(1.1 / 1.0) / np.log(1.2 / 1.0)
    logarithmic = (1.0 - 0.1 * 1.0 + 0.05) ** (1 - part) * (1.0 - 0.1 * 1.2 + 0.05) ** part
    assert rows[1.1, 50, 4, "delay"] == pytest.approx(abs(linear - logarithmic) / linear)
    assert "interpolation_error" not in data["failing"].attrs
    at = list(zip(data["held_out_quantity"].values, data["held_out_error"].values, strict=True)).index(
        ("energy", rows[1.1, 50, 4, "energy"])
    )
    # The entry that is furthest off is the larger one.
    assert data["held_out_expected"].values[at] == pytest.approx(2 * 4 * 1.1**2)
    assert data["held_out_found"].values[at] == pytest.approx(2 * 4 * (1.0**2 + 1.2**2) / 2)


def test_a_node_that_is_needed_and_missing_is_no_small_error(plan):
    engine = Counting()
    engine.failing.update(
        f"tt {vdd!r} {celsius!r} {size}" for vdd in (0.9, 1.0, 1.2) for celsius in (0.0, 50.0) for size in (1, 4)
    )
    data = characterize(plan("[held_out]\n[refine]\nrounds = 2"), engine).dataset
    assert np.isnan(data["held_out_error"].values).all()
    assert "interpolation_error" not in data["energy"].attrs
    assert data.sizes["vdd"] == 3


def test_a_point_held_out_that_was_not_simulated_says_so(plan):
    wanted, engine = plan("[held_out]"), Counting()
    places_held = [
        f"{p.corner.process} {p.corner.vdd!r} {p.corner.temperature_c!r} {p.coordinates['size']}"
        for p, _ in held_out_points(wanted)
    ]
    engine.failing.add(places_held[0])
    data = characterize(wanted, engine).dataset
    of_all = [json.loads(place)["vdd"] for place in data["held_out_coordinates"].values]
    # The quantity that no point measures has a reason of its own.
    quantities, reasons = data["held_out_quantity"].values, data["held_out_reason"].values
    assert set(quantities) == {"energy", "delay", "failing"} and len(of_all) == 3 * len(places_held)
    lost = reasons == str(LATE)
    assert set(quantities[lost]) == {"energy", "delay", "failing"}
    assert set(reasons[~lost & (quantities == "failing")]) == {"never"}
    assert (reasons[~lost & (quantities != "failing")] == "").all()
    unknown = np.isnan(data["held_out_error"].values)
    assert (unknown == (reasons != "")).all()
    assert data["energy"].attrs["interpolation_error"] > 0


@dataclass(frozen=True)
class NoAudit(Counting):
    """An engine that has no time for audits."""

    def run(self, benches):
        found = super().run(benches)
        return found if len(self.asked) == 1 else [BenchRun(failure=LATE) for _ in found]


def test_an_audit_that_there_was_no_time_for_says_so(plan):
    data = characterize(plan("[audit]\npoints = 2"), NoAudit()).dataset
    assert set(data["audit_quantity"].values) == {"energy", "delay"} and data.sizes["audit"] == 4
    assert set(data["audit_reason"].values) == {str(LATE)} and np.isnan(data["audit_error"].values).all()
    assert "numerical_error" not in data["energy"].attrs


def test_refinement_stops_at_the_largest_grid(plan, monkeypatch):
    monkeypatch.setattr("pyspice_cim.characterization.plans.sweep.MAX_POINTS", 60)
    table = characterize(plan("[held_out]\n[refine]\nrounds = 5\nenergy = 1e-7"), Counting())
    # 2 processes, 2 temperatures and 2 sizes: 24 points with 3 supplies, 40 with 5, and 72 with 9.
    assert table.dataset.sizes["vdd"] == 5
    assert table.dataset.attrs["refinement"] == "stopped: the next grid would have 72 points, over 60"


def test_a_node_is_added_exactly_where_the_error_is_above_the_bound(plan):
    # 0.28 % in the first interval of the supply and 0.83 % in the second.
    engine = Counting()
    table = characterize(plan("[held_out]\n[refine]\nrounds = 5\nenergy = 0.004"), engine)
    assert list(table.dataset["vdd"].values) == [0.9, 1.0, 1.1, 1.2]
    assert list(table.dataset["temperature_c"].values) == [0.0, 50.0]
    assert list(table.dataset["parabola_size"].values) == [1, 4]
    assert float(table.dataset["energy"].attrs["interpolation_error"]) <= 0.004
    # Met after one round: there is no second; and no point is simulated twice.
    asked = [place for batch in engine.asked for place in batch]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize(("rounds", "nodes"), [(0, 3), (1, 5), (2, 9), (3, 17)])
def test_rounds_are_counted(plan, rounds, nodes):
    table = characterize(plan(f"[held_out]\n[refine]\nrounds = {rounds}\nenergy = 1e-7"), Counting())
    assert table.dataset.sizes["vdd"] == nodes


def test_what_the_search_grid_hides_is_not_refined(plan, monkeypatch):
    wanted = plan("[held_out]\n[refine]\nrounds = 1\nenergy = 0.004")
    point, interval = next((p, i) for p, i in held_out_points(wanted) if i.low == 1.0)
    table = characterize(plan(), Counting())
    for resolution, added in ((0.0, True), (0.004, True), (0.01, False)):
        (energy, *_) = measured(1.1, 50.0, 4)
        coarse = Measurement(**{**vars(energy), "resolution": resolution})
        checks = quality.interpolation_checks(table, point, BenchRun(measurements=[coarse]))
        assert (refined(wanted, [(interval, checks)]) != wanted) is added


def test_an_audit_compares_with_the_run_at_tighter_tolerances(plan):
    engine = Counting()
    data = characterize(plan("[audit]\npoints = 5"), engine).dataset
    assert len(set(data["audit_point"].values)) == 5
    energies = data["audit_quantity"].values == "energy"
    # found / expected = 1 / TIGHT
    np.testing.assert_allclose(data["audit_error"].values[energies], 1 - 1 / TIGHT, rtol=1e-9)
    assert (data["audit_error"].values[~energies] == 0).all()
    assert data["energy"].attrs["numerical_error"] == pytest.approx(1 - 1 / TIGHT)
    assert data["delay"].attrs["numerical_error"] == 0.0
    for number, place in zip(data["audit_point"].values, data["audit_coordinates"].values, strict=True):
        at = json.loads(place)
        assert int(data["parabola_point"].sel(at)) == number


def test_an_audit_of_named_benches_leaves_the_others_alone(plan):
    named = plan("[audit]\npoints = 5\nbenches = ['parabola']")
    assert named.audit.benches == ["parabola"]
    points = plan_points(named, load_technology(named.technology))
    runs = [BenchRun(measurements=[]) for _ in points]
    assert len(audit_points(named, points, runs)) == 5
    others = named.model_copy(update={"audit": named.audit.model_copy(update={"benches": ["driver"]})})
    assert not audit_points(others, points, runs)


def test_points_that_needed_a_retry_are_not_audited(plan):
    wanted = plan("[audit]\npoints = 100")
    points = plan_points(wanted, load_technology("generic45lp"))
    runs = [BenchRun(retries=("gmin",) if number % 2 else ()) for number in range(len(points))]
    runs[0] = BenchRun(failure=LATE)
    assert quality.audit_points(wanted, points, runs) == list(range(2, len(points), 2))


def test_an_audit_changes_tolerances_and_is_not_retried():
    deck = drawn("* x", reltol="1e-3", chgtol="1e-16")

    def bench():
        first = yield [Simulation(deck=deck, reducer="a:b")]
        second = yield [Simulation(deck=deck, reducer="a:c"), Simulation(deck=deck, reducer="a:d")]
        return [first, second]

    driven = audited(bench())
    (only,) = next(driven)
    assert only.deck.options == Options.of(reltol="0.0001", chgtol="1e-17") and not only.retry
    assert ".tran 1p 1e-09 0 5p\n" in only.deck.text
    assert [s.reducer for s in driven.send(["one"])] == ["a:c", "a:d"]
    with pytest.raises(StopIteration) as stopped:
        driven.send(["two", "three"])
    assert stopped.value.value == [["one"], ["two", "three"]]


# Look-up in the logarithm.

nodes = st.lists(st.integers(1, 200), min_size=2, max_size=6, unique=True).map(lambda ns: [n / 100 for n in sorted(ns)])
celsius = st.lists(st.integers(-40, 125), min_size=1, max_size=4, unique=True).map(sorted)


def table_of(vdd, temperature, values) -> Table:
    attributes = {"units": "W", "bench": "any", "interpolation": "log"}
    variables = {
        "leakage": xr.Variable(
            CORNER_AXES, np.asarray(values, dtype=float).reshape(1, len(vdd), len(temperature)), attributes
        ),
        **{f"point_{what}": xr.Variable(("point",), np.array([], dtype=str)) for what in ("status", "bench", "reason")},
    }
    coords = {"process": np.array(["tt"]), "vdd": np.array(vdd), "temperature_c": np.array(temperature, dtype=float)}
    return Table(dataset=xr.Dataset(variables, coords=coords))


@given(vdd=nodes, temperature=celsius, data=st.data())
def test_a_logarithmic_look_up_is_exact_at_the_nodes(vdd, temperature, data):
    positive = st.floats(1e-15, 1e3)
    count = len(vdd) * len(temperature)
    values = np.array(data.draw(st.lists(positive, min_size=count, max_size=count))).reshape(len(vdd), len(temperature))
    at = np.meshgrid(vdd, temperature, indexing="ij")
    found = Lookup(table_of(vdd, temperature, values))("leakage", vdd=at[0], temperature_c=at[1])
    np.testing.assert_array_equal(found, values)


@given(
    vdd=nodes,
    temperature=celsius,
    a=st.floats(-5, 5),
    b=st.floats(-5, 5),
    c=st.floats(-3000, 3000),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_logarithmic_look_up_is_exact_for_powers_of_the_supply_and_activated_currents(
    vdd, temperature, a, b, c, share
):
    def exact(v, t):
        return np.exp(a + c / (t + 273.15)) * v**b

    values = exact(*np.meshgrid(vdd, temperature, indexing="ij"))
    place = [axis[0] + at * (axis[-1] - axis[0]) for axis, at in zip((vdd, temperature), share, strict=True)]
    found = Lookup(table_of(vdd, temperature, values))("leakage", vdd=place[0], temperature_c=place[1])
    # Rounding of exponents up to 40 (1e-14), a few times, with a share of an interval of -1/T that may be 1e-3 of -1/T.
    np.testing.assert_allclose(found, exact(*place), rtol=1e-12)
