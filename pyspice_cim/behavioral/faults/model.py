"""Inference on macros with faults: failed accesses and stuck cells, bit by bit in every operation.

A scratch word in the home macro receives the sum of a partial-sum macro. Faults of an access hit each bit of each
column independently::

    membrane_read    the sense gate of a membrane bit gives the other bit (read failure)
    weight_read      the global read line gives the other bit of a weight or of a scratch word (read failure)
    membrane_write   the cell of a membrane or of a scratch word keeps its old bit (write failure)
    late_sum         the sum is too late for its latch; the latch keeps the bit of the previous cycle

Faults of a cell are drawn once per chip::

    weight_write     the cell of a weight holds the other bit
    stuck_at_0       the cell always holds 0, whatever is written; stuck_at_1 likewise
    slow_read        the cell is too slow to discharge its bitline: it always reads as 0
    slow_write       the cell of a membrane or of a scratch word is too slow to write: it keeps a random bit

A wrong bit acts as in the array: it changes the carry, the stored word and the flag. The controller, the row decoders
and the wires between macros have no faults. ``membrane_read`` and ``weight_read`` turn a 0 into a 1 as often as a 1
into a 0. A slow bitline can only turn a 1 into a 0, so these rates overstate its errors.

The number of good accesses before a failed one is geometric. With the failure rate p and u uniform in (0, 1]:

    gap = floor(ln u / ln(1 - p))

(L. Devroye, "Non-Uniform Random Variate Generation", Springer, 1986, chapter X). u comes from the generator SplitMix64
(G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014), see ``kernels/faults.py``.

The generator of a chip has the seed (seed, layer). The generators of a sample have the seed (seed, layer, index of the
sample in its data set). So no result depends on the order of samples, on tiles or on threads.
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
    """Run a mapped network on one chip with faults.

    Args:
        mapping: the network on its macros.
        spikes: input spikes 0 or 1, shape (time, batch, *shape of a sample).
        rates: failure rates.
        seed: seed of the chip and of its failed accesses, 0 or more.
        indices: index of each sample in its data set, shape (batch,), 0 or more; by default 0, 1, 2, ...
        threads: number of threads; by default one per processor.
        record: whether to keep the spikes of all layers and steps.
        tile_bytes: memory limit of the run, in bytes.

    Returns:
        Spike counts, membranes and, with ``record``, spikes. Events are not counted.

    Raises:
        DataError: if ``spikes`` have another shape, or are not 0 or 1.
        ConfigError: if ``seed``, ``indices`` or ``threads`` are out of range, or ``indices`` have another shape.
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
    """Return the faults of one layer of a chip.

    Args:
        mapped: the layer on its macros.
        rates: failure rates.
        seed: seed of the chip and number of the layer.
        indices: index of each sample in its data set, shape (batch,).

    Returns:
        The weights as the cells hold them, and a function that draws the failed accesses of a slice of the batch.
    """
    config, groups = mapped.config, len(mapped.groups)
    chip = np.random.default_rng([*seed, 0])

    def stored(g: int, t: int, weights: NDArray[np.int8]) -> NDArray[np.int8]:
        shape, bits = weights.shape, config.weight_bits
        wrong = _bits(chip, shape, bits, rates.weight_write, 0.0)[0]
        zeros, ones = _bits(chip, shape, bits, *rates.stuck_shares(written=False))
        return stuck_weights(weights ^ wrong, zeros, ones, bits)

    layout = layout_of(mapped, stored)

    def stuck(words: int) -> Ints:
        masks = _bits(chip, (words, config.neurons), config.bits, *rates.stuck_shares(written=True))
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
    """Return the weights that stuck cells hold: ``(w AND NOT zeros) OR ones``, bit by bit.

    Args:
        weights: integers in two's complement, any shape.
        zeros, ones: bit masks of the cells stuck at 0 and at 1, shape of ``weights``.
        bits: bits of a weight, 2 to 8.

    Returns:
        Weights, shape of ``weights``, -2^(bits - 1) to 2^(bits - 1) - 1.
    """
    half = 1 << (bits - 1)
    cells = ((np.asarray(weights, np.int64) & ~np.asarray(zeros, np.int64)) | ones) & (2 * half - 1)
    return ((cells ^ half) - half).astype(np.int8)


def _bits(
    rng: np.random.Generator, shape: tuple[int, ...], bits: int, first: float, second: float
) -> tuple[Ints, Ints]:
    """Return two bit masks without a common bit; ``first`` and ``second`` are the probabilities of a 1 in them."""
    masks = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    if first or second:
        for bit in range(bits):
            drawn = rng.random(shape)
            masks[0][drawn < first] |= 1 << bit
            masks[1][(drawn >= first) & (drawn < first + second)] |= 1 << bit
    return masks
