"""Control characters of a text are shown, never sent."""

import io
import unicodedata

import pytest
from rich.progress import Progress, TextColumn
from rich.table import Table
from rich.text import Text

from pyspice_cim.report.console import VisibleConsole
from pyspice_cim.terminal import visible

CONTROLS = [chr(code) for code in range(0x2070) if unicodedata.category(chr(code)) == "Cc" and chr(code) not in "\n\t"]
TURNS = {"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
BIDI = [chr(code) for code in range(0x10000) if unicodedata.bidirectional(chr(code)) in TURNS]


@pytest.mark.parametrize("character", [*CONTROLS, *BIDI, "\u200e", "\u200f", "\u061c", "\u2028"], ids=ascii)
def test_each_is_an_escape(character):
    shown = visible(f"a{character}b")
    assert shown.isascii() and shown.isprintable()
    assert shown.encode().decode("unicode_escape") == f"a{character}b"


@pytest.mark.parametrize("text", ["two\nlines\tand a tab", "µm, 50 Ω, „quoted“, 日本, עברית", "\\x1b as it is", ""])
def test_what_is_no_command_stays(text):
    assert visible(text) == text


def printed(draw) -> str:
    stream = io.StringIO()
    console = VisibleConsole(file=stream, force_terminal=False, width=60, markup=False)
    draw(console)
    return stream.getvalue()


def test_whatever_rich_prints():
    evil = "\x1b]0;title\x9b2J"
    shown = "\\x1b]0;title\\x9b2J"
    table = Table(evil, title=evil, caption=evil)
    table.add_row(evil)
    table.add_row(Text(evil))
    for draw in (
        lambda console: console.print(evil),
        lambda console: console.print(evil, soft_wrap=True, highlight=False),
        lambda console: console.print(Text.assemble((evil, "red"), "after")),
        lambda console: console.print(table),
    ):
        found = printed(draw)
        assert shown in found
        assert not set(CONTROLS) & set(found)
    lines = printed(lambda console: console.print(table)).splitlines()
    assert len({len(line) for line in lines if line.startswith(("┃", "│", "┏", "└"))}) == 1, "the table keeps its shape"


def test_the_commands_of_rich_itself_go_through():
    stream = io.StringIO()
    console = VisibleConsole(file=stream, force_terminal=True, width=60)
    with Progress(TextColumn("{task.description}", markup=False), console=console, auto_refresh=False) as bar:
        bar.add_task("\x1b[2Jevil", total=1)
        bar.refresh()
    assert "\\x1b[2J" in stream.getvalue() and "\x1b[2J" not in stream.getvalue()
    assert "\x1b[?25l" in stream.getvalue(), "the cursor is hidden while a bar is drawn"
