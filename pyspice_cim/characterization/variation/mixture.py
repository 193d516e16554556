"""The mixture from which importance samples are drawn: one normal component per failure point, and one at the origin.

    h(z) = sum over k of p_k N(a_k; c_k, 1) N(z - a_k u_k; 0, s_k^2)        a_k = z . u_k

    u_k    unit vector from the origin to failure point k
    c_k    distance of the component along u_k, in sigma
    s_k    standard deviation in the n - 1 directions across u_k, in sigma
    p_k    weight of the component

The first component lies at the origin (c = 0, s = 1, p = ``_DEFENSIVE``). So phi / h is at most 1 / ``_DEFENSIVE``
(defensive mixture; T. Hesterberg, Technometrics 37, 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from pyspice_cim.characterization.spice.measure import Array

# Weight of the component at the origin.
_DEFENSIVE = 0.05
# Limits of a fitted standard deviation: values outside come from too few samples.
_SPREADS = (0.8, 1.6)
# Least effective number of failing samples for the fit of a component.
_LEAST_FITTED = 8.0


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A mixture of normal densities.

    Attributes:
        axes: unit vectors u, shape (components, dimensions).
        distances: c, shape (components,), in sigma.
        spreads: s, shape (components,), in sigma.
        weights: p, shape (components,); their sum is 1.
    """

    axes: Array
    distances: Array
    spreads: Array
    weights: Array

    @classmethod
    def around(cls, points: Array) -> "Mixture":
        """Return the mixture of unit normals around ``points``, with equal weights, and one at the origin.

        Args:
            points: failure points, shape (points, dimensions), in sigma.
        """
        distances = np.concatenate([[0.0], np.linalg.norm(points, axis=1)])
        first = np.eye(1, points.shape[1])
        axes = np.concatenate([first, points / np.maximum(distances[1:, None], 1e-12)])
        weights = np.array([_DEFENSIVE, *np.full(len(points), (1 - _DEFENSIVE) / len(points))])
        return cls(axes=axes, distances=distances, spreads=np.ones(len(distances)), weights=weights)

    def draw(self, seed: int, index: int) -> Array:
        """Return one sample z, shape (dimensions,).

        Args:
            seed, index: seed of the generator; each index gives an independent sample.
        """
        rng = np.random.default_rng([seed, index])
        k = rng.choice(len(self.weights), p=self.weights)
        z = self.spreads[k] * rng.standard_normal(self.axes.shape[1])
        return np.asarray(z + self.axes[k] * (self.distances[k] + (z @ self.axes[k]) * (1 / self.spreads[k] - 1)))

    def log_density(self, rows: Array) -> Array:
        """Return ln h + (n / 2) ln(2 pi), shape (samples,).

        Args:
            rows: samples z, shape (samples, n).
        """
        return np.asarray(logsumexp(self._log_parts(rows), b=self.weights, axis=1))

    def fitted(self, rows: Array, hits: Sequence[Array]) -> "Mixture":
        """Return the mixture with ``distances`` and ``spreads`` fitted to failing samples.

        A failing sample counts for its most likely component. A component with too few failing samples stays as it is.

        Args:
            rows: samples z, shape (samples, dimensions).
            hits: for each specification, the weights phi / h of the samples that fail it and 0 for the others, shape
                (samples,).
        """
        nearest = self._log_parts(rows)[:, 1:].argmax(axis=1) + 1
        along, across = self._coordinates(rows)
        distances, spreads = self.distances.copy(), self.spreads.copy()
        # The failure probabilities of the specifications differ by decades; each specification counts the same.
        shares = np.sum([each / each.sum() for each in hits if each.any()] or [np.zeros(len(rows))], axis=0)
        for k in range(1, len(self.weights)):
            share = np.where(nearest == k, shares, 0.0)
            if share.any() and share.sum() ** 2 / (share**2).sum() >= _LEAST_FITTED:
                distances[k] = np.average(along[:, k], weights=share)
                variance = np.average(across[:, k], weights=share) / max(rows.shape[1] - 1, 1)
                spreads[k] = np.clip(np.sqrt(variance), *_SPREADS) if rows.shape[1] > 1 else 1.0
        return Mixture(axes=self.axes, distances=distances, spreads=spreads, weights=self.weights)

    def _coordinates(self, rows: Array) -> tuple[Array, Array]:
        """Return coordinates along the axes and squared distances from the axes, each (samples, components)."""
        along = rows @ self.axes.T
        return along, np.maximum((rows**2).sum(axis=1)[:, None] - along**2, 0.0)

    def _log_parts(self, rows: Array) -> Array:
        along, across = self._coordinates(rows)
        exponent = -0.5 * ((along - self.distances) ** 2 + across / self.spreads**2)
        return np.asarray(exponent - (rows.shape[1] - 1) * np.log(self.spreads))
