"""What is tried on a deck that did not converge, rung by rung, and the tighter tolerances of an audit.

Options of a rung are cards of their own behind the deck's: ngspice takes the last value of an option. A rung that is
climbed is part of the outcome, so a table says which of its numbers needed one.
"""

import re
from dataclasses import dataclass, replace

from pyspice_cim.netlists.deck import Deck

# The longest step may carry a scale letter (20p), which is kept.
_TRAN = re.compile(r"^(\.tran +\S+ +\S+ +\S+ +)([0-9.]+(?:e[-+]?[0-9]+)?)", re.MULTILINE)
_TOLERANCE = re.compile(r"\b(reltol|chgtol|vntol|abstol)=(\S+)")
_BYPASS = re.compile(r" *\bbypass=1\b")
_END = ".end\n"


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One more try: options that are added, and the factor on a transient's longest time step."""

    name: str
    options: str
    step: float = 1.0

    def apply(self, deck: Deck) -> Deck:
        """``deck`` on this rung."""
        return _edited(deck, self.options, self.step)


# Each rung stands alone. The first two hardly move a number; gear damps and under-reports energies by about 2 %. A gmin or
# shunt of 1e-15 S draws femtoamperes: little beside the leakage of a cell, but for the coldest corners (8T cell of
# sky130 at -40 C: gmin adds 0.8 % at 1.8 V and a third at 1.28 V, the shunt 3 % and 1.3 times).
LADDER = (
    Rung(name="tolerance", options="reltol=1e-3 bypass=0 itl1=1000 itl4=100"),
    Rung(name="step", options="bypass=0 itl4=100", step=0.25),
    Rung(name="method", options="method=gear bypass=0 itl1=1000 itl4=200", step=0.5),
    Rung(name="gmin", options="gmin=1e-15 gminsteps=50 srcsteps=50 itl1=2000 itl2=500 itl4=200 bypass=0", step=0.5),
    Rung(name="shunt", options="rshunt=1e15 gmin=1e-15 method=gear itl1=2000 itl4=200 bypass=0", step=0.5),
)

# An audit divides each tolerance by this, halves the longest step and evaluates every transistor.
AUDIT_FACTOR = 10.0


def tightened(deck: Deck) -> Deck:
    """``deck`` with every tolerance that it states divided by ``AUDIT_FACTOR``, half the step, and no bypass."""
    text = _TOLERANCE.sub(lambda found: f"{found[1]}={float(found[2]) / AUDIT_FACTOR:g}", _BYPASS.sub("", deck.text))
    return _edited(replace(deck, text=text, timeout=AUDIT_FACTOR * deck.timeout), "", 0.5)


def _edited(deck: Deck, options: str, step: float) -> Deck:
    text = _TRAN.sub(lambda found: f"{found[1]}{float(found[2]) * step:.6g}", deck.text)
    if options:
        text = f"{text.removesuffix(_END)}.options {options}\n{_END}"
    return replace(deck, text=text)
