"""Compiled steps: one network, one sample, one time step after the other, driven by the spikes that there are.

All layers of a network are rows of one table (``record.RECORD``), so that one compiled function runs any network.
Buffers of a sample, all flat, each layer at its own offset:

    values     uint8   what a layer passes on: spikes (0, 1), or sums of a pool; images as (height, width, channels)
    membranes  int16

An input of value x counts as x events; the integration of a step costs time by the number of events:

    active inputs  the bytes of 64 inputs become a word, its 1s the numbers of the rows to add (``active``)
    dense          the rows of the weights are added in registers (``sum_rows``); if more than half of the inputs are
                   active, those of the others are taken from the sum of all
    convolution    at each place of the image the rows of the active channels are added to a padded image of sums, a
                   contiguous run for each line of the kernel (output channels innermost)

Sums and the branch-free update of the neurons are int16; or int32 for a network whose sums or membranes could leave int16.
"""

import numba
import numpy as np

from pyspice_cim.behavioral.kernels.record import CLAMP, CONV, DENSE, EXPONENTIAL, MAX_POOL, TOWARD_ZERO
from pyspice_cim.behavioral.kernels.simd import add_row, copy_block, lowest_bit, ones, spike_word, sum_rows

# Of the state of samples that run together.
BLOCK_BYTES = 1 << 16
# Which inputs ``active`` lists: those with a spike, or the others.
NO_FLIP, FLIP = np.int64(0), np.int64(-1)
# A literal in a call would have a function compiled once more for it; these have the types of variables.
FRONT, FRESH, ON_TOP = np.int64(0), np.bool_(False), np.bool_(True)

_compiled = numba.njit(nogil=True, cache=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@_compiled
def active(values, start, count, many, first, rows, at, flip):
    """List the active inputs: ``rows[at], rows[at + 1], ..`` become ``first`` + their numbers; returns the new end.

    With ``many`` an input of value x is listed x times; with ``flip`` (-1, else 0) those that are not active are listed.
    Writes up to 8 entries past the end.
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
        # Eight at once without a question: a loop that ends at the last 1 is mispredicted in every word.
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
    """``sums[at:]``: of all ``rows[first:last]``, in portions that an int16 holds; with ``add`` on top of what is there."""
    for begin in range(first, max(last, first + 1), layer.rows_at_once):
        count = min(layer.rows_at_once, last - begin)
        on_top = add or begin > first
        sum_rows(weights, start, layer.lanes, lanes, rows, begin, count, layer.group, sums, at, on_top)


@_compiled
def fire(v, v_at, sums, sums_at, spikes, spikes_at, count, layer):
    """Decay, integrate, saturate, fire and reset ``count`` neurons in the integers of ``sums``; equals ``ldlif_step``."""
    number = sums.dtype.type
    v_at, sums_at, spikes_at = np.uint64(v_at), np.uint64(sums_at), np.uint64(spikes_at)
    if layer.decay == EXPONENTIAL:
        beta, shift = np.int32(layer.beta), np.int32(layer.shift)
        for i in range(np.uint64(count)):
            before = v[v_at + i]
            x = np.int32(before)
            x = np.int32(np.int32((x if x > 0 else np.int32(-x)) * beta) >> shift)
            v[v_at + i] = x if before > 0 else -x
    # The linear rules are max(v - lambda, 0) + min(v + lambda, 0), the second term for "clamp" left out; the others
    # have no lambda here.
    lambda_ = number(layer.lambda_ if layer.decay == CLAMP or layer.decay == TOWARD_ZERO else 0)
    below = number(0 if layer.decay == CLAMP else -1)
    theta, vmin, vmax, zero = number(layer.theta), number(layer.vmin), number(layer.vmax), number(0)
    kept = number(-1 if layer.subtract else 0)
    # A sum beyond this saturates whatever the membrane was; cutting it here keeps the total within the integers.
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
    """One step of a fully connected or recurrent layer; the own spikes of the step before lie in ``values`` still."""
    end = active(values, layer.source, layer.inputs, layer.many, FRONT, rows, FRONT, NO_FLIP)
    begin, more = FRONT, FRESH
    if layer.divisor > 1:
        sum_all(weights, layer.weights, layer.lanes, layer, rows, FRONT, end, sums, FRONT, FRESH)
        for i in range(layer.lanes):
            sums[i] //= layer.divisor
        begin, more = end, ON_TOP
    elif 2 * end > layer.inputs and not layer.many:
        # Most inputs are active: those that are not are fewer, and what they do not add is missing from the total.
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
    """One step of a convolution. ``sums`` is the image of every place that a kernel can reach, stride 1."""
    channels, width = layer.channels, layer.width
    line = (width + layer.size_x - 1) * layer.out_channels
    # A place adds a contiguous run to each line of its kernel.
    run = layer.size_x * layer.out_channels
    sums[: (layer.height + layer.size_y - 1) * line] = 0
    if channels == 1:
        # One channel: the places are listed, not the channels of each, and every one adds the same row.
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
    # With a stride the neurons are every so many places, else whole lines.
    places, length = (layer.out_width, layer.out_channels) if layer.step > 1 else (1, row)
    left, top = layer.size_x - 1 - layer.padding, layer.size_y - 1 - layer.padding
    for y in range(layer.out_height):
        for x in range(places):
            at = (y * layer.step + top) * line + (x * layer.step + left) * layer.out_channels
            to = y * row + x * layer.out_channels
            fire(v, layer.membrane + to, sums, at, values, layer.target + to, length, layer)


@_compiled
def pool(layer, values):
    """One step of a pool: the OR (largest value) or the sum of every window, channel by channel."""
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
    """Copy the frame (channels, places) at ``first`` to the front of ``values`` as (places, channels).

    Returns:
        Whether it is all 0 and 1.
    """
    seen = np.int64(0)
    if channels == 1 and places >= 64:
        for i in range(0, places - 64, 64):
            seen |= copy_block(spikes, first + i, values, i)
        # The last block ends where the frame ends, and may lie over the one before.
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
    """Run samples ``first`` to ``last`` over all steps of ``spikes`` (time, batch, channels, places).

    Args:
        totals: int32, for each membrane of a fully connected layer the sum of the weights of all inputs.
        values, membranes: state of every sample before and after, (batch, all layers).
        counts: spikes of the last layer, added to, (batch, outputs).
        trains: copies of ``values`` in every step, (time, batch, all layers), or with no step: none are kept.
        rows, sums: scratch; int32 for the rows that can be active and ``record.SLACK``, int16 or int32 for the
            sums of a layer.

    Returns:
        Whether all input spikes were 0 or 1.
    """
    output, valid, flat = layers[layers.size - 1], True, spikes.reshape(-1)
    batch, channels, places = spikes.shape[1:]
    frame = channels * places
    # Some samples take a step before all take the next: their frames lie side by side in memory, and their state still
    # fits in the cache.
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
