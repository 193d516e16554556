"""Values of another type are refused by the name of their field; NumPy's numbers are numbers."""

import numpy as np
import pytest
from mapped_networks import macro

from pyspice_cim.behavioral.faults.model import FaultRates, run_with_faults
from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.mapping import map_layers
from pyspice_cim.behavioral.macro.network import MappedNetwork
from pyspice_cim.behavioral.network.layers import FullyConnected
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.errors import ConfigError, DataError

LAYER = FullyConnected(weights=np.ones((3, 2), int), params=LDLIFParams(lambda_=1, theta=9))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("weight_bits", 4.0, "weight_bits is 4.0; it must be an integer from 2 to 8"),
        ("weight_bits", "4", "weight_bits is '4'; it must be an integer"),
        ("weight_bits", None, "weight_bits is None"),
        ("neurons", True, "neurons is True"),
        ("neurons", 0, "neurons is 0; it must be an integer from 1 to 4096"),
        ("column_bits", 9.0, "column_bits is 9.0"),
        ("margin", "x", "margin is 'x'; it must be a number"),
        ("margin", float("inf"), "margin is inf; it must be a finite number"),
        ("margin", float("nan"), "margin is nan"),
        ("margin", 0.9, "margin is 0.9; a macro cannot work"),
        ("vdd", None, "vdd is None; it must be a number"),
        ("temperature_c", float("inf"), "temperature_c is inf"),
    ],
)
def test_a_macro_names_the_field(field, value, words):
    with pytest.raises(ConfigError, match=words):
        MacroConfig(**{"technology": "generic45lp", "neurons": 8, "inputs": 8, field: value})


def test_numbers_of_numpy_are_numbers():
    fields = {"neurons": 16, "inputs": 8, "weight_bits": 3, "rows": 32, "column_bits": 14}
    found = macro(**{name: np.int16(value) for name, value in fields.items()}, vdd=np.float64(1.0))
    assert found == macro(**fields, vdd=1.0) and type(found.neurons) is int
    assert FaultRates(late_sum=np.float32(0.5)).late_sum == 0.5 and FaultRates(late_sum=1).late_sum == 1


@pytest.mark.parametrize("value", ["x", None, True, 1 + 0j])
def test_rates_name_the_field(value):
    with pytest.raises(ConfigError, match="late_sum is .*; it must be a number"):
        FaultRates(late_sum=value)


def test_lists_of_spikes_are_run_and_ragged_ones_refused():
    macros = macro(neurons=4, inputs=4, rows=16)
    mapping = map_layers([LAYER], (3,), macros)
    spikes = (np.random.default_rng(0).random((4, 2, 3)) < 0.5).astype(np.uint8)
    network = MappedNetwork([LAYER], (3,), None, macros)
    for energy in ("none", "expected", "exact"):
        found, wanted = (network.run(each, energy=energy) for each in (spikes.tolist(), spikes))
        assert np.array_equal(found.membranes, wanted.membranes)
    found, wanted = (run_with_faults(mapping, each, FaultRates(), seed=0) for each in (spikes.tolist(), spikes))
    assert np.array_equal(found.membranes[0], wanted.membranes[0])
    for run in (network.run, lambda x: run_with_faults(mapping, x, FaultRates(), seed=0)):
        with pytest.raises(DataError, match="spikes are no array"):
            run([[[0, 1], [1]]])
        with pytest.raises(DataError, match=r"spikes have shape \(\)"):
            run(3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": 1.5}, "seed is 1.5; it must be an integer of 0 or more"),
        ({"seed": "1"}, "seed is '1'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 0, "indices": [0.0, 1.0]}, "indices are of type float64"),
        ({"seed": 0, "indices": [0, -1]}, "indices hold -1"),
    ],
)
def test_faulty_runs_name_the_argument(arguments, words):
    mapping = map_layers([LAYER], (3,), macro())
    with pytest.raises(ConfigError, match=words):
        run_with_faults(mapping, np.zeros((2, 2, 3), np.uint8), FaultRates(), **arguments)
