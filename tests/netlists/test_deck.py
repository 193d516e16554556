"""A deck runs no programs and reads no files, whatever text reached it."""

from dataclasses import replace

import pytest

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.deck import Deck

PLAIN = "* title\nV1 a 0 1\n.model n nmos\n* .control\n*x # .include\n+ .lib\n.ic v(a)=1\n.op\n.end\n"


@pytest.mark.parametrize(
    "line",
    [
        ".control",
        ".CONTROLX",
        " \t.control",
        "\f.control",
        ".exec true",
        ".include /etc/passwd",
        ".inclu x",
        ".inc x",
        ".lib x tt",
        ".libx x tt",
        "*#shell true",
        "\t*#shell true",
    ],
)
def test_a_line_that_runs_a_program_or_reads_a_file_is_refused(line: str) -> None:
    deck = Deck(text=PLAIN)
    for text in (f"{line}\n{PLAIN}", PLAIN.replace(".op\n", f"{line}\n.op\n")):
        with pytest.raises(NetlistError, match="the deck is refused: its line .* would run a program or read a file"):
            Deck(text=text)
        with pytest.raises(NetlistError, match="the deck is refused"):
            replace(deck, text=text)
