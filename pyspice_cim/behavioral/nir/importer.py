"""Networks of the field's tools: a NIR graph becomes the integer layers of this package.

NIR has real weights and neurons in continuous time. It holds no time step, no widths of weights and membranes, no rule for the
reset (its equations reset to ``v_reset``, most tools subtract the threshold), and no linear decay: these are arguments. What
was rounded, clipped and saturated on the way is in the report of each layer.

Where the graph comes from, and what to give:

    snnTorch   ``integration="euler"``, ``dt=1e-4`` (its exporter's); reset ``"subtract"`` is that of ``reset_delay=False``: by
               default it subtracts a step later, after the decay
    Norse      ``integration="euler"``, ``dt = 0.001 x`` the ``dt`` of ``to_nir`` (1e-6 by default); its reset is ``"zero"``
    sinabs     ``integration="exact"``, ``dt=1`` (its tau are in steps); ``"subtract"``, with ``spike_fn=SingleSpike``

A graph that ``exporter.py`` wrote gives back the integers that it was made of, and takes no arguments.
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
        layers: for ``fast_run`` and ``run_integer``.
        input_shape: of a sample in one step, without ``constant_inputs``.
        constant_periods: one for each input (of an image: channel) behind those of the graph that spikes in every step, for
            biases, see ``biases.py``; ``inputs`` adds them.
        report: one entry a layer of neurons.
        steps: time steps of a sample, ``None`` if the graph does not state them.
        encoder: how values become input spikes, ``None`` if the graph does not state it.
    """

    layers: tuple[AnyLayer, ...]
    input_shape: Shape
    constant_periods: tuple[int, ...]
    report: tuple[ImportedLayer, ...]
    steps: int | None = None
    encoder: Encoder | None = None

    @property
    def constant_inputs(self) -> int:
        """How many inputs, or channels, spike in every step."""
        return len(self.constant_periods)

    def inputs(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """``spikes`` (time, batch, *input_shape) as the layers take them.

        Raises:
            DataError: if they have another shape.
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
    """The integer network that is closest to a NIR graph.

    Args:
        source: a file, or a graph of the package ``nir``.
        dt: time step in the unit of the graph's ``tau``; needed by LIF neurons.
        reset: ``"subtract"`` (the threshold) or ``"zero"``.
        integration: how ``dt`` enters: ``"exact"`` or ``"euler"``, see ``neurons.py``.
        weight_bits: 2..8.
        membrane_bits: above ``weight_bits``, up to 16.
        decay: rule of ``neuron/decay.py``: ``"clamp"`` is what the array computes; ``"none"`` leaves leaks out;
            ``"exponential"`` is nearest to LIF.
        calibration: spikes (time, batch, *shape of the input) for fitting lambda and counting saturations; see
            ``quantization``.

    Raises:
        DataError: if the source is no NIR network, or one that cannot be mapped: the message names the node.
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
