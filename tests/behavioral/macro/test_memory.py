"""Peak memory of runs: bounded by ``tile_bytes``, whatever the number of steps and samples.

Measured with tracemalloc, to which NumPy reports every array; Numba's kernels allocate nothing but a few hundred bytes.
"""

import tracemalloc

import numpy as np
import pytest
from mapped_networks import macro

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.macro.execution import execute
from pyspice_cim.behavioral.macro.layer import calibrated_layer
from pyspice_cim.behavioral.macro.mapping import map_layers
from pyspice_cim.behavioral.macro.run import run_mapped
from pyspice_cim.behavioral.network.layers import FullyConnected
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table

TABLE = load_table(shipped("reference", "generic45lp.h5"))
LAYERS = [
    FullyConnected(weights=np.ones((64, 32), int), params=LDLIFParams(lambda_=2, theta=30)),
    FullyConnected(weights=np.ones((32, 10), int), params=LDLIFParams(lambda_=2, theta=30)),
]
MAPPING = map_layers(LAYERS, (64,), macro(neurons=32, inputs=64, rows=16))
CALIBRATED = [calibrated_layer(mapped, TABLE) for mapped in MAPPING.maps]
TILE = 1 << 20
# Weights of both layers, plans, threads and Python's own objects; and the sums of a layer a thread.
FIXED = 1 << 18
LONG, LARGE = (20_000, 8), (20, 8000)


def peak(run):
    run()  # plans and compiled code stay
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def spikes(steps, batch, dtype=np.uint8):
    """10 MB of input as uint8, ten times the bound."""
    return (np.random.default_rng(0).random((steps, batch, 64), np.float32) < 0.1).astype(dtype)


@pytest.mark.parametrize("size", [LONG, LARGE])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_fast_run_holds_a_tile_and_the_result(size, dtype):
    train = spikes(*size, dtype)
    batch = size[1]
    # Counts of the last layer, padded to 16 and as they are, and membranes of both.
    result = batch * (16 * 8 + 10 * 8 + 42 * 4)
    assert peak(lambda: fast_run(LAYERS, train, 2, tile_bytes=TILE)) < TILE + result + FIXED


def test_fast_run_holds_recorded_spikes_besides():
    train = spikes(*LONG)
    recorded = train.size // 64 * 42
    assert peak(lambda: fast_run(LAYERS, train, 2, record=True, tile_bytes=TILE)) < TILE + recorded + FIXED


@pytest.mark.parametrize("size", [LONG, (20, 4000)])
def test_execution_holds_a_tile_and_the_result(size):
    train = spikes(*size)
    # Counts of the last layer, membranes, and of both layers 10 x 20 events and 4 writes.
    result = size[1] * (10 * 8 + 42 * 4 + 2 * 8 * (200 + 4))
    assert peak(lambda: execute(MAPPING, train, 2, tile_bytes=TILE)) < TILE + result + FIXED


def test_expected_energies_hold_windows_besides():
    train = spikes(*LONG)
    assert peak(lambda: run_mapped(MAPPING, CALIBRATED, train, "expected", 2, tile_bytes=TILE)) < 2 * TILE + FIXED
