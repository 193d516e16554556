"""A layer on calibrated macros: from the operations and events of a run to energy and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral import macro_table as table
from pyspice_cim.behavioral.baseline import UPDATES, StateUpdate, state_update
from pyspice_cim.behavioral.calibration import Calibration, calibrate
from pyspice_cim.behavioral.config import MacroConfig
from pyspice_cim.behavioral.mapping import LayerMap
from pyspice_cim.tables import Lookup, Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerRun:
    """What a layer did on its macros.

    Attributes:
        operations: counts of all macros by kind (``macro_table.KINDS``), (batch, kinds).
        path: operations that follow each other in the layer, (batch, updates): with the decay in the array, and one
            after the other (``CalibratedLayer.decays``).
        active: values of the inputs, summed over all steps, (batch,).
        sops: synaptic operations: values of the inputs, each times its fan-out, (batch,).
        events: counts by kind and event summed over all columns, (batch, kinds, events); ``None`` without energies.
        writes: scratch cells written, by ``macro_table.TRANSITIONS``, (batch, 4); ``None`` without energies.
        energy_error: relative RMS error of ``expected``, see ``expected.py``; else 0.
    """

    operations: Ints
    path: Floats
    active: Ints
    sops: Ints
    events: NDArray[Any] | None = None
    writes: NDArray[Any] | None = None
    energy_error: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibratedLayer:
    """A layer on macros, with what its table says.

    Attributes:
        line_energy: of the control lines in one operation, by kind of operation and component, J.
        write_energy: writing a scratch cell by ``macro_table.TRANSITIONS``, J; 0 for a layer without transfers.
        update: one decay of the neurons of each group, in the array and one after the other.
        clipped: look-ups that left the table.
    """

    mapped: LayerMap
    calibration: Calibration
    line_energy: tuple[Mapping[str, float], ...]
    write_energy: Floats
    update: StateUpdate
    clipped: int

    @property
    def leakage(self) -> float:
        """Leakage power of all macros, W."""
        return self.mapped.macros * self.calibration.leakage

    @property
    def decays(self) -> Floats:
        """Operations that a decay takes, (groups, 3): in the array, one after the other by ``baseline.UPDATES``."""
        times = [self.update.parallel_time, *(self.update.sequential_time[name] for name in UPDATES)]
        return np.stack(times, axis=-1) / self.calibration.operation_time(1)

    def counts(self, run: LayerRun) -> dict[str, Ints]:
        """Operations by name, (batch,)."""
        counts: dict[str, Any] = {}
        for kind, name in enumerate(table.NAMES):
            if self._occurs(name):
                counts[name] = counts.get(name, 0) + run.operations[:, kind]
        return counts

    def times(self, run: LayerRun, steps: int) -> Floats:
        """Time of the layer, s, (batch, 3), by how the decay is done: its busiest macros, and the drain of every step."""
        drain = max(self.calibration.write_delay, self.calibration.flag_delay)
        return self.calibration.operation_time(1) * run.path + steps * drain

    def _occurs(self, name: str) -> bool:
        return not name.startswith("transfer") or self.mapped.macros > len(self.mapped.groups)

    def energy(self, run: LayerRun) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Energy by component and by operation, without leakage, J, (batch,) each; empty without events.

        E = sum over kinds (events x energy of the event + operations x energy of the lines) + scratch cells written
        """
        if run.events is None or run.writes is None:
            return {}, {}
        components: dict[str, Any] = {}
        operations: dict[str, Any] = {}

        def add(component: str, operation: str, energy: NDArray[Any]) -> None:
            components[component] = components.get(component, 0.0) + energy
            operations[operation] = operations.get(operation, 0.0) + energy

        for kind, lines in enumerate(self.line_energy):
            if not self._occurs(table.NAMES[kind]):
                continue
            for name, each in self.calibration.event_energy.items():
                add(name, table.NAMES[kind], run.events[:, kind] @ each)
            for name, energy in lines.items():
                add(name, table.NAMES[kind], run.operations[:, kind] * energy)
        if self._occurs("transfer_write"):
            wordlines = self.mapped.config.bits * self.calibration.line_energy["wwv"]
            add("write_wordlines", "transfer_write", run.operations[:, table.SEND] * wordlines)
            add("scratch_writes", "transfer_write", run.writes @ self.write_energy)
        return components, operations


def calibrated_layer(mapped: LayerMap, figures: Table, calibration: Calibration | None = None) -> CalibratedLayer:
    """Look up what the macros of ``mapped`` need in the table ``figures``.

    Raises:
        TableError: if the table lacks it; ``OutsideTableError`` outside of it under the policy ``raise``.
    """
    config = mapped.config
    calibration = calibration or calibrate(config, figures)
    update = state_update(config, figures, calibration, [len(group.neurons) for group in mapped.groups])
    energy, clipped = np.zeros(len(table.TRANSITIONS)), 0
    if mapped.macros > len(mapped.groups):
        energy, clipped = _write_energy(config, figures)
    return CalibratedLayer(
        mapped=mapped,
        calibration=calibration,
        line_energy=tuple(calibration.lines_energy(each) for each in table.operations(mapped.layer.params)),
        write_energy=energy,
        update=update,
        clipped=calibration.clipped + update.clipped + clipped,
    )


def _write_energy(config: MacroConfig, figures: Table) -> tuple[Floats, int]:
    """A write of an 8T cell with its bitlines and their drivers, by transition."""
    look = Lookup(figures, outside=config.outside)
    labels = [str(label) for label in figures.quantity("sram8t_write_energy")["transition"].values]
    energy = look(
        "sram8t_write_energy",
        process=config.process,
        vdd=config.vdd,
        temperature_c=config.temperature_c,
        sram8t_rows=config.rows,
    )
    return np.array([float(energy[labels.index(name)]) for name in table.TRANSITIONS]), look.clipped
