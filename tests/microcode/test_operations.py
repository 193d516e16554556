"""The microcode is LD-LIF: executing it gives the membranes and spikes of ``ldlif_step``, whatever is drawn."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, LDLIFState, ldlif_step
from pyspice_cim.errors import ConfigError
from pyspice_cim.microcode import (
    EVENTS,
    ColumnState,
    Operation,
    column_bits,
    columns_at_rest,
    count_events,
    cycle_events,
    execute,
    line_pulses,
    membranes,
    schedule,
)
from pyspice_cim.microcode.schedule import line_kind
from pyspice_cim.organisation import NeuronConstants, Organisation


@st.composite
def networks(draw):
    membrane_bits = draw(st.integers(3, 10))
    weight_bits = draw(st.integers(2, 6))
    vmax = 2 ** (membrane_bits - 1) - 1
    params = LDLIFParams(
        lambda_=draw(st.integers(0, vmax)),
        theta=draw(st.integers(1, vmax)),
        membrane_bits=membrane_bits,
        reset=draw(st.sampled_from(["subtract", "zero"])),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    inputs, neurons, steps = draw(st.integers(1, 6)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    weights = rng.integers(-(2 ** (weight_bits - 1)), 2 ** (weight_bits - 1), (inputs, neurons))
    membrane = rng.integers(-vmax - 1, vmax + 1, neurons)
    spikes = rng.random((steps, inputs)) < draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    return params, weights, membrane, spikes


@settings(max_examples=300, deadline=None)
@given(networks())
def test_microcode_equals_the_neuron(network):
    params, weights, membrane, spikes = network
    bits = column_bits(weights, params.membrane_bits)
    columns = columns_at_rest(membrane, theta=params.theta)
    state = LDLIFState(v=membrane.astype(np.int32))
    for active in spikes:
        program = Organisation().program(params).step(np.flatnonzero(active).tolist())
        for operation in program:
            columns = execute(operation, columns, weights, bits=bits)
        expected, state, _ = ldlif_step(active.astype(np.int64) @ weights, state, params)
        np.testing.assert_array_equal(1 - columns.flag, expected)
        reached = membranes(columns, theta=params.theta, membrane_bits=params.membrane_bits, reset=params.reset)
        np.testing.assert_array_equal(reached, state.v)


def _adder(operation: Operation, word: int, flag: int, last_sum: int, operand: int, bits: int) -> dict[str, list[int]]:
    """One column bit by bit, as the slice works: an implementation apart from the word-wide one."""
    mask = operation.za if flag else operation.zb
    carry, before, rows = 0, last_sum, {name: [] for name in EVENTS}
    sums = []
    for k in range(bits):
        v, o = word >> k & 1, operand >> k & 1
        r = 0 if mask else v
        total = r + o + carry
        s, carry_next = total & 1, total >> 1
        last = k == bits - 1
        happened = {
            "cycle": 1,
            "v": v,
            "r": r,
            "o": o,
            "o_weight": o if operation.weight is not None else 0,
            "c": carry,
            "ro": r & o,
            "rc": r & carry,
            "oc": o & carry,
            "roc": r & o & carry,
            "carry_edge": carry ^ (0 if last else carry_next),
            "sum_rise": int(s > before),
            "sum_fall": int(s < before),
            "r_again": r if s == before else 0,
            "o_again": o if s == before else 0,
            "cell_flip": int(s != v),
            "carry_out": carry_next if last else 0,
            "masked": int(mask),
            "flag_rise": int(last and operation.capture and s > flag),
            "flag_fall": int(last and operation.capture and s < flag),
        }
        for name, value in happened.items():
            rows[name].append(int(value))
        sums.append(s)
        carry, before = carry_next, s
    return rows


@settings(max_examples=200, deadline=None)
@given(
    bits=st.integers(2, 16),
    seed=st.integers(0, 2**32),
    za=st.booleans(),
    zb=st.booleans(),
    capture=st.booleans(),
    weighted=st.booleans(),
)
def test_events_equal_a_bit_serial_adder(bits, seed, za, zb, capture, weighted):
    rng = np.random.default_rng(seed)
    half = 2 ** (bits - 1)
    k0, k1, weight = (int(x) for x in rng.integers(-half, half, 3))
    name = "accumulate" if weighted else "decay"
    operation = Operation(
        name=name,
        k0=0 if weighted else k0,
        k1=0 if weighted else k1,
        weight=0 if weighted else None,
        za=za,
        zb=zb,
        capture=capture,
    )
    words, flags, last = rng.integers(-half, half, 3), rng.integers(0, 2, 3), rng.integers(0, 2, 3)
    weights = np.full((1, 3), weight)
    state = ColumnState(word=words, flag=flags, last_sum=last)
    counts, after = count_events(operation, state, weights, bits=bits)
    cycles, _ = cycle_events(operation, state, weights, bits=bits)
    np.testing.assert_array_equal(cycles.sum(axis=1), counts)
    for j in range(3):
        operand = weight if weighted else (k1 if flags[j] else k0)
        expected = _adder(operation, int(words[j]), int(flags[j]), int(last[j]), operand, bits)
        np.testing.assert_array_equal(cycles[:, :, j], [expected[name] for name in EVENTS])
    plain = execute(operation, state, weights, bits=bits)
    np.testing.assert_array_equal(after.word, plain.word)


def test_column_bits_are_enough_and_not_too_many():
    weights = np.array([[7], [7], [-8]])
    # Highest sum 127 + 14 = 141 needs 9 bits; lowest word -8 - 127 and a loaded -128 - 127 = -255 need 9 bits too.
    assert column_bits(weights, 8) == 9


def test_constant_that_does_not_fit_is_refused():
    state = columns_at_rest(np.zeros(2, dtype=np.int64), theta=5)
    with pytest.raises(ConfigError, match="k0 = 40 does not fit in 6 column bits"):
        execute(Operation(name="decay", k0=40), state, np.zeros((1, 2), dtype=np.int64), bits=6)


@pytest.mark.parametrize("active", [[], [1], [0, 2, 3]])
def test_pulses_of_a_program_are_the_sum_of_its_operations(active):
    """What the stimulus generator plays is what the energy model counts."""
    bits, rows = 9, 8
    neuron = NeuronConstants(lambda_=3, theta=20, membrane_bits=8, reset="zero")
    program = Organisation().program(neuron).step(active)
    played = schedule(program, bits=bits, weight_bits=4, rows=rows)
    # The windows that are measured begin at the first phase 2: what comes before belongs to an operation before.
    first = [p for p in played if p.cycle == 0 and p.window.value in ("phase1", "precharge", "reset")]
    counted: dict[str, int] = {}
    for pulse in played:
        counted[line_kind(pulse.line)] = counted.get(line_kind(pulse.line), 0) + 1
    for pulse in first:
        counted[line_kind(pulse.line)] -= 1
    expected: dict[str, int] = {}
    for operation in program:
        for line, count in line_pulses(operation, bits=bits).items():
            expected[line] = expected.get(line, 0) + count
    # Accumulates that follow each other in one segment share a precharge; the model counts it with both.
    segments = [(i * 4) // rows for i in active]
    shared = sum(a == b for a, b in itertools.pairwise(segments))
    counted["pcs"] = counted.get("pcs", 0) + shared + sum(1 for p in first if p.line.startswith("pcs"))
    assert {k: v for k, v in counted.items() if v} == {k: v for k, v in expected.items() if v}
