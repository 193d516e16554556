"""Bench of the row decoder: energy and delay of selecting one row.

Each access changes the address and pulses the enable, a wordline pulse. First 0 -> last -> 0, in which every bit changes,
for the delay, and on to where the count starts, each with a second pulse at the same address, as a read-modify-write has;
then counting up, as a sequential update does; then any row after any other, as a weight's write does. What an access takes
is nearly the sum of what the bits that change take, so both sequences are chosen to have their means, and not drawn:

    counting  8 to 16, modulo the rows: 1, 2, 1, 3, 1, 2, 1 and 5 bits change (fewer where it wraps), 2.0 on average, as
              in a whole count of 2^b rows but for 2^(1 - b); the high bits, which hardly ever change, do not
    any row   every group of predecoded bits sees each of its differences, 0 among them, equally often: half its bits
              change on average, and it stays as it is as often as it does by chance. Where the rows are no power of
              two, the best of many random walks: each bit and each group changes as often as by chance within an eighth
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from pyspice_cim.characterization.benches.quantities import measurements, window_energies
from pyspice_cim.characterization.benches.testbench import LOGIC_TOLERANCES, BenchCircuit, by_hand, instance
from pyspice_cim.characterization.devices.timescale import gate_delay, gate_delay_simulation
from pyspice_cim.characterization.spice.measure import bits_at, crossings, first_crossing
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Bench, Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.cells.decoder import address_bits, address_groups, row_decoder
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.tables import contract
from pyspice_cim.technology import Corner, Technology

# Accesses of each kind, in their order; the first kind has two pulses.
FAR, COUNTED, ANY = 4, 8, 8
# Random walks that the best is chosen from.
_DRAWS = 4096
# Where the count starts: its eight steps end with a carry over four bits.
_COUNT_FROM = 8
# Gate delays: from address to enable (the address buffers' time), length of an enable pulse, and rest after it.
_SETUP, _PULSE, _REST = 3.0, 20.0, 12.0

# Value of the reducer -> the quantity that it is.
QUANTITIES = {"any_energy": contract.DECODER_ENERGY, "delay": contract.DECODER_DELAY}


def decoder_bench(technology: Technology, corner: Corner, *, rows: int) -> Bench:
    """The bench of a row decoder without its wordline driver; it measures the quantities of ``contract.DECODER``.

    Args:
        technology: the technology.
        corner: operating conditions.
        rows: rows to choose from.
    """
    (scale,) = yield [gate_delay_simulation(technology, corner)]
    if not scale.ok:
        return measurements(QUANTITIES, scale)
    (outcome,) = yield [decoder_simulation(technology, corner, rows=rows, tau=gate_delay(scale))]
    return measurements(QUANTITIES, outcome)


def addresses(rows: int) -> list[int]:
    """The selected rows, in order: ``FAR``, ``COUNTED`` and ``ANY`` accesses.

    Args:
        rows: rows to choose from.
    """
    counted = [(_COUNT_FROM + step) % rows for step in range(COUNTED + 1)]
    walk = _walk_over_codes if rows == 2 ** address_bits(rows) else _walk_over_rows
    return [0, rows - 1, 0, *counted, *walk(rows, counted[-1])]


def _walk_over_codes(rows: int, start: int) -> list[int]:
    """Rows after ``start`` in which every group of bits takes each of its differences equally often."""
    differences = [0] * ANY
    for number, group in enumerate(address_groups(rows)):
        for step in range(ANY):
            # An odd factor for each group, so that not all of them stay as they are in the same access.
            difference = (step * (2 * number + 1) + number) % 2 ** len(group)
            differences[step] |= difference << group[0]
    return list(accumulate(differences, lambda row, difference: row ^ difference, initial=start))[1:]


def _walk_over_rows(rows: int, start: int) -> list[int]:
    """Of ``_DRAWS`` random walks after ``start`` the one whose bits and groups change most nearly as in all pairs of rows."""
    every = np.arange(rows)
    drawn = np.random.default_rng(rows).integers(0, rows, (_DRAWS, ANY))
    steps = np.hstack([np.full((_DRAWS, 1), start), drawn])
    steps = steps[:, 1:] ^ steps[:, :-1]
    off = np.zeros(_DRAWS)
    for group in address_groups(rows):
        for mask in (*(1 << bit for bit in group), sum(1 << bit for bit in group)):
            shares = np.bincount(every & mask) / rows
            off = np.maximum(off, np.abs(np.mean(steps & mask != 0, axis=1) - (1 - np.sum(shares**2))))
    return [int(row) for row in drawn[np.argmin(off)]]


def decoder_simulation(technology: Technology, corner: Corner, *, rows: int, tau: float) -> Simulation:
    """The simulation that selects ``addresses(rows)``; ``tau`` is the gate delay in s."""
    deck, arguments = decoder_deck(technology, corner, rows=rows, tau=tau)
    return Simulation(deck=deck, reducer=reducer_name(reduce_decoder), arguments=arguments)


def decoder_deck(technology: Technology, corner: Corner, *, rows: int, tau: float) -> tuple[DrawnDeck, dict[str, Any]]:
    """Deck of all accesses in sequence, and the reducer's arguments; ``tau`` is the gate delay in s."""
    selected = addresses(rows)
    drawn = sorted(set(selected))
    bench = BenchCircuit(technology, corner, f"row decoder of {rows} rows")
    decoder = row_decoder(technology, rows, drawn)
    bench.define(decoder)
    bench.supply("vdd")
    bits = address_bits(rows)
    address: list[list[tuple[float, int]]] = [[] for _ in range(bits)]
    enable: list[tuple[float, int]] = []
    edges, changed = [2 * tau], []
    time = 2 * tau
    for access, row in enumerate(selected):
        changed.append(time + tau)
        for bit in range(bits):
            address[bit].append((time + tau, (row >> bit) & 1))
        time += (1 + _SETUP) * tau
        for _pulse in range(2 if access < FAR else 1):
            enable += [(time, 1), (time + _PULSE * tau, 0)]
            time += (_PULSE + _REST) * tau
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
        "far": FAR,
        "counted": COUNTED,
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
    far: int,
    counted: int,
    supplies: list[str],
    lines: list[str],
) -> dict[str, float]:
    """Reducer: ``delay`` in s of the slowest access, and mean energies in J.

    ``any_energy``: any row and one pulse; ``counting_energy``: the next row and two pulses.

    Args:
        edges: s, start of the first window and the end of each: two for each of the first ``far`` accesses, then one.

    Raises:
        SimulationError: if a row that was not addressed is selected for a moment, or the addressed one is not.
    """
    delays = []
    for i, row in enumerate(selected):
        pulses = (2 * i, 2 * i + 2) if i < far else (far + i, far + i + 1)
        output = f"v(selb{row})"
        fall = first_crossing(vectors, output, vdd / 2, after=changed[i], rising=False)
        if fall > edges[pulses[0] + 1]:
            raise SimulationError(f"row {row} is not selected in access {i}; the enable pulse is too short")
        # The first access starts from address 0 and may change nothing.
        if i:
            delays.append(fall - changed[i])
        levels = bits_at(vectors, [f"v(selb{other})" for other in drawn], fall + pulse / 2, vdd)
        if levels != [int(other != row) for other in drawn]:
            raise SimulationError(f"access {i} to row {row}: row gates are {levels} for rows {list(drawn)}")
        for other in drawn:
            falls = crossings(vectors, f"v(selb{other})", vdd / 2, rising=False)
            wrong = (falls > changed[i]) & (falls < edges[pulses[1]])
            if other != row and wrong.any():
                raise SimulationError(f"access {i} to row {row}: row {other} is selected for a moment")
    energies = np.sum(list(window_energies(vectors, edges, vdd=vdd, supplies=supplies, lines=lines).values()), axis=0)
    second, single = energies[1 : 2 * far : 2], energies[2 * far :]
    return {
        "any_energy": float(np.mean(single[counted:])),
        "counting_energy": float(np.mean(single[:counted]) + np.mean(second)),
        "delay": max(delays),
    }


def example_decks(technology: Technology) -> dict[str, DrawnDeck]:
    """A deck to run by hand: 64 rows at the nominal corner."""
    corner = Corner(vdd=technology.supply.nominal_v, temperature_c=technology.temperature.nominal_c)
    deck, _ = decoder_deck(technology, corner, rows=64, tau=50e-12 * technology.scale)
    return {"decoder.cir": by_hand(deck, f"Rows {addresses(64)} in turn, the first {FAR} twice: v(selb<row>) falls.")}
