"""Benches of memories under variation: Monte Carlo samples with statistics, and failure probabilities beyond them."""

import itertools
from collections import Counter
from collections.abc import Generator, Mapping

import numpy as np

from pyspice_cim.characterization.benches.column import INPUTS, WEIGHT_BITS, WORKING_MARGIN
from pyspice_cim.characterization.benches.quantities import measured
from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Outcome, Simulation
from pyspice_cim.characterization.variation.estimates import BOUNDS, INTERVALS, fraction, statistics
from pyspice_cim.characterization.variation.fixture import CopyResults
from pyspice_cim.characterization.variation.importance import Tail, tail_probabilities
from pyspice_cim.characterization.variation.mechanisms import Mechanism, find_conditions, find_mechanisms
from pyspice_cim.characterization.variation.population import MonteCarloSettings, Population, standard_normals
from pyspice_cim.errors import NetlistError
from pyspice_cim.tables import contract
from pyspice_cim.tables.quantity import Labels, Quantity
from pyspice_cim.technology import Corner, Technology

MECHANISMS = contract.MECHANISM.texts
# Mechanisms with the specification 0; accesses of the 8T cell; margins m of a cycle (1 + m) T, T the nominal shortest
# cycle.
STATIC_MECHANISMS = contract.LIMIT.texts
ACCESSES = contract.ACCESS.texts
CYCLE_MARGINS = tuple(float(margin) for margin in contract.CYCLE_MARGIN.labels or ())


def check_rows(*, rows: int) -> None:
    """Check that both benches can find the shortest cycle of a nominal column: its one segment holds all weights.

    Raises:
        NetlistError: if ``rows`` cells on a bitline are too few.
    """
    if rows < INPUTS * WEIGHT_BITS:
        raise NetlistError(
            f"rows = {rows} do not hold the {INPUTS * WEIGHT_BITS} bits of weights of the nominal column; give "
            f"{INPUTS * WEIGHT_BITS} rows at least"
        )


def monte_carlo_bench(technology: Technology, corner: Corner, *, rows: int, monte_carlo: MonteCarloSettings) -> Bench:
    """Bench: sample the margins, delays and energies of 6T and 8T cells.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        rows: cells on a bitline.
        monte_carlo: number of samples, sampler and seed.

    Returns:
        For each quantity ``sram6t_mc_*`` and ``sram8t_mc_*``: the samples, shape (samples,), and
        ``<quantity>_statistics``, shape (statistics, bounds), see ``estimates.py``. A copy that failed is NaN, and the
        reason counts these copies. ``sram6t_mc_failure_fraction``, shape (mechanisms, bounds): part of the samples with
        a margin below 0.

    Raises:
        TechnologyError: if the settings ask for global variation and the technology does not state it.
    """
    conditions = yield from find_conditions(technology, corner, rows)
    found = {n: each for n, each in find_mechanisms(technology, corner, conditions).items() if n in MECHANISMS}
    population = Population.of(technology, [each.transistors for each in found.values()], monte_carlo.variation)
    z = standard_normals(monte_carlo, population.dimensions)
    results: dict[str, CopyResults] = {}
    for name, mechanism in found.items():
        if not mechanism.reason:
            results[name] = yield from mechanism.of(population, z, monte_carlo.pack)
    reasons = {name: mechanism.reason for name, mechanism in found.items() if mechanism.reason}
    done = []
    for (name, value), quantities in contract.SAMPLED.items():
        result = results.get(name)
        why = reasons.get(name, conditions.reason)
        done += _distribution(quantities, result, value, why, len(z), INTERVALS[monte_carlo.sampler])
    rates = [
        fraction(results[name].values["margin"][~results[name].failed] < 0) if name in results else np.full(3, np.nan)
        for name in MECHANISMS
    ]
    for name, result in results.items():
        if result.failed.any():
            reasons[name] = f"{int(result.failed.sum())} of {len(result.reasons)} copies failed and are left out"
    decks = tuple(dict.fromkeys(deck for result in results.values() for deck in result.decks))
    done.append(
        measured(
            contract.FAILURE_FRACTION,
            np.array(rates),
            reason="; ".join(f"{name}: {reason}" for name, reason in reasons.items()),
            decks=decks,
            note=INTERVALS[monte_carlo.sampler],
        )
    )
    return done


def _distribution(
    quantities: tuple[Quantity, Quantity],
    result: CopyResults | None,
    value: str,
    reason: str,
    count: int,
    intervals: str,
) -> list[Measurement]:
    """Return the ``count`` samples of one quantity and their statistics."""
    samples = None if result is None else result.values[value]
    if result is not None and result.failed.any():
        counted = Counter(each.partition(":")[0] for each in result.reasons if each)
        reason = f"{int(result.failed.sum())} of {len(result.reasons)} copies failed: " + ", ".join(
            f"{number} {kind}" for kind, number in counted.items()
        )
    decks = () if result is None else result.decks
    along = {contract.SAMPLE.name: tuple(float(i) for i in range(count))}
    every, told = quantities
    return [
        measured(every, samples, reason=reason, decks=decks, labels=along),
        measured(told, None if samples is None else statistics(samples), reason=reason, decks=decks, note=intervals),
    ]


