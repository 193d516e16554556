"""The reducers, on curves whose figures are known."""

import math

import numpy as np
import pytest

from pyspice_cim.characterization.devices.curves import TransferCurves, device_figures, subthreshold_swing, threshold
from pyspice_cim.characterization.devices.fo4 import fo4_delays, switching_time
from pyspice_cim.characterization.devices.snm import largest_square
from pyspice_cim.errors import SimulationError


def exponential(vgs: np.ndarray, vt: float, swing: float) -> np.ndarray:
    """A device of W / L = 20 that conducts 2 uA at ``vt`` and turns on exponentially, without end."""
    return 2e-6 * 10 ** ((vgs - vt) / swing)


def test_figures_of_an_exponential_device() -> None:
    vgs = np.linspace(0, 1, 101)
    curves = TransferCurves(
        vgs=vgs,
        linear=exponential(vgs, 0.413, 0.1),
        half=exponential(vgs, 0.37, 0.1),
        full=exponential(vgs, 0.318, 0.1),
        vdd=1.0,
        width=2e-6,
        length=0.1e-6,
    )
    found = device_figures(curves)
    assert found["vt_lin"] == pytest.approx(0.413)
    assert found["vt_sat"] == pytest.approx(0.318)
    assert found["dibl"] == pytest.approx(0.1)
    assert found["ss"] == pytest.approx(0.1)
    assert found["ioff"] == pytest.approx(1e-6 * 10**-3.18, rel=1e-9, abs=0)
    assert found["ieff"] == pytest.approx((10**6.3 + 10**1.82) * 0.5e-6)


def test_a_threshold_that_is_not_crossed_is_nan() -> None:
    vgs = np.linspace(0, 1, 11)
    assert math.isnan(threshold(vgs, exponential(vgs, 0.5, 0.1), 1.0))
    assert math.isnan(threshold(vgs, exponential(vgs, 0.5, 0.1), 1e-15))


def test_swing_ignores_a_leakage_floor() -> None:
    vgs = np.linspace(0, 0.5, 51)
    assert subthreshold_swing(vgs, 1e-11 + exponential(vgs, 0.5, 0.08)) == pytest.approx(0.08, rel=1e-3)


def test_the_square_of_ideal_inverters_is_half_the_supply() -> None:
    x = np.array([0.0, 0.4999999, 0.5000001, 1.0])
    y = np.array([1.0, 1.0, 0.0, 0.0])
    side, corner = largest_square(x, y, x, y)
    assert side == pytest.approx(0.5, abs=1e-3)
    assert corner == pytest.approx((0.0, 0.5), abs=1e-3)


def test_the_square_agrees_with_a_search() -> None:
    x = np.linspace(0, 1, 2001)
    first, second = 0.5 - 0.5 * np.tanh(6 * (x - 0.5)), 0.55 - 0.45 * np.tanh(5 * (x - 0.45))

    def lobe(f: np.ndarray, g: np.ndarray) -> float:
        """Largest s with a lower-left corner (g(y), y) and its upper right (g(y) + s, y + s) below f."""
        best = 0.0
        for y, left in zip(x, g, strict=True):
            sides = np.linspace(0, 1, 2001)
            inside = np.interp(left + sides, x, f) >= y + sides
            if inside[0]:
                best = max(best, float(sides[int(np.argmin(inside)) - 1]))
        return best

    expected = min(lobe(first, second), lobe(second, first))
    assert largest_square(x, first, x, second)[0] == pytest.approx(expected, abs=2e-3)


def test_a_cell_without_two_states_has_no_margin() -> None:
    x = np.linspace(0, 1, 101)
    y = 0.5 - 0.2 * (x - 0.5)
    assert largest_square(x, y, x, y)[0] <= 0


def test_delays_are_taken_at_half_the_supply() -> None:
    time = np.linspace(0, 100e-12, 1001)
    source = np.interp(time, [10e-12, 20e-12, 60e-12, 70e-12], [0.0, 1.0, 1.0, 0.0])
    target = np.interp(time, [16e-12, 26e-12, 69e-12, 79e-12], [1.0, 0.0, 0.0, 1.0])
    delays = fo4_delays({"time": time, "v(s2)": source, "v(s3)": target}, 1.0)
    assert delays == pytest.approx({"fall": 6e-12, "rise": 9e-12, "mean": 7.5e-12}, rel=1e-9, abs=0)
    with pytest.raises(SimulationError, match="never falls"):
        fo4_delays({"time": time, "v(s2)": source, "v(s3)": np.ones_like(time)}, 1.0)


def test_a_weak_device_gets_more_time() -> None:
    assert switching_time(0.6, 1e-7) > 100 * switching_time(1.1, 1e-4) >= 1e-7
