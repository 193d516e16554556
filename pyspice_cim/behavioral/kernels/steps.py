"""Compiled time steps of a network, sample by sample and step by step, with work in proportion to the spikes.

All layers of a network are records of one table (``record.RECORD``). One compiled function thus runs any network.
The buffers of a sample are flat. Each layer has its own offset:

    values     uint8   outputs of a layer: spikes (0, 1) or sums of a pool; images as (height, width, channels)
    membranes  int16

An input of value x counts as x events. The time of an integration grows with the number of events:

    active inputs  ``active`` turns the bytes of 64 inputs into the bits of one word and lists the numbers of the 1s
    dense          ``sum_rows`` adds the weight-matrix rows of the active inputs in registers; if more than half of the
                   inputs are active, the rows of the inactive inputs are subtracted from the sum of all rows
    convolution    the rows of the active channels of each pixel are added to a padded image of sums; each kernel row
                   adds one contiguous run, because the output channels are innermost

The sums and the update of the neurons, which has no branches, use int16. They use int32 if a sum or a membrane of the
network could leave the range of int16.
"""

import numba
import numpy as np

from pyspice_cim.behavioral.kernels.record import CLAMP, CONV, DENSE, EXPONENTIAL, MAX_POOL, TOWARD_ZERO
from pyspice_cim.behavioral.kernels.simd import add_row, copy_block, lowest_bit, ones, spike_word, sum_rows

# Bound of the state of samples that run together, in bytes.
BLOCK_BYTES = 1 << 16
# Which inputs ``active`` lists: active inputs (NO_FLIP) or inactive inputs (FLIP).
NO_FLIP, FLIP = np.int64(0), np.int64(-1)
# Numba compiles a function again for a literal argument. These constants have the types of variables.
FRONT, FRESH, ON_TOP = np.int64(0), np.bool_(False), np.bool_(True)

