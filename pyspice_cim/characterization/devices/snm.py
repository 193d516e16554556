"""Static noise margin of the 6T cell: the side of the largest square inside the butterfly of its two half cells.

    y = f(x)    transfer curve of one half: the inverter, and the access transistor from the precharged bitline
    x = g(y)    transfer curve of the other half, mirrored

In the mode ``hold`` the wordline is at 0. In the mode ``read`` the wordline and both bitlines are at V_DD: the worst
moment of a read.

Source: E. Seevinck, F. J. List, J. Lohstroh, "Static-noise margin analysis of MOS SRAM cells", IEEE JSSC 22 (5), 1987.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PySpice.Spice.Netlist import Circuit

from pyspice_cim.characterization.devices.curves import Array, dc_deck, sweep
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.netlists.cell import mosfet
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.technology import Corner, Technology, model_text

Mode = Literal["hold", "read"]
MODES: tuple[Mode, Mode] = ("hold", "read")


@dataclass(frozen=True, kw_only=True)
class Butterfly:
    """Transfer curve of a half cell, and the square between the curve and its mirror image.

    Attributes:
        x, y: input and output voltage of the half cell, shape (points,), in volts.
        snm: static noise margin: side of the largest square that fits in both lobes, in volts.
        corner: lower left corner of the square in the upper left lobe, in volts.
    """

    x: Array
    y: Array
    snm: float
    corner: tuple[float, float]


def butterfly_deck(technology: Technology, corner: Corner, step: float = 0.005) -> DrawnDeck:
    """DC sweep of two half cells of ``technology.cell_6t``: node ``hold`` has the wordline off, ``read`` has it on."""
    circuit = Circuit(f"butterfly {technology.name} {corner.process}")
    circuit.V("dd", "vdd", circuit.gnd, corner.vdd)
    circuit.V("in", "x", circuit.gnd, 0)
    cell = technology.cell_6t
    for mode, wordline in zip(MODES, ("0", "vdd"), strict=True):
        for name, terminals, device, width in (
            ("pd", (mode, "x", "0", "0"), "nmos", cell.pull_down_um),
            ("pu", (mode, "x", "vdd", "vdd"), "pmos", cell.pull_up_um),
            ("ax", ("vdd", wordline, mode, "0"), "nmos", cell.access_um),
        ):
            mosfet(circuit, f"{name}_{mode}", terminals, technology=technology, device=device, width=width * 1e-6)
    models = model_text(technology, corner.process)
    return dc_deck(circuit, models, corner, sweep("Vin", corner, step), [f"v({mode})" for mode in MODES])


def butterfly(vectors: Vectors, vdd: float, mode: Mode) -> Butterfly:
    """Return the butterfly of one mode.

    Args:
        vectors: results of a ``butterfly_deck``.
        vdd: supply, in volts.
        mode: ``hold`` or ``read``.
    """
    y = vectors[f"v({mode})"]
    x = np.linspace(0.0, vdd, y.size)
    snm, corner = largest_square(x, y, x, y)
    return Butterfly(x=x, y=y, snm=snm, corner=corner)


def largest_square(x: Array, f: Array, y: Array, g: Array) -> tuple[float, tuple[float, float]]:
    """Return the side of the largest square in the smaller lobe between ``y = f(x)`` and ``x = g(y)``, and its corner.

    Two opposite corners of a square lie on a line of slope 1. With u = x - y and v = x + y, the side of a square is
    half the distance in v between the two curves at one u. Along one curve u rises, along the other u falls.

    Args:
        x, f: input (rising) and output (falling) of the first half, shape (points,), in volts.
        y, g: input and output of the second half, likewise.

    Returns:
        The side, in volts, and the lower left corner (x, y) of the square in the upper left lobe, in volts. The side is
        0 or less if a lobe is gone: the cell is not bistable.
    """
    u_first, v_first = x - f, x + f
    u_second, v_second = (g - y)[::-1], (g + y)[::-1]
    u = np.linspace(max(u_first[0], u_second[0]), min(u_first[-1], u_second[-1]), 4001)
    gap = (np.interp(u, u_first, v_first) - np.interp(u, u_second, v_second)) / 2
    left, right = u < 0, u >= 0
    upper = np.where(left, gap, -np.inf)
    snm = min(float(upper.max()), float((-gap[right]).max()))
    at = int(upper.argmax())
    v = float(np.interp(u[at], u_second, v_second))
    # The square in the upper left lobe may be larger than the returned side.
    return snm, ((v + float(u[at])) / 2, (v - float(u[at])) / 2)
