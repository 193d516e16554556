"""The step program of an organisation: the operations of one time step, as rows of data.

Neurons whose inputs fill more than one macro have a *home macro*, which holds their membranes, and *partial-sum macros*,
which add further inputs and send their sums home. A row says which operation runs and when:

====================  ==================================================================  =====================
guard                 runs in one time step                                               where
====================  ==================================================================  =====================
``BEFORE_INPUTS``     once                                                                home macro
``FIRST_INPUT``       once if the home macro has an active input                          home macro
``FIRST_AT_PARTIAL``  once if the partial-sum macro has an active input                   partial-sum macro
``LATER_INPUT``       once for every further active input                                 every macro
``EVERY_INPUT``       once for every active input                                         every macro
``SENT``              once if the partial-sum macro has an active input, after its inputs partial-sum macro
``FIRST_RECEIVED``    once for the first sum received, if no input came before            home macro
``LATER_RECEIVED``    once for every other sum received                                   home macro
``AFTER_INPUTS``      once                                                                home macro
``AFTER_SOME``        once if any macro had an active input                               home macro
``AFTER_NONE``        once if no macro had an active input                                home macro
====================  ==================================================================  =====================

Rows run in the order of their guards, rows of one guard in their own order. A row that adds inputs runs for all its inputs
before the next row.
The compiled kernel interprets the rows, the counter and the expected energies sum the same rows, and the stimulus of a
netlist is written from the same rows: the order of a step stands here and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.errors import ConfigError
from pyspice_cim.microcode import Operation

Operand = Literal["constant", "weight", "received"]
# The cost class of a row whose operation runs bit-serially in all columns at once.
COLUMNS = "columns"


class Guard(IntEnum):
    """When a row runs in one time step; see the table of the module."""

    BEFORE_INPUTS = 0
    FIRST_INPUT = 1
    FIRST_AT_PARTIAL = 2
    LATER_INPUT = 3
    EVERY_INPUT = 4
    SENT = 5
    FIRST_RECEIVED = 6
    LATER_RECEIVED = 7
    AFTER_INPUTS = 8
    AFTER_SOME = 9
    AFTER_NONE = 10


# Guards whose rows add an input, and guards whose rows end a step, in this order.
INPUTS = (Guard.FIRST_INPUT, Guard.FIRST_AT_PARTIAL, Guard.LATER_INPUT, Guard.EVERY_INPUT)
AFTER = (Guard.AFTER_INPUTS, Guard.AFTER_SOME, Guard.AFTER_NONE)


class Neuron(Protocol):
    """The integer parameters of LD-LIF neurons that a step program is made from (``behavioral`` defines them)."""

    @property
    def lambda_(self) -> int: ...
    @property
    def theta(self) -> int: ...
    @property
    def membrane_bits(self) -> int: ...
    @property
    def reset(self) -> Literal["subtract", "zero"]: ...


@dataclass(frozen=True, kw_only=True)
class NeuronConstants:
    """The constants of a ``Neuron`` alone, for testbenches that have no network."""

    lambda_: int
    theta: int
    membrane_bits: int
    reset: Literal["subtract", "zero"] = "subtract"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One operation of a step program.

    Attributes:
        name: operation that a report charges the row to, e.g. ``decay``.
        guard: when the row runs.
        operand: ``constant`` (``k0``, ``k1``), ``weight`` (a weight row) or ``received`` (the sum of another macro).
        k0, k1: constant of columns with flag 0 and with flag 1.
        za, zb: whether a column with flag 1, and with flag 0, reads 0 in place of its word.
        capture: whether the sign of the sum becomes the flag.
        cost: cost class: ``COLUMNS``, or the name of an update organisation that computes the row elsewhere.
    """

    name: str
    guard: Guard
    operand: Operand = "constant"
    k0: int = 0
    k1: int = 0
    za: bool = False
    zb: bool = False
    capture: bool = False
    cost: str = COLUMNS

    def __post_init__(self) -> None:
        if (self.operand == "weight") != (self.guard in INPUTS):
            raise ConfigError(
                f"row {self.name!r}: operand is {self.operand!r} and guard {self.guard.name}; a weight row is the operand "
                f"of {', '.join(guard.name for guard in INPUTS)} and of no other guard"
            )
        if self.capture and self.guard in (Guard.LATER_INPUT, Guard.EVERY_INPUT):
            raise ConfigError(
                f"row {self.name!r} captures under guard {self.guard.name}; a row that may run several times in a step "
                "captures no flag: capture in a row that runs once"
            )

    def operation(self, active: int | None = None) -> Operation:
        """The row as an operation of a column; ``active`` is the number of the input whose weight row is added."""
        weight = active if self.operand != "constant" else None
        return Operation(
            name=self.name, k0=self.k0, k1=self.k1, weight=weight, za=self.za, zb=self.zb, capture=self.capture
        )


@dataclass(frozen=True)
class StepProgram:
    """The rows of one time step. A row's place in ``rows`` is its *kind*; arrays by kind have one entry a row."""

    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """Operation of each kind."""
        return tuple(row.name for row in self.rows)

    def kinds(self, *guards: Guard) -> list[int]:
        """Kinds whose guard is one of ``guards``, in the order in which they run."""
        return [kind for kind in self.order if self.rows[kind].guard in guards]

    @cached_property
    def order(self) -> tuple[int, ...]:
        """All kinds in the order in which they run."""
        return tuple(sorted(range(len(self.rows)), key=lambda kind: self.rows[kind].guard))

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """Each kind as an operation; the row that is added is that of input 0."""
        return tuple(row.operation(0) for row in self.rows)

    @cached_property
    def control(self) -> NDArray[np.int64]:
        """What the compiled kernel reads, int64, shape (kinds, 8).

        Columns: k0, k1, whether a row is added, za, zb, capture, guard; and the kind that runs at this place.
        """
        rows = [
            (row.k0, row.k1, row.operand != "constant", row.za, row.zb, row.capture, row.guard, kind)
            for row, kind in zip(self.rows, self.order, strict=True)
        ]
        return np.array(rows, np.int64).reshape(len(rows), 8)

    def step_kinds(self, active: Sequence[int]) -> list[tuple[int, int | None]]:
        """The kinds that run in one step of one macro that holds all inputs, in which the inputs ``active`` spike.

        Returns:
            In the order of the step: the kind, and the input whose weight row the kind adds (``None`` for a constant).
        """
        added = {Guard.FIRST_INPUT: active[:1], Guard.LATER_INPUT: active[1:], Guard.EVERY_INPUT: active}
        once = {Guard.BEFORE_INPUTS, Guard.AFTER_INPUTS, Guard.AFTER_SOME if len(active) else Guard.AFTER_NONE}
        found: list[tuple[int, int | None]] = []
        for kind in self.order:
            guard = self.rows[kind].guard
            found += [(kind, None)] if guard in once else [(kind, index) for index in added.get(guard, ())]
        return found

    def step(self, active: Sequence[int]) -> list[Operation]:
        """The operations of one step of one macro that holds all inputs, in which the inputs ``active`` spike."""
        return [self.rows[kind].operation(index) for kind, index in self.step_kinds(active)]
