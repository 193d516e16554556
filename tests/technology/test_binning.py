"""One subcircuit for each bin: the right one is chosen, at the edges too, and only used ones stay in a deck."""

from pathlib import Path

import pytest

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.binning import bins_of, without_unused_bins

FILE = """* a comment
.subckt other d g s b
.model inner.1 nmos lmin=0 lmax=1 wmin=0 wmax=1
.ends other
.subckt  dev d g s b mult=1
.param w=1 l=1
* a comment inside
Mdev d g s b card w={w} l={l}
.model card.1 nmos
+ level=54 lmin = 1.5E-07 lmax = 1.8e-7 wmin = 4.2e-7
* a comment between
+ wmax = 1e-6 vth0 = 0.5
.model card.2 nmos level=54 lmin=1.5e-7 lmax=1.8e-7 wmin=1e-6 wmax=7e-6
+ vth0 = 0.6
.ends dev
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "models"
    file.write_text(FILE)
    return file


def test_each_bin_is_the_subcircuit_with_one_card(path: Path) -> None:
    first, second = bins_of((path,), "dev")
    assert (first.name, second.name) == ("dev__bin1", "dev__bin2")
    assert second.text == (
        ".subckt  dev__bin2 d g s b mult=1\n.param w=1 l=1\nMdev d g s b card w={w} l={l}\n"
        ".model card.2 nmos level=54 lmin=1.5e-7 lmax=1.8e-7 wmin=1e-6 wmax=7e-6\n+ vth0 = 0.6\n.ends dev__bin2\n"
    )
    assert "vth0 = 0.5" in first.text
    assert "vth0 = 0.6" not in first.text


def test_a_limit_belongs_to_the_upper_bin_whatever_the_last_digit(path: Path) -> None:
    first, second = bins_of((path,), "dev")
    for width, expected in ((0.42e-6, first), (0.9999e-6, first), (1e-6, second), (0.1 * 10 * 1e-6 - 1e-21, second)):
        assert [item for item in (first, second) if item.holds(width, 0.15e-6)] == [expected]
    assert not any(item.holds(1e-6, 0.18e-6) for item in (first, second))
    assert not any(item.holds(0.41e-6, 0.15e-6) for item in (first, second))


def test_bins_within_the_ranges_of_a_device(path: Path) -> None:
    first, second = bins_of((path,), "dev")
    assert first.overlaps((0.3e-6, 0.5e-6), (0.1e-6, 0.2e-6))
    assert not second.overlaps((0.3e-6, 0.5e-6), (0.1e-6, 0.2e-6))


def test_only_bins_that_are_used_stay(path: Path) -> None:
    models = ".param a=1\n" + "".join(item.text for item in bins_of((path,), "dev")) + ".param b=1\n"
    kept = without_unused_bins(models, "X1 a b c d dev__bin2 w=1")
    assert kept.startswith(".param a=1\n.subckt  dev__bin2 ")
    assert kept.endswith(".ends dev__bin2\n.param b=1\n")
    assert "bin1" not in kept
    assert without_unused_bins(".subckt dev\n.ends dev\n", "") == ".subckt dev\n.ends dev\n"


def test_an_edited_file_is_read_again(path: Path) -> None:
    bins_of((path,), "dev")
    path.write_text(FILE.replace("vth0 = 0.6", "vth0 = 0.65000"))
    assert "0.65000" in bins_of((path,), "dev")[1].text


def test_what_is_not_binned_is_an_error(path: Path) -> None:
    with pytest.raises(TechnologyError, match="no subcircuit 'none' with binned"):
        bins_of((path,), "none")
    path.write_text(FILE.replace("wmax = 1e-6", ""))
    with pytest.raises(TechnologyError, match="bin 1 of dev lacks wmax"):
        bins_of((path,), "dev")
