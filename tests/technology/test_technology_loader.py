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
        ("1.1", "1" * 5000, r"is not valid TOML: .*5000 digits"),
        ("1.1", "[" * 20000, r"is not valid TOML: brackets are nested too deep"),
        ("1.1", "0x" + "f" * 5000, r"supply\.nominal_v = \(too long to print\) is not valid"),
    ],
)
def test_a_wrong_field_is_named(copied: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(TechnologyError, match=message) as caught:
        load_technology(edited(copied, old, new))
    assert str(copied) in str(caught.value) or "gone.cards" in str(caught.value)


# Ends a card, runs a program, and goes on as a card.
COMMAND = r'"x=1\n.control\nshell true\n.endc\n.param y"'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[models]",
            f"[models]\nparams = {{{COMMAND} = 1.0}}",
            r"models\.params\.'x=1\\n\.control.* is no name: use letters",
        ),
        ("[models]", '[models]\nparams = {"1a" = 1.0}', r"models\.params\.1a is no name: use letters"),
        ("[corners.ff]", f"[corners.{COMMAND}]", r"corners\.'x=1\\n\.control.* is no name"),
        ("[corners.ff]", '[corners."f f"]', r"corners\.f f is no name"),
        ("[devices.nmos]", f"[devices.{COMMAND}]\n[devices.nmos]", r"devices\.'x=1\\n\.control.* is no name"),
        ("nmos = 2.5", f"{COMMAND} = 2.5\nnmos = 2.5", r"a_vt_mv_um\.'x=1\\n\.control.* is no name"),
        ("[targets.pmos]", f"[targets.{COMMAND}]\n[targets.pmos]", r"targets\.'x=1\\n\.control.* is no name"),
        ('"nmos45lp"', r'"nmos45lp\n.control"', r"devices\.nmos\.model = 'nmos45lp\\n\.control' is not valid"),
        ('"generic45lp"', r'"generic45lp\n"', r"name = 'generic45lp\\n' is not valid"),
    ],
)
def test_names_that_become_words_of_a_deck_are_plain(copied: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(TechnologyError, match=message):
        load_technology(edited(copied, old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("range_v = [0.6,", "range_v = [0.0,", r"supply\.range_v\.0 = 0\.0 is not valid: .* 0\.001"),
        ("range_v = [0.6,", "range_v = [5e-324,", r"supply\.range_v\.0 = 5e-324 is not valid"),
        ("range_v = [0.6, 1.25]", "range_v = [0.6, 1e12]", r"supply\.range_v\.1 = 1000000000000\.0 is not valid"),
        ("range_v = [0.6, 1.25]", "range_v = [0.6, inf]", r"supply\.range_v\.1 = inf is not valid"),
        ("range_c = [-40.0,", "range_c = [-273.15,", r"temperature\.range_c\.0 = -273\.15 is not valid: .* -270"),
        ("range_c = [-40.0, 125.0]", "range_c = [-40.0, nan]", r"temperature\.range_c\.1 = nan is not valid"),
        ("nominal_c = 27.0", "nominal_c = -400.0", r"temperature\.nominal_c = -400\.0 is not valid"),
        ("w_um = [0.06,", "w_um = [-1.0,", r"devices\.nmos\.w_um\.0 = -1\.0 is not valid"),
        ("l_um = [0.045,", "l_um = [0.0,", r"devices\.nmos\.l_um\.0 = 0\.0 is not valid"),
        ("l_um = [0.045, 10.0]", "l_um = [0.045, 1e300]", r"devices\.nmos\.l_um\.1 = 1e\+300 is not valid"),
        ("diffusion_um = 0.11", "diffusion_um = 1e-300", r"devices\.nmos\.diffusion_um = 1e-300 is not valid"),
        ("mobility = {n = 1.04", "mobility = {n = -1.04", r"corners\.ff: mobility must be above 0"),
        ("value = 519.0", "value = 0.0", r"targets\.nmos\.ion\.value = 0\.0 is not valid"),
        ("nmos = 2.5", "nmos = inf", r"mismatch\.a_vt_mv_um\.nmos = inf is not valid"),
        ("[models]", "[models]\nparams = {a = nan}", r"models\.params\.a = nan is not valid"),
    ],
)
def test_sizes_and_conditions_are_possible(copied: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(TechnologyError, match=message):
        load_technology(edited(copied, old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"generic45lp.cards"', r'"x\u0000.cards"', r"models\.include = 'x\\x00\.cards' .* is no path of a file"),
        (
            '"generic45lp.cards"',
            f'"{"x" * 5000}"',
            r"models\.include = 'x+' .* is no path of a file: File name too long",
        ),
        ("[models]", '[models]\nroot = "x\\u0000"', r"models\.root = 'x\\x00' holds a NUL character"),
        (
            "[models]",
            '[models]\nroot = "~nosuchuser"',
            r"models\.root = '~nosuchuser' names a home folder that there is not",
        ),
        ("[models]", '[models]\npackage = "__main__"', r"'__main__' \(models\.package\)"),
        ("[models]", '[models]\npackage = ".x"', r"models\.package = '\.x' is not valid"),
        (
            "[cell_8t]",
            '[cell_6t.netlist]\nfile = "x\\u0000"\nsubckt = "a"\n'
            'ports = {bl = "a", blb = "b", wl = "w", q = "q", qb = "r", vdd = "v"}\n\n[cell_8t]',
            r"cell_6t\.netlist\.file = 'x\\x00' .* is no path",
        ),
    ],
)
def test_an_odd_path_is_named(copied: Path, old: str, new: str, message: str) -> None:
    with pytest.raises((TechnologyError, MissingDependencyError), match=message):
        load_technology(edited(copied, old, new))


def test_a_package_inside_another_one_is_refused_and_nothing_is_imported(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outer_models" / "inner").mkdir(parents=True)
    for folder in ("outer_models", "outer_models/inner"):
        (tmp_path / folder / "__init__.py").write_text("from pathlib import Path\nPath(__file__ + '.ran').touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = copied.read_text()
    copied.write_text(text.replace("[models]", '[models]\npackage = "outer_models.inner"'))
    with pytest.raises(TechnologyError, match=r"models\.package = 'outer_models\.inner' is not valid"):
        load_technology(copied)
    copied.write_text(text.replace("[models]", '[models]\npackage = "outer_models"'))
    with pytest.raises(TechnologyError, match=r"outer_models/generic45lp\.cards, which is not a file"):
        load_technology(copied)
    assert not list(tmp_path.rglob("*.ran"))


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


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"vdd": 0.0}, r"vdd = 0 V is impossible; give 0\.001 to 100 V"),
        ({"vdd": float("nan")}, "vdd = nan V is impossible"),
        ({"vdd": float("inf")}, "vdd = inf V is impossible"),
        ({"vdd": 1.1, "temperature_c": -274.0}, "temperature_c = -274 C is impossible; give -270 to 500 C"),
    ],
)
def test_a_condition_is_possible(condition: dict[str, float], message: str) -> None:
    with pytest.raises(TechnologyError, match=message):
        Corner(**condition)


