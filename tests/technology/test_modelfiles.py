"""Model files of a user's process: includes and library sections become one text, and every way to fail is named."""

from pathlib import Path

import pytest

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology.modelfiles import file_text, section_text, with_included

LIBRARY = """* a library
.lib tt ; typical
.param shift=0
.lib 'all.lib' devices
.endl tt
.LIB ff
.param shift=-0.04
.lib "all.lib" devices
.endl
.lib devices
.include "deep/cards.inc" $ the cards
.endl devices
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "cards.inc").write_text(".inc more.inc\n.model a nmos\n")
    (tmp_path / "deep" / "more.inc").write_text(".param x=1\n")
    path = tmp_path / "all.lib"
    path.write_text(LIBRARY)
    return path


def test_a_section_is_copied_with_all_that_it_names(library: Path) -> None:
    for name in ("ff", "FF"):
        lines = section_text(library, name).split()
        assert lines == [".param", "shift=-0.04", ".param", "x=1", ".model", "a", "nmos"]


def test_an_included_library_gives_what_is_outside_its_sections(library: Path) -> None:
    assert file_text(library).strip() == "* a library"


def test_a_file_without_includes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cards"
    path.write_text(text := "* .include is not a card here\n.model a nmos level=54\n+ vth0=0.5\n\n")
    assert file_text(path) == text


def test_every_file_behind_a_library_is_known(library: Path) -> None:
    assert [path.name for path in with_included(library)] == ["all.lib", "cards.inc", "more.inc"]


def test_a_section_that_is_not_there_lists_those_that_are(library: Path) -> None:
    with pytest.raises(TechnologyError, match=r"all\.lib has no section 'ss'; it has tt, ff, devices"):
        section_text(library, "ss")


def test_a_missing_file_names_the_one_that_wants_it(library: Path) -> None:
    (library.parent / "deep" / "more.inc").unlink()
    with pytest.raises(TechnologyError, match=r"cards\.inc includes .*more\.inc, which is not a file"):
        section_text(library, "tt")


def test_files_that_include_each_other_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(".include b\n")
    (tmp_path / "b").write_text(".include a\n")
    with pytest.raises(TechnologyError, match="break the circle"):
        file_text(tmp_path / "a")


def test_commands_are_refused_however_deep_they_are(library: Path) -> None:
    (library.parent / "deep" / "more.inc").write_text(".control\nshell true\n.endc\n")
    with pytest.raises(TechnologyError, match=r"more\.inc holds a \.control"):
        section_text(library, "tt")
