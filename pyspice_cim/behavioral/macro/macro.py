"""A calibrated macro that runs one layer of LD-LIF neurons bit for bit and reports energy and time.

``run.py`` describes the run and the modes of the energy.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.macro.calibration import Calibration, calibrate
from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.layer import calibrated_layer
from pyspice_cim.behavioral.macro.mapping import map_layers
from pyspice_cim.behavioral.macro.run import EnergyMode, run_mapped
from pyspice_cim.behavioral.network.conversion import integer_layer
from pyspice_cim.behavioral.network.file import Layer
from pyspice_cim.checks import check_type
from pyspice_cim.errors import ConfigError
from pyspice_cim.microcode import column_bits
from pyspice_cim.tables import Table

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class MacroRun:
    """Result of one layer on a macro.

        time = operations x column bits x cycle + steps x max(write delay, flag delay)

    Attributes:
        spikes: uint8, (time, batch, neurons).
        membranes: membranes after the last time step, int64, (batch, neurons).
        energy: energy of each component, ``leakage`` included, (batch,), in joules.
        operations: number of operations by name, (batch,).
        operation_energy: energy of each operation without leakage, (batch,), in joules.
        sops: number of synaptic operations (active inputs times neurons), (batch,).
        time: time of all time steps, (batch,), in seconds.
        energy_error: relative RMS error of the mode ``expected`` (``expected.py``). The mode ``exact`` has 0.
    """

    spikes: NDArray[np.uint8]
    membranes: NDArray[np.int64]
    energy: dict[str, Floats]
    operations: dict[str, NDArray[np.int64]]
    operation_energy: dict[str, Floats]
    sops: NDArray[np.int64]
    time: Floats
    energy_error: float


class Macro:
    """One macro, calibrated by a table.

    Args:
        config: size, widths in bits and operating point of the macro.
        table: calibration table.

    Raises:
        TableError: as ``calibration.calibrate``.
    """

    def __init__(self, config: MacroConfig, table: Table) -> None:
        check_type("config", config, MacroConfig)
        check_type("table", table, Table)
        self.config = config
        self.table = table
        self.calibration: Calibration = calibrate(config, table)

    def check(self, layer: Layer) -> None:
        """Check that the macro can hold ``layer``.

        Raises:
            ConfigError: if a size or a width differs, the decay is not clamp, or a sum needs more bits than a column
                has.
        """
        config = self.config
        for name, value, wanted in (
            ("neurons", config.neurons, layer.neurons),
            ("inputs", config.inputs, len(layer.weights)),
            ("weight_bits", config.weight_bits, layer.weight_bits),
            ("membrane_bits", config.membrane_bits, layer.params.membrane_bits),
        ):
            if value != wanted:
                raise ConfigError(f"the layer has {name} = {wanted}, the macro {value}; set {name} = {wanted}")
        if layer.params.decay != "clamp":
            raise ConfigError(
                f"decay is {layer.params.decay!r}; the array computes clamp only: run the layer with fast_run"
            )
        needed = column_bits(layer.weights, config.membrane_bits)
        if needed > config.bits:
            raise ConfigError(
                f"column_bits is {config.bits}, but the layer's sums need {needed}: give {needed} or more, or none"
            )

    def run(self, layer: Layer, spikes: NDArray[np.integer[Any]], energy: EnergyMode = "exact") -> MacroRun:
        """Run one layer on this macro from rest.

        Args:
            layer: layer of a network file.
            spikes: 0 or 1, (time, batch, inputs).
            energy: ``exact`` or ``expected``, see ``run.py``.

        Returns:
            Spikes, membranes, energies and time.

        Raises:
            ConfigError: if the macro cannot hold the layer, or ``energy`` is no mode.
            DataError: if the spikes have another shape or other values.
            TableError: if the table does not cover the layer.
        """
        self.check(layer)
        if energy not in ("exact", "expected"):
            raise ConfigError(f"energy = {energy!r} is no mode; choose exact or expected")
        mapping = map_layers(
            [integer_layer(layer)], (layer.inputs,), replace(self.config, column_bits=self.config.bits)
        )
        mapped = calibrated_layer(mapping.maps[0], self.table, self.calibration)
        run = run_mapped(mapping, (mapped,), spikes, energy, record=True)
        found = run.layers[0]
        components, operations = mapped.energy(found)
        time = mapped.times(found, spikes.shape[0])[:, 0]
        components["leakage"] = self.calibration.leakage * time
        assert run.spikes is not None
        return MacroRun(
            spikes=run.spikes[0],
            membranes=run.membranes[0].astype(np.int64),
            energy=components,
            operations=mapped.counts(found),
            operation_energy=operations,
            sops=found.sops,
            time=time,
            energy_error=found.energy_error,
        )
