"""Values of wrong types, in every field that a user gives: the package refuses them by name, and by no other error."""

import functools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyspice_cim.behavioral.datasets import Events, bin_events
from pyspice_cim.behavioral.faults.rates import FaultRates
from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.macro import Macro
from pyspice_cim.behavioral.macro.network import MappedNetwork, Network
from pyspice_cim.behavioral.network.encoding import Encoder, delta_encode
from pyspice_cim.behavioral.network.file import Layer, NetworkFile
from pyspice_cim.behavioral.network.layers import (
    AvgPool2d,
    Conv2d,
    FullyConnected,
    MaxPool2d,
    Recurrent,
    SumPool2d,
    chain,
)
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, LDLIFState, NeuronParams, ldlif_step
from pyspice_cim.errors import CimError, ConfigError, DataError
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table
from pyspice_cim.validation import CosimSpec, cosimulate

PARAMS = LDLIFParams(lambda_=1, theta=9)
WEIGHTS = np.ones((3, 3), int)
LAYER = Layer(weights=WEIGHTS, weight_bits=4, params=PARAMS)
DENSE = FullyConnected(weights=WEIGHTS, params=PARAMS)
FILE = NetworkFile(layers=(LAYER,), steps=3, encoder=Encoder())
CONFIG = MacroConfig(technology="generic45lp", neurons=3, inputs=3)


@functools.cache
def table():
    return load_table(shipped("reference", "generic45lp.h5"))


def made():
    """What a user calls, and arguments that it takes."""
    params = {"theta": 9, "membrane_bits": 8, "reset": "zero"}
    dense = {"weights": WEIGHTS, "params": PARAMS, "weight_bits": 4}
    pool = {"size": 2, "stride": 1}
    return [
        (Encoder, {"kind": "regular", "max_rate": 0.5, "seed": 1}),
        (LDLIFParams, {**params, "lambda_": 1, "decay": "clamp"}),
        (NeuronParams, {**params, "lambda_": 1, "decay": "exponential", "beta": (3, 2)}),
        (Layer, {**dense, "recurrent": False}),
        (NetworkFile, {"layers": (LAYER,), "steps": 3, "encoder": Encoder(), "meta": {"a": "b"}}),
        (FullyConnected, dense),
        (Recurrent, {**dense, "recurrent": WEIGHTS}),
        (Conv2d, {**dense, "weights": np.ones((1, 1, 2, 2), int), "stride": 1, "padding": 1}),
        *[(kind, pool) for kind in (MaxPool2d, SumPool2d, AvgPool2d)],
        (chain, {"layers": [DENSE], "shape": (3,)}),
        (Events, {"times": [0.1, 0.2], "inputs": [0, 1]}),
        (delta_encode, {"signal": np.ones((1, 2, 1)), "threshold": 0.1}),
        (Encoder().encode, {"values01": np.ones((1, 3)), "steps": 4, "first_index": 0}),
        (bin_events, {"recordings": [], "steps": 4, "step_seconds": 0.1, "inputs": 3}),
        (ldlif_step, {"inputs": np.ones(3, int), "state": LDLIFState.zeros(3), "params": PARAMS}),
        (FaultRates, {"late_sum": 0.5}),
        (MacroConfig, {"technology": "x", "neurons": 3, "inputs": 3, "weight_bits": 4, "membrane_bits": 8, "rows": 20}),
        (MacroConfig, {"technology": "x", "neurons": 3, "inputs": 3, "column_bits": 9, "process": "tt", "vdd": 1.0}),
        (
            MacroConfig,
            {
                "technology": "x",
                "neurons": 3,
                "inputs": 3,
                "temperature_c": 27.0,
                "margin": 1.1,
                "outside": "clip",
                "organisation": CONFIG.organisation,
            },
        ),
        (
            CosimSpec,
            dict.fromkeys(("neurons", "inputs", "weight_bits", "membrane_bits", "steps", "vectors", "seed"), 4),
        ),
    ]


def made_with_a_table():
    return [
        (Macro, {"config": CONFIG, "table": table()}),
        (Network, {"network": FILE, "table": table(), "rows": 16, "vdd": 1.1, "process": "tt", "outside": "raise"}),
        (MappedNetwork, {"layers": [DENSE], "shape": (3,), "table": table(), "macro": CONFIG}),
    ]


