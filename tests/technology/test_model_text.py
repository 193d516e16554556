"""Model text of a process corner: synthetic shifts reach the cards, and nothing else does."""

import re
from pathlib import Path

import pytest

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology import load_technology, model_text
from pyspice_cim.technology.fields import CornerModels, Shift
from pyspice_cim.technology.models import shifted


def values(text: str, keyword: str) -> list[float]:
    return [float(found) for found in re.findall(rf"\b{keyword}=(\S+)", text)]


@pytest.mark.parametrize("name", ["generic45lp", "generic65"])
def test_fs_is_fast_n_and_slow_p(name: str) -> None:
    technology = load_technology(name)
    typical, mixed = model_text(technology, "tt"), model_text(technology, "fs")
    n, p = values(mixed, "vth0")
    n_typical, p_typical = values(typical, "vth0")
    assert n - n_typical == pytest.approx(-0.04)
    # A slow p device has a larger magnitude, so a more negative value.
    assert p - p_typical == pytest.approx(-0.04)
    assert [new / old for new, old in zip(values(mixed, "u0"), values(typical, "u0"), strict=True)] == pytest.approx(
        [1.04, 0.96]
    )
    assert len(mixed.split()) == len(typical.split())


def test_other_text_is_left_alone() -> None:
    text = "* vth0=1 u0=1\n.param vth0=3\n.model a nmos level=54\n+ vth0=0.5 u0=0.04 xu0=7\n.param u0=2\n"
    corner = CornerModels(dvt_mv=Shift(n=10, p=0), mobility=Shift(n=2, p=1))
    assert shifted(text, corner) == text.replace("vth0=0.5 u0=0.04", "vth0=0.51 u0=0.08")


def test_a_shift_that_reaches_no_card_is_an_error() -> None:
    corner = CornerModels(dvt_mv=Shift(n=10, p=0))
    with pytest.raises(TechnologyError, match=r"needs \.model cards"):
        shifted(".subckt x a b\n.ends\n", corner, "mine")


def test_a_file_per_corner_a_parameter_and_a_library_section(copied: Path) -> None:
    text = copied.read_text()
    text = re.sub(r"(?m)^(dvt_mv|mobility) = .*\n", "", text)
    text = text.replace(
        'include = ["generic45lp.cards"]',
        'include = ["models_{corner}.inc"]\nparams = {scale = 2.0}\n'
        'lib = [{file = "all.lib", section = "{corner}_3v"}]',
    ).replace("[corners.ff]", '[corners.ff]\nname = "fast"')
    copied.write_text(text)
    folder = copied.parent
    sections = ("tt", "fast", "ss", "fs", "sf")
    (folder / "all.lib").write_text("".join(f".lib {name}_3v\n* section {name}\n.endl\n" for name in sections))
    for name in sections:
        (folder / f"models_{name}.inc").write_text(f"* models {name}\n")
    technology = load_technology(copied)
    assert model_text(technology, "ff") == ".param scale=2\n* models fast\n* section fast\n"
    (folder / "models_sf.inc").unlink()
    with pytest.raises(TechnologyError, match=r"models_sf\.inc, which is not a file"):
        load_technology(copied)


def test_a_model_file_that_runs_commands_is_refused(copied: Path) -> None:
    cards = copied.with_suffix(".cards")
    cards.write_text(cards.read_text() + ".control\nshell true\n.endc\n")
    with pytest.raises(TechnologyError, match=r"generic45lp\.cards, line \d+: '\.control' is refused"):
        model_text(load_technology(copied), "tt")


def test_a_synthetic_corner_cuts_no_comment_in_two(copied: Path) -> None:
    # str.splitlines() ends a line at a form feed, ngspice does not.
    cards = copied.with_suffix(".cards")
    cards.write_text(cards.read_text() + "* a\f.control\n* b\x1cshell true\n* c\x85.endc\n")
    lines = model_text(load_technology(copied), "ff").split("\n")
    assert lines[-4:] == ["* a .control", "* b shell true", "* c\x85.endc", ""]


def test_no_card_goes_on_in_the_next_file(copied: Path) -> None:
    (copied.parent / "first").write_text(".model a\n")
    (copied.parent / "second").write_text("* models\n+ filesource (file=x)\n")
    text = copied.read_text()
    copied.write_text(text.replace('"generic45lp.cards"]', '"generic45lp.cards", "second"]'))
    with pytest.raises(TechnologyError, match=r"second, line 2: '\+ filesource .*' is refused: there is no card"):
        model_text(load_technology(copied), "tt")
    copied.write_text(text.replace('"generic45lp.cards"]', '"generic45lp.cards", "first"]'))
    with pytest.raises(TechnologyError, match=r"first, line 1: '\.model a' is refused"):
        model_text(load_technology(copied), "tt")
