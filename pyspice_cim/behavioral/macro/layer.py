"""A layer on calibrated macros: energy and time follow from the operations and events of a run."""

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
        operations: operations of all macros by kind (a row of the step program), shape (batch, kinds).
        path: operations on the critical path of the layer, shape (batch, 1 + compared). The first column holds the macros'
            own update, the others hold the updates of ``CalibratedLayer.compared``.
        active: sum of the input values over all steps, shape (batch,).
        sops: synaptic operations, shape (batch,). An input value counts once for each neuron that sees the input.
        events: sum of each event over all columns, shape (batch, kinds, events); ``None`` in the mode ``none``.
        writes: written scratch cells by ``kernels.program.TRANSITIONS``, shape (batch, 4); ``None`` in the mode ``none``.
        energy_error: relative RMS error of the mode ``expected`` (``expected.py``); 0 in other modes.
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
    """A mapped layer with the values that its table gives.

    Attributes:
        mapped: the layer on its macros.
        calibration: values of one macro.
        line_energy: energy of the control lines in one operation, by kind and component, in J.
        write_energy: energy of writing one scratch cell, by ``kernels.program.TRANSITIONS``, in J. A layer without
            partial-sum macros has zeros.
        units: cost of one update of each group by a unit beside the array, by update organisation.
        compared: names of the update organisations that a report compares with the macros' own.
        clipped: number of look-ups that left the table.
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
        """Leakage power of all macros, in W."""
        return self.mapped.macros * self.calibration.leakage

    @property
    def before_inputs(self) -> Floats:
        """Duration of the update before the inputs of a step, in operations, shape (groups, 1 + compared).

        The first column holds the macros' own update, the others hold the updates of ``compared``.
        """
        operation, program = self.calibration.operation_time(1), self.mapped.program
        rows = [program.rows[kind] for kind in program.kinds(Guard.BEFORE_INPUTS)]
        groups = len(self.mapped.groups)

        def own(cost: str) -> Floats:
            return np.ones(groups) if cost == COLUMNS else self.units[cost].time / operation

        times = [sum((own(row.cost) for row in rows), np.zeros(groups))]
        times += [self.units[name].time / operation for name in self.compared]
        return np.stack(times, axis=-1)

    def counts(self, run: LayerRun) -> dict[str, Ints]:
        """Return the number of operations of ``run`` by name, shape (batch,) each."""
        counts: dict[str, Any] = {}
        for kind, name in enumerate(self.mapped.program.names):
            if self._occurs(kind):
                counts[name] = counts.get(name, 0) + run.operations[:, kind]
        return counts

    def times(self, run: LayerRun, steps: int) -> Floats:
        """Return the time that the layer takes, in s.

        t = operations on the critical path x time of one operation + steps x drain of the last write of a step

        Args:
            run: what the layer did.
            steps: number of time steps.

        Returns:
            Times, shape (batch, 1 + compared), in the order of ``before_inputs``.
        """
        drain = max(self.calibration.write_delay, self.calibration.flag_delay)
        return self.calibration.operation_time(1) * run.path + steps * drain

    def _occurs(self, kind: int) -> bool:
        """Return whether the layer has macros that run ``kind``. A layer without partial-sum macros transfers nothing."""
        transfer = self.mapped.program.rows[kind].guard in (Guard.SENT, Guard.FIRST_RECEIVED, Guard.LATER_RECEIVED)
        return not transfer or self.mapped.macros > len(self.mapped.groups)

    def energy(self, run: LayerRun) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return the energy of ``run`` by component and by operation, without leakage.

        E = sum over kinds (events x energy of an event + operations x energy of the control lines)
            + written scratch cells x energy of a write

        A unit beside the array replaces the first sum for the program rows that name the unit. ``COMPONENTS`` adds the
        registered components.

        Args:
            run: what the layer did.

        Returns:
            Energy by component and energy by operation, in J, shape (batch,) each. Both are empty if ``run`` has no events.

        Source of the sum over events: the regression of ``characterization.benches.column``.
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


# A function of a layer and its run that gives rows of (component, operation, energy in J, shape (batch,)).
Component = Callable[[CalibratedLayer, LayerRun], Iterable[tuple[str, str, Floats]]]
COMPONENTS: dict[str, Component] = {}


def register_component(name: str, component: Component) -> None:
    """Add ``component`` to the energy of every layer, for example the energy of a controller.

    Args:
        name: key in ``COMPONENTS``.
        component: function that computes the rows of the component from a layer and its run.
    """
    COMPONENTS[name] = component


def calibrated_layer(
    mapped: LayerMap,
    lookup_table: Table,
    calibration: Calibration | None = None,
    compare: Sequence[str] | None = None,
) -> CalibratedLayer:
    """Return ``mapped`` with the values that its macros need.

    Args:
        mapped: the layer on its macros.
        lookup_table: table of the macros' technology.
        calibration: values of one macro; by default looked up.
        compare: update organisations that a report compares with the macros' own; by default all that the table covers.

    Raises:
        TableError: if the table lacks a quantity; ``OutsideTableError`` outside of the table under the policy ``raise``.
        ConfigError: for an update organisation that is not registered, or that the columns compute themselves.
    """
    config = mapped.config
    calibration = calibration or calibrate(config, lookup_table)
    neurons = np.array([len(group.neurons) for group in mapped.groups])
    costs = {row.cost for row in mapped.program.rows} - {COLUMNS}
    units = {name: _unit(name)(lookup_table, config.place, neurons) for name in sorted(costs)}
    compared = []
    # A comparison that nobody asked for is left out where the table does not hold all of it.
    place = config.place if compare is not None else replace(config.place, outside="raise")
    for name in _beside(config.organisation.update) if compare is None else compare:
        try:
            units[name] = _unit(name)(lookup_table, place, neurons)
        except TableError:
            if compare is not None:
                raise
        else:
            compared.append(name)
    energy, clipped = np.zeros(len(table.TRANSITIONS)), 0
    if mapped.macros > len(mapped.groups):
        energy, clipped = _write_energy(config, lookup_table)
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
    """Return the registered update organisations that have a unit beside the array, without ``update``."""
    return [name for name, each in UPDATES.items() if each.unit is not None and name != update]


def _unit(name: str) -> Callable[[Table, Place, Ints], UnitCost]:
    unit = UPDATES[name].unit if name in UPDATES else None
    if unit is None:
        known = ", ".join(each for each, update in UPDATES.items() if update.unit is not None)
        raise ConfigError(f"update organisation {name!r} is none with a unit beside the array; choose from {known}")
    return unit


def _write_energy(config: MacroConfig, lookup_table: Table) -> tuple[Floats, int]:
    """Energy of one write of a bit cell with bitlines and drivers, by transition (J); look-ups that were clipped."""
    look = Lookup(lookup_table, outside=config.outside)
    names = table_names(config.bitcell)
    labels = [str(label) for label in lookup_table.quantity(names.write_energy)[contract.TRANSITION.name].values]
    here: dict[str, Any] = {**config.corner.model_dump(), names.rows: config.rows}
    energy = look.counted(names.write_energy, **here)
    return np.array([float(energy.value[labels.index(name)]) for name in table.TRANSITIONS]), energy.clipped
