"""Networks on calibrated macros, and the report of a run."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim import __version__
from pyspice_cim.behavioral.macro.config import MacroConfig, checked_conditions
from pyspice_cim.behavioral.macro.layer import CalibratedLayer, LayerRun, calibrated_layer
from pyspice_cim.behavioral.macro.macro import Macro
from pyspice_cim.behavioral.macro.mapping import Mapping, map_layers
from pyspice_cim.behavioral.macro.report import RunReport
from pyspice_cim.behavioral.macro.run import EnergyMode, run_mapped
from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.file import NetworkFile
from pyspice_cim.behavioral.network.layers import AnyLayer
from pyspice_cim.behavioral.network.readout import check_labels, classify
from pyspice_cim.checks import as_sliceable, check_type
from pyspice_cim.errors import DataError
from pyspice_cim.microcode import column_bits
from pyspice_cim.organisation import UPDATES, Guard
from pyspice_cim.resources import DEFAULT_TECHNOLOGY
from pyspice_cim.tables import Table, reference_table

__all__ = ["MappedNetwork", "Network", "RunReport"]


class MappedNetwork:
    """A network of any layers that the array can compute, on as many macros as needed (``mapping.py``).

    Args:
        layers: layers of ``network.layers``.
        shape: shape of the input of one sample in one time step.
        table: calibration table. ``None``: the reference table of the macro's technology.
        macro: the macro of all layers, or one macro for each layer of neurons.
        compare: update organisations whose latency and energy the report also gives. ``None``: all that the table holds
            for the macros of each layer.

    Raises:
        DataError, ConfigError: as ``mapping.map_layers``.
        TableError: as ``calibration.calibrate``.
    """

    def __init__(
        self,
        layers: Sequence[AnyLayer],
        shape: Iterable[int],
        table: Table | None,
        macro: MacroConfig | Sequence[MacroConfig],
        *,
        compare: Sequence[str] | None = None,
    ) -> None:
        if table is not None:
            check_type("table", table, Table)
        self.mapping: Mapping = map_layers(layers, shape, macro)
        self.table = table or reference_table(self.mapping.maps[0].config.technology)
        self.layers = tuple(calibrated_layer(each, self.table, compare=compare) for each in self.mapping.maps)

    @property
    def sha256(self) -> str:
        """SHA-256 of the input shape, and of the type and all fields of each layer.

        The type and the shape of an array are hashed before its bytes. Different networks thus give different bytes.
        """
        digest = hashlib.sha256(repr(self.mapping.shape).encode())
        for layer in self.mapping.layers:
            arrays = {name: value for name, value in vars(layer).items() if isinstance(value, np.ndarray)}
            others = {name: value for name, value in vars(layer).items() if name not in arrays}
            forms = [(name, value.dtype.str, value.shape) for name, value in sorted(arrays.items())]
            digest.update(repr((type(layer).__name__, sorted(others.items()), forms)).encode())
            for _, value in sorted(arrays.items()):
                digest.update(value.tobytes())
        return digest.hexdigest()

    def run(
        self,
        spikes: NDArray[Any],
        labels: NDArray[np.integer[Any]] | None = None,
        *,
        energy: EnergyMode = "exact",
        threads: int | None = None,
    ) -> RunReport:
        """Run all samples from rest.

        Args:
            spikes: 0 or 1, (time, batch, *shape of an input), as for ``kernels.run.fast_run``.
            labels: class of each sample, (batch,), for the accuracy; by default no accuracy.
            energy: ``exact``, ``expected`` or ``none``, see ``run.py``.
            threads: number of threads; by default one for each processor. The result does not depend on this number.

        Returns:
            Predictions, energies, latencies and counts.

        Raises:
            DataError: if spikes or labels have another form.
            ConfigError: if ``energy`` is no mode, or ``threads`` is below 1.
        """
        spikes = as_sliceable(spikes)
        shape = tuple(spikes.shape)
        if len(shape) != 2 + len(self.mapping.shape) or shape[2:] != self.mapping.shape or 0 in shape:
            axes = "inputs" if len(self.mapping.shape) == 1 else "channels, height, width"
            wanted = ", ".join(map(str, self.mapping.shape))
            raise DataError(
                f"spikes have shape {shape}; they must be (time, batch, {axes}) = (1 or more, 1 or more, {wanted})"
            )
        if labels is not None:
            labels = check_labels(labels, shape[1], int(np.prod(self.mapping.maps[-1].link.output)))
        run = run_mapped(self.mapping, self.layers, spikes, energy, threads)
        counts = run.spike_counts.reshape(shape[1], -1)
        final = run.membranes[-1].reshape(counts.shape).astype(np.int64)
        return self._report(run.layers, counts, final, shape[0], labels)

    def _report(
        self,
        runs: Sequence[LayerRun],
        counts: NDArray[np.int64],
        final: NDArray[np.int64],
        steps: int,
        labels: NDArray[np.int64] | None,
    ) -> RunReport:
        predictions = classify(counts, final)
        layers = self.layers
        latency, update_energy = self._updates(runs, steps)
        parts = [layer.energy(run) for layer, run in zip(layers, runs, strict=True)]
        components, operations = (_means(each) for each in zip(*parts, strict=True))
        if components:
            own = next(iter(latency))
            components["leakage"] = sum(layer.leakage for layer in layers) * latency[own]
            before = {layer.mapped.program.names[k] for layer in layers for k in _before(layer)}
            update_energy = {own: sum(operations[name] for name in sorted(before)), **update_energy}
        else:
            update_energy = {}
        return RunReport(
            predictions=predictions,
            spike_counts=counts,
            membranes=final,
            accuracy=None if labels is None else float(np.mean(predictions == labels)),
            samples=len(counts),
            energy_components=components,
            energy_operations=operations,
            operations=_means([layer.counts(run) for layer, run in zip(layers, runs, strict=True)]),
            sops=float(sum(run.sops.mean() for run in runs)),
            latency=latency,
            state_update_energy=update_energy,
            active_inputs=tuple(float(run.active.mean() / steps) for run in runs),
            cycle=tuple(layer.calibration.cycle for layer in layers),
            # Python's max may lose an error that is not a number.
            energy_error=float(np.max([run.energy_error for run in runs])),
            residual=float(np.max([layer.calibration.residual for layer in layers])),
            outside_table=sum(layer.clipped for layer in layers),
            macros=tuple(layer.mapped.macros for layer in layers),
            utilisation=tuple(layer.mapped.utilisation for layer in layers),
            provenance={
                "package": f"pyspice_cim {__version__}",
                "network_sha256": self.sha256,
                "table": self.table.source,
                "table_sha256": self.table.sha256,
                **{
                    name: str(self.table.dataset.attrs[name])
                    for name in ("technology", "technology_sha256", "plan", "plan_sha256", "ngspice")
                },
            },
        )

    def _updates(self, runs: Sequence[LayerRun], steps: int) -> tuple[dict[str, float], dict[str, float]]:
        """Latency and update energy of one inference.

        Args:
            runs: operations of each layer.
            steps: number of time steps.

        Returns:
            Latency by update in seconds, the update of the macros first. Energy of each compared unit in joules.
        """
        names = [name for name in self.layers[0].compared if all(name in each.compared for each in self.layers)]
        own = UPDATES[self.mapping.maps[0].config.organisation.update].latency
        latency, energy = {own: 0.0} | {UPDATES[name].latency: 0.0 for name in names}, {}
        for layer, run in zip(self.layers, runs, strict=True):
            times = layer.times(run, steps).mean(axis=0).tolist()
            latency[own] += times[0]
            for name in names:
                latency[UPDATES[name].latency] += times[1 + layer.compared.index(name)]
        for name in names:
            of_a_step = float(sum(layer.units[name].energy.sum() for layer in self.layers))
            energy[UPDATES[name].latency] = steps * of_a_step
        return latency, energy


class Network(MappedNetwork):
    """The network of a file, with each layer on one macro of the layer's size.

    Args:
        network: network file.
        table: calibration table; by default the reference table of ``technology``.
        compare: as for ``MappedNetwork``.
        conditions: fields of ``MacroConfig`` that do not come from the layer, e.g. ``vdd``, ``process`` or ``rows``.

    Raises:
        ConfigError, TableError: as ``MappedNetwork``.
    """

    def __init__(
        self,
        network: NetworkFile,
        table: Table | None = None,
        *,
        compare: Sequence[str] | None = None,
        **conditions: Any,
    ) -> None:
        check_type("network", network, NetworkFile)
        if table is not None:
            check_type("table", table, Table)
        conditions = checked_conditions(conditions)
        conditions.setdefault("technology", DEFAULT_TECHNOLOGY if table is None else table.technology)
        configs = [
            MacroConfig(
                neurons=layer.neurons,
                inputs=len(layer.weights),
                weight_bits=layer.weight_bits,
                membrane_bits=layer.params.membrane_bits,
                column_bits=column_bits(layer.weights, layer.params.membrane_bits),
                **conditions,
            )
            for layer in network.layers
        ]
        self.network = network
        super().__init__(layers_of(network), (network.layers[0].inputs,), table, configs, compare=compare)

    @property
    def macros(self) -> list[Macro]:
        """The macro of each layer."""
        return [Macro(layer.mapped.config, self.table) for layer in self.layers]

    @property
    def sha256(self) -> str:
        """SHA-256 of the network file."""
        return self.network.sha256


def _before(layer: CalibratedLayer) -> list[int]:
    """Kinds of operations that run before the inputs of a time step, i.e. the state update."""
    return layer.mapped.program.kinds(Guard.BEFORE_INPUTS)


def _means(parts: Iterable[dict[str, NDArray[Any]]]) -> dict[str, float]:
    """Mean over samples, summed over layers, by name."""
    means: dict[str, float] = {}
    for part in parts:
        for name, values in part.items():
            means[name] = means.get(name, 0.0) + float(np.mean(values))
    return means
