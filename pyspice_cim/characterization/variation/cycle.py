"""Slack of sampled 8T cells in a cycle: the read of a 1 and the writes, against what a nominal macro has left.

    slack = min( m f_read T - (d_read - d_read,0),  m f_write T - (d_write - d_write,0) )        s

    T           shortest cycle of a nominal column (``column_minimum_cycle``); the macro works at (1 + m) T, m = 0.1
    f           share of a cycle that the read and the write wordline is on (``netlists.waves.Timing``): what the longer
                cycle adds to that pulse
    d, d_0      read delay (read wordline to sense inverter) and write delay (write wordline to both nodes within a tenth of
                their rails, slower of the two flips) of the sample and of a nominal one, in the same deck

In words: at its shortest cycle a nominal column has no time left, so a sample may be later than a nominal one by what the
working cycle adds. Mismatch is drawn for the cell, the read stack, precharge and keeper, sense inverter, write drivers and the
off rows. It is not drawn for the slice's adder and latches, nor for line drivers; where these, not the cell, make the shortest
cycle, the true slack is larger. A read or write that does not happen at all has the whole pulse as its delay.
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
from pyspice_cim.netlists.columns.cell_ports import read_column, write_column
from pyspice_cim.netlists.flat import draw_flat
from pyspice_cim.netlists.waves import Timing

# Gate delays: wordline opens, longest pulse of a read (and part for each row) and of a write, recovery.
_OPENED, _READ, _READ_PER_ROW, _WRITE, _RECOVERY = 2.0, 10.0, 0.5, 16.0, 6.0
_TOLERANCES = "reltol=1e-3 chgtol=1e-16 trtol=3 vntol=1e-5 abstol=1e-10"


def read_fixture(word: Word) -> Fixture:
    """Value ``read_delay``, s: of a stored 1, from the read wordline at V_DD/2 to the sense inverter there."""
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
    """Reducer: ``read_delay`` of every copy, s; the whole pulse where the output does not rise."""
    out = traces(vectors, "v(out{})", copies)
    at = last_rise(vectors["time"], out, vdd / 2, opened, closed)
    return {"read_delay": np.where(np.isnan(at), closed, at) - opened}


def write_fixture(word: Word) -> Fixture:
    """Value ``write_delay``, s: of a 1 and then of a 0, the slower one, from the write wordline at V_DD/2."""
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
        # Data change with the wordline, as the write drivers of a column follow the sum latch.
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
    """Reducer: ``write_delay`` of every copy, s; the whole pulse where a bit is not written."""
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
    """What the working cycle adds to the pulse of the read and of the write wordline, s."""
    timing = Timing(cycle=minimum_cycle)
    added = WORKING_MARGIN - 1.0
    spans: dict[str, Any] = {"read": timing.window(Window.READ, 1), "write": timing.window(Window.WRITE, 1)}
    return {name: added * (end - start) for name, (start, end) in spans.items()}
