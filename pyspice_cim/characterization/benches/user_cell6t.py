"""Bench of a 6T cell that may be a user cell: as ``sram6t_bench``, with the noise margins of the whole cell.

The butterfly of the built-in cell comes from half cells of the widths that the technology states. The halves of a user cell
are not known, and may differ, so the whole cell is swept. One copy with q forced gives qb = f(q). Another copy with qb forced
gives q = g(qb).
"""

from typing import Any

import numpy as np

from pyspice_cim.characterization.benches.sram6t import reduce_margins, sram6t_bench
from pyspice_cim.characterization.benches.testbench import BenchCircuit, instance
from pyspice_cim.characterization.devices.snm import MODES, largest_square
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Bench, Outcome, Simulation, reducer_name
from pyspice_cim.netlists.analysis import Dc
from pyspice_cim.netlists.cells.bitcells import sram6t
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.technology import Corner, Technology


def cell6t_bench(technology: Technology, corner: Corner, **coordinates: Any) -> Bench:
    """``sram6t_bench``, with ``whole_cell_deck`` in the place of its butterfly if the cell is a user cell.

    Args:
        technology: the technology.
        corner: operating conditions.
        coordinates: as of ``sram6t_bench``.
    """
    bench = sram6t_bench(technology, corner, **coordinates)
    if technology.cell_6t.netlist is None:
        return (yield from bench)
    outcomes: list[Outcome] | None = None
    while True:
        try:
            wanted = next(bench) if outcomes is None else bench.send(outcomes)
        except StopIteration as stop:
            return list(stop.value)
        outcomes = yield [_whole_cell(technology, corner, simulation) for simulation in wanted]


def _whole_cell(technology: Technology, corner: Corner, simulation: Simulation) -> Simulation:
    if simulation.reducer != reducer_name(reduce_margins):
        return simulation
    deck = whole_cell_deck(technology, corner)
    return Simulation(deck=deck, reducer=reducer_name(reduce_whole_cell), arguments={"vdd": corner.vdd})


def whole_cell_deck(technology: Technology, corner: Corner, step: float = 0.005) -> DrawnDeck:
    """DC sweep of both inner nodes of the 6T cell, wordline off (``hold``) and on with both bitlines at V_DD (``read``)."""
    bench = BenchCircuit(technology, corner, "6T cell: butterfly of the whole cell")
    cell = sram6t(technology)
    bench.define(cell)
    bench.supply("vdd")
    bench.circuit.V("in", "x", bench.circuit.gnd, 0)
    for mode, wordline in zip(MODES, ("0", "vdd"), strict=True):
        for free, (q, qb) in {"qb": ("x", f"{mode}_qb"), "q": (f"{mode}_q", "x")}.items():
            instance(bench.circuit, f"{mode}_{free}", cell, ("vdd", "vdd", wordline, q, qb, "vdd"))
    points = max(2, round(corner.vdd / step))
    vectors = [f"v({mode}_{free})" for mode in MODES for free in ("qb", "q")]
    return bench.dc(Dc(source="Vin", start=0, stop=corner.vdd, step=corner.vdd / points), vectors)


def reduce_whole_cell(vectors: Vectors, *, vdd: float) -> dict[str, float]:
    """Reducer of ``whole_cell_deck``: ``hold`` and ``read`` margin in V."""
    margins: dict[str, float] = {}
    for mode in MODES:
        first, second = vectors[f"v({mode}_qb)"], vectors[f"v({mode}_q)"]
        x = np.linspace(0.0, vdd, first.size)
        margins[mode] = largest_square(x, first, x, second)[0]
    return margins
