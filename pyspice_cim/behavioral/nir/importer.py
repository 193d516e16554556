"""Import of networks of other tools: a NIR graph becomes the integer layers of this package.

NIR has real weights, and neurons in continuous time. A NIR file states neither the time step, nor the widths of weights
and membranes, nor a linear decay. NIR's equations reset to ``v_reset``, but most tools subtract the threshold. All of
these are therefore arguments. The report of each layer says what was rounded, clipped and saturated.

Arguments for a graph of:

    snnTorch   ``integration="euler"``, ``dt=1e-4`` (the ``dt`` of snnTorch's exporter), ``reset="subtract"``. The reset
               equals snnTorch's with ``reset_delay=False``. By default, snnTorch subtracts a step later, after the
               decay.
    Norse      ``integration="euler"``, ``reset="zero"``, ``dt = 0.001 x`` the ``dt`` of ``to_nir`` (1e-6 by default)
    sinabs     ``integration="exact"``, ``dt=1`` (``tau`` is in steps), ``reset="subtract"`` for networks with
               ``spike_fn=SingleSpike``

A graph of ``exporter.py`` needs no arguments: the import gives back the exported integers.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.layers import AnyLayer, Conv2d, FullyConnected, NeuronLayer, Recurrent, Shape, chain
from pyspice_cim.behavioral.neuron.ldlif import RESETS, LDLIFParams, NeuronParams, Reset
from pyspice_cim.behavioral.nir.biases import Wired, wire, with_constants
from pyspice_cim.behavioral.nir.graph import chain_of
from pyspice_cim.behavioral.nir.layers import float_layers
from pyspice_cim.behavioral.nir.metadata import ExactNeurons, constant_periods, stated_input
from pyspice_cim.behavioral.nir.neurons import INTEGRATIONS, Integration
from pyspice_cim.behavioral.nir.observe import Observed, observe
from pyspice_cim.behavioral.nir.reader import read_graph
from pyspice_cim.behavioral.nir.report import ImportedLayer, report_of
from pyspice_cim.behavioral.nir.scaling import Scaled, scaled, with_decay
from pyspice_cim.errors import ConfigError, DataError

if TYPE_CHECKING:
    import nir


@dataclass(frozen=True, kw_only=True, eq=False)
class NIRNetwork:
    """A network from NIR.

    Attributes:
        layers: layers for ``fast_run`` and ``run_integer``.
        input_shape: shape of a sample in one step, without the constant inputs.
        constant_periods: period of each constant input (``biases.py``). Constant inputs spike in every step, carry the
            biases, and follow the inputs (or channels) of the graph. The method ``inputs`` adds them to spikes.
        report: one entry for each layer of neurons.
        steps: time steps of a sample; ``None`` if the graph states none.
        encoder: how values become input spikes; ``None`` if the graph states none.
    """

    layers: tuple[AnyLayer, ...]
    input_shape: Shape
    constant_periods: tuple[int, ...]
    report: tuple[ImportedLayer, ...]
    steps: int | None = None
    encoder: Encoder | None = None

    @property
    def constant_inputs(self) -> int:
        """Number of constant inputs, or constant channels of an image: those that spike in every step."""
        return len(self.constant_periods)

    def inputs(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """Return the input of ``layers``: the given spikes, followed by the constant inputs.

        Args:
            spikes: 0 or 1, (time, batch, *input_shape).

        Raises:
            DataError: if the spikes have another shape.
        """
        spikes = np.asarray(spikes)
        if spikes.shape[2:] != self.input_shape or 0 in spikes.shape:
            wanted = ", ".join(map(str, self.input_shape))
            raise DataError(f"spikes have shape {spikes.shape}; they must be (time, batch, {wanted}), none of them 0")
        return with_constants(spikes, self.constant_periods)


def import_nir(
    source: "str | Path | nir.NIRGraph",
    *,
    dt: float | None = None,
    reset: Reset | None = None,
    integration: Integration = "exact",
    weight_bits: int = 4,
    membrane_bits: int = 8,
    decay: str = "clamp",
    calibration: NDArray[Any] | None = None,
) -> NIRNetwork:
    """Return the integer network that is closest to a NIR graph.

    Args:
        source: a file, or a graph of the package ``nir``.
        dt: time step in the unit of the graph's ``tau``; LIF neurons need this argument.
        reset: reset of a neuron that fired: ``"subtract"`` takes the threshold off, ``"zero"`` clears the membrane.
        integration: how ``dt`` enters: ``"exact"`` or ``"euler"``, see ``neurons.py``.
        weight_bits: bits of a weight, 2..8.
        membrane_bits: bits of a membrane, above ``weight_bits`` and up to 16.
        decay: rule of ``neuron/decay.py``. The array computes ``"clamp"``; ``"exponential"`` is nearest to LIF;
            ``"none"`` leaves the leak out.
        calibration: spikes, (time, batch, *input_shape). A run on these spikes fits lambda
            (``network/quantization.py``) and counts saturations.

    Raises:
        DataError: if the source is no NIR network, or a node cannot be mapped; the message names the node.
        ConfigError: if an argument is out of range or missing.
        MissingDependencyError: if the package ``nir`` is not installed.
    """
    try:
        return _import(source, dt, reset, integration, weight_bits, membrane_bits, decay, calibration)
    except (ConfigError, DataError) as error:
        if isinstance(source, str | Path) and not str(error).startswith(str(source)):
            raise type(error)(f"{source}: {error}") from error
        raise


def _import(
    source: Any,
    dt: float | None,
    reset: Reset | None,
    integration: Integration,
    weight_bits: int,
    membrane_bits: int,
    decay: str,
    calibration: NDArray[Any] | None,
) -> NIRNetwork:
    if integration not in INTEGRATIONS:
        raise ConfigError(f"integration is {integration!r}; choose {' or '.join(INTEGRATIONS)}")
    graph = read_graph(source)
    shape, floats = float_layers(chain_of(graph), dt=dt, method=integration)
    new = [each for each in floats if not isinstance(each.neurons, ExactNeurons)]
    if new and reset not in RESETS:
        raise ConfigError(
            f"reset is {reset!r}; NIR files do not state it: give 'subtract' or 'zero', as it was trained"
        )
    # Any decay fits before it is fitted; the other fields are known to be valid from here on.
    draft = NeuronParams(theta=1, membrane_bits=membrane_bits, decay=decay, reset=reset or "subtract", beta=(1, 0))
    grid = [scaled(each, draft, weight_bits) for each in floats]
    wired = wire([each.biased for each in grid])
    stated = constant_periods(graph)
    if stated:
        shape = _without_constants(shape, len(stated))
    network = NIRNetwork(layers=(), input_shape=shape, constant_periods=stated + wired[0].lines, report=())
    data = None if calibration is None else network.inputs(calibration)

    exponential = [with_decay(each, draft, "exponential", None) for each in grid]
    seen: tuple[Observed | None, ...] = (None,) * len(grid)
    if data is not None and new and decay in ("clamp", "toward_zero"):
        seen = observe(_layers(grid, wired, exponential), data)
    params = [with_decay(each, draft, decay, once) for each, once in zip(grid, seen, strict=True)]
    layers = _layers(grid, wired, params)
    chain(layers, (shape[0] + network.constant_inputs, *shape[1:]))
    final: tuple[Observed | None, ...] = (None,) * len(grid) if data is None else observe(layers, data)
    report = tuple(report_of(*each) for each in zip(grid, wired, params, final, strict=True))
    steps, encoder = stated_input(graph)
    return replace(network, layers=layers, report=report, steps=steps, encoder=encoder)


def _layers(grid: list[Scaled], wired: tuple[Wired, ...], params: list[LDLIFParams]) -> tuple[AnyLayer, ...]:
    layers: list[AnyLayer] = []
    for each, wires, neurons in zip(grid, wired, params, strict=True):
        common: dict[str, Any] = {
            "weights": wires.weights,
            "weight_bits": each.weight_bits,
            "params": neurons,
        }
        layer: NeuronLayer
        if wires.weights.ndim == 4:
            layer = Conv2d(stride=each.layer.stride, padding=each.layer.padding, **common)
        elif wires.recurrent is None:
            layer = FullyConnected(**common)
        else:
            layer = Recurrent(**common, recurrent=wires.recurrent.astype(np.int8))
        layers += [*each.layer.before, layer]
    return tuple(layers)


def _without_constants(shape: Shape, stated: int) -> Shape:
    if stated >= shape[0]:
        raise DataError(f"the graph's metadata state {stated} constant inputs, but its input has shape {shape}")
    return (shape[0] - stated, *shape[1:])
