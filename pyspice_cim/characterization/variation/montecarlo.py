"""Benches of memories under variation: Monte Carlo samples with statistics, and failure probabilities beyond them."""

import itertools
from collections import Counter
from collections.abc import Generator

import numpy as np

from pyspice_cim.characterization.benches.column import WORKING_MARGIN
from pyspice_cim.characterization.spice.measure import Array
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Outcome, Simulation
from pyspice_cim.characterization.variation.estimates import BOUNDS, INTERVALS, STATISTICS, fraction, statistics
from pyspice_cim.characterization.variation.fixture import CopyResults
from pyspice_cim.characterization.variation.importance import Tail, tail_probabilities
from pyspice_cim.characterization.variation.mechanisms import Mechanism, find_conditions, find_mechanisms
from pyspice_cim.characterization.variation.population import MonteCarloSettings, Population, standard_normals
from pyspice_cim.technology import Corner, Technology

MECHANISMS = ("read", "write", "sense", "cycle")
# By quantity: mechanism whose run gives it, name of the value in the run, unit, description.
_QUANTITIES = {
    "sram6t_mc_hold_snm": ("read", "hold_snm", "V", "6T hold noise margin"),
    "sram6t_mc_read_snm": ("read", "read_snm", "V", "6T read noise margin"),
    "sram6t_mc_write_margin": ("write", "write_margin", "V", "bitline voltage at which the 6T cell flips, harder bit"),
    "sram6t_mc_write_delay": (
        "sense",
        "write_delay",
        "s",
        "wordline to both nodes within 10 %, bitlines driven before; infinite: not written",
    ),
    "sram6t_mc_write_energy": ("sense", "write_energy", "J", "write and recovery of the bitlines: the copy's supply"),
    "sram6t_mc_read_split": ("sense", "differential", "V", "bitline difference at the nominal sense moment"),
    "sram6t_mc_read_energy": ("sense", "read_energy", "J", "read and recovery of the bitlines: the copy's supply"),
    "sram6t_mc_write_failed": ("sense", "write_failed", "1", "1 where the write did not flip the cell"),
    "sram6t_mc_read_disturbed": ("sense", "read_disturbed", "1", "1 where the read flipped the cell"),
    "sram6t_mc_sense_offset": ("sense", "offset", "V", "input-referred offset of the sense amplifier"),
    "sram6t_mc_sense_margin": ("sense", "margin", "V", "split at the sense moment less the offset"),
    "sram8t_mc_read_delay": ("cycle", "read_delay", "s", "reading a 1: read wordline to sense inverter"),
    "sram8t_mc_write_delay": ("cycle", "write_delay", "s", "write wordline to both nodes within 10 %, slower bit"),
    "sram8t_mc_cycle_slack": ("cycle", "margin", "s", "slack in the working cycle, as variation/cycle.py defines it"),
}
_MECHANISM_LABELS = {"mechanism": MECHANISMS}
# By result of a tail: unit, whether it has bounds, description.
_TAILS = {
    "failure_probability": ("1", True, "probability that the margin of a cell is below 0, with 95 % interval"),
    "sigma": ("1", True, "equivalent sigma of the probability, with its interval"),
    "shift_norm": ("1", False, "distance of the most probable failure, sigmas"),
    "effective_samples": ("1", False, "effective number of failing importance samples"),
    "simulations": ("1", False, "margins that were simulated"),
    "failed_simulations": ("1", False, "importance samples whose simulation failed; the interval holds both cases"),
    "regions": ("1", False, "regions of failure that were found and sampled around"),
}
# Mechanisms with the specification 0; accesses of the 8T cell; margins m of a cycle (1 + m) T, T the nominal shortest
# cycle.
STATIC_MECHANISMS = ("read", "write", "sense")
ACCESSES = ("read", "write")
CYCLE_MARGINS = (0.0, 0.05, 0.1, 0.2, 0.3)


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
    measured = []
    for quantity, (name, value, unit, description) in _QUANTITIES.items():
        result = results.get(name)
        why = reasons.get(name, conditions.reason)
        measured += _distribution(quantity, unit, description, result, value, why, INTERVALS[monte_carlo.sampler])
    rates = [
        fraction(results[name].values["margin"][~results[name].failed] < 0) if name in results else np.full(3, np.nan)
        for name in MECHANISMS
    ]
    for name, result in results.items():
        if result.failed.any():
            reasons[name] = f"{int(result.failed.sum())} of {len(result.reasons)} copies failed and are left out"
    decks = tuple(dict.fromkeys(deck for result in results.values() for deck in result.decks))
    measured.append(
        Measurement(
            name="sram6t_mc_failure_fraction",
            unit="1",
            value=np.array(rates),
            dims=("mechanism", "bound"),
            labels={**_MECHANISM_LABELS, "bound": BOUNDS},
            reason="; ".join(f"{name}: {reason}" for name, reason in reasons.items()),
            decks=decks,
            description="part of the samples with a margin below 0 (cycle: 8T), with its 95 % interval, "
            + INTERVALS[monte_carlo.sampler],
        )
    )
    return measured


