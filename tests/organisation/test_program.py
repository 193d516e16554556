"""Step programs: their rows are the LD-LIF neuron, whatever the organisation, and wrong rows are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, LDLIFState, ldlif_step
from pyspice_cim.errors import ConfigError
from pyspice_cim.microcode import column_bits, execute
from pyspice_cim.organisation import ACCUMULATES, UPDATES, Guard, Organisation, Row

ALL = [Organisation(accumulate=a, update=u) for a in ACCUMULATES for u in UPDATES]


@pytest.mark.parametrize("organisation", ALL, ids=lambda each: f"{each.accumulate}-{each.update}")
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_every_organisation_computes_the_neuron(organisation, data):
    """Membranes that are loaded, a few steps, spikes and membranes after each: against ``ldlif_step``."""
    bits = data.draw(st.integers(3, 10))
    vmax = 2 ** (bits - 1) - 1
    theta = data.draw(st.integers(1, vmax))
    params = LDLIFParams(
        lambda_=data.draw(st.integers(0, vmax - theta)),
        theta=theta,
        membrane_bits=bits,
        reset=data.draw(st.sampled_from(["subtract", "zero"])),
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    weights = rng.integers(-8, 8, (5, 7))
    v = rng.integers(-(vmax // 2), vmax + 1, 7)
    update, program = UPDATES[organisation.update], organisation.program(params)
    columns, state = update.rest(v, params), LDLIFState(v=v.astype(np.int32))
    for _ in range(4):
        active = rng.random(5) < 0.4
        for operation in program.step(np.flatnonzero(active).tolist()):
            columns = execute(operation, columns, weights, bits=column_bits(weights, bits))
        spikes, state, _ = ldlif_step(active.astype(np.int64) @ weights, state, params)
        np.testing.assert_array_equal(1 - columns.flag, spikes)
        np.testing.assert_array_equal(update.membranes(columns, params), state.v)
        # The columns follow from membranes and spikes, but for what a reset to zero leaves in a word.
        again = update.after_step(state.v, spikes, params)
        np.testing.assert_array_equal(again.flag, columns.flag)
        if params.reset == "subtract":
            held = state.v > -(2 ** (bits - 1))
            np.testing.assert_array_equal(again.word[held], columns.word[held])


@pytest.mark.parametrize(
    "guard", [guard for guard in Guard if "INPUT" not in guard.name and "FIRST_AT" not in guard.name]
)
def test_a_weight_row_is_added_for_inputs_alone(guard):
    with pytest.raises(ConfigError, match=f"operand is 'weight' and guard {guard.name}"):
        Row(name="accumulate", guard=guard, operand="weight")


@pytest.mark.parametrize("guard", [Guard.LATER_INPUT, Guard.EVERY_INPUT])
def test_a_row_that_runs_several_times_captures_no_flag(guard):
    with pytest.raises(ConfigError, match=f"captures under guard {guard.name}"):
        Row(name="accumulate", guard=guard, operand="weight", capture=True)


def test_an_unknown_organisation_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match=r"organisation\.update is 'lazy'; choose one of in_array, sequential"):
        Organisation(update="lazy")
    with pytest.raises(ConfigError, match=r"organisation\.accumulate is 'packed'; choose one of serial"):
        Organisation(accumulate="packed")
    with pytest.raises(ConfigError, match="organisation is 'serial'; give an Organisation"):
        MacroConfig(technology="generic45lp", neurons=4, inputs=4, organisation="serial")
