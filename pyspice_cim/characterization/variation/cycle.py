"""Slack of sampled 8T cells in the working cycle: how much later than a nominal cell a sample may still be.

    slack = min( m f_read T - (d_read - d_read,0),  m f_write T - (d_write - d_write,0) )        in seconds

    T        shortest cycle of a nominal column with one segment (``column_minimum_cycle``), in seconds
    m        margin of the working cycle (1 + m) T; m = 0.1
    f        pulse width of the read or the write wordline over the cycle (``netlists.waves.Timing``)
    d        delay of the sample, in seconds
    d_0      delay of a nominal copy, in seconds

The read delay runs from the read wordline to the sense inverter. The write delay runs from the write wordline until
both nodes are within a tenth of V_DD of their rails; the slower of the two flips counts. An access that never completes
has the whole pulse as its delay.

At its shortest cycle, a nominal column has no time left. The working cycle adds m f T to each pulse, and a sample may
use it.

Sampled: cell, read stack, precharge, keeper, sense inverter, write drivers, unselected rows. Nominal: adder and latches
of the slice, drivers of the control lines. The true slack is larger if the nominal part limits the shortest cycle.
"""

from typing import Any

import numpy as np

from pyspice_cim.characterization.benches.column import WORKING_MARGIN
from pyspice_cim.characterization.benches.testbench import BenchCircuit
from pyspice_cim.characterization.benches.word6t import Word
from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Simulation, reducer_name
from pyspice_cim.characterization.variation.access import last_rise
from pyspice_cim.characterization.variation.fixture import Fixture, at_time, place_copies, traces
from pyspice_cim.microcode.schedule import Window
from pyspice_cim.netlists.analysis import Options
from pyspice_cim.netlists.columns.cell_ports import read_column, write_column
from pyspice_cim.netlists.flat import draw_flat
from pyspice_cim.netlists.waves import Timing

# In gate delays: start of the wordline, longest pulse of a read (a constant, and an addition per row) and of a write,
# recovery.
_OPENED, _READ, _READ_PER_ROW, _WRITE, _RECOVERY = 2.0, 10.0, 0.5, 16.0, 6.0
_TOLERANCES = Options.of(reltol="1e-3", chgtol="1e-16", trtol="3", vntol="1e-5", abstol="1e-10")


def read_fixture(word: Word) -> Fixture:
    """Return the fixture of the read of a stored 1, with the value ``read_delay``.

    ``read_delay`` runs from the read wordline at V_DD/2 to the sense inverter's output at V_DD/2, in seconds.

    Args:
        word: technology, corner, number of rows and gate delay.
    """
    lines = {name: name for name in ("pcb", "rwl")}
    cell = draw_flat(
        word.technology,
        read_column(word.technology, word.rows),
        {**lines, "vcell": "vdd{t}", "vpre": "vdd{t}"},
        path="sram8t",
    )

    def build(shifts: Array) -> Simulation:
        tau, vdd = word.tau, word.corner.vdd
        bench = BenchCircuit(word.technology, word.corner, f"8T columns of {word.rows} rows: reads of 1")
        opened = _OPENED * tau
        closed = opened + (_READ + _READ_PER_ROW * word.rows) * tau
        bench.line("pcb", 1, [], 0.5 * tau)
        bench.line("rwl", 0, [(opened, 1)], 0.5 * tau)
        place_copies(bench, [cell], shifts)
        bench.supplies.clear()
        bench.lines.clear()
        for k in range(len(shifts)):
            bench.save(f"out{k}")
            bench.initial |= {f"q{k}": vdd, f"qb{k}": 0.0, f"rbl{k}": vdd, f"out{k}": 0.0}
        arguments = {"vdd": vdd, "copies": len(shifts), "opened": opened, "closed": closed}
        deck = bench.transient(closed, 2 * tau, 0.5 * tau, _TOLERANCES)
        return Simulation(deck=deck, reducer=reducer_name(reduce_read), arguments=arguments)

    return Fixture(transistors=cell.transistors, build=build, values=("read_delay",))


