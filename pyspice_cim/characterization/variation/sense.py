"""Input-referred offset of sampled sense amplifiers.

The offset is the bitline differential at which a latch is undecided. Several latches with the threshold shifts of one
sample start from different inputs. D is the voltage between the two sides of a latch, a short time after the sense
enable. D rises with the input, and its zero is the offset. Three rounds find the zero:

    1. five inputs over a wide range              zero of a monotone curve through D
    2. two inputs, centre - d and centre + d      offset = centre - d (D+ + D-) / (D+ - D-)
    3. as 2, with a smaller d, at a later time

The formula of round 2 is the zero of the line D = G (input - offset) through both points.
"""

from collections.abc import Generator

import numpy as np
from scipy.interpolate import PchipInterpolator

from pyspice_cim.characterization.benches.testbench import BenchCircuit
from pyspice_cim.characterization.benches.word6t import Word
from pyspice_cim.characterization.engine.packing import PACK
from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation, reducer_name
from pyspice_cim.characterization.variation.fixture import CopyResults, Fixture, at_time, run_copies, traces
from pyspice_cim.netlists.analysis import Options
from pyspice_cim.netlists.cells.periphery6t import sense_amplifier
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.netlists.flat import FlatCell, Transistor, draw_flat

# Time of the sense enable, in gate delays.
_FIRED = 1.0
# Rounds: inputs relative to their centre, in V, and the time from the sense enable to the measurement of D, in gate
# delays. The first round spans seven sigma of a latch of minimum length. A later measurement contains more of the
# latch's decision.
_ROUNDS = (((-0.24, -0.1, 0.0, 0.1, 0.24), 0.7), ((-0.012, 0.012), 1.6), ((-0.005, 0.005), 2.5))
_TOLERANCES = Options.of(reltol="1e-3", chgtol="1e-17")


def sense_transistors(word: Word) -> tuple[Transistor, ...]:
    """Return the sampled transistors of the sense amplifier; their paths are ``sram6t.sense.<name>``.

    Args:
        word: its technology counts.
    """
    return _latch(word).transistors


def sense_offset(
    word: Word, shifts: Array, *, pack: int = PACK
) -> Generator[list[Simulation], list[Outcome], CopyResults]:
    """Measure the ``offset`` of every copy; a bench calls it by ``yield from``.

    A bitline differential above the offset is read as a 1 (``bl`` high).

    Args:
        word: technology, corner and gate delay.
        shifts: threshold shifts of ``sense_transistors``, shape (copies, transistors), in volts.
        pack: copies per deck.

    Returns:
        The value ``offset``, shape (copies,), in volts; NaN with a reason for a copy that failed in any round.
    """
    offset, reasons = np.zeros(len(shifts)), [""] * len(shifts)
    decks: tuple[str, ...] = ()
    for inputs, compared in _ROUNDS:
        found = yield from run_copies(_round(word, inputs, compared), _with_centre(shifts, offset), pack=pack)
        reasons = [before or now for before, now in zip(reasons, found.reasons, strict=True)]
        # A failed copy has a reason and gets NaN below; its centre in the next round does not matter.
        offset, decks = np.nan_to_num(found.values["offset"]), decks + found.decks
    failed = np.array([bool(reason) for reason in reasons])
    return CopyResults(values={"offset": np.where(failed, np.nan, offset)}, reasons=tuple(reasons), decks=decks)


def _with_centre(shifts: Array, centre: Array) -> Array:
    return np.column_stack([shifts, centre])


def _round(word: Word, inputs: tuple[float, ...], compared: float) -> Fixture:
    """Return the fixture of one round; the last column of its shifts is the centre of the inputs, in volts."""
    cell = _latch(word)

    def build(rows: Array) -> Simulation:
        deck = latch_deck(word, rows[:, :-1], np.add.outer(rows[:, -1], inputs), stop=_FIRED + compared + 0.2)
        arguments = {
            "centres": rows[:, -1].tolist(),
            "inputs": list(inputs),
            "compared": (_FIRED + compared) * word.tau,
        }
        return Simulation(deck=deck, reducer=reducer_name(reduce_offset), arguments=arguments)

    return Fixture(transistors=cell.transistors, build=build, values=("offset",))


