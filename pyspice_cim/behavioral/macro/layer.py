"""A layer on calibrated macros: from the operations and events of a run to energy and time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels import program as table
from pyspice_cim.behavioral.macro.calibration import Calibration, calibrate
from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.mapping import LayerMap
from pyspice_cim.errors import ConfigError, TableError
from pyspice_cim.organisation import UPDATES, Guard, Place, UnitCost
from pyspice_cim.organisation.program import COLUMNS
from pyspice_cim.tables import Lookup, Table, contract
from pyspice_cim.technology.bitcells import table_names

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerRun:
    """What a layer did on its macros.

    Attributes:
        operations: counts of all macros by kind (a row of the step program), (batch, kinds).
        path: operations that follow each other in the layer, (batch, 1 + compared): as the macros are organised, and with
            each update that they are compared with (``CalibratedLayer.before_inputs``).
        active: values of the inputs, summed over all steps, (batch,).
        sops: synaptic operations: values of the inputs, each times its fan-out, (batch,).
        events: counts by kind and event summed over all columns, (batch, kinds, events); ``None`` without energies.
        writes: scratch cells written, by ``kernels.program.TRANSITIONS``, (batch, 4); ``None`` without energies.
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
        write_energy: writing a scratch cell by ``kernels.program.TRANSITIONS``, J; 0 for a layer without transfers.
        units: update organisation to the cost of one update of each group by its unit beside the array: that of the
            macro's own organisation, if it has one, and those that it is compared with.
        compared: the update organisations that the layer is compared with.
        clipped: look-ups that left the table.
    """

    mapped: LayerMap
    calibration: Calibration
    line_energy: tuple[Mapping[str, float], ...]
    write_energy: Floats
    units: Mapping[str, UnitCost]
    compared: tuple[str, ...]
    clipped: int

    @property
    def leakage(self) -> float:
        """Leakage power of all macros, W."""
        return self.mapped.macros * self.calibration.leakage

    @property
    def before_inputs(self) -> Floats:
        """Operations before the inputs of a step, (groups, 1 + compared): as the macro is organised, then as each other."""
        operation, program = self.calibration.operation_time(1), self.mapped.program
        rows = [program.rows[kind] for kind in program.kinds(Guard.BEFORE_INPUTS)]
        groups = len(self.mapped.groups)

        def own(cost: str) -> Floats:
            return np.ones(groups) if cost == COLUMNS else self.units[cost].time / operation

        times = [sum((own(row.cost) for row in rows), np.zeros(groups))]
        times += [self.units[name].time / operation for name in self.compared]
        return np.stack(times, axis=-1)

    def counts(self, run: LayerRun) -> dict[str, Ints]:
        """Operations by name, (batch,)."""
        counts: dict[str, Any] = {}
        for kind, name in enumerate(self.mapped.program.names):
            if self._occurs(kind):
                counts[name] = counts.get(name, 0) + run.operations[:, kind]
        return counts

    def times(self, run: LayerRun, steps: int) -> Floats:
        """Time of the layer, s, (batch, 1 + compared): its busiest macros, and the drain of every step."""
        drain = max(self.calibration.write_delay, self.calibration.flag_delay)
        return self.calibration.operation_time(1) * run.path + steps * drain

    def _occurs(self, kind: int) -> bool:
        """Whether the layer has macros that run rows of ``kind``: without partial-sum macros nothing is transferred."""
        transfer = self.mapped.program.rows[kind].guard in (Guard.SENT, Guard.FIRST_RECEIVED, Guard.LATER_RECEIVED)
        return not transfer or self.mapped.macros > len(self.mapped.groups)

    def energy(self, run: LayerRun) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Energy by component and by operation, without leakage, J, (batch,) each; empty without events.

        E = sum over kinds (events x energy of the event + operations x energy of the lines) + scratch cells written

        A row that a unit beside the array computes costs what its unit does. ``COMPONENTS`` adds what else is registered.
        """
        if run.events is None or run.writes is None:
            return {}, {}
        components: dict[str, Any] = {}
        operations: dict[str, Any] = {}

        def add(component: str, operation: str, energy: NDArray[Any]) -> None:
            components[component] = components.get(component, 0.0) + energy
            operations[operation] = operations.get(operation, 0.0) + energy

        program = self.mapped.program
        for kind, row in enumerate(program.rows):
            if not self._occurs(kind):
                continue
            if row.cost != COLUMNS:
                # Each group runs the row equally often.
                of_a_group = float(self.units[row.cost].energy.sum()) / len(self.mapped.groups)
                add(row.cost, row.name, run.operations[:, kind] * of_a_group)
                continue
            for name, of_event in self.calibration.event_energy.items():
                add(name, row.name, run.events[:, kind] @ of_event)
            for name, energy in self.line_energy[kind].items():
                add(name, row.name, run.operations[:, kind] * energy)
        sent = program.kinds(Guard.SENT)[:1]
        if sent and self._occurs(sent[0]):
            wordlines = self.mapped.config.bits * self.calibration.line_energy["wwv"]
            add("write_wordlines", "transfer_write", run.operations[:, sent[0]] * wordlines)
            add("scratch_writes", "transfer_write", run.writes @ self.write_energy)
        for component in COMPONENTS.values():
            for name, operation, joules in component(self, run):
                add(name, operation, joules)
        return components, operations


