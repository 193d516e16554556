"""From measurements to a table: places, failures, provenance; without SPICE."""

import numpy as np
import pytest

from pyspice_cim.characterization.engine.tally import BenchRun
from pyspice_cim.characterization.plans.plan import Plan, load_plan, plan_points
from pyspice_cim.characterization.plans.sweep import assemble
from pyspice_cim.characterization.spice.simulation import Measurement
from pyspice_cim.errors import TableError
from pyspice_cim.tables import Lookup, load_table, save_table
from pyspice_cim.tables.origin import origin
from pyspice_cim.technology import load_technology

PLAN = """
name = "fake"
technology = "generic45lp"
[corners]
process = ["tt", "ss"]
vdd = [1.0, 1.1]
temperature_c = [27.0]
[benches.column]
segments = [1, 4, 16]
rows = [16]
[benches.driver]
"""


@pytest.fixture
def plan(tmp_path) -> Plan:
    path = tmp_path / "fake.toml"
    path.write_text(PLAN)
    return load_plan(path)


def fake(plan, failing):
    """A value that says where it belongs; the points in ``failing`` fail."""
    technology = load_technology(plan.technology)
    points, measured = plan_points(plan, technology), []
    for number, point in enumerate(points):
        corner = point.corner
        here = 100 * (corner.process == "ss") + 10 * corner.vdd + point.coordinates.get("segments", 0)
        failed = number in failing
        measured.append(
            [
                Measurement(
                    name=f"{point.bench}_part_energy",
                    unit="J",
                    value=None if failed else np.array([here, -here]),
                    # A failed measurement need not know its axes.
                    dims=() if failed else ("part",),
                    labels={} if failed else {"part": ("a", "b")},
                    reason="it did not converge" if failed else "",
                    decks=(f"{number:064x}",),
                    description="where it was measured",
                )
            ]
        )
    runs = [BenchRun(measurements=found) for found in measured]
    origin = {"technology": technology.name, "technology_sha256": technology.sha256, "ngspice": "ngspice-fake"}
    return assemble(plan, points, runs, origin=origin)


def test_every_value_is_in_its_place(plan):
    look = Lookup(fake(plan, ()))
    for process in ("tt", "ss"):
        for vdd in (1.0, 1.1):
            for segments in (1, 4, 16):
                found = look(
                    "column_part_energy",
                    process=process,
                    vdd=vdd,
                    temperature_c=27,
                    column_rows=16,
                    column_segments=segments,
                )
                assert found[0] == 100 * (process == "ss") + 10 * vdd + segments
            assert look("driver_part_energy", process=process, vdd=vdd, temperature_c=27)[1] == -(
                100 * (process == "ss") + 10 * vdd
            )


@pytest.mark.parametrize("failing", [(0,), (0, 1, 2), (5, 12), tuple(range(16))])
def test_failures_are_in_the_table_and_never_a_number(plan, tmp_path, failing):
    save_table(fake(plan, failing), tmp_path / "t.h5")
    table = load_table(tmp_path / "t.h5")
    assert len(table.failures()) == len(failing)
    assert all("it did not converge" in reason for _, reason in table.failures())
    statuses = table.dataset["point_status"].values
    assert [i for i, status in enumerate(statuses) if status == "failed"] == list(failing)
    if 0 in failing:
        with pytest.raises(TableError, match="did not converge"):
            Lookup(table)("column_part_energy", vdd=1.0, temperature_c=27, column_rows=16, column_segments=1)


def test_provenance(plan):
    attributes = fake(plan, ()).dataset.attrs
    assert attributes["plan_text"] == PLAN and attributes["ngspice"] == "ngspice-fake"
    assert attributes["technology_sha256"] == load_technology("generic45lp").sha256
    (node,) = origin(fake(plan, ()), "column_part_energy", process="ss", vdd=1.1, column_segments=16).nodes
    assert node.decks == (f"{11:064x}",) and node.status == "ok"
