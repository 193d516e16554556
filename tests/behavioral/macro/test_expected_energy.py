"""Expected energies: windows hold the exact state, and the stated error covers activity that changes over the run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapped_networks import macro, mapped_networks

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.macro.execution import all_work, execute, layouts_of, run_layer
from pyspice_cim.behavioral.macro.layout import NO_FAULTS
from pyspice_cim.behavioral.macro.mapping import map_layers
from pyspice_cim.behavioral.macro.network import MappedNetwork
from pyspice_cim.behavioral.macro.windows import Window, open_windows
from pyspice_cim.behavioral.network.layers import FullyConnected, Recurrent
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table

TABLE = load_table(shipped("reference", "generic45lp.h5"))


def run_window(mapping, spikes, window, lead):
    """Events, writes and spikes of every layer in a window, all blocks."""
    layouts = layouts_of(mapping)
    for at, opened in enumerate(open_windows(mapping, layouts, spikes, [window], lead, 1, 1 << 20)):
        before = min(lead, window.start)
        layer = opened.of([0], before + window.length)
        fired = layer.fired.copy()
        fired[1:] = 7
        for some in (slice(0, before), slice(before, None)):
            events = np.zeros((1, *execute(mapping, spikes[:1], 1).events[at].shape[1:]), np.int64)
            writes = np.zeros((1, 4), np.int64)
            own = fired[some.start : before + 1] if some.start == 0 else fired[before:]
            work = all_work(layouts[at])
            counts = (events, writes)
            run_layer(mapping.maps[at], layouts[at], layer.state, NO_FAULTS, layer.values[some], own, counts, work)
        yield events[0], writes[0], fired[before + 1 :, 0]


@settings(deadline=None, max_examples=40)
@given(mapped_networks(), st.data())
def test_a_window_is_what_the_whole_run_does_there(network, data):
    """Spikes always; events where no macro only adds, whose words a single step of lead may not have reached."""
    layers, spikes, size = network
    spikes = np.concatenate([spikes] * 3)
    if data.draw(st.booleans()):
        size = macro(neurons=size.neurons, inputs=400, weight_bits=4)
    mapping = map_layers(layers, spikes.shape[2:], size)
    start = data.draw(st.integers(0, len(spikes) - 1))
    stop = data.draw(st.integers(start + 1, len(spikes)))
    sample = data.draw(st.integers(0, spikes.shape[1] - 1))
    trains = fast_run(mapping.layers, spikes, 1, record=True).spikes
    until = execute(mapping, spikes[:stop], 1)
    first = execute(mapping, spikes[:start], 1) if start else None
    found = run_window(mapping, spikes, Window(sample=sample, start=start, stop=stop), 2)
    for at, (events, writes, fired) in enumerate(found):
        assert np.array_equal(fired, trains[at][start:stop, sample].reshape(stop - start, -1))
        mapped = mapping.maps[at]
        if start <= 2 or mapped.macros == len(mapped.groups):
            assert np.array_equal(events, until.events[at][sample] - (first.events[at][sample] if first else 0))
            assert np.array_equal(writes, until.writes[at][sample] - (first.writes[at][sample] if first else 0))


def network_of(inputs, *, recurrent=False):
    rng = np.random.default_rng(0)
    common = {"weights": rng.integers(-7, 8, (64, 32)), "params": LDLIFParams(lambda_=2, theta=30)}
    layer = Recurrent(**common, recurrent=rng.integers(-2, 3, (32, 32))) if recurrent else FullyConnected(**common)
    return MappedNetwork([layer], (64,), TABLE, macro(neurons=32, inputs=inputs, rows=16))


def drawn(rates, batch):
    return (np.random.default_rng(1).random((len(rates), batch, 64)) < rates[:, None, None]).astype(np.uint8)


TIMES = np.arange(2200)
RATES = {
    "late": np.where(TIMES < 1100, 0.0, 0.1),
    "rising": 0.3 * TIMES / 2200,
    "early": np.where(TIMES < 300, 0.2, 0.0),
    "burst": np.where((TIMES >= 1500) & (TIMES < 1512), 0.5, 0.0),
}


@pytest.mark.parametrize("inputs", [64, 16])
@pytest.mark.parametrize("batch", [1, 4, 15])
@pytest.mark.parametrize("name", RATES)
def test_the_stated_error_covers_activity_that_changes(name, batch, inputs):
    network, spikes = network_of(inputs), drawn(RATES[name], batch)
    exact, expected = (network.run(spikes, energy=mode, threads=2) for mode in ("exact", "expected"))
    actual = abs(expected.energy / exact.energy - 1)
    # The mean over a dozen windows is nearer than one of them; a burst that a single window has is stated by its size.
    assert actual < min(expected.energy_error, 5e-3)
    assert 0 < expected.energy_error < (0.15 if name == "burst" else 0.02)


def test_a_kind_that_the_windows_miss_is_executed_where_it_occurs():
    """Two steps in 3000 have input, in the second half: no window is likely to lie there."""
    spikes = np.zeros((3000, 2, 64), np.uint8)
    spikes[2345:2347, 1] = 1
    network = network_of(64)
    exact, expected = (network.run(spikes, energy=mode) for mode in ("exact", "expected"))
    assert expected.energy_operations["accumulate"] == pytest.approx(
        exact.energy_operations["accumulate"], rel=1e-9, abs=0
    )
    assert abs(expected.energy / exact.energy - 1) < expected.energy_error


@pytest.mark.parametrize("batch", [1, 5])
def test_threads_change_nothing(batch):
    network, spikes = network_of(32, recurrent=True), drawn(RATES["rising"], batch)
    one, two = (network.run(spikes, energy="expected", threads=threads) for threads in (1, 3))
    assert one.energy_components == two.energy_components and one.energy_error == two.energy_error


def test_a_run_of_one_step_is_executed_as_it_is():
    network, spikes = network_of(64), np.ones((1, 1, 64), np.uint8)
    exact, expected = (network.run(spikes, energy=mode) for mode in ("exact", "expected"))
    assert expected.energy == pytest.approx(exact.energy, rel=1e-12, abs=0) and expected.energy_error == 0.0


def test_spikes_are_read_in_slices():
    """As of an HDF5 data set: no more than tiles of steps are held, whatever the length."""

    class Sliced:
        def __init__(self, spikes):
            self.shape, self.dtype, self._spikes = spikes.shape, spikes.dtype, spikes

        def __getitem__(self, at):
            when, some = at
            assert isinstance(when, slice) and isinstance(some, slice)
            return self._spikes[at]

    network, spikes = network_of(64), drawn(RATES["rising"], 3)
    assert network.run(Sliced(spikes), energy="expected").energy == network.run(spikes, energy="expected").energy
