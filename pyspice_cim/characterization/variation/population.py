"""Threshold variation of sampled transistors, drawn outside ngspice as standard normal numbers.

    shift_k = sigma_k z_k + s_k sigma_global z_global        in volts, with the sign of BSIM4's ``delvto``
    sigma_k = A_VT / sqrt(W L m)

    sigma_k        mismatch of transistor k
    A_VT           Pelgrom coefficient of one transistor, in V m
    W, L           width and length, in m
    m              transistors in parallel that k stands for; they share their mean shift
    sigma_global   global variation: one z_global for all n and another for all p transistors of a sample
    s_k            +1 for n and -1 for p, so that a positive z_global makes both slow

Mismatch law: M. J. M. Pelgrom, A. C. J. Duinmaijer, A. P. G. Welbers, IEEE JSSC 24 (5), 1989.

A row of z is one sample. All fixtures that measure this sample see the same cell.

One lumped transistor for the m unselected rows leaks too little. The mean leakage of m transistors exceeds the leakage
at their mean shift by the factor

    exp(sigma^2 / (2 n^2 v_t^2))        v_t = k T / q, n: subthreshold slope factor, sigma: mismatch of one transistor

The smallest transistor of generic45lp has sigma = 37 mV and n v_t = 36 mV at 27 C, so the factor is 1.7; it is larger
at a lower temperature. The leakage adds to the droop of a read bitline and changes the bitline differential of a 6T
read. The error matters where the leakage of a column is not small against the current of one cell: in long columns at a
leaky or hot corner, not with 16 rows at 27 C.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
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

# Largest values of ``MonteCarloSettings``: about a day of ngspice, 1 GB for the numbers of a run, a deck of 10^5
# elements.
MOST = {"count": 1_000_000, "seed": 2**63 - 1, "tail_samples": 100_000, "pack": 1024}

Sampler = Literal["random", "sobol", "lhs"]
Variation = Literal["local", "global", "both"]


@dataclass(frozen=True, kw_only=True)
class MonteCarloSettings:
    """Settings of a Monte Carlo run.

    Attributes:
        count: number of samples.
        sampler: ``random``: sample i comes from a generator with the seed (seed, i). ``sobol``: sample i is point i of
            the scrambled Sobol sequence of the seed. ``lhs``: Latin hypercube; sample i depends on ``count`` as well.
        seed: seed of all samples.
        variation: ``local`` (mismatch), ``global`` or ``both``.
        tail_samples: importance samples per specification of a failure probability.
        pack: copies per deck.

    Raises:
        ConfigError: if a value is not an integer, out of its range or no known name.
    """

    count: int = 1000
    sampler: Sampler = "random"
    seed: int = 0
    variation: Variation = "local"
    tail_samples: int = 512
    pack: int = PACK

    def __post_init__(self) -> None:
        for name, least in (("count", 2), ("seed", 0), ("tail_samples", 16), ("pack", 1)):
            # NaN is neither too small nor too large.
            if not isinstance(getattr(self, name), Integral) or isinstance(getattr(self, name), bool):
                raise ConfigError(f"monte_carlo.{name} = {getattr(self, name)!r} is no integer; give at least {least}")
            if getattr(self, name) < least:
                raise ConfigError(f"monte_carlo.{name} = {getattr(self, name)} is too small; give at least {least}")
            if getattr(self, name) > MOST[name]:
                raise ConfigError(f"monte_carlo.{name} = {getattr(self, name)} is too large; give at most {MOST[name]}")
        for name, known in (("sampler", get_args(Sampler)), ("variation", get_args(Variation))):
            if getattr(self, name) not in known:
                raise ConfigError(f"monte_carlo.{name} = {getattr(self, name)!r} is not one of {', '.join(known)}")


def standard_normals(settings: MonteCarloSettings, dimensions: int) -> Array:
    """Return standard normal numbers z, shape (count, dimensions).

    Args:
        settings: number of samples, sampler and seed.
        dimensions: numbers per sample.
    """
    count, seed = settings.count, settings.seed
    if settings.sampler == "random":
        return np.stack([np.random.default_rng([seed, index]).standard_normal(dimensions) for index in range(count)])
    if settings.sampler == "lhs":
        return np.asarray(ndtri(qmc.LatinHypercube(dimensions, rng=np.random.default_rng(seed)).random(count)))
    # A Sobol sequence is balanced only for a power of two: draw that many points and keep the first ones.
    points = qmc.Sobol(dimensions, rng=np.random.default_rng(seed)).random_base2(max(count - 1, 1).bit_length())
    # The sequence may hold an exact 0; its normal quantile is infinite.
    return np.asarray(ndtri(np.clip(points[:count], 2.0**-32, 1 - 2.0**-32)))


@dataclass(frozen=True, kw_only=True)
class Population:
    """The variables of a sample: one per transistor for mismatch, and two for global variation.

    Attributes:
        technology: Pelgrom coefficients and global variation.
        transistors: all sampled transistors. The path identifies a transistor: two fixtures that draw the same path
            share its shift.
        variation: ``local``, ``global`` or ``both``.
    """

    technology: Technology
    transistors: tuple[Transistor, ...]
    variation: Variation = "local"

    @classmethod
    def of(
        cls, technology: Technology, groups: Iterable[Sequence[Transistor]], variation: Variation = "local"
    ) -> "Population":
        """Return the population of the transistors of several fixtures.

        Args:
            technology: Pelgrom coefficients and global variation.
            groups: the transistors of each fixture.
            variation: ``local``, ``global`` or ``both``.

        Raises:
            TechnologyError: if ``variation`` includes global variation and the technology does not state it.
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
        """Order of the variables of z in the mirrored circuit, where left and right transistors change places.

        Two paths that differ only in a last letter l and r are a pair, as in the built-in cells. Every other variable
        keeps its place.
        """
        places = {each.path: place for place, each in enumerate(self.transistors)}
        other = {"l": "r", "r": "l"}
        swapped = [places.get(path[:-1] + other.get(path[-1], path[-1]), place) for path, place in places.items()]
        # The global numbers come last, or are the only ones.
        own = 0 if self.variation == "global" else len(swapped)
        return swapped[:own] + list(range(own, self.dimensions))

    @property
    def dimensions(self) -> int:
        """Number of variables of a sample z."""
        return self._weights.shape[0]

    def shifts(self, z: Array, transistors: Sequence[Transistor]) -> Array:
        """Return threshold shifts, shape (samples, transistors), in volts.

        Args:
            z: samples, shape (samples, dimensions).
            transistors: the transistors of a fixture; all of them belong to the population.
        """
        places = {transistor.path: place for place, transistor in enumerate(self.transistors)}
        return np.asarray(z @ self._weights[:, [places[transistor.path] for transistor in transistors]])

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """Weights in volts, shape (dimensions, transistors): shifts = z @ weights."""
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
    """Return the standard deviation of a transistor's mismatch, A_VT / sqrt(W L m), in volts (Pelgrom, see the module).

    Args:
        technology: Pelgrom coefficients. One of a pair of transistors is divided by sqrt(2).
        transistor: device, width W, length L and multiplier m.
    """
    single = technology.mismatch.sigma(transistor.device, transistor.width, transistor.length)
    return single / float(np.sqrt(transistor.multiplier))
