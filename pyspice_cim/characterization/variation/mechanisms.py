"""Failure mechanisms of a memory under variation. Each one is a margin; a sample with a margin below 0 fails.

    name     failure                                      margin
    read     read disturb: the read flips the 6T cell     read noise margin, in V
    write    write failure: the 6T cell does not flip     write margin, in V
    sense    sensing failure: the wrong bit is latched    bitline differential at the sense moment less the offset, in V
    cycle    timing failure of the 8T cell                slack in the working cycle, in s

``late_read`` and ``late_write`` are the timing failures of one access of the 8T cell. Their margin is the nominal delay
less the delay of the sample, in s. The access fails if the margin is below minus the time that the cycle adds to its
pulse. Failure mechanisms of the 6T cell: S. Mukhopadhyay, H. Mahmoodi, K. Roy, IEEE TCAD 24 (12), 2005.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pyspice_cim.characterization.benches.column import column_bench
from pyspice_cim.characterization.benches.word6t import Word
from pyspice_cim.characterization.devices.timescale import gate_delay, gate_delay_simulation
from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation
from pyspice_cim.characterization.variation.access import access_fixture, nominal_sense_delay
from pyspice_cim.characterization.variation.cycle import pulse_slack, read_fixture, write_fixture
from pyspice_cim.characterization.variation.fixture import CopyResults, Fixture, run_copies
from pyspice_cim.characterization.variation.population import Population
from pyspice_cim.characterization.variation.sense import sense_offset, sense_transistors
from pyspice_cim.characterization.variation.static import snm_fixture, write_margin_fixture
from pyspice_cim.netlists.flat import Transistor
from pyspice_cim.tables.contract import COLUMN_MINIMUM_CYCLE
from pyspice_cim.technology import Corner, Technology

MarginRun = Generator[list[Simulation], list[Outcome], CopyResults]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Times of a nominal memory, against which samples are judged.

    Attributes:
        word: the 6T word with its gate delay; None if the gate delay could not be measured.
        sense_delay: time from the wordline to the sense moment of the 6T column, in seconds; NaN if not measured.
        slack: time that the working cycle adds to the pulses ``read`` and ``write`` of the 8T column, in seconds;
            None if not measured.
        delays: nominal ``read`` and ``write`` delay of the 8T column, in seconds; None if not measured.
        reason: why there is no sense moment; empty if there is one.
        cycle_reason: why there are no times of the 8T column; empty if there are.
    """

    word: Word | None
    sense_delay: float = float("nan")
    slack: dict[str, float] | None = None
    delays: dict[str, float] | None = None
    reason: str = ""
    cycle_reason: str = ""


def find_conditions(
    technology: Technology, corner: Corner, rows: int
) -> Generator[list[Simulation], list[Outcome], Conditions]:
    """Measure the times of a nominal memory; a bench calls it by ``yield from``.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        rows: cells on a bitline.
    """
    (scale,) = yield [gate_delay_simulation(technology, corner)]
    if not scale.ok:
        return Conditions(word=None, reason=scale.reason, cycle_reason=scale.reason)
    word = Word(technology=technology, corner=corner, rows=rows, columns=1, tau=gate_delay(scale))
    sensed, read, written = yield [nominal_sense_delay(word), read_fixture(word).nominal, write_fixture(word).nominal]
    measured = yield from column_bench(technology, corner, rows=rows, segments=1)
    cycle = next(each for each in measured if each.name == COLUMN_MINIMUM_CYCLE.name)
    late = read.reason or written.reason or cycle.reason
    return Conditions(
        word=word,
        sense_delay=float("nan") if sensed.reason else float(sensed.values["sense_delay"]),
        slack=None if late else pulse_slack(float(np.asarray(cycle.value))),
        delays=None
        if late
        else {"read": float(read.values["read_delay"][0]), "write": float(written.values["write_delay"][0])},
        reason=sensed.reason,
        cycle_reason=late,
    )


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """A failure mechanism.

    Attributes:
        transistors: the transistors whose threshold shifts count.
        run: generator function from shifts, shape (copies, transistors), in volts, and copies per deck to results;
            one of their values is ``margin``.
        reason: why it cannot run; empty if it can.
    """

    transistors: tuple[Transistor, ...]
    run: Callable[[Array, int], MarginRun]
    reason: str = ""

    def of(self, population: Population, z: Array, pack: int) -> MarginRun:
        """Simulate samples of a population; a bench calls it by ``yield from``.

        Args:
            population: the sampled variables.
            z: samples, shape (samples, dimensions).
            pack: copies per deck.

        Returns:
            The results, ``margin`` among their values.
        """
        return self.run(population.shifts(z, self.transistors), pack)


