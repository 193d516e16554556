"""The two parts of an organisation: ``Accumulate`` and ``Update``, each registered by its name.

To add a variant, define an ``Accumulate`` or an ``Update`` in one new file. Register the variant in ``__init__.py``.
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
from pyspice_cim.technology import Corner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Accumulate:
    """How a macro adds its active inputs.

    Attributes:
        name: name of the variant in ``Organisation``.
        inputs: function from a neuron to the program rows that add the inputs of a home macro.
        transfers: function from a neuron to the program rows of partial-sum macros and of received sums.
        quantities: names of the table's quantities from which the cost is computed.
        block: name of the block that co-simulation draws.
    """

    name: str
    inputs: Callable[[Neuron], tuple[Row, ...]]
    transfers: Callable[[Neuron], tuple[Row, ...]]
    quantities: tuple[str, ...] = ()
    block: str = "array"


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitCost:
    """Cost of one membrane update by a unit beside the array.

    Attributes:
        time: time of one update of all neurons of a group, shape (groups,), in seconds.
        energy: energy of one update of all neurons of a group, shape (groups,), in joules.
        clipped: number of look-ups outside of the table that were clipped to its edge.
    """

    time: Floats
    energy: Floats
    clipped: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """Operating point and membrane width of a macro, at which quantities of a table are looked up.

    Attributes:
        corner: process corner, supply voltage and temperature.
        membrane_bits: width of a membrane in bits.
        outside: what a look-up outside of the table does: ``raise`` an error, or ``clip`` to the edge of the table.
    """

    corner: Corner
    membrane_bits: int
    outside: Literal["raise", "clip"]


@dataclass(frozen=True, kw_only=True)
class Update:
    """How a macro updates its membranes once in a time step.

    Attributes:
        name: name of the variant in ``Organisation``.
        before: function from a neuron to the program rows that begin a time step.
        after: function from a neuron to the program rows that end a time step. A column whose flag is then 0 spikes.
        after_step: function from membranes, spikes (0 or 1) and a neuron to the columns that a time step with these
            results leaves.
        membranes: function from the columns after a time step and a neuron to the membranes.
        unit: cost of one update by a unit beside the array. Its arguments are the table, the operating point and the
            numbers of neurons of the groups, shape (groups,). ``None``: the columns compute the whole update.
        quantities: names of the table's quantities from which the cost is computed.
        latency: name of this update in the latencies of a report.
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
        """Columns that hold ``membranes`` before the first time step: no column has fired, and the sum latch is 0.

        Args:
            membranes: int64, any shape, in units of the least significant bit.
            neuron: parameters of the neurons.

        Returns:
            Columns of the shape of ``membranes``.
        """
        silent = self.after_step(membranes, np.zeros_like(membranes), neuron)
        return ColumnState(word=silent.word, flag=silent.flag, last_sum=np.zeros_like(silent.flag))


ACCUMULATES: dict[str, Accumulate] = {}
UPDATES: dict[str, Update] = {}


def register_accumulate(variant: Accumulate) -> None:
    """Make the accumulate organisation ``variant`` known by its name. A variant of the same name is replaced."""
    ACCUMULATES[variant.name] = variant


def register_update(variant: Update) -> None:
    """Make the update organisation ``variant`` known by its name. A variant of the same name is replaced."""
    UPDATES[variant.name] = variant


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """How a macro computes a time step.

    Attributes:
        accumulate: name of a registered accumulate organisation.
        update: name of a registered update organisation.

    Raises:
        ConfigError: if a name is not registered.
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