def _latch(word: Word) -> FlatCell:
    lines = {port: port for port in ("isolate", "pcb", "sae", "vdd")}
    return draw_flat(word.technology, sense_amplifier(word.technology), lines, path="sram6t.sense")


def latch_deck(word: Word, shifts: Array, inputs: Array, *, stop: float) -> Deck:
    """Return the deck of several latches per copy, each with its own input.

    Args:
        word: technology, corner and gate delay.
        shifts: threshold shifts of ``sense_transistors``, shape (copies, transistors), in volts.
        inputs: bitline differential bl - blb of every latch, shape (copies, latches), in volts.
        stop: end of the transient, in gate delays.
    """
    cell, tau, vdd = _latch(word), word.tau, word.corner.vdd
    bench = BenchCircuit(word.technology, word.corner, "Sense amplifiers with given inputs")
    bench.supply("vdd")
    edge = 0.5 * tau
    for line, start, changes in (("isolate", 0, [(_FIRED, 1)]), ("sae", 0, [(_FIRED, 1)]), ("pcb", 1, [])):
        bench.line(line, start, [(time * tau, bit) for time, bit in changes], edge)
    bench.supplies.clear()
    bench.lines.clear()
    text = []
    for copy, (row, own) in enumerate(zip(shifts.tolist(), inputs.tolist(), strict=True)):
        for latch, given in enumerate(own):
            tag = f"{copy}_{latch}"
            levels = {"bl": vdd + min(given, 0.0), "blb": vdd - max(given, 0.0)}
            text += [f"V{node}{tag} {node}{tag} 0 {level:.9g}\n" for node, level in levels.items()]
            text.append(cell.copy(tag, row))
            sides = {_side("s", tag): levels["bl"], _side("t", tag): levels["blb"]}
            bench.initial |= {**sides, f"out{tag}": 0.0, f"outb{tag}": vdd}
            bench.save(*sides)
    bench.circuit.raw_spice += "".join(text)
    return bench.transient(stop * tau, tau, edge, _TOLERANCES)


def _side(name: str, tag: str) -> str:
    return f"sram6t.sense.{name}.{tag}"


def latch_differences(vectors: Vectors, copies: int, latches: int, moment: float) -> Array:
    """Return D = V(s) - V(t) of every latch at one moment, shape (copies, latches), in volts.

    Args:
        vectors: results of ``latch_deck``.
        copies, latches: number of copies, and of latches per copy.
        moment: in seconds.
    """
    columns = []
    for latch in range(latches):
        s, t = (traces(vectors, f"v({_side(name, f'{{}}_{latch}')})", copies) for name in "st")
        columns.append(at_time(vectors["time"], s - t, moment))
    return np.stack(columns, axis=1)


def reduce_offset(
    vectors: Vectors, *, centres: list[float], inputs: list[float], compared: float
) -> dict[str, list[float]]:
    """Reducer: return ``offset`` of every copy, in volts.

    Five inputs: a zero outside their range is moved to the nearer end. Two inputs: the zero is at most five times their
    distance from the centre.

    Args:
        vectors: results of ``latch_deck``.
        centres: centre of the inputs of every copy, in volts.
        inputs: inputs relative to the centre, in volts.
        compared: when D is measured, in seconds.
    """
    found = latch_differences(vectors, len(centres), len(inputs), compared)
    return {"offset": [centre + _zero(np.array(inputs), row) for centre, row in zip(centres, found, strict=True)]}


def _zero(inputs: Array, found: Array) -> float:
    """Return the zero of the rising ``found``: of a line through two points, of a monotone curve through more."""
    if inputs.size == 2:
        slope = (found[1] - found[0]) / (inputs[1] - inputs[0])
        # Far from its zero the curve is flat, and the line would lead anywhere.
        reach = 5 * (inputs[1] - inputs[0])
        return float(np.clip(inputs.mean() - found.mean() / max(slope, 1e-3), -reach, reach))
    fine = np.linspace(inputs[0], inputs[-1], 481)
    return float(np.interp(0.0, np.maximum.accumulate(PchipInterpolator(inputs, found)(fine)), fine))
