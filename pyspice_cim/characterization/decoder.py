"""Bench of the row decoder: energy and delay of selecting one row.

Each access changes the address, pulses the enable (a wordline pulse), and pulses it once more at the same address, as a
read-modify-write does. Addresses: 0 -> last -> 0, in which every bit changes, for the delay; then counting up, as a
sequential update does; then random ones with a fixed seed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyspice_cim.characterization.measure import bits_at, crossings, first_crossing
from pyspice_cim.characterization.quantities import Quantity, measurements, window_energies
from pyspice_cim.characterization.rawfile import Vectors
from pyspice_cim.characterization.simulation import Bench, Simulation, reducer_name
from pyspice_cim.characterization.stimulus import LOGIC_TOLERANCES, BenchCircuit, by_hand, instance
from pyspice_cim.characterization.timescale import gate_delay, gate_delay_simulation
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.netlists.decoder import address_bits, row_decoder
from pyspice_cim.technology import Corner, Technology

SEED = 45
COUNTED_ACCESSES, RANDOM_ACCESSES = 4, 3
# Gate delays: from address to enable (the address buffers' time), length of an enable pulse, and rest after it.
_SETUP, _PULSE, _REST = 3.0, 20.0, 12.0

QUANTITIES = [
    Quantity("decoder_energy", "J", "random_energy", "selecting one row: mean of random addresses, one enable pulse"),
    Quantity("decoder_delay", "s", "delay", "address at V_DD/2 to the row gate's output at V_DD/2, slowest access"),
]


def decoder_bench(technology: Technology, corner: Corner, *, rows: int) -> Bench:
    """``decoder_energy`` and ``decoder_delay`` of a decoder of ``rows`` rows, without the wordline driver."""
    (scale,) = yield [gate_delay_simulation(technology, corner)]
    if not scale.ok:
        return measurements(QUANTITIES, scale)
    (outcome,) = yield [decoder_simulation(technology, corner, rows=rows, tau=gate_delay(scale))]
    return measurements(QUANTITIES, outcome)


def addresses(rows: int) -> list[int]:
    """The rows that are selected, in order: 0, the last, 0, then 1, 2, 3, 4 (modulo ``rows``), then random ones."""
    random = np.random.default_rng(SEED).integers(0, rows, RANDOM_ACCESSES)
    # From 0 to 4, 1.75 address bits change at each step; in a whole count 2.
    counted = [k % rows for k in range(1, COUNTED_ACCESSES + 1)]
    return [0, rows - 1, 0, *counted, *(int(row) for row in random)]


def decoder_simulation(technology: Technology, corner: Corner, *, rows: int, tau: float) -> Simulation:
    """The run that selects ``addresses(rows)``."""
    deck, arguments = decoder_deck(technology, corner, rows=rows, tau=tau)
    return Simulation(deck=deck, reducer=reducer_name(reduce_decoder), arguments=arguments)


def decoder_deck(technology: Technology, corner: Corner, *, rows: int, tau: float) -> tuple[Deck, dict[str, Any]]:
    """Deck of one access after the other, and the reducer's arguments; ``tau`` is the gate delay in s."""
    selected = addresses(rows)
    drawn = sorted(set(selected))
    bench = BenchCircuit(technology, corner, f"row decoder of {rows} rows")
    decoder = row_decoder(technology, rows, drawn)
    bench.define(decoder)
    bench.supply("vdd")
    bits = address_bits(rows)
    address: list[list[tuple[float, int]]] = [[] for _ in range(bits)]
    enable: list[tuple[float, int]] = []
    edges, changed = [], []
    time = 2 * tau
    for row in selected:
        edges.append(time)
        changed.append(time + tau)
        for bit in range(bits):
            address[bit].append((time + tau, (row >> bit) & 1))
        time += (1 + _SETUP) * tau
        for _pulse in range(2):
            enable += [(time, 1), (time + _PULSE * tau, 0)]
            time += (_PULSE + _REST) * tau
            edges.append(time)
        edges.pop()
    edges.append(time)
    edge = 0.5 * tau
    for bit in range(bits):
        bench.line(f"a{bit}", 0, address[bit], edge)
    bench.line("en", 0, enable, edge)
    instance(bench.circuit, "decoder", decoder, {})
    bench.save(*(f"selb{row}" for row in drawn))
    arguments = {
        "vdd": corner.vdd,
        "drawn": drawn,
        "selected": selected,
        "changed": changed,
        "edges": edges,
        "pulse": _PULSE * tau,
        "counted": COUNTED_ACCESSES,
        "random": RANDOM_ACCESSES,
        **bench.sources,
    }
    return bench.transient(time, 2 * tau, edge, LOGIC_TOLERANCES), arguments


def reduce_decoder(
    vectors: Vectors,
    *,
    vdd: float,
    drawn: Sequence[int],
    selected: Sequence[int],
    changed: list[float],
    edges: list[float],
    pulse: float,
    counted: int,
    random: int,
    supplies: list[str],
    lines: list[str],
) -> dict[str, float]:
    """Reducer: ``delay`` in s of the slowest access, and mean energies in J.

    ``random_energy``: a random address and one pulse; ``counting_energy``: the next address and two pulses.

    Raises:
        SimulationError: if a row that was not addressed is selected for a moment, or the addressed one is not.
    """
    delays = []
    for i, row in enumerate(selected):
        output = f"v(selb{row})"
        fall = first_crossing(vectors, output, vdd / 2, after=changed[i], rising=False)
        if fall > edges[2 * i + 1]:
            raise SimulationError(f"row {row} is not selected in access {i}; the enable pulse is too short")
        # The first access starts from address 0 and may change nothing.
        if i:
            delays.append(fall - changed[i])
        levels = bits_at(vectors, [f"v(selb{other})" for other in drawn], fall + pulse / 2, vdd)
        if levels != [int(other != row) for other in drawn]:
            raise SimulationError(f"access {i} to row {row}: row gates are {levels} for rows {list(drawn)}")
        for other in drawn:
            falls = crossings(vectors, f"v(selb{other})", vdd / 2, rising=False)
            wrong = (falls > changed[i]) & (falls < edges[2 * i + 2])
            if other != row and wrong.any():
                raise SimulationError(f"access {i} to row {row}: row {other} is selected for a moment")
    energies = np.sum(list(window_energies(vectors, edges, vdd=vdd, supplies=supplies, lines=lines).values()), axis=0)
    single, second = energies[0::2], energies[1::2]
    return {
        "random_energy": float(np.mean(single[-random:])),
        "counting_energy": float(np.mean((single + second)[-random - counted : -random])),
        "delay": max(delays),
    }


def example_decks(technology: Technology) -> dict[str, Deck]:
    """A deck to run by hand: 64 rows at the nominal corner."""
    corner = Corner(vdd=technology.supply.nominal_v, temperature_c=technology.temperature.nominal_c)
    deck, _ = decoder_deck(technology, corner, rows=64, tau=50e-12 * technology.scale)
    return {"decoder.cir": by_hand(deck, f"Rows {addresses(64)} in turn, two enable pulses each: v(selb<row>) falls.")}
