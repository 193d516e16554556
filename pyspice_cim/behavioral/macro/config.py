"""What a macro is: its size, its bits and the conditions at which it works."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Literal

import numpy as np

from pyspice_cim.checks import check_integer, check_number, check_type
from pyspice_cim.errors import ConfigError
from pyspice_cim.microcode import column_bits
from pyspice_cim.organisation import Organisation, Place
from pyspice_cim.technology.bitcells import table_names

_DEFAULT = Organisation()


@dataclass(frozen=True, kw_only=True)
class MacroConfig:
    """One SRAM macro of LD-LIF neurons, a neuron a column.

    Attributes:
        technology: name of the technology that its table must be of.
        neurons: columns.
        inputs: weight rows of a column, in inputs.
        weight_bits, membrane_bits: two's complement.
        column_bits: bits of a column's word, guard bits included; by default as many as any weights could need. Fewer
            are faster: ``microcode.column_bits`` says how many given weights need.
        rows: rows of a segment (membranes, and each weight segment).
        process, vdd, temperature_c: operating conditions; V and degrees Celsius.
        margin: cycle over the table's minimum cycle.
        outside: what to do where a look-up leaves the table: ``raise``, or ``clip`` and count.
        organisation: how the macro accumulates its inputs and updates its membranes.
        bitcell: name of the bit cell that the array is made of (``technology.bitcells``).

    Raises:
        ConfigError: if a field is of another type or out of range.
    """

    technology: str
    neurons: int
    inputs: int
    weight_bits: int = 4
    membrane_bits: int = 8
    column_bits: int | None = None
    rows: int = 16
    process: str = "tt"
    vdd: float = 1.1
    temperature_c: float = 27.0
    margin: float = 1.10
    outside: Literal["raise", "clip"] = "raise"
    organisation: Organisation = _DEFAULT
    bitcell: str = "sram8t"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("neurons", 1, 4096),
            ("inputs", 1, 4096),
            ("weight_bits", 2, 8),
            ("membrane_bits", 2, 16),
            ("rows", 2, 256),
        ):
            # NumPy's integers become Python's, which neither overflow nor change how a macro is printed.
            object.__setattr__(self, name, check_integer(name, getattr(self, name), low, high))
        check_type("technology", self.technology, str)
        check_type("process", self.process, str)
        if self.column_bits is not None:
            object.__setattr__(self, "column_bits", check_integer("column_bits", self.column_bits, 2, 256))
        for name in ("vdd", "temperature_c", "margin"):
            if not isfinite(check_number(name, getattr(self, name))):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; it must be a finite number")
        if self.margin < 1.0:
            raise ConfigError(f"margin is {self.margin!r}; a macro cannot work below its minimum cycle: give 1 or more")
        if not isinstance(self.outside, str) or self.outside not in ("raise", "clip"):
            raise ConfigError(f"outside is {self.outside!r}; choose raise or clip")
        if not isinstance(self.organisation, Organisation):
            raise ConfigError(f"organisation is {self.organisation!r}; give an Organisation")
        table_names(self.bitcell)

        if self.bits > self.rows:
            raise ConfigError(
                f"rows is {self.rows}, but a column's word has {self.bits} bits: give at least as many rows"
            )

    @property
    def bits(self) -> int:
        """Bits of a column's word."""
        if self.column_bits is not None:
            return self.column_bits
        half = 2 ** (self.weight_bits - 1)
        extremes = np.tile(np.array([half - 1, -half]), (self.inputs, 1))
        return column_bits(extremes, self.membrane_bits)

    @property
    def place(self) -> Place:
        """Where the macro stands in a table."""
        return Place(
            process=self.process,
            vdd=self.vdd,
            temperature_c=self.temperature_c,
            membrane_bits=self.membrane_bits,
            outside=self.outside,
        )

    @property
    def segments(self) -> int:
        """Weight segments of a column."""
        return -(-self.inputs * self.weight_bits // self.rows)


def checked_conditions(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``conditions``, fields of ``MacroConfig``, for macros whose sizes follow from the layers on them.

    Raises:
        ConfigError: if a condition is such a size, or no field of ``MacroConfig``.
    """
    sizes = ("neurons", "inputs", "weight_bits", "membrane_bits", "column_bits")
    known = [field.name for field in fields(MacroConfig) if field.name not in sizes]
    for name in conditions:
        if name in sizes:
            raise ConfigError(
                f"{name} is given, but follows from the layer; leave it out, or map layers to a MacroConfig"
            )
        if name not in known:
            raise ConfigError(f"{name} is no condition of a macro; choose from {', '.join(known)}")
    return dict(conditions)
