"""The bridge, in real ngspice: bits, energy and time of arrays against the model. Small arrays, to stay quick."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.characterization.benches.array import ArrayRun, array_simulation
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.spice.simulation import execute
from pyspice_cim.errors import ConfigError, TableError
from pyspice_cim.microcode import ColumnState, Operation, columns_at_rest
from pyspice_cim.netlists.columns.array import ArrayShape
from pyspice_cim.netlists.waves import Timing
from pyspice_cim.organisation import NeuronConstants, Organisation
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table
from pyspice_cim.technology import Corner, load_technology
from pyspice_cim.validation import CosimSpec, cosimulate, draw_vector
from pyspice_cim.validation.cosim import model_disagreement, vector_layer, vector_run

SMALL = CosimSpec(neurons=2, inputs=2, weight_bits=3, membrane_bits=5, steps=1, vectors=2, seed=3)


@pytest.fixture(scope="module")
def table():
    return load_table(shipped("reference", "generic45lp.h5"))


def test_spice_agrees_with_the_model_in_bits_energy_and_time(table):
    report = cosimulate(SMALL, table)
    assert report.ok and report.bits_wrong == 0
    # 2 operations without input and 5 with both inputs, on 2 columns of 6 bits and a flag; then 2 steps of 2 neurons of
    # 5 bits and a spike.
    assert report.bits_compared == 7 * 2 * (6 + 1) + 2 * 2 * (5 + 1)
    # The bounds that the project promises on vectors that no table point came from.
    assert report.energy_error_mean_pct < 3.0 and report.energy_error_max_pct < 7.0
    assert report.latency_error_pct < 2.0


def test_a_second_segment_goes_through_the_merge(table):
    """Weights on two segments of 16 rows: rows 0..15 hold inputs 0..3, rows 16..19 input 4."""
    technology, weights = load_technology("generic45lp"), np.array([[3], [-1], [2], [1], [-3]])
    program = Organisation().program(NeuronConstants(lambda_=2, theta=6, membrane_bits=5)).step([1, 4])
    run = ArrayRun(
        shape=ArrayShape(columns=1, bits=6, inputs=5, weight_bits=4, rows=16, segments=2),
        weights=weights,
        state=columns_at_rest(np.array([9]), theta=6),
        program=program,
        timing=Timing(cycle=1.6e-9),
    )
    outcome = execute(array_simulation(technology, Corner(vdd=1.1), run, title="merge"), NgspiceSimulator())
    assert outcome.ok, outcome.reason


def test_a_cycle_that_is_too_short_stores_wrong_bits_and_is_not_accepted(table):
    technology = load_technology("generic45lp")
    layer = vector_layer(draw_vector(SMALL, 1), SMALL, table, {})
    run = replace(vector_run(draw_vector(SMALL, 1), layer), timing=Timing(cycle=0.45e-9), drivers=False)
    simulation = array_simulation(technology, Corner(vdd=1.1), run, title="too fast")
    outcome = execute(simulation, NgspiceSimulator())
    assert not outcome.ok and "wrong bits" in outcome.reason and not outcome.values


def test_wrong_expectations_are_found(table):
    """The comparison can fail: an expected word with one bit turned is one wrong bit in every column."""
    technology = load_technology("generic45lp")
    program = [Operation(name="decay", k0=-3, k1=-3, capture=True)]
    integers = [np.array([5, -4]), np.array([0, 1]), np.array([0, 0])]
    state = ColumnState(word=integers[0], flag=integers[1], last_sum=integers[2])
    run = ArrayRun(
        shape=ArrayShape(columns=2, bits=5, inputs=0, weight_bits=2, rows=16, segments=1),
        weights=np.zeros((0, 2), dtype=np.int64),
        state=state,
        program=program,
        timing=Timing(cycle=1.6e-9),
    )
    simulation = array_simulation(technology, Corner(vdd=1.1), run, title="turned", accept_wrong_bits=True)
    arguments = {**simulation.arguments, "words": [[w ^ 4 for w in simulation.arguments["words"][0]]]}
    outcome = execute(replace(simulation, arguments=arguments), NgspiceSimulator())
    assert outcome.ok and outcome.values["bits_wrong"].tolist() == [[1.0, 1.0]]


@given(st.integers(0, 2**40), st.integers(0, 40))
def test_vectors_are_drawn_by_seed_and_index_alone_and_cover_the_cases(seed, index):
    spec = CosimSpec(seed=seed, vectors=1)
    one, again = draw_vector(spec, index), draw_vector(replace(spec, vectors=9), index)
    np.testing.assert_array_equal(one.weights, again.weights)
    np.testing.assert_array_equal(one.spikes, again.spikes)
    assert one.params == again.params and isinstance(one.params, LDLIFParams)
    assert one.membrane[1] < 0 and one.membrane[0] - one.params.lambda_ == one.params.theta
    assert one.spikes[0].any() == (index % 3 != 0) or index % 3 == 2


def test_every_case_occurs_and_the_microcode_agrees_with_the_neuron(table):
    spec, seen = CosimSpec(vectors=6, seed=7), {}
    for index in range(spec.vectors):
        vector = draw_vector(spec, index)
        run = vector_run(vector, vector_layer(vector, spec, table, {}))
        wrong, compared, cases = model_disagreement(vector, run)
        assert wrong == 0 and compared
        for name, count in cases.items():
            seen[name] = seen.get(name, 0) + count
    assert all(seen.values()), seen


def test_a_table_of_other_models_is_refused(table):
    dataset = table.dataset.assign_attrs(technology_sha256="0" * 64)
    with pytest.raises(TableError, match="made from other models of generic45lp"):
        cosimulate(SMALL, replace(table, dataset=dataset))
    with pytest.raises(TableError, match="of technology 'generic45lp', not 'generic65'"):
        cosimulate(SMALL, table, technology=load_technology("generic65"))


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="membrane_bits is 40; it must be an integer from 3 to 12"):
        CosimSpec(membrane_bits=40)


def test_vectors_for_which_there_is_no_time_are_failures(table):
    """No vector is dropped, and none becomes a number."""
    report = cosimulate(SMALL, table, Engine(cache=None, workers=1, budget=0.0))
    assert not report.ok and report.vectors == len(report.failures) == SMALL.vectors
    assert all(reason.startswith("not simulated: ") for reason in report.failures)
    assert report.energy_error_mean_pct is report.latency_error_pct is None
    assert report.bits_compared == 0
