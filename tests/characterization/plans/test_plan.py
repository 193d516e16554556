"""Plans: what is wrong is named by file, field and value; points come in a fixed order."""

import tracemalloc

import pytest

from pyspice_cim.characterization.plans.plan import load_plan, plan_points, started
from pyspice_cim.errors import PlanError, TechnologyError
from pyspice_cim.resources import shipped, shipped_names
from pyspice_cim.technology import load_technology

GOOD = """
name = "small"
technology = "generic45lp"
[corners]
process = ["tt", "ss"]
vdd = [1.0, 1.1]
temperature_c = [27.0]
[benches.column]
rows = [16]
segments = [1, 4]
[benches.driver]
"""


def write(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return path


def test_points(tmp_path):
    plan = load_plan(write(tmp_path, GOOD))
    points = plan_points(plan, load_technology("generic45lp"))
    assert len(points) == 2 * 2 * 2 + 2 * 2
    assert points[0].coordinates == {"rows": 16, "segments": 1} and points[-1].coordinates == {}
    assert [p.corner.process for p in points[:4]] == ["tt"] * 4


@pytest.mark.parametrize("name", [n for n in shipped_names("plans") if n.endswith(".toml")])
def test_shipped_plans_are_valid(name):
    plan = load_plan(shipped("plans", name))
    # What a plan asks for does not depend on whether the models of its technology are installed.
    assert plan_points(plan, load_technology(plan.technology, check_files=False))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[corners]", "[corners", "not valid TOML"),
        ("rows = [16]", "rows = []", "benches.column.rows"),
        ("rows = [16]", "rows = [16, 8]", "must rise"),
        ("rows = [16]", "rows = [0]", "greater than 0"),
        ("rows = [16]", "lines = [16]", "column.lines is no axis of this bench (rows, segments)"),
        ("rows = [16]", "", "has the axes segments; it needs rows, segments"),
        ("[benches.driver]", "[benches.nosuch]", "benches.nosuch is not a bench"),
        ("technology =", "color = 'red'\ntechnology =", "color: Extra inputs"),
        ('name = "small"', 'name = "a b; rm"', "name: String should match"),
        ("vdd = [1.0, 1.1]", "vdd = ['high']", "corners.vdd.0"),
        ("vdd = [1.0, 1.1]", "", "corners.vdd: Field required"),
        ("vdd = [1.0, 1.1]", "vdd = [nan]", "corners.vdd.0: Input should be a finite number"),
        ("[27.0]", "[27.0, inf]", "corners.temperature_c.1: Input should be a finite number"),
        ('name = "small"', 'name = "small"\ntext = "another"', "text is no field of a plan"),
        ("[benches.driver]", "[benches.driver]\n[held_out]\nrandom = -1", "held_out.random"),
        ("[benches.driver]", "[benches.driver]\n[refine]\nenergy = 0", "refine.energy"),
        ("[benches.driver]", "[benches.driver]\n[audit]\nshare = 0.1", "audit.share: Extra inputs"),
        (
            "[benches.driver]",
            "[benches.driver]\n[audit]\npoints = 1\nbenches = ['decoder']",
            "audit.benches: 'decoder' is no bench of",
        ),
        ("[benches.driver]", "[benches.driver]\n[audit]\nbenches = ['driver', 'driver']", "'driver' is given twice"),
        ('["tt", "ss"]', '["tt", "ss", "tt"]', "corners.process: Value error, 'tt' is given twice"),
        ('["tt", "ss"]', "[]", "corners.process"),
        ('["tt", "ss"]', "[1]", "corners.process.0: Input should be a valid string (found 1)"),
        ("rows = [16]", "rows = [true]", "benches.column.rows.0: Input should be a valid integer (found True)"),
        ("rows = [16]", "rows = ['16']", "benches.column.rows.0: Input should be a valid integer (found '16')"),
        ("rows = [16]", "rows = [16.0]", "benches.column.rows.0: Input should be a valid integer (found 16.0)"),
        ("vdd = [1.0, 1.1]", "vdd = ['1.1']", "corners.vdd.0: Input should be a valid number (found '1.1')"),
        ("[27.0]", "[true]", "corners.temperature_c.0: Input should be a valid number (found True)"),
        (
            "[benches.driver]",
            "[benches.driver]\n[held_out]\nmidpoints = 1",
            "held_out.midpoints: Input should be a valid",
        ),
        (
            "[benches.driver]",
            "[benches.driver]\n[audit]\npoints = true",
            "audit.points: Input should be a valid integer",
        ),
        ("[benches.driver]", "[benches.driver]\n[refine]\ndelay = '1'", "refine.delay: Input should be a valid number"),
        ("[benches.driver]", "[benches.driver]\n[monte_carlo]\ncount = 9", "monte_carlo is of no use without benches."),
        (
            "[benches.driver]",
            "[benches.tail]\nrows = [8]\n[monte_carlo]\ncount = true",
            "count = True should be of the type",
        ),
        (
            "[benches.driver]",
            "[benches.tail]\nrows = [8]\n[monte_carlo]\nseed = '1'",
            "seed = '1' should be of the type int",
        ),
        (GOOD[GOOD.index("[benches.column]") :], "[benches]", "benches: Value error, no bench is named; add one"),
    ],
)
def test_bad_plans(tmp_path, old, new, message):
    with pytest.raises(PlanError, match="plan.toml") as caught:
        load_plan(write(tmp_path, GOOD.replace(old, new)))
    assert message in str(caught.value)


