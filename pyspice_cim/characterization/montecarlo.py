"""Benches of memories under variation: all samples with their statistics, and the tails beyond them."""

from collections import Counter
from collections.abc import Generator

import numpy as np

from pyspice_cim.characterization.estimates import BOUNDS, STATISTICS, fraction, statistics
from pyspice_cim.characterization.importance import tail_probability
from pyspice_cim.characterization.margins import Sampled
from pyspice_cim.characterization.measure import Array
from pyspice_cim.characterization.mechanisms import Mechanism, find_conditions, find_mechanisms
from pyspice_cim.characterization.simulation import Bench, Measurement, Outcome, Simulation
from pyspice_cim.characterization.variation import MonteCarloSettings, Population, standard_normals
from pyspice_cim.technology import Corner, Technology

MECHANISMS = ("read", "write", "sense", "cycle")
# Quantity -> mechanism whose run gives it, name of the value there, unit, description.
_QUANTITIES = {
    "sram6t_mc_hold_snm": ("read", "hold_snm", "V", "6T hold noise margin"),
    "sram6t_mc_read_snm": ("read", "read_snm", "V", "6T read noise margin"),
    "sram6t_mc_write_margin": ("write", "write_margin", "V", "bitline voltage at which the 6T cell flips, harder bit"),
    "sram6t_mc_write_delay": (
        "sense",
        "write_delay",
        "s",
        "wordline to both nodes within 10 %, bitlines driven before; NaN: not written",
    ),
    "sram6t_mc_write_energy": ("sense", "write_energy", "J", "write and recovery of the bitlines: the copy's supply"),
    "sram6t_mc_read_split": ("sense", "split", "V", "bitline difference at the nominal sense moment"),
    "sram6t_mc_read_energy": ("sense", "read_energy", "J", "read and recovery of the bitlines: the copy's supply"),
    "sram6t_mc_write_failed": ("sense", "write_failed", "1", "1 where the write did not flip the cell"),
    "sram6t_mc_read_disturbed": ("sense", "read_disturbed", "1", "1 where the read flipped the cell"),
    "sram6t_mc_sense_offset": ("sense", "offset", "V", "input-referred offset of the sense amplifier"),
    "sram6t_mc_sense_margin": ("sense", "margin", "V", "split at the sense moment less the offset"),
    "sram8t_mc_read_delay": ("cycle", "read_delay", "s", "reading a 1: read wordline to sense inverter"),
    "sram8t_mc_write_delay": ("cycle", "write_delay", "s", "write wordline to both nodes within 10 %, slower bit"),
    "sram8t_mc_cycle_slack": ("cycle", "margin", "s", "slack in the working cycle, as margins_cycle.py defines it"),
}
_MECHANISM_LABELS = {"mechanism": MECHANISMS}
# What a tail says: name, unit, description.
_TAILS = {
    "sram6t_tail_failure_probability": ("1", "probability that the margin of a cell is below 0, with 95 % interval"),
    "sram6t_tail_sigma": ("1", "equivalent sigma of the probability, with its interval"),
    "sram6t_tail_shift_norm": ("1", "distance of the most probable failure, sigmas"),
    "sram6t_tail_effective_samples": ("1", "effective number of failing importance samples"),
    "sram6t_tail_simulations": ("1", "margins that were simulated"),
}


def monte_carlo_bench(technology: Technology, corner: Corner, *, rows: int, monte_carlo: MonteCarloSettings) -> Bench:
    """Samples of all margins, delays and energies at ``corner`` with ``rows`` cells on the bitlines.

    For each of ``sram6t_mc_*`` and ``sram8t_mc_*``: the values [sample], NaN where a copy's simulation failed (the reason
    counts them), and ``<quantity>_statistics`` [statistic, bound]. ``sram6t_mc_failure_fraction`` [mechanism, bound]: part
    of the samples whose margin is below 0. Methods: ``estimates.py``; circuits: ``margins_*.py``.

    Raises:
        TechnologyError: if global variation is asked for and the technology does not state it.
    """
    conditions = yield from find_conditions(technology, corner, rows)
    found = find_mechanisms(technology, corner, conditions)
    population = Population.of(technology, [each.transistors for each in found.values()], monte_carlo.variation)
    z = standard_normals(monte_carlo, population.dimensions)
    results: dict[str, Sampled] = {}
    for name, mechanism in found.items():
        if not mechanism.reason:
            results[name] = yield from mechanism.of(population, z, monte_carlo.pack)
    reasons = {name: mechanism.reason for name, mechanism in found.items() if mechanism.reason}
    measured = []
    for quantity, (name, value, unit, description) in _QUANTITIES.items():
        result = results.get(name)
        measured += _distribution(quantity, unit, description, result, value, reasons.get(name, conditions.reason))
    rates = [
        fraction(results[name].values["margin"][~results[name].failed] < 0) if name in results else np.full(3, np.nan)
        for name in MECHANISMS
    ]
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
            description="part of the samples with a margin below 0, with its exact 95 % interval (cycle: 8T)",
        )
    )
    return measured


