"""Rounding that takes away what a network is made of is refused by the name of the node, or warned of."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.behavioral.network.layers import Recurrent
from pyspice_cim.behavioral.network.quantization import choose_scale, to_integers
from pyspice_cim.behavioral.nir.exporter import export_nir
from pyspice_cim.behavioral.nir.importer import import_nir
from pyspice_cim.errors import DataError
from pyspice_cim.resources import shipped

nir = pytest.importorskip("nir")
GRAPHS = Path(__file__).parent / "graphs"


def network(weights, *, tau=0.1, r=1.0, threshold=1.0, neurons=None):
    """One layer of LIF."""
    shape = np.shape(weights)[:1]
    lif = nir.LIF(*(np.full(shape, float(x)) for x in (tau, r, 0.0, threshold)))
    nodes = {
        "input": nir.Input(np.array(np.shape(weights)[1:])),
        "fc": nir.Linear(np.asarray(weights)),
        "lif": lif if neurons is None else neurons,
        "output": nir.Output(np.array(shape)),
    }
    return nir.NIRGraph(nodes, [("input", "fc"), ("fc", "lif"), ("lif", "output")], type_check=False)


SMALL = np.random.default_rng(0).normal(0, 1 / 28, (20, 784))
FITTING = np.random.default_rng(0).normal(0, 10.0, (20, 784))


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize(
    ("weights", "tau", "dt"), [(FITTING, 0.1, 1e-9), (FITTING, 1e4, 1e-3), (SMALL, 0.1, 1e-3), (SMALL, 10.0, 1e-3)]
)
def test_weights_that_vanish_are_refused(weights, tau, dt, reset):
    with pytest.raises(DataError) as error:
        import_nir(network(weights, tau=tau), dt=dt, reset=reset)
    for words in ("node fc", "all of its weights", "membrane_bits = 8", "threshold of lif", "check dt", "weight_bits"):
        assert words in str(error.value)
    # The same weights where they can be told apart from 0.
    assert import_nir(network(FITTING), dt=1e-3, reset=reset).report[0].weight_error < 0.2


def test_weights_that_are_lost_for_the_most_part_are_refused():
    # A hundredth of the weights reaches one bit.
    weights = np.where(np.arange(100) == 0, 1.0, 0.4) * np.ones((3, 1))
    graph = network(weights, r=1.0, neurons=nir.IF(np.ones(3), np.full(3, 119.9)))
    with pytest.raises(DataError, match=r"node fc: 9\d % \(RMS\) of its weights"):
        import_nir(graph, reset="subtract")
    assert import_nir(graph, reset="subtract", membrane_bits=12).report[0].warnings == ()


def test_a_large_error_is_a_warning():
    report = import_nir(network(FITTING), dt=1e-3, reset="zero", weight_bits=2, decay="none").report[0]
    assert 0.3 < report.weight_error < 0.5
    (warning,) = report.warnings
    assert "node fc" in warning
    assert "weight_bits = 2" in warning
    assert json.loads(json.dumps(report.to_dict()))["warnings"] == [warning]


@pytest.mark.parametrize("decay", ["clamp", "toward_zero"])
def test_a_leak_that_rounds_to_none_is_a_warning_that_says_what_would_keep_it(decay):
    alpha = np.exp(-1e-3 / 0.1)
    graph = network(FITTING)
    report = import_nir(graph, dt=1e-3, reset="subtract", decay=decay).report[0]
    assert report.lambda_ == 0
    (warning,) = report.warnings
    wanted = int(1 / (1 - alpha)) + 1
    assert "node lif: lambda is 0" in warning
    assert f"theta = {wanted} on" in warning
    # One that has this theta has a leak, and the rules that have no lambda lose none.
    kept = import_nir(network(FITTING / 8), dt=1e-3, reset="subtract", decay=decay, weight_bits=5).report[0]
    assert (kept.theta >= wanted, kept.lambda_) == (True, 1)
    for other in ("none", "exponential"):
        assert import_nir(graph, dt=1e-3, reset="subtract", decay=other).report[0].warnings == ()


def test_neurons_without_a_leak_do_not_warn():
    assert (
        import_nir(network(FITTING, neurons=nir.IF(np.ones(20), np.full(20, 60.0))), reset="zero").report[0].warnings
        == ()
    )


@pytest.mark.parametrize("name", ["digits.h5", "spoken_digits.h5"])
def test_networks_that_work_are_neither_refused_nor_warned_of(name):
    network = load_network(shipped("networks", name))
    layers = layers_of(network)
    graph = export_nir(layers)
    for node in graph.nodes.values():
        node.metadata = {}
    found = import_nir(graph, dt=1e-3, reset="subtract")
    assert [each.warnings for each in found.report] == [()] * len(layers)
    assert found.input_shape == network.shape[:1]
    assert [isinstance(each, Recurrent) for each in found.layers] == [each.recurrent for each in network.layers]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("snntorch_dense", {"integration": "euler", "dt": 1e-4, "reset": "subtract"}),
        ("snntorch_recurrent", {"integration": "euler", "dt": 1e-4, "reset": "subtract"}),
        ("norse_dense", {"integration": "euler", "dt": 1e-3, "reset": "zero"}),
        ("sinabs_dense", {"dt": 1.0, "reset": "subtract"}),
        ("sinabs_conv", {"reset": "subtract"}),
    ],
)
def test_what_other_tools_wrote_is_taken_with_any_width(name, options):
    for bits in range(2, 9):
        report = import_nir(GRAPHS / f"{name}.nir", weight_bits=bits, membrane_bits=9, **options).report
        leaking = [each for each in report if each.alpha < 1 and not each.lambda_]
        assert [any("lambda is 0" in text for text in each.warnings) for each in leaking] == [True] * len(leaking)


@given(st.integers(0, 2**32), st.integers(-900, 900), st.booleans())
def test_a_scale_does_not_depend_on_the_unit(seed, exponent, subtract):
    """Weights and threshold times 2^n have the integers that they had, up to the edge of the floats."""
    weights = np.random.default_rng(seed).normal(size=30)
    options = {"weight_bits": 4, "membrane_bits": 8, "subtract": subtract}
    one = choose_scale(weights, 5.0, **options)
    far = choose_scale(np.ldexp(weights, exponent), float(np.ldexp(5.0, exponent)), **options)
    assert (far.theta, far.clipped, far.rms_error) == (one.theta, one.clipped, one.rms_error)
    assert np.array_equal(to_integers(np.ldexp(weights, exponent), far.scale, 4), to_integers(weights, one.scale, 4))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e-160])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_weights_at_the_edge_of_the_floats_are_refused_by_name(size, reset):
    with pytest.raises(DataError, match="node fc: all of its weights are lost"):
        import_nir(network(FITTING * size), dt=1e-3, reset=reset)


@pytest.mark.filterwarnings("error")
def test_weights_that_are_far_too_large():
    huge = np.full((3, 4), 1e300)
    with pytest.raises(DataError, match=r"node fc: \d+ % \(RMS\) of its weights are lost"):
        import_nir(network(huge), dt=1e-3, reset="subtract")
    # Every spike fires, and a reset to 0 forgets by how much.
    found = import_nir(network(huge), dt=1e-3, reset="zero")
    assert (found.layers[0].params.theta, found.layers[0].weights.min()) == (1, 7)
    with pytest.raises(
        DataError, match="node fc: weight times the scales and r of its neurons holds values that are not"
    ):
        import_nir(network(huge, r=1e300), dt=1e-3, reset="zero")
