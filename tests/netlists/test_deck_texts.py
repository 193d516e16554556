"""The text of every kind of deck stays what it was: tables name decks by their hashes."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from pyspice_cim.characterization.benches.examples import example_decks
from pyspice_cim.characterization.devices.curves import output_deck, transfer_deck
from pyspice_cim.characterization.devices.fo4 import fo4_deck
from pyspice_cim.characterization.devices.snm import butterfly_deck
from pyspice_cim.characterization.plans.registry import BENCHES
from pyspice_cim.characterization.spice.retries import RETRIES, tightened
from pyspice_cim.characterization.spice.simulation import Outcome
from pyspice_cim.characterization.technology_check.check import instances_deck, sizes_deck
from pyspice_cim.characterization.variation.population import MonteCarloSettings
from pyspice_cim.technology import Corner, load_technology

# Digests of release 0.1: for each name the texts of its decks, of their convergence retries and of their audits.
EXPECTED = json.loads(Path(__file__).with_name("deck_digests.json").read_text())
AXES = {
    "sram6t": {"rows": 16},
    "sram8t": {"rows": 16},
    "column": {"rows": 16, "segments": 1},
    "driver": {},
    "decoder": {"rows": 5},
    "sequential": {"rows": 4, "membrane_bits": 4},
    "monte_carlo": {"rows": 16},
    "tail": {"rows": 16},
}


def digest(decks):
    texts = [each.text for deck in decks for each in (deck, *(r.apply(deck) for r in RETRIES), tightened(deck))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def first_decks(name, technology, corner):
    """The decks of a bench that a gate delay of 50 ps leads to, or its first ones."""
    samples = {"monte_carlo": MonteCarloSettings(count=4, tail_samples=16, pack=4)} if BENCHES[name].samples else {}
    bench = BENCHES[name].run(technology, corner, **AXES[name], **samples)
    wanted = next(bench)
    if wanted[0].reducer.endswith(":estimate_gate_delay"):
        wanted = bench.send([Outcome(values={"gate_delay": np.array(5e-11)}, deck_sha256="", cpu_seconds=0.0)])
    return [simulation.deck for simulation in wanted]


def test_every_bench_has_a_digest():
    assert AXES.keys() == BENCHES.keys() and all(BENCHES.keys() <= known.keys() for known in EXPECTED.values())


@pytest.mark.parametrize("name", EXPECTED)
def test_decks_retries_and_audits_have_the_same_texts(name):
    technology = load_technology(name)
    corner = Corner(vdd=technology.supply.nominal_v, temperature_c=85.0)
    decks = {file: [deck] for file, deck in example_decks(technology).items()}
    decks["devices"] = [
        transfer_deck(technology, corner),
        output_deck(technology, corner),
        fo4_deck(technology, corner),
        butterfly_deck(technology, corner),
        instances_deck(technology, corner),
        sizes_deck(technology, corner, "nmos", 1e-6, technology.device("nmos").l_um[0] * 1e-6),
    ]
    decks |= {bench: first_decks(bench, technology, corner) for bench in BENCHES}
    assert {what: digest(some) for what, some in decks.items()} == EXPECTED[name]
