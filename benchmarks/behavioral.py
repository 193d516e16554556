"""Compare inference without energies with other simulators of spiking networks, in one process.

    python benchmarks/behavioral.py [--json] [--rounds N] [--only W1 W2 W3]

    W1  784-256-10 fully connected, T = 100, batch 128, input rate 0.1
    W2  700-256 (recurrent)-20, T = 100, batch 128, input rate 0.03
    W3  28 x 28, conv 16 of 3 x 3, max pool 2, conv 32 of 3 x 3, max pool 2, fully connected 10, no padding, T = 25,
        batch 64, input rate 0.1

All simulators run the same integer weights on the same spikes. This package gets uint8 spikes and packs them within the
measured time. The peers get float32 tensors that are made beforehand. Rounds are interleaved; times are medians in ms.

The neuron is integrate-and-fire with reset by subtraction. All peers but Norse compute it bit for bit, and their spike
counts are compared with ours. Norse resets to zero, and is compared with our run with reset to zero. Each peer runs in the
better of two orders: all steps of a layer at once, or all layers of a step at once. ``ours_ld_lif_ms`` is our time with
linear decay and 8-bit membranes.

W1 also runs with energies: the LD-LIF network on macros of 64 neurons x 64 inputs, calibrated by the reference table.
``expected_ms`` is the time with expected energies. ``expected_ratio`` is the best peer's time without energies over
``expected_ms``. ``exact_ms`` is the time with exact energies (one run after a warm-up). ``expected_error`` is the relative
difference of the two energies.

``first_call`` is measured in fresh processes. ``compile_s`` is the first run of W1 with no compiled code, in seconds;
``cached_s`` is the first run with compiled code on disk. ``peak_mb`` is the growth of the peak memory by a run of W1, in MB
above the peak of the imports; ``peak_long_mb`` is the growth by a run with 50 times as many steps.

The peers have their own environment, made by ``make bench-env``. This script starts itself again there: in
PYSPICE_CIM_BENCH_PYTHON, or in .venv-bench/bin/python. Without this environment, it measures this package alone and says so.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numba
import numpy as np
from peers import NEURONS, PEERS, Peer, Workload

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.kernels.simd import sum_rows
from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.network import MappedNetwork
from pyspice_cim.behavioral.network.layers import Conv2d, Flatten, FullyConnected, MaxPool2d, Recurrent
from pyspice_cim.behavioral.neuron.ldlif import NeuronParams
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table

HERE = Path(__file__).resolve()
# Wide enough that no membrane saturates, as in the floats of the peers.
MEMBRANE_BITS = 14
# Number of rows whose sum fits into an int8, with weights up to 7.
INT8_ROWS = 127 // 7
# Pause before each run, in seconds: waiting threads of the run before spin for a while, and would slow this run.
SETTLE = 0.03


def workloads() -> dict[str, Workload]:
    rng = np.random.default_rng(7)

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-7, 8, shape).astype(np.int8)

    def spikes(rate: float, *shape: int) -> np.ndarray:
        return (rng.random(shape) < rate).astype(np.uint8)

    def params(theta: int) -> NeuronParams:
        return NeuronParams(theta=theta, decay="none", membrane_bits=MEMBRANE_BITS)

    def dense(inputs: int, neurons: int, theta: int) -> FullyConnected:
        return FullyConnected(weights=weights(inputs, neurons), params=params(theta))

    recurrent = Recurrent(weights=weights(700, 256), recurrent=weights(256, 256) // 4, params=params(48))
    return {
        "W1": Workload((dense(784, 256, 100), dense(256, 10, 100)), spikes(0.1, 100, 128, 784)),
        "W2": Workload((recurrent, dense(256, 20, 100)), spikes(0.03, 100, 128, 700)),
        "W3": Workload(
            (
                Conv2d(weights=weights(16, 1, 3, 3), params=params(20)),
                MaxPool2d(size=2),
                Conv2d(weights=weights(32, 16, 3, 3), params=params(80)),
                MaxPool2d(size=2),
                Flatten(),
                dense(800, 10, 100),
            ),
            spikes(0.1, 25, 64, 1, 28, 28),
        ),
    }


def with_params(layers: tuple[Any, ...], **fields: Any) -> tuple[Any, ...]:
    return tuple(replace(a, params=replace(a.params, **fields)) if hasattr(a, "params") else a for a in layers)


def on_macros(layers: tuple[Any, ...], work: Workload) -> MappedNetwork:
    table = load_table(shipped("reference", "generic45lp.h5"))
    macro = MacroConfig(technology=table.technology, neurons=64, inputs=64)
    return MappedNetwork(layers, work.spikes.shape[2:], table, macro)


def measure(work: Workload, threads: int, rounds: int, peers: list[str], *, energies: bool) -> dict[str, Any]:
    ld_lif = with_params(work.layers, decay="clamp", lambda_=2, membrane_bits=8)
    runs: dict[str, Callable[[], Any]] = {
        "ours": lambda: fast_run(work.layers, work.spikes, threads).spike_counts,
        "ours_ld_lif": lambda: fast_run(ld_lif, work.spikes, threads).spike_counts,
    }
    mapped = on_macros(ld_lif, work) if energies else None
    if mapped:
        runs["expected"] = lambda: mapped.run(work.spikes, energy="expected", threads=threads)
    if peers:
        import torch

        torch.set_num_threads(threads)
    expected = {
        rule: fast_run(with_params(work.layers, reset=rule), work.spikes, threads).spike_counts
        for rule in ("subtract", "zero")
    }
    same = {}
    for name in peers:
        for order in ("layers", "steps"):
            run = runs[f"{name} {order}"] = Peer(name, work, order).run
            same[name] = same.get(name, True) and np.array_equal(run(), expected[NEURONS[name].reset_rule])
    times: dict[str, list[float]] = {name: [] for name in runs}
    for name in ("ours", "ours_ld_lif", *(("expected",) if mapped else ())):
        runs[name]()
    for _ in range(rounds):
        for name, run in runs.items():
            time.sleep(SETTLE)
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start))
    medians = {name: median(values) for name, values in times.items()}
    result: dict[str, Any] = {"ours_ms": medians["ours"], "ours_ld_lif_ms": medians["ours_ld_lif"]}
    by_peer = {name: min(medians[f"{name} {order}"] for order in ("layers", "steps")) for name in peers}
    best = min(by_peer, key=by_peer.__getitem__) if by_peer else None
    result["best_peer"] = best
    result["best_peer_ms"] = by_peer[best] if best else None
    result["ratio"] = by_peer[best] / medians["ours"] if best else None
    result["peers_ms"], result["same_spikes"] = by_peer, same
    if mapped:
        result["expected_ms"] = medians["expected"]
        result["expected_ratio"] = by_peer[best] / medians["expected"] if best else None
        mapped.run(work.spikes[:2], energy="exact", threads=threads)
        start = time.perf_counter()
        exact = mapped.run(work.spikes, energy="exact", threads=threads)
        result["exact_ms"] = 1e3 * (time.perf_counter() - start)
        result["expected_error"] = runs["expected"]().energy / exact.energy - 1
    return result


@numba.njit(nogil=True)
def add_rows(rows: Any, indices: Any, sums: Any, times: int) -> None:
    for _ in range(times):
        sum_rows(rows, 0, sums.size, sums.size, indices, 0, indices.size, INT8_ROWS, sums, 0, False)


CHILD = """
import json, resource, sys, time
import numpy as np
start = time.perf_counter()
sys.path.insert(0, sys.argv[1])
from behavioral import workloads
from pyspice_cim.behavioral.kernels.run import fast_run
work = workloads()["W1"]
ready = time.perf_counter()
fast_run(work.layers, work.spikes[:1, :1], 1)
first = time.perf_counter() - ready
def peak(times):
    frames = np.broadcast_to(work.spikes[0], (times * len(work.spikes), *work.spikes.shape[1:]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fast_run(work.layers, frames, 1)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(json.dumps({"first_s": first, "peak_mb": peak(1), "peak_long_mb": peak(50)}))
"""


def first_call() -> dict[str, float]:
    """Time of the first run of a process, without and with compiled code on disk, and memory of a run."""
    with tempfile.TemporaryDirectory() as cache:
        runs = [
            json.loads(
                subprocess.run(
                    [sys.executable, "-c", CHILD, str(HERE.parent)],
                    env={**os.environ, "NUMBA_CACHE_DIR": cache},
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
            for _ in range(2)
        ]
    return {
        "compile_s": runs[0]["first_s"],
        "cached_s": runs[1]["first_s"],
        "peak_mb": runs[1]["peak_mb"],
        "peak_long_mb": runs[1]["peak_long_mb"],
    }


def limit_fraction(work: Workload, ours_ms: float, rounds: int) -> float:
    """Fraction of the limit that W1 reaches: time of its additions at the rate of the first cache, over our time."""
    rows, sums, times = np.ones(16 * 256, np.int8), np.zeros(256, np.int16), 2000
    indices = np.arange(80, dtype=np.int32) % 16
    add_rows(rows, indices, sums, 1)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        add_rows(rows, indices, sums, times)
        seconds.append(time.perf_counter() - start)
    throughput = indices.size * sums.size * times / median(seconds)
    trains = fast_run(work.layers, work.spikes, 1, record=True).spikes
    assert trains is not None
    events = [int(each.sum(dtype=np.int64)) for each in (work.spikes, *trains[:-1])]
    additions = sum(n * layer.weights.shape[1] for n, layer in zip(events, work.layers, strict=True))
    return additions / throughput / (ours_ms * 1e-3)


def in_bench_environment(arguments: list[str]) -> int | None:
    """Run this script in the environment of the peers; ``None`` if the peers are installed here, or nowhere."""
    if all(importlib.util.find_spec(name) for name in PEERS):
        return None
    named = os.environ.get("PYSPICE_CIM_BENCH_PYTHON")
    python = Path(named) if named else HERE.parent.parent / ".venv-bench" / "bin" / "python"
    if python.is_file() and python.absolute() != Path(sys.executable).absolute():
        return subprocess.run([str(python), str(HERE), *arguments], check=False).returncode
    if named:
        print(f"error: PYSPICE_CIM_BENCH_PYTHON is {named}, which is no environment with the peers", file=sys.stderr)
        return 2
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--rounds", type=int, default=11, help="interleaved rounds (default 11)")
    parser.add_argument("--only", nargs="+", choices=("W1", "W2", "W3"), default=["W1", "W2", "W3"])
    arguments = parser.parse_args()
    status = in_bench_environment(sys.argv[1:])
    if status is not None:
        return status
    peers = [name for name in PEERS if importlib.util.find_spec(name)]
    if len(peers) < len(PEERS):
        missing = ", ".join(name for name in PEERS if name not in peers)
        print(f"not installed: {missing}; make bench-env makes an environment that has them", file=sys.stderr)
    results: dict[str, Any] = {}
    work = workloads()
    for name in arguments.only:
        results[name] = {
            f"threads_{threads}": measure(work[name], threads, arguments.rounds, peers, energies=name == "W1")
            for threads in (1, 2)
        }
    if "W1" in results:
        ours = results["W1"]["threads_1"]["ours_ms"]
        results["limit_fraction"] = limit_fraction(work["W1"], ours, arguments.rounds)
        results["first_call"] = first_call()
    if arguments.json:
        print(json.dumps(results, indent=2))
        return 0
    for name in arguments.only:
        for threads, row in results[name].items():
            others = ", ".join(
                f"{peer} {ms:.1f}{'' if row['same_spikes'][peer] else ' (OTHER SPIKES)'}"
                for peer, ms in row["peers_ms"].items()
            )
            ratio = f"{row['ratio']:.1f}x of {row['best_peer']}" if peers else ""
            if "expected_ms" in row:
                than = f", {row['expected_ratio']:.1f}x" if peers else ""
                ratio += f"; with expected energies {row['expected_ms']:.1f} ms{than}, exact {row['exact_ms']:.0f} ms"
            print(
                f"{name} {threads}: ours {row['ours_ms']:.1f} ms (LD-LIF {row['ours_ld_lif_ms']:.1f}); {others}; {ratio}"
            )
    if "limit_fraction" in results:
        first = results["first_call"]
        print(
            f"first call {first['compile_s']:.1f} s to compile, {first['cached_s']:.2f} s when compiled; above the "
            f"imports' peak a run takes {first['peak_mb']:.0f} MB, one of 50 times as many steps {first['peak_long_mb']:.0f} MB"
        )
        print(f"W1 on one thread reaches {results['limit_fraction']:.2f} of the measured add throughput")
    return 0


if __name__ == "__main__":
    sys.exit(main())
