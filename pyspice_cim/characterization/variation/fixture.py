"""What all decks of many sampled copies have in common: the fixture, its circuit, its arrays.

A *fixture* is a small circuit around a cell, drawn flat once (``netlists.flat``). Its deck holds a copy for every row of an
array of threshold shifts, each copy with a supply of its own, all driven by the same lines; its reducer returns arrays
over the copies. ``engine.packing.in_packs`` cuts samples into decks, ``population.py`` draws the shifts.
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
from pyspice_cim.netlists.flat import FlatCell, Transistor


@dataclass(frozen=True, kw_only=True)
class Fixture:
    """A deck of sampled copies, and how to make it.

    Attributes:
        transistors: those that have a shift, in the order of its columns.
        build: from shifts [copy, transistor] in V to the simulation; its reducer returns one value a copy under each
            of ``values``.
        values: what the reducer returns, by name.
    """

    transistors: tuple[Transistor, ...]
    build: Callable[[Array], Simulation]
    values: tuple[str, ...]

    @property
    def nominal(self) -> Simulation:
        """The simulation of one copy without shifts."""
        return self.build(np.zeros((1, len(self.transistors))))


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """What a fixture gave: arrays over the copies, NaN where a copy failed, with the reason of each."""

    values: dict[str, Array]
    reasons: tuple[str, ...]
    decks: tuple[str, ...]

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Copies whose simulation failed."""
        return np.array([bool(reason) for reason in self.reasons])


def sampled(
    fixture: Fixture, shifts: Array, *, pack: int = PACK
) -> Generator[list[Simulation], list[Outcome], Sampled]:
    """Run ``fixture`` on ``shifts`` [copy, transistor]; a bench uses it by ``yield from``.

    Copies of a deck share its time steps: a copy's last digits depend on its pack, and packs are cut by index.
    """

    def build(indices: Sequence[int]) -> Simulation:
        return fixture.build(shifts[list(indices)])

    copies: list[Copy] = yield from in_packs(build, range(len(shifts)), size=pack)
    nan = np.float64("nan")
    return Sampled(
        values={name: np.array([copy.values.get(name, nan) for copy in copies], float) for name in fixture.values},
        reasons=tuple(copy.reason for copy in copies),
        decks=tuple(dict.fromkeys(copy.deck_sha256 for copy in copies)),
    )


def place_copies(bench: BenchCircuit, cells: Sequence[FlatCell], shifts: Array, supply: str = "vdd") -> None:
    """Put a copy of ``cells`` for every row of ``shifts`` into ``bench``, each with a supply of its own.

    Args:
        shifts: V, [copy, transistor]; the transistors of ``cells`` one after the other.
        supply: the node is ``<supply><copy>``, its source ``V<supply><copy>``.
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
    """Vector ``name`` of every copy, e.g. ``v(q{})``: [point, copy]."""
    return np.stack([vectors[name.format(copy)] for copy in range(copies)], axis=1)


def at_time(time: Array, waves: Array, moment: float) -> Array:
    """``waves`` [point, copy] at ``moment``, linearly interpolated."""
    after = int(np.clip(np.searchsorted(time, moment), 1, time.size - 1))
    part = (moment - time[after - 1]) / (time[after] - time[after - 1])
    return np.asarray(waves[after - 1] + part * (waves[after] - waves[after - 1]))
