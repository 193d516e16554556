"""The tables that come with the package: nothing failed, no number that its audit or physics contradicts."""

import numpy as np
import pytest

from pyspice_cim.characterization.plans.explain import trace_simulated
from pyspice_cim.resources import shipped
from pyspice_cim.tables import Table, load_table
from pyspice_cim.tables.origin import origin
from pyspice_cim.technology import load_technology

TECHNOLOGIES = ("generic45lp", "generic65", "sky130")
# Energies of whole operations; events of a column are fitted parts of one, and may be as small as the fit's residual.
FITTED = ("column_event_energy",)


@pytest.fixture(scope="module", params=TECHNOLOGIES)
def table(request: pytest.FixtureRequest) -> Table:
    return load_table(shipped("reference", f"{request.param}.h5"))


def energies(table: Table) -> list[str]:
    found = [name for name in table.quantities if table.quantity(name).attrs["units"] == "J" and name not in FITTED]
    assert len(found) > 10
    return found


@pytest.mark.parametrize("name", [*TECHNOLOGIES, "generic45lp_variation"])
def test_a_table_is_what_the_plan_of_its_name_asks_for(name):
    plan = shipped("plans", f"{name}.toml").read_text()
    assert load_table(shipped("reference", f"{name}.h5")).dataset.attrs["plan_text"] == plan


def test_every_point_was_measured(table):
    assert (table.dataset["point_status"].values == "ok").all()
    for name in table.quantities:
        assert np.isfinite(table.quantity(name).values).all(), name


def test_a_table_of_samples_names_what_they_are_drawn_with():
    drawn = load_table(shipped("reference", "generic45lp_variation.h5")).dataset.attrs
    assert drawn["variation_sha256"] == load_technology("generic45lp").variation_sha256


@pytest.mark.parametrize(
    ("quantity", "place"),
    [
        ("sram6t_read_energy", {"sram6t_rows": 16}),
        ("sram8t_read_energy", {"sram8t_rows": 16}),
        ("driver_energy", {"line_load": 1e-15}),
        ("decoder_energy", {"decoder_rows": 4}),
    ],
)
@pytest.mark.parametrize("technology", ["generic45lp", "generic65"])
def test_the_benches_of_today_give_the_numbers_of_the_table(technology, quantity, place):
    """At a corner where the periphery is slow beside the cell; what it cannot give is that nothing else has moved."""
    table = load_table(shipped("reference", f"{technology}.h5"))
    found = origin(table, quantity, process="ss", vdd=1.21, temperature_c=27.0, **place)
    (point,) = trace_simulated(table, found, load_technology(technology), workers=1)
    # The same decks; another processor or ngspice may round otherwise, and take another time step.
    assert point.largest_difference < 1e-3


def test_an_energy_grows_with_the_supply(table):
    # C V^2 and leakage both do, at least with V^1.5 (what is charged by an amount that does not depend on V: V^1).
    vdd = table.dataset["vdd"].values
    for name in energies(table):
        values = table.quantity(name).transpose("vdd", ...).values
        exponent = np.diff(np.log(np.abs(values)), axis=0) / np.diff(np.log(vdd)).reshape(-1, *[1] * (values.ndim - 1))
        assert exponent.min() > 1, (name, exponent.min())


@pytest.mark.parametrize("bench", ["sram6t", "decoder", "sequential"])
def test_an_energy_grows_with_the_rows(table, bench):
    for name in energies(table):
        array = table.quantity(name)
        if f"{bench}_rows" in array.dims:
            values = array.transpose(f"{bench}_rows", ...).values
            # Subtraction and multiplication have no rows: equal but for nothing at all.
            assert (np.diff(values, axis=0) >= 0).all(), name


def test_audits_find_what_the_tolerances_cost(table):
    audited = [name for name in energies(table) if "numerical_error" in table.quantity(name).attrs]
    if not audited:
        pytest.skip("this table has no audit")
    for name in audited:
        # 0.5 % are stated of the tolerances, for what is not as small as a single glitch.
        assert table.quantity(name).attrs["numerical_error"] < 0.02, name
