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
    with pytest.raises(TechnologyError, match=r"more\.inc, line 1: '\.control' is refused: no such card"):
        section_text(library, "tt")


@pytest.mark.parametrize(
    "text",
    [
        ".controlx\nshell true\n.endc\n",
        " \t.CONTROL\r\nshell true\r\n.endc\r\n",
        "* a comment\r.control\rshell true\r.endc\r",
        "\f.control\nshell true\n.endc\n",
        ".execute true\n",
    ],
)
def test_commands_are_known_by_their_beginning(tmp_path: Path, text: str) -> None:
    path = tmp_path / "models"
    path.write_bytes(text.encode())
    with pytest.raises(TechnologyError, match=r"(?i)models, line [12]: '.*\.(control|exec).* is refused"):
        file_text(path)
    path.write_bytes(f".lib tt\n{text}.endl\n".encode())
    with pytest.raises(TechnologyError, match=r"models, line [23]"):
        section_text(path, "tt")


def test_a_section_that_is_not_wanted_does_not_reach_a_deck(tmp_path: Path) -> None:
    (tmp_path / "lib").write_text(".lib other\n.control\nshell true\n.endc\n.endl\n.lib tt\n.param x=1\n.endl\n")
    assert section_text(tmp_path / "lib", "tt") == ".param x=1"


@pytest.mark.parametrize(
    "line",
    [
        ".includex evil",
        ".inclu evil",
        ".include evil with more words",
        "\t.INCLUDEX evil",
        "\f.includex evil",
        ".include $HOME/evil",
        ".include\n+ evil",
        ".inc",
        ".libx evil tt",
        ".library evil tt",
        ".lib evil tt more",
        ".lib",
        ".endlx",
        "* x\r.includex evil",
        ".includex evil\r",
    ],
)
def test_an_include_in_another_form_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "evil").write_text(".lib tt\n.endl\n")
    (tmp_path / "lib").write_bytes(f"* a library\n.lib tt\n{line}\n.endl\n.lib ff\n.endl\n".encode())
    # In whatever section: the file is refused as a whole.
    for section in ("tt", "ff"):
        with pytest.raises(TechnologyError, match=r"lib, line [34]: '\..*' is refused; write \.include FILE"):
            section_text(tmp_path / "lib", section)
    with pytest.raises(TechnologyError, match=r"lib, line [34]"):
        file_text(tmp_path / "lib")


def test_a_path_with_blanks_is_quoted_and_a_comment_may_follow(tmp_path: Path) -> None:
    (tmp_path / "of mine").write_text(".lib tt\n* inside\n.endl\n* outside\n")
    for card, text in (
        ('.include "of mine" ; a comment', "* outside"),
        ("\t.INCL 'of mine'\t$ a comment", "* outside"),
        ('.lib "of mine" tt ; a comment', "* inside"),
    ):
        (tmp_path / "models").write_text(f"{card}\n")
        assert file_text(tmp_path / "models").strip() == text


@pytest.mark.parametrize("name", ["~nosuchuser/x", "x" * 5000])
def test_an_odd_path_of_an_include_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "models").write_text(f".lib tt\n.include '{name}'\n.endl\n.lib ff\n.endl\n")
    with pytest.raises(TechnologyError, match=r"models includes '.*', which is no path of a file"):
        section_text(tmp_path / "models", "tt")
    assert with_included(tmp_path / "models") == (tmp_path / "models",)


def test_a_comment_that_is_a_command_becomes_a_comment(tmp_path: Path) -> None:
    # ngspice runs what follows *#.
    (tmp_path / "models").write_text("*#shell true\n \t*#x\n*####\n* #\n;#x\n$#x\n//#x\n.model a nmos ; *#\n")
    assert file_text(tmp_path / "models") == (
        "* #shell true\n \t* #x\n* ####\n* #\n; #x\n$ #x\n// #x\n.model a nmos ; *#\n"
    )


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b".model a nmos\0\n")
    with pytest.raises(TechnologyError, match="models holds a NUL character"):
        file_text(tmp_path / "models")


@pytest.mark.parametrize(
    "card",
    [
        '.model a d_process (process_file="true")',
        ".MODEL a\n* a comment\n\n + FileSource(file=x)",
        ".model(a,d_source input_file=x)",
        ".model a \\\\\nd_state",
        ".modelx a table2d(file=x)",
        ".model a$b filesource\n+ nmos",
        # With .param kind="filesource".
        ".model a {kind} (file=x)",
        ".model a 'kind' (file=x)",
        # ngspice ends a type at these.
        ".model a filesource*1 (file=x)",
        ".model a filesource/1",
        ".model a nmos^filesource",
        # CIDER writes files.
        '.model a numd level=1\n+ output stat rootfile="x"',
        ".model a numos",
        ".model a nbjt",
        ".model a osdi_model",
        ".model a",
    ],
)
def test_models_that_run_programs_or_read_or_write_files_are_refused(tmp_path: Path, card: str) -> None:
    (tmp_path / "models").write_text(f"* models\n{card}\n")
    with pytest.raises(TechnologyError, match=r"(?i)models, line 2: ['\"]\.model.* is refused: "):
        file_text(tmp_path / "models")


def test_models_of_transistors_are_left_alone(tmp_path: Path) -> None:
    text = (
        ".model a nmos level={l} version='v'\n.model b.1 pmos(level=54\n.model c\n* {\n+ nmos (\n+ d_state=1)\n"
        ".model d nmos ; {x}\n.model e ; it's\n+ pnp\n.param d_process=1 filesource=2\n"
    )
    (tmp_path / "models").write_text(text)
    assert file_text(tmp_path / "models") == text


def test_a_comment_behind_a_card_that_another_ngspice_reads_as_a_card_goes(tmp_path: Path) -> None:
    (tmp_path / "models").write_text(".model $a $ x\n+ filesource // y\n+ nmos\n+ level=54 ; z\n")
    assert file_text(tmp_path / "models").split() == [
        ".model",
        "+",
        "filesource",
        "+",
        "nmos",
        "+",
        "level=54",
        ";",
        "z",
    ]
