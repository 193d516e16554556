"""The configuration of a macro: size, bits, organisation and operating point."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Literal

import numpy as np

from pyspice_cim.checks import check_integer, check_number, check_type
from pyspice_cim.errors import ConfigError
from pyspice_cim.microcode import column_bits
from pyspice_cim.organisation import Organisation, Place
from pyspice_cim.technology import Corner
from pyspice_cim.technology.bitcells import table_names

_DEFAULT = Organisation()


@dataclass(frozen=True, kw_only=True)
class MacroConfig:
    """One SRAM macro of LD-LIF neurons, with one neuron in each column.

    Attributes:
        technology: name of the technology of the macro and of its table.
        neurons: number of columns.
        inputs: number of inputs; each input has ``weight_bits`` weight rows.
        weight_bits, membrane_bits: number of bits in two's complement.
        column_bits: number of bits of a column's word, with guard bits. The default serves any weights. Fewer bits are
            faster; ``microcode.column_bits`` computes how many bits given weights need.
        rows: number of rows of the membrane segment and of each weight segment.
        process: process corner.
        vdd: supply voltage in V.
        temperature_c: temperature in degrees Celsius.
        margin: working cycle over the minimum cycle of the table.
        outside: policy where a look-up leaves the table: ``raise``, or ``clip`` and count.
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
        """Number of bits of a column's word."""
        if self.column_bits is not None:
            return self.column_bits
        half = 2 ** (self.weight_bits - 1)
        extremes = np.tile(np.array([half - 1, -half]), (self.inputs, 1))
        return column_bits(extremes, self.membrane_bits)

    @property
    def place(self) -> Place:
        """The place of the macro in a table."""
        return Place(corner=self.corner, membrane_bits=self.membrane_bits, outside=self.outside)

    @property
    def corner(self) -> Corner:
        """The operating point of the macro.

        Raises:
            TechnologyError: if the supply or the temperature is impossible.
        """
        return Corner(process=self.process, vdd=self.vdd, temperature_c=self.temperature_c)

    @property
    def segments(self) -> int:
        """Number of weight segments of a column."""
        return -(-self.inputs * self.weight_bits // self.rows)


def checked_conditions(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``conditions`` if each of them is a field of ``MacroConfig`` that does not follow from a layer.

    Raises:
        ConfigError: if a condition is a size that follows from a layer, or is no field of ``MacroConfig``.
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
