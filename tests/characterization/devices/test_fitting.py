"""Fitting cards: the shipped ones are what the command makes, and what cannot be fitted is said."""

import re
from pathlib import Path

import numpy as np
import pytest

from pyspice_cim.characterization.devices.bsim4_card import CONSTANTS, FITTED, MODES, PROCESS
from pyspice_cim.characterization.devices.fitting import FitResult, fit_cards, residuals, write_fit
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.errors import ConfigError, TechnologyError
from pyspice_cim.technology import load_technology
from pyspice_cim.technology.loader import builtin_folder
from pyspice_cim.technology.targets import FIT_FIGURES, load_targets

CARD_KEYWORDS = {*MODES, *CONSTANTS, *PROCESS, *FITTED, "toxm", "cgdo", "level", "version"}


def parameters(cards: str) -> list[dict[str, float]]:
    """Keyword to value of each card."""
    return [
        {key: float(value) for key, value in re.findall(r"(\w+)=(\S+)", card)} for card in cards.split(".model ")[1:]
    ]


@pytest.fixture(scope="module", params=["generic45lp", "generic65"])
def fitted(request: pytest.FixtureRequest) -> FitResult:
    return fit_cards(load_targets(request.param), NgspiceSimulator())


def test_the_shipped_files_are_what_a_fit_makes(fitted: FitResult) -> None:
    folder = builtin_folder()
    assert fitted.toml == (folder / f"{fitted.name}.toml").read_text()
    shipped = (folder / f"{fitted.name}.cards").read_text()
    for new, old in zip(parameters(fitted.cards), parameters(shipped), strict=True):
        assert new.keys() == old.keys() == CARD_KEYWORDS
        for keyword, value in old.items():
            # Another version of ngspice may differ in the last digits of a current; constants may not differ at all.
            assert new[keyword] == pytest.approx(value, rel=5e-3 if keyword in FITTED else 1e-12, abs=0), keyword


def test_a_fit_is_fast_and_within_its_bounds(fitted: FitResult) -> None:
    assert fitted.missed == ()
    assert fitted.seconds < 60
    for fit in fitted.fits.values():
        assert fit.evaluations < 100
        for name, (_, lowest, highest) in FITTED.items():
            assert lowest <= fit.parameters[name] <= highest


def test_written_files_load(fitted: FitResult, tmp_path: Path) -> None:
    toml, cards = write_fit(fitted, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([toml, cards])
    assert load_technology(toml).targets == load_technology(fitted.name).targets
    with pytest.raises(ConfigError, match="does not exist"):
        write_fit(fitted, tmp_path / "nowhere")


def test_a_figure_that_no_card_can_have_is_reported() -> None:
    targets = load_targets("generic45lp")
    n = targets.targets["nmos"]
    # Less switching current than a quarter of Ion: no such device, whatever the parameters.
    impossible = {**n, "ieff": n["ieff"].model_copy(update={"value": 80.0})}
    targets = targets.model_copy(update={"targets": {**targets.targets, "nmos": impossible}})
    seen: list[tuple[str, int]] = []
    result = fit_cards(targets, NgspiceSimulator(), lambda device, count, _: seen.append((device, count)))
    assert any(line.startswith("nmos ieff: ") and "tolerance 3%" in line for line in result.missed)
    assert {device for device, _ in seen} == {"nmos", "pmos"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"toxe": None}, r"card\.nmos lacks toxe"),
        ({"toxic": 1.0}, r"card\.nmos\.toxic is not a constant of the card: remove it or mend"),
        ({"vth0": 0.5}, r"card\.nmos\.vth0 is not a constant of the card: it is fitted"),
    ],
)
def test_a_wrong_constant_is_named(change: dict[str, float | None], message: str) -> None:
    targets = load_targets("generic45lp")
    card = {key: value for key, value in {**targets.card["nmos"], **change}.items() if value is not None}
    with pytest.raises(TechnologyError, match=message):
        fit_cards(targets.model_copy(update={"card": {**targets.card, "nmos": card}}), NgspiceSimulator())


def test_residuals_are_in_units_of_the_wanted_accuracy() -> None:
    wanted = dict(zip(FIT_FIGURES, (5e-4, 2e-4, 9e-5, 1e-11, 0.5, 0.4), strict=True))
    off = {
        "ion": 1.01 * wanted["ion"],
        "ieff": 0.98 * wanted["ieff"],
        "idlin": wanted["idlin"],
        "ioff": 10**0.02 * wanted["ioff"],
        "vt_lin": 0.505,
        "vt_sat": float("nan"),
    }
    assert residuals(off, wanted) == pytest.approx(np.array([1, -2, 0, 1, 1, 100]), abs=1e-9)
