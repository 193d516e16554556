"""Bench of the 6T cell: read, write, leakage, static noise margins and write margin at one point.

A column of one bit with all its periphery (``word6t.py``), butterfly curves (``devices/snm.py``), DC runs of the cell alone.
"""

from collections.abc import Sequence

import numpy as np

from pyspice_cim.characterization.benches.quantities import measurements
from pyspice_cim.characterization.benches.testbench import BenchCircuit, by_hand, instance
from pyspice_cim.characterization.benches.word6t import (
    WRITE_PULSE,
    Operation,
    Word,
    access_deck,
    access_simulation,
    split_simulation,
    summarised,
)
from pyspice_cim.characterization.devices.snm import butterfly, butterfly_deck
from pyspice_cim.characterization.devices.timescale import gate_delay, gate_delay_simulation
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Bench, Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.analysis import Dc
from pyspice_cim.netlists.cells.bitcells import sram6t
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.tables import contract
from pyspice_cim.tables.contract import CELL_OPERATIONS, CellOperation
from pyspice_cim.technology import Corner, Technology

# The stored bit starts at 0: each write flips it, each read moves the output.
_OPERATIONS = tuple(Operation(write=write, word=bit) for bit in (1, 0) for write in (True, False))

# Value of a reducer -> the quantity that it is.
_STATIC = {"leakage": contract.SRAM6T_LEAKAGE_POWER, "write_margin": contract.SRAM6T_WRITE_MARGIN}
_MARGINS = {"hold": contract.SRAM6T_HOLD_SNM, "read": contract.SRAM6T_READ_SNM}
_SPLIT = {"bitline_delay": contract.SRAM6T_BITLINE_DELAY}
_ACCESS = {
    "read_delay": contract.SRAM6T_READ_DELAY,
    "read_energy": contract.SRAM6T_READ_ENERGY,
    "write_delay": contract.SRAM6T_WRITE_DELAY,
    "write_energy": contract.SRAM6T_WRITE_ENERGY,
}
# Supplies of the held cell and of its two bitlines.
_HELD = ("vhold", "vblh", "vblbh")


def sram6t_bench(
    technology: Technology,
    corner: Corner,
    *,
    rows: int,
    write_pulse: float = WRITE_PULSE,
    operations: Sequence[CellOperation] = CELL_OPERATIONS,
) -> Bench:
    """The bench of the 6T cell; it measures the quantities of ``contract.SRAM6T`` that ``operations`` need.

    Args:
        technology: the technology.
        corner: operating conditions.
        rows: cells on a bitline.
        write_pulse: wordline pulse of a write, in gate delays of the corner; too short a pulse fails the point.
        operations: operations of the cell.
    """
    wanted = {each.name for each in contract.SRAM6T.quantities if each.operation in operations}
    done = yield from _every_run(technology, corner, rows, write_pulse, timed=set(operations) != {contract.HOLD})
    return [measurement for measurement in done if measurement.name in wanted]


def _every_run(technology: Technology, corner: Corner, rows: int, write_pulse: float, *, timed: bool) -> Bench:
    """All measurements; without ``timed`` the measurements of the DC runs alone.

    Reads and writes share one deck, because a read must find the bit that a write stored.
    """
    static, margins, *scales = yield [
        Simulation(
            deck=static_deck(technology, corner), reducer=reducer_name(reduce_static), arguments={"vdd": corner.vdd}
        ),
        Simulation(
            deck=butterfly_deck(technology, corner), reducer=reducer_name(reduce_margins), arguments={"vdd": corner.vdd}
        ),
        *([gate_delay_simulation(technology, corner)] if timed else []),
    ]
    done = measurements(_STATIC, static) + measurements(_MARGINS, margins)
    if not scales:
        return done
    (scale,) = scales
    if not scale.ok:
        return done + measurements(_SPLIT | _ACCESS, scale)
    word = Word(technology=technology, corner=corner, rows=rows, columns=1, tau=gate_delay(scale))
    (split,) = yield [split_simulation(word)]
    done += measurements(_SPLIT, split)
    if not split.ok:
        return done + measurements(_ACCESS, split)
    # A short bitline of a strong cell has its split before the pulse is up; no pulse is shorter than a gate delay.
    split_time = max(float(split.values["split_time"]), word.tau)
    (access,) = yield [access_simulation(word, _OPERATIONS, split_time=split_time, write_pulse=write_pulse)]
    return done + measurements(_ACCESS, summarised(access))