# Further components of the energy of a layer's run, by name of what they are of: (component, operation, J [batch]) each.
Component = Callable[[CalibratedLayer, LayerRun], Iterable[tuple[str, str, Floats]]]
COMPONENTS: dict[str, Component] = {}


def register_component(name: str, component: Component) -> None:
    """Add ``component`` to the energy of every layer, e.g. a controller's: J an operation that it counts in the run."""
    COMPONENTS[name] = component


def calibrated_layer(
    mapped: LayerMap,
    figures: Table,
    calibration: Calibration | None = None,
    compare: Sequence[str] | None = None,
) -> CalibratedLayer:
    """Look up what the macros of ``mapped`` need in the table ``figures``.

    Args:
        compare: update organisations to compare the layer's with; ``None``: all that the table holds for these macros.

    Raises:
        TableError: if the table lacks a quantity; ``OutsideTableError`` outside of the table under the policy ``raise``.
        ConfigError: for an update organisation that is not registered, or that the columns compute themselves.
    """
    config = mapped.config
    calibration = calibration or calibrate(config, figures)
    neurons = np.array([len(group.neurons) for group in mapped.groups])
    costs = {row.cost for row in mapped.program.rows} - {COLUMNS}
    units = {name: _unit(name)(figures, config.place, neurons) for name in sorted(costs)}
    compared = []
    # A comparison that nobody asked for is left out where the table does not hold all of it.
    place = config.place if compare is not None else replace(config.place, outside="raise")
    for name in _beside(config.organisation.update) if compare is None else compare:
        try:
            units[name] = _unit(name)(figures, place, neurons)
        except TableError:
            if compare is not None:
                raise
        else:
            compared.append(name)
    energy, clipped = np.zeros(len(table.TRANSITIONS)), 0
    if mapped.macros > len(mapped.groups):
        energy, clipped = _write_energy(config, figures)
    return CalibratedLayer(
        mapped=mapped,
        calibration=calibration,
        line_energy=tuple(calibration.lines_energy(each) for each in mapped.program.operations),
        write_energy=energy,
        units=units,
        compared=tuple(compared),
        clipped=calibration.clipped + sum(unit.clipped for unit in units.values()) + clipped,
    )


def _beside(update: str) -> list[str]:
    """Registered update organisations other than ``update`` that have a unit beside the array."""
    return [name for name, each in UPDATES.items() if each.unit is not None and name != update]


def _unit(name: str) -> Callable[[Table, Place, Ints], UnitCost]:
    unit = UPDATES[name].unit if name in UPDATES else None
    if unit is None:
        known = ", ".join(each for each, update in UPDATES.items() if update.unit is not None)
        raise ConfigError(f"update organisation {name!r} is none with a unit beside the array; choose from {known}")
    return unit


def _write_energy(config: MacroConfig, figures: Table) -> tuple[Floats, int]:
    """Energy of one write of a bit cell with bitlines and drivers, by transition (J); look-ups that were clipped."""
    look = Lookup(figures, outside=config.outside)
    names = table_names(config.bitcell)
    labels = [str(label) for label in figures.quantity(names.write_energy)[contract.TRANSITION.name].values]
    energy = look.counted(
        names.write_energy,
        process=config.process,
        vdd=config.vdd,
        temperature_c=config.temperature_c,
        **{names.rows: config.rows},  # type: ignore[arg-type]
    )
    return np.array([float(energy.value[labels.index(name)]) for name in table.TRANSITIONS]), energy.clipped
