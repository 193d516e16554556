"""Networks and macros that the tests of mapped networks draw."""

import numpy as np
from hypothesis import strategies as st

from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.network.layers import Conv2d, Flatten, FullyConnected, MaxPool2d, Recurrent, SumPool2d
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams


def macro(neurons=8, inputs=8, **fields):
    return MacroConfig(**{"technology": "generic45lp", "neurons": neurons, "inputs": inputs, "rows": 32, **fields})


def _params(draw):
    bits = draw(st.integers(3, 9))
    vmax = 2 ** (bits - 1) - 1
    return LDLIFParams(
        lambda_=draw(st.integers(0, vmax // 2)),
        theta=draw(st.integers(1, vmax)),
        membrane_bits=bits,
        reset=draw(st.sampled_from(["subtract", "zero"])),
    )


def _weights(draw, rng, *shape):
    bits = draw(st.integers(2, 5))
    return {"weights": rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape), "weight_bits": bits}


@st.composite
def mapped_networks(draw):
    """(layers, spikes, macro): every kind of layer, tiles of inputs and of neurons, more than 64 columns."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    layers, at = [], (draw(st.sampled_from([1, 2])), draw(st.integers(3, 6)), draw(st.integers(3, 6)))
    shape = at
    if draw(st.booleans()):
        size = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
        layers.append(
            Conv2d(
                **_weights(draw, rng, draw(st.sampled_from([1, 3, 9])), at[0], *size),
                params=_params(draw),
                stride=draw(st.integers(1, 2)),
                padding=draw(st.integers(0, min(size) - 1)),
            )
        )
        at = layers[-1].output_shape(at)
        pool = draw(st.sampled_from([None, MaxPool2d, SumPool2d]))
        if pool is not None:
            layers.append(pool(size=min(*at[1:], 2)))
            at = layers[-1].output_shape(at)
    layers.append(Flatten())
    at = int(np.prod(at))
    for _ in range(draw(st.integers(1, 2))):
        neurons = draw(st.sampled_from([1, 5, 20, 70]))
        common = _weights(draw, rng, at, neurons) | {"params": _params(draw)}
        if draw(st.booleans()):
            half = 2 ** (common["weight_bits"] - 1)
            layers.append(Recurrent(**common, recurrent=rng.integers(-half, half, (neurons, neurons))))
        else:
            layers.append(FullyConnected(**common))
        at = neurons
    rate = draw(st.sampled_from([0.0, 0.05, 0.3, 1.0]))
    spikes = (rng.random((draw(st.integers(1, 4)), draw(st.integers(1, 3)), *shape)) < rate).astype(np.uint8)
    size = macro(
        neurons=draw(st.sampled_from([4, 9, 64, 80])), inputs=draw(st.sampled_from([12, 20, 100])), weight_bits=4
    )
    return layers, spikes, size
