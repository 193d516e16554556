"""Circuit effects in inference: accesses that fail and cells that are stuck, bit by bit in the operations of the macros.

Per access, each bit of each column independently::

    membrane_read    the sense gate of a membrane bit gives the other bit
    weight_read      the global read line gives the other bit of a weight (or of a scratch word)
    membrane_write   the cell keeps its old bit (membranes and scratch words)
    late_sum         the sum comes too late for its latch, which keeps the bit of the cycle before

Per cell, once for a chip: ``weight_write``, a weight bit was stored as the other one; ``stuck_at_0``, ``stuck_at_1``, a cell
of a weight, a membrane or a scratch word that holds this bit whatever is written.

A wrong bit then does what it does in the array: it runs along the carry, stays in the word, sets the flag. The controller,
the row decoders and the wires between macros do not fail. Reads fail both ways, though a bitline that is slow can only turn
a 1 into a 0: this overstates the errors of reads.

Randomness: a chip is drawn from (seed, layer); the accesses of a sample from (seed, layer, the sample's index in its data
set), so that no result depends on the order of samples, on tiles, or on threads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from pyspice_cim.behavioral import macro_table as table
from pyspice_cim.behavioral.execution import Execution, LayerFaults, execute
from pyspice_cim.behavioral.kernels import TILE_BYTES
from pyspice_cim.behavioral.macro_layout import Faults, layout_of, planes_of
from pyspice_cim.behavioral.mapping import LayerMap
from pyspice_cim.behavioral.mapping import Mapping as NetworkMapping
from pyspice_cim.errors import ConfigError
from pyspice_cim.tables import Lookup, Table

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class FaultRates:
    """Probabilities of failure, 0..1 each, see the top of this module.

    Raises:
        ConfigError: if a rate is out of its range, or ``stuck_at_0`` and ``stuck_at_1`` are more than 1 together.
    """

    membrane_read: float = 0.0
    membrane_write: float = 0.0
    weight_read: float = 0.0
    late_sum: float = 0.0
    weight_write: float = 0.0
    stuck_at_0: float = 0.0
    stuck_at_1: float = 0.0

    def __post_init__(self) -> None:
        for name, rate in asdict(self).items():
            if not 0.0 <= rate <= 1.0:
                raise ConfigError(f"{name} is {rate!r}; a rate of failures is 0 to 1")
        if self.stuck_at_0 + self.stuck_at_1 > 1.0:
            raise ConfigError(
                f"stuck_at_0 is {self.stuck_at_0} and stuck_at_1 {self.stuck_at_1}; a cell is stuck at one bit: together "
                f"they are at most 1"
            )


def rates_from_table(figures: Table, quantities: Mapping[str, str], *, process: str = "tt", **place: Any) -> FaultRates:
    """Rates that a table holds.

    Args:
        quantities: field of ``FaultRates`` to the name of a quantity of the table, such as
            ``{"membrane_read": "sram8t_read_failure_probability"}``; other rates are 0.
        place: where to look up: the axes of these quantities, as for ``tables.Lookup``.

    Raises:
        ConfigError: if a field is none of ``FaultRates``.
        TableError: if the table has no such quantity, or does not reach there.
    """
    known = [field.name for field in fields(FaultRates)]
    for name in quantities:
        if name not in known:
            raise ConfigError(f"{name!r} is no rate; there are {', '.join(known)}")
    look = Lookup(figures)
    return FaultRates(**{name: float(look(found, process=process, **place)) for name, found in quantities.items()})


def timing_rates(
    figures: Table,
    cycle: float,
    *,
    vdd: float,
    temperature_c: float = 27.0,
    process: str = "tt",
    rows: int = 16,
    segments: int = 16,
    bound: str = "estimate",
) -> FaultRates:
    """Rates of cells that are too slow for a ``cycle`` (s), from the tails of a table.

    A column of ``segments`` segments whose nominal cells need the cycle T_0 gives them at T the time that one segment has at
    the cycle margin ``(T - T_0) / T_1``, T_1 the shortest cycle of one segment (``characterization.margins_cycle``)::

        stuck_at_0 = P_read + P_write / 2        stuck_at_1 = P_write / 2        P = Q(sram8t_tail_sigma)

    since mismatch does not change from access to access: a cell whose 1 comes too late always reads as 0, and one that is
    written too slowly keeps the bit that it had. Weights are written at leisure, so P_write overstates their part. Above
    the largest cycle margin of the table, its rate counts: a bound from above.

    Args:
        figures: with ``column_minimum_cycle`` of one and of ``segments`` segments, and ``sram8t_tail_sigma``.
        bound: ``estimate``, or ``lower`` or ``upper`` of the 95 % interval of the sigmas.

    Raises:
        ConfigError: if not even nominal cells work at this cycle, or for another bound.
        TableError: if the table lacks one of the quantities, or does not reach there.
    """
    look = Lookup(figures)
    place = {"vdd": vdd, "temperature_c": temperature_c}
    one, all_of_them = (
        float(look("column_minimum_cycle", process=process, column_rows=rows, column_segments=n, **place))
        for n in (1, segments)
    )
    if cycle < all_of_them:
        raise ConfigError(
            f"cycle is {cycle:.4g} s; at vdd = {vdd:g} V nominal columns need {all_of_them:.4g} s: take a longer one"
        )
    sigma = figures.quantity("sram8t_tail_sigma")
    bounds = [str(each) for each in sigma["bound"].values]
    if bound not in bounds:
        raise ConfigError(f"bound is {bound!r}; it must be one of {', '.join(bounds)}")
    margin = min((cycle - all_of_them) / one, float(sigma["cycle_margin"].values.max()))
    found = look("sram8t_tail_sigma", process=process, tail_rows=rows, cycle_margin=margin, **place)
    late = dict(zip(sigma["access"].values.tolist(), norm.sf(found[:, bounds.index(bound)]).tolist(), strict=True))
    return FaultRates(stuck_at_0=late["read"] + late["write"] / 2, stuck_at_1=late["write"] / 2)


def run_with_faults(
    mapping: NetworkMapping,
    spikes: Any,
    rates: FaultRates,
    *,
    seed: int,
    indices: Sequence[int] | NDArray[np.integer[Any]] | None = None,
    threads: int | None = None,
    record: bool = False,
    tile_bytes: int = TILE_BYTES,
) -> Execution:
    """Run ``mapping`` on a chip with faults; events are not counted.

    Args:
        seed: of the chip and of its failures, 0 or more.
        indices: index of each sample in its data set, by default 0, 1, ..
        spikes, threads, record, tile_bytes: as for ``execution.execute``.

    Raises:
        DataError, ConfigError: as ``execution.execute``; for another number of indices, or a negative number.
    """
    if seed < 0:
        raise ConfigError(f"seed is {seed}; it must be 0 or more")
    numbers = np.arange(spikes.shape[1]) if indices is None else np.asarray(indices)
    if numbers.shape != spikes.shape[1:2] or (numbers < 0).any():
        raise ConfigError(f"indices have shape {numbers.shape}; give one number of 0 or more for each sample")
    faults = [layer_faults(mapped, rates, [seed, at], numbers) for at, mapped in enumerate(mapping.maps)]
    return execute(mapping, spikes, threads, faults=faults, record=record, tile_bytes=tile_bytes)


def layer_faults(mapped: LayerMap, rates: FaultRates, seed: Sequence[int], indices: Ints) -> LayerFaults:
    """Faults of one layer of a chip; samples are drawn from ``seed`` and their entry of ``indices``."""
    config, groups = mapped.config, len(mapped.groups)
    chip = np.random.default_rng([*seed, 0])

    def stored(g: int, t: int, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        shape, bits = weights.shape, config.weight_bits
        wrong = _bits(chip, shape, bits, rates.weight_write, 0.0)[0]
        zeros, ones = _bits(chip, shape, bits, rates.stuck_at_0, rates.stuck_at_1)
        return stuck_weights(weights ^ wrong, zeros, ones, bits)

    layout = layout_of(mapped, stored)

    def stuck(words: int) -> Ints:
        masks = _bits(chip, (words, config.neurons), config.bits, rates.stuck_at_0, rates.stuck_at_1)
        return np.ascontiguousarray(np.stack([planes_of(mask, config.bits) for mask in masks], axis=2))

    words = stuck(mapped.macros)
    scratch = stuck(groups if mapped.macros > groups else 1)
    accesses = [rates.membrane_read, rates.membrane_write, rates.weight_read, rates.late_sum]
    with np.errstate(divide="ignore"):
        log_kept = np.log1p(-np.array(accesses))

    def draw(some: slice) -> Faults:
        from pyspice_cim.behavioral.kernel_faults import first_gaps

        streams = np.array(
            [np.random.SeedSequence([*seed, 1, int(i)]).generate_state(table.CLASSES, np.uint64) for i in indices[some]]
        )
        return Faults(
            any=True,
            stuck=words,
            stuck_scratch=scratch,
            streams=streams,
            gaps=first_gaps(streams, log_kept),
            log_kept=log_kept,
        )

    return LayerFaults(layout=layout, draw=draw)


def stuck_weights(weights: NDArray[Any], zeros: NDArray[Any], ones: NDArray[Any], bits: int) -> NDArray[np.int8]:
    """Weights of ``bits`` in two's complement as their cells read: ``(w AND NOT zeros) OR ones``, bit by bit.

    ``zeros``, ``ones``: masks of the cells stuck at 0 and at 1, of the weights' shape.
    """
    half = 1 << (bits - 1)
    cells = ((np.asarray(weights, np.int64) & ~np.asarray(zeros, np.int64)) | ones) & (2 * half - 1)
    return ((cells ^ half) - half).astype(np.int8)


def _bits(
    rng: np.random.Generator, shape: tuple[int, ...], bits: int, first: float, second: float
) -> tuple[Ints, Ints]:
    """Masks of ``bits``: of each bit with the rate ``first``, and, of the others, so that its rate is ``second``."""
    masks = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    if first or second:
        for bit in range(bits):
            drawn = rng.random(shape)
            masks[0][drawn < first] |= 1 << bit
            masks[1][(drawn >= first) & (drawn < first + second)] |= 1 << bit
    return masks
