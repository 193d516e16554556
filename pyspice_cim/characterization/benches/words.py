"""Words whose mean energy stands for that of random ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Data:
    """The words behind the mean energy of an arithmetic unit.

    Attributes:
        words: how many, a multiple of 4. What they cost depends on carries and glitches, so on which bits meet: with 4
            words another seed moves the mean by 10 % (one sigma of six seeds, 8-bit units of generic45lp), with 16 by half
            of that if the spread falls as the square root.
        seed: of their bits.
    """

    words: int = 16
    seed: int = 8


DATA = Data()
# Enough for what costs the same for each bit by itself, which four balanced words have the exact mean of.
BITWISE = Data(words=4)


def balanced_words(bits: int, data: Data = DATA) -> list[int]:
    """A word to start from, and ``data.words`` after it in which every bit stays 0, rises, stays 1 and falls equally often.

    What a bit costs by itself has then the mean of uniformly random words, without its spread. Each bit walks round the
    circle 0, 0, 1, 1 (``data.words`` / 4 times, with runs of random lengths); where it starts is spread over the bits,
    so that half the bits of about every word are set.
    """
    rng, turns = np.random.default_rng(data.seed), data.words // 4
    order = rng.permutation(bits)
    words = np.zeros(data.words, dtype=np.int64)
    for bit in range(bits):
        zeros, ones = (_parts(rng, 2 * turns, turns) for _ in range(2))
        levels = np.repeat(np.tile([0, 1], turns), np.stack([zeros, ones], axis=1).ravel())
        words |= np.roll(levels, int(order[bit]) * data.words // bits).astype(np.int64) << bit
    return [int(word) for word in (words[-1], *words)]


def _parts(rng: np.random.Generator, total: int, count: int) -> NDArray[np.int64]:
    """``count`` positive integers that add up to ``total``, all ways equally likely."""
    cuts = np.sort(rng.choice(total - 1, count - 1, replace=False) + 1)
    return np.diff(np.concatenate([[0], cuts, [total]])).astype(np.int64)
