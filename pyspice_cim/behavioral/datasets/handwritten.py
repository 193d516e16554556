"""The 8 x 8 handwritten digits of scikit-learn."""

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.datasets.folder import Split, check_split
from pyspice_cim.errors import MissingDependencyError

DIGITS_TEST_IMAGES = 597
_SPLIT_SEED = 20240


def digits(split: Split = "test") -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The 8 x 8 handwritten digits that scikit-learn ships: 1797 images, 10 classes, in a fixed split.

    1200 images are for training, and 597 are held out for the test. The split was drawn with a fixed seed. Every class
    has the same share in both parts. The data do not name the writers, so a writer may appear in both parts.

    Returns:
        Images: grey values in 0..1 (multiples of 1/16), shape (n, 64), row by row. Labels: 0..9, shape (n,).

    Raises:
        ConfigError: if ``split`` is neither "train" nor "test".
        MissingDependencyError: if scikit-learn is not installed.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    1998 (its test part, as ``sklearn.datasets.load_digits``).
    """
    check_split(split)
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise MissingDependencyError(
            "the digits need scikit-learn; install it with: pip install 'pyspice-cim[digits]'"
        ) from error
    data = load_digits()
    train, test = train_test_split(
        np.arange(len(data.target)), test_size=DIGITS_TEST_IMAGES, random_state=_SPLIT_SEED, stratify=data.target
    )
    chosen = np.sort(test if split == "test" else train)
    return np.asarray(data.data[chosen], np.float64) / 16.0, np.asarray(data.target[chosen], np.int64)
