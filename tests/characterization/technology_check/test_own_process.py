"""A user's own process by one TOML: cards in an included file, and subcircuits in sections of a library.

The models are those of generic45lp in other clothes, so the answers are known: the same currents.
"""

import re
from pathlib import Path

import pytest

from pyspice_cim.characterization.devices.figures import measure_technology
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.technology_check.check import check_technology
from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology import Corner, Technology, load_technology, model_text
from pyspice_cim.technology.loader import builtin_folder

SUBCIRCUIT = """.subckt my_{polarity} d g s b
.param w=1 l=1 ad=0 as=0 pd=0 ps=0
M1 d g s b {model} w={{w}} l={{l}} ad={{ad}} as={{as}} pd={{pd}} ps={{ps}} delvto={{shift_{polarity}}}
.ends
"""
# Section -> shift of the n and of the p device, V: the p device is fast with a positive one.
SECTIONS = {
    "typ": (0.0, 0.0),
    "fast": (-0.04, 0.04),
    "slow": (0.04, -0.04),
    "fnsp": (-0.04, -0.04),
    "snfp": (0.04, 0.04),
}
NAMES = dict(zip(("tt", "ff", "ss", "fs", "sf"), SECTIONS, strict=True))


def described(models: str, devices: str = "") -> str:
    """The TOML of generic45lp without its synthetic corners and targets, with ``models`` in place of its own."""
    text = (builtin_folder() / "generic45lp.toml").read_text().replace('name = "generic45lp"', 'name = "mine"')
    text = re.sub(r"(?m)^(dvt_mv|mobility|note) = .*\n", "", text.split("[models]")[0])
    return text.replace("diffusion_um = 0.11\n", f"diffusion_um = 0.11\n{devices}") + models


@pytest.fixture
def subcircuits(tmp_path: Path) -> Path:
    """Subcircuits in micrometres, in a library whose sections set the corner and call a common one."""
    cards = (builtin_folder() / "generic45lp.cards").read_text()
    (tmp_path / "cards.inc").write_text(cards)
    bodies = "".join(SUBCIRCUIT.format(polarity=p, model=f"{p}mos45lp") for p in "np")
    sections = "".join(
        f".lib {name}\n.param shift_n={n} shift_p={p}\n.lib 'mine.lib' devices\n.endl {name}\n"
        for name, (n, p) in SECTIONS.items()
    )
    (tmp_path / "mine.lib").write_text(f'* mine\n{sections}.lib devices\n.include "cards.inc"\n{bodies}.endl devices\n')
    text = described(
        '[units]\ngeometry = "um"\nscale_option = "deck"\n\n'
        '[models]\nlib = [{file = "mine.lib", section = "{corner}"}]\n',
        'element = "X"\ndvt = "gate_source"\n',
    )
    for polarity in "np":
        text = text.replace(f'model = "{polarity}mos45lp"', f'model = "my_{polarity}"')
    for name, section in NAMES.items():
        text = text.replace(f"[corners.{name}]\n", f'[corners.{name}]\nname = "{section}"\n')
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def figures(technology: Technology, process: str = "tt") -> dict[str, float | None]:
    measured = measure_technology(technology, Corner(process=process, vdd=1.1), NgspiceSimulator())
    assert all(item.ok for item in measured.values()), {name: item.reason for name, item in measured.items()}
    return {name: item.value for name, item in measured.items()}


def said(technology: Technology) -> str:
    outcome = check_technology(technology, NgspiceSimulator())
    return "\n".join(f"{problem.where}: {problem.what} -> {problem.remedy}" for problem in outcome.problems)


def test_cards_of_an_included_file(tmp_path: Path) -> None:
    # A file for each corner, as a foundry's card files are; what they include lies beside them.
    (tmp_path / "cards.inc").write_text((builtin_folder() / "generic45lp.cards").read_text())
    for name in NAMES:
        (tmp_path / f"corner_{name}.pm").write_text('.include "cards.inc"\n')
    path = tmp_path / "mine.toml"
    path.write_text(described('[models]\ninclude = ["corner_{corner}.pm"]\n'))
    technology = load_technology(path)
    assert figures(technology) == figures(load_technology("generic45lp"))
    # All corners are one: that is what the check must find, and nothing else.
    lines = said(technology).splitlines()
    assert [line.split(":")[0] for line in lines] == ["ff", "ss", "fs", "sf"]
    assert all("the corner changes nothing" in line for line in lines)