def _distribution(
    quantity: str, unit: str, description: str, result: CopyResults | None, value: str, reason: str, intervals: str
) -> list[Measurement]:
    """Return the samples of one quantity and their statistics."""
    samples = None if result is None else result.values[value]
    if result is not None and result.failed.any():
        counted = Counter(each.partition(":")[0] for each in result.reasons if each)
        reason = f"{int(result.failed.sum())} of {len(result.reasons)} copies failed: " + ", ".join(
            f"{count} {kind}" for kind, count in counted.items()
        )
    decks = () if result is None else result.decks
    return [
        Measurement(
            name=quantity,
            unit=unit,
            value=samples,
            dims=("sample",),
            labels={} if samples is None else {"sample": tuple(float(i) for i in range(samples.size))},
            reason=reason,
            decks=decks,
            description=description,
        ),
        Measurement(
            name=f"{quantity}_statistics",
            unit=unit,
            value=None if samples is None else statistics(samples),
            dims=("statistic", "bound"),
            labels={"statistic": STATISTICS, "bound": BOUNDS},
            reason=reason,
            decks=decks,
            description=f"{description}: over the samples, with 95 % intervals, {intervals}",
        ),
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
        *_tails("sram6t", "6T", static, {"limit": STATIC_MECHANISMS}, tuple(decks)),
        *_tails("sram8t", "8T", late, {"access": ACCESSES, "cycle_margin": CYCLE_MARGINS}, tuple(decks)),
    ]


def _tails(
    cell: str,
    title: str,
    tails: list[Tail],
    labels: dict[str, tuple[str, ...] | tuple[float, ...]],
    decks: tuple[str, ...],
) -> list[Measurement]:
    """Return the measurements of ``tails``; there is one tail for each combination of ``labels``."""
    shape = tuple(map(len, labels.values()))
    values = {
        "failure_probability": [(tail.probability, *tail.interval) for tail in tails],
        "sigma": [(tail.sigma, *tail.sigma_interval) for tail in tails],
        "shift_norm": [tail.shift_norm for tail in tails],
        "effective_samples": [tail.effective for tail in tails],
        "simulations": [tail.simulated for tail in tails],
        "failed_simulations": [tail.failed for tail in tails],
        "regions": [len(tail.points) for tail in tails],
    }
    names = itertools.product(*labels.values())
    reasons = [
        f"{' '.join(map(str, name))}: {tail.reason}" for name, tail in zip(names, tails, strict=True) if tail.reason
    ]
    return [
        Measurement(
            name=f"{cell}_tail_{name}",
            unit=unit,
            value=np.array(values[name], dtype=np.float64).reshape(*shape, *((len(BOUNDS),) if bounded else ())),
            dims=(*labels, *(("bound",) if bounded else ())),
            labels={**labels, **({"bound": BOUNDS} if bounded else {})},
            reason="; ".join(reasons),
            decks=decks,
            # Between two supplies the equivalent sigma is about linear; a small probability is not.
            scale="probit" if name == "failure_probability" else "",
            description=f"{title} cell: {description}",
        )
        for name, (unit, bounded, description) in _TAILS.items()
    ]


class _Margin:
    """The margin of a mechanism as a function of z; it collects the hashes of the simulated decks in ``decks``."""

    def __init__(self, mechanism: Mechanism, population: Population, pack: int, decks: dict[str, None]) -> None:
        self.mechanism, self.population, self.pack, self.decks = mechanism, population, pack, decks

    def __call__(self, z: Array) -> Generator[list[Simulation], list[Outcome], Array]:
        result = yield from self.mechanism.of(self.population, z, self.pack)
        self.decks.update(dict.fromkeys(result.decks))
        return result.values["margin"]