def test_whole_numbers_are_supplies_too(tmp_path):
    plan = load_plan(write(tmp_path, GOOD.replace("[27.0]", "[27]").replace("[1.0, 1.1]", "[1, 1.1]")))
    assert (plan.corners.temperature_c, plan.corners.vdd) == ((27.0,), (1.0, 1.1))
    assert all(isinstance(value, float) for value in (*plan.corners.temperature_c, *plan.corners.vdd))


def test_a_plan_of_ten_million_points_is_refused_at_once(tmp_path):
    rows, segments = list(range(1, 2501)), list(range(1, 1001))
    text = GOOD.replace("rows = [16]", f"rows = {rows}").replace("segments = [1, 4]", f"segments = {segments}")
    path = write(tmp_path, text)
    tracemalloc.start()
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 2 corners x 2 supplies x 2500 rows x 1000 segments, and 4 drivers.
    for word in ("plan.toml", "10,000,004 points", "10,000,000 of them of benches.column", "100,000", "fewer values"):
        assert word in str(caught.value)
    # A list of the points would be gigabytes; the text of the plan and its numbers are not one byte a point.
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rows = [16]\nsegments = [1, 4]", "rows = [6]\nsegments = [1]", "segments = 2 at least, or rows = 8"),
        (
            "rows = [16]\nsegments = [1, 4]",
            "rows = [7, 16]\nsegments = [1, 4]",
            "segments = 1 with rows = 7 do not hold",
        ),
        ("rows = [16]", "rows = [4, 16]", "benches.column: rows = 4 hold no word of the bench, which has 6 bits"),
        (
            "[benches.driver]",
            "[benches.decoder]\nrows = [1, 4]",
            "benches.decoder: rows = 1: the decoder serves 2 to 4096",
        ),
        ("[benches.driver]", "[benches.sequential]\nrows = [1]\nmembrane_bits = [8]", "benches.sequential: rows = 1"),
        (
            "[benches.driver]",
            "[benches.sequential]\nrows = [4]\nmembrane_bits = [64]",
            "membrane_bits = 64 are too many",
        ),
        (
            "vdd = [1.0, 1.1]",
            "vdd = [1.0, 1.1000001]",
            "corners.vdd: 1.1000001: a deck states six digits; give 1.1",
        ),
        ("temperature_c = [27.0]", "temperature_c = [27.12348]", "a deck states six digits; give 27.1235"),
    ],
)
def test_a_plan_asks_for_nothing_that_a_bench_would_change(tmp_path, old, new, message):
    with pytest.raises(PlanError, match="plan.toml") as caught:
        load_plan(write(tmp_path, GOOD.replace(old, new)))
    assert message in str(caught.value)


def test_segments_of_few_rows_are_taken_where_the_weights_fit(tmp_path):
    plan = load_plan(write(tmp_path, GOOD.replace("rows = [16]\nsegments = [1, 4]", "rows = [6, 7]\nsegments = [2]")))
    points = [point for point in plan_points(plan, load_technology("generic45lp")) if point.bench == "column"]
    for point in points:
        simulation = next(started(plan, load_technology("generic45lp"), point))[0]
        # Each segment has a row of read-wordlines of its own: as many segments as the table will say.
        assert simulation.deck.text.count("\nXseg") == 2 * point.coordinates["segments"]


def test_absent_plan(tmp_path):
    with pytest.raises(PlanError, match="cannot be read"):
        load_plan(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("1.1]", "9.9]", "vdd = 9.9 V is outside the range"), ('"ss"', '"zz"', "no corner 'zz'")],
)
def test_corners_that_the_technology_does_not_have(tmp_path, old, new, message):
    plan = load_plan(write(tmp_path, GOOD.replace(old, new)))
    with pytest.raises(TechnologyError, match=message):
        plan_points(plan, load_technology("generic45lp"))
