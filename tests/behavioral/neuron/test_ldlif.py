"""Laws of the LD-LIF step, and equality with a scalar reference in plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, LDLIFState, ldlif_step
from pyspice_cim.errors import ConfigError, DataError


@st.composite
def layers(draw):
    bits = draw(st.integers(2, 12))
    vmax = 2 ** (bits - 1) - 1
    return LDLIFParams(
        lambda_=draw(st.integers(0, vmax)),
        theta=draw(st.integers(1, vmax)),
        membrane_bits=bits,
        reset=draw(st.sampled_from(["subtract", "zero"])),
    )


@st.composite
def runs(draw):
    params = draw(layers())
    reach = 2 * (params.vmax + 1)
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 4)))
    size = shape[0] * shape[1]
    sums = draw(st.lists(st.integers(-reach, reach), min_size=size, max_size=size))
    v = draw(st.lists(st.integers(params.vmin, params.vmax), min_size=shape[1], max_size=shape[1]))
    return params, np.array(sums, np.int32).reshape(shape), np.array(v, np.int32)


def scalar_step(v, drive, lambda_, theta, bits, reset):
    """One neuron, one step, written without NumPy: (spike, v, cleared, saturated)."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    v -= lambda_
    cleared = v < 0
    if cleared:
        v = 0
    v += drive
    saturated = v < low or v > high
    v = min(max(v, low), high)
    if v >= theta:
        return 1, (v - theta if reset == "subtract" else 0), cleared, saturated
    return 0, v, cleared, saturated


@given(runs())
def test_equals_the_scalar_reference(run):
    params, sums, v = run
    state, slow = LDLIFState(v=v), v.tolist()
    for step in sums:
        spikes, state, events = ldlif_step(step, state, params)
        expected = [
            scalar_step(a, b, params.lambda_, params.theta, params.membrane_bits, params.reset)
            for a, b in zip(slow, step.tolist(), strict=True)
        ]
        slow = [entry[1] for entry in expected]
        assert spikes.tolist() == [entry[0] for entry in expected]
        assert state.v.tolist() == slow
        assert events.cleared.tolist() == [entry[2] for entry in expected]
        assert events.saturated.tolist() == [entry[3] for entry in expected]
        assert events.fired.tolist() == [bool(entry[0]) for entry in expected]


@given(runs())
def test_membranes_stay_in_their_bits_and_the_arguments_unchanged(run):
    params, sums, v = run
    before = v.copy()
    _, state, _ = ldlif_step(sums[0], LDLIFState(v=v), params)
    assert params.vmin <= state.v.min() and state.v.max() <= params.vmax
    assert np.array_equal(v, before)


@given(layers(), st.data())
def test_decay_is_never_negative(params, data):
    v = data.draw(st.integers(params.vmin, params.vmax))
    _, state, events = ldlif_step(np.zeros(1, int), LDLIFState(v=np.array([v])), params)
    assert state.v[0] >= 0
    assert events.cleared[0] == (v < params.lambda_)


@given(layers())
def test_a_membrane_at_the_threshold_fires_and_one_below_does_not(params):
    rest = LDLIFState.zeros(2)
    spikes, state, _ = ldlif_step(np.array([params.theta, params.theta - 1]), rest, params)
    assert spikes.tolist() == [1, 0]
    assert state.v.tolist() == [0, params.theta - 1]


@given(layers(), st.integers(1, 10**6))
def test_saturation_acts_before_the_compare(params, excess):
    sums = np.array([params.vmax + excess, params.vmin - excess])
    spikes, state, events = ldlif_step(sums, LDLIFState.zeros(2), params)
    left = params.vmax - params.theta if params.reset == "subtract" else 0
    assert (spikes.tolist(), state.v.tolist()) == ([1, 0], [left, params.vmin])
    assert events.saturated.all()


def test_inhibition_lasts_one_step():
    params = LDLIFParams(lambda_=1, theta=10)
    _, state, _ = ldlif_step(np.array([-50]), LDLIFState.zeros(1), params)
    assert state.v[0] == -50
    spikes, _, _ = ldlif_step(np.array([10]), state, params)
    assert spikes[0] == 1


def test_leading_axes_are_a_batch():
    params = LDLIFParams(lambda_=2, theta=9)
    sums = np.random.default_rng(0).integers(-40, 40, (3, 5, 7))
    whole, _, _ = ldlif_step(sums, LDLIFState.zeros(3, 5, 7), params)
    rows = [ldlif_step(row, LDLIFState.zeros(5, 7), params)[0] for row in sums]
    assert np.array_equal(whole, rows)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"theta": 128}, "never fires"),
        ({"theta": 0}, "theta is 0"),
        ({"theta": 1.5}, "theta is 1.5"),
        ({"theta": True}, "theta is True"),
        ({"lambda_": -1}, "lambda_ is -1"),
        ({"lambda_": 128}, "lambda_ is 128"),
        ({"membrane_bits": 1}, "membrane_bits is 1"),
        ({"membrane_bits": 17}, "membrane_bits is 17"),
        ({"decay": "exponential"}, "supported: clamp"),
        ({"reset": "none"}, "supported: subtract, zero"),
    ],
)
def test_parameters_out_of_range_are_named(fields, words):
    with pytest.raises(ConfigError, match=words):
        LDLIFParams(**({"lambda_": 1, "theta": 10} | fields))


def test_numpy_integers_become_plain_ones():
    params = LDLIFParams(lambda_=np.int8(1), theta=np.uint8(10))
    assert params == LDLIFParams(lambda_=1, theta=10)
    assert type(params.theta) is int


@pytest.mark.parametrize(
    ("sums", "v", "words"),
    [
        (np.zeros(2), np.zeros(2, int), "inputs has type float64"),
        (np.zeros(2, int), np.zeros(2), "state.v has type float64"),
        (np.zeros(2, int), np.zeros(3, int), r"shape \(2,\) and state.v \(3,\)"),
        (np.zeros(2, int), np.array([0, 128]), "8 bits hold -128..127"),
        (np.zeros(2, int), np.array([-129, 0]), "8 bits hold -128..127"),
    ],
)
def test_bad_arrays_are_named(sums, v, words):
    with pytest.raises(DataError, match=words):
        ldlif_step(sums, LDLIFState(v=v), LDLIFParams(lambda_=1, theta=10))
