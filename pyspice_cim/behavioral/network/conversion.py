"""Conversion between the two forms of a layer; both forms hold the same integers.

A network file stores a ``Layer`` (``file.py``). All weights are one matrix: rows of inputs, then rows of the layer's
own spikes. Runs, mappings and exports read a ``FullyConnected`` or a ``Recurrent`` (``layers.py``). There the recurrent
weights are a second matrix.
"""

import numpy as np

from pyspice_cim.behavioral.network.file import Layer, NetworkFile
from pyspice_cim.behavioral.network.layers import FullyConnected, Recurrent


def integer_layer(layer: Layer) -> FullyConnected:
    """Return a layer of a network file in the form that runs read: ``Recurrent`` if it is recurrent."""
    if layer.recurrent_weights is None:
        return FullyConnected(weights=layer.weights, weight_bits=layer.weight_bits, params=layer.params)
    return Recurrent(
        weights=layer.input_weights,
        recurrent=layer.recurrent_weights,
        weight_bits=layer.weight_bits,
        params=layer.params,
    )


def file_layer(layer: FullyConnected) -> Layer:
    """Return ``layer`` in the form that a network file stores; the inverse of ``integer_layer``."""
    if not isinstance(layer, Recurrent):
        return Layer(weights=layer.weights, weight_bits=layer.weight_bits, params=layer.params)
    rows = np.concatenate([layer.weights, layer.recurrent])
    return Layer(weights=rows, weight_bits=layer.weight_bits, params=layer.params, recurrent=True)


def layers_of(network: NetworkFile) -> tuple[FullyConnected, ...]:
    """Return all layers of a network file in the form that runs read."""
    return tuple(integer_layer(layer) for layer in network.layers)
