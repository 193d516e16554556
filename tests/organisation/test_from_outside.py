"""The house is open: an organisation and a component of the energy are added without touching the package."""

from collections.abc import Iterator

import numpy as np
import pytest

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.macro import layer as macro_layer
from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.layer import CalibratedLayer, LayerRun, register_component
from pyspice_cim.behavioral.macro.network import MappedNetwork
from pyspice_cim.behavioral.network.layers import FullyConnected
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.errors import OutsideTableError
from pyspice_cim.organisation import (
    ACCUMULATES,
    UPDATES,
    Accumulate,
    Guard,
    Neuron,
    Organisation,
    Row,
    UnitCost,
    Update,
    register_accumulate,
    register_update,
)
from pyspice_cim.organisation.accumulate import serial
from pyspice_cim.organisation.update import in_array
from pyspice_cim.tables import reference_table

TABLE = reference_table("generic45lp")
RNG = np.random.default_rng(4)
# More inputs than a macro holds, so that partial-sum macros are there, too.
WEIGHTS = RNG.integers(-8, 8, (30, 12)).astype(np.int8)
SPIKES = (RNG.random((9, 3, 30)) < 0.3).astype(np.uint8)
PARAMS = LDLIFParams(lambda_=5, theta=20)
LAYER = FullyConnected(weights=WEIGHTS, weight_bits=4, params=PARAMS)
# J a step of a layer.
CONTROLLER = 2e-12
# s and J an update of a neuron.
OUTSIDE = (3e-9, 4e-13)


def cleared_transfers(neuron: Neuron) -> tuple[Row, ...]:
    """As ``serial``, but nothing is left to mask when the first sum is received."""
    first, send, *_ = serial.transfers(neuron)
    received = (Guard.FIRST_RECEIVED, Guard.LATER_RECEIVED)
    return (
        first,
        Row(name="accumulate", guard=Guard.LATER_INPUT, operand="weight"),
        send,
        *(Row(name="transfer_accumulate", guard=guard, operand="received") for guard in received),
    )


def cleared_inputs(neuron: Neuron) -> tuple[Row, ...]:
    """Clears what the decay left negative in a pass of its own; then the first input needs no mask."""
    del neuron
    return (
        Row(name="clear", guard=Guard.BEFORE_INPUTS, za=True),
        Row(name="accumulate", guard=Guard.FIRST_INPUT, operand="weight"),
    )


def halved(neuron: Neuron) -> tuple[Row, ...]:
    """Two decays, each with a part of lambda: what the first one leaves negative the second one masks."""
    (decay,) = in_array.before(neuron)
    part = neuron.lambda_ // 2
    first = Row(name="decay", guard=decay.guard, k0=-part, k1=neuron.theta - part, zb=decay.zb, capture=True)
    rest = neuron.lambda_ - part
    return (first, Row(name="decay", guard=decay.guard, k0=-rest, k1=-rest, za=True, capture=True))


@pytest.fixture
def registered() -> Iterator[None]:
    register_accumulate(Accumulate(name="cleared", inputs=cleared_inputs, transfers=cleared_transfers))
    register_update(
        Update(
            name="halved",
            before=halved,
            after=in_array.after,
            after_step=in_array.after_step,
            membranes=in_array.membranes,
            latency="halved",
        )
    )
    register_update(
        Update(
            name="outside",
            before=lambda neuron: in_array.before(neuron, cost="outside"),
            after=in_array.after,
            after_step=in_array.after_step,
            membranes=in_array.membranes,
            unit=lambda table, place, neurons: UnitCost(
                time=OUTSIDE[0] * neurons, energy=OUTSIDE[1] * neurons, clipped=0
            ),
            latency="outside",
        )
    )
    yield
    del ACCUMULATES["cleared"], UPDATES["halved"], UPDATES["outside"]


def run(organisation: Organisation, energy: str = "exact", **options):
    config = MacroConfig(
        technology="generic45lp", neurons=12, inputs=16, column_bits=12, rows=16, organisation=organisation
    )
    return MappedNetwork([LAYER], (30,), TABLE, config, **options).run(SPIKES, energy=energy)


