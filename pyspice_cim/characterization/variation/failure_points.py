"""The most probable failures of a margin: in each region of failure, the point of g = spec nearest to the origin.

A point z* is found by the iteration of Hasofer and Lind, Rackwitz and Fiessler (Computers & Structures 9, 1978):

    z <- (grad g . z - g) grad g / |grad g|^2

with forward differences, all copies of a step in packed decks. A margin may have several regions (the two lobes of a
butterfly, two accesses that are late). They are told from each other by what the found ones do not explain:

    unexplained:  g(z) < min over k of [g(z*_k) + grad g(z*_k) . (z - z*_k)] - |grad g(z*_k)| DEFICIT

An explored sample need not fail to be unexplained: wherever another limit is the nearer one, the margin is smaller than
the tangents of those found say. The sample that is least explained begins the next search (not the one of the smallest
margin, which is as a rule one more failure of the steepest region), until nothing is unexplained or ``_FRUITLESS``
searches in a row have found nothing new (the margin is curved then).

What cannot be found this way is a region that leaves no trace in any explored sample: a cliff in a margin that is
otherwise flat, beyond what ``_EXPLORED`` samples of ``_WIDE`` sigma reach.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation

Margin = Callable[[Array], Generator[list[Simulation], list[Outcome], Array]]
"""From z [sample, dimension] to the margins [sample], in any unit; NaN where a simulation failed."""

# Samples of the exploration, in mirrored pairs, and their sigma.
_EXPLORED, _WIDE = 96, 2.5
# Step of a forward difference, sigmas; iterations; change of z, sigmas, that ends them.
_DIFFERENCE, _ITERATIONS, _CONVERGED = 0.1, 10, 0.05
# Longest step: sigmas, and part of the distance from the origin.
_STRIDE, _STRIDE_PART = 3.0, 0.5
# Two points closer than this, sigmas, are of one region; regions count up to this distance beyond the nearest.
_APART, _FURTHER = 1.0, 2.0
# Sigmas by which a margin is smaller than the tangents say before it is unexplained.
_DEFICIT = 0.5
# Searches in a row without a new region that end the search; all searches for one limit.
_FRUITLESS, _SEARCHES = 3, 12


@dataclass
class Counted:
    """A margin, and how often it was evaluated."""

    margin: Margin
    simulated: int = 0

    def __call__(self, rows: Array) -> Generator[list[Simulation], list[Outcome], Array]:
        self.simulated += len(rows)
        values = yield from self.margin(rows)
        return np.asarray(values)


@dataclass(frozen=True)
class Tangent:
    """A point of g = spec, and the margin's value above spec and slope there."""

    point: Array
    value: float
    slope: Array

    def deficit(self, rows: Array, values: Array) -> Array:
        """By how much ``values`` (above spec) of ``rows`` are smaller than this tangent says, sigmas."""
        expected = self.value + (rows - self.point) @ self.slope
        return np.asarray((expected - values) / np.linalg.norm(self.slope))


def explore(margin: Counted, dimensions: int, seed: int) -> Generator[list[Simulation], list[Outcome], "Explored"]:
    """Wide samples in mirrored pairs, so that no half-space is left out."""
    half = _WIDE * np.random.default_rng([seed, 2**31]).standard_normal((_EXPLORED // 2, dimensions))
    rows = np.concatenate([half, -half])
    values = yield from margin(rows)
    return Explored(rows=rows, values=np.where(np.isnan(values), np.inf, values))


@dataclass(frozen=True, kw_only=True)
class Explored:
    """Samples [sample, dimension] and their margins, infinite where a simulation failed."""

    rows: Array
    values: Array

    def unexplained(self, tangents: Sequence[Tangent], spec: float, tried: NDArray[np.bool_]) -> int | None:
        """The sample that tangents explain least and no search has begun from; without tangents the worst one."""
        above = self.values - spec
        left = np.min([each.deficit(self.rows, above) for each in tangents], axis=0) if tangents else -above
        left = np.where(tried | ~np.isfinite(above), -np.inf, left)
        least = int(left.argmax())
        return least if left[least] > (_DEFICIT if tangents else -np.inf) else None


def failure_points(
    margin: Counted, explored: Explored, spec: float, *, hints: Array, mirror: Sequence[int] | None = None
) -> Generator[list[Simulation], list[Outcome], Array]:
    """The most probable failures, [point, dimension]: the nearest one, and those of other regions not much farther.

    Args:
        hints: points to begin at beside the explored ones, as those of a limit close by; may be empty.
        mirror: the order of the variables of the mirrored circuit, if it has one: each point is tried mirrored, too.
    """
    found: list[Tangent] = []
    tried = np.zeros(len(explored.rows), dtype=bool)
    waiting = list(hints)
    fruitless = 0
    for _ in range(_SEARCHES):
        if not waiting:
            place = explored.unexplained(found, spec, tried) if fruitless < _FRUITLESS else None
            if place is None:
                break
            tried[place] = True
            waiting.append(explored.rows[place])
        start = waiting.pop(0)
        tangent = yield from _search(margin, start, spec, [each.point for each in found])
        fruitless += 1
        if tangent is None or not _apart(tangent.point, found):
            continue
        found.append(tangent)
        fruitless = 0
        if mirror is not None and _apart(mirrored := tangent.point[list(mirror)], found):
            waiting.insert(0, mirrored)
    points = sorted((each.point for each in found), key=lambda point: float(np.linalg.norm(point)))
    kept = [point for point in points if np.linalg.norm(point) < np.linalg.norm(points[0]) + _FURTHER]
    return np.array(kept).reshape(-1, explored.rows.shape[1])


def _apart(point: Array, found: Sequence[Tangent]) -> bool:
    return all(np.linalg.norm(point - each.point) > _APART for each in found)


def _search(
    margin: Counted, start: Array, spec: float, known: Sequence[Array]
) -> Generator[list[Simulation], list[Outcome], Tangent | None]:
    """The point of g = spec nearest to the origin, from ``start``; None where there is none, or only a ``known`` one."""
    dimensions = len(start)
    steps = np.concatenate([np.zeros((1, dimensions)), _DIFFERENCE * np.eye(dimensions)])
    point, last = np.array(start), None
    for _ in range(_ITERATIONS):
        row = (yield from margin(point + steps)) - spec
        slope = (row[1:] - row[0]) / _DIFFERENCE
        steepness = float(slope @ slope)
        if not (np.isfinite(steepness) and steepness > 0.0):
            # Where all fails alike, as a read that never comes, no direction is better: back towards the origin.
            point, last = point / 2.0, None
            continue
        target = (slope @ point - row[0]) * slope / steepness
        if any(np.linalg.norm(target - other) < _APART / 2 for other in known):
            return None
        change = target - point
        length = float(np.linalg.norm(change))
        longest = max(_STRIDE, _STRIDE_PART * float(np.linalg.norm(point)))
        moved = change * min(1.0, longest / max(length, 1e-12))
        point = point + moved
        last = Tangent(point, float(row[0] + slope @ moved), slope)
        if length < _CONVERGED:
            break
    # A search that still wanders within a sigma is near enough to sample around; the weights are exact in any case.
    return last
