"""Many independent copies in one deck: samples of a Monte Carlo run, each with its own supplies.

A process for each sample would spend most of its time on starting ngspice and reading models. The copies of a deck share
its time steps, so the members of a pack are part of the result. Packs are therefore cut by sample index, never by the number
of workers. One bad copy can fail a pack. Then the pack is bisected until the copy stands alone, and that one is retried.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from pyspice_cim.characterization.spice.simulation import Outcome, Simulation, Values
from pyspice_cim.characterization.spice.status import Failure

# Copies in a deck. More copies save no more time, and lose more when one is bad.
PACK = 32


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Result of one copy.

    Attributes:
        values: the pack's arrays at the copy's place; empty after a failure.
        failure: why there are no values.
        deck_sha256: hash of the copy's deck.
        retry: name of the convergence retry that the deck needed, ``""`` for none.
    """

    values: Values
    failure: Failure | None
    deck_sha256: str
    retry: str = ""

    @property
    def ok(self) -> bool:
        """Whether there are values."""
        return self.failure is None

    @property
    def reason(self) -> str:
        """Text of the failure; ``""`` where there is none."""
        return "" if self.failure is None else str(self.failure)


def in_packs(
    build: Callable[[Sequence[int]], Simulation], indices: Sequence[int], *, size: int = PACK
) -> Generator[list[Simulation], list[Outcome], list[Copy]]:
    """Simulate every copy; use it in a bench by ``copies = yield from in_packs(...)``.

    Args:
        build: the simulation of the copies with the given indices; its reducer returns arrays whose first axis runs
            over them. Its ``retry`` is set here.
        indices: all copies, cut into packs of ``size`` in this order.

    Returns:
        One ``Copy`` for each of ``indices``, in their order.
    """
    found: dict[int, Copy] = {}
    packs = [tuple(indices[start : start + size]) for start in range(0, len(indices), size)]
    while packs:
        outcomes = yield [replace(build(pack), retry=len(pack) == 1) for pack in packs]
        halves = []
        for pack, outcome in zip(packs, outcomes, strict=True):
            if outcome.ok or len(pack) == 1:
                found |= {index: _copy(outcome, place) for place, index in enumerate(pack)}
            else:
                middle = len(pack) // 2
                halves += [pack[:middle], pack[middle:]]
        packs = halves
    return [found[index] for index in indices]


def _copy(outcome: Outcome, place: int) -> Copy:
    return Copy(
        values={name: value[place] for name, value in outcome.values.items()},
        failure=outcome.failure,
        deck_sha256=outcome.deck_sha256,
        retry=outcome.retry,
    )
