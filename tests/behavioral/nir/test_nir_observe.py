"""What is observed on calibration data is what the network does, step by step, however it is cut into tiles."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyspice_cim.behavioral.network.layers import (
    AvgPool2d,
    Conv2d,
    Flatten,
    FullyConnected,
    NeuronLayer,
    Recurrent,
    SumPool2d,
)
from pyspice_cim.behavioral.network.reference import passed, weighted_sum
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, LDLIFState, NeuronParams, ldlif_step
from pyspice_cim.behavioral.nir import observe as observe_module
from pyspice_cim.behavioral.nir.observe import observe


def stepwise(layers, spikes):
    """(membranes at the start of a step, saturations, updates) of each layer of neurons, in plain integers."""
    x, found = spikes.astype(np.int64), []
    divisor = 1
    for layer in layers:
        if not isinstance(layer, NeuronLayer):
            divisor *= layer.size**2 if isinstance(layer, AvgPool2d) else 1
            x = np.array([passed(layer, frame) for frame in x])
            continue
        drives = np.array([weighted_sum(layer, frame) // divisor for frame in x])
        state, fired, counts, saturated, divisor = LDLIFState.zeros(*drives.shape[1:]), 0, {}, 0, 1
        x = np.zeros_like(drives)
        for step, drive in enumerate(drives):
            for value in state.v[state.v >= 0].tolist():
                counts[value] = counts.get(value, 0) + 1
            if isinstance(layer, Recurrent) and step:
                drive = drive + fired.astype(np.int64) @ layer.recurrent.astype(np.int64)
            fired, state, events = ldlif_step(drive, state, layer.params)
            saturated += int(events.saturated.sum())
            x[step] = fired
        found.append((counts, saturated, drives.size))
    return found


@st.composite
def networks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    bits = draw(st.sampled_from([6, 8, 12]))

    def params():
        common = {
            "theta": draw(st.integers(1, 25)),
            "membrane_bits": bits,
            "reset": draw(st.sampled_from(["subtract", "zero"])),
        }
        decay = draw(st.sampled_from(["clamp", "toward_zero", "exponential"]))
        if decay == "exponential":
            return NeuronParams(decay=decay, beta=(draw(st.integers(0, 8)), 3), **common)
        return (LDLIFParams if decay == "clamp" else NeuronParams)(
            decay=decay, lambda_=draw(st.integers(0, 3)), **common
        )

    def weights(*shape):
        return rng.integers(-7, 8, shape)

    layers, shape = [], (draw(st.integers(1, 9)),)
    if draw(st.booleans()):
        shape = (2, 7, 8)
        stride, padding = draw(st.integers(1, 2)), draw(st.integers(0, 1))
        layers.append(Conv2d(weights=weights(3, 2, 3, 2), params=params(), stride=stride, padding=padding))
        kind = draw(st.sampled_from([SumPool2d, AvgPool2d]))
        layers += [kind(size=2), Conv2d(weights=weights(2, 3, 1, 1), params=params()), Flatten()]
    at = shape
    for layer in layers:
        at = layer.output_shape(at)
    layers.append(Recurrent(weights=weights(*at, 5), recurrent=weights(5, 5), params=params()))
    layers.append(FullyConnected(weights=weights(5, 3), params=params()))
    return layers, (rng.random((draw(st.integers(1, 9)), 4, *shape)) < 0.4).astype(np.uint8)


@settings(deadline=None, max_examples=40)
@given(networks(), st.sampled_from([1, 2000, 1 << 25]), st.sampled_from([1, 1 << 24]), st.sampled_from([1, 2]))
def test_observation_is_what_a_step_after_the_other_shows(network, tile_bytes, chunk_bytes, threads):
    layers, spikes = network
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observe_module, "CHUNK_BYTES", chunk_bytes)
        observed = observe(layers, spikes, threads, tile_bytes=tile_bytes)
    for mine, (counts, saturated, updates) in zip(observed, stepwise(layers, spikes), strict=True):
        assert {v: n for v, n in enumerate(mine.membranes.tolist()) if n} == counts
        assert (mine.saturated, mine.updates) == (saturated, updates)


def test_sums_beyond_what_float32_holds_are_exact():
    # 2^24 + 1 is the first integer that float32 lacks: 255 x 127 x 519 inputs are more.
    x = np.full((1, 519), 255, np.uint8)
    weights = np.full((519, 1), 127, np.int8)
    exact = int((x.astype(int) @ weights.astype(int)).item())
    assert exact > 1 << 24
    assert int(np.float32(exact)) != exact
    assert observe_module.exact_product(x, weights, 255).item() == exact


def test_memory_does_not_grow_with_steps_and_samples():
    rng = np.random.default_rng(1)
    layers = [
        Recurrent(
            weights=rng.integers(-7, 8, (40, 64)),
            recurrent=rng.integers(-7, 8, (64, 64)),
            params=LDLIFParams(lambda_=1, theta=50),
        )
    ]
    observe(layers, np.zeros((1, 1, 40), np.uint8), 1)
    peaks = []
    for steps in (200, 2000):
        spikes = (rng.random((steps, 40, 40)) < 0.1).astype(np.uint8)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(observe_module, "CHUNK_BYTES", 1 << 18)
            tracemalloc.start()
            observe(layers, spikes, 1, tile_bytes=1 << 19)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    # The recorded spikes alone would be 2000 x 40 x 64 = 5 MB.
    assert peaks[1] < 1.2 * peaks[0] < 4e6
