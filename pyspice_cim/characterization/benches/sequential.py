"""Bench of the sequential baseline: a word-organised 6T memory whose neurons are updated sequentially.

    decode row -> read word -> bus -> subtract lambda (clamped) or multiply by beta -> bus -> write word back

One word is one row. Every part is simulated with its own drivers and checked bit for bit. Energy and time of one update are
the sums over its parts: decode (both wordline pulses), read, transport (both ways), one arithmetic unit, write.

The choices favour the baseline. Precharge recovery counts in the energies and not in the times, because it overlaps with the
arithmetic and the next decode. No column is half selected. Control logic and clock tree cost nothing.
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
from pyspice_cim.characterization.benches.quantities import measurements
from pyspice_cim.characterization.benches.word6t import (
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
from pyspice_cim.tables import contract
from pyspice_cim.tables.quantity import Quantity
from pyspice_cim.technology import Corner, Technology

# Shortest time from row select to sense enable, in gate delays: short bitlines have their differential before the wordline of
# a whole word is up.
_SHORTEST_PULSE = 0.8
# Part of an update -> the values of its outcome that are its energy and its time.
_KEYS = {
    "read": ("read_energy", "read_time"),
    "write": ("write_energy", "write_time"),
    "decode": ("counting_energy", "delay"),
}
_QUANTITIES: Mapping[str, Mapping[str, Quantity]] = {
    part: dict(zip(_KEYS.get(part, ("energy", "time")), pair, strict=True))
    for part, pair in contract.SEQUENTIAL_PARTS.items()
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
    """The bench of the sequential update; it measures the quantities of ``contract.SEQUENTIAL``.

    Args:
        technology: the technology.
        corner: operating conditions.
        rows: words of the memory, one a neuron.
        membrane_bits: bits of a word.
        data: words behind the mean energies of the arithmetic units.
    """
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
    """The word that is stored first, and operations that write balanced words of ``bits`` bits and read each back."""
    stored, *words = balanced_words(bits, BITWISE)
    return stored, [Operation(write=write, word=word) for word in words for write in (True, False)]


def doubled(outcome: Outcome) -> Outcome:
    """``outcome`` with twice every value: to the datapath and back."""
    return replace(outcome, values={name: 2 * value for name, value in outcome.values.items()})
