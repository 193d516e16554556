"""What a macro takes from its table: cycle, energies, delays and leakage at its operating point."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.errors import TableError
from pyspice_cim.microcode import EVENTS, Operation, line_pulses
from pyspice_cim.microcode.lines import driver_units
from pyspice_cim.tables import Lookup, Table
from pyspice_cim.technology.bitcells import table_names

# Components of the lines' energy, by kind of line. The precharge clock counts as a clock, the segment's as a word line:
# it is pulsed by the address.
_LINE_COMPONENTS = {
    "clocks": ("ph1", "ph1b", "ph2", "ph2b", "phq", "phqb", "pcb", "rst", "fc", "fcb"),
    "mask_lines": ("za", "zb"),
    "constant_lines": ("dc0", "dc1"),
    "read_wordlines": ("rwv", "rww", "pcs"),
    "write_wordlines": ("wwv",),
}


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Figures of one macro, all of them looked up.

    Attributes:
        cycle: s.
        column_bits: ``P``, bits of a column's word.
        event_energy: column component to the energy of each event of ``microcode.EVENTS``, J.
        line_energy: kind of line to the energy of one pulse with its driver, all columns, J.
        decoder_energy: choosing one of the weight rows, J; 0 where the macro has a single row.
        write_delay, flag_delay: s after the start of a cycle.
        leakage: power of the idle macro, W.
        residual: relative RMS error of the energy of one column's operation in the table's calibration.
        clipped: look-ups that left the table and were clipped.
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
        """Energy of the control lines and the weight-row decoder in one operation, J."""
        pulses = line_pulses(operation, bits=self.column_bits)
        energy = {
            component: sum(pulses[kind] * self.line_energy[kind] for kind in kinds)
            for component, kinds in _LINE_COMPONENTS.items()
        }
        energy["decoder"] = pulses["rww"] * self.decoder_energy
        return energy

    def operation_time(self, operations: int) -> float:
        """Time of ``operations`` that follow each other, s; the last write drains into the next program."""
        return operations * self.column_bits * self.cycle


def calibrate(config: MacroConfig, table: Table) -> Calibration:
    """Look up everything that a macro of ``config`` needs.

    Raises:
        TableError: if the table is of another technology, lacks a quantity or the point failed; ``OutsideTableError`` if
            the macro lies outside it and ``config.outside`` is ``raise``.
    """
    table.require_technology(config.technology)
    look = Lookup(table, outside=config.outside)
    corner = {"process": config.process, "vdd": config.vdd, "temperature_c": config.temperature_c}
    place = {**corner, "column_rows": config.rows, "column_segments": config.segments}

    def column(name: str) -> NDArray[np.float64]:
        return look(name, **place)  # type: ignore[arg-type]

    labels = table.quantity("column_event_energy")
    if tuple(str(event) for event in labels["event"].values) != tuple(EVENTS):
        raise TableError(
            f"table {table.source} was made with other events than this package counts; characterize again"
        )
    energy = column("column_event_energy")
    # Columns of another bit cell have no leakage of this name: a table of theirs is refused here.
    cell_leakage = float(column(table_names(config.bitcell).leakage))
    cells = config.rows * (1 + config.segments)
    column_leakage = float(column("slice_leakage")) + config.segments * float(column("segment_leakage"))
    column_leakage += cells * cell_leakage
    cycle = config.margin * float(column("column_minimum_cycle"))
    load = column("column_line_capacitance")
    kinds = [str(kind) for kind in table.quantity("column_line_capacitance")["line"].values]
    # n unit drivers in parallel with n times the load cost n times the energy of one.
    units = np.array([driver_units(kind, columns=config.neurons, segments=config.segments) for kind in kinds])
    pulse = units * look("driver_energy", **corner, line_load=load * config.neurons / units)  # type: ignore[arg-type]
    weight_rows = config.inputs * config.weight_bits
    decoder = look("decoder_energy", **corner, decoder_rows=weight_rows)  # type: ignore[arg-type]
    return Calibration(
        cycle=cycle,
        column_bits=config.bits,
        event_energy={str(name): energy[i] for i, name in enumerate(labels["component"].values)},
        line_energy=dict(zip(kinds, (float(e) for e in pulse), strict=True)),
        decoder_energy=float(decoder),
        write_delay=float(column("column_write_delay")),
        flag_delay=float(column("column_flag_delay")),
        leakage=config.neurons * column_leakage,
        residual=float(column("column_event_residual")),
        clipped=look.clipped,
    )
