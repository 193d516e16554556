"""Reading technologies: the built-in ones load, and every error names the field, the value and the remedy."""

from pathlib import Path

import pytest

from pyspice_cim.errors import MissingDependencyError, TechnologyError
from pyspice_cim.technology import Corner, builtin_technologies, load_technology
from pyspice_cim.technology.loader import builtin_folder
from pyspice_cim.technology.targets import builtin_targets, load_targets


def edited(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize("name", ["generic45lp", "generic65"])
def test_a_built_in_technology_loads(name: str) -> None:
    technology = load_technology(name)
    assert technology.name == name
    assert list(technology.corners) == ["tt", "ff", "ss", "fs", "sf"]
    assert load_technology(builtin_folder() / f"{name}.toml").sha256 == technology.sha256


def test_every_fitted_technology_has_its_targets() -> None:
    # sky130 is not fitted: its models are a foundry's.
    assert builtin_targets() == ("generic45lp", "generic65")
    assert builtin_technologies() == (*builtin_targets(), "sky130")


def test_every_target_has_a_source() -> None:
    for name in builtin_technologies():
        for figures in load_technology(name, check_files=False).targets.values():
            assert all(len(target.source) > 10 for target in figures.values())


def test_an_unknown_name_lists_the_built_in_ones() -> None:
    with pytest.raises(TechnologyError, match=r"no technology 'tsmc7'; built in: generic45lp, generic65, sky130"):
        load_technology("tsmc7")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(TechnologyError, match=r"nowhere/mine\.toml is not a file"):
        load_technology("nowhere/mine.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[wire]", "[wire]\ncolour = 3", r"wire\.colour = 3 is not a known field; remove it"),
        ("nominal_v = 1.1", 'nominal_v = "much"', r"supply\.nominal_v = 'much' is not valid"),
        ("nominal_v = 1.1", "nominal_v = 1.4", r"nominal_v must lie within range_v"),
        ("nominal_v = 1.1", "", r"supply\.nominal_v is missing; add it"),
        ("range_v = [0.6, 1.25]", "range_v = [1.25, 0.6]", r"supply\.range_v = .* give the lowest value first"),
        ('polarity = "n"', 'polarity = "x"', r"devices\.nmos\.polarity = 'x' is not valid"),
        ("[devices.pmos]", "[devices.pfet]", r"devices must hold nmos and pmos"),
        ("pull_up_um = 0.065", "pull_up_um = -1.0", r"cell_6t\.pull_up_um = -1\.0 is not valid"),
        ("pull_up_um = 0.065", "pull_up_um = nan", r"cell_6t\.pull_up_um = nan is not valid"),
        ("generic45lp.cards", "gone.cards", r"models\.include names .*gone\.cards, which is not a file"),
        ('unit = "uA/um"', 'unit = "mV"', r"targets\.nmos\.ion\.unit = 'mV' is not valid; give it in uA/um or nA/um"),
        ("nmos = 2.5", "nfet = 2.5", r"must have the same names; in one only: nfet, nmos"),
        ("[supply]", "[supply", r"generic45lp\.toml is not valid TOML"),
    ],
)
def test_a_wrong_field_is_named(copied: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(TechnologyError, match=message) as caught:
        load_technology(edited(copied, old, new))
    assert str(copied) in str(caught.value) or "gone.cards" in str(caught.value)


def test_an_unset_variable_and_a_missing_package_are_named(copied: Path) -> None:
    text = copied.read_text()
    copied.write_text(text.replace("[models]", '[models]\nroot = "$NO_SUCH_PDK/models"'))
    with pytest.raises(TechnologyError, match="environment variable NO_SUCH_PDK"):
        load_technology(copied)
    copied.write_text(text.replace("[models]", '[models]\npackage = "no_such_pdk"'))
    with pytest.raises(MissingDependencyError, match="no_such_pdk"):
        load_technology(copied)


def test_a_package_that_is_missing_is_said_with_its_command(copied: Path) -> None:
    text = copied.read_text()
    copied.write_text(
        text.replace("[models]", '[models]\npackage = "no_such_pdk"\ninstall = "pip install no_such_pdk"')
    )
    with pytest.raises(MissingDependencyError, match="install it with `pip install no_such_pdk`"):
        load_technology(copied)
    assert load_technology(copied, check_files=False).models.install


def test_sizes_of_a_cell_that_cannot_be_drawn_are_named(copied: Path) -> None:
    with pytest.raises(
        TechnologyError, match=r"cell_6t\.pull_up_um = 0\.05 is outside devices\.pmos\.w_um, 0\.06 to 100"
    ):
        load_technology(edited(copied, "pull_up_um = 0.065", "pull_up_um = 0.05"))


def test_fields_that_are_not_used_do_not_change_the_hash() -> None:
    written = load_technology("generic45lp").model_dump_json()
    assert not any(name in written for name in ("narrow", "binned", "install"))
    written = load_technology("sky130", check_files=False).model_dump_json()
    assert all(name in written for name in ("narrow", "binned", "install"))


def test_a_corner_is_checked() -> None:
    technology = load_technology("generic45lp")
    assert Corner(vdd=1.1).check(technology).process == "tt"
    with pytest.raises(TechnologyError, match="has no corner 'xx'; it has tt, ff, ss, fs, sf"):
        Corner(process="xx", vdd=1.1).check(technology)
    with pytest.raises(TechnologyError, match=r"vdd = 2 V is outside the range of generic45lp: 0\.6 to 1\.25 V"):
        Corner(vdd=2.0).check(technology)
    with pytest.raises(TechnologyError, match=r"temperature_c = 300 C is outside"):
        Corner(vdd=1.1, temperature_c=300.0).check(technology)


def test_the_hash_follows_the_cards(copied: Path) -> None:
    before = load_technology(copied).sha256
    assert before == load_technology("generic45lp").sha256
    edited(copied.with_suffix(".cards"), "a0=1", "a0=1.01")
    assert load_technology(copied).sha256 != before


def test_mismatch_of_one_device_and_of_a_pair() -> None:
    mismatch = load_technology("generic45lp").mismatch
    sigma = mismatch.sigma("nmos", 100e-9, 45e-9)
    assert sigma == pytest.approx(2.5e-3 / (0.1 * 0.045) ** 0.5)
    pair = mismatch.model_copy(update={"convention": "pair"})
    assert pair.sigma("nmos", 100e-9, 45e-9) == pytest.approx(sigma / 2**0.5)


def test_targets_that_cannot_be_fitted_are_refused(tmp_path: Path) -> None:
    text = (builtin_folder() / "targets" / "generic45lp.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("idlin")))
    with pytest.raises(TechnologyError, match=r"targets\.nmos lacks idlin"):
        load_targets(path)
    with pytest.raises(TechnologyError, match="no targets 'sky130'; built in: generic45lp, generic65"):
        load_targets("sky130")
