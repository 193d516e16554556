"""What a deck asks of ngspice beside its circuit: the analysis and the simulator options, as values.

A convergence retry or an audit changes a field of these values. The text of a card is made from the fields alone.
"""

from dataclasses import dataclass, replace
from typing import Literal

# Digits to which a changed time step is rounded: the hash of a retried deck must not depend on the last bits of a product.
_STEP_DIGITS = 6
# Options that bound the error of a run.
_TOLERANCES = ("reltol", "chgtol", "vntol", "abstol")
_LETTERS = {"": 1.0, "n": 1e-9, "p": 1e-12}


def rounded(value: float, digits: int) -> float:
    """``value`` with ``digits`` significant digits."""
    return float(f"{value:.{digits}g}")


@dataclass(frozen=True, kw_only=True)
class Tran:
    """A transient analysis from an operating point.

    Attributes:
        step: suggested time step in seconds.
        stop: last time point in seconds.
        max_step: longest time step in seconds.
        letter: SPICE's letter of the unit in which the card prints both steps: ``""`` s, ``n`` ns, ``p`` ps.
        stop_digits: significant digits of ``stop`` on the card.
    """

    step: float
    stop: float
    max_step: float
    letter: Literal["", "n", "p"] = ""
    stop_digits: int = 12

    @property
    def card(self) -> str:
        """The line of the deck."""
        step, longest = (f"{time / _LETTERS[self.letter]:.6g}{self.letter}" for time in (self.step, self.max_step))
        return f".tran {step} {self.stop:.{self.stop_digits}g} 0 {longest}"

    def with_step(self, factor: float) -> "Tran":
        """The same analysis, the longest step multiplied by ``factor``."""
        return replace(self, max_step=rounded(self.max_step * factor, _STEP_DIGITS))


@dataclass(frozen=True, kw_only=True)
class Dc:
    """A sweep of the value of one source: ``source`` from ``start`` to ``stop`` by ``step``, in volts."""

    source: str
    start: float
    stop: float
    step: float

    @property
    def card(self) -> str:
        """The line of the deck."""
        return f".dc {self.source} {self.start:.9g} {self.stop:.9g} {self.step:.9g}"


@dataclass(frozen=True)
class Op:
    """The operating point."""

    @property
    def card(self) -> str:
        """The line of the deck."""
        return ".op"


Analysis = Tran | Dc | Op


@dataclass(frozen=True)
class Options:
    """Simulator options in the order of their card.

    Attributes:
        values: pairs of a name and its value. Values are texts, because ``1e-4`` and ``0.0001`` are different decks.
    """

    values: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, **values: str) -> "Options":
        """Options by name, in the order of the arguments: ``Options.of(reltol="1e-4", method="trap")``."""
        return cls(tuple(values.items()))

    def changed(self, **values: str) -> "Options":
        """These options with other values; a name that is new comes last."""
        return Options(tuple({**dict(self.values), **values}.items()))

    def tightened(self, factor: float) -> "Options":
        """These options with every tolerance divided by ``factor``, and with all transistors evaluated at every step."""
        tight = {name: f"{float(value) / factor:g}" for name, value in self.values if name in _TOLERANCES}
        return Options(tuple((name, value) for name, value in self.changed(**tight).values if name != "bypass"))

    def __getitem__(self, name: str) -> str:
        return dict(self.values)[name]

    @property
    def text(self) -> str:
        """What the card says of the options: ``reltol=1e-4 method=trap``."""
        return " ".join(f"{name}={value}" for name, value in self.values)


NO_OPTIONS = Options()
