"""Quantization of imported layers: one scale for each layer, and the decay that fits its membranes."""

from dataclasses import dataclass

import numpy as np

from pyspice_cim.behavioral.network.quantization import Scale, choose_scale, fit_beta, fit_lambda, to_integers
from pyspice_cim.behavioral.neuron.ldlif import DECAYS, LDLIFParams, NeuronParams
from pyspice_cim.behavioral.nir.biases import Biased
from pyspice_cim.behavioral.nir.layers import FloatLayer
from pyspice_cim.behavioral.nir.metadata import ExactNeurons, params_of
from pyspice_cim.behavioral.nir.observe import Observed
from pyspice_cim.errors import DataError

# Shares of the weights' RMS that rounding may take away: Gaussian weights lose 0.39 of it in 2 bits, 0.11 in 4.
REFUSED, WARNED = 0.5, 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaled:
    """A layer before and after quantization.

    Attributes:
        layer: the layer in real numbers.
        scale: scale of the layer.
        weight_bits: bits of a weight.
        biased: the layer in integers.
    """

    layer: FloatLayer
    scale: Scale
    weight_bits: int
    biased: Biased


def scaled(layer: FloatLayer, draft: NeuronParams, weight_bits: int) -> Scaled:
    """Return a layer with its weights as integers.

    If the file states the integers of the layer (``metadata.py``), these integers are kept.

    Args:
        layer: the layer in real numbers.
        draft: parameters of which only the width of the membranes and the reset are read.
        weight_bits: bits of a weight, 2 to 8; not read if the file states the integers.

    Raises:
        DataError: if the RMS error of the rounded weights exceeds ``REFUSED`` of their RMS, or integers of the file do
            not fit. The message names the node.
        ConfigError: see ``choose_scale``.
    """
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
        _check_loss(layer, scale, weight_bits, draft.membrane_bits, float(np.abs(every).max()))
    # A bias beyond twice the membrane's range saturates it in each step, as the range itself does.
    bias = np.clip(np.rint(scale.scale * layer.bias), 2 * draft.vmin, 2 * draft.vmax).astype(np.int64)
    biased = Biased(
        name=layer.name,
        weights=to_integers(layer.weights, scale.scale, weight_bits),
        bias=bias,
        recurrent=None if layer.recurrent is None else to_integers(layer.recurrent, scale.scale, weight_bits),
        theta=scale.theta,
        weight_bits=weight_bits,
        shape=layer.shape,
        before=layer.before,
        stride=layer.stride,
        padding=layer.padding,
    )
    return Scaled(layer=layer, scale=scale, weight_bits=weight_bits, biased=biased)


def _check_loss(layer: FloatLayer, scale: Scale, weight_bits: int, membrane_bits: int, largest: float) -> None:
    if scale.rms_error <= REFUSED:
        return
    assert not isinstance(layer.neurons, ExactNeurons)
    every = not np.any(to_integers(layer.weights, scale.scale, weight_bits))
    raise DataError(
        f"node {layer.source}: {'all' if every else f'{100 * scale.rms_error:.0f} % (RMS)'} of its weights are lost in "
        f"rounding to weight_bits = {weight_bits} and membrane_bits = {membrane_bits}: in a step a spike adds at most "
        f"{largest:.3g}, and the threshold of {layer.name} is {layer.neurons.threshold:.3g}; check dt (it is in the unit of "
        f"tau) and integration, or raise membrane_bits or weight_bits"
    )


def with_decay(layer: Scaled, draft: NeuronParams, decay: str, seen: Observed | None) -> LDLIFParams:
    """Return the parameters of a layer's neurons, with the decay fitted to ``alpha`` of the imported neurons.

    If the file states integer parameters (``metadata.py``), these parameters are returned.

    Args:
        layer: the quantized layer.
        draft: parameters of which the width of the membranes and the reset are taken.
        decay: decay rule of ``neuron/decay.py``.
        seen: membranes of a run of calibration data; ``None`` without data.
    """
    neurons, theta = layer.layer.neurons, layer.scale.theta
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
