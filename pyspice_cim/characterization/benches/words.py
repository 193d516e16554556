"""Words whose mean energy stands for that of random ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Data:
    """The words behind the mean energy of an arithmetic unit.

    Attributes:
        words: number of words, a multiple of 4. The energy of a word depends on carries and glitches, so on the bits that
            meet. With 4 words another seed moves the mean by 10 % (one sigma of six seeds, 8-bit units of generic45lp);
            with 16 words by 5 %, if the spread falls as the square root.
        seed: seed of the bits.
    """

    words: int = 16
    seed: int = 8


DATA = Data()
# Four balanced words have the exact mean where each bit costs energy by itself.
BITWISE = Data(words=4)


def balanced_words(bits: int, data: Data = DATA) -> list[int]:
    """A first word, and ``data.words`` words in which every bit stays 0, rises, stays 1 and falls equally often.

    The energy that a bit costs by itself then has the mean of uniformly random words, without their spread. Each bit walks
    round the circle 0, 0, 1, 1 (``data.words`` / 4 times, with runs of random lengths). The starts are spread over the bits,
    so that half the bits of about every word are set.

    Args:
        bits: bits of a word.
        data: number of words, and seed.
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