def _distribution(
    quantity: str, unit: str, description: str, result: Sampled | None, value: str, reason: str
) -> list[Measurement]:
    """The samples of one quantity and what they say."""
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
            description=f"{description}: over the samples, with 95 % intervals",
        ),
    ]


def tail_bench(technology: Technology, corner: Corner, *, rows: int, monte_carlo: MonteCarloSettings) -> Bench:
    """Failure probabilities of the four mechanisms at ``corner``, however small, by importance sampling.

    ``sram6t_tail_failure_probability`` and ``sram6t_tail_sigma`` [mechanism, bound], ``sram6t_tail_shift_norm``,
    ``sram6t_tail_effective_samples`` and ``sram6t_tail_simulations`` [mechanism]; NaN with a reason where the estimate
    cannot be trusted. Method: ``importance.py``; margins: ``mechanisms.py``. A plan's supplies give the axis over V_DD.
    """
    conditions = yield from find_conditions(technology, corner, rows)
    found = find_mechanisms(technology, corner, conditions)
    values = {name: np.full((len(MECHANISMS), *_tail_shape(name)), np.nan) for name in _TAILS}
    reasons: list[str] = []
    decks: dict[str, None] = {}
    for place, name in enumerate(MECHANISMS):
        mechanism = found.get(name)
        reason = conditions.reason if mechanism is None else mechanism.reason
        if mechanism is None or reason:
            reasons.append(f"{name}: {reason}")
            continue
        population = Population.of(technology, [mechanism.transistors], monte_carlo.variation)
        margin = _Margin(mechanism, population, monte_carlo.pack, decks)
        tail = yield from tail_probability(
            margin, population.dimensions, samples=monte_carlo.tail_samples, seed=monte_carlo.seed
        )
        if tail.reason:
            reasons.append(f"{name}: {tail.reason}")
        low, high = tail.interval
        values["sram6t_tail_failure_probability"][place] = tail.probability, low, high
        values["sram6t_tail_sigma"][place] = tail.sigma, *tail.sigma_interval
        values["sram6t_tail_shift_norm"][place] = tail.shift_norm
        values["sram6t_tail_effective_samples"][place] = tail.effective
        values["sram6t_tail_simulations"][place] = tail.simulated
    return [
        Measurement(
            name=name,
            unit=unit,
            value=values[name],
            dims=("mechanism", "bound")[: values[name].ndim],
            labels={**_MECHANISM_LABELS, **({"bound": BOUNDS} if values[name].ndim == 2 else {})},
            reason="; ".join(reasons),
            decks=tuple(decks),
            description=description,
        )
        for name, (unit, description) in _TAILS.items()
    ]


def _tail_shape(name: str) -> tuple[int, ...]:
    return (len(BOUNDS),) if name.endswith(("probability", "sigma")) else ()


class _Margin:
    """The margin of a mechanism as a function of z, which keeps the hashes of its decks."""

    def __init__(self, mechanism: Mechanism, population: Population, pack: int, decks: dict[str, None]) -> None:
        self.mechanism, self.population, self.pack, self.decks = mechanism, population, pack, decks

    def __call__(self, z: Array) -> Generator[list[Simulation], list[Outcome], Array]:
        result = yield from self.mechanism.of(self.population, z, self.pack)
        self.decks.update(dict.fromkeys(result.decks))
        return result.values["margin"]
