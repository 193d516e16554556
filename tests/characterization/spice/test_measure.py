"""Charges of waveforms, against waveforms whose charge is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.characterization.spice.measure import pull_up_charges, window_charges

VDD = 1.1
# A line that is driven up and down again twice, and the times at which it changes.
EDGES = np.array([0.0, 0.5, 1.5, 2.0, 3.0, 3.5, 4.5, 5.0, 6.0])
LEVELS = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]) * VDD


def line(capacitance: float, points: int) -> dict[str, np.ndarray]:
    """A capacitor to ground behind an ideal source, on a grid that holds every corner of the line."""
    time = np.unique(np.concatenate([np.linspace(0.0, 6.0, points), EDGES]))
    level = np.interp(time, EDGES, LEVELS)
    return {"time": time, "v(a)": level, "i(va)": -capacitance * np.gradient(level, time)}


def charges(vectors: dict[str, np.ndarray]) -> np.ndarray:
    return pull_up_charges(vectors, "va", "v(a)", np.array([0.0, 6.0]), vdd=VDD)


def test_a_line_is_charged_once_a_rise() -> None:
    # The current of a corner belongs half to either side of it: one step of 6/4000.
    assert charges(line(2.0, 4001)) == pytest.approx(2 * 2.0 * VDD, rel=5e-3)
    # An ideal source takes all of it back.
    assert window_charges(line(2.0, 4001), "va", np.array([0.0, 6.0])) == pytest.approx(0.0, abs=5e-3)


@given(st.floats(-1e3, 1e3), st.integers(0, 900))
def test_ringing_adds_no_charge(amplitude: float, start: int) -> None:
    vectors = line(2.0, 1001)
    clean = charges(vectors)
    ringing = amplitude * (-1.0) ** np.arange(100)
    vectors["i(va)"][start : start + 100] += ringing
    # It cancels between two neighbouring points; at its ends, and where the line turns, half a step of it may be left.
    steps = np.diff(vectors["time"])
    assert abs(charges(vectors) - clean) <= (0.5 * 6 * abs(amplitude) + 1e-9) * steps.max()
