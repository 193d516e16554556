"""Circuit effects in inference: accesses that fail and cells that are stuck, bit by bit in the operations of the macros.

Per access, each bit of each column independently::

    membrane_read    the sense gate of a membrane bit gives the other bit
    weight_read      the global read line gives the other bit of a weight (or of a scratch word)
    membrane_write   the cell keeps its old bit (membranes and scratch words)
    late_sum         the sum comes too late for its latch, which keeps the bit of the cycle before

Per cell, once for a chip::

    weight_write              a weight bit was stored as the other one
    stuck_at_0, stuck_at_1    a cell of a weight, a membrane or a scratch word holds this bit whatever is written
    slow_read                 such a cell is too slow to discharge its bitline: it always reads as 0
    slow_write                a cell of a membrane or a scratch word is too slow to be written: it keeps the bit that it woke up
                              with, 0 or 1 alike; weights are written at leisure

A wrong bit then does what it does in the array: it runs along the carry, stays in the word, sets the flag. The controller,
the row decoders and the wires between macros do not fail. Reads fail both ways, though a bitline that is slow can only turn
a 1 into a 0: this overstates the errors of reads.

Randomness: a chip is drawn from (seed, layer); the accesses of a sample from (seed, layer, the sample's index in its data
set), so that no result depends on the order of samples, on tiles, or on threads.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.faults.rates import FaultRates, rates_from_table, timing_rates, variation_rates
from pyspice_cim.behavioral.kernels import program as table
from pyspice_cim.behavioral.kernels.run import TILE_BYTES
from pyspice_cim.behavioral.macro.execution import Execution, LayerFaults, execute
from pyspice_cim.behavioral.macro.layout import Faults, layout_of, planes_of
from pyspice_cim.behavioral.macro.mapping import LayerMap
from pyspice_cim.behavioral.macro.mapping import Mapping as NetworkMapping
from pyspice_cim.behavioral.network.reference import check_shape
from pyspice_cim.checks import as_sliceable, check_integer
from pyspice_cim.errors import ConfigError

__all__ = ["FaultRates", "rates_from_table", "run_with_faults", "timing_rates", "variation_rates"]
Ints = NDArray[np.int64]


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
        spikes, threads, record, tile_bytes: as for ``macro.execution.execute``.

    Raises:
        DataError, ConfigError: as ``macro.execution.execute``; for another number of indices, or a negative number.
    """
    seed = check_integer("seed", seed, 0)
    spikes = as_sliceable(spikes)
    check_shape(tuple(spikes.shape))
    numbers = np.arange(spikes.shape[1]) if indices is None else np.asarray(indices)
    if numbers.dtype.kind not in "iu":
        raise ConfigError(f"indices are of type {numbers.dtype}; give one integer of 0 or more for each sample")
    if numbers.shape != tuple(spikes.shape[1:2]):
        raise ConfigError(f"indices have shape {numbers.shape}; give one integer of 0 or more for each sample")
    if (numbers < 0).any():
        raise ConfigError(f"indices hold {numbers.min()}; give one integer of 0 or more for each sample")
    faults = [layer_faults(mapped, rates, [seed, at], numbers) for at, mapped in enumerate(mapping.maps)]
    return execute(mapping, spikes, threads, faults=faults, record=record, tile_bytes=tile_bytes)


def layer_faults(mapped: LayerMap, rates: FaultRates, seed: Sequence[int], indices: Ints) -> LayerFaults:
    """Faults of one layer of a chip; samples are drawn from ``seed`` and their entry of ``indices``."""
    config, groups = mapped.config, len(mapped.groups)
    chip = np.random.default_rng([*seed, 0])

    def stored(g: int, t: int, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        shape, bits = weights.shape, config.weight_bits
        wrong = _bits(chip, shape, bits, rates.weight_write, 0.0)[0]
        zeros, ones = _bits(chip, shape, bits, *rates.held(written=False))
        return stuck_weights(weights ^ wrong, zeros, ones, bits)

    layout = layout_of(mapped, stored)

    def stuck(words: int) -> Ints:
        masks = _bits(chip, (words, config.neurons), config.bits, *rates.held(written=True))
        return np.ascontiguousarray(np.stack([planes_of(mask, config.bits) for mask in masks], axis=2))

    words = stuck(mapped.macros)
    scratch = stuck(groups if mapped.macros > groups else 1)
    accesses = [rates.membrane_read, rates.membrane_write, rates.weight_read, rates.late_sum]
    with np.errstate(divide="ignore"):
        log_kept = np.log1p(-np.array(accesses))

    def draw(some: slice) -> Faults:
        from pyspice_cim.behavioral.kernels.faults import first_gaps

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
