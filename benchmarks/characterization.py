"""Measure the throughput of sampled circuits: this engine, a PySpice loop, a process per run, and bare ngspice.

    python benchmarks/characterization.py [--json] [--rounds N] [--operations N]

An operation is one write and one read of one 6T cell with its own mismatch. It is the transient of
``pyspice_cim.characterization.variation.access`` at generic45lp, tt, 1.1 V, 27 C, 64 rows (13 transistors per copy). All ways
simulate the same samples, with the same options and two parallel processes:

    ours               this engine with two worker processes and no cache: decks of 32 copies, checked and reduced
    pyspice            one circuit per operation, built with PySpice and run by the simulator of PySpice; where this fails
                       (the output has the reasons), the text of the circuit in an ngspice process
    process_per_run    the engine's deck of one copy in an ngspice process; the difference is the gain of packing
    bare_ngspice       ngspice alone on the decks of ``ours``, which are made beforehand

Rounds are interleaved and their medians are compared. Compare ratios: the times depend on the load of the machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from PySpice.Spice.Netlist import Circuit

from pyspice_cim.characterization.benches.word6t import Word
from pyspice_cim.characterization.devices.timescale import gate_delay, gate_delay_simulation
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.engine.packing import PACK
from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, find_ngspice
from pyspice_cim.characterization.spice.simulation import Bench, Simulation, execute
from pyspice_cim.characterization.variation.access import access_fixture, nominal_sense_delay
from pyspice_cim.characterization.variation.fixture import Fixture, run_copies
from pyspice_cim.characterization.variation.population import MonteCarloSettings, Population, standard_normals
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.technology import Corner, load_technology

OPERATION = "one write and one read of one 6T cell with its own mismatch (13 transistors)"
WORKERS = 2
# Operations of a round of the ways that take a process each.
FEW = 32


def prepared(operations: int) -> tuple[Fixture, Array]:
    """The fixture and the shifts of its samples."""
    technology, simulator = load_technology("generic45lp"), NgspiceSimulator()
    corner = Corner(vdd=1.1)
    tau = gate_delay(execute(gate_delay_simulation(technology, corner), simulator))
    word = Word(technology=technology, corner=corner, rows=64, columns=1, tau=tau)
    fixture = access_fixture(word, float(execute(nominal_sense_delay(word), simulator).values["sense_delay"]))
    population = Population.of(technology, [fixture.transistors])
    z = standard_normals(MonteCarloSettings(count=operations), population.dimensions)
    return fixture, population.shifts(z, fixture.transistors)


def ours(fixture: Fixture, shifts: Array, shares: list[float]) -> None:
    def bench() -> Bench:
        result = yield from run_copies(fixture, shifts)
        assert not result.failed.any(), result.reasons
        return []

    engine = Engine(cache=None, workers=WORKERS)
    engine.run([bench()])
    shares.append(engine.tally.ngspice_cpu_fraction or 0.0)


def each_in_a_process(texts: list[str]) -> None:
    """Run every text in an ngspice process of its own, two at a time."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(WORKERS) as pool:

        def run(item: tuple[int, str]) -> None:
            folder = Path(name) / str(item[0])
            folder.mkdir()
            (folder / "deck.cir").write_text(item[1])
            subprocess.run(
                [find_ngspice(), "-b", "-r", "deck.raw", "deck.cir"],
                cwd=folder,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
                capture_output=True,
                stdin=subprocess.DEVNULL,
                check=True,
            )

        list(pool.map(run, enumerate(texts)))


def pyspice_circuit(deck: Deck) -> Circuit:
    """The elements of a deck of one copy as a PySpice circuit, as a user of PySpice would write them."""
    circuit = Circuit("one 6T column")
    rest = []
    lines = deck.text.splitlines()
    for line in lines[1:]:
        words = line.split()
        match words[0][0] if words and words[0][0].isalpha() else "":
            case "M":
                circuit.M(words[0][1:], *words[1:5], model=words[5], raw_spice=" ".join(words[6:]))
            case "C":
                circuit.C(words[0][1:], words[1], words[2], words[3])
            case _ if line != ".end":
                rest.append(line)
    circuit.raw_spice = "\n".join(rest) + "\n"
    return circuit


