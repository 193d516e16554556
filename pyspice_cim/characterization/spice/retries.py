"""Convergence retries: other simulator options for a deck that did not converge, and the tighter tolerances of an audit.

A retry that worked is part of the outcome. So a table says which of its numbers needed one.
"""

from dataclasses import dataclass

from pyspice_cim.netlists.analysis import Options
from pyspice_cim.netlists.deck import Deck


@dataclass(frozen=True, kw_only=True)
class Retry:
    """One convergence retry.

    Attributes:
        name: what a table calls the retry.
        options: simulator options that win against the deck's.
        step: factor on the longest time step of a transient.
    """

    name: str
    options: Options
    step: float = 1.0

    def apply(self, deck: Deck) -> Deck:
        """``deck`` with the retry's options and time step."""
        return deck.retried(self.options, self.step)


# Each retry stands alone. The first two hardly move a number. Gear damps and under-reports energies by about 2 %. A gmin or
# shunt of 1e-15 S draws femtoamperes. That is little beside the leakage of a cell, except at the coldest corners: for the 8T
# cell of sky130 at -40 C, gmin adds 0.8 % at 1.8 V and a third at 1.28 V, and the shunt adds 3 % and 1.3 times.
RETRIES = (
    Retry(name="tolerance", options=Options.of(reltol="1e-3", bypass="0", itl1="1000", itl4="100")),
    Retry(name="step", options=Options.of(bypass="0", itl4="100"), step=0.25),
    Retry(name="method", options=Options.of(method="gear", bypass="0", itl1="1000", itl4="200"), step=0.5),
    Retry(
        name="gmin",
        options=Options.of(
            gmin="1e-15", gminsteps="50", srcsteps="50", itl1="2000", itl2="500", itl4="200", bypass="0"
        ),
        step=0.5,
    ),
    Retry(
        name="shunt",
        options=Options.of(rshunt="1e15", gmin="1e-15", method="gear", itl1="2000", itl4="200", bypass="0"),
        step=0.5,
    ),
)

# An audit divides each tolerance by this, halves the longest step and evaluates every transistor.
AUDIT_FACTOR = 10.0


def tightened(deck: Deck) -> Deck:
    """``deck`` with every tolerance divided by ``AUDIT_FACTOR``, half the longest step, and no bypass.

    Raises:
        NetlistError: for a deck that was written by hand.
    """
    return deck.tightened(AUDIT_FACTOR)
