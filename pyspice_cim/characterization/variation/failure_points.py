"""Minimum-norm failure points: in each failure region of a margin, the point of the limit g = 0 nearest to the origin.

g is the margin less its specification. z holds standard normal variables, so the nearest point is the most probable
failure (L. Dolecek, M. Qazi, D. Shah, A. Chandrakasan, ICCAD 2008). The search for a point z* is the HLRF iteration (A.
M. Hasofer, N. C. Lind, J. Eng. Mech. Div. ASCE 100, 1974; R. Rackwitz, B. Fiessler, Computers & Structures 9, 1978):

    z <- (grad g . z - g) grad g / |grad g|^2

The gradient comes from forward differences. The longest step is ``_STRIDE`` sigma, or ``_STRIDE_PART`` of |z| if this is
more.

A margin may have several failure regions: the two lobes of a butterfly, a late read and a late write. Wherever a region
that is not found yet is the nearest one, the margin is below the tangents of all points z*_k that are found. So a
sample z of the exploration is unexplained if, for every k,

    g(z) < g(z*_k) + grad g(z*_k) . (z - z*_k) - D |grad g(z*_k)|        D = ``_DEFICIT`` sigma

An unexplained sample need not fail. The least explained sample starts the next search. (The sample with the smallest
margin would be a bad start: as a rule it belongs to the steepest region again.) The search ends when every sample is
explained, or after ``_SEARCHES`` searches. It ends as well after ``_FRUITLESS`` searches in a row without a new point:
then the margin is curved.

A region that no sample of the exploration shows is not found. An example is a cliff in a flat margin, beyond the reach
of ``_EXPLORED`` samples with a standard deviation of ``_WIDE``.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation

Margin = Callable[[Array], Generator[list[Simulation], list[Outcome], Array]]
"""Generator function from z, shape (samples, dimensions), to margins, shape (samples,), in any unit; NaN: no value."""

# Samples of the exploration, in mirrored pairs, and their standard deviation.
_EXPLORED, _WIDE = 96, 2.5
# Step of a forward difference, in sigma; most iterations; change of z that ends the iterations, in sigma.
_DIFFERENCE, _ITERATIONS, _CONVERGED = 0.1, 10, 0.05
# Longest step of an iteration: in sigma, and as a part of the distance from the origin; the larger one counts.
_STRIDE, _STRIDE_PART = 3.0, 0.5
# In sigma: points closer than this belong to one region; points this much farther than the nearest one are left out.
_APART, _FURTHER = 1.0, 2.0
# How far a margin may lie below every tangent and still be explained, in sigma.
_DEFICIT = 0.5
# Most searches in a row without a new region; most searches for one specification.
_FRUITLESS, _SEARCHES = 3, 12


@dataclass
class CountedMargin:
    """A margin that counts its evaluations.

    Attributes:
        margin: the margin.
        simulated: number of samples that were evaluated.
    """

    margin: Margin
    simulated: int = 0

    def __call__(self, rows: Array) -> Generator[list[Simulation], list[Outcome], Array]:
        self.simulated += len(rows)
        values = yield from self.margin(rows)
        return np.asarray(values)


@dataclass(frozen=True)
class Tangent:
    """The tangent of a margin at a failure point.

    Attributes:
        point: where the tangent touches, shape (dimensions,), in sigma.
        value: margin less specification at the point.
        slope: gradient of the margin at the point, shape (dimensions,), in the unit of the margin per sigma.
    """

    point: Array
    value: float
    slope: Array

    def deficit(self, rows: Array, values: Array) -> Array:
        """Return how far margins lie below this tangent, shape (samples,), in sigma.

        Args:
            rows: samples z, shape (samples, dimensions).
            values: margins of the samples less the specification, shape (samples,).
        """
        expected = self.value + (rows - self.point) @ self.slope
        return np.asarray((expected - values) / np.linalg.norm(self.slope))


def explore(
    margin: CountedMargin, dimensions: int, seed: int
) -> Generator[list[Simulation], list[Outcome], "Explored"]:
    """Return wide samples and their margins; the samples are pairs z and -z, so that no half-space is left out.

    Args:
        margin: the margin.
        dimensions: variables of a sample.
        seed: of the samples.
    """
    half = _WIDE * np.random.default_rng([seed, 2**31]).standard_normal((_EXPLORED // 2, dimensions))
    rows = np.concatenate([half, -half])
    values = yield from margin(rows)
    return Explored(rows=rows, values=np.where(np.isnan(values), np.inf, values))


@dataclass(frozen=True, kw_only=True)
class Explored:
    """The samples of the exploration.

    Attributes:
        rows: samples z, shape (samples, dimensions).
        values: their margins, shape (samples,); infinite for a simulation that failed, so that no search starts there.
    """

    rows: Array
    values: Array

    def unexplained(self, tangents: Sequence[Tangent], spec: float, tried: NDArray[np.bool_]) -> int | None:
        """Return the index of the least explained sample, or None if every sample is explained.

        Without tangents, this is the sample with the smallest margin.

        Args:
            tangents: at the failure points that are found.
            spec: smallest margin that passes.
            tried: samples that a search has started from, shape (samples,); these are left out.
        """
        above = self.values - spec
        left = np.min([each.deficit(self.rows, above) for each in tangents], axis=0) if tangents else -above
        left = np.where(tried | ~np.isfinite(above), -np.inf, left)
        least = int(left.argmax())
        return least if left[least] > (_DEFICIT if tangents else -np.inf) else None


def failure_points(
    margin: CountedMargin, explored: Explored, spec: float, *, hints: Array, mirror: Sequence[int] | None = None
) -> Generator[list[Simulation], list[Outcome], Array]:
    """Return the minimum-norm failure points, nearest first, shape (points, dimensions), in sigma.

    Points more than ``_FURTHER`` sigma beyond the nearest one are left out.

    Args:
        margin: the margin.
        explored: samples of ``explore``.
        spec: smallest margin that passes, in the unit of the margin.
        hints: points from which the first searches start, shape (any, dimensions): failure points of a similar
            specification.
        mirror: order of the variables in the mirrored circuit, if it is the same circuit. A search then starts from the
            mirror image of each point, too.
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
    margin: CountedMargin, start: Array, spec: float, known: Sequence[Array]
) -> Generator[list[Simulation], list[Outcome], Tangent | None]:
    """Return the tangent at the failure point that the HLRF iteration reaches from ``start``.

    None: the iteration finds no gradient, or leads to a ``known`` point.
    """
    dimensions = len(start)
    steps = np.concatenate([np.zeros((1, dimensions)), _DIFFERENCE * np.eye(dimensions)])
    point, last = np.array(start), None
    for _ in range(_ITERATIONS):
        row = (yield from margin(point + steps)) - spec
        slope = (row[1:] - row[0]) / _DIFFERENCE
        steepness = float(slope @ slope)
        if not (np.isfinite(steepness) and steepness > 0.0):
            # No gradient, for example where no read completes: back towards the origin.
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
    # A point that has not converged still serves to sample around: the importance weights are exact for any point.
    return last
