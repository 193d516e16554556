"""A deck runs no programs and reads no files, whatever text reached it."""

import pickle
from dataclasses import replace

import pytest

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.deck import Deck, ngspice_input

PLAIN = "* title\nV1 a 0 1\n.model n nmos\n* .control\n*x # .include\n+ level=54\n.ic v(a)=1\n.op\n.end\n"


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
        "r#shell true",
        ";#shell true",
        "?#shell true",
        "\f#shell true",
        ".model n d_process",
        ".model n numd",
        "a1 [a] [b] n",
        "r1 a 0 `id`",
        '.print tran v(a) > "x"',
        ".options filetype=ascii",
        ".write x",
        ".save\\",
    ],
)
def test_a_line_that_runs_a_program_or_reads_or_writes_a_file_is_refused(line: str) -> None:
    deck = Deck(text=PLAIN)
    for text in (f"* title\n{line}\n{PLAIN}", PLAIN.replace(".op\n", f"{line}\n.op\n")):
        with pytest.raises(NetlistError, match="the deck is refused: "):
            Deck(text=text)
        with pytest.raises(NetlistError, match="the deck is refused"):
            replace(deck, text=text)


@pytest.mark.parametrize("title", [".control", ".include x", "*#shell true", "r#shell true", ";#"])
def test_a_title_that_could_be_a_card_is_refused(title: str) -> None:
    with pytest.raises(NetlistError, match="the deck is refused: its (first )?line"):
        Deck(text=f"{title}\n{PLAIN}")


def test_ngspice_sees_a_title_as_a_comment() -> None:
    assert ngspice_input(Deck(text=" \t.control\n.op\n.end\n")) == "*  \t.control\n.op\n.end\n"


def test_a_deck_of_another_process_is_looked_at_again() -> None:
    deck = pickle.loads(pickle.dumps(Deck(text=PLAIN)).replace(b".op\n", b".ex\n"))
    assert ".ex\n" in deck.text
    with pytest.raises(NetlistError, match="line 8, '.ex': no such card may stand here"):
        ngspice_input(deck)


def test_ngspice_reads_cards_that_count_and_nothing_else() -> None:
    text = (
        "* title\n* a comment\n\n.subckt used a b ; with a comment\nr1 a b 1k $ and another\nx1 a b inner\n.ends\n"
        ".subckt inner a b\n* inside\n+ c\nc1 a b 1f // 1\n.ends\n.subckt unused a b\nr1 a b 1k\n.subckt deep a\n.ends\n"
        "x1 a b never\n.ends unused\n.subckt never a b\n.ends\nX1 n 0\n+ USED\n.op\n.end\n"
    )
    assert ngspice_input(Deck(text=text)) == (
        "* title\n.subckt used a b\nr1 a b 1k\nx1 a b inner\n.ends\n.subckt inner a b\n+ c\nc1 a b 1f\n.ends\n"
        "X1 n 0\n+ USED\n.op\n.end\n"
    )
