"""Write and read of sampled 6T cells: the transient that a Monte Carlo run spends its time on.

One operation of a copy: the cell holds a 0, a 1 is written, the bitlines are precharged, the 1 is read. The wordline of
the read ends when a nominal cell has a split of ``benches.word6t.SPLIT``, the moment at which a replica column would fire the
sense amplifier; no sense amplifier is drawn (``sense.py``). A write that does not flip the cell, or a read that does,
is a failed access, which is a value and no failed simulation. The other bit is the mirror image, and as likely.
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

ACCESS_VALUES = ("write_delay", "write_energy", "split", "read_energy", "write_failed", "read_disturbed")
# A sample's error of each value against exact runs is below a quarter of that value's sigma, its bias below 5 % (held by
# tests/characterization/variation/test_montecarlo.py); `bypass` would save a tenth of the time and add errors of a sigma.
ACCESS_TOLERANCES = Options.of(reltol="3e-3", chgtol="1e-16", trtol="7", vntol="1e-4", abstol="1e-9")
# Gate delays: from precharge to the end of the write and of the read.
_WRITE_RECOVERY, _READ_RECOVERY = 12.0, 8.0
# Gate delays of a read that waits for the slowest nominal bitline: first part, and part for each row.
_UNSENSED, _UNSENSED_PER_ROW = 12.0, 0.25
# Gate delays, the longest time step.
_STEP = 2.0


def column_cell(word: Word) -> FlatCell:
    """The sampled column, drawn flat: its transistors are ``sram6t.<instance>...``."""
    shared = {name: name for name in ("wl", "pcb", "pull_bl", "pull_blb")}
    return draw_flat(word.technology, access_column6t(word.technology, word.rows), shared, path="sram6t")


def access_fixture(word: Word, split_time: float) -> Fixture:
    """Write and read of every copy; values ``ACCESS_VALUES``.

    ``write_delay`` s: wordline at V_DD/2 to both nodes within a tenth of the supply of their rails, infinite if the write
    failed; ``split`` V: of the bitlines at the sense moment, positive for the right bit; ``write_energy``,
    ``read_energy`` J: from the copy's own supply, precharge recovery included; ``write_failed``, ``read_disturbed``:
    1 where so, else 0.

    Args:
        split_time: s from the read's wordline to the sense moment (``nominal_split``).
    """
    cell = column_cell(word)

    def build(shifts: Array) -> Simulation:
        deck, arguments = access_deck(word, cell, shifts, split_time)
        return Simulation(deck=deck, reducer=reducer_name(reduce_access), arguments=arguments)

    return Fixture(transistors=cell.transistors, build=build, values=ACCESS_VALUES)


def nominal_split(word: Word) -> Simulation:
    """The run that finds the sense moment: ``split_time`` in s from the wordline to a split of ``benches.word6t.SPLIT``."""
    cell = column_cell(word)
    deck, arguments = access_deck(word, cell, np.zeros((1, len(cell.transistors))), None)
    return Simulation(deck=deck, reducer=reducer_name(reduce_split), arguments={"opened": arguments["times"][3]})


def access_deck(
    word: Word,
    cell: FlatCell,
    shifts: Array,
    split_time: float | None,
    tolerances: Options = ACCESS_TOLERANCES,
    step: float = _STEP,
) -> tuple[Deck, dict[str, Any]]:
    """Deck of one write and one read for every row of ``shifts``, and the reducer's arguments."""
    tau, vdd, count = word.tau, word.corner.vdd, len(shifts)
    bench = BenchCircuit(word.technology, word.corner, f"6T columns of {word.rows} rows: write 1 and read")
    edge = 0.5 * tau
    opened = edge
    written = opened + WRITE_PULSE * tau
    read = written + (1 + _WRITE_RECOVERY) * tau
    unsensed = (_UNSENSED + _UNSENSED_PER_ROW * word.rows) * tau
    sensed = read + (unsensed if split_time is None else split_time)
    # The split is taken where the wordline begins to fall: a time point, and before the precharge.
    closed = sensed + edge / 2
    stop = closed + _READ_RECOVERY * tau
    # Edges that touch share a break point, and each of those costs about five time points.
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


def reduce_split(vectors: Vectors, *, opened: float) -> dict[str, float]:
    """Reducer: ``split_time`` in s after the wordline's ``opened``.

    Raises:
        SimulationError: if the bitlines never get their split.
    """
    split = {"time": vectors["time"], "split": vectors["v(bl0)"] - vectors["v(blb0)"]}
    return {"split_time": first_crossing(split, "split", SPLIT, after=opened, rising=True) - opened}


def reduce_access(vectors: Vectors, *, vdd: float, copies: int, times: list[float]) -> dict[str, Any]:
    """Reducer: ``ACCESS_VALUES`` of every copy.

    Args:
        times: s, start of the write, its wordline, end of its cycle, the read's wordline, sense moment, end.
    """
    start, opened, written, read, sensed, stop = times
    time = vectors["time"]
    q, qb = traces(vectors, "v(q{})", copies), traces(vectors, "v(qb{})", copies)
    failed = at_time(time, q, written) < at_time(time, qb, written)
    kept = at_time(time, q, stop) > at_time(time, qb, stop)
    split = at_time(time, traces(vectors, "v(bl{})", copies) - traces(vectors, "v(blb{})", copies), sensed)
    supply = -vdd * traces(vectors, "i(vvdd{})", copies)
    return {
        "write_delay": np.where(
            failed,
            np.inf,
            np.fmax(last_rise(time, q, 0.9 * vdd, opened, read), last_rise(time, -qb, -0.1 * vdd, opened, read))
            - opened,
        ),
        "write_energy": _integral(time, supply, start, written),
        "split": split,
        "read_energy": _integral(time, supply, written, stop),
        "write_failed": failed,
        "read_disturbed": ~failed & ~kept,
    }


def last_rise(time: Array, waves: Array, level: float, start: float, stop: float) -> Array:
    """Last time between ``start`` and ``stop`` at which each of ``waves`` rises through ``level``; NaN where none does."""
    inside = (time[:-1] >= start) & (time[1:] <= stop)
    rises = (waves[:-1] < level) & (waves[1:] >= level) & inside[:, None]
    last = rises.shape[0] - 1 - rises[::-1].argmax(axis=0)
    copy = np.arange(waves.shape[1])
    before, after = waves[last, copy], waves[last + 1, copy]
    with np.errstate(invalid="ignore", divide="ignore"):
        at = time[last] + (level - before) / (after - before) * (time[last + 1] - time[last])
    return np.where(rises.any(axis=0), at, np.nan)


def _integral(time: Array, waves: Array, start: float, stop: float) -> Array:
    """Integral of each of ``waves`` from ``start`` to ``stop``."""
    inside: NDArray[np.bool_] = (time > start) & (time < stop)
    grid = np.concatenate([[start], time[inside], [stop]])
    values = np.concatenate([[at_time(time, waves, start)], waves[inside], [at_time(time, waves, stop)]])
    return np.asarray(np.trapezoid(values, grid, axis=0))
