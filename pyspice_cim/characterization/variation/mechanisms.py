"""The ways in which a memory fails under variation, each as a margin that is below 0 where it does.

read     read noise margin of the 6T cell, V                        the read flips the cell
write    write margin of the 6T cell, V                             the write does not flip it
sense    split at the sense moment less the latch's offset, V       the wrong bit is latched
cycle    slack of the 8T cell in the working cycle, s               a bit comes too late

``late_read`` and ``late_write`` are the two accesses of the 8T cell by themselves: nominal delay less that of the sample, s;
the access is too late where this is below minus what the cycle adds to its pulse.
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
from pyspice_cim.characterization.variation.access import access_fixture, nominal_split
from pyspice_cim.characterization.variation.cycle import pulse_slack, read_fixture, write_fixture
from pyspice_cim.characterization.variation.fixture import Fixture, Sampled, sampled
from pyspice_cim.characterization.variation.population import Population
from pyspice_cim.characterization.variation.sense import sense_offset, sense_transistors
from pyspice_cim.characterization.variation.static import snm_fixture, write_margin_fixture
from pyspice_cim.netlists.flat import Transistor
from pyspice_cim.tables.contract import COLUMN_MINIMUM_CYCLE
from pyspice_cim.technology import Corner, Technology

MarginRun = Generator[list[Simulation], list[Outcome], Sampled]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a nominal memory says about the times of its sampled copies; a reason stands where it could not be found.

    Attributes:
        split_time: s, sense moment of the 6T column (``nominal_split``).
        slack: s, what the working cycle adds to the pulses ``read`` and ``write`` of the 8T column.
        delays: s, nominal ``read`` and ``write`` delay of the 8T column.
    """

    word: Word | None
    split_time: float = float("nan")
    slack: dict[str, float] | None = None
    delays: dict[str, float] | None = None
    reason: str = ""
    cycle_reason: str = ""


def find_conditions(
    technology: Technology, corner: Corner, rows: int
) -> Generator[list[Simulation], list[Outcome], Conditions]:
    """The conditions at one point, from nominal runs: gate delay, sense moment, minimum cycle of a column, 8T delays."""
    (scale,) = yield [gate_delay_simulation(technology, corner)]
    if not scale.ok:
        return Conditions(word=None, reason=scale.reason, cycle_reason=scale.reason)
    word = Word(technology=technology, corner=corner, rows=rows, columns=1, tau=gate_delay(scale))
    split, read, written = yield [nominal_split(word), read_fixture(word).nominal, write_fixture(word).nominal]
    measured = yield from column_bench(technology, corner, rows=rows, segments=1)
    cycle = next(each for each in measured if each.name == COLUMN_MINIMUM_CYCLE.name)
    late = read.reason or written.reason or cycle.reason
    return Conditions(
        word=word,
        split_time=float("nan") if split.reason else float(split.values["split_time"]),
        slack=None if late else pulse_slack(float(np.asarray(cycle.value))),
        delays=None
        if late
        else {"read": float(read.values["read_delay"][0]), "write": float(written.values["write_delay"][0])},
        reason=split.reason,
        cycle_reason=late,
    )


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """A margin of sampled copies.

    Attributes:
        transistors: those whose shifts count.
        run: from shifts [copy, transistor] in V and copies a deck to values, ``margin`` among them.
        reason: why it cannot be run.
    """

    transistors: tuple[Transistor, ...]
    run: Callable[[Array, int], MarginRun]
    reason: str = ""

    def of(self, population: Population, z: Array, pack: int) -> MarginRun:
        """The margins of samples ``z`` of ``population``."""
        return self.run(population.shifts(z, self.transistors), pack)


def find_mechanisms(technology: Technology, corner: Corner, conditions: Conditions) -> dict[str, Mechanism]:
    """All mechanisms by name; one that a nominal run stands in the way of has a reason."""
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
        result = yield from sampled(fixture, shifts, pack=pack)
        return _with_margin(result, result.values[value])

    return Mechanism(transistors=fixture.transistors, run=run)


def _sense(word: Word, conditions: Conditions) -> Mechanism:
    access = access_fixture(word, conditions.split_time)
    column = len(access.transistors)

    def run(shifts: Array, pack: int) -> MarginRun:
        accessed = yield from sampled(access, shifts[:, :column], pack=pack)
        offset = yield from sense_offset(word, shifts[:, column:], pack=pack)
        both = _merged(accessed, offset)
        return _with_margin(both, both.values["split"] - both.values["offset"])

    transistors = (*access.transistors, *sense_transistors(word))
    return Mechanism(transistors=transistors, run=run, reason=conditions.reason)


def _late(word: Word, conditions: Conditions, access: Literal["read", "write"]) -> Mechanism:
    fixture = {"read": read_fixture, "write": write_fixture}[access](word)

    def run(shifts: Array, pack: int) -> MarginRun:
        assert conditions.delays is not None
        result = yield from sampled(fixture, shifts, pack=pack)
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


def _merged(first: Sampled, second: Sampled) -> Sampled:
    return Sampled(
        values=first.values | second.values,
        reasons=tuple(one or other for one, other in zip(first.reasons, second.reasons, strict=True)),
        decks=first.decks + second.decks,
    )


def _with_margin(result: Sampled, margin: Array) -> Sampled:
    return Sampled(values=result.values | {"margin": margin}, reasons=result.reasons, decks=result.decks)