def test_subcircuits_of_library_sections(subcircuits: Path) -> None:
    # The same transistors: ngspice's DC tolerance is 1e-5, the time step of the FO4 bench gives some 1e-4.
    technology = load_technology(subcircuits)
    assert figures(technology) == pytest.approx(figures(load_technology("generic45lp")), rel=1e-3, abs=0)
    assert said(technology) == ""
    assert "shift_n=-0.04 shift_p=-0.04" in model_text(technology, "fs")
    # A deck stands alone and follows every file behind it.
    assert ".lib" not in model_text(technology, "tt")
    before = technology.sha256
    cards = subcircuits.parent / "cards.inc"
    cards.write_text(cards.read_text() + "* more\n")
    assert load_technology(subcircuits).sha256 != before


def test_a_map_of_corners_that_is_wrong_is_found(subcircuits: Path) -> None:
    text = subcircuits.read_text()
    subcircuits.write_text(text.replace("fnsp", "x").replace("snfp", "fnsp").replace('"x"', '"snfp"'))
    lines = said(load_technology(subcircuits)).splitlines()
    assert len(lines) == 1
    assert "fs and sf are swapped" in lines[0]


def test_a_corner_that_is_not_mapped_names_the_field(subcircuits: Path) -> None:
    subcircuits.write_text(subcircuits.read_text().replace('name = "slow"', ""))
    with pytest.raises(
        TechnologyError, match=r"has no section 'ss'; it has typ, fast, slow.*models\.lib\.section.*corners\.ss\.name"
    ):
        model_text(load_technology(subcircuits), "ss")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'scale_option = "deck"',
            'scale_option = "none"',
            "see units.geometry and units.scale_option",
        ),
        ('model = "my_n"', 'model = "your_n"', "devices.*.model names what the model files do not define"),
        ("nmos = 2.5", "nmos = -2.5", r"mismatch\.a_vt_mv_um\.nmos.*greater than 0"),
        ("pmos = ", "pmos = 0.0 #", r"mismatch\.a_vt_mv_um\.pmos.*greater than 0"),
        ("w_um = [0.06, 100.0]", "w_um = [0.1, 100.0]", "cell_6t.pull_up_um = 0.065 is outside devices.pmos.w_um"),
        ("l_um = [0.045, 10.0]", "l_um = [0.045, 0.1]", "the built-in circuits cannot be drawn: "),
        ('dvt = "gate_source"', 'dvt = "instance_delvto"', "delvto on a subcircuit is ignored"),
        ('file = "mine.lib"', 'file = "gone.lib"', "models.lib.file names .*gone.lib, which is not a file"),
    ],
)
def test_what_is_wrong_is_said_in_words(subcircuits: Path, old: str, new: str, words: str) -> None:
    text = subcircuits.read_text()
    assert old in text
    subcircuits.write_text(text.replace(old, new))
    try:
        found = said(load_technology(subcircuits))
    except TechnologyError as error:
        found = str(error)
    assert re.search(words, found), found


def as_published(cards: str) -> str:
    """The cards as public files write them: capitals, blanks and tabs around ``=``, brackets, comments, CRLF."""
    lines = ['* a public card file: `name\' = "x" $(y); # 45nm!', "*" * 60, ""]
    for line in cards.splitlines():
        if line.startswith("*"):
            continue
        wide = re.sub(r"(\S+)=(\S+)", r"\1    =\t\2 ", line)
        lines += [wide.replace(".model", ".MODEL").replace(" nmos ", "  NMOS  (").replace(" pmos ", "  PMOS  (")]
        lines += ["*", "  ; a comment", "$ another", "// and one more"] if line.startswith(".") else []
    return "\r\n".join(lines).replace("\r\n.MODEL", " )\r\n.MODEL").replace(" )\r\n.MODEL", "\r\n.MODEL", 1) + " )\r\n"


def test_cards_in_the_form_of_public_files_give_the_same_numbers_bit_for_bit(tmp_path: Path) -> None:
    plain = (builtin_folder() / "generic45lp.cards").read_text()
    (tmp_path / "public.inc").write_bytes(as_published(plain).encode())
    path = tmp_path / "mine.toml"
    path.write_text(described('[models]\ninclude = ["public.inc"]\n'))
    text = model_text(load_technology(path), "tt")
    assert "NMOS  (level    =\t54" in text and text.count(")") >= 2
    assert figures(load_technology(path)) == figures(load_technology("generic45lp"))