def pyspice_failures(circuit: Circuit) -> dict[str, str]:
    """Why PySpice's own simulators cannot run the circuit; one that can is not in it."""
    failures = {}
    for simulator in ("ngspice-subprocess", "ngspice-shared"):
        code = (
            "import sys; from PySpice.Spice.Netlist import Circuit; c = Circuit('x'); c.raw_spice = sys.stdin.read();"
            f"s = c.simulator(simulator={simulator!r}, temperature=27, nominal_temperature=27);"
            "s.transient(step_time=5e-12, end_time=1.5e-9)"
        )
        text = "\n".join(line for line in str(circuit).splitlines()[1:] if not line.startswith((".tran", ".end")))
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=text,
            text=True,
            capture_output=True,
            env={"NGSPICE_LIBRARY_PATH": "libngspice.so.0", **os.environ},
            check=False,
        )
        if done.returncode:
            failures[simulator] = done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "crashed"
    return failures


def pyspice_loop(decks: list[Deck]) -> None:
    each_in_a_process([f"{pyspice_circuit(deck)}\n.end\n" for deck in decks])


def decks_of(fixture: Fixture, shifts: Array, size: int) -> list[Simulation]:
    return [fixture.build(shifts[start : start + size]) for start in range(0, len(shifts), size)]


def measure(rounds: int, operations: int) -> dict[str, Any]:
    fixture, shifts = prepared(operations)
    packs = [simulation.deck.text for simulation in decks_of(fixture, shifts, PACK)]
    singles = [simulation.deck for simulation in decks_of(fixture, shifts[:FEW], 1)]
    shares: list[float] = []
    ways: dict[str, tuple[int, Callable[[], None]]] = {
        "ours": (operations, lambda: ours(fixture, shifts, shares)),
        "bare_ngspice": (operations, lambda: each_in_a_process(packs)),
        "pyspice": (FEW, lambda: pyspice_loop(singles)),
        "process_per_run": (FEW, lambda: each_in_a_process([deck.text for deck in singles])),
    }
    load_before = os.getloadavg()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (count, run) in ways.items():
            start = time.perf_counter()
            run()
            rates[name].append(count / (time.perf_counter() - start))
    medians = {name: median(values) for name, values in rates.items()}
    return {
        "operation": OPERATION,
        "operations": operations,
        "rounds": rounds,
        "workers": WORKERS,
        **{f"{name}_ops_per_s": value for name, value in medians.items()},
        "ratio_to_pyspice": medians["ours"] / medians["pyspice"],
        "ratio_to_process_per_run": medians["ours"] / medians["process_per_run"],
        "fraction_of_bare": medians["ours"] / medians["bare_ngspice"],
        "ngspice_cpu_fraction": median(shares),
        "pyspice_simulators": pyspice_failures(pyspice_circuit(singles[0])) or "run",
        "loadavg": {"before": load_before, "after": os.getloadavg()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--operations", type=int, default=1024, help="operations of a round (default 1024)")
    arguments = parser.parse_args()
    result = measure(arguments.rounds, arguments.operations)
    if arguments.json:
        print(json.dumps(result, indent=2))
        return 0
    print(f"operation: {OPERATION}; {WORKERS} processes; load {result['loadavg']['before'][0]:.1f} before")
    for name in ("ours", "bare_ngspice", "pyspice", "process_per_run"):
        print(f"{name:16} {result[f'{name}_ops_per_s']:8.1f} operations a second")
    print(
        f"ours is {result['ratio_to_pyspice']:.1f}x the PySpice loop and {result['fraction_of_bare']:.2f} of bare ngspice"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