_compiled = numba.njit(nogil=True, cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_compiled
def active(values, start, count, many, first, rows, at, flip):
    """List the active inputs of a layer.

    Args:
        values: uint8, flat.
        start, count: the inputs are ``values[start : start + count]``.
        many: whether to list an input of value x x times.
        first: number that is added to each listed input.
        rows: int32, gets the numbers from ``rows[at]`` on. Up to 8 entries past the last number are overwritten.
        at: first place in ``rows``.
        flip: ``NO_FLIP`` lists the active inputs; ``FLIP`` lists the inactive inputs.

    Returns:
        The place after the last number.
    """
    for base in range(0, count, 64):
        word = spike_word(values, start + base) ^ flip
        if count - base < 64:
            word &= (np.int64(1) << (count - base)) - 1
        n = ones(word)
        if many:
            for _ in range(n):
                row = lowest_bit(word)
                word &= word - 1
                for _ in range(values[start + base + row]):
                    rows[at] = first + base + row
                    at += 1
            continue
        # Eight numbers are written without a test. A loop that ends at the last 1 is mispredicted in each word.
        for i in range(8):
            rows[at + i] = first + base + lowest_bit(word)
            word &= word - 1
        if n > 8:
            for i in range(8, n):
                rows[at + i] = first + base + lowest_bit(word)
                word &= word - 1
        at += n
    return at


@_compiled
def sum_all(weights, start, lanes, layer, rows, first, last, sums, at, add):
    """Write the sum of the weight-matrix rows ``rows[first:last]`` to ``sums[at:]``.

    Args:
        weights: int8, flat.
        start: offset of the first row in ``weights``.
        lanes: number of columns to add, a multiple of 16.
        layer: ``record.RECORD``. ``layer.rows_at_once`` rows are added at once, so that a partial sum fits in int16.
        rows: int32, row numbers.
        first, last: range in ``rows``.
        sums: int16 or int32.
        at: first place in ``sums``.
        add: whether to add to the present content of ``sums``.
    """
    for begin in range(first, max(last, first + 1), layer.rows_at_once):
        count = min(layer.rows_at_once, last - begin)
        on_top = add or begin > first
        sum_rows(weights, start, layer.lanes, lanes, rows, begin, count, layer.group, sums, at, on_top)


@_compiled
def fire(v, v_at, sums, sums_at, spikes, spikes_at, count, layer):
    """Decay, integrate, saturate, fire and reset ``count`` neurons. The result equals ``ldlif_step`` bit for bit.

    ``neuron/ldlif.py`` has the equations. Source of the linear decay: LD-LIF, arXiv 2603.12739.

    Args:
        v: int16, membranes, updated in place from ``v[v_at]`` on.
        sums: int16 or int32, synaptic sums from ``sums[sums_at]`` on.
        spikes: uint8, overwritten from ``spikes[spikes_at]`` on.
        count: number of neurons.
        layer: ``record.RECORD``.
    """
    number = sums.dtype.type
    v_at, sums_at, spikes_at = np.uint64(v_at), np.uint64(sums_at), np.uint64(spikes_at)
    if layer.decay == EXPONENTIAL:
        beta, shift = np.int32(layer.beta), np.int32(layer.shift)
        for i in range(np.uint64(count)):
            before = v[v_at + i]
            x = np.int32(before)
            x = np.int32(np.int32((x if x > 0 else np.int32(-x)) * beta) >> shift)
            v[v_at + i] = x if before > 0 else -x
    # The rule "toward_zero" is max(v - lambda, 0) + min(v + lambda, 0). The rule "clamp" is the first term alone.
    # For the other rules lambda is 0 here.
    lambda_ = number(layer.lambda_ if layer.decay == CLAMP or layer.decay == TOWARD_ZERO else 0)
    below = number(0 if layer.decay == CLAMP else -1)
    theta, vmin, vmax, zero = number(layer.theta), number(layer.vmin), number(layer.vmax), number(0)
    kept = number(-1 if layer.subtract else 0)
    # A sum beyond this limit saturates any membrane. The limit keeps the total within the range of the integers.
    reach = number(layer.vmax - layer.vmin)
    for i in range(np.uint64(count)):
        before, drive = v[v_at + i], sums[sums_at + i]
        down, up = number(before - lambda_), number(before + lambda_)
        down, up = (down if down > zero else zero), (up if up < zero else zero)
        drive = drive if drive < reach else reach
        drive = drive if drive > -reach else number(-reach)
        x = number(number(down + number(up & below)) + drive)
        x = x if x > vmin else vmin
        x = x if x < vmax else vmax
        fired = x >= theta
        v[v_at + i] = number(number(x - theta) & kept) if fired else x
        spikes[spikes_at + i] = fired


@_compiled
def dense(layer, weights, totals, values, v, rows, sums):
    """One time step of a fully connected or recurrent layer.

    A recurrent layer reads its own spikes of the step before from ``values``. The layer then overwrites these spikes.

    Args:
        layer: ``record.RECORD``.
        weights, totals: as in ``plan.Plan``.
        values: uint8, outputs of all layers of a sample.
        v: int16, membranes of all layers of a sample.
        rows, sums: scratch, as for ``run_samples``.
    """
    end = active(values, layer.source, layer.inputs, layer.many, FRONT, rows, FRONT, NO_FLIP)
    begin, more = FRONT, FRESH
    if layer.divisor > 1:
        sum_all(weights, layer.weights, layer.lanes, layer, rows, FRONT, end, sums, FRONT, FRESH)
        for i in range(layer.lanes):
            sums[i] //= layer.divisor
        begin, more = end, ON_TOP
    elif 2 * end > layer.inputs and not layer.many:
        # Most inputs are active: the sum is the total of all rows less the rows of the few inactive inputs.
        end = active(values, layer.source, layer.inputs, layer.many, FRONT, rows, FRONT, FLIP)
        sum_all(weights, layer.weights, layer.lanes, layer, rows, FRONT, end, sums, FRONT, FRESH)
        for i in range(layer.lanes):
            sums[i] = totals[layer.membrane + i] - sums[i]
        begin, more = end, ON_TOP
    if layer.recurrent:
        end = active(values, layer.target, layer.outputs, FRONT, layer.inputs, rows, end, NO_FLIP)
    if end > begin or not more:
        sum_all(weights, layer.weights, layer.lanes, layer, rows, begin, end, sums, FRONT, more)
    fire(v, layer.membrane, sums, FRONT, values, layer.target, layer.outputs, layer)


@_compiled
def convolution(layer, weights, values, v, rows, sums):
    """One time step of a convolution.

    ``sums`` holds an image of all positions that the kernel reaches at stride 1, padding included.

    Args:
        layer: ``record.RECORD``.
        weights: as in ``plan.Plan``.
        values: uint8, outputs of all layers of a sample.
        v: int16, membranes of all layers of a sample.
        rows, sums: scratch, as for ``run_samples``.
    """
    channels, width = layer.channels, layer.width
    line = (width + layer.size_x - 1) * layer.out_channels
    # Each pixel adds one contiguous run for each kernel row.
    run = layer.size_x * layer.out_channels
    sums[: (layer.height + layer.size_y - 1) * line] = 0
    if channels == 1:
        # One channel: the active pixels are listed, and each pixel adds the same weights.
        end = active(values, layer.source, layer.inputs, layer.many, FRONT, rows, FRONT, NO_FLIP)
        for i in range(end):
            at = (rows[i] // width) * line + (rows[i] % width) * layer.out_channels
            for y in range(layer.size_y):
                add_row(weights, layer.weights + y * run, run, sums, at + y * line)
    else:
        for y in range(layer.height):
            for x in range(width):
                place = layer.source + (y * width + x) * channels
                end = active(values, place, channels, layer.many, FRONT, rows, FRONT, NO_FLIP)
                if end:
                    at = y * line + x * layer.out_channels
                    for i in range(layer.size_y):
                        sum_all(
                            weights, layer.weights + i * run, run, layer, rows, FRONT, end, sums, at + i * line, ON_TOP
                        )
    if layer.divisor > 1:
        for i in range((layer.height + layer.size_y - 1) * line):
            sums[i] //= layer.divisor
    row = layer.out_width * layer.out_channels
    # With a stride above 1 the neurons are updated pixel by pixel, else a whole image row at once.
    places, length = (layer.out_width, layer.out_channels) if layer.step > 1 else (1, row)
    left, top = layer.size_x - 1 - layer.padding, layer.size_y - 1 - layer.padding
    for y in range(layer.out_height):
        for x in range(places):
            at = (y * layer.step + top) * line + (x * layer.step + left) * layer.out_channels
            to = y * row + x * layer.out_channels
            fire(v, layer.membrane + to, sums, at, values, layer.target + to, length, layer)


@_compiled
def pool(layer, values):
    """One time step of a pool. Each output is the OR or the sum of a window of one channel.

    Args:
        layer: ``record.RECORD``.
        values: uint8, outputs of all layers of a sample.
    """
    line = layer.width * layer.channels
    channels, most = np.uint64(layer.channels), layer.kind == MAX_POOL
    for y in range(layer.out_height):
        for x in range(layer.out_width):
            to = np.uint64(layer.target + (y * layer.out_width + x) * layer.channels)
            for c in range(channels):
                values[to + c] = 0
            for i in range(layer.size_y):
                for j in range(layer.size_x):
                    at = np.uint64(layer.source + (y * layer.step + i) * line + (x * layer.step + j) * layer.channels)
                    if most:
                        for c in range(channels):
                            values[to + c] |= values[at + c]
                    else:
                        for c in range(channels):
                            values[to + c] += values[at + c]


@_compiled
def load(spikes, first, channels, places, values):
    """Copy an input frame (channels, places) to the front of ``values`` in the order (places, channels).

    Args:
        spikes: uint8, flat.
        first: offset of the frame in ``spikes``.
        channels, places: size of the frame.
        values: uint8, overwritten.

    Returns:
        Whether all values of the frame are 0 or 1.
    """
    seen = np.int64(0)
    if channels == 1 and places >= 64:
        for i in range(0, places - 64, 64):
            seen |= copy_block(spikes, first + i, values, i)
        # The last block ends where the frame ends, and may overlap the block before.
        seen |= copy_block(spikes, first + places - 64, values, places - 64)
    else:
        for c in range(channels):
            for i in range(places):
                value = spikes[first + c * places + i]
                values[i * channels + c] = value
                seen |= value > 1
    return seen == 0


@numba.njit(nogil=True, cache=True, error_model="numpy", no_cfunc_wrapper=True)
def run_samples(layers, weights, totals, spikes, values, membranes, counts, trains, rows, sums, first, last):
    """Run the samples ``first`` to ``last - 1`` over all time steps of ``spikes``.

    Args:
        layers, weights, totals: as in ``plan.Plan``.
        spikes: uint8, (time, batch, channels, places).
        values: uint8, (batch, all layers), outputs of the step before, updated in place.
        membranes: int16, (batch, all layers), updated in place.
        counts: int64, (batch, outputs), spikes of the last layer, increased in place.
        trains: uint8, (time, batch, all layers), gets a copy of ``values`` in each step. With 0 steps nothing is
            copied.
        rows: int32, scratch for the rows that can be active and ``record.SLACK`` more.
        sums: int16 or int32, scratch for the sums of a layer.
        first, last: range of samples.

    Returns:
        Whether all input spikes were 0 or 1.
    """
    output, valid, flat = layers[layers.size - 1], True, spikes.reshape(-1)
    batch, channels, places = spikes.shape[1:]
    frame = channels * places
    # Some samples run a time step together, because their frames are adjacent in memory. The number of these samples is
    # limited so that their state fits in the cache.
    together = max(1, min(16, BLOCK_BYTES // (values.shape[1] + 2 * membranes.shape[1])))
    for begin in range(first, last, together):
        for step in range(spikes.shape[0]):
            for sample in range(begin, min(begin + together, last)):
                x, v = values[sample], membranes[sample]
                valid &= load(flat, (step * batch + sample) * frame, channels, places, x)
                for index in range(layers.size):
                    layer = layers[index]
                    if layer.kind == DENSE:
                        dense(layer, weights, totals, x, v, rows, sums)
                    elif layer.kind == CONV:
                        convolution(layer, weights, x, v, rows, sums)
                    else:
                        pool(layer, x)
                fired, count = x[output.target :], counts[sample]
                for i in range(output.outputs):
                    count[i] += fired[i]
                if trains.shape[0]:
                    kept = trains[step, sample]
                    for i in range(kept.size):
                        kept[i] = x[i]
    return valid
