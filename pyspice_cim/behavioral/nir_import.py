"""Networks of the field's tools: a NIR graph becomes the integer layers of this package.

NIR has real weights and neurons in continuous time. It holds no time step, no widths of weights and membranes, no rule for the
reset (its equations reset to ``v_reset``, most tools subtract the threshold), and no linear decay: these are arguments. What
was rounded, clipped and saturated on the way is in the report of each layer.

Where the graph comes from, and what to give:

    snnTorch   ``integration="euler"``, ``dt=1e-4`` (its exporter's); reset ``"subtract"`` is that of ``reset_delay=False``: by
               default it subtracts a step later, after the decay
    Norse      ``integration="euler"``, ``dt = 0.001 x`` the ``dt`` of ``to_nir`` (1e-6 by default); its reset is ``"zero"``
    sinabs     ``integration="exact"``, ``dt=1`` (its tau are in steps); ``"subtract"``, with ``spike_fn=SingleSpike``

A graph that ``nir_export`` wrote gives back the integers that it was made of, and takes no arguments.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.layers import AnyLayer, Conv2d, FullyConnected, NeuronLayer, Recurrent, Shape, chain
from pyspice_cim.behavioral.ldlif import DECAYS, RESETS, LDLIFParams, NeuronParams, Reset
from pyspice_cim.behavioral.nir_calibration import Observed, observe
from pyspice_cim.behavioral.nir_constants import Biased, Wired, wire, with_constants
from pyspice_cim.behavioral.nir_file import read_graph
from pyspice_cim.behavioral.nir_graph import chain_of
from pyspice_cim.behavioral.nir_layers import FloatLayer, float_layers
from pyspice_cim.behavioral.nir_metadata import ExactNeurons, constant_inputs, params_of
from pyspice_cim.behavioral.nir_neurons import INTEGRATIONS, Integration
from pyspice_cim.behavioral.quantization import Scale, choose_scale, fit_beta, fit_lambda, to_integers
from pyspice_cim.errors import ConfigError, DataError

if TYPE_CHECKING:
    import nir


@dataclass(frozen=True, kw_only=True)
class ImportedLayer:
    """What became of a group of neurons.

    Attributes:
        neurons, weights: names of the nodes.
        scale: least significant bits of the membrane per unit of the (effective) weights; 1 if the file states integers.
        alpha: factor of the real membrane in a step; ``None`` if the file states integers.
        theta, lambda_, decay: of the integer neurons.
        clipped: weights that did not fit in their bits.
        weight_error: RMS error of the weights, over their RMS.
        constant_lines: inputs that spike in every step, for biases.
        saturated: share of the updates of a membrane on the calibration data whose total left its bits; ``None`` without.
    """

    neurons: str
    weights: str
    scale: float
    alpha: float | None
    theta: int
    lambda_: int
    decay: str
    clipped: int
    weight_error: float
    constant_lines: int
    saturated: float | None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return {name.rstrip("_"): value for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class NIRNetwork:
    """A network from NIR.

    Attributes:
        layers: for ``fast_run`` and ``run_integer``.
        input_shape: of a sample in one step, without ``constant_inputs``.
        constant_inputs: inputs behind those of the graph that spike in every step (biases); ``inputs`` adds them.
        report: one entry a layer of neurons.
    """

    layers: tuple[AnyLayer, ...]
    input_shape: Shape
    constant_inputs: int
    report: tuple[ImportedLayer, ...]

    def inputs(self, spikes: NDArray[Any]) -> NDArray[Any]:
        """``spikes`` (time, batch, *input_shape) as the layers take them.

        Raises:
            DataError: if they have another shape.
        """
        spikes = np.asarray(spikes)
        if spikes.shape[2:] != self.input_shape or 0 in spikes.shape:
            wanted = ", ".join(map(str, self.input_shape))
            raise DataError(f"spikes have shape {spikes.shape}; they must be (time, batch, {wanted}), none of them 0")
        return with_constants(spikes, self.constant_inputs)


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
        integration: how ``dt`` enters: ``"exact"`` or ``"euler"``, see ``nir_neurons``.
        weight_bits: 2..8.
        membrane_bits: above ``weight_bits``, up to 16.
        decay: rule of ``decay.py``: ``"clamp"`` is what the array computes; ``"none"`` leaves leaks out; ``"exponential"`` is
            nearest to LIF.
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
    scaled = [_scaled(each, draft, weight_bits) for each in floats]
    wired = wire([each.biased for each in scaled])
    stated = constant_inputs(graph)
    if stated:
        shape = _without_constants(shape, stated)
    network = NIRNetwork(layers=(), input_shape=shape, constant_inputs=wired[0].lines + stated, report=())
    data = None if calibration is None else network.inputs(calibration)

    exponential = [_with_decay(each, draft, "exponential", None) for each in scaled]
    seen: tuple[Observed | None, ...] = (None,) * len(scaled)
    if data is not None and new and decay in ("clamp", "toward_zero"):
        seen = observe(_layers(scaled, wired, exponential), data)
    params = [_with_decay(each, draft, decay, once) for each, once in zip(scaled, seen, strict=True)]
    layers = _layers(scaled, wired, params)
    chain(layers, (*shape[:-1], shape[-1] + network.constant_inputs) if network.constant_inputs else shape)
    final: tuple[Observed | None, ...] = (None,) * len(scaled) if data is None else observe(layers, data)
    report = tuple(_report(*each) for each in zip(scaled, wired, params, final, strict=True))
    return replace(network, layers=layers, report=report)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scaled:
    layer: FloatLayer
    scale: Scale
    weight_bits: int
    biased: Biased


def _scaled(layer: FloatLayer, draft: NeuronParams, weight_bits: int) -> _Scaled:
    every = layer.weights.ravel() if layer.recurrent is None else np.append(layer.weights, layer.recurrent)
    if isinstance(layer.neurons, ExactNeurons):
        weight_bits, theta = layer.neurons.weight_bits, layer.neurons.params.theta
        if np.any(every != np.rint(every)) or np.any(layer.bias):
            raise DataError(
                f"node {layer.source}: its weights are no integers, or it has a bias, but the metadata of {layer.name} say "
                f"that the network is one of integers; remove the metadata to quantize it again"
            )
        scale = Scale(scale=1.0, theta=theta, clipped=0, rms_error=0.0)
        if np.any(every != to_integers(every, 1.0, weight_bits)):
            raise DataError(f"node {layer.source}: its weights do not fit in the {weight_bits} bits of {layer.name}")
    else:
        scale = choose_scale(
            every,
            layer.neurons.threshold,
            weight_bits=weight_bits,
            membrane_bits=draft.membrane_bits,
            subtract=draft.reset == "subtract",
        )
    recurrent = None if layer.recurrent is None else to_integers(layer.recurrent, scale.scale, weight_bits)
    # A bias beyond twice the membrane's range saturates it in each step, as the range itself does.
    bias = np.clip(np.rint(scale.scale * layer.bias), 2 * draft.vmin, 2 * draft.vmax).astype(np.int64)
    if layer.weights.ndim == 4 and np.any(layer.bias):
        raise DataError(
            f"node {layer.source}: its bias is not 0, but a convolution has no input that spikes in every step; train "
            f"without a bias (bias=False)"
        )
    biased = Biased(
        name=layer.name,
        weights=to_integers(layer.weights, scale.scale, weight_bits),
        bias=bias if layer.weights.ndim == 2 else None,
        recurrent=recurrent,
        theta=scale.theta,
        weight_bits=weight_bits,
        direct=not layer.before,
    )
    return _Scaled(layer=layer, scale=scale, weight_bits=weight_bits, biased=biased)


def _with_decay(scaled: _Scaled, draft: NeuronParams, decay: str, seen: Observed | None) -> LDLIFParams:
    """The neurons with the decay that fits theirs; those that the file states stay as they are."""
    neurons, theta = scaled.layer.neurons, scaled.scale.theta
    if isinstance(neurons, ExactNeurons):
        return neurons.params
    linear = decay in (*DECAYS, "toward_zero")
    return params_of(
        lambda_=fit_lambda(neurons.alpha, theta, None if seen is None else seen.membranes) if linear else 0,
        theta=theta,
        membrane_bits=draft.membrane_bits,
        decay=decay,
        reset=draft.reset,
        beta=fit_beta(neurons.alpha) if decay == "exponential" else None,
    )


def _layers(scaled: list[_Scaled], wired: tuple[Wired, ...], params: list[LDLIFParams]) -> tuple[AnyLayer, ...]:
    layers: list[AnyLayer] = []
    for each, wires, neurons in zip(scaled, wired, params, strict=True):
        common: dict[str, Any] = {
            "weights": wires.weights,
            "weight_bits": each.weight_bits,
            "params": neurons,
        }
        layer: NeuronLayer
        if each.biased.bias is None:
            layer = Conv2d(stride=each.layer.stride, padding=each.layer.padding, **common)
        elif wires.recurrent is None:
            layer = FullyConnected(**common)
        else:
            layer = Recurrent(**common, recurrent=wires.recurrent.astype(np.int8))
        layers += [*each.layer.before, layer]
    return tuple(layers)


def _report(scaled: _Scaled, wires: Wired, params: LDLIFParams, seen: Observed | None) -> ImportedLayer:
    neurons = scaled.layer.neurons
    return ImportedLayer(
        neurons=scaled.layer.name,
        weights=scaled.layer.source,
        scale=scaled.scale.scale,
        alpha=None if isinstance(neurons, ExactNeurons) else neurons.alpha,
        theta=params.theta,
        lambda_=params.lambda_,
        decay=params.decay,
        clipped=scaled.scale.clipped,
        weight_error=scaled.scale.rms_error,
        constant_lines=wires.lines,
        saturated=None if seen is None else seen.saturated / seen.updates,
    )


def _without_constants(shape: Shape, stated: int) -> Shape:
    if len(shape) != 1 or stated >= shape[0]:
        raise DataError(f"the graph's metadata state {stated} constant inputs, but its input has shape {shape}")
    return (shape[0] - stated,)
