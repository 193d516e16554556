"""Drawn variation: moments, scaling with the area, and what a sample may depend on."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pyspice_cim.characterization.variation.population import (
    MOST,
    MonteCarloSettings,
    Population,
    mismatch_sigma,
    standard_normals,
)
from pyspice_cim.errors import ConfigError, TechnologyError
from pyspice_cim.netlists.flat import Transistor
from pyspice_cim.resources import shipped
from pyspice_cim.technology import load_technology

TECHNOLOGY = load_technology("generic45lp")
TRANSISTORS = (
    Transistor(path="a", device="nmos", width=0.1e-6, length=45e-9),
    Transistor(path="b", device="pmos", width=0.2e-6, length=45e-9),
    Transistor(path="c", device="nmos", width=0.1e-6, length=45e-9, multiplier=63),
)


@pytest.mark.parametrize("sampler", ["random", "sobol", "lhs"])
def test_each_sampler_gives_independent_standard_normals(sampler: str) -> None:
    z = standard_normals(MonteCarloSettings(count=4096, sampler=sampler, seed=3), 6)  # type: ignore[arg-type]
    # Four standard errors of a mean and a variance of independent samples; the others are more even than that.
    assert abs(z.mean(axis=0)).max() < 4 / 64
    assert abs(z.var(axis=0) - 1).max() < 4 * np.sqrt(2 / 4096)
    correlation = np.corrcoef(z.T) - np.eye(6)
    assert abs(correlation).max() < 4 / 64
    assert min(stats.kstest(column, "norm").pvalue for column in z.T) > 1e-4


def test_sobol_and_lhs_are_more_even_than_random() -> None:
    spread = {
        sampler: np.std(
            [
                standard_normals(MonteCarloSettings(count=256, sampler=sampler, seed=seed), 3).mean()
                for seed in range(12)
            ]
        )
        for sampler in ("random", "sobol", "lhs")
    }
    assert spread["sobol"] < spread["random"] / 3
    assert spread["lhs"] < spread["random"] / 3


@given(few=st.integers(2, 40), more=st.integers(40, 90), dimensions=st.integers(1, 8), seed=st.integers(0, 99))
def test_a_sample_depends_on_its_index_alone(few: int, more: int, dimensions: int, seed: int) -> None:
    for sampler in ("random", "sobol"):
        a, b = (
            standard_normals(MonteCarloSettings(count=count, sampler=sampler, seed=seed), dimensions)  # type: ignore[arg-type]
            for count in (few, more)
        )
        assert np.array_equal(a, b[:few])


def test_a_random_sample_keeps_its_numbers_when_more_transistors_follow() -> None:
    settings = MonteCarloSettings(count=5)
    assert np.array_equal(standard_normals(settings, 3), standard_normals(settings, 9)[:, :3])


@given(width=st.floats(0.06, 10), length=st.floats(0.045, 5), factor=st.floats(1.1, 20))
def test_mismatch_scales_with_one_over_the_root_of_the_area(width: float, length: float, factor: float) -> None:
    one = Transistor(path="x", device="nmos", width=width * 1e-6, length=length * 1e-6)
    wide = Transistor(path="x", device="nmos", width=factor * width * 1e-6, length=length * 1e-6)
    many = Transistor(path="x", device="nmos", width=width * 1e-6, length=length * 1e-6, multiplier=factor)
    sigma = mismatch_sigma(TECHNOLOGY, one)
    assert sigma == pytest.approx(2.5e-3 / np.sqrt(width * length))
    assert mismatch_sigma(TECHNOLOGY, wide) == pytest.approx(sigma / np.sqrt(factor))
    assert mismatch_sigma(TECHNOLOGY, many) == pytest.approx(sigma / np.sqrt(factor))


def test_local_global_and_both_have_the_covariance_that_the_formula_says() -> None:
    local = np.diag([mismatch_sigma(TECHNOLOGY, each) ** 2 for each in TRANSISTORS])
    assert TECHNOLOGY.global_variation is not None
    n, p = 1e-3 * TECHNOLOGY.global_variation.sigma_vt_mv.n, -1e-3 * TECHNOLOGY.global_variation.sigma_vt_mv.p
    shared = np.outer([n, 0, n], [n, 0, n]) + np.outer([0, p, 0], [0, p, 0])
    for variation, expected in (("local", local), ("global", shared), ("both", local + shared)):
        population = Population.of(TECHNOLOGY, [TRANSISTORS], variation)  # type: ignore[arg-type]
        weights = population.shifts(np.eye(population.dimensions), TRANSISTORS)
        assert weights.T @ weights == pytest.approx(expected)


def test_a_transistor_that_two_fixtures_draw_is_one_variable() -> None:
    population = Population.of(TECHNOLOGY, [TRANSISTORS[:2], TRANSISTORS[1:]])
    assert population.dimensions == 3
    z = np.random.default_rng(0).standard_normal((4, 3))
    shared = [population.shifts(z, group)[:, place] for group, place in ((TRANSISTORS[:2], 1), (TRANSISTORS[1:], 0))]
    assert np.array_equal(*shared)


def test_global_variation_that_is_not_stated_is_an_error() -> None:
    bare = TECHNOLOGY.model_copy(update={"global_variation": None})
    with pytest.raises(TechnologyError, match="global_variation"):
        Population.of(bare, [TRANSISTORS], "both")


def test_the_reference_table_is_still_of_this_technology() -> None:
    path: Path = shipped("reference", "generic45lp.h5")
    with h5py.File(path) as table:
        assert table.attrs["technology_sha256"] == TECHNOLOGY.sha256
    assert TECHNOLOGY.model_copy(update={"global_variation": None}).sha256 == TECHNOLOGY.sha256


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 1),
        ("sampler", "dice"),
        ("variation", "none"),
        ("pack", 0),
        ("tail_samples", 3),
        ("count", 100_000_000),
        ("seed", 2**64),
        ("tail_samples", 10**9),
        ("pack", 10**6),
        ("count", float("nan")),
        ("seed", 1.5),
        ("tail_samples", float("inf")),
        ("pack", True),
    ],
)
def test_settings_out_of_range_name_the_field(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"monte_carlo.{field} = .*(give at (least|most)|is not one of)"):
        MonteCarloSettings(**{field: value})  # type: ignore[arg-type]


def test_the_largest_settings_can_be_drawn() -> None:
    for sampler in ("sobol", "lhs"):
        z = standard_normals(MonteCarloSettings(count=MOST["count"], seed=MOST["seed"], sampler=sampler), 2)  # type: ignore[arg-type]
        assert z.shape == (MOST["count"], 2) and np.isfinite(z).all()


def test_the_mirrored_circuit_has_its_left_transistors_on_the_right() -> None:
    names = ("cell.pdl", "cell.axl", "cell.pdr", "cell.axr", "sense.foot", "offl")
    cell = tuple(Transistor(path=name, device="nmos", width=1e-7, length=45e-9) for name in names)
    assert Population.of(TECHNOLOGY, [cell]).mirror == [2, 3, 0, 1, 4, 5]
    assert Population.of(TECHNOLOGY, [cell], "both").mirror == [2, 3, 0, 1, 4, 5, 6, 7]
    assert Population.of(TECHNOLOGY, [cell], "global").mirror == [0, 1]
