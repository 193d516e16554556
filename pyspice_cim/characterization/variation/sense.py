"""Offset of sampled sense amplifiers, referred to their input.

The offset is the input at which a latch is undecided. Several latches of one sample, with the same shifts, start from
different inputs; a short time after the sense enable the difference D of their sides is a rising function of the input,
whose zero is the offset:

1. five inputs over a wide range: the zero of the curve through their D;
2. two inputs at +-d around that: D = G (input - offset), so offset = centre - d (D+ + D-) / (D+ - D-);
3. the same, closer and later.
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
from pyspice_cim.characterization.variation.fixture import Fixture, Sampled, at_time, sampled, traces
from pyspice_cim.netlists.analysis import Options
from pyspice_cim.netlists.cells.periphery6t import sense_amplifier
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.netlists.flat import FlatCell, Transistor, draw_flat

# Gate delays: the sense enable.
_FIRED = 1.0
# Rounds: inputs relative to their centre, V, and gate delays from the sense enable to the comparison. The first spans seven
# sigma of a latch of minimum length; the later a comparison, the more of the latch's decision is in it.
_ROUNDS = (((-0.24, -0.1, 0.0, 0.1, 0.24), 0.7), ((-0.012, 0.012), 1.6), ((-0.005, 0.005), 2.5))
_TOLERANCES = Options.of(reltol="1e-3", chgtol="1e-17")


def sense_transistors(word: Word) -> tuple[Transistor, ...]:
    """The transistors of a sense amplifier, as a sample knows them."""
    return _latch(word).transistors


def sense_offset(word: Word, shifts: Array, *, pack: int = PACK) -> Generator[list[Simulation], list[Outcome], Sampled]:
    """Value ``offset`` of every row of ``shifts``, V: what a split must exceed to be read as a 1 (``bl`` high)."""
    offset, reasons = np.zeros(len(shifts)), [""] * len(shifts)
    decks: tuple[str, ...] = ()
    for inputs, compared in _ROUNDS:
        found = yield from sampled(_round(word, inputs, compared), _with_centre(shifts, offset), pack=pack)
        reasons = [before or now for before, now in zip(reasons, found.reasons, strict=True)]
        # A copy that failed has no offset; any centre will do for it.
        offset, decks = np.nan_to_num(found.values["offset"]), decks + found.decks
    failed = np.array([bool(reason) for reason in reasons])
    return Sampled(values={"offset": np.where(failed, np.nan, offset)}, reasons=tuple(reasons), decks=decks)


def _with_centre(shifts: Array, centre: Array) -> Array:
    return np.column_stack([shifts, centre])


def _round(word: Word, inputs: tuple[float, ...], compared: float) -> Fixture:
    """One round: its rows are the shifts and, last, the centre of the inputs."""
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
    """Latches of every row of ``shifts`` with the ``inputs`` [copy, latch] (bl - blb, V), until ``stop`` gate delays."""
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


def differences(vectors: Vectors, copies: int, latches: int, moment: float) -> Array:
    """V(s) - V(t) of every latch at ``moment``: [copy, latch]."""
    columns = []
    for latch in range(latches):
        s, t = (traces(vectors, f"v({_side(name, f'{{}}_{latch}')})", copies) for name in "st")
        columns.append(at_time(vectors["time"], s - t, moment))
    return np.stack(columns, axis=1)


def reduce_offset(
    vectors: Vectors, *, centres: list[float], inputs: list[float], compared: float
) -> dict[str, list[float]]:
    """Reducer: ``offset`` of every copy, V; where the zero lies outside the inputs, the nearer end of them."""
    found = differences(vectors, len(centres), len(inputs), compared)
    return {"offset": [centre + _zero(np.array(inputs), row) for centre, row in zip(centres, found, strict=True)]}


def _zero(inputs: Array, found: Array) -> float:
    """The input at which ``found``, which rises, is 0: on the line through two, on a monotone curve through more."""
    if inputs.size == 2:
        slope = (found[1] - found[0]) / (inputs[1] - inputs[0])
        # Far from its zero the curve is flat: the line would lead anywhere.
        reach = 5 * (inputs[1] - inputs[0])
        return float(np.clip(inputs.mean() - found.mean() / max(slope, 1e-3), -reach, reach))
    fine = np.linspace(inputs[0], inputs[-1], 481)
    return float(np.interp(0.0, np.maximum.accumulate(PchipInterpolator(inputs, found)(fine)), fine))
