"""What an organisation is: how a macro accumulates its inputs and how the macro updates its membranes, each by name.

A variant is one file that defines an ``Accumulate`` or an ``Update``, and one line in ``__init__.py`` that registers it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import ConfigError
from pyspice_cim.microcode import ColumnState
from pyspice_cim.organisation.program import Neuron, Row, StepProgram
from pyspice_cim.tables import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Accumulate:
    """How a macro adds its active inputs.

    Attributes:
        name: the name in ``Organisation``.
        inputs: neuron to the rows of a home macro's inputs.
        transfers: neuron to the rows of partial-sum macros and of the sums that a home macro receives.
        quantities: quantities of a table that its cost needs (``tables.contract``).
        block: name of the block that co-simulation draws.
    """

    name: str
    inputs: Callable[[Neuron], tuple[Row, ...]]
    transfers: Callable[[Neuron], tuple[Row, ...]]
    quantities: tuple[str, ...] = ()
    block: str = "array"


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitCost:
    """Time (s) and energy (J) of one update by a unit beside the array, by group of neurons; ``clipped`` look-ups."""

    time: Floats
    energy: Floats
    clipped: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in a table a macro stands.

    Attributes:
        process, vdd, temperature_c: process corner, supply (V), temperature (degrees Celsius).
        membrane_bits: bits of a membrane.
        outside: what a look-up does outside of the table, ``raise`` or ``clip``.
    """

    process: str
    vdd: float
    temperature_c: float
    membrane_bits: int
    outside: Literal["raise", "clip"]


@dataclass(frozen=True, kw_only=True)
class Update:
    """How a macro updates its membranes once a step.

    Attributes:
        name: the name in ``Organisation``.
        before: neuron to the rows that begin a step.
        after: neuron to the rows that end a step, after which FS = 0 means a spike.
        after_step: membranes, spikes (0 or 1) and neuron to the columns after a step that left both.
        membranes: columns after a step and neuron to the membranes.
        unit: cost of one update of each number of neurons by a unit beside the array; ``None`` if the columns do all.
        quantities: quantities of a table that its cost needs.
        latency: name under which a report gives the latency with this update.
    """

    name: str
    before: Callable[[Neuron], tuple[Row, ...]]
    after: Callable[[Neuron], tuple[Row, ...]]
    after_step: Callable[[Ints, Ints, Neuron], ColumnState]
    membranes: Callable[[ColumnState, Neuron], Ints]
    unit: Callable[[Table, Place, NDArray[np.int64]], UnitCost] | None = None
    quantities: tuple[str, ...] = ()
    latency: str = ""

    def rest(self, membranes: Ints, neuron: Neuron) -> ColumnState:
        """Columns that hold ``membranes`` before any step: no spike, and a sum latch of 0."""
        silent = self.after_step(membranes, np.zeros_like(membranes), neuron)
        return ColumnState(word=silent.word, flag=silent.flag, last_sum=np.zeros_like(silent.flag))


ACCUMULATES: dict[str, Accumulate] = {}
UPDATES: dict[str, Update] = {}


def register_accumulate(variant: Accumulate) -> None:
    """Make ``variant`` known by its name."""
    ACCUMULATES[variant.name] = variant


def register_update(variant: Update) -> None:
    """Make ``variant`` known by its name."""
    UPDATES[variant.name] = variant


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """How a macro computes a time step: ``accumulate`` and ``update`` name registered variants.

    Raises:
        ConfigError: for a name that is not registered.
    """

    accumulate: str = "serial"
    update: str = "in_array"

    def __post_init__(self) -> None:
        for field, known in (("accumulate", ACCUMULATES), ("update", UPDATES)):
            name = getattr(self, field)
            if name not in known:
                raise ConfigError(f"organisation.{field} is {name!r}; choose one of {', '.join(known)}")

    def program(self, neuron: Neuron) -> StepProgram:
        """The step program for neurons with the parameters ``neuron``."""
        accumulate, update = ACCUMULATES[self.accumulate], UPDATES[self.update]
        return StepProgram(
            (
                *update.before(neuron),
                *accumulate.inputs(neuron),
                *update.after(neuron),
                *accumulate.transfers(neuron),
            )
        )
