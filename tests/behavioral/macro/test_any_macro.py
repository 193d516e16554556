"""Macros of any size that a table covers run, whatever else the table holds or lacks."""

from dataclasses import replace

import numpy as np
import pytest

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.macro.network import MappedNetwork
from pyspice_cim.behavioral.network.layers import FullyConnected
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams
from pyspice_cim.errors import TableError
from pyspice_cim.tables import Table, reference_table

TABLE = reference_table("generic45lp")


def run(table: Table = TABLE, *, neurons: int = 12, columns: int = 12, bits: int = 8, **options):
    rng = np.random.default_rng(1)
    layer = FullyConnected(
        weights=rng.integers(-8, 8, (10, neurons)).astype(np.int8),
        weight_bits=4,
        params=LDLIFParams(lambda_=1, theta=2 ** (bits - 2), membrane_bits=bits),
    )
    spikes = (rng.random((6, 2, 10)) < 0.4).astype(np.uint8)
    config = MacroConfig(technology="generic45lp", neurons=columns, inputs=16, membrane_bits=bits, rows=16)
    report = MappedNetwork([layer], (10,), table, config, **options).run(spikes)
    plain = fast_run([layer], spikes)
    np.testing.assert_array_equal(report.spike_counts, plain.spike_counts)
    np.testing.assert_array_equal(report.membranes, plain.membranes[0])
    assert report.energy > 0 and report.outside_table == 0
    return report


@pytest.mark.parametrize("bits", [6, 10, 12])
def test_membranes_of_any_width_run(bits):
    report = run(bits=bits)
    # The table's sequential updates are of 8-bit words: nothing is compared, and nothing is invented.
    assert set(report.latency) == set(report.state_update_energy) == {"parallel"}


def test_one_neuron_more_than_a_macro_holds_runs():
    report = run(neurons=65, columns=64)
    assert report.macros == (2,)
    # A sequential memory of one word is not in the table.
    assert set(report.latency) == {"parallel"}


def test_one_neuron_runs():
    assert run(neurons=1, columns=1).macros == (1,)


def without_bench(bench: str) -> Table:
    names = [name for name in TABLE.quantities if TABLE.dataset[name].attrs["bench"] == bench]
    assert names
    return replace(TABLE, dataset=TABLE.dataset.drop_vars(names))


def test_a_table_without_sequential_updates_calibrates():
    table = without_bench("sequential")
    report = run(table)
    assert set(report.latency) == {"parallel"}
    whole = run()
    assert set(whole.latency) == {"parallel", "sequential", "sequential_exponential"}
    assert report.energy == whole.energy and report.latency["parallel"] == whole.latency["parallel"]
    with pytest.raises(TableError, match="has no quantity 'sequential_"):
        run(table, compare=("sequential",))
