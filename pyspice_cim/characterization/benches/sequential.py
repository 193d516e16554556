"""Bench of the sequential baseline: a word-organised 6T memory whose neurons are updated one after the other.

    decode row -> read word -> bus -> subtract lambda (clamped) or multiply by beta -> bus -> write word back

One word is one row; every part is simulated with its own drivers and checked bit for bit. The parts of one update add
up: decode (both wordline pulses), read, transport (both ways), one arithmetic unit, write. Choices favour
the baseline: precharge recovery is in the energies and not in the times (it overlaps with the arithmetic and the next
decode), there are no half-selected columns, and the control logic and clock tree are free.
"""

from collections.abc import Mapping
from dataclasses import replace

from pyspice_cim.characterization.benches.datapath import (
    bus,
    multiply,
    subtract,
    unit_simulation,
)
from pyspice_cim.characterization.benches.decoder import decoder_simulation
from pyspice_cim.characterization.benches.quantities import Quantity, measurements
from pyspice_cim.characterization.benches.word6t import (
    SPLIT,
    Operation,
    Word,
    access_simulation,
    split_simulation,
    summarised,
)
from pyspice_cim.characterization.benches.words import BITWISE, DATA, Data, balanced_words
from pyspice_cim.characterization.devices.timescale import gate_delay, gate_delay_simulation
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Outcome
from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.cells.decoder import address_groups
from pyspice_cim.technology import Corner, Technology


def _pair(part: str, energy: str, time: str, keys: tuple[str, str] = ("energy", "time")) -> list[Quantity]:
    return [
        Quantity(f"sequential_{part}_energy", "J", keys[0], energy),
        Quantity(f"sequential_{part}_time", "s", keys[1], time),
    ]


# Gate delays, from row select to sense enable at least: of a few rows the bitlines have their split before the wordline of a
# whole word is up.
_SHORTEST_PULSE = 0.8
_MEAN = "mean of words in which every bit stays and changes equally often, all sources"
_QUANTITIES: Mapping[str, list[Quantity]] = {
    "read": _pair(
        "read",
        f"reading a word: wordline driver, cells, sense amplifiers, precharge recovery; {_MEAN}",
        f"row select to the last latched output, sense amplifiers fired at a split of {SPLIT:g} V",
        ("read_energy", "read_time"),
    ),
    "write": _pair(
        "write",
        f"writing a word: wordline and write drivers, cells, precharge recovery; {_MEAN}",
        "row select to the last storage node within 10 %",
        ("write_energy", "write_time"),
    ),
    "decode": _pair(
        "decode",
        "selecting a row for a read and a write: the address counts up, two wordline pulses",
        "address to row select, slowest",
        ("counting_energy", "delay"),
    ),
    "transport": _pair(
        "transport", f"a word to the datapath and the result back; {_MEAN}", "both ways on the bus, slowest bit"
    ),
    "subtract": _pair(
        "subtract",
        f"max(v - lambda, 0): ripple adder, clamp, result latches; {_MEAN}",
        "operand to latched result, a carry through all bits included",
    ),
    "multiply": _pair(
        "multiply",
        f"v times 243/256: array multiplier, result latches; {_MEAN}",
        "operand to latched result, slowest of the words",
    ),
}


# Bits of a word whose operands numpy's integers hold.
_MOST_BITS = 63


def check_sequential(*, rows: int, membrane_bits: int) -> None:
    """Check that there is a decoder for ``rows`` words, and that words of ``membrane_bits`` bits can be drawn.

    Raises:
        NetlistError: if not, with the numbers that can.
    """
    address_groups(rows)
    if membrane_bits > _MOST_BITS:
        raise NetlistError(f"membrane_bits = {membrane_bits} are too many; give {_MOST_BITS} at most")


def sequential_bench(
    technology: Technology, corner: Corner, *, rows: int, membrane_bits: int, data: Data = DATA
) -> Bench:
    """All ``sequential_*`` quantities for ``rows`` neurons with membranes of ``membrane_bits`` bits."""
    (scale,) = yield [gate_delay_simulation(technology, corner)]
    if not scale.ok:
        return [m for quantities in _QUANTITIES.values() for m in measurements(quantities, scale)]
    tau = gate_delay(scale)
    word = Word(technology=technology, corner=corner, rows=rows, columns=membrane_bits, tau=tau)
    units = {
        "transport": bus(technology, rows, membrane_bits),
        "subtract": subtract(technology, membrane_bits, data),
        "multiply": multiply(technology, membrane_bits, data),
    }
    decode, split, *arithmetic = yield [
        decoder_simulation(technology, corner, rows=rows, tau=tau),
        split_simulation(word),
        *(unit_simulation(technology, corner, unit, tau) for unit in units.values()),
    ]
    memory = split
    if split.ok:
        stored, operations = memory_operations(membrane_bits)
        split_time = max(float(split.values["split_time"]), _SHORTEST_PULSE * tau)
        (access,) = yield [access_simulation(word, operations, split_time=split_time, stored=stored)]
        memory = summarised(access)
    outcomes = {"read": memory, "write": memory, "decode": decode, **dict(zip(units, arithmetic, strict=True))}
    outcomes["transport"] = doubled(outcomes["transport"])
    done: list[Measurement] = []
    for part, quantities in _QUANTITIES.items():
        done += measurements(quantities, outcomes[part])
    return done


def memory_operations(bits: int) -> tuple[int, list[Operation]]:
    """What is stored first, and balanced words, each written over the one before and read back."""
    stored, *words = balanced_words(bits, BITWISE)
    return stored, [Operation(write=write, word=word) for word in words for write in (True, False)]


def doubled(outcome: Outcome) -> Outcome:
    """Twice every value: there and back."""
    return replace(outcome, values={name: 2 * value for name, value in outcome.values.items()})
