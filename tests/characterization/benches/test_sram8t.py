"""The 8T bench against ngspice."""

import numpy as np
import pytest

from pyspice_cim.characterization.benches.sram8t import TRANSITIONS, sram8t_bench
from pyspice_cim.characterization.engine.engine import run_one
from pyspice_cim.characterization.spice.simulation import Measurement
from pyspice_cim.technology import Corner, load_technology

TECHNOLOGY = load_technology("generic45lp")


def point(rows: int = 32, write_pulse: float = 10.0, **corner: float) -> dict[str, Measurement]:
    where = Corner(**{"vdd": 1.1, **corner})  # type: ignore[arg-type]
    return {
        m.name.removeprefix("sram8t_"): m
        for m in run_one(sram8t_bench(TECHNOLOGY, where, rows=rows, write_pulse=write_pulse))
    }


@pytest.fixture(scope="module")
def nominal() -> dict[str, Measurement]:
    measured = point()
    assert all(m.ok for m in measured.values()), [m.reason for m in measured.values()]
    return measured


def test_reading_a_1_discharges_the_bitline_and_a_0_does_not(nominal: dict[str, Measurement]) -> None:
    zero, one = np.asarray(nominal["read_energy"].value)
    assert one > 5 * zero > 0
    assert abs(float(np.asarray(nominal["read_droop"].value))) < 0.05


def test_read_energy_is_the_bitlines(nominal: dict[str, Measurement]) -> None:
    # 32 rows at 0.15 fF of wire and about 0.15 fF of drain: C V^2 of 8 to 15 fJ, and the sensing.
    assert 8e-15 < np.asarray(nominal["read_energy"].value)[1] < 25e-15


def test_only_a_flip_takes_time_and_more_energy(nominal: dict[str, Measurement]) -> None:
    delay = dict(zip(TRANSITIONS, np.asarray(nominal["write_delay"].value), strict=True))
    energy = dict(zip(TRANSITIONS, np.asarray(nominal["write_energy"].value), strict=True))
    assert delay["0->0"] == delay["1->1"] == 0
    assert 20e-12 < delay["0->1"] < 200e-12
    # The cell is symmetric but for the read stack on q.
    assert delay["1->0"] == pytest.approx(delay["0->1"], rel=0.2)
    assert energy["0->1"] > energy["1->1"]
    assert energy["0->0"] == pytest.approx(energy["1->1"], rel=0.01, abs=0)
    assert (np.asarray(nominal["write_bitline_energy"].value) < np.asarray(nominal["write_energy"].value)).all()


def test_rows_and_supply_and_temperature(nominal: dict[str, Measurement]) -> None:
    tall, low, hot = point(rows=128), point(vdd=0.8), point(temperature_c=125.0)
    assert np.asarray(tall["read_energy"].value)[1] > 3 * np.asarray(nominal["read_energy"].value)[1]
    assert float(np.asarray(low["read_delay"].value)) > 2 * float(np.asarray(nominal["read_delay"].value))
    assert (np.asarray(hot["leakage_power"].value) > 10 * np.asarray(nominal["leakage_power"].value)).all()


def test_a_stored_1_leaks_through_its_open_read_transistor(nominal: dict[str, Measurement]) -> None:
    # With q = 1 one off transistor stands between the read bitline and ground, with q = 0 two in series.
    zero, one = np.asarray(nominal["leakage_power"].value)
    assert 1e-12 < zero < one < 1e-10


def test_a_short_pulse_fails_the_writes_only() -> None:
    measured = point(write_pulse=0.6)
    assert measured["write_energy"].value is None and measured["write_energy"].reason
    assert measured["write_delay"].value is None
    assert measured["read_energy"].ok