def tail_bench(technology: Technology, corner: Corner, *, rows: int, monte_carlo: MonteCarloSettings) -> Bench:
    """Bench: estimate failure probabilities of 6T and 8T cells by importance sampling (``importance.py``).

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        rows: cells on a bitline.
        monte_carlo: importance samples per specification and seed.

    Returns:
        ``sram6t_tail_*`` over ``limit``: read, write and sensing failure of the 6T cell. ``sram8t_tail_*`` over
        ``access`` and ``cycle_margin`` m: the access is too late in the cycle (1 + m) T. T is the shortest cycle of a
        nominal column with one segment. Both have ``failure_probability`` and ``sigma`` with ``bound``, ``shift_norm``,
        ``effective_samples``, ``simulations``, ``failed_simulations`` and ``regions``. An estimate without enough
        evidence is NaN with a reason.

    Raises:
        TechnologyError: if the settings ask for global variation and the technology does not state it.
    """
    conditions = yield from find_conditions(technology, corner, rows)
    found = find_mechanisms(technology, corner, conditions)
    decks: dict[str, None] = {}

    def tails(name: str, specs: tuple[float, ...]) -> Generator[list[Simulation], list[Outcome], list[Tail]]:
        mechanism = found.get(name)
        reason = conditions.reason if mechanism is None else mechanism.reason
        if mechanism is None or reason:
            return [Tail.unknown(reason)] * len(specs)
        population = Population.of(technology, [mechanism.transistors], monte_carlo.variation)
        margin = _Margin(mechanism, population, monte_carlo.pack, decks)
        result = yield from tail_probabilities(
            margin,
            population.dimensions,
            samples=monte_carlo.tail_samples,
            seed=monte_carlo.seed,
            specs=specs,
            mirror=population.mirror,
        )
        return list(result)

    static: list[Tail] = []
    for name in STATIC_MECHANISMS:
        static += yield from tails(name, (0.0,))
    late: list[Tail] = []
    for access in ACCESSES:
        slack = {} if conditions.slack is None else conditions.slack
        # A longer cycle moves the specification, not the delays. slack is the added time at the margin WORKING_MARGIN -
        # 1.
        specs = tuple(-margin * slack.get(access, float("nan")) / (WORKING_MARGIN - 1.0) for margin in CYCLE_MARGINS)
        late += yield from tails(f"late_{access}", specs)
    return [
        *_tails(contract.SRAM6T_TAIL, static, (STATIC_MECHANISMS,), tuple(decks)),
        *_tails(contract.SRAM8T_TAIL, late, (ACCESSES, CYCLE_MARGINS), tuple(decks)),
    ]


def _tails(
    quantities: Mapping[str, Quantity], tails: list[Tail], labels: tuple[Labels, ...], decks: tuple[str, ...]
) -> list[Measurement]:
    """Return the measurements of ``tails``; there is one tail for each combination of ``labels``."""
    shape = tuple(map(len, labels))
    values = {
        "failure_probability": [(tail.probability, *tail.interval) for tail in tails],
        "sigma": [(tail.sigma, *tail.sigma_interval) for tail in tails],
        "shift_norm": [tail.shift_norm for tail in tails],
        "effective_samples": [tail.effective for tail in tails],
        "simulations": [tail.simulated for tail in tails],
        "failed_simulations": [tail.failed for tail in tails],
        "regions": [len(tail.points) for tail in tails],
    }
    names = itertools.product(*labels)
    reasons = [
        f"{' '.join(map(str, name))}: {tail.reason}" for name, tail in zip(names, tails, strict=True) if tail.reason
    ]
    return [
        measured(
            quantity,
            np.array(values[name], dtype=np.float64).reshape(
                *shape, *(len(BOUNDS),) * (contract.BOUND in quantity.own)
            ),
            reason="; ".join(reasons),
            decks=decks,
        )
        for name, quantity in quantities.items()
    ]


class _Margin:
    """The margin of a mechanism as a function of z; it collects the hashes of the simulated decks in ``decks``."""

    def __init__(self, mechanism: Mechanism, population: Population, pack: int, decks: dict[str, None]) -> None:
        self.mechanism, self.population, self.pack, self.decks = mechanism, population, pack, decks

    def __call__(self, z: Array) -> Generator[list[Simulation], list[Outcome], Array]:
        result = yield from self.mechanism.of(self.population, z, self.pack)
        self.decks.update(dict.fromkeys(result.decks))
        return result.values["margin"]