def find_mechanisms(technology: Technology, corner: Corner, conditions: Conditions) -> dict[str, Mechanism]:
    """Return all failure mechanisms by name.

    Without a gate delay, only ``read`` and ``write`` are there. A mechanism whose nominal times were not measured has a
    reason.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        conditions: nominal times (``find_conditions``).
    """
    found = {
        "read": _static(snm_fixture(technology, corner), "read_snm"),
        "write": _static(write_margin_fixture(technology, corner), "write_margin"),
    }
    word = conditions.word
    if word is not None:
        found["sense"] = _sense(word, conditions)
        found["late_read"], found["late_write"] = _late(word, conditions, "read"), _late(word, conditions, "write")
        found["cycle"] = _cycle(conditions, {"read": found["late_read"], "write": found["late_write"]})
    return found


def _static(fixture: Fixture, value: str) -> Mechanism:
    def run(shifts: Array, pack: int) -> MarginRun:
        result = yield from run_copies(fixture, shifts, pack=pack)
        return _with_margin(result, result.values[value])

    return Mechanism(transistors=fixture.transistors, run=run)


def _sense(word: Word, conditions: Conditions) -> Mechanism:
    access = access_fixture(word, conditions.sense_delay)
    column = len(access.transistors)

    def run(shifts: Array, pack: int) -> MarginRun:
        accessed = yield from run_copies(access, shifts[:, :column], pack=pack)
        offset = yield from sense_offset(word, shifts[:, column:], pack=pack)
        both = _merged(accessed, offset)
        return _with_margin(both, both.values["differential"] - both.values["offset"])

    transistors = (*access.transistors, *sense_transistors(word))
    return Mechanism(transistors=transistors, run=run, reason=conditions.reason)


def _late(word: Word, conditions: Conditions, access: Literal["read", "write"]) -> Mechanism:
    fixture = {"read": read_fixture, "write": write_fixture}[access](word)

    def run(shifts: Array, pack: int) -> MarginRun:
        assert conditions.delays is not None
        result = yield from run_copies(fixture, shifts, pack=pack)
        return _with_margin(result, conditions.delays[access] - result.values[f"{access}_delay"])

    return Mechanism(transistors=fixture.transistors, run=run, reason=conditions.cycle_reason)


def _cycle(conditions: Conditions, late: dict[str, Mechanism]) -> Mechanism:
    union = {each.path: each for mechanism in late.values() for each in mechanism.transistors}
    places = {path: place for place, path in enumerate(union)}

    def run(shifts: Array, pack: int) -> MarginRun:
        assert conditions.slack is not None
        results, left = [], []
        for access, mechanism in late.items():
            result = yield from mechanism.run(shifts[:, [places[each.path] for each in mechanism.transistors]], pack)
            results.append(result)
            left.append(conditions.slack[access] + result.values["margin"])
        return _with_margin(_merged(*results), np.minimum(*left))

    return Mechanism(transistors=tuple(union.values()), run=run, reason=conditions.cycle_reason)


def _merged(first: CopyResults, second: CopyResults) -> CopyResults:
    return CopyResults(
        values=first.values | second.values,
        reasons=tuple(one or other for one, other in zip(first.reasons, second.reasons, strict=True)),
        decks=first.decks + second.decks,
    )


def _with_margin(result: CopyResults, margin: Array) -> CopyResults:
    return CopyResults(values=result.values | {"margin": margin}, reasons=result.reasons, decks=result.decks)