def static_deck(technology: Technology, corner: Corner, step: float = 0.005) -> DrawnDeck:
    """DC sweep of a bitline from V_DD to 0: cell ``h`` is held (leakage), cell ``w`` is written by the sweep."""
    bench = BenchCircuit(technology, corner, "6T cell: leakage, and write margin by a bitline sweep")
    cell = sram6t(technology)
    bench.define(cell)
    bench.supply(*_HELD, "vwrite")
    circuit = bench.circuit
    circuit.V("bl", "bl", circuit.gnd, corner.vdd)
    instance(circuit, "h", cell, (*_HELD[1:], "0", "qh", "qbh", _HELD[0]))
    instance(circuit, "w", cell, ("bl", "vwrite", "vwrite", "qw", "qbw", "vwrite"))
    # Both cells hold a 1; the operating point has to start there.
    for k in "hw":
        bench.initial |= {f"q{k}": corner.vdd, f"qb{k}": 0.0}
    points = max(2, round(corner.vdd / step))
    vectors = ["v(qh)", "v(qw)", "v(qbw)", *(f"i(v{name})" for name in _HELD)]
    return bench.dc(Dc(source="Vbl", start=corner.vdd, stop=0, step=-corner.vdd / points), vectors)


def reduce_static(vectors: Vectors, *, vdd: float) -> dict[str, float]:
    """Reducer of ``static_deck``: ``leakage`` in W, ``write_margin`` in V.

    Raises:
        SimulationError: if the held cell lost its bit, or the written one does not flip.
    """
    held, written = vectors["v(qh)"], vectors["v(qw)"]
    if held[0] < 0.8 * vdd or written[0] < 0.5 * vdd:
        raise SimulationError(f"the cells do not start at 1: {held[0]:.3g} V and {written[0]:.3g} V")
    bitline = np.linspace(vdd, 0.0, written.size)
    flipped = np.flatnonzero(written < vectors["v(qbw)"])
    if not flipped.size:
        raise SimulationError("the cell cannot be written: it does not flip with its bitline at 0 V")
    current = -sum(vectors[f"i(v{name})"][0] for name in _HELD)
    return {"leakage": float(vdd * current), "write_margin": float(bitline[flipped[0]])}


def reduce_margins(vectors: Vectors, *, vdd: float) -> dict[str, float]:
    """Reducer of a butterfly: ``hold`` and ``read`` margin in V."""
    return {"hold": butterfly(vectors, vdd, "hold").snm, "read": butterfly(vectors, vdd, "read").snm}


def example_decks(technology: Technology) -> dict[str, DrawnDeck]:
    """Decks to run by hand, at the nominal corner and 64 rows."""
    corner = Corner(vdd=technology.supply.nominal_v, temperature_c=technology.temperature.nominal_c)
    word = Word(technology=technology, corner=corner, rows=64, columns=1, tau=50e-12 * technology.scale)
    access, _ = access_deck(word, _OPERATIONS, split_time=4 * word.tau, stored=0)
    return {
        "sram6t_access.cir": by_hand(
            access, "Write 1, read, write 0, read. v(q0): stored bit; v(out0): what the sense amplifier latched."
        ),
        "sram6t_static.cir": by_hand(
            static_deck(technology, corner),
            "Bitline swept from V_DD to 0. v(qw) falls where the cell is written; the sources of the held cell leak.",
        ),
        "sram6t_snm.cir": by_hand(
            butterfly_deck(technology, corner), "Transfer curves of a half cell, wordline off and on: the butterfly."
        ),
    }
