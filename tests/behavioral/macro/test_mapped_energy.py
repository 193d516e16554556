"""Energies of mapped networks: exact counts equal the microcode's, expected ones state an error that holds."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapped_networks import macro, mapped_networks

from pyspice_cim.behavioral.macro import network as network_module
from pyspice_cim.behavioral.macro.execution import execute
from pyspice_cim.behavioral.macro.layer import calibrated_layer
from pyspice_cim.behavioral.macro.mapping import map_layers
from pyspice_cim.behavioral.macro.network import MappedNetwork, Network
from pyspice_cim.behavioral.macro.run import run_mapped
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.behavioral.network.layers import Conv2d, Flatten, FullyConnected, MaxPool2d, NeuronLayer, Recurrent
from pyspice_cim.behavioral.network.reference import passed, run_integer
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.errors import ConfigError, DataError, OutsideTableError
from pyspice_cim.microcode import EVENTS, ColumnState, columns_at_rest, count_events
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table, reference_table

TABLE = load_table(shipped("reference", "generic45lp.h5"))
# Rows of the step program of ``serial`` and ``in_array``, in their order.
DECAY, FIRST, ADD, SATURATE, FIRE, FIRE_SILENT, BEGIN, SEND, FIRST_RECEIVED, ADD_RECEIVED = range(10)


class Columns:
    """All columns of one macro, run by ``microcode.count_events`` one operation after the other."""

    def __init__(self, mapped, group, tile):
        config, self.bits = mapped.config, mapped.config.bits
        weights = mapped.weights(group, tile).astype(np.int64)
        self.weights = np.pad(weights, ((0, 0), (0, config.neurons - weights.shape[1])))
        zero = np.zeros(config.neurons, np.int64)
        rest = columns_at_rest(zero, theta=mapped.layer.params.theta)
        self.state = rest if tile == 0 else ColumnState(word=zero, flag=zero, last_sum=zero)

    def run(self, events, kind, operation, operand=None):
        rows = np.zeros((1, len(self.state.word)), np.int64) if operand is None else operand[None]
        found, self.state = count_events(operation, self.state, rows, bits=self.bits)
        events[kind] += found.sum(axis=1)


def transitions(before, after, bits):
    """Cells by transition, in the order of ``TRANSITIONS``."""
    full = (1 << bits) - 1
    pairs = ((~before, ~after), (~before, after), (before, ~after), (before, after))
    return np.array([np.bitwise_count(((a & b) & full).astype(np.uint64)).sum() for a, b in pairs], np.int64)


def layer_by_microcode(mapped, inputs, fired):
    """Events, writes and path of one sample: ``inputs`` (time, inputs), ``fired`` (time, neurons)."""
    bits = mapped.config.bits
    operations = mapped.program.operations
    events = np.zeros((len(operations), len(EVENTS)), np.int64)
    writes, path, macros = np.zeros(4, np.int64), 0, []
    for group in mapped.groups:
        macros.append([Columns(mapped, group, t) for t in range(len(group.tiles))])
    scratch = [np.zeros(mapped.config.neurons, np.int64) for _ in mapped.groups]
    own = np.zeros(fired.shape[1], np.int64)
    for step, spikes in zip(inputs, fired, strict=True):
        values, longest = np.concatenate([step.astype(np.int64), own]), 0
        for g, group in enumerate(mapped.groups):
            active = [np.repeat(np.arange(len(tile)), values[tile]) for tile in group.tiles]
            home, *others = macros[g]
            home.run(events, DECAY, operations[DECAY])
            added = 0
            for line in active[0]:
                kind = ADD if added else FIRST
                home.run(events, kind, operations[kind], home.weights[line])
                added += 1
            sent = 0
            for other, lines in zip(others, active[1:], strict=True):
                for n, line in enumerate(lines):
                    kind = ADD if n else BEGIN
                    other.run(events, kind, operations[kind], other.weights[line])
                if len(lines):
                    other.run(events, SEND, operations[SEND])
                    writes += transitions(scratch[g], other.state.word, bits)
                    scratch[g] = other.state.word
                    kind = ADD_RECEIVED if added else FIRST_RECEIVED
                    home.run(events, kind, operations[kind], scratch[g])
                    added, sent = added + 1, sent + 1
            ending = [SATURATE, FIRE] if added else [FIRE_SILENT]
            for kind in ending:
                home.run(events, kind, operations[kind])
            assert np.array_equal(1 - home.state.flag[: len(group.neurons)], spikes[group.neurons])
            waits = max(1 + len(active[0]), *(len(lines) for lines in active))
            longest = max(longest, waits + 2 * sent + len(ending))
        own, path = spikes.astype(np.int64), path + longest
    return events, writes, path


def inputs_of(layers, spikes, trains):
    """What each layer of neurons gets, (time, batch, inputs)."""
    x, at = spikes, 0
    for layer in layers:
        if isinstance(layer, NeuronLayer):
            yield x.reshape(*x.shape[:2], -1)
            x, at = trains[at], at + 1
        else:
            x = np.stack([passed(layer, step) for step in x])


@settings(deadline=None, max_examples=40)
@given(mapped_networks())
def test_counts_equal_those_of_the_microcode(network):
    layers, spikes, size = network
    mapping = map_layers(layers, spikes.shape[2:], size)
    trains = run_integer(layers, spikes).spikes
    found = execute(mapping, spikes, 1)
    for at, (mapped, inputs) in enumerate(zip(mapping.maps, inputs_of(layers, spikes, trains), strict=True)):
        for sample in range(spikes.shape[1]):
            fired = trains[at][:, sample].reshape(len(spikes), -1)
            events, writes, _ = layer_by_microcode(mapped, inputs[:, sample], fired)
            assert np.array_equal(found.events[at][sample], events)
            assert np.array_equal(found.writes[at][sample], writes)


def small(rng, reset="subtract"):
    """A network that the reference table covers: convolution, pool, recurrent and fully connected, inputs in tiles."""

    def params(theta):
        return LDLIFParams(lambda_=2, theta=theta, reset=reset)

    recurrent = Recurrent(
        weights=rng.integers(-7, 8, (36, 20)), recurrent=rng.integers(-3, 4, (20, 20)), params=params(25)
    )
    return [
        Conv2d(weights=rng.integers(-4, 8, (4, 1, 3, 3)), params=params(12)),
        MaxPool2d(size=2),
        Flatten(),
        recurrent,
        FullyConnected(weights=rng.integers(-7, 8, (20, 5)), params=params(20)),
    ]


CONFIG = macro(neurons=16, inputs=20, rows=16)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_energy_and_latency_are_those_of_the_operations_one_by_one(reset):
    rng = np.random.default_rng(1)
    layers = small(rng, reset)
    spikes = (rng.random((6, 2, 1, 8, 8)) < 0.3).astype(np.uint8)
    mapping = map_layers(layers, (1, 8, 8), CONFIG)
    calibrated = [calibrated_layer(mapped, TABLE) for mapped in mapping.maps]
    trains = run_integer(layers, spikes).spikes
    run = run_mapped(mapping, calibrated, spikes, "exact", 2)
    assert any(len(group.tiles) > 1 for mapped in mapping.maps for group in mapped.groups)
    for at, (layer, inputs) in enumerate(zip(calibrated, inputs_of(layers, spikes, trains), strict=True)):
        found, config = run.layers[at], layer.mapped.config
        components, operations = layer.energy(found)
        for sample in range(2):
            fired = trains[at][:, sample].reshape(6, -1)
            events, writes, path = layer_by_microcode(layer.mapped, inputs[:, sample], fired)
            counts = events[:, tuple(EVENTS).index("cycle")] // (config.bits * config.neurons)
            assert np.array_equal(found.operations[sample], counts)
            assert found.path[sample, 0] == path
            total = 0.0
            for kind, operation in enumerate(layer.mapped.program.operations):
                # Lines are charged for every operation, columns by the events of all of them.
                total += sum(float(each @ events[kind]) for each in layer.calibration.event_energy.values())
                total += counts[kind] * sum(layer.calibration.lines_energy(operation).values())
            total += float(writes @ layer.write_energy)
            total += counts[SEND] * config.bits * layer.calibration.line_energy["wwv"]
            assert math.isclose(sum(part[sample] for part in components.values()), total, rel_tol=1e-12)
            assert math.isclose(sum(part[sample] for part in operations.values()), total, rel_tol=1e-12)
            active = inputs[:, sample].sum(axis=0)
            own = fired[:-1].sum(axis=0) if isinstance(layer.mapped.layer, Recurrent) else np.zeros(0)
            lines = np.concatenate([active, own])
            assert found.active[sample] == lines.sum()
            assert found.sops[sample] == lines @ layer.mapped.fan_out()


def test_expected_energy_states_an_error_that_holds():
    rng = np.random.default_rng(2)
    spikes = (rng.random((20, 60, 1, 8, 8)) < 0.2).astype(np.uint8)
    network = MappedNetwork(small(rng), (1, 8, 8), TABLE, CONFIG)
    exact, expected = (network.run(spikes, energy=mode) for mode in ("exact", "expected"))
    assert abs(expected.energy / exact.energy - 1) < expected.energy_error < 0.1
    assert exact.energy_error == 0.0
    for name in ("operations", "latency", "sops", "active_inputs"):
        assert getattr(expected, name) == getattr(exact, name)
    assert set(expected.energy_operations) == set(exact.energy_operations)
    none = network.run(spikes, energy="none")
    assert (
        none.operations == exact.operations and math.isnan(none.energy) and none.to_dict()["energy_per_sop_j"] is None
    )
    assert np.array_equal(none.predictions, exact.predictions)


def test_kinds_that_occur_in_one_sample_only_are_executed_there():
    """All samples but one are silent, and that one lies between those that are spread over the batch."""
    layer = FullyConnected(weights=np.full((8, 4), 3), params=LDLIFParams(lambda_=0, theta=9))
    spikes = np.zeros((300, 200, 8), np.uint8)
    spikes[:, 101] = 1
    network = MappedNetwork([layer], (8,), TABLE, macro(neurons=8, inputs=8, rows=16))
    exact, expected = (network.run(spikes, energy=mode) for mode in ("exact", "expected"))
    assert expected.energy_operations["accumulate"] == pytest.approx(
        exact.energy_operations["accumulate"], rel=1e-12, abs=0
    )


@settings(deadline=None, max_examples=6)
@given(st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([1, 30_000, 1 << 25]))
def test_threads_and_tiles_change_nothing(seed, threads, tile_bytes):
    rng = np.random.default_rng(seed)
    spikes = (rng.random((5, 7, 1, 8, 8)) < 0.3).astype(np.uint8)
    mapping = map_layers(small(rng), (1, 8, 8), CONFIG)
    calibrated = [calibrated_layer(mapped, TABLE) for mapped in mapping.maps]
    one = run_mapped(mapping, calibrated, spikes, "exact", 1)
    other = run_mapped(mapping, calibrated, spikes, "exact", threads, tile_bytes=tile_bytes)
    for a, b in zip(one.layers, other.layers, strict=True):
        for name in ("operations", "path", "active", "sops", "events", "writes"):
            assert np.array_equal(getattr(a, name), getattr(b, name))


def test_sequential_decay_of_macros_in_parallel():
    """Two macros of 16 neurons decay one after the other in the time of one, and for the energy of both."""
    layer = FullyConnected(weights=np.ones((4, 32), int), params=LDLIFParams(lambda_=2, theta=9))
    spikes = np.zeros((3, 1, 4), np.uint8)
    two = MappedNetwork([layer], (4,), TABLE, macro(neurons=16, inputs=20, rows=16))
    layer = two.layers[0]
    unit = layer.units["sequential"]
    report = two.run(spikes)
    assert report.macros == (2,)
    more = unit.time[0] - layer.calibration.operation_time(1)
    assert report.latency["sequential"] - report.latency["parallel"] == pytest.approx(3 * more, rel=1e-9, abs=0)
    one = 3 * unit.energy[0]
    assert report.state_update_energy["sequential"] == pytest.approx(2 * one, rel=1e-9, abs=0)


def test_what_a_mapped_network_refuses():
    layers = small(np.random.default_rng(0))
    with pytest.raises(OutsideTableError, match="is outside"):
        MappedNetwork(layers, (1, 8, 8), TABLE, macro(neurons=16, inputs=200, rows=16))
    network = MappedNetwork(layers, (1, 8, 8), TABLE, CONFIG)
    spikes = np.zeros((2, 1, 1, 8, 8), np.uint8)
    with pytest.raises(ConfigError, match="choose none, expected, exact"):
        network.run(spikes, energy="some")
    with pytest.raises(ConfigError, match="threads is 0"):
        network.run(spikes, threads=0)
    for shape in [(0, 1, 1, 8, 8), (2, 0, 1, 8, 8), (2, 1, 64), (2, 1, 1, 8, 9)]:
        with pytest.raises(DataError, match=r"height, width\) = \(1 or more, 1 or more, 1, 8, 8\)"):
            network.run(np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match="must be 0 or 1"):
        network.run(np.full((2, 1, 1, 8, 8), np.nan))
    with pytest.raises(DataError, match="there are 1 samples"):
        network.run(spikes, np.zeros(3, int))
    with pytest.raises(DataError, match=r"labels\[0\] is 99; a label is an integer, 0 to 4"):
        network.run(spikes, np.array([99]))


@pytest.mark.parametrize("technology", ["generic45lp", "generic65", "sky130"])
def test_the_reference_table_is_used_when_none_is_given(technology):
    """Every built-in technology has one, and it reaches the shipped network's macros at the table's own supply."""
    network = load_network(shipped("networks", "digits.h5"))
    vdd = float(np.median(reference_table(technology).dataset["vdd"]))
    mapped = Network(network, technology=technology, vdd=vdd)
    assert mapped.table.technology == technology
    assert (mapped.table.sha256, Network(network).table.technology) == (
        reference_table(technology).sha256,
        "generic45lp",
    )
    assert mapped.run(np.ones((2, 1, network.shape[0]), np.uint8)).energy > 0


@pytest.mark.parametrize("errors", [(0.0, np.nan), (np.nan, 0.0)])
def test_an_error_that_is_not_known_is_no_small_one(errors, monkeypatch):
    """The largest of 0 and NaN was 0: a layer whose error is not known looked exact."""
    rng = np.random.default_rng(1)
    common = {"weight_bits": 4, "params": LDLIFParams(lambda_=1, theta=9, membrane_bits=6, reset="zero")}
    layers = [FullyConnected(weights=rng.integers(-8, 8, (8, 8)), **common) for _ in errors]
    network = MappedNetwork(layers, (8,), TABLE, macro(membrane_bits=6, rows=16), compare=())

    def unknown(*arguments):
        found = run_mapped(*arguments)
        runs = tuple(replace(run, energy_error=error) for run, error in zip(found.layers, errors, strict=True))
        return replace(found, layers=runs)

    monkeypatch.setattr(network_module, "run_mapped", unknown)
    report = network.run(rng.integers(0, 2, (3, 2, 8)), energy="expected")
    assert np.isnan(report.energy_error)
