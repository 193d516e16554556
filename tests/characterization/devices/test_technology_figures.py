"""The built-in technologies, measured with ngspice: targets, corners, temperature, noise margins."""

import math
from functools import cache

import pytest

from pyspice_cim.characterization.devices.figures import measure_technology, technology_curves
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, SimResult
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.errors import SimulationError, TechnologyError
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.technology import Corner, load_technology

NAMES = ("generic45lp", "generic65")
DEVICES = ("nmos", "pmos")


@cache
def figures(name: str, process: str = "tt", vdd: float = 1.1, temperature: float = 27.0) -> dict[str, float]:
    measured = measure_technology(
        load_technology(name), Corner(process=process, vdd=vdd, temperature_c=temperature), NgspiceSimulator()
    )
    assert all(item.ok for item in measured.values()), {key: item.reason for key, item in measured.items()}
    return {key: float(item.value) for key, item in measured.items() if item.value is not None}


@pytest.mark.parametrize("name", NAMES)
def test_targets_are_met(name: str) -> None:
    # The tolerances are those of the targets file. Currents and thresholds are fitted: 2 to 5 %, what six parameters
    # can do for six figures with the series resistance bounded; leakage 10 %, as it spans decades. The optimiser does
    # not see the circuit figures, but they are no independent check either: capacitances, the figures marked "chosen"
    # and the 65 nm cell's beta were picked by hand until they came out. 5 % for the delay and the hold margin, 8 to
    # 10 % for the read margin, whose cell ratio the anchors state only as "about 2" or not at all.
    measured = figures(name)
    for group, targets in load_technology(name).targets.items():
        for figure, target in targets.items():
            key = figure if group == "circuit" else f"{group}_{figure}"
            assert measured[key] == pytest.approx(target.si, rel=target.tolerance), key


@pytest.mark.parametrize("name", NAMES)
def test_a_fast_corner_is_faster_and_leaks_more(name: str) -> None:
    fast, typical, slow = (figures(name, process) for process in ("ff", "tt", "ss"))
    assert fast["fo4"] < typical["fo4"] < slow["fo4"]
    # Within the published spread of about +-10 to +-25 % between the outer corners and typical.
    assert 1.05 < slow["fo4"] / typical["fo4"] < 1.3
    assert 1.05 < typical["fo4"] / fast["fo4"] < 1.3
    for device in DEVICES:
        for figure in ("ion", "ioff"):
            key = f"{device}_{figure}"
            assert fast[key] > typical[key] > slow[key]


@pytest.mark.parametrize("name", NAMES)
def test_the_first_letter_of_a_mixed_corner_is_the_n_device(name: str) -> None:
    typical, fs, sf = (figures(name, process) for process in ("tt", "fs", "sf"))
    assert fs["nmos_ion"] > typical["nmos_ion"] > sf["nmos_ion"]
    assert fs["pmos_ion"] < typical["pmos_ion"] < sf["pmos_ion"]
    assert fs["fo4_fall"] < typical["fo4_fall"] < sf["fo4_fall"]
    assert fs["fo4_rise"] > typical["fo4_rise"] > sf["fo4_rise"]


@pytest.mark.parametrize("name", NAMES)
def test_temperature_trends(name: str) -> None:
    cold, room, hot = (figures(name, temperature=t) for t in (-40.0, 27.0, 125.0))
    for device in DEVICES:
        # Threshold: -0.7 to -1 mV/K (Sze; Filanovsky and Allam, IEEE TCAS-I 48 (7), 2001).
        slope = (hot[f"{device}_vt_lin"] - cold[f"{device}_vt_lin"]) / 165.0
        assert -1.0e-3 < slope < -0.7e-3
        # Subthreshold swing: proportional to the absolute temperature, n kT/q ln 10.
        ratio = hot[f"{device}_ss"] / cold[f"{device}_ss"]
        assert ratio == pytest.approx(398.15 / 233.15, rel=0.03)
        # Mobility as T^-1.3 to T^-1.5, seen through Idlin, which gains from the lower threshold and loses to the series
        # resistance: it must fall, and less than the mobility alone does.
        fall = math.log(hot[f"{device}_idlin"] / cold[f"{device}_idlin"]) / math.log(398.15 / 233.15)
        assert -1.5 < fall < -0.5
    # A card whose gates slow down several times between -40 and 125 C has a wrong mobility.
    assert 1.1 < hot["fo4"] / cold["fo4"] < 1.6
    assert cold["fo4"] < room["fo4"] < hot["fo4"]


@pytest.mark.parametrize(("name", "decades"), [("generic45lp", (1.8, 3.0)), ("generic65", (0.8, 1.5))])
def test_leakage_rises_with_temperature(name: str, decades: tuple[float, float]) -> None:
    # The lower a device's leakage, the steeper its rise: its threshold is more swings away. About two decades from 27
    # to 125 C for a low-power device; for a leaky general-purpose one about one (CACTI's ITRS tables at 65 nm: a factor
    # of 2 to 10 from 27 to 100 C).
    for device in DEVICES:
        rise = math.log10(figures(name, temperature=125.0)[f"{device}_ioff"] / figures(name)[f"{device}_ioff"])
        assert decades[0] < rise < decades[1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("process", ["tt", "fs", "sf"])
def test_a_cell_holds_better_than_it_is_read(name: str, process: str) -> None:
    measured = figures(name, process)
    assert measured["snm_hold"] > 1.3 * measured["snm_read"] > 0
    assert measured["snm_hold"] < 0.55


def test_a_fast_n_device_makes_reads_worse() -> None:
    assert figures("generic45lp", "fs")["snm_read"] < figures("generic45lp", "sf")["snm_read"]


def test_the_slowest_condition_is_still_measured() -> None:
    measured = figures("generic45lp", "tt", vdd=0.7, temperature=-40.0)
    assert measured["fo4"] > 5 * figures("generic45lp")["fo4"]


def test_curves_agree_with_the_figures() -> None:
    technology = load_technology("generic65")
    curves = technology_curves(technology, Corner(vdd=1.1), NgspiceSimulator())
    measured = figures("generic65")
    for device in DEVICES:
        vds, family = curves.output[device]
        assert vds[-1] == pytest.approx(1.1)
        assert family[max(family)][-1] == pytest.approx(measured[f"{device}_ion"], rel=1e-4)
        assert curves.transfer[device].full[-1] * 1e6 == pytest.approx(measured[f"{device}_ion"] * 1e6, rel=1e-9)
    assert curves.butterflies["read"].snm == measured["snm_read"]


class BrokenSimulator:
    version = "broken"

    def run(self, decks: list[Deck]) -> list[SimResult]:
        return [
            SimResult(vectors={}, failure=Failure(Status.NOT_CONVERGED, "singular matrix"), cpu_seconds=0.0)
            for _ in decks
        ]


def test_a_failed_run_gives_reasons_and_no_numbers() -> None:
    technology, corner = load_technology("generic45lp"), Corner(vdd=1.1)
    measured = measure_technology(technology, corner, BrokenSimulator())
    assert len(measured) == 21
    assert all(item.value is None and item.reason == "not converged: singular matrix" for item in measured.values())
    with pytest.raises(SimulationError, match="singular matrix"):
        technology_curves(technology, corner, BrokenSimulator())


def test_a_condition_outside_the_range_is_refused() -> None:
    with pytest.raises(TechnologyError, match="vdd = 3 V is outside"):
        measure_technology(load_technology("generic45lp"), Corner(vdd=3.0), BrokenSimulator())
