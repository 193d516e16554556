"""Static margins of sampled 6T cells: noise margins from butterflies, write margin from a forced storage node.

``hold_snm``, ``read_snm``  the butterfly of the whole cell: a copy with q forced gives qb = f(q), one with qb forced gives
                            q = g(qb); the margin is that of the smaller lobe (``devices/snm.py``), 0 or less for a lobe
                            that is gone
``write_margin``            the bitline voltage at which the cell flips with its wordline on, for the harder bit; below 0 for a
                            cell that a bitline at ground does not write

A bitline that is swept until the cell flips gives the flip to a step, and no number for a cell that cannot be written. So
the storage node is swept in its place, and the bitline is given the voltage at which the source that holds the node has no
current. On the node's way down that voltage falls, until regeneration helps: its first minimum is where the cell flips.
"""

from dataclasses import replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from pyspice_cim.characterization.benches.testbench import BenchCircuit
from pyspice_cim.characterization.devices.snm import MODES, largest_square
from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Simulation, reducer_name
from pyspice_cim.characterization.variation.fixture import Fixture, traces
from pyspice_cim.netlists.analysis import Dc
from pyspice_cim.netlists.cells.bitcells import sram6t
from pyspice_cim.netlists.flat import FlatCell, draw_flat
from pyspice_cim.technology import Corner, Technology

# The transistors of a cell keep their names in every fixture: they are the same ones.
CELL_PATH = "sram6t.cell"
# Points of a sweep.
_POINTS = 101
# Ohm: bitline voltage over current of the source. A larger one moves the margin by less than 0.1 mV.
_GAIN = 1e7


def snm_fixture(technology: Technology, corner: Corner, points: int = _POINTS) -> Fixture:
    """Values ``hold_snm`` and ``read_snm``, V."""
    halves = {
        f"{mode}_{free}": _cell(technology, wl=wordline, bl="vdd", blb="vdd", **{forced: "x", free: "{t}"})
        for mode, wordline in zip(MODES, ("0", "vdd"), strict=True)
        for free, forced in (("qb", "q"), ("q", "qb"))
    }

    def build(shifts: Array) -> Simulation:
        return _sweep(technology, corner, "butterflies", halves, shifts, points, reducer_name(reduce_snm))

    return Fixture(transistors=halves["hold_q"].transistors, build=build, values=("hold_snm", "read_snm"))


def write_margin_fixture(technology: Technology, corner: Corner, points: int = _POINTS) -> Fixture:
    """Value ``write_margin``, V."""
    sides = {
        "q": _cell(technology, wl="vdd", bl="{t}", blb="vdd", q="q{t}", qb="i{t}"),
        "qb": _cell(technology, wl="vdd", bl="vdd", blb="{t}", q="i{t}", qb="q{t}"),
    }
    # The current of the source is then the distance of the bitline from a typical margin, over the gain.
    start = 0.25 * corner.vdd
    balance = f"VX{{t}} x q{{t}} 0\nH{{t}} {{t}} h{{t}} VX{{t}} {_GAIN:g}\nVH{{t}} h{{t}} 0 {start:g}\n"
    balanced = {side: replace(cell, text=cell.text + balance) for side, cell in sides.items()}

    def build(shifts: Array) -> Simulation:
        name = reducer_name(reduce_write_margin)
        return _sweep(technology, corner, "write margins", balanced, shifts, points, name)

    return Fixture(transistors=sides["q"].transistors, build=build, values=("write_margin",))


def _cell(technology: Technology, **nodes: str) -> FlatCell:
    return draw_flat(technology, sram6t(technology), {**nodes, "vdd": "vdd"}, path=CELL_PATH)


def _sweep(
    technology: Technology,
    corner: Corner,
    title: str,
    parts: dict[str, FlatCell],
    shifts: Array,
    points: int,
    reducer: str,
) -> Simulation:
    """x swept from V_DD to 0; every copy consists of ``parts``, each with its answer at the node ``<part>_<copy>``."""
    bench = BenchCircuit(technology, corner, f"6T cells: {title}")
    bench.supply("vdd")
    bench.circuit.V("x", "x", bench.circuit.gnd, corner.vdd)
    tags = [(f"{part}_{copy}", cell, row) for part, cell in parts.items() for copy, row in enumerate(shifts.tolist())]
    bench.circuit.raw_spice += "".join(cell.copy(tag, row) for tag, cell, row in tags)
    analysis = Dc(source="Vx", start=corner.vdd, stop=0, step=-corner.vdd / (points - 1))
    return Simulation(
        deck=bench.dc(analysis, [f"v({tag})" for tag, _, _ in tags]),
        reducer=reducer,
        arguments={"vdd": corner.vdd, "copies": len(shifts)},
    )


def reduce_snm(vectors: Vectors, *, vdd: float, copies: int) -> dict[str, list[float]]:
    """Reducer: ``hold_snm``, ``read_snm`` of every copy, V."""
    found: dict[str, list[float]] = {}
    for mode in MODES:
        # Inputs must rise.
        f, g = (traces(vectors, f"v({mode}_{free}_{{}})", copies)[::-1] for free in ("qb", "q"))
        x = np.linspace(0.0, vdd, len(f))
        fine = np.linspace(0.0, vdd, 8 * (len(f) - 1) + 1)
        f, g = _smooth(x, f, fine), _smooth(x, g, fine)
        found[f"{mode}_snm"] = [largest_square(fine, f[:, k], fine, g[:, k])[0] for k in range(copies)]
    return found


def reduce_write_margin(vectors: Vectors, *, vdd: float, copies: int) -> dict[str, Array]:
    """Reducer: ``write_margin`` of every copy, V."""
    sides = [traces(vectors, f"v({side}_{{}})", copies) for side in ("q", "qb")]
    return {"write_margin": np.minimum(*(_first_minimum(side, vdd) for side in sides))}


def _first_minimum(waves: Array, none: float) -> Array:
    """The first local minimum of each of ``waves`` [point, copy], by a parabola; ``none`` where a wave only falls.

    A cell without one flips although its bitline is at V_DD.
    """
    rises = np.diff(waves, axis=0) > 0
    at = np.clip(rises.argmax(axis=0), 1, len(waves) - 2)
    copy = np.arange(waves.shape[1])
    before, least, after = (waves[at + step, copy] for step in (-1, 0, 1))
    curvature = np.maximum(before - 2 * least + after, 1e-12)
    return np.where(rises.any(axis=0), least - (after - before) ** 2 / (8 * curvature), none)


def _smooth(x: Array, y: Array, fine: Array) -> Array:
    """``y`` [point, copy] at the points ``fine``, by cubic polynomials that keep it monotone."""
    return np.asarray(PchipInterpolator(x, y, axis=0)(fine))