def test_the_hash_of_variation_follows_its_numbers_alone(copied: Path) -> None:
    text = copied.read_text()
    before = load_technology(copied)
    # As tables state it.
    assert before.variation_sha256 == "8ae6234e74b3c3f9798d92f1dbb68b4cd709c3a559de6719aaa5b23894ff2989"
    for old, new, nominal in (
        ("n = 13.3", "n = 13.4", True),
        ("p = 13.3", "p = 13.4", True),
        ("nmos = 2.5", "nmos = 2.6", False),
        ('convention = "single"', 'convention = "pair"', False),
    ):
        after = load_technology(edited(copied, old, new))
        assert after.variation_sha256 != before.variation_sha256
        assert (after.sha256 == before.sha256) == nominal
        copied.write_text(text)
    after = load_technology(edited(copied, 'source = "a third of', 'source = "One third of'))
    assert after.variation_sha256 == before.variation_sha256
    start, end = text.index("[global_variation]"), text.index("[wire]")
    copied.write_text(text[:start] + text[end:])
    assert load_technology(copied).variation_sha256 != before.variation_sha256


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


def test_a_source_of_targets_is_one_line(tmp_path: Path) -> None:
    # It heads the cards that are fitted, as a comment.
    text = (builtin_folder() / "targets" / "generic45lp.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('source = "', r'source = "x\n.include /etc/passwd\n', 1))
    with pytest.raises(TechnologyError, match="source must be one line"):
        load_targets(path)
