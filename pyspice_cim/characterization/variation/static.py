"""Static margins of sampled 6T cells: noise margins from butterflies, write margin from a forced storage node.

``hold_snm``, ``read_snm``
    Static noise margin: the side of the largest square in the smaller lobe of the butterfly (E. Seevinck, F. J. List,
    J. Lohstroh, IEEE JSSC 22 (5), 1987; ``devices/snm.py``). One curve is qb = f(q) of a cell with q forced. The other
    is q = g(qb) of the same cell with qb forced. The margin is 0 or less if a lobe is gone.
``write_margin``
    Bitline voltage at which the cell flips, with its wordline on, for the harder bit. It is below 0 if a bitline at
    ground does not write the cell.

A sweep of the bitline would find the flip only to one step, and nothing for a cell that cannot be written. Here the
storage node is swept from V_DD to 0. A feedback source sets the bitline to the voltage at which the source that forces
the node carries no current. This voltage falls with the node until regeneration takes over. Its first minimum is the
write margin.
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

# The cell has the same path in every fixture, so all fixtures share the shifts of its transistors.
CELL_PATH = "sram6t.cell"
# Points of a sweep.
_POINTS = 101
# Bitline voltage over the current of the forcing source, in ohm. A larger value moves the margin by less than 0.1 mV.
_GAIN = 1e7


def snm_fixture(technology: Technology, corner: Corner, points: int = _POINTS) -> Fixture:
    """Return the fixture of the noise margins, with the values ``hold_snm`` and ``read_snm``, in volts.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        points: points of the DC sweep.
    """
    halves = {
        f"{mode}_{free}": _cell(technology, wl=wordline, bl="vdd", blb="vdd", **{forced: "x", free: "{t}"})
        for mode, wordline in zip(MODES, ("0", "vdd"), strict=True)
        for free, forced in (("qb", "q"), ("q", "qb"))
    }

    def build(shifts: Array) -> Simulation:
        return _sweep(technology, corner, "butterflies", halves, shifts, points, reducer_name(reduce_snm))

    return Fixture(transistors=halves["hold_q"].transistors, build=build, values=("hold_snm", "read_snm"))


def write_margin_fixture(technology: Technology, corner: Corner, points: int = _POINTS) -> Fixture:
    """Return the fixture of the write margin, with the value ``write_margin``, in volts.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        points: points of the DC sweep.
    """
    sides = {
        "q": _cell(technology, wl="vdd", bl="{t}", blb="vdd", q="q{t}", qb="i{t}"),
        "qb": _cell(technology, wl="vdd", bl="vdd", blb="{t}", q="i{t}", qb="q{t}"),
    }
    # The source current is the distance of the bitline from this typical margin, divided by the gain.
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
    """Return the sweep of node x from V_DD to 0; each part of a copy answers at the node ``<part>_<copy>``."""
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
    """Reducer: return ``hold_snm`` and ``read_snm`` of every copy, in volts.

    Args:
        vectors: results of a deck of ``snm_fixture``.
        vdd: supply, in volts.
        copies: number of copies in the deck.
    """
    found: dict[str, list[float]] = {}
    for mode in MODES:
        # The sweep falls; the curves need rising inputs.
        f, g = (traces(vectors, f"v({mode}_{free}_{{}})", copies)[::-1] for free in ("qb", "q"))
        x = np.linspace(0.0, vdd, len(f))
        fine = np.linspace(0.0, vdd, 8 * (len(f) - 1) + 1)
        f, g = _smooth(x, f, fine), _smooth(x, g, fine)
        found[f"{mode}_snm"] = [largest_square(fine, f[:, k], fine, g[:, k])[0] for k in range(copies)]
    return found


def reduce_write_margin(vectors: Vectors, *, vdd: float, copies: int) -> dict[str, Array]:
    """Reducer: return ``write_margin``, shape (copies,), in volts: the lower one of both bits.

    Args:
        vectors: results of a deck of ``write_margin_fixture``.
        vdd: supply, in volts.
        copies: number of copies in the deck.
    """
    sides = [traces(vectors, f"v({side}_{{}})", copies) for side in ("q", "qb")]
    return {"write_margin": np.minimum(*(_first_minimum(side, vdd) for side in sides))}


def _first_minimum(waves: Array, none: float) -> Array:
    """Return the first local minimum of each wave, shape (copies,), from a parabola through three points.

    A wave that only falls has no minimum and gives ``none``: this cell flips even with its bitline at V_DD.

    Args:
        waves: shape (points, copies).
        none: value without a minimum.
    """
    rises = np.diff(waves, axis=0) > 0
    at = np.clip(rises.argmax(axis=0), 1, len(waves) - 2)
    copy = np.arange(waves.shape[1])
    before, least, after = (waves[at + step, copy] for step in (-1, 0, 1))
    curvature = np.maximum(before - 2 * least + after, 1e-12)
    return np.where(rises.any(axis=0), least - (after - before) ** 2 / (8 * curvature), none)


def _smooth(x: Array, y: Array, fine: Array) -> Array:
    """Return ``y``, shape (points, copies), at the points ``fine`` by monotone cubic interpolation."""
    return np.asarray(PchipInterpolator(x, y, axis=0)(fine))
