"""Benches of the word units: subtract, multiply and bus. Words go in sequentially; each result is checked.

Every window holds one operation: the operands change, the result settles, the clock latches the result. The delay is the
largest over all words. The energy is the mean over the balanced words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyspice_cim.characterization.benches.quantities import window_energies
from pyspice_cim.characterization.benches.testbench import LOGIC_TOLERANCES, BenchCircuit, by_hand, instance
from pyspice_cim.characterization.benches.word6t import bits_of
from pyspice_cim.characterization.benches.words import BITWISE, DATA, Data, balanced_words
from pyspice_cim.characterization.spice.measure import bits_at, crossings
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.cell import Cell
from pyspice_cim.netlists.columns.datapath import bus_length, multiply_unit, subtract_unit, word_bus
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.technology import Corner, Technology

CONSTANT_BITS = 8
# s of a word; three through a multiplier of sky130 took more than two minutes on a busy machine.
_SECONDS_A_WORD = 200.0
# Gate delays: per full adder on the longest path, for all the rest of a path, of the clock's pulse and around it.
_PER_ADDER, _PATH, _CLOCK, _GAP = 2.5, 8.0, 6.0, 2.0


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A word unit and the words that go through it.

    Attributes:
        cell: clocked, with inputs ``v0``..., a constant ``k0``..., results ``d0``... and ``q0``... before and after the
            latches; or without a clock, with inputs ``d0``... and outputs ``q0``...
        constant: value at the ports ``k``, ``constant_bits`` wide.
        start, words: first input word, and those that are measured; the last ``counted`` of them count for the energy.
        results: what ``d`` (or ``q``, without a clock) must be for each of ``words``; ``shift`` leads from it to ``q``.
        window: gate delays of one operation until the clock.
    """

    cell: Cell
    bits: int
    start: int
    words: tuple[int, ...]
    counted: int
    results: tuple[int, ...]
    result_bits: int
    window: float
    shift: int = 0
    constant: int = 0
    constant_bits: int = 0
    clocked: bool = True


def replace_words(unit: Unit, words: tuple[int, ...], results: tuple[int, ...]) -> Unit:
    """``unit`` with other ``words`` and the ``results`` that these must give; all words count for the energy."""
    return replace(unit, words=words, results=results, counted=len(words))


