"""Macros and networks: bits equal the plain reference, energies are counted events times table values."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.macro import Macro
from pyspice_cim.behavioral.macro.network import Network
from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.file import Layer, NetworkFile
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, NeuronParams
from pyspice_cim.errors import ConfigError, DataError, OutsideTableError, TableError
from pyspice_cim.microcode import columns_at_rest, count_events, execute
from pyspice_cim.organisation import UPDATES, Organisation
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table

TABLE = load_table(shipped("reference", "generic45lp.h5"))


def draw_network(seed, shape=(9, 12, 8), reset="subtract"):
    rng = np.random.default_rng(seed)
    layers = tuple(
        Layer(
            weights=rng.integers(-8, 8, (inputs, neurons)).astype(np.int8),
            weight_bits=4,
            params=LDLIFParams(lambda_=int(rng.integers(0, 9)), theta=int(rng.integers(1, 60)), reset=reset),
        )
        for inputs, neurons in itertools.pairwise(shape)
    )
    return NetworkFile(layers=layers, steps=7, encoder=Encoder())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["subtract", "zero"]), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_macros_give_the_bits_of_the_reference(seed, reset, rate):
    network = draw_network(seed, reset=reset)
    spikes = (np.random.default_rng(seed).random((7, 5, 9)) < rate).astype(np.uint8)
    reference = run_integer(layers_of(network), spikes)
    on_macros = Network(network, TABLE)
    for mode in ("exact", "expected"):
        report = on_macros.run(spikes, energy=mode)
        np.testing.assert_array_equal(report.spike_counts, reference.spike_counts)
        np.testing.assert_array_equal(report.membranes, reference.membranes[-1])
        np.testing.assert_array_equal(report.predictions, reference.predictions)


def test_energy_is_the_sum_over_operations_done_one_by_one():
    """The vectorised tally against a sample by sample, operation by operation sum."""
    network = draw_network(5, shape=(9, 12))
    layer, spikes = network.layers[0], (np.random.default_rng(2).random((4, 3, 9)) < 0.4).astype(np.uint8)
    macro = Macro(MacroConfig(technology="generic45lp", neurons=12, inputs=9), TABLE)
    run = macro.run(layer, spikes)
    bits = macro.calibration.column_bits
    for sample in range(3):
        state = columns_at_rest(np.zeros(12, dtype=np.int64), theta=layer.params.theta)
        total, count = 0.0, 0
        for step in range(4):
            program = Organisation().program(layer.params).step(np.flatnonzero(spikes[step, sample]).tolist())
            for operation in program:
                events, after = count_events(operation, state, layer.weights.astype(np.int64), bits=bits)
                assert (after.word == execute(operation, state, layer.weights, bits=bits).word).all()
                columns = sum(float(each @ events.sum(axis=-1)) for each in macro.calibration.event_energy.values())
                total += columns + sum(macro.calibration.lines_energy(operation).values())
                state, count = after, count + 1
        parts = sum(float(energy[sample]) for name, energy in run.energy.items() if name != "leakage")
        assert parts == pytest.approx(total, rel=1e-12, abs=0)
        assert sum(int(n[sample]) for n in run.operations.values()) == count
        drain = max(macro.calibration.write_delay, macro.calibration.flag_delay)
        assert run.time[sample] == pytest.approx(count * bits * macro.calibration.cycle + 4 * drain, rel=1e-9, abs=0)
        assert run.energy["leakage"][sample] == pytest.approx(
            macro.calibration.leakage * run.time[sample], rel=1e-9, abs=0
        )
        assert run.sops[sample] == 12 * spikes[:, sample].sum()


def test_expected_energy_states_an_error_that_holds():
    network = draw_network(11, shape=(20, 16, 8))
    spikes = (np.random.default_rng(3).random((7, 200, 20)) < 0.2).astype(np.uint8)
    exact = Network(network, TABLE).run(spikes)
    expected = Network(network, TABLE).run(spikes, energy="expected")
    # The mean over 200 samples is closer than one sample is; a stated error that it exceeds would be wrong.
    assert abs(expected.energy / exact.energy - 1) < expected.energy_error < 0.1
    assert exact.energy_error == 0.0
    assert expected.operations == exact.operations and expected.latency == exact.latency


def test_energy_depends_on_the_data():
    """The decay of columns that hold zeros costs energy, but less than the decay of columns whose membranes are 28."""
    layer = Layer(weights=np.full((4, 8), 7, dtype=np.int8), weight_bits=4, params=LDLIFParams(lambda_=0, theta=127))
    macro = Macro(MacroConfig(technology="generic45lp", neurons=8, inputs=4), TABLE)
    silent, busy = np.zeros((6, 1, 4), dtype=np.uint8), np.zeros((6, 1, 4), dtype=np.uint8)
    busy[0] = 1
    quiet, loud = macro.run(layer, silent), macro.run(layer, busy)
    # The membranes are 28 after the first step of the busy run; both runs decay six times.
    assert 0 < quiet.operation_energy["decay"][0] < loud.operation_energy["decay"][0]


def test_a_sequential_update_is_linear_in_the_number_of_neurons():
    config = MacroConfig(technology="generic45lp", neurons=12, inputs=9)
    neurons = np.array([8, 64, 256])
    times = {
        name: UPDATES[name].unit(TABLE, config.place, neurons).time for name in ("sequential", "sequential_exponential")
    }
    for time in times.values():
        per_neuron = time / neurons
        # A word of a larger memory is farther away: never faster, and by less than the gates of the path.
        assert (np.diff(per_neuron) > 0).all() and per_neuron[-1] < 1.5 * per_neuron[0]
    assert (times["sequential_exponential"] > times["sequential"]).all()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("weight_bits", 9, "weight_bits is 9; it must be an integer from 2 to 8"),
        ("membrane_bits", 1, "membrane_bits is 1"),
        ("neurons", 0, "neurons is 0"),
        ("margin", 0.9, "margin is 0.9; a macro cannot work below its minimum cycle"),
        ("outside", "ignore", "choose raise or clip"),
    ],
)
def test_bad_config(field, value, message):
    with pytest.raises(ConfigError, match=message):
        MacroConfig(**{"technology": "generic45lp", "neurons": 4, "inputs": 4, field: value})


def test_layer_and_table_that_do_not_fit():
    layer = draw_network(1, shape=(9, 12)).layers[0]
    good = {"technology": "generic45lp", "neurons": 12, "inputs": 9}
    spikes = np.zeros((2, 1, 9), dtype=np.uint8)
    with pytest.raises(ConfigError, match="the layer has inputs = 9, the macro 8"):
        Macro(MacroConfig(**{**good, "inputs": 8}), TABLE).run(layer, spikes)
    with pytest.raises(TableError, match="of technology 'generic45lp', not 'generic65'"):
        Macro(MacroConfig(**{**good, "technology": "generic65"}), TABLE)
    with pytest.raises(OutsideTableError, match="vdd = 0.3 is outside"):
        Macro(MacroConfig(**good, vdd=0.3), TABLE)
    with pytest.raises(ConfigError, match="rows is 4, but a column's word has 9 bits"):
        MacroConfig(**good, rows=4)
    with pytest.raises(ConfigError, match="column_bits is 8, but the layer's sums need 9"):
        Macro(MacroConfig(**good, column_bits=8), TABLE).run(layer, spikes)
    assert Macro(MacroConfig(**good, vdd=0.3, outside="clip"), TABLE).calibration.clipped > 0


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        (np.full((3, 2, 9), 2), "must be 0 or 1"),
        (np.full((3, 2, 9), 0.5), "must be 0 or 1"),
        (np.zeros((3, 2, 8)), r"must be \(time, batch, inputs\) = \(1 or more, 1 or more, 9\)"),
        (np.zeros((0, 2, 9)), "1 or more"),
        (np.zeros((3, 0, 9)), "1 or more"),
        (np.zeros((3, 9)), "must be"),
    ],
)
def test_bad_spikes(spikes, message):
    with pytest.raises(DataError, match=message):
        Network(draw_network(1), TABLE).run(spikes)


def test_a_decay_that_the_array_does_not_compute_is_refused():
    params = NeuronParams(lambda_=1, theta=5, decay="none")
    layer = Layer(weights=np.ones((4, 3), dtype=np.int8), weight_bits=4, params=params)
    macro = Macro(MacroConfig(technology="generic45lp", neurons=3, inputs=4), TABLE)
    with pytest.raises(ConfigError, match="decay is 'none'; the array computes clamp only"):
        macro.run(layer, np.zeros((2, 1, 4), dtype=np.uint8))


def test_labels_of_another_number():
    with pytest.raises(DataError, match="there are 2 samples"):
        Network(draw_network(1), TABLE).run(np.zeros((3, 2, 9), dtype=np.uint8), np.zeros(3, dtype=int))
