"""Decks of many sampled copies: the fixture, its circuit and its arrays.

A *fixture* is a small circuit around a cell, drawn flat once (``netlists.flat``). A *copy* is this circuit with the
threshold shifts of one sample. All copies of a deck share the control lines; each copy has its own supply. The reducer
returns arrays over the copies.

``engine.packing.in_packs`` distributes the copies over decks. ``population.py`` draws the shifts.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.benches.testbench import BenchCircuit
from pyspice_cim.characterization.engine.packing import PACK, Copy, in_packs
from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.netlists.flat import FlatCell, Transistor

_NOT_A_NUMBER = Failure(Status.REJECTED, "a result is not a number")


@dataclass(frozen=True, kw_only=True)
class Fixture:
    """A circuit to simulate in many copies.

    Attributes:
        transistors: the transistors that have a threshold shift, in the order of the columns of the shifts.
        build: function from shifts, shape (copies, transistors), in volts, to the simulation of these copies.
        values: names of the results. Under each name, the reducer returns an array of shape (copies,).
    """

    transistors: tuple[Transistor, ...]
    build: Callable[[Array], Simulation]
    values: tuple[str, ...]

    @property
    def nominal(self) -> Simulation:
        """The simulation of one copy without threshold shifts."""
        return self.build(np.zeros((1, len(self.transistors))))


@dataclass(frozen=True, kw_only=True)
class CopyResults:
    """Results of a fixture.

    Attributes:
        values: by name, shape (copies,); NaN for a copy without a value.
        reasons: one per copy: why it has no value, empty for a good copy.
        decks: SHA-256 of the decks that were simulated.
    """

    values: dict[str, Array]
    reasons: tuple[str, ...]
    decks: tuple[str, ...]

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Whether a copy has no value, shape (copies,)."""
        return np.array([bool(reason) for reason in self.reasons])


def run_copies(
    fixture: Fixture, shifts: Array, *, pack: int = PACK
) -> Generator[list[Simulation], list[Outcome], CopyResults]:
    """Simulate a copy of ``fixture`` for every row of ``shifts``; a bench calls it by ``yield from``.

    Copies of one deck share its time steps, so the last digits of a result depend on the other copies of the deck.
    Decks hold consecutive copies, whatever the number of workers is.

    Args:
        fixture: the circuit.
        shifts: threshold shifts, shape (copies, transistors), in volts.
        pack: copies per deck.

    Returns:
        The results, in the order of ``shifts``. A copy with a result that is not a number has a reason as well.
    """

    def build(indices: Sequence[int]) -> Simulation:
        return fixture.build(shifts[list(indices)])

    copies: list[Copy] = yield from in_packs(build, range(len(shifts)), size=pack)
    nan = np.float64("nan")
    values = {name: np.array([copy.values.get(name, nan) for copy in copies], float) for name in fixture.values}
    missing = np.asarray(np.isnan(list(values.values())).any(axis=0))
    return CopyResults(
        values=values,
        # Without a reason, a NaN is counted as a good copy by every comparison with a limit.
        reasons=tuple(
            copy.reason or (str(_NOT_A_NUMBER) if lost else "") for copy, lost in zip(copies, missing, strict=True)
        ),
        decks=tuple(dict.fromkeys(copy.deck_sha256 for copy in copies)),
    )


def place_copies(bench: BenchCircuit, cells: Sequence[FlatCell], shifts: Array, supply: str = "vdd") -> None:
    """Add a copy of ``cells`` with its own supply to ``bench`` for every row of ``shifts``.

    Args:
        bench: the circuit that gets the copies.
        cells: the cells of one copy.
        shifts: threshold shifts, shape (copies, transistors), in volts. The columns are the transistors of the first
            cell, then the transistors of the next cell.
        supply: name of the supply. Copy k has the node ``<supply>k`` and the source ``V<supply>k``.
    """
    text = []
    for copy, row in enumerate(np.asarray(shifts).tolist()):
        node, first = f"{supply}{copy}", 0
        text.append(f"V{node} {node} 0 {bench.corner.vdd:.9g}\n")
        for cell in cells:
            last = first + len(cell.transistors)
            text.append(cell.copy(str(copy), row[first:last]))
            first = last
        bench.supplies.append(f"v{node}")
    bench.circuit.raw_spice += "".join(text)


def traces(vectors: Vectors, name: str, copies: int) -> Array:
    """Return one vector of every copy, shape (points, copies).

    Args:
        vectors: results of a deck.
        name: name of the vector, with ``{}`` in the place of the copy's number, for example ``v(q{})``.
        copies: number of copies.
    """
    return np.stack([vectors[name.format(copy)] for copy in range(copies)], axis=1)


def at_time(time: Array, waves: Array, moment: float) -> Array:
    """Return the value of every wave at ``moment``, shape (copies,), by linear interpolation.

    Args:
        time: time points, shape (points,), in seconds.
        waves: shape (points, copies), in any unit.
        moment: in seconds; a moment outside ``time`` is extrapolated from the outer two points.
    """
    after = int(np.clip(np.searchsorted(time, moment), 1, time.size - 1))
    part = (moment - time[after - 1]) / (time[after] - time[after - 1])
    return np.asarray(waves[after - 1] + part * (waves[after] - waves[after - 1]))
