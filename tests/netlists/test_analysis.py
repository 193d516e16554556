"""Analyses and options as values, and decks that are made from them."""

from dataclasses import replace

import pytest

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.analysis import Dc, Op, Options, Tran, rounded
from pyspice_cim.netlists.deck import Deck, DrawnDeck, Layout

PARTS = {
    "circuit": "* a divider\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k",
    "models": "",
    "temperature_c": 27.0,
    "options": Options.of(reltol="1e-4", bypass="1"),
    "analysis": Tran(step=1e-12, stop=1e-9, max_step=2e-11),
    "saves": ("v(a)", "v(b)"),
}


@pytest.mark.parametrize(
    ("analysis", "card"),
    [
        (
            Tran(step=rounded(1 / 3e12, 4), stop=4.4e-9, max_step=rounded(1 / 3e11, 4)),
            ".tran 3.333e-13 4.4e-09 0 3.333e-12",
        ),
        (Tran(step=5e-12, stop=4.4e-9, max_step=20e-12, letter="p"), ".tran 5p 4.4e-09 0 20p"),
        (Tran(step=1e-9, stop=2e-6, max_step=50e-9, letter="n").with_step(0.25), ".tran 1n 2e-06 0 12.5n"),
        (Tran(step=1e-12, stop=1 / 3e8, max_step=1e-11, stop_digits=7), ".tran 1e-12 3.333333e-09 0 1e-11"),
        (Dc(source="Vin", start=1.1, stop=0, step=-1.1 / 3), ".dc Vin 1.1 0 -0.366666667"),
        (Op(), ".op"),
    ],
)
def test_the_card_of_an_analysis(analysis, card):
    assert analysis.card == card


def test_options_change_by_name_and_keep_their_order():
    options = Options.of(method="trap", reltol="1e-3", abstol="1e-10", bypass="1")
    assert (
        options.changed(reltol="1e-4", gmin="1e-15").text == "method=trap reltol=1e-4 abstol=1e-10 bypass=1 gmin=1e-15"
    )
    assert options.tightened(10).text == "method=trap reltol=0.0001 abstol=1e-11"
    assert options["reltol"] == "1e-3"


def test_the_text_follows_the_parts():
    deck = DrawnDeck(**PARTS)
    assert deck.text == (
        "* a divider\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.options temp=27 tnom=27 reltol=1e-4 bypass=1\n"
        ".save v(a)\n.save v(b)\n.tran 1e-12 1e-09 0 2e-11\n.end\n"
    )
    assert (deck.title, deck.vectors, deck.stop_time) == ("a divider", ("v(a)", "v(b)"), 1e-9)
    other = replace(deck, layout=Layout.SAVES_FIRST, saves_per_line=20, initial=(("b", 0.5),), notes=("half",))
    assert other.text == (
        "* a divider\n* half\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n\n.ic v(b)=0.5\n.save v(a) v(b)\n.temp 27\n"
        ".options reltol=1e-4 bypass=1\n.tran 1e-12 1e-09 0 2e-11\n.end\n"
    )
    static = replace(deck, analysis=Op(), initial=(("b", 0.5),))
    assert static.stop_time is None and "\n.nodeset v(b)=0.5\n" in static.text and "\n.op\n.end\n" in static.text


def test_a_retry_is_a_card_that_wins_and_an_audit_changes_the_options():
    deck = DrawnDeck(**PARTS)
    retried = deck.retried(Options.of(method="gear"), 0.5)
    assert retried.text.endswith(".tran 1e-12 1e-09 0 1e-11\n.options method=gear\n.end\n")
    audit = deck.tightened(10)
    assert audit.timeout == 10 * deck.timeout and ".options temp=27 tnom=27 reltol=1e-05\n" in audit.text
    assert audit.analysis.max_step == 1e-11


def test_a_deck_by_hand_takes_retries_but_no_audit():
    deck = Deck(text="* by hand\nR1 a 0 1\n.op\n.end\n")
    assert deck.retried(Options.of(itl1="9"), 0.5).text == "* by hand\nR1 a 0 1\n.op\n.options itl1=9\n.end\n"
    with pytest.raises(NetlistError, match="'by hand' was written by hand"):
        deck.tightened(10)


@pytest.mark.parametrize(
    "change",
    [
        {"circuit": "* x\n.control\nshell true\n.endc"},
        {"models": ".include /etc/passwd\n"},
        {"notes": ("fine\n*# shell true",)},
        {"notes": ("fine\n.system true",)},
        {"outputs": (".control",)},
        {"options": Options.of(reltol="1e-4\n.shell true")},
        {"overrides": Options.of(reltol="1e-4\n.shell true")},
        {"saves": ("v(a)\n.control",)},
        {"initial": (("b)=1\n.control\n*", 0.5),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_no_part_of_a_deck_passes_the_guard(change):
    with pytest.raises(NetlistError, match="the deck is refused"):
        replace(DrawnDeck(**PARTS), **change)
