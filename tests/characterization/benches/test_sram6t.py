"""The 6T bench against ngspice: published orders of magnitude, directions that physics gives, the wrong-bit path."""

import pytest

from pyspice_cim.characterization.benches.sram6t import example_decks, sram6t_bench
from pyspice_cim.characterization.engine.engine import run_one
from pyspice_cim.characterization.spice.simulation import Measurement
from pyspice_cim.technology import Corner, load_technology

TECHNOLOGY = load_technology("generic45lp")


def point(rows: int = 64, **corner: float | str) -> dict[str, Measurement]:
    where = Corner(**{"vdd": 1.1, **corner})  # type: ignore[arg-type]
    return {m.name: m for m in run_one(sram6t_bench(TECHNOLOGY, where, rows=rows))}


def values(measured: dict[str, Measurement]) -> dict[str, float]:
    assert all(m.ok for m in measured.values()), [m.reason for m in measured.values() if not m.ok]
    return {name.removeprefix("sram6t_"): float(m.value) for name, m in measured.items()}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def nominal() -> dict[str, float]:
    return values(point())


def test_margins_are_near_the_reference_card_of_the_same_cell(nominal: dict[str, float]) -> None:
    # Simulated on a public 45 nm low-power card at beta 2, 1.1 V, 27 C: hold 455 mV, read 243 mV.
    assert nominal["hold_snm"] == pytest.approx(0.455, abs=0.045)
    assert nominal["read_snm"] == pytest.approx(0.243, abs=0.036)
    assert 0 < nominal["write_margin"] < 0.55


def test_energies_are_between_the_bitline_and_a_whole_small_array(nominal: dict[str, float]) -> None:
    # CACTI: precharging one full-swing bitline of 64 rows takes 14 fJ at 1.0 V, writing a 64 b word of 512 B 30 to
    # 36 fJ a bit with decoder and wires. A write swings one bitline in full, a read a part of it.
    assert 14e-15 < nominal["write_energy"] < 60e-15
    assert 3e-15 < nominal["read_energy"] < nominal["write_energy"]


def test_delays_are_a_few_gate_delays(nominal: dict[str, float]) -> None:
    # FO4 is 45 ps; 100 mV on a 64-row bitline take about one, sensing and latching a few more.
    assert 20e-12 < nominal["bitline_delay"] < 100e-12
    assert nominal["bitline_delay"] < nominal["read_delay"] < 10 * 45e-12
    assert 45e-12 < nominal["write_delay"] < 10 * 45e-12


def test_more_rows_cost_energy_and_time(nominal: dict[str, float]) -> None:
    tall = values(point(rows=256))
    for name in ("read_energy", "write_energy", "bitline_delay"):
        assert tall[name] > 1.3 * nominal[name]
    # The cell alone does not know how many rows there are.
    assert tall["hold_snm"] == nominal["hold_snm"]
    assert tall["leakage_power"] == nominal["leakage_power"]


def test_low_supply_is_slow_and_frugal(nominal: dict[str, float]) -> None:
    low = values(point(vdd=0.8))
    assert low["read_delay"] > 2 * nominal["read_delay"]
    assert low["write_delay"] > 2 * nominal["write_delay"]
    assert low["write_energy"] < nominal["write_energy"]
    assert low["read_snm"] < nominal["read_snm"]


def test_heat_leaks(nominal: dict[str, float]) -> None:
    # Ioff doubles every 15 to 25 K.
    hot = values(point(temperature_c=125.0))
    assert 10 < hot["leakage_power"] / nominal["leakage_power"] < 200
    assert hot["hold_snm"] < nominal["hold_snm"]


def test_a_write_pulse_that_is_too_short_fails_and_gives_no_number() -> None:
    bench = sram6t_bench(TECHNOLOGY, Corner(vdd=1.1), rows=64, write_pulse=0.6)
    measured = {m.name: m for m in run_one(bench)}
    failed = measured["sram6t_write_energy"]
    assert failed.value is None
    assert not failed.ok
    assert "q0" in failed.reason or "expected" in failed.reason
    # What does not depend on the write is still there.
    assert measured["sram6t_hold_snm"].ok


def test_examples_say_what_they_are() -> None:
    for name, deck in example_decks(TECHNOLOGY).items():
        lines = deck.text.splitlines()
        assert lines[1].startswith("* "), name
        assert ".model" in deck.text and lines[-1] == ".end"
