"""Write and read of sampled 6T cells in one transient: most of the time of a Monte Carlo run goes into this deck.

A copy starts with a stored 0. The deck writes a 1, precharges the bitlines and reads the 1. By symmetry, the other bit
has the same failure probability.

No sense amplifier is drawn (``sense.py`` samples it). The read ends at the sense moment, which a replica column would
set: there the bitline differential of a nominal cell is ``benches.word6t.SPLIT``.

A write failure (the cell does not flip) and a read disturb (the read flips the cell) are values, not failed
simulations.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.benches.testbench import BenchCircuit
from pyspice_cim.characterization.benches.word6t import SPLIT, WRITE_PULSE, Word
from pyspice_cim.characterization.spice.measure import Array, first_crossing
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Simulation, reducer_name
from pyspice_cim.characterization.variation.fixture import Fixture, at_time, place_copies, traces
from pyspice_cim.netlists.analysis import Options
from pyspice_cim.netlists.columns.access6t import access_column6t
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.netlists.flat import FlatCell, draw_flat

ACCESS_VALUES = ("write_delay", "write_energy", "differential", "read_energy", "write_failed", "read_disturbed")
# Against exact runs, the error of a value is below a quarter of the value's sigma, and its bias below 5 %
# (tests/characterization/variation/test_montecarlo.py). The option `bypass` would save a tenth of the time and add
# errors of one sigma.
ACCESS_TOLERANCES = Options.of(reltol="3e-3", chgtol="1e-16", trtol="7", vntol="1e-4", abstol="1e-9")
# Time from precharge to the end of the write and of the read, in gate delays.
_WRITE_RECOVERY, _READ_RECOVERY = 12.0, 8.0
# Time in which the slowest nominal bitline gets its differential, in gate delays: a constant, and an addition per row.
_UNSENSED, _UNSENSED_PER_ROW = 12.0, 0.25
# Longest time step, in gate delays.
_STEP = 2.0


def column_cell(word: Word) -> FlatCell:
    """Return the 6T column whose transistors are sampled, drawn flat; their paths are ``sram6t.<instance>...``.

    Args:
        word: technology and number of rows.
    """
    shared = {name: name for name in ("wl", "pcb", "pull_bl", "pull_blb")}
    return draw_flat(word.technology, access_column6t(word.technology, word.rows), shared, path="sram6t")


def access_fixture(word: Word, sense_delay: float) -> Fixture:
    """Return the fixture that writes and reads every copy; its values are ``ACCESS_VALUES``.

    ``write_delay`` (s)
        From the wordline at V_DD/2 until both storage nodes are within a tenth of V_DD of their rails. Infinite if the
        write failed, or if a node is not there before the read.
    ``differential`` (V)
        Bitline differential at the sense moment, positive for the right bit.
    ``write_energy``, ``read_energy`` (J)
        From the supply of the copy, with the recovery of the bitlines.
    ``write_failed``, ``read_disturbed``
        1 for a write failure or a read disturb, else 0. After a write failure, ``read_disturbed`` is 0.

    Args:
        word: technology, corner, number of rows and gate delay.
        sense_delay: time from the read's wordline at V_DD/2 to the sense moment (``nominal_sense_delay``), in seconds.
    """
    cell = column_cell(word)

    def build(shifts: Array) -> Simulation:
        deck, arguments = access_copies_deck(word, cell, shifts, sense_delay)
        return Simulation(deck=deck, reducer=reducer_name(reduce_access_copies), arguments=arguments)

    return Fixture(transistors=cell.transistors, build=build, values=ACCESS_VALUES)


def nominal_sense_delay(word: Word) -> Simulation:
    """Return the simulation of a nominal copy that measures ``sense_delay``.

    ``sense_delay`` is the time from the wordline to a bitline differential of ``benches.word6t.SPLIT``, in seconds.

    Args:
        word: technology, corner, number of rows and gate delay.
    """
    cell = column_cell(word)
    deck, arguments = access_copies_deck(word, cell, np.zeros((1, len(cell.transistors))), None)
    return Simulation(deck=deck, reducer=reducer_name(reduce_sense_delay), arguments={"opened": arguments["times"][3]})


def access_copies_deck(
    word: Word,
    cell: FlatCell,
    shifts: Array,
    sense_delay: float | None,
    tolerances: Options = ACCESS_TOLERANCES,
    step: float = _STEP,
) -> tuple[Deck, dict[str, Any]]:
    """Return the deck of one write and one read of every copy, and the arguments of ``reduce_access_copies``.

    Args:
        word: technology, corner, number of rows and gate delay.
        cell: the column (``column_cell``).
        shifts: threshold shifts, shape (copies, transistors), in volts.
        sense_delay: time from the read's wordline to the sense moment, in seconds. None: long enough for the slowest
            nominal bitline.
        tolerances: ngspice options.
        step: longest time step, in gate delays.
    """
    tau, vdd, count = word.tau, word.corner.vdd, len(shifts)
    bench = BenchCircuit(word.technology, word.corner, f"6T columns of {word.rows} rows: write 1 and read")
    edge = 0.5 * tau
    opened = edge
    written = opened + WRITE_PULSE * tau
    read = written + (1 + _WRITE_RECOVERY) * tau
    unsensed = (_UNSENSED + _UNSENSED_PER_ROW * word.rows) * tau
    sensed = read + (unsensed if sense_delay is None else sense_delay)
    # The differential is measured where the wordline begins to fall: a time point, and before the precharge.
    closed = sensed + edge / 2
    stop = closed + _READ_RECOVERY * tau
    # Edges that touch share a break point; each break point costs about five time points.
    bench.line("wl", 0, [(opened, 1), (written, 0), (read, 1), (closed, 0)], edge)
    bench.line("pcb", 1, [(written + edge, 0), (read - edge, 1), (closed, 0)], edge)
    bench.line("pull_blb", 1, [(written, 0)], edge)
    bench.line("pull_bl", 0, [], edge)
    bench.lines.clear()
    place_copies(bench, [cell], shifts)
    for copy in range(count):
        bench.save(*(f"{node}{copy}" for node in ("q", "qb", "bl", "blb")))
        bench.initial |= {f"q{copy}": 0.0, f"qb{copy}": vdd, f"bl{copy}": vdd, f"blb{copy}": 0.0}
    deck = bench.transient(stop, step * tau, edge, tolerances)
    times = [0.0, opened, read - 2 * edge, read, sensed, stop]
    return deck, {"vdd": vdd, "copies": count, "times": times}


def reduce_sense_delay(vectors: Vectors, *, opened: float) -> dict[str, float]:
    """Reducer: return ``sense_delay`` of the nominal copy, in seconds.

    Args:
        vectors: results of the deck of ``nominal_sense_delay``.
        opened: time of the read's wordline at V_DD/2, in seconds.

    Raises:
        SimulationError: if the bitline differential never reaches ``benches.word6t.SPLIT``.
    """
    differential = {"time": vectors["time"], "differential": vectors["v(bl0)"] - vectors["v(blb0)"]}
    return {"sense_delay": first_crossing(differential, "differential", SPLIT, after=opened, rising=True) - opened}


def reduce_access_copies(vectors: Vectors, *, vdd: float, copies: int, times: list[float]) -> dict[str, Any]:
    """Reducer: return ``ACCESS_VALUES`` (see ``access_fixture``), each of shape (copies,).

    Args:
        vectors: results of the deck of ``access_copies_deck``.
        vdd: supply, in volts.
        copies: number of copies in the deck.
        times: start of the write, its wordline, end of the write cycle, wordline of the read, sense moment, end of the
            read; in seconds.
    """
    start, opened, written, read, sensed, stop = times
    time = vectors["time"]
    q, qb = traces(vectors, "v(q{})", copies), traces(vectors, "v(qb{})", copies)
    failed = at_time(time, q, written) < at_time(time, qb, written)
    kept = at_time(time, q, stop) > at_time(time, qb, stop)
    differential = at_time(time, traces(vectors, "v(bl{})", copies) - traces(vectors, "v(blb{})", copies), sensed)
    supply = -vdd * traces(vectors, "i(vvdd{})", copies)
    # Both nodes: the maximum is NaN, not the time of the other node, where one of them does not arrive.
    settled = np.maximum(last_rise(time, q, 0.9 * vdd, opened, read), last_rise(time, -qb, -0.1 * vdd, opened, read))
    return {
        "write_delay": np.where(failed | np.isnan(settled), np.inf, settled - opened),
        "write_energy": _integral(time, supply, start, written),
        "differential": differential,
        "read_energy": _integral(time, supply, written, stop),
        "write_failed": failed,
        "read_disturbed": ~failed & ~kept,
    }


def last_rise(time: Array, waves: Array, level: float, start: float, stop: float) -> Array:
    """Return the last time at which each wave rises through ``level``, in seconds; NaN for a wave that never does.

    Args:
        time: time points, shape (points,), in seconds.
        waves: shape (points, copies).
        level: in the unit of ``waves``.
        start, stop: where crossings count, in seconds.
    """
    inside = (time[:-1] >= start) & (time[1:] <= stop)
    rises = (waves[:-1] < level) & (waves[1:] >= level) & inside[:, None]
    last = rises.shape[0] - 1 - rises[::-1].argmax(axis=0)
    copy = np.arange(waves.shape[1])
    before, after = waves[last, copy], waves[last + 1, copy]
    with np.errstate(invalid="ignore", divide="ignore"):
        at = time[last] + (level - before) / (after - before) * (time[last + 1] - time[last])
    return np.where(rises.any(axis=0), at, np.nan)


def _integral(time: Array, waves: Array, start: float, stop: float) -> Array:
    """Return the integral of each wave from ``start`` to ``stop`` by the trapezoidal rule."""
    inside: NDArray[np.bool_] = (time > start) & (time < stop)
    grid = np.concatenate([[start], time[inside], [stop]])
    values = np.concatenate([[at_time(time, waves, start)], waves[inside], [at_time(time, waves, stop)]])
    return np.asarray(np.trapezoid(values, grid, axis=0))