def reduce_read(vectors: Vectors, *, vdd: float, copies: int, opened: float, closed: float) -> dict[str, Array]:
    """Reducer: return ``read_delay``, shape (copies,), in seconds; the whole pulse for an output that never rises.

    Args:
        vectors: results of a deck of ``read_fixture``.
        vdd: supply, in volts.
        copies: number of copies in the deck.
        opened, closed: start and end of the wordline pulse, in seconds.
    """
    out = traces(vectors, "v(out{})", copies)
    at = last_rise(vectors["time"], out, vdd / 2, opened, closed)
    return {"read_delay": np.where(np.isnan(at), closed, at) - opened}


def write_fixture(word: Word) -> Fixture:
    """Return the fixture of the writes of a 1 and of a 0, with the value ``write_delay``.

    ``write_delay`` belongs to the slower of both writes. It runs from the write wordline at V_DD/2 until both nodes are
    within a tenth of V_DD of their rails, in seconds.

    Args:
        word: technology, corner, number of rows and gate delay.
    """
    lines = {name: name for name in ("d", "db", "wwl")}
    cell = draw_flat(
        word.technology,
        write_column(word.technology, word.rows),
        {**lines, "vcell": "vdd{t}", "vdrive": "vdd{t}"},
        path="sram8t",
    )

    def build(shifts: Array) -> Simulation:
        tau, vdd = word.tau, word.corner.vdd
        bench = BenchCircuit(word.technology, word.corner, f"8T columns of {word.rows} rows: writes of 1 and 0")
        first = _OPENED * tau
        second = first + (_WRITE + _RECOVERY) * tau
        stop = second + _WRITE * tau
        # The data change just before the wordline: in a column, the write drivers follow the sum latch.
        changed = second - 2 * tau
        bench.line("d", 1, [(changed, 0)], 0.5 * tau)
        bench.line("db", 0, [(changed, 1)], 0.5 * tau)
        bench.line("wwl", 0, [(first, 1), (first + _WRITE * tau, 0), (second, 1)], 0.5 * tau)
        place_copies(bench, [cell], shifts)
        bench.supplies.clear()
        bench.lines.clear()
        for k in range(len(shifts)):
            bench.save(f"q{k}", f"qb{k}")
            bench.initial |= {f"q{k}": 0.0, f"qb{k}": vdd, f"wbl{k}": vdd, f"wblb{k}": 0.0}
        arguments = {"vdd": vdd, "copies": len(shifts), "opened": [first, second], "pulse": _WRITE * tau}
        deck = bench.transient(stop, 2 * tau, 0.5 * tau, _TOLERANCES)
        return Simulation(deck=deck, reducer=reducer_name(reduce_write), arguments=arguments)

    return Fixture(transistors=cell.transistors, build=build, values=("write_delay",))


def reduce_write(vectors: Vectors, *, vdd: float, copies: int, opened: list[float], pulse: float) -> dict[str, Array]:
    """Reducer: return ``write_delay``, shape (copies,), in seconds; the whole pulse for a bit that is not written.

    Args:
        vectors: results of a deck of ``write_fixture``.
        vdd: supply, in volts.
        copies: number of copies in the deck.
        opened: start of each wordline pulse (write of 1, write of 0), in seconds.
        pulse: width of a wordline pulse, in seconds.
    """
    time = vectors["time"]
    q, qb = traces(vectors, "v(q{})", copies), traces(vectors, "v(qb{})", copies)
    delays = []
    for start, (up, down) in zip(opened, ((q, qb), (qb, q)), strict=True):
        end = start + pulse
        at = np.maximum(last_rise(time, up, 0.9 * vdd, start, end), last_rise(time, -down, -0.1 * vdd, start, end))
        written = at_time(time, up, end) > at_time(time, down, end)
        delays.append(np.where(written & ~np.isnan(at), at - start, pulse))
    return {"write_delay": np.maximum(*delays)}


def pulse_slack(minimum_cycle: float) -> dict[str, float]:
    """Return how much the working cycle lengthens the wordline pulses ``read`` and ``write``: m f T, in seconds.

    Args:
        minimum_cycle: shortest cycle T of a nominal column with one segment, in seconds.
    """
    timing = Timing(cycle=minimum_cycle)
    added = WORKING_MARGIN - 1.0
    spans: dict[str, Any] = {"read": timing.window(Window.READ, 1), "write": timing.window(Window.WRITE, 1)}
    return {name: added * (end - start) for name, (start, end) in spans.items()}
