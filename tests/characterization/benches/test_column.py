"""The column and its drivers in real ngspice: the minimum cycle decides, the driver scales, energies are attributed."""

from dataclasses import replace

import numpy as np
import pytest

from pyspice_cim.characterization.benches.array import QUICK_OPTIONS, array_simulation
from pyspice_cim.characterization.benches.column import (
    BITS,
    COMPONENTS,
    CYCLE_RATIO,
    LINE_KINDS,
    column_bench,
    program_events,
    random_run,
    stress_run,
)
from pyspice_cim.characterization.benches.driver import driver_bench
from pyspice_cim.characterization.engine.engine import run_one
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.spice.simulation import Outcome, execute
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.microcode import EVENTS
from pyspice_cim.netlists.columns.array import ArrayShape
from pyspice_cim.netlists.waves import Timing
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table
from pyspice_cim.technology import Corner, load_technology

TECHNOLOGY, CORNER = load_technology("generic45lp"), Corner(vdd=1.1)
SHAPE = ArrayShape(columns=2, bits=BITS, inputs=2, weight_bits=4, rows=16, segments=1)


def test_the_stored_minimum_cycle_is_where_bits_begin_to_be_right():
    """The table's cycle works, the next shorter one of the search's grid does not."""
    quantity = load_table(shipped("reference", "generic45lp.h5")).quantity("column_minimum_cycle")
    minimum = float(quantity.sel(process="tt", vdd=1.1, temperature_c=27.0, column_rows=16, column_segments=1))
    stress = stress_run(replace(SHAPE, bits=BITS - 1))
    for cycle, works in ((minimum, True), (minimum / CYCLE_RATIO, False)):
        run = replace(stress, timing=Timing(cycle=cycle))
        simulation = array_simulation(TECHNOLOGY, CORNER, run, title="column stress", options=QUICK_OPTIONS)
        outcome = execute(simulation, NgspiceSimulator())
        assert outcome.ok is works, outcome.reason
        assert works or "wrong bits" in outcome.reason


def test_a_driver_of_n_units_with_n_times_the_load_costs_n_times_one():
    """What lets the energy of a unit driver serve every line."""
    from pyspice_cim.characterization.benches import driver

    one = driver.driver_simulation(TECHNOLOGY, CORNER)
    four = driver.driver_simulation(TECHNOLOGY, CORNER, units=4)
    energies = [execute(s, NgspiceSimulator()).values for s in (one, four)]
    # Integration error of two runs: 0.1 %.
    np.testing.assert_allclose(energies[1]["energy"], 4 * energies[0]["energy"], rtol=2e-3)
    np.testing.assert_allclose(energies[1]["delay"], energies[0]["delay"], rtol=5e-3)


def test_driver_energy_is_that_of_the_load_and_its_own():
    energy, delay, *_ = run_one(driver_bench(TECHNOLOGY, CORNER))
    loads = np.array(energy.labels["line_load"])
    assert (np.diff(energy.value) > 0).all() and (np.diff(delay.value) > 0).all()
    # C V^2 of the load is in it; what is left is the driver's own, of some 4 fF, and its short-circuit current.
    own = energy.value - loads * CORNER.vdd**2
    assert (own > 0).all() and own.max() < 10e-15 * CORNER.vdd**2


def _answer(simulation, coefficients):
    """Outcome of a simulation in a world in which a cycle's energy is exactly the sum of its events' energies."""
    words = simulation.arguments["words"]
    shape = (len(COMPONENTS), len(words) * simulation.arguments["bits"], simulation.arguments["columns"])
    lines = simulation.arguments["lines"]
    pulses = np.array(simulation.arguments["pulses"], dtype=float)
    values = {
        "columns": np.zeros(shape),
        # 1 fF a column on every line
        "lines": (pulses * 1e-15 * CORNER.vdd**2 * simulation.arguments["columns"])[:, None] * np.ones((len(lines), 1)),
        "pulses": pulses,
        "delays": np.array([1e-10, 2e-10]),
        "last_change": np.array(0.0),
    }
    return Outcome(values=values, deck_sha256=simulation.deck.sha256, cpu_seconds=0.0)


def test_the_bench_finds_the_energies_and_the_cycle_of_a_known_world():
    """Driven by hand: cycles above 1.5 ns work, and the energies are a known sum over events."""
    truth = np.random.default_rng(1).random((len(COMPONENTS), len(EVENTS))) * 1e-15
    bench, found = column_bench(TECHNOLOGY, CORNER, rows=16, segments=1), None
    wanted = next(bench)
    while True:
        answer, runs = [], 0
        for simulation in wanted:
            cycle = simulation.arguments.get("cycle")
            if cycle is None:
                answer.append(
                    Outcome(
                        values={"slice": np.array(2e-10), "cell": np.array(1e-11)},
                        deck_sha256="0",
                        cpu_seconds=0,
                    )
                )
            elif len(wanted) == 1:
                failure = None if cycle > 1.5e-9 else Failure(Status.REJECTED, "wrong bits")
                answer.append(Outcome(values={}, failure=failure, deck_sha256="1", cpu_seconds=0))
            else:
                outcome = _answer(simulation, truth)
                run = random_run(SHAPE, Timing(cycle=cycle), runs)
                outcome.values["columns"][:] = np.einsum("ce,ekj->ckj", truth, program_events(run))
                # What leaks in a cycle: the slice and a segment (which leaks nothing here), and 14 cells.
                outcome.values["columns"][COMPONENTS.index("logic")] += 2e-10 * cycle
                outcome.values["columns"][COMPONENTS.index("cells")] += 14 * 1e-11 * cycle
                answer.append(outcome)
                runs += 1
        try:
            wanted = bench.send(answer)
        except StopIteration as stop:
            found = {m.name: m for m in stop.value}
            break
    assert 1.5e-9 < found["column_minimum_cycle"].value <= 1.5e-9 * CYCLE_RATIO
    # Every event occurs in the calibration, or its energy could not be told apart from another's.
    np.testing.assert_allclose(found["column_event_energy"].value, truth, rtol=1e-6, atol=1e-21)
    assert found["column_event_residual"].value < 1e-9
    np.testing.assert_allclose(found["column_line_capacitance"].value, np.full(len(LINE_KINDS), 1e-15), rtol=1e-9)


def test_a_column_that_never_works_is_a_failure_with_a_reason():
    bench = column_bench(TECHNOLOGY, CORNER, rows=16, segments=1)
    next(bench)
    with pytest.raises(StopIteration) as stop:
        while True:
            bench.send(
                [Outcome(values={}, failure=Failure(Status.REJECTED, "wrong bits: 3"), deck_sha256="1", cpu_seconds=0)]
            )
    measured = stop.value.value
    assert all(m.value is None and "wrong bits: 3" in m.reason for m in measured)
    assert {"column_event_energy", "slice_leakage"} < {m.name for m in measured}