def subtract(technology: Technology, bits: int, data: Data = DATA) -> Unit:
    """max(v - lambda, 0) with lambda about a tenth of full scale and odd.

    v = lambda after lambda - 1 sends a carry from the lowest bit through all others into the clamp, and back after it.
    """
    constant = max(1, 2**bits // 10) | 1
    words = [constant, constant - 1, *balanced_words(bits, data)]
    return Unit(
        cell=subtract_unit(technology, bits),
        bits=bits,
        start=constant - 1,
        words=tuple(words),
        counted=data.words,
        results=tuple(max(word - constant, 0) for word in words),
        result_bits=bits,
        window=_PER_ADDER * bits + _PATH,
        constant=2**bits - 1 - constant,
        constant_bits=bits,
    )


def multiply(technology: Technology, bits: int, data: Data = DATA) -> Unit:
    """v * beta with beta = 243 / 256 (0.95, six bits set); all ones after 0 comes first, for the delay."""
    constant = 243
    words = [2**bits - 1, *balanced_words(bits, data)]
    return Unit(
        cell=multiply_unit(technology, bits, CONSTANT_BITS),
        bits=bits,
        start=0,
        words=tuple(words),
        counted=data.words,
        results=tuple(word * constant for word in words),
        result_bits=bits + CONSTANT_BITS,
        # The longest path goes down all rows and along the last one.
        window=_PER_ADDER * (bits + 2 * (CONSTANT_BITS - 1)) * 0.8 + _PATH,
        shift=CONSTANT_BITS,
        constant=2**CONSTANT_BITS - 1 - constant,
        constant_bits=CONSTANT_BITS,
    )


def bus(technology: Technology, rows: int, bits: int) -> Unit:
    """The word bus between a memory of ``rows`` words of ``bits`` bits and its datapath, one way."""
    words = [2**bits - 1, 0, *balanced_words(bits, BITWISE)]
    return Unit(
        cell=word_bus(technology, bits, bus_length(technology, rows, bits)),
        bits=bits,
        start=0,
        words=tuple(words),
        counted=BITWISE.words,
        results=tuple(words),
        result_bits=bits,
        window=_PATH + _CLOCK,
        clocked=False,
    )


def unit_simulation(technology: Technology, corner: Corner, unit: Unit, tau: float) -> Simulation:
    """The simulation of all words of ``unit``; ``tau`` is the gate delay in s."""
    deck, arguments = unit_deck(technology, corner, unit, tau)
    return Simulation(deck=deck, reducer=reducer_name(reduce_unit), arguments=arguments)


def unit_deck(technology: Technology, corner: Corner, unit: Unit, tau: float) -> tuple[DrawnDeck, dict[str, Any]]:
    """DrawnDeck of ``unit``, and the reducer's arguments; ``tau`` is the gate delay in s."""
    title = f"{unit.cell.name} of {unit.bits} bits, inputs {' '.join(map(str, (unit.start, *unit.words)))}"
    bench = BenchCircuit(technology, corner, title)
    bench.define(unit.cell)
    bench.supply("vdd")
    span = (_GAP + unit.window + ((_CLOCK + 2 * _GAP) if unit.clocked else 0.0)) * tau
    edges = [tau + i * span for i in range(len(unit.words) + 1)]
    changed = [start + _GAP * tau for start in edges[:-1]]
    clocked = [time + unit.window * tau for time in changed]
    edge = 0.5 * tau
    operand = "v" if unit.clocked else "d"
    for k in range(unit.bits):
        changes = [(time, word >> k & 1) for time, word in zip(changed, unit.words, strict=True)]
        bench.line(f"{operand}{k}", unit.start >> k & 1, changes, edge)
    nodes = {f"k{k}": "vdd" if bit else "0" for k, bit in enumerate(bits_of(unit.constant, unit.constant_bits))}
    if unit.clocked:
        bench.line("clk", 0, [x for t in clocked for x in ((t, 1), (t + _CLOCK * tau, 0))], edge)
        # The latches have to start somewhere; their first result is not measured against it.
        bench.initial |= {f"q{k}": 0.0 for k in range(unit.bits)}
        bench.save(*(f"d{k}" for k in range(unit.result_bits)), "clk")
    bench.save(*(f"q{k}" for k in range(unit.bits)))
    instance(bench.circuit, "unit", unit.cell, nodes)
    arguments = {
        "vdd": corner.vdd,
        "bits": unit.bits,
        "result_bits": unit.result_bits,
        "shift": unit.shift,
        "words": unit.words,
        "results": unit.results,
        "counted": unit.counted,
        "edges": edges,
        "changed": changed,
        "clocked": clocked if unit.clocked else [],
        **bench.sources,
    }
    deck = bench.transient(edges[-1], 2 * tau, edge, LOGIC_TOLERANCES)
    return replace(deck, timeout=max(deck.timeout, _SECONDS_A_WORD * len(unit.words))), arguments


def reduce_unit(
    vectors: Vectors,
    *,
    vdd: float,
    bits: int,
    result_bits: int,
    shift: int,
    words: Sequence[int],
    results: Sequence[int],
    counted: int,
    edges: list[float],
    changed: list[float],
    clocked: list[float],
    supplies: list[str],
    lines: list[str],
) -> dict[str, float]:
    """Reducer: ``energy`` in J (mean of the last ``counted`` words, all sources) and ``time`` in s (slowest word).

    ``time`` runs from the operands at V_DD/2 to the last bit before the latches at V_DD/2, plus from the clock to the
    last latched bit.

    Raises:
        SimulationError: if a result is not the integer that it must be.
    """
    settle, latch = [0.0], [0.0]
    for i, (word, result) in enumerate(zip(words, results, strict=True)):
        end = edges[i + 1]
        before = clocked[i] if clocked else end
        name = "d" if clocked else "q"
        _expect(vectors, name, result_bits, before, result, word, vdd)
        settle.append(_last(vectors, name, result_bits, changed[i], before, vdd) - changed[i])
        if clocked:
            _expect(vectors, "q", bits, end, result >> shift, word, vdd)
            latch.append(_last(vectors, "q", bits, before, end, vdd) - before)
    energies = np.sum(list(window_energies(vectors, edges, vdd=vdd, supplies=supplies, lines=lines).values()), axis=0)
    return {"energy": float(np.mean(energies[-counted:])), "time": max(settle) + max(latch)}


def _expect(vectors: Vectors, name: str, count: int, time: float, value: int, word: int, vdd: float) -> None:
    found = sum(bit << k for k, bit in enumerate(bits_at(vectors, [f"v({name}{k})" for k in range(count)], time, vdd)))
    if found != value:
        raise SimulationError(f"operand {word} gives {name} = {found} at {time:.4g} s, expected {value}")


def _last(vectors: Vectors, name: str, count: int, start: float, end: float, vdd: float) -> float:
    """Time of the last crossing of V_DD/2 of a word in a window, ``start`` if there is none."""
    times = np.concatenate([[start], *(crossings(vectors, f"v({name}{k})", vdd / 2) for k in range(count))])
    return float(times[(times >= start) & (times <= end)].max())


def example_decks(technology: Technology) -> dict[str, DrawnDeck]:
    """A deck to run by hand: the 8-bit subtraction at the nominal corner."""
    corner = Corner(vdd=technology.supply.nominal_v, temperature_c=technology.temperature.nominal_c)
    unit = subtract(technology, 8)
    deck, _ = unit_deck(technology, corner, unit, 50e-12 * technology.scale)
    text = f"max(v - lambda, 0) of v = {unit.words} gives {unit.results}, v(d0) lowest bit, before the latches."
    return {"subtract.cir": by_hand(deck, text)}
