"""Threshold variation of sampled transistors, drawn outside ngspice as standard normal numbers.

    shift_k = sigma_k z_k + s_k sigma_global z_global        V, with the sign of BSIM4's ``delvto``

    sigma_k        mismatch of transistor k: A / sqrt(W L m), m transistors in parallel share one mean shift
                   (M. J. M. Pelgrom, A. C. J. Duinmaijer, A. P. G. Welbers, IEEE JSSC 24 (5), 1989)
    sigma_global   from die to die, one for all n and one for all p devices of a sample, independent of each other;
                   s_k = +1 for n and -1 for p, so that a positive z_global is slow for both

A row of z is one sample: the same cell, whatever is measured on it.

The mean shift is what m transistors have in common while they conduct. Their leakage is the mean of exp(-shift / (n v_t)),
v_t = k T / q, which lies above exp(-mean shift / (n v_t)): by the factor exp(sigma^2 / (2 n^2 v_t^2)), sigma that of one of
them. Off rows, lumped as one device, lack it. With 37 mV for the smallest transistor of generic45lp and n v_t = 36 mV at
27 C they leak 1.7 times too little, more at a lower temperature. Their leakage shows in the droop of a read bitline
and in the split of a 6T read: it counts where it is no longer small against the current of one cell, that is in long
columns of a leaky or hot corner, not at 16 rows and 27 C.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from pyspice_cim.characterization.engine.packing import PACK
from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.errors import ConfigError, TechnologyError
from pyspice_cim.netlists.flat import Transistor
from pyspice_cim.technology import Technology

# Largest values of ``MonteCarloSettings``: a day of ngspice, all numbers of a run in 1 GB, a deck of 10^5 elements.
MOST = {"count": 1_000_000, "seed": 2**63 - 1, "tail_samples": 100_000, "pack": 1024}

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
            if getattr(self, name) > MOST[name]:
                raise ConfigError(f"monte_carlo.{name} = {getattr(self, name)} is too large; give at most {MOST[name]}")
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
    def mirror(self) -> list[int]:
        """The order of the numbers of a row of z in the mirrored circuit: left transistors for right ones.

        Names that differ in a last l and r, as of the built-in cells, are taken for a pair; all else stays in its place.
        """
        places = {each.path: place for place, each in enumerate(self.transistors)}
        other = {"l": "r", "r": "l"}
        swapped = [places.get(path[:-1] + other.get(path[-1], path[-1]), place) for path, place in places.items()]
        # The global numbers come last, or are the only ones.
        own = 0 if self.variation == "global" else len(swapped)
        return swapped[:own] + list(range(own, self.dimensions))

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
