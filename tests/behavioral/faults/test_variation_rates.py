"""Rates that tables of variation give, and what cells that are too slow do."""

import json
import runpy
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapped_networks import macro
from scipy.stats import norm

from pyspice_cim.behavioral.faults.model import (
    FaultRates,
    rates_from_table,
    run_with_faults,
    timing_rates,
    variation_rates,
)
from pyspice_cim.behavioral.macro.mapping import map_layers
from pyspice_cim.behavioral.network.layers import FullyConnected
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.errors import ConfigError, TableError
from pyspice_cim.resources import shipped
from pyspice_cim.tables import Lookup, load_table

TABLE = load_table(shipped("reference", "generic45lp_variation.h5"))
PLACE = {"vdd": 1.1, "temperature_c": 27.0}


@pytest.mark.parametrize(
    ("quantity", "labels", "place"),
    [
        (
            "sram8t_tail_failure_probability",
            {"access": "read", "bound": "upper"},
            {"tail_rows": 16, "cycle_margin": 0.1},
        ),
        ("sram6t_mc_failure_fraction", {"mechanism": "cycle", "bound": "estimate"}, {"monte_carlo_rows": 16}),
        ("sram6t_mc_write_failed_statistics", {"statistic": "mean", "bound": "estimate"}, {"monte_carlo_rows": 16}),
    ],
)
def test_a_rate_with_labels_is_the_value_of_the_table(quantity, labels, place):
    stored = TABLE.quantity(quantity).sel(process="tt", **PLACE, **place, **labels).item()
    rates = rates_from_table(TABLE, {"slow_read": quantity}, labels={"slow_read": labels}, **PLACE, **place)
    assert rates == FaultRates(slow_read=stored)
    first, *others = labels
    with pytest.raises(TableError, match=f"{quantity} has an axis {first}; give one of its labels: "):
        rates_from_table(TABLE, {"slow_read": quantity}, **PLACE, **place)
    with pytest.raises(TableError, match=f"{quantity} has an axis {others[0]}; "):
        rates_from_table(TABLE, {"slow_read": quantity}, labels={"slow_read": {first: labels[first]}}, **PLACE, **place)
    with pytest.raises(TableError, match=f"{first} is 'some'; {quantity} has "):
        wrong = labels | {first: "some"}
        rates_from_table(TABLE, {"slow_read": quantity}, labels={"slow_read": wrong}, **PLACE, **place)
    with pytest.raises(TableError, match=f"{quantity} has no axis 'limit' of labels; it has {first}"):
        wrong = labels | {"limit": "read"}
        rates_from_table(TABLE, {"slow_read": quantity}, labels={"slow_read": wrong}, **PLACE, **place)


@pytest.mark.parametrize("limit", ["read", "write"])
@pytest.mark.parametrize("vdd", [1.02, 1.045, 1.1, 1.19])
def test_a_probability_is_that_of_its_sigma_between_supplies_too(limit, vdd):
    place = {"vdd": vdd, "temperature_c": 27.0, "tail_rows": 16, "labels": {"limit": limit, "bound": "estimate"}}
    probability, sigma = (Lookup(TABLE)(f"sram6t_tail_{what}", **place) for what in ("failure_probability", "sigma"))
    # Of a sigma of 10, rounding in its 16th digit is worth 1e-14 of the probability.
    assert float(probability) == pytest.approx(norm.sf(float(sigma)), rel=1e-12, abs=0)


def test_each_quantity_takes_the_axes_that_it_has():
    quantities = {"slow_write": "sram8t_tail_failure_probability", "weight_write": "sram6t_tail_failure_probability"}
    labels = {
        "slow_write": {"access": "write", "bound": "estimate"},
        "weight_write": {"limit": "write", "bound": "estimate"},
    }
    rates = rates_from_table(TABLE, quantities, labels=labels, tail_rows=16, cycle_margin=0.05, **PLACE)
    assert rates.slow_write > rates.weight_write > 0
    with pytest.raises(TableError, match="none of .* has an axis column_rows"):
        rates_from_table(TABLE, quantities, labels=labels, tail_rows=16, cycle_margin=0.05, column_rows=16, **PLACE)


def test_failures_of_a_cycle_are_those_of_the_tails():
    """At a node of the table: the cycle that is longer than the nominal one by 0.1 of a single segment's."""
    shortest = TABLE.quantity("column_minimum_cycle").sel(process="tt", column_rows=16, **PLACE)
    cycle = float(shortest.sel(column_segments=16) + 0.1 * shortest.sel(column_segments=1))
    tail = TABLE.quantity("sram8t_tail_sigma").sel(
        process="tt", tail_rows=16, cycle_margin=0.1, bound="estimate", **PLACE
    )
    read, write = (float(norm.sf(tail.sel(access=access))) for access in ("read", "write"))
    cells, accesses, sums = (
        variation_rates(TABLE, cycle, vdd=1.1, failures=failures) for failures in ("cells", "accesses", "sums")
    )
    # The cycle margin of 0.1 is rounded to 1e-15, a sigma of up to 10 is then wrong by some 1e-12: far below 1e-6.
    assert (cells.slow_read, cells.slow_write) == pytest.approx((read, write), rel=1e-6)
    assert (accesses.membrane_read, accesses.weight_read) == pytest.approx((read / 2, read / 2), rel=1e-6)
    # 1 - (1 - p)^2 = 2 p - p^2: p / 2 below 2 p.
    assert sums.late_sum == pytest.approx(2 * read, rel=read) and sums.membrane_write == accesses.membrane_write
    assert accesses.membrane_write == pytest.approx(write, rel=1e-6)
    stuck = timing_rates(TABLE, cycle, vdd=1.1)
    assert stuck.stuck_at_0 == pytest.approx(read + (1 - read) * write / 2, rel=1e-6)
    static = TABLE.quantity("sram6t_tail_failure_probability").sel(process="tt", tail_rows=16, limit="write", **PLACE)
    assert {each.weight_write for each in (cells, accesses, sums)} == {float(static.sel(bound="estimate").item())}
    # The lower end of a sigma is the higher rate, of every kind.
    worst = variation_rates(TABLE, cycle, vdd=1.1, bound="lower")
    assert worst.slow_read > cells.slow_read and worst.slow_write > cells.slow_write
    assert worst.weight_write > cells.weight_write


