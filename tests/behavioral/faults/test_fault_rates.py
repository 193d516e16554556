"""Faults: without any the bits are those of the reference, with all of them those of a plain model, in any order of samples."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from mapped_networks import macro, mapped_networks
from scipy.stats import binom, binomtest, norm

from pyspice_cim.behavioral.faults.model import (
    FaultRates,
    layer_faults,
    rates_from_table,
    run_with_faults,
    stuck_weights,
    timing_rates,
)
from pyspice_cim.behavioral.faults.sweep import FaultPoint, accuracy_interval, fault_sweep, wilson_interval
from pyspice_cim.behavioral.macro.mapping import map_layers
from pyspice_cim.behavioral.network.layers import FullyConnected
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.errors import ConfigError, DataError, TableError
from pyspice_cim.report.fault_figure import draw_faults
from pyspice_cim.resources import shipped
from pyspice_cim.tables import Table, load_table

SOME = FaultRates(
    membrane_read=1e-3, membrane_write=1e-3, weight_read=1e-3, late_sum=1e-3, weight_write=1e-2, stuck_at_0=5e-3
)


def assert_same(a, b):
    for name in ("spikes", "membranes"):
        for x, y in zip(getattr(a, name), getattr(b, name), strict=True):
            assert np.array_equal(x, y)


@settings(deadline=None, max_examples=40)
@given(mapped_networks(), st.integers(0, 99))
def test_without_faults_nothing_changes(network, seed):
    layers, spikes, size = network
    mapping = map_layers(layers, spikes.shape[2:], size)
    assert_same(run_with_faults(mapping, spikes, FaultRates(), seed=seed, record=True), run_integer(layers, spikes))


@settings(deadline=None, max_examples=20)
@given(mapped_networks(), st.integers(0, 99), st.integers(1, 3), st.sampled_from([1, 1 << 25]))
def test_a_sample_fares_the_same_in_any_order_tile_and_thread(network, seed, threads, tile_bytes):
    layers, spikes, size = network
    mapping = map_layers(layers, spikes.shape[2:], size)
    order = np.random.default_rng(seed).permutation(spikes.shape[1])
    one = run_with_faults(mapping, spikes, SOME, seed=seed, threads=1, record=True)
    other = run_with_faults(
        mapping, spikes[:, order], SOME, seed=seed, indices=order, threads=threads, record=True, tile_bytes=tile_bytes
    )
    for a, b in zip(one.spikes, other.spikes, strict=True):
        assert np.array_equal(a[:, order], b)
    for a, b in zip(one.membranes, other.membranes, strict=True):
        assert np.array_equal(a[order], b)


@pytest.mark.parametrize("bit", [0, 1])
def test_cells_that_are_all_stuck_hold_that_bit(bit):
    """Weights and words of one bit alone: each step then starts from a known word, whatever was written."""
    params = LDLIFParams(lambda_=3, theta=20)
    layer = FullyConnected(weights=np.random.default_rng(0).integers(-8, 8, (6, 9)), params=params)
    mapping = map_layers([layer], (6,), macro(neurons=9, inputs=6))
    spikes = (np.random.default_rng(1).random((8, 4, 6)) < 0.5).astype(np.uint8)
    found = run_with_faults(mapping, spikes, FaultRates(**{f"stuck_at_{bit}": 1.0}), seed=3, record=True)
    # A step without input does not fire: its fire masks what the decay left negative, 0 - theta, or adds -theta to a word of
    # -1 or 0. After an input, saturate takes VMAX off the word, which is negative, so fire adds VMAX - theta to the word.
    fires = -bit + params.vmax - params.theta >= 0
    assert np.array_equal(found.spikes[0], np.repeat(spikes.any(axis=2, keepdims=True) & fires, 9, axis=2))


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(0, 2**32))
def test_stuck_weights_are_and_and_or_with_the_masks(bits, seed):
    rng = np.random.default_rng(seed)
    low, high = -(1 << (bits - 1)), 1 << (bits - 1)
    weights = rng.integers(low, high, (5, 4))
    zeros, ones = rng.integers(0, 1 << bits, (2, 5, 4))
    zeros &= ~ones
    found = stuck_weights(weights, zeros, ones, bits)
    for w, z, o, got in zip(weights.flat, zeros.flat, ones.flat, found.flat, strict=True):
        cells = [(o >> k & 1) or ((w >> k & 1) and not z >> k & 1) for k in range(bits)]
        assert got == sum(int(c) << k for k, c in enumerate(cells)) - (int(cells[-1]) << bits)
    nothing = np.zeros_like(weights)
    assert np.array_equal(stuck_weights(weights, nothing, nothing, bits), weights)
    everything = np.full_like(weights, (1 << bits) - 1)
    assert (stuck_weights(weights, everything, nothing, bits) == 0).all()
    assert (stuck_weights(weights, nothing, everything, bits) == -1).all()


def test_every_read_of_a_weight_that_fails_adds_the_complement():
    """Rate 1: each accumulate adds NOT w = -w - 1, so the network is one of these weights."""
    rng = np.random.default_rng(4)
    params = LDLIFParams(lambda_=2, theta=30)
    weights = rng.integers(-8, 8, (10, 12))
    spikes = (rng.random((6, 3, 10)) < 0.4).astype(np.uint8)
    layer, inverse = (FullyConnected(weights=w, params=params) for w in (weights, -weights - 1))
    mapping = map_layers([layer], (10,), macro(neurons=12, inputs=10, column_bits=10))
    found = run_with_faults(mapping, spikes, FaultRates(weight_read=1.0), seed=0, record=True)
    assert_same(found, run_integer([inverse], spikes))
    written = run_with_faults(mapping, spikes, FaultRates(weight_write=1.0), seed=0, record=True)
    assert_same(written, run_integer([inverse], spikes))


def test_cells_that_cannot_be_written_keep_the_state_at_rest():
    """Rate 1: words stay -theta (a neuron at rest), so that the decay, which adds theta - lambda, always gives -lambda."""
    layer = FullyConnected(weights=np.full((4, 5), 7), params=LDLIFParams(lambda_=2, theta=30))
    mapping = map_layers([layer], (4,), macro(neurons=5, inputs=4))
    found = run_with_faults(mapping, np.ones((5, 2, 4), np.uint8), FaultRates(membrane_write=1.0), seed=0, record=True)
    # fire: -theta + VMAX - theta = 67 is not negative: it fires in every step.
    assert (found.spikes[0] == 1).all()


def test_failures_come_at_their_rate():
    """Accesses of weights are counted by a layer whose membranes show each of them: one input, weight 0, one step."""
    columns, bits = 4096, 9
    layer = FullyConnected(weights=np.zeros((1, columns), int), params=LDLIFParams(lambda_=0, theta=127))
    mapping = map_layers([layer], (1,), macro(neurons=columns, inputs=1, column_bits=bits))
    rate, samples = 0.01, 4
    run = run_with_faults(
        mapping, np.ones((1, samples, 1), np.uint8), FaultRates(weight_read=rate), seed=5, record=True
    )
    # A neuron stays at 0 if none of its bits failed (or if all of them but those above the membrane's did, which is rare).
    touched = int((run.membranes[0] != 0).sum() + run.spikes[0].sum())
    expected = 1 - (1 - rate) ** bits
    low, high = binom.interval(1 - 1e-6, columns * samples, expected)
    assert low <= touched <= high


def test_chips_are_drawn_by_their_seed():
    layer = FullyConnected(weights=np.zeros((50, 64), int), params=LDLIFParams(lambda_=0, theta=9))
    (mapped,) = map_layers([layer], (50,), macro(neurons=64, inputs=50)).maps
    planes = [
        layer_faults(mapped, FaultRates(weight_write=0.1), [seed, 0], np.arange(1)).layout.planes for seed in (1, 1, 2)
    ]
    assert np.array_equal(planes[0], planes[1]) and not np.array_equal(planes[0], planes[2])
    wrong = int(np.bitwise_count(planes[0].view(np.uint64)).sum())
    low, high = binom.interval(1 - 1e-6, 50 * 64 * 4, 0.1)
    assert low <= wrong <= high


def test_the_interval_of_chips_covers_both_errors():
    """Chips of different true accuracy, on images drawn anew: the band covers the mean of all chips as often as it says."""
    rng, hits, trials = np.random.default_rng(3), 0, 400
    for _ in range(trials):
        chips = rng.binomial(200, np.clip(rng.normal(0.6, 0.1, 5), 0, 1)) / 200
        low, high = accuracy_interval(chips.tolist(), 200, 0.9)
        hits += low <= 0.6 <= high
    # Chips are independent here, while the band allows for images that they share: it may cover more, never less.
    assert hits >= binom.ppf(1e-6, trials, 0.9)
    assert accuracy_interval([0.7], 200, 0.9) == pytest.approx(wilson_interval(0.7, 200, 0.9))
    assert accuracy_interval([0.7] * 3, 200, 0.9) == pytest.approx(wilson_interval(0.7, 200, 0.9))


@pytest.mark.parametrize(
    ("chips", "samples", "confidence", "error", "words"),
    [
        ([0.5, float("nan")], 10, 0.9, DataError, "an accuracy is nan"),
        ([float("nan")], 10, 0.9, DataError, "an accuracy is nan"),
        ([1.5], 10, 0.9, DataError, "an accuracy is 1.5"),
        ([], 10, 0.9, DataError, "there is no chip"),
        ([0.5], 0, 0.9, ConfigError, "samples is 0"),
        ([0.5], 10, float("nan"), ConfigError, "confidence is nan"),
    ],
)
def test_an_interval_of_nothing_is_an_error(chips, samples, confidence, error, words):
    """The limits are cut to 0 and 1: a NaN would become the interval of everything."""
    with pytest.raises(error, match=words):
        accuracy_interval(chips, samples, confidence)


def test_wilson_interval_is_that_of_scipy():
    for k, n in ((0, 10), (3, 10), (97, 100), (100, 100)):
        band = binomtest(k, n).proportion_ci(0.9, method="wilson")
        # Two forms of one formula: they differ by rounding.
        assert wilson_interval(k / n, n, 0.9) == pytest.approx((band.low, band.high), rel=0, abs=1e-14)


def sweep(points, seeds=(0, 1)):
    rng = np.random.default_rng(6)
    layer = FullyConnected(weights=rng.integers(-8, 8, (20, 4)), params=LDLIFParams(lambda_=1, theta=20))
    spikes = (rng.random((20, 40, 20)) < 0.3).astype(np.uint8)
    labels = run_integer([layer], spikes).spike_counts.argmax(axis=1)
    return fault_sweep(map_layers([layer], (20,), macro(neurons=4, inputs=20)), spikes, labels, points, seeds=seeds)


def test_accuracy_falls_with_the_supply(tmp_path):
    points = [
        FaultPoint(vdd=vdd, cycle=cycle, rates=FaultRates(membrane_read=rate))
        for cycle, rates in ((1e-9, (1e-2, 1e-3, 0.0)), (2e-9, (1e-3, 0.0, 0.0)))
        for vdd, rate in zip((0.8, 0.9, 1.0), rates, strict=True)
    ]
    found = sweep(points)
    first = [each.accuracy for each in found[:3]]
    assert first[0] < first[1] < first[2]
    # Same rates, same chips, whatever the supply is called.
    assert found[1].chips == found[3].chips and found[2].chips == found[5].chips
    for each in found:
        assert each.low <= each.accuracy <= each.high and len(each.chips) == 2
        assert each.to_dict()["point"]["rates"]["late_sum"] == 0.0
    draw_faults(found, tmp_path / "faults.png", fault_free=found[2].accuracy)
    assert (tmp_path / "faults.png").stat().st_size > 10_000


def test_rates_from_a_table():
    table = load_table(shipped("reference", "generic45lp.h5"))
    place = {"vdd": 1.1, "temperature_c": 27.0, "column_rows": 16, "column_segments": 16}
    rates = rates_from_table(table, {"late_sum": "column_event_residual"}, **place)
    assert 0 < rates.late_sum < 1 and rates.membrane_read == 0.0
    with pytest.raises(ConfigError, match="'typo' is no rate; there are membrane_read"):
        rates_from_table(table, {"typo": "column_event_residual"}, **place)
    with pytest.raises(TableError, match="no quantity 'sram9t_read_failure'"):
        rates_from_table(table, {"membrane_read": "sram9t_read_failure"}, **place)


def table_of_tails():
    """A table whose sigma is 40 m for reads and 60 m for writes at the cycle margin m, and whose cycles are those given."""
    nodes = {"process": ["tt"], "vdd": [1.0, 1.2], "temperature_c": [27.0]}
    first = xr.DataArray(
        np.array([[[[[1.0e-9, 1.5e-9]]], [[[0.8e-9, 1.2e-9]]]]]),
        dims=(*nodes, "column_rows", "column_segments"),
        coords={**nodes, "column_rows": [16], "column_segments": [1, 16]},
        attrs={"units": "s"},
    )
    margins = np.array([0.0, 0.1, 0.3])
    sigma = np.array([40.0, 60.0])[:, None, None] * margins[:, None] + np.array([0.0, -0.1, 0.1])
    second = xr.DataArray(
        np.broadcast_to(sigma, (1, 2, 1, 1, 2, 3, 3)).copy(),
        dims=(*nodes, "tail_rows", "access", "cycle_margin", "bound"),
        coords={
            **nodes,
            "tail_rows": [16],
            "access": ["read", "write"],
            "cycle_margin": margins,
            "bound": ["estimate", "lower", "upper"],
        },
        attrs={"units": "1"},
    )
    return Table(dataset=xr.Dataset({"column_minimum_cycle": first, "sram8t_tail_sigma": second}))


def test_cells_that_are_too_slow_are_stuck():
    table = table_of_tails()
    # (1.6 - 1.5) / 1.0 of a cycle: 4 sigma for reads, 6 for writes.
    rates = timing_rates(table, 1.6e-9, vdd=1.0)
    assert rates.stuck_at_1 == pytest.approx((1 - norm.sf(4.0)) * norm.sf(6.0) / 2, rel=1e-9, abs=0)
    assert rates.stuck_at_0 == pytest.approx(norm.sf(4.0) + norm.sf(6.0) / 2)
    # A longer cycle and a higher supply help; the lower sigma is the larger rate; beyond the table its last margin counts.
    assert timing_rates(table, 1.7e-9, vdd=1.0).stuck_at_0 < rates.stuck_at_0
    assert timing_rates(table, 1.6e-9, vdd=1.1).stuck_at_0 < rates.stuck_at_0
    assert timing_rates(table, 1.6e-9, vdd=1.0, bound="lower").stuck_at_0 > rates.stuck_at_0
    assert timing_rates(table, 3.0e-9, vdd=1.0) == timing_rates(table, 2.0e-9, vdd=1.0)
    with pytest.raises(ConfigError, match=r"at vdd = 1 V nominal columns need 1.5e-09 s"):
        timing_rates(table, 1.4e-9, vdd=1.0)
    with pytest.raises(ConfigError, match="bound is 'mean'"):
        timing_rates(table, 1.6e-9, vdd=1.0, bound="mean")
    with pytest.raises(TableError, match="sram8t_tail_sigma"):
        timing_rates(load_table(shipped("reference", "generic45lp.h5")), 1e-8, vdd=1.1)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({"late_sum": 1.5}, "late_sum is 1.5"),
        ({"late_sum": float("nan")}, "late_sum is nan"),
        ({"stuck_at_0": 0.6, "stuck_at_1": 0.6}, "together"),
    ],
)
def test_rates_out_of_range_are_named(rates, words):
    with pytest.raises(ConfigError, match=words):
        FaultRates(**rates)


def test_bad_runs_are_named():
    layer = FullyConnected(weights=np.ones((3, 2), int), params=LDLIFParams(lambda_=1, theta=9))
    mapping, spikes = map_layers([layer], (3,), macro()), np.zeros((2, 4, 3), np.uint8)
    with pytest.raises(ConfigError, match="seed is -1"):
        run_with_faults(mapping, spikes, FaultRates(), seed=-1)
    with pytest.raises(ConfigError, match=r"indices have shape \(2,\)"):
        run_with_faults(mapping, spikes, FaultRates(), seed=0, indices=[0, 1])
    point = FaultPoint(vdd=1.0, cycle=1e-9, rates=FaultRates())
    with pytest.raises(DataError, match="there are 4 samples"):
        fault_sweep(mapping, spikes, np.zeros(3, int), [point])
    with pytest.raises(DataError, match=r"labels\[0\] is 2; a label is an integer, 0 to 1"):
        fault_sweep(mapping, spikes, np.full(4, 2), [point])
    with pytest.raises(ConfigError, match="0 points and 5 seeds"):
        fault_sweep(mapping, spikes, np.zeros(4, int), [])
    with pytest.raises(ConfigError, match="confidence is 1.0"):
        fault_sweep(mapping, spikes, np.zeros(4, int), [point], confidence=1.0)
    with pytest.raises(DataError, match="no points"):
        draw_faults([], "unused.png")
