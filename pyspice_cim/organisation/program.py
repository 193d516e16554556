"""The step program of an organisation: the operations of one time step, as rows of data.

The inputs of a neuron may need more than one macro. The *home macro* then holds the membrane and the first inputs.
Each *partial-sum macro* adds other inputs and sends its sum to the home macro.
A program row names one operation. The guard of the row says when the operation runs:

====================  ==================================================================  =====================
guard                 runs in one time step                                               where
====================  ==================================================================  =====================
``BEFORE_INPUTS``     once                                                                home macro
``FIRST_INPUT``       once if the home macro has an active input                          home macro
``FIRST_AT_PARTIAL``  once if the partial-sum macro has an active input                   partial-sum macro
``LATER_INPUT``       once for each active input after the first one of the macro         every macro
``EVERY_INPUT``       once for each active input                                          every macro
``SENT``              once after the inputs, if the partial-sum macro has an active one   partial-sum macro
``FIRST_RECEIVED``    once for the first received sum, if no home input is active         home macro
``LATER_RECEIVED``    once for each other received sum                                    home macro
``AFTER_INPUTS``      once                                                                home macro
``AFTER_SOME``        once if any macro of the group has an active input                  home macro
``AFTER_NONE``        once if no macro of the group has an active input                   home macro
====================  ==================================================================  =====================

Program rows run in the order of their guards. Program rows with the same guard run in the order of the program.
A program row that adds inputs adds all its inputs before the next program row starts.

The order of a time step is defined here and nowhere else. The compiled kernel, the counter of operations, the expected
energies and the stimulus of the netlist all read the same program rows.
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
# Cost class of a program row that all columns compute at once, bit-serially.
COLUMNS = "columns"


class Guard(IntEnum):
    """When a program row runs in one time step. The table of the module defines each guard."""

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


# INPUTS: guards of program rows that add an input. AFTER: guards of program rows that end a time step.
INPUTS = (Guard.FIRST_INPUT, Guard.FIRST_AT_PARTIAL, Guard.LATER_INPUT, Guard.EVERY_INPUT)
AFTER = (Guard.AFTER_INPUTS, Guard.AFTER_SOME, Guard.AFTER_NONE)


class Neuron(Protocol):
    """Integer parameters of LD-LIF neurons from which a step program is made.

    ``behavioral.neuron.ldlif.LDLIFParams`` has these attributes. The attributes are in units of the membrane's least
    significant bit, except ``membrane_bits``.

    Attributes:
        lambda_: decay in one time step.
        theta: threshold.
        membrane_bits: width of the membrane in bits.
        reset: ``subtract`` takes theta off a neuron that fired; ``zero`` clears the membrane.
    """

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
    """The attributes of ``Neuron`` as plain values, for testbenches that have no network."""

    lambda_: int
    theta: int
    membrane_bits: int
    reset: Literal["subtract", "zero"] = "subtract"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One operation of a step program.

    Attributes:
        name: name of the operation in reports, e.g. ``decay``.
        guard: when the operation runs.
        operand: what is added. ``constant``: ``k0`` or ``k1``; ``weight``: a weight; ``received``: a received sum.
        k0, k1: constant that columns with flag 0 and with flag 1 add.
        za, zb: whether columns with flag 1 (``za``) and with flag 0 (``zb``) read 0 in place of their word.
        capture: whether the sign of the sum becomes the flag.
        cost: cost class. ``COLUMNS``: the columns compute the operation. Another name: the unit beside the array of the
            update organisation with this name computes the operation.

    Raises:
        ConfigError: if the operand does not fit the guard, or a row that may run several times captures the flag.
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
                f"program row {self.name!r}: operand is {self.operand!r} and guard {self.guard.name}; the guards "
                f"{', '.join(guard.name for guard in INPUTS)} need operand 'weight', and no other guard allows it"
            )
        if self.capture and self.guard in (Guard.LATER_INPUT, Guard.EVERY_INPUT):
            raise ConfigError(
                f"program row {self.name!r} captures under guard {self.guard.name}; a program row that may run several "
                "times in a step cannot capture the flag: capture in a program row that runs once"
            )

    def operation(self, active: int | None = None) -> Operation:
        """The program row as an operation of a column.

        Args:
            active: number of the input whose weight the operation adds. A row with a constant ignores this argument.

        Returns:
            The operation. Its ``weight`` is ``None`` for a row with a constant.
        """
        weight = active if self.operand != "constant" else None
        return Operation(
            name=self.name, k0=self.k0, k1=self.k1, weight=weight, za=self.za, zb=self.zb, capture=self.capture
        )


@dataclass(frozen=True)
class StepProgram:
    """The program rows of one time step.

    The *kind* of an operation is the index of its program row in ``rows``. An array by kind has one entry a program
    row.
    """

    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of the operation of each kind."""
        return tuple(row.name for row in self.rows)

    def kinds(self, *guards: Guard) -> list[int]:
        """Kinds whose guard is one of ``guards``, in the order in which these kinds run."""
        return [kind for kind in self.order if self.rows[kind].guard in guards]

    @cached_property
    def order(self) -> tuple[int, ...]:
        """All kinds in the order in which they run."""
        return tuple(sorted(range(len(self.rows)), key=lambda kind: self.rows[kind].guard))

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """Each kind as an operation. A kind that adds a weight or a received sum has the weight index 0."""
        return tuple(row.operation(0) for row in self.rows)

    @cached_property
    def control(self) -> NDArray[np.int64]:
        """The program as the compiled kernel reads it, int64, shape (kinds, 8).

        Columns 0 to 6 describe the kind: k0, k1, whether a weight or a received sum is added, za, zb, capture, guard.
        Column 7 is the execution order: entry i is the kind that runs at place i (``order``).
        """
        rows = [
            (row.k0, row.k1, row.operand != "constant", row.za, row.zb, row.capture, row.guard, kind)
            for row, kind in zip(self.rows, self.order, strict=True)
        ]
        return np.array(rows, np.int64).reshape(len(rows), 8)

    def step_kinds(self, active: Sequence[int]) -> list[tuple[int, int | None]]:
        """The kinds that run in one time step of a single macro that holds all inputs.

        Args:
            active: numbers of the inputs that spike in this time step, in the order of their accumulation.

        Returns:
            One pair for each operation, in the order of execution: the kind, and the number of the input whose weight
            is added. The number is ``None`` for a kind that adds no input.
        """
        added = {Guard.FIRST_INPUT: active[:1], Guard.LATER_INPUT: active[1:], Guard.EVERY_INPUT: active}
        once = {Guard.BEFORE_INPUTS, Guard.AFTER_INPUTS, Guard.AFTER_SOME if len(active) else Guard.AFTER_NONE}
        found: list[tuple[int, int | None]] = []
        for kind in self.order:
            guard = self.rows[kind].guard
            found += [(kind, None)] if guard in once else [(kind, index) for index in added.get(guard, ())]
        return found

    def step(self, active: Sequence[int]) -> list[Operation]:
        """The operations of one time step of a single macro that holds all inputs.

        Args:
            active: numbers of the inputs that spike in this time step, in the order of their accumulation.

        Returns:
            The operations in the order of execution.
        """
        return [self.rows[kind].operation(index) for kind, index in self.step_kinds(active)]
