"""Conversion of a trained network to a network file."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.conversion import file_layer
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.file import NetworkFile
from pyspice_cim.behavioral.network.layers import FullyConnected, Recurrent
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, NeuronParams
from pyspice_cim.training._torch import torch
from pyspice_cim.training.decay import BETA_SHIFT
from pyspice_cim.training.layers import LDLIFLayer, LDLIFNetwork


def export(
    network: LDLIFNetwork, *, steps: int, encoder: Encoder, meta: Mapping[str, str] | None = None
) -> NetworkFile:
    """Return the integers of a quantized ``network`` as a network file.

    Args:
        network: a network after ``start_quantized``.
        steps: time steps of a sample.
        encoder: how values become input spikes.
        meta: notes, name to text.

    Returns:
        The network file. It gives the same answer as ``network`` for every sample.
    """
    layers = tuple(file_layer(layer) for layer in integer_layers(network))
    return NetworkFile(layers=layers, steps=steps, encoder=encoder, meta=meta or {})


def integer_layers(network: LDLIFNetwork) -> tuple[FullyConnected, ...]:
    """Return the layers of a quantized ``network`` for ``run_integer`` and ``fast_run``.

    Both give the same answer as ``network`` for every sample.
    """
    layers = []
    for layer in network.layers:
        whole = layer.integers()
        params = _params(layer, int(whole.leak.detach()), int(whole.theta))
        weights, bits = _int8(whole.weights), layer.weight_bits
        layers.append(
            FullyConnected(weights=weights, weight_bits=bits, params=params)
            if whole.recurrent is None
            else Recurrent(weights=weights, recurrent=_int8(whole.recurrent), weight_bits=bits, params=params)
        )
    return tuple(layers)


def _int8(weights: torch.Tensor) -> NDArray[np.int8]:
    return np.asarray(weights.detach().numpy(), np.int8)


def _params(layer: LDLIFLayer, leak: int, theta: int) -> LDLIFParams:
    if layer.decay == "clamp":
        return LDLIFParams(lambda_=leak, theta=theta, membrane_bits=layer.membrane_bits, reset=layer.reset)
    exponential = layer.decay == "exponential"
    return NeuronParams(
        lambda_=0 if exponential else leak,
        beta=(leak, BETA_SHIFT) if exponential else None,
        theta=theta,
        membrane_bits=layer.membrane_bits,
        decay=layer.decay,
        reset=layer.reset,
    )