@pytest.mark.parametrize("energy", ["exact", "expected", "none"])
@pytest.mark.parametrize("accumulate", ["serial", "cleared"])
@pytest.mark.parametrize("update", ["in_array", "sequential", "halved", "outside"])
def test_any_organisation_gives_the_bits_of_the_neuron(registered, accumulate, update, energy):
    plain = fast_run([LAYER], SPIKES)
    report = run(Organisation(accumulate=accumulate, update=update), energy)
    np.testing.assert_array_equal(report.spike_counts, plain.spike_counts)
    np.testing.assert_array_equal(report.membranes, plain.membranes[0])
    assert report.macros == (3,)


def test_the_rows_of_an_organisation_are_charged(registered):
    steps, samples = SPIKES.shape[:2]
    usual, toy = run(Organisation()), run(Organisation(accumulate="cleared", update="halved"))
    assert usual.operations["decay"] == steps and "clear" not in usual.operations
    assert toy.operations["decay"] == 2 * steps and toy.operations["clear"] == steps
    # Inputs cost what they cost: the same rows on the same words, but for masks.
    assert toy.operations["accumulate"] == usual.operations["accumulate"]
    assert toy.energy_operations["decay"] > 1.5 * usual.energy_operations["decay"]
    # Two passes more a step in the macros that decay.
    cycle = usual.latency["parallel"] / steps
    assert toy.latency["halved"] > usual.latency["parallel"] + steps * 0.01 * cycle
    assert samples == toy.samples


def test_a_unit_beside_the_array_is_charged_for_the_rows_that_name_it(registered):
    steps = SPIKES.shape[0]
    usual, toy = run(Organisation()), run(Organisation(update="outside"), compare=())
    expected = OUTSIDE[1] * 12 * steps
    assert toy.energy_operations["decay"] == pytest.approx(expected, rel=1e-12, abs=0)
    assert toy.energy_components["outside"] == pytest.approx(expected, rel=1e-12, abs=0)
    assert set(toy.latency) == {"outside"}
    # Against a macro that decays in place, asked for by name: the same comparison from the other side.
    compared = run(Organisation(), compare=("outside",))
    assert set(compared.latency) == {"parallel", "outside"}
    assert compared.latency["outside"] == pytest.approx(toy.latency["outside"], rel=1e-12, abs=0)
    assert compared.state_update_energy["outside"] == pytest.approx(expected, rel=1e-12, abs=0)
    for name in ("saturate", "fire", "accumulate"):
        assert toy.energy_operations[name] == pytest.approx(usual.energy_operations[name], rel=1e-12, abs=0)


def test_a_component_of_the_energy_is_one_function():
    def controller(layer: CalibratedLayer, found: LayerRun) -> list[tuple[str, str, np.ndarray]]:
        home = layer.mapped.program.kinds(Guard.BEFORE_INPUTS)[0]
        return [("controller", "control", CONTROLLER * found.operations[:, home] / len(layer.mapped.groups))]

    before = run(Organisation())
    register_component("controller", controller)
    try:
        after = run(Organisation())
    finally:
        del macro_layer.COMPONENTS["controller"]
    added = CONTROLLER * SPIKES.shape[0]
    assert after.energy_components["controller"] == pytest.approx(added, rel=1e-12, abs=0)
    assert after.energy_operations["control"] == pytest.approx(added, rel=1e-12, abs=0)
    # Leakage is a power, and the latency is the same.
    assert after.energy - before.energy == pytest.approx(added, rel=1e-9, abs=0)


def test_what_nobody_asked_for_is_no_error_and_what_somebody_asked_for_is():
    """The reference table holds sequential updates of 8-bit membranes only."""
    layer = FullyConnected(
        weights=np.ones((4, 6), np.int8), weight_bits=2, params=LDLIFParams(lambda_=1, theta=9, membrane_bits=6)
    )
    config = MacroConfig(technology="generic45lp", neurons=6, inputs=8, membrane_bits=6, weight_bits=2, rows=16)
    spikes = np.ones((3, 2, 4), np.uint8)
    report = MappedNetwork([layer], (4,), TABLE, config).run(spikes)
    assert set(report.latency) == {"parallel"} and report.outside_table == 0 and report.energy > 0
    with pytest.raises(OutsideTableError, match="sequential_membrane_bits = 6 is outside table"):
        MappedNetwork([layer], (4,), TABLE, config, compare=("sequential",))
