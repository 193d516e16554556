"""A number of a table back to its decks: what the cache holds, what ngspice gives today, what is other than it was."""

import shutil
import subprocess

import numpy as np
import pytest

from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.plans.explain import differences, technology_of, trace_cached, trace_simulated
from pyspice_cim.characterization.plans.plan import load_plan
from pyspice_cim.characterization.plans.sweep import characterize
from pyspice_cim.characterization.spice.ngspice import find_ngspice
from pyspice_cim.characterization.spice.rawfile import read_raw, write_raw
from pyspice_cim.errors import TableError, TechnologyError
from pyspice_cim.tables import Table
from pyspice_cim.tables.origin import origin
from pyspice_cim.technology import load_technology
from pyspice_cim.technology.loader import builtin_folder

PLAN = """name = "small"
technology = "generic45lp"
[corners]
process = ["tt"]
vdd = [1.0, 1.1]
temperature_c = [27.0]
[benches.sram8t]
rows = [16]
"""
TECHNOLOGY = load_technology("generic45lp")
ENERGY = "sram8t_read_energy"
PLACE = {"vdd": 1.04}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Table, Cache]:
    folder = tmp_path_factory.mktemp("made")
    (folder / "plan.toml").write_text(PLAN)
    cache = Cache(folder / "cache")
    return characterize(load_plan(folder / "plan.toml"), Engine(cache=cache, workers=1)), cache


def test_the_cache_gives_the_stored_values_without_ngspice(made, monkeypatch, tmp_path):
    table, cache = made
    monkeypatch.setenv("NGSPICE", "/nonexistent/ngspice")
    found = origin(table, ENERGY, labels={"bit": "1"}, **PLACE)
    points = trace_cached(table, found, TECHNOLOGY, cache=cache, decks=tmp_path)
    assert [point.node.weight for point in points] == pytest.approx([0.6, 0.4])
    for point in points:
        assert point.complete and point.equal
        assert point.value == point.node.value
        assert {deck.source for deck in point.decks} == {"cache"}
        # All that the table names is there, under its hash, to be run by hand.
        assert set(point.node.decks) <= {deck.sha256 for deck in point.decks}
        for deck in point.node.decks:
            (file,) = tmp_path.glob(f"{deck[:16]}.cir")
            assert subprocess.run(["sha256sum", file], capture_output=True, text=True).stdout.startswith(deck)


def test_an_empty_cache_says_what_is_missing_and_invents_nothing(made, tmp_path):
    table, _ = made
    (point, _) = trace_cached(table, origin(table, ENERGY, **PLACE), TECHNOLOGY, cache=Cache(tmp_path / "empty"))
    assert not point.complete and not point.equal
    assert (point.value, point.reason) == (None, "not in the cache")
    assert {deck.source for deck in point.decks} == {"nowhere"}
    assert not (tmp_path / "empty").exists()


def test_ngspice_gives_the_stored_values_bit_for_bit_and_its_waveforms_are_kept(made, tmp_path):
    table, _ = made
    found = origin(table, ENERGY, **PLACE)
    points = trace_simulated(table, found, TECHNOLOGY, workers=2, decks=tmp_path / "new" / "decks")
    assert all(point.equal and point.largest_difference == 0.0 for point in points)
    assert points[0].value.shape == (2,)
    decks = {deck.sha256[:16] for point in points for deck in point.decks}
    kept = tmp_path / "new" / "decks"
    assert sorted(path.name for path in kept.iterdir()) == sorted(f"{d}.{end}" for d in decks for end in ("cir", "raw"))
    # By hand, the deck gives the waveforms that were kept.
    deck = next(path for path in kept.glob("*.cir") if "reads of 0 and 1" in path.read_text())
    ngspice = [find_ngspice(), "-b", "-r", tmp_path / "hand.raw", deck]
    subprocess.run(ngspice, check=True, capture_output=True)
    (hand,), (stored,) = read_raw(tmp_path / "hand.raw"), read_raw(deck.with_suffix(".raw"))
    assert hand.keys() == stored.keys()
    for name, wave in hand.items():
        np.testing.assert_array_equal(stored[name], wave)


def test_a_value_that_is_not_what_ngspice_gives_is_found(made):
    table, cache = made
    edited = Table(dataset=table.dataset.copy(deep=True))
    edited.dataset[ENERGY][0, 1] *= 1.5
    found = origin(edited, ENERGY, labels={"bit": "0"}, vdd=1.1)
    (point,) = trace_cached(edited, found, TECHNOLOGY, cache=cache)
    assert not point.equal
    # (1.5 - 1) / 1.5, by its definition.
    assert point.largest_difference == pytest.approx(1 / 3, rel=1e-12)


def test_what_is_other_today_is_said(made, tmp_path):
    table, _ = made
    assert differences(table, TECHNOLOGY, table.dataset.attrs["ngspice"]) == []
    (said,) = differences(table, TECHNOLOGY, "ngspice-99")
    assert "ngspice-99" in said and table.dataset.attrs["ngspice"] in said
    for name in ("generic45lp.toml", "generic45lp.cards"):
        shutil.copy(builtin_folder() / name, tmp_path)
    with (tmp_path / "generic45lp.cards").open("a") as cards:
        cards.write("* another card file\n")
    other = technology_of(table, tmp_path / "generic45lp.toml")
    (said,) = differences(table, other, table.dataset.attrs["ngspice"])
    assert "technology generic45lp has changed" in said and TECHNOLOGY.sha256[:16] in said
    # Of a table without samples, what they would be drawn with does not matter.
    drawn = Table(dataset=table.dataset.assign_attrs(variation_sha256="0" * 64))
    (said,) = differences(drawn, TECHNOLOGY, table.dataset.attrs["ngspice"])
    assert "variation of technology generic45lp has changed" in said
    drawn.dataset.attrs["variation_sha256"] = TECHNOLOGY.variation_sha256
    assert differences(drawn, TECHNOLOGY, table.dataset.attrs["ngspice"]) == []
    with pytest.raises(TableError, match="not 'generic65'"):
        technology_of(table, "generic65")


def test_a_technology_of_the_users_has_to_be_given(made):
    table = Table(dataset=made[0].dataset.assign_attrs(technology="mine"), source="t.h5")
    with pytest.raises(TechnologyError, match="t.h5 is of technology 'mine'.*--technology FILE.toml"):
        technology_of(table)


def test_a_bench_of_another_version_is_refused(made):
    table, cache = made
    found = origin(table, ENERGY, **PLACE)
    object.__setattr__(found, "bench", "sram9t")
    with pytest.raises(TableError, match="no bench 'sram9t'"):
        trace_cached(table, found, TECHNOLOGY, cache=cache)


def test_raw_files_come_back(tmp_path):
    rng = np.random.default_rng(5)
    vectors = {name: rng.random(7) for name in ("v(b)", "time", "i(va)")}
    write_raw(tmp_path / "x.raw", vectors, "three vectors")
    (back,) = read_raw(tmp_path / "x.raw")
    assert list(back) == ["time", "v(b)", "i(va)"]
    for name, wave in vectors.items():
        np.testing.assert_array_equal(back[name], wave)
