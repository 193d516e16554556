"""Decoder, word units and the sequential baseline against ngspice and integers."""

from dataclasses import replace

import pytest

from pyspice_cim.characterization.benches import datapath
from pyspice_cim.characterization.benches.decoder import decoder_bench, decoder_simulation
from pyspice_cim.characterization.benches.sequential import memory_operations, sequential_bench
from pyspice_cim.characterization.benches.word6t import Operation, Word, access_simulation
from pyspice_cim.characterization.devices.timescale import gate_delay, gate_delay_simulation
from pyspice_cim.characterization.engine.engine import run_one
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.spice.retries import tightened
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation, execute
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.netlists.cells.decoder import address_groups, lines_of
from pyspice_cim.technology import Corner, load_technology

TECHNOLOGY = load_technology("generic45lp")
CORNER = Corner(vdd=1.1)
TAU = 46e-12
PARTS = ("read", "write", "decode", "transport", "subtract", "multiply")


def run(simulation: Simulation) -> Outcome:
    return execute(simulation, NgspiceSimulator())


def test_predecoded_lines_tell_all_rows_apart() -> None:
    for rows in (2, 3, 16, 100, 256, 1024):
        assert len({tuple(lines_of(row, rows)) for row in range(rows)}) == rows
        assert max(len(group) for group in address_groups(rows)) <= 3


def test_decoder_grows_with_rows() -> None:
    small, large = ({m.name: m.value for m in run_one(decoder_bench(TECHNOLOGY, CORNER, rows=r))} for r in (4, 64))
    assert 0 < small["decoder_energy"] < large["decoder_energy"] < 1e-12
    # The path is buffers, predecoder and row gate: a few FO4 of 45 ps.
    assert 90e-12 < large["decoder_delay"] < 700e-12


def test_a_decoder_that_is_driven_too_fast_fails() -> None:
    outcome = run(decoder_simulation(TECHNOLOGY, CORNER, rows=16, tau=TAU / 20))
    assert not outcome.ok and not outcome.values


def test_subtraction_is_clamped_and_right_for_every_word_of_4_bits() -> None:
    words = tuple(range(16))
    unit = datapath.subtract(TECHNOLOGY, 4)
    constant = 15 - unit.constant
    results = tuple(max(word - constant, 0) for word in words)
    every = datapath.replace_words(unit, words, results)
    outcome = run(datapath.unit_simulation(TECHNOLOGY, CORNER, every, TAU))
    assert outcome.ok, outcome.reason
    wrong = datapath.replace_words(unit, words, (1, *results[1:]))
    outcome = run(datapath.unit_simulation(TECHNOLOGY, CORNER, wrong, TAU))
    assert "expected 1" in outcome.reason


def test_products_are_right() -> None:
    unit = datapath.multiply(TECHNOLOGY, 3)
    words = (7, 0, 5, 2)
    every = datapath.replace_words(unit, words, tuple(243 * word for word in words))
    outcome = run(datapath.unit_simulation(TECHNOLOGY, CORNER, every, TAU))
    assert outcome.ok, outcome.reason


def test_8_bit_addition_costs_what_is_published() -> None:
    outcome = run(datapath.unit_simulation(TECHNOLOGY, CORNER, datapath.subtract(TECHNOLOGY, 8), TAU))
    # Horowitz, ISSCC 2014: 30 fJ at 0.9 V; here with clamp and latches.
    assert 10e-15 < outcome.values["energy"] < 90e-15
    assert 300e-12 < outcome.values["time"] < 2e-9


def test_memory_reads_back_what_it_wrote() -> None:
    word = Word(technology=TECHNOLOGY, corner=CORNER, rows=16, columns=3, tau=TAU)
    stored, operations = memory_operations(3)
    good = run(access_simulation(word, operations, split_time=3 * TAU, stored=stored))
    assert good.ok, good.reason
    # One bit other than what is stored: no number comes of it.
    wrong = run(access_simulation(word, [Operation(write=False, word=5)], split_time=3 * TAU, stored=1))
    assert not wrong.values and "expected [1, 0, 1]" in wrong.reason


def test_bench_names_all_parts_and_passes_failures_on() -> None:
    bench = sequential_bench(TECHNOLOGY, CORNER, rows=16, membrane_bits=2)
    next(bench)
    with pytest.raises(StopIteration) as stop:
        bench.send(
            [Outcome(values={}, failure=Failure(Status.REJECTED, "no current"), deck_sha256="0", cpu_seconds=0.0)]
        )
    measured = stop.value.value
    assert [m.name for m in measured] == [f"sequential_{part}_{what}" for part in PARTS for what in ("energy", "time")]
    assert all(m.value is None and m.reason == "rejected: no current" for m in measured)


def test_whole_bench_of_a_small_word() -> None:
    measured = run_one(sequential_bench(TECHNOLOGY, CORNER, rows=16, membrane_bits=2))
    assert all(m.ok for m in measured), [m.reason for m in measured if not m.ok]
    assert all(m.description and m.unit in ("J", "s") and m.decks for m in measured)


def test_an_energy_does_not_depend_on_how_a_current_rings() -> None:
    # Here the currents of the address lines alternated by hundreds of uA after a tiny step, and their positive half was
    # counted: half as much again as the energy with tight tolerances.
    technology, corner = load_technology("generic65"), Corner(process="ss", vdd=1.21)
    tau = gate_delay(run(gate_delay_simulation(technology, corner)))
    loose = decoder_simulation(technology, corner, rows=64, tau=tau)
    tight = run(replace(loose, deck=tightened(loose.deck)))
    for name, value in run(loose).values.items():
        # The tolerances are stated to cost up to 0.5 %; a delay is a single crossing, an energy a sum over many edges.
        assert value == pytest.approx(float(tight.values[name]), rel=0.01, abs=0), name
