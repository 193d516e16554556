"""Measurements on waveforms, in numpy: crossings, levels, charges. Times in s, voltages in V, energies in J."""

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.errors import SimulationError

Array = NDArray[np.float64]


def value_at(vectors: Vectors, name: str, time: float | Array) -> Array:
    """Value of the vector ``name`` at ``time`` in seconds, linearly interpolated."""
    return np.asarray(np.interp(time, vectors["time"], vectors[name]))


def crossings(vectors: Vectors, name: str, level: float, rising: bool | None = None) -> Array:
    """Times in seconds at which the vector ``name`` crosses ``level``, in their order.

    Args:
        vectors: vectors of a transient.
        name: vector.
        level: level in the unit of the vector.
        rising: ``True`` for rising edges, ``False`` for falling edges, ``None`` for both.
    """
    time, wave = vectors["time"], vectors[name] - level
    up = (wave[:-1] < 0) & (wave[1:] >= 0)
    down = (wave[:-1] > 0) & (wave[1:] <= 0)
    at = np.flatnonzero(up if rising else down if rising is False else up | down)
    step = wave[at + 1] - wave[at]
    return time[at] - wave[at] * (time[at + 1] - time[at]) / step


def first_crossing(
    vectors: Vectors, name: str, level: float, *, after: float = 0.0, rising: bool | None = None
) -> float:
    """First time at which the vector ``name`` crosses ``level``, in seconds.

    Args:
        vectors: vectors of a transient.
        name: vector.
        level: level in the unit of the vector.
        after: start of the search in seconds.
        rising: ``True`` for rising edges, ``False`` for falling edges, ``None`` for both.

    Raises:
        SimulationError: if the vector never crosses the level.
    """
    times = crossings(vectors, name, level, rising)
    times = times[times >= after]
    if not times.size:
        way = {True: "rises through", False: "falls through", None: "crosses"}[rising]
        raise SimulationError(f"{name} never {way} {level:.3g} V after {after:.4g} s")
    return float(times[0])


def window_charges(vectors: Vectors, source: str, edges: Array) -> Array:
    """Charge that a voltage source delivers in each window, in coulombs.

        Q_k = -integral of i(source) dt over [edges_k, edges_k+1]

    SPICE counts the current into the plus terminal, therefore the sign.

    Args:
        vectors: vectors of a transient.
        source: name of the voltage source.
        edges: limits of the windows in seconds, shape (windows + 1,).

    Returns:
        Charges, shape (windows,).
    """
    current = -vectors[f"i({source})"]
    steps = 0.5 * (current[1:] + current[:-1]) * np.diff(vectors["time"])
    return _in_windows(vectors["time"], steps, edges)


def pull_up_charges(vectors: Vectors, source: str, node: str, edges: Array, *, vdd: float) -> Array:
    """Charge that a driver, in place of the ideal voltage source, would take from its supply in each window, in coulombs.

    The charge is the net charge while the control line rises or is high. While the control line falls or is low, the
    pull-down of a driver carries the charge to ground. Charge that couples into a high control line returns to the
    supply.

    The positive part of the current would be wrong. After an abrupt change of the time step, the trapezoidal rule lets
    a current alternate between large values of both signs. Their positive half is many times the charge; their sum is
    not.

    Args:
        vectors: vectors of a transient.
        source: name of the ideal voltage source.
        node: vector of the control line's voltage, e.g. ``v(wl)``.
        edges: limits of the windows in seconds, shape (windows + 1,).
        vdd: supply voltage in volts.

    Returns:
        Charges, shape (windows,).
    """
    current, level = -vectors[f"i({source})"], vectors[node]
    change = np.diff(level)
    still = np.abs(change) < 1e-6 * vdd
    from_supply = np.where(still, level[1:] > vdd / 2, change > 0)
    steps = 0.5 * (current[1:] + current[:-1]) * np.diff(vectors["time"]) * from_supply
    return _in_windows(vectors["time"], steps, edges)


def _in_windows(time: Array, steps: Array, edges: Array) -> Array:
    """Sum of ``steps`` (one between each two times) in each window, cut at the edges in proportion."""
    return np.diff(np.interp(edges, time, np.concatenate([[0.0], np.cumsum(steps)])))


def bits_at(vectors: Vectors, names: list[str], time: float, vdd: float) -> list[int]:
    """The bits that the nodes ``names`` hold at ``time`` in seconds.

    Raises:
        SimulationError: if a node is more than a tenth of the supply ``vdd`` away from both rails, which is no bit.
    """
    bits = []
    for name in names:
        level = float(value_at(vectors, name, time))
        if abs(level - vdd / 2) < 0.4 * vdd:
            raise SimulationError(f"{name} is at {level:.3g} V at {time:.4g} s, neither 0 nor {vdd:g} V")
        bits.append(int(level > vdd / 2))
    return bits
