"""Compare adding rows of weights with counting bits of packed weights, for one fully connected layer, by input rate.

    python benchmarks/packing.py [--json] [--rounds N]

The layer is the first layer of W1 (784-256, 4-bit weights, 100 steps of 32 samples), on one thread.

``rows`` is the kernel of ``pyspice_cim.behavioral.kernels.run``. It adds the rows of active inputs. Where fewer inputs are
silent, it subtracts the rows of silent inputs from the sum of all rows.

``planes`` packs the weights into bit planes and sums 2^k popcount(spikes & plane k). Its time does not depend on the rate.

The kernels have no ``planes``: without a population count of whole vectors (AVX-512 VPOPCNTDQ), ``planes`` was slower at
every rate. Run this script on your processor.
"""

import argparse
import json
import sys
import time
from statistics import median
from typing import Any

import numba
import numpy as np

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.kernels.simd import ones
from pyspice_cim.behavioral.network.layers import FullyConnected
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams

STEPS, BATCH, INPUTS, NEURONS, BITS = 100, 32, 784, 256, 4
RATES = (0.03, 0.1, 0.3, 0.5, 0.7, 0.9)


def planes_of(weights: np.ndarray) -> np.ndarray:
    """Bits of two's complement weights (inputs, neurons) as int64 words, (bits, words, neurons)."""
    words = -(-INPUTS // 64)
    bits = np.zeros((BITS, words * 64, NEURONS), np.uint64)
    for k in range(BITS):
        bits[k, :INPUTS] = (weights >> k) & 1
    shifts = np.arange(64, dtype=np.uint64)[None, None, :, None]
    return (bits.reshape(BITS, words, 64, NEURONS) << shifts).sum(axis=2, dtype=np.uint64).view(np.int64)


@numba.njit(nogil=True)
def by_planes(packed: Any, planes: Any, out: Any) -> None:
    """Sums of every frame of ``packed`` (frames, words) into ``out`` (frames, neurons)."""
    bits, words, neurons = planes.shape
    sums = np.empty(neurons, np.int64)
    for f in range(packed.shape[0]):
        out[f] = 0
        for k in range(bits):
            sums[:] = 0
            for w in range(words):
                spikes, plane = packed[f, w], planes[k, w]
                for i in range(neurons):
                    sums[i] += ones(spikes & plane[i])
            weight = -(1 << k) if k == bits - 1 else 1 << k
            for i in range(neurons):
                out[f, i] += weight * sums[i]


def packed_of(spikes: np.ndarray) -> np.ndarray:
    frames = spikes.reshape(-1, INPUTS)
    padded = np.pad(frames, ((0, 0), (0, -INPUTS % 64)))
    return np.packbits(padded, axis=1, bitorder="little").view(np.int64)


def measure(rounds: int) -> list[dict[str, float]]:
    rng = np.random.default_rng(7)
    weights = rng.integers(-7, 8, (INPUTS, NEURONS)).astype(np.int8)
    layer = (FullyConnected(weights=weights, params=LDLIFParams(lambda_=2, theta=100, membrane_bits=8)),)
    planes, found = planes_of(weights), []
    for rate in RATES:
        spikes = (rng.random((STEPS, BATCH, INPUTS)) < rate).astype(np.uint8)
        packed, out = packed_of(spikes), np.empty((STEPS * BATCH, NEURONS), np.int64)
        ways = {
            "rows": lambda s=spikes: fast_run(layer, s, 1),
            "planes": lambda p=packed, o=out: by_planes(p, planes, o),
        }
        for run in ways.values():
            run()
        assert (out == spikes.reshape(-1, INPUTS).astype(np.int64) @ weights.astype(np.int64)).all()
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, run in ways.items():
                start = time.perf_counter()
                run()
                times[name].append(1e3 * (time.perf_counter() - start))
        row = {f"{name}_ms": median(each) for name, each in times.items()}
        found.append({"rate": rate, **row, "planes_over_rows": row["planes_ms"] / row["rows_ms"]})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds (default 9)")
    arguments = parser.parse_args()
    rows = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print(
            f"rate {row['rate']:4.2f}: rows with decay and fire {row['rows_ms']:6.1f} ms, "
            f"planes alone {row['planes_ms']:6.1f} ms, {row['planes_over_rows']:.1f}x"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