def test_longer_cycles_and_higher_supplies_help():
    rates = [variation_rates(TABLE, cycle, vdd=vdd) for cycle, vdd in ((2.0e-9, 1.0), (2.1e-9, 1.0), (2.1e-9, 1.05))]
    for worse, better in pairwise(rates):
        assert worse.slow_read > better.slow_read > 0 and worse.slow_write > better.slow_write > 0


@given(*[st.floats(0, 1)] * 3)
def test_shares_of_cells_that_hold_a_bit_are_shares(slow_read, slow_write, stuck):
    """Also near the shortest cycle, where half of the cells are late to read and half to write."""
    rates = FaultRates(slow_read=slow_read, slow_write=slow_write, stuck_at_1=stuck)
    zeros, ones = rates.stuck_shares(written=True)
    assert zeros >= 0 and stuck <= ones and zeros + ones <= 1 + 1e-12
    assert zeros + ones == pytest.approx(1 - (1 - stuck) * (1 - slow_read) * (1 - slow_write), abs=1e-12)
    assert rates.stuck_shares(written=False) == pytest.approx(((1 - stuck) * slow_read, stuck), rel=1e-9, abs=0)


def test_the_shortest_cycle_of_nominal_cells_has_rates():
    cycle = float(TABLE.quantity("column_minimum_cycle").sel(process="tt", column_segments=16, **PLACE).item())
    assert variation_rates(TABLE, 1.0001 * cycle, vdd=1.1).slow_write > 0.5
    assert timing_rates(TABLE, 1.0001 * cycle, vdd=1.1).stuck_at_0 > 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cycle": 2e-9, "failures": "some"}, "failures is 'some'; choose cells, accesses, sums"),
        ({"cycle": 1e-10}, "nominal columns need"),
        ({"cycle": "fast"}, "cycle is 'fast'; it must be a number"),
        ({"cycle": float("nan")}, "cycle is nan s; it must be a time above 0"),
        ({"cycle": 2e-9, "bound": "mean"}, "bound is 'mean'"),
    ],
)
def test_what_rates_of_a_cycle_refuse(arguments, words):
    with pytest.raises(ConfigError, match=words):
        variation_rates(TABLE, vdd=1.1, **arguments)


def network(weight):
    layer = FullyConnected(weights=np.full((4, 6), weight), params=LDLIFParams(lambda_=2, theta=30))
    return layer, map_layers([layer], (4,), macro(neurons=6, inputs=4)), np.ones((5, 2, 4), np.uint8)


def test_cells_that_are_slow_to_read_are_zeros():
    """All of them: as cells stuck at 0, of weights and of words."""
    _, mapping, spikes = network(7)
    slow, stuck = (
        run_with_faults(mapping, spikes, FaultRates(**{name: 1.0}), seed=3, record=True)
        for name in ("slow_read", "stuck_at_0")
    )
    assert np.array_equal(slow.spikes[0], stuck.spikes[0]) and np.array_equal(slow.membranes[0], stuck.membranes[0])


def test_cells_that_are_slow_to_write_are_those_of_words_alone():
    """Words wake up at random and stay; weights are as they were, so the chip differs from one whose every cell is stuck."""
    layer, mapping, spikes = network(7)
    first, again, other = (
        run_with_faults(mapping, spikes, FaultRates(slow_write=1.0), seed=seed, record=True) for seed in (1, 1, 2)
    )
    assert np.array_equal(first.membranes[0], again.membranes[0])
    assert not np.array_equal(first.membranes[0], other.membranes[0])
    # The same in every step and sample: nothing that is written stays.
    assert (first.membranes[0] == first.membranes[0][:1]).all()
    none = run_with_faults(mapping, spikes, FaultRates(), seed=1, record=True)
    assert np.array_equal(none.spikes[0], run_integer([layer], spikes).spikes[0])


def test_the_figure_stands_beside_its_points(monkeypatch, tmp_path):
    script = Path(__file__).parents[3] / "behavioral" / "figures" / "faults.py"
    arguments = ["--chips", "2", "--samples", "8", "--cycles-ns", "2.1", "--out", str(tmp_path / "faults.png")]
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    runpy.run_path(str(script), run_name="__main__")
    found = json.loads((tmp_path / "faults.json").read_text())
    assert (found["table_sha256"], found["seeds"], found["samples"]) == (TABLE.sha256, [0, 1], 8)
    for each in found["points"]:
        point = each["point"]
        rates = variation_rates(TABLE, point["cycle"], vdd=point["vdd"])
        # JSON keeps all digits of a float.
        assert point["rates"] == vars(rates) and len(each["chips"]) == 2
    assert (tmp_path / "faults.png").stat().st_size > 10_000
