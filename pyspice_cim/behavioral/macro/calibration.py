"""The values that a macro takes from its table: cycle, energies, delays and leakage at its operating point."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.errors import TableError
from pyspice_cim.microcode import EVENTS, Operation, line_pulses
from pyspice_cim.microcode.lines import driver_units
from pyspice_cim.tables import Lookup, Table, contract
from pyspice_cim.tables.quantity import Quantity

# Components of the control lines' energy, by kind of line. The precharge clock is a clock. The precharge line of a segment
# counts as a wordline, because the address pulses the line.
_LINE_COMPONENTS = {
    "clocks": ("ph1", "ph1b", "ph2", "ph2b", "phq", "phqb", "pcb", "rst", "fc", "fcb"),
    "mask_lines": ("za", "zb"),
    "constant_lines": ("dc0", "dc1"),
    "read_wordlines": ("rwv", "rww", "pcs"),
    "write_wordlines": ("wwv",),
}


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Values of one macro, looked up in a table.

    Attributes:
        cycle: time of one bit cycle, in s.
        column_bits: ``P``, number of bits of a column's word.
        event_energy: energy of each event of ``microcode.EVENTS`` by component of a column, in J.
        line_energy: energy of one pulse of a control line with its driver, for all columns, by kind of line, in J.
        decoder_energy: energy of selecting one weight row, in J. A macro with a single row has 0.
        write_delay, flag_delay: delay of the last stored bit and of the flag after the start of a cycle, in s.
        leakage: leakage power of the idle macro, in W.
        residual: relative RMS error of the event regression for the energy of one operation of a column.
        clipped: number of look-ups that left the table and were clipped.
    """

    cycle: float
    column_bits: int
    event_energy: Mapping[str, NDArray[np.float64]]
    line_energy: Mapping[str, float]
    decoder_energy: float
    write_delay: float
    flag_delay: float
    leakage: float
    residual: float
    clipped: int

    def lines_energy(self, operation: Operation) -> dict[str, float]:
        """Return the energy of the control lines and of the weight-row decoder in ``operation``, by component, in J."""
        pulses = line_pulses(operation, bits=self.column_bits)
        energy = {
            component: sum(pulses[kind] * self.line_energy[kind] for kind in kinds)
            for component, kinds in _LINE_COMPONENTS.items()
        }
        energy["decoder"] = pulses["rww"] * self.decoder_energy
        return energy

    def operation_time(self, operations: int) -> float:
        """Return the time of ``operations`` consecutive operations, in s: t = operations x P x cycle.

        The time leaves out the drain of the last write, which overlaps with the next operation.
        """
        return operations * self.column_bits * self.cycle


def calibrate(config: MacroConfig, table: Table) -> Calibration:
    """Look up the values of a macro.

    A line needs n unit drivers in parallel. Their energy is n times the energy of one unit driver with an n-th of the load.

    Args:
        config: size, bits and conditions of the macro.
        table: table of the macro's technology.

    Returns:
        The values at the operating point of ``config``.

    Raises:
        TableError: if the table is of another technology, or a quantity is not there or failed.
        OutsideTableError: if the macro lies outside the table and ``config.outside`` is ``raise``.
    """
    table.require_technology(config.technology)
    look = Lookup(table, outside=config.outside)
    corner: dict[str, Any] = config.corner.model_dump()
    clipped = 0

    def found(quantity: Quantity, **place: Any) -> NDArray[np.float64]:
        nonlocal clipped
        looked = look.counted(quantity.name, **corner, **place)
        clipped += looked.clipped
        return looked.value

    def column(quantity: Quantity) -> NDArray[np.float64]:
        return found(quantity, **contract.COLUMN.at(rows=config.rows, segments=config.segments))

    labels = table.quantity(contract.COLUMN_EVENT_ENERGY.name)
    if tuple(str(event) for event in labels[contract.EVENT.name].values) != tuple(EVENTS):
        raise TableError(
            f"table {table.source} was made with other events than this package counts; characterize again"
        )
    energy = column(contract.COLUMN_EVENT_ENERGY)
    # Columns of another bit cell have no leakage of this name: a table of theirs is refused here.
    slice_, segment, cell = (
        float(column(each))
        for each in (contract.SLICE_LEAKAGE, contract.SEGMENT_LEAKAGE, contract.cell_leakage(config.bitcell))
    )
    cells = config.rows * (1 + config.segments)
    column_leakage = slice_ + config.segments * segment
    column_leakage += cells * cell
    cycle = config.margin * float(column(contract.COLUMN_MINIMUM_CYCLE))
    load = column(contract.COLUMN_LINE_CAPACITANCE)
    lines = table.quantity(contract.COLUMN_LINE_CAPACITANCE.name)[contract.LINE.name]
    kinds = [str(kind) for kind in lines.values]
    units = np.array([driver_units(kind, columns=config.neurons, segments=config.segments) for kind in kinds])
    pulse = units * found(contract.DRIVER_ENERGY, **{contract.LINE_LOAD.name: load * config.neurons / units})
    decoder = found(contract.DECODER_ENERGY, **contract.DECODER.at(rows=config.inputs * config.weight_bits))
    components = [str(name) for name in labels[contract.COMPONENT.name].values]
    return Calibration(
        cycle=cycle,
        column_bits=config.bits,
        event_energy={name: energy[i] for i, name in enumerate(components)},
        line_energy=dict(zip(kinds, (float(e) for e in pulse), strict=True)),
        decoder_energy=float(decoder),
        write_delay=float(column(contract.COLUMN_WRITE_DELAY)),
        flag_delay=float(column(contract.COLUMN_FLAG_DELAY)),
        leakage=config.neurons * column_leakage,
        residual=float(column(contract.COLUMN_EVENT_RESIDUAL)),
        clipped=clipped,
    )