def made_with_torch():
    pytest.importorskip("torch")
    from pyspice_cim.training.layers import LDLIFLayer, LDLIFNetwork
    from pyspice_cim.training.settings import FitSettings

    rule = {"decay": "clamp", "recurrent": False, "weight_bits": 4, "membrane_bits": 8, "reset": "zero"}
    rates = {"learning_rate": 0.1, "learning_rate_quantized": 0.1, "rate_penalty": 0.0, "label_smoothing": 0.1}
    counts = {"epochs": 1, "epochs_quantized": 1, "batch": 4, "seed": 1, "steps": 3}
    return [
        (LDLIFLayer, {"inputs": 3, "neurons": 2, **rule}),
        (LDLIFNetwork, {"shape": (3, 2), **rule}),
        (FitSettings, {"shape": (3, 2), "encoder": Encoder(), **rule, **rates, **counts}),
    ]


WRONG = [
    *(None, True, 2.5, -1, 0, 3, float("nan"), float("inf"), -1e-3, 1 + 2j, Fraction(1, 3), 10**400, -(10**400)),
    *("x", "", "clamp", b"x", (), (1,), (1, 2), (0.5, 2), [1, 2, 3], [[1], [1, 2]], {}, {"a": 1}, set(), object()),
    *(np.array([1, 2]), np.array(2.5), np.float32(0.5), np.int8(-3), np.bool_(True), np.array("x"), np.zeros((0, 3))),
    *(np.full((3, 3), np.nan), np.full((3, 3), None), [None], ["x"], len, Encoder, PARAMS, DENSE, LAYER),
]


def wrong(call, arguments, data):
    names = data.draw(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=2, unique=True))
    values = {name: WRONG[data.draw(st.integers(0, len(WRONG) - 1))] for name in names}
    try:
        call(**{**arguments, **values})
    except CimError as error:
        assert str(error)


@pytest.mark.parametrize(("call", "arguments"), made(), ids=lambda each: getattr(each, "__name__", ""))
@settings(deadline=None, max_examples=150)
@given(st.data())
def test_wrong_values_are_refused_by_an_error_of_the_package(call, arguments, data):
    call(**arguments)
    wrong(call, arguments, data)


@pytest.mark.parametrize("made", [made, made_with_a_table, made_with_torch], ids=lambda each: each.__name__)
def test_every_single_wrong_value_is_refused_by_an_error_of_the_package(made):
    for call, arguments in made():
        for name in arguments:
            for value in WRONG:
                try:
                    call(**{**arguments, name: value})
                except CimError as error:
                    assert str(error)


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_wrong_values_of_what_needs_a_table(data):
    wrong(*data.draw(st.sampled_from(made_with_a_table())), data)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_wrong_values_of_the_training(data):
    wrong(*data.draw(st.sampled_from(made_with_torch())), data)


CONV = {"weights": np.ones((1, 1, 2, 2), int), "params": PARAMS}


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Conv2d(**CONV, padding=0.5), ConfigError, "padding is 0.5; it must be an integer"),
        (lambda: Conv2d(**CONV, stride=1.0), ConfigError, "stride is 1.0; it must be an integer"),
        (lambda: CosimSpec(neurons=2.5), ConfigError, "neurons is 2.5; it must be an integer from 1 to 64"),
        (lambda: Encoder(seed=1.5), ConfigError, "encoder seed is 1.5; it must be an integer"),
        (lambda: Encoder(max_rate="1"), ConfigError, "encoder max_rate is '1'; it must be a number"),
        (lambda: NeuronParams(theta=9, decay="exponential", beta=3), ConfigError, "beta is of type int; give a tuple"),
        (lambda: NeuronParams(theta=9, beta=(1, 2, 3)), ConfigError, r"beta is \(1, 2, 3\); give beta=\(n, k\)"),
        (
            lambda: FullyConnected(weights=WEIGHTS, params=PARAMS, weight_bits=4.5),
            ConfigError,
            "weight_bits is 4.5; it must be an integer from 2 to 8",
        ),
        (lambda: FullyConnected(weights=WEIGHTS, params=9), ConfigError, "params is of type int; give a LDLIFParams"),
        (lambda: FullyConnected(weights=[[1], [1, 2]], params=PARAMS), DataError, "weights is no array"),
        (lambda: NetworkFile(layers=LAYER, steps=3, encoder=Encoder()), ConfigError, "layers is of type Layer"),
        (lambda: NetworkFile(layers=[DENSE], steps=3, encoder=Encoder()), ConfigError, r"layers\[0\] is of type Fully"),
        (lambda: Network(FILE, table(), neurons=64), ConfigError, "neurons is given, but follows from the layer"),
        (
            lambda: Network(FILE, table(), voltage=1),
            ConfigError,
            "voltage is no condition of a macro; choose from .*vdd",
        ),
        (lambda: Network(FILE, "table.h5"), ConfigError, "table is of type str; give a Table"),
        (
            lambda: cosimulate(CosimSpec(), table(), inputs=4),
            ConfigError,
            "inputs is given, but follows from the layer",
        ),
    ],
)
def test_what_was_accepted_or_a_type_error_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
