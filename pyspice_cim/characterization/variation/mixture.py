"""The proposal of importance sampling: normals around failure points, as wide across their axis as failures are.

    h(z) = sum over k of p_k N(a_k - c_k, 1) N(z - a_k u_k; 0, s_k^2)^(n-1)        a_k = z . u_k

u_k unit vector towards point k, c_k distance of the component, s_k its width in the n - 1 directions across, p_k its
weight. The first component lies around the origin with c = 0, s = 1: it keeps phi / h bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from pyspice_cim.characterization.spice.measure import Array

# Weight of the component around the origin.
_DEFENSIVE = 0.05
# Widths that a fit may give: far ones are noise of a few samples.
_SPREADS = (0.8, 1.6)
# Effective number of failing samples of a component before it is fitted.
_LEAST_FITTED = 8.0


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Components by ``axes`` [component, dimension], ``distances``, ``spreads`` and ``weights`` [component]."""

    axes: Array
    distances: Array
    spreads: Array
    weights: Array

    @classmethod
    def around(cls, points: Array) -> "Mixture":
        """Unit normals around ``points`` [point, dimension], alike in weight, and one around the origin."""
        distances = np.concatenate([[0.0], np.linalg.norm(points, axis=1)])
        first = np.eye(1, points.shape[1])
        axes = np.concatenate([first, points / np.maximum(distances[1:, None], 1e-12)])
        weights = np.array([_DEFENSIVE, *np.full(len(points), (1 - _DEFENSIVE) / len(points))])
        return cls(axes=axes, distances=distances, spreads=np.ones(len(distances)), weights=weights)

    def draw(self, seed: int, index: int) -> Array:
        """Sample ``index`` of ``seed``, [dimension]."""
        rng = np.random.default_rng([seed, index])
        k = rng.choice(len(self.weights), p=self.weights)
        z = self.spreads[k] * rng.standard_normal(self.axes.shape[1])
        return np.asarray(z + self.axes[k] * (self.distances[k] + (z @ self.axes[k]) * (1 / self.spreads[k] - 1)))

    def log_density(self, rows: Array) -> Array:
        """ln h of ``rows`` [sample, dimension], but for the constant of a unit normal."""
        return np.asarray(logsumexp(self._log_parts(rows), b=self.weights, axis=1))

    def fitted(self, rows: Array, hits: Sequence[Array]) -> "Mixture":
        """Distances and widths of the failing samples ``rows``, each counted for its most likely component.

        Args:
            hits: for each limit the weights phi / h of the samples that fail it, 0 for the others.
        """
        nearest = self._log_parts(rows)[:, 1:].argmax(axis=1) + 1
        along, across = self._coordinates(rows)
        distances, spreads = self.distances.copy(), self.spreads.copy()
        # The limits have failures of very different probability: each counts alike.
        shares = np.sum([each / each.sum() for each in hits if each.any()] or [np.zeros(len(rows))], axis=0)
        for k in range(1, len(self.weights)):
            share = np.where(nearest == k, shares, 0.0)
            if share.any() and share.sum() ** 2 / (share**2).sum() >= _LEAST_FITTED:
                distances[k] = np.average(along[:, k], weights=share)
                variance = np.average(across[:, k], weights=share) / max(rows.shape[1] - 1, 1)
                spreads[k] = np.clip(np.sqrt(variance), *_SPREADS) if rows.shape[1] > 1 else 1.0
        return Mixture(axes=self.axes, distances=distances, spreads=spreads, weights=self.weights)

    def _coordinates(self, rows: Array) -> tuple[Array, Array]:
        """Of each sample along each axis, and its squared distance from that axis: [sample, component]."""
        along = rows @ self.axes.T
        return along, np.maximum((rows**2).sum(axis=1)[:, None] - along**2, 0.0)

    def _log_parts(self, rows: Array) -> Array:
        along, across = self._coordinates(rows)
        exponent = -0.5 * ((along - self.distances) ** 2 + across / self.spreads**2)
        return np.asarray(exponent - (rows.shape[1] - 1) * np.log(self.spreads))
