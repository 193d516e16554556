"""Threshold variation of sampled transistors, drawn outside ngspice as standard normal numbers.

    shift_k = sigma_k z_k + s_k sigma_global z_global        V, with the sign of BSIM4's ``delvto``

    sigma_k        mismatch of transistor k: A / sqrt(W L m), m transistors in parallel share one mean shift
                   (M. J. M. Pelgrom, A. C. J. Duinmaijer, A. P. G. Welbers, IEEE JSSC 24 (5), 1989)
    sigma_global   from die to die, one for all n and one for all p devices of a sample, independent of each other;
                   s_k = +1 for n and -1 for p, so that a positive z_global is slow for both

A row of z is one sample: the same cell, whatever is measured on it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from pyspice_cim.characterization.measure import Array
from pyspice_cim.characterization.packing import PACK
from pyspice_cim.errors import ConfigError, TechnologyError
from pyspice_cim.netlists.flat import Transistor
from pyspice_cim.technology import Technology

Sampler = Literal["random", "sobol", "lhs"]
Variation = Literal["local", "global", "both"]


@dataclass(frozen=True, kw_only=True)
class MonteCarloSettings:
    """How many samples, drawn how, of what.

    Attributes:
        count: samples of a Monte Carlo run.
        sampler: ``random``: sample i is drawn from a generator seeded by (seed, i). ``sobol``: sample i is point i of the
            scrambled Sobol sequence of the seed. ``lhs``: Latin hypercube; here sample i depends on ``count`` as well.
        seed: of all of it.
        variation: ``local`` mismatch, ``global`` variation from die to die, or both.
        tail_samples: samples around each most probable failure, for the tails.
        pack: copies in a deck.

    Raises:
        ConfigError: for a value out of its range.
    """

    count: int = 1000
    sampler: Sampler = "random"
    seed: int = 0
    variation: Variation = "local"
    tail_samples: int = 512
    pack: int = PACK

    def __post_init__(self) -> None:
        for name, least in (("count", 2), ("seed", 0), ("tail_samples", 16), ("pack", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"monte_carlo.{name} = {getattr(self, name)} is too small; give at least {least}")
        for name, known in (("sampler", get_args(Sampler)), ("variation", get_args(Variation))):
            if getattr(self, name) not in known:
                raise ConfigError(f"monte_carlo.{name} = {getattr(self, name)!r} is not one of {', '.join(known)}")


def standard_normals(settings: MonteCarloSettings, dimensions: int) -> Array:
    """Independent standard normal numbers, [sample, dimension]."""
    count, seed = settings.count, settings.seed
    if settings.sampler == "random":
        return np.stack([np.random.default_rng([seed, index]).standard_normal(dimensions) for index in range(count)])
    if settings.sampler == "lhs":
        return np.asarray(ndtri(qmc.LatinHypercube(dimensions, rng=np.random.default_rng(seed)).random(count)))
    # A whole power of two is drawn, as the balance of the sequence asks for, and cut.
    points = qmc.Sobol(dimensions, rng=np.random.default_rng(seed)).random_base2(max(count - 1, 1).bit_length())
    # The sequence may hold an exact 0, whose normal number is infinite.
    return np.asarray(ndtri(np.clip(points[:count], 2.0**-32, 1 - 2.0**-32)))


@dataclass(frozen=True, kw_only=True)
class Population:
    """The variables of a sample: one for each transistor, known by its path, and two global ones where these vary.

    Attributes:
        transistors: all of them; two fixtures that draw a transistor under the same path mean the same one.
    """

    technology: Technology
    transistors: tuple[Transistor, ...]
    variation: Variation = "local"

    @classmethod
    def of(
        cls, technology: Technology, groups: Iterable[Sequence[Transistor]], variation: Variation = "local"
    ) -> "Population":
        """The population of the transistors of several fixtures.

        Raises:
            TechnologyError: if global variation is asked for and the technology does not state it.
        """
        if variation != "local" and technology.global_variation is None:
            raise TechnologyError(
                f"technology {technology.name} states no global variation; add [global_variation] with sigma_vt_mv = "
                '{n = ..., p = ...} and source, or set variation = "local"'
            )
        union = {transistor.path: transistor for group in groups for transistor in group}
        return cls(technology=technology, transistors=tuple(union.values()), variation=variation)

    @property
    def dimensions(self) -> int:
        """Numbers in a row of z."""
        return self._weights.shape[0]

    def shifts(self, z: Array, transistors: Sequence[Transistor]) -> Array:
        """Threshold shifts of ``transistors``, V: [sample, transistor], from z [sample, dimension]."""
        places = {transistor.path: place for place, transistor in enumerate(self.transistors)}
        return np.asarray(z @ self._weights[:, [places[transistor.path] for transistor in transistors]])

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """shifts = z @ weights: [dimension, transistor]."""
        rows: list[Array] = []
        if self.variation != "global":
            rows += list(np.diag([mismatch_sigma(self.technology, each) for each in self.transistors]))
        if self.variation != "local":
            stated = self.technology.global_variation
            assert stated is not None
            polarity = np.array([self.technology.device(each.device).polarity for each in self.transistors])
            rows += [
                np.where(polarity == "n", 1e-3 * stated.sigma_vt_mv.n, 0.0),
                np.where(polarity == "p", -1e-3 * stated.sigma_vt_mv.p, 0.0),
            ]
        return np.array(rows)


def mismatch_sigma(technology: Technology, transistor: Transistor) -> float:
    """Standard deviation of a transistor's own threshold shift, V; of the mean of those that it stands for."""
    single = technology.mismatch.sigma(transistor.device, transistor.width, transistor.length)
    return single / float(np.sqrt(transistor.multiplier))
