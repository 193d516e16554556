"""Packs: one bad copy is found by bisection and the others keep their values; only a copy that stands alone is retried."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.characterization.engine.packing import Copy, in_packs
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, SimResult
from pyspice_cim.characterization.spice.retries import RETRIES
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation, execute, reducer_name
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.characterization.variation.static import write_margin_fixture
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.technology import Corner, load_technology


@dataclass
class Squares:
    """A deck lists its copies; those in ``bad`` fail it, unless it has the options of ``mended``."""

    bad: frozenset[int]
    mended: str = "no option"
    version: str = "squares-1"
    decks: list[str] = field(default_factory=list)

    def run(self, decks: Sequence[Deck]) -> list[SimResult]:
        self.decks += [deck.text for deck in decks]
        return [self._one(deck.text) for deck in decks]

    def _one(self, text: str) -> SimResult:
        copies = [int(word) for word in text.splitlines()[0].split()]
        if self.bad & set(copies) and self.mended not in text:
            return SimResult(failure=Failure(Status.NOT_CONVERGED, "singular"), cpu_seconds=1.0)
        return SimResult(vectors={"y": np.array(copies, float) ** 2}, cpu_seconds=1.0)


def squares(vectors):
    return {"square": vectors["y"]}


def build(indices: Sequence[int]) -> Simulation:
    text = " ".join(str(index) for index in indices)
    return Simulation(deck=Deck(text=f"{text}\n.end\n"), reducer=reducer_name(squares))


def packed(simulator: Squares, count: int, size: int) -> list[Copy]:
    return run(in_packs(build, range(count), size=size), simulator)


def run(packs, simulator) -> list[Copy]:
    answer: list[Outcome] | None = None
    while True:
        try:
            wanted = next(packs) if answer is None else packs.send(answer)
        except StopIteration as stop:
            return stop.value
        answer = [execute(simulation, simulator) for simulation in wanted]


@given(count=st.integers(1, 70), size=st.integers(1, 40), bad=st.frozensets(st.integers(0, 69), max_size=4))
def test_only_the_bad_copies_fail_and_only_they_are_retried(count: int, size: int, bad: frozenset[int]) -> None:
    simulator = Squares(bad)
    copies = packed(simulator, count, size)
    assert [copy.ok for copy in copies] == [index not in bad for index in range(count)]
    assert all(copy.values["square"] == index**2 for index, copy in enumerate(copies) if copy.ok)
    assert all("not converged" in copy.reason for copy in copies if not copy.ok)
    retried = [text for text in simulator.decks if ".options" in text]
    assert {len(text.splitlines()[0].split()) for text in retried} <= {1}
    assert len(retried) == len(RETRIES) * sum(index < count for index in bad)
    # A bad copy costs two decks a halving, no more.
    halvings = int(np.ceil(np.log2(size)))
    first = -(-count // size)
    assert len(simulator.decks) - len(retried) <= first + 2 * halvings * max(len(bad), 1)


def test_a_copy_that_a_retry_mends_says_which() -> None:
    retry = RETRIES[2]
    copies = packed(Squares(frozenset({5}), mended=retry.options.text), 16, 8)
    assert [copy.retry for copy in copies] == [retry.name if index == 5 else "" for index in range(16)]
    assert all(copy.ok for copy in copies)


def test_a_pack_is_cut_by_index() -> None:
    simulator = Squares(frozenset())
    packed(simulator, 10, 4)
    assert [text.splitlines()[0] for text in simulator.decks] == ["0 1 2 3", "4 5 6 7", "8 9"]


@pytest.mark.parametrize("fault", ["malformed", "no solution"])
def test_ngspice_isolates_one_bad_copy(fault: str) -> None:
    technology = load_technology("generic45lp")
    fixture = write_margin_fixture(technology, Corner(vdd=1.1), points=21)
    shifts = np.zeros((8, len(fixture.transistors)))
    shifts[:, 0] = 0.01 * np.arange(8)
    bad = {
        "malformed": "M_bad 1 2 0 0 no_such_model w=1u l=1u\n",
        # Two ideal sources that disagree.
        "no solution": "V_one bad 0 1\nV_two bad 0 2\n",
    }[fault]

    def with_fault(indices: Sequence[int]) -> Simulation:
        simulation = fixture.build(shifts[list(indices)])
        if 5 not in indices:
            return simulation
        text = simulation.deck.text.replace(".dc", f"{bad}.dc")
        return Simulation(
            deck=Deck(text=text, vectors=simulation.deck.vectors, timeout=60),
            reducer=simulation.reducer,
            arguments=simulation.arguments,
        )

    simulator = NgspiceSimulator()
    copies = run(in_packs(with_fault, range(8), size=8), simulator)
    assert [copy.ok for copy in copies] == [index != 5 for index in range(8)]
    healthy = run(in_packs(lambda indices: fixture.build(shifts[list(indices)]), range(8), size=8), simulator)
    for index, (copy, whole) in enumerate(zip(copies, healthy, strict=True)):
        if index != 5:
            # DC solutions are independent of each other up to the tolerance of Newton's iteration.
            assert copy.values["write_margin"] == pytest.approx(whole.values["write_margin"], abs=1e-4)
