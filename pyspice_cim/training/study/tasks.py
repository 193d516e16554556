"""The tasks of the study of decay rules: their data and the recipe of their networks."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pyspice_cim.behavioral.datasets import digits, mnist, spoken_digits
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.training.fit import FitSettings
from pyspice_cim.training.study.study import TaskData

MNIST_TRAIN = 10_000


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task of the study.

    Attributes:
        title: title in the report.
        load: function that reads the data.
        settings: how to train; the same for all rules and seeds, except ``decay`` and ``seed``.
    """

    title: str
    load: Callable[[], TaskData]
    settings: FitSettings


def _spoken() -> TaskData:
    return TaskData(*spoken_digits("train"), *spoken_digits("test"))


def _mnist() -> TaskData:
    images, labels = mnist("train")
    # Chosen by content, for copies of MNIST come in different orders.
    hashes = [hashlib.sha256(image.tobytes()).digest() for image in np.rint(255 * images).astype(np.uint8)]
    chosen = np.array(sorted(range(len(hashes)), key=hashes.__getitem__)[:MNIST_TRAIN])
    return TaskData(images[chosen], labels[chosen], *mnist("test"))


def _digits() -> TaskData:
    return TaskData(*digits("train"), *digits("test"))


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "spoken": Task(
            title="Spoken digits (FSDD), 96-128-10, the hidden layer recurrent, 50 steps",
            load=_spoken,
            settings=FitSettings(
                shape=(96, 128, 10),
                steps=50,
                encoder=Encoder(kind="regular", max_rate=1.0),
                recurrent=True,
                epochs=20,
                epochs_quantized=8,
            ),
        ),
        "digits": Task(
            title="8 x 8 digits, 64-32-10, 20 steps",
            load=_digits,
            settings=FitSettings(
                shape=(64, 32, 10),
                steps=20,
                encoder=Encoder(kind="regular", max_rate=0.25),
                epochs=20,
                epochs_quantized=10,
            ),
        ),
        "mnist": Task(
            title="MNIST, 10,000 of the training images, all test images, 784-128-10, 10 steps",
            load=_mnist,
            settings=FitSettings(
                shape=(784, 128, 10),
                steps=10,
                encoder=Encoder(kind="regular", max_rate=0.5),
                epochs=6,
                epochs_quantized=3,
                batch=128,
            ),
        ),
    }
)
