"""The table of integers that tells the compiled kernels which layers to run: one record a layer.

The table is not in the kernel modules, so that a network can be laid out without the long import of Numba.
"""

import numpy as np

DENSE, CONV, MAX_POOL, SUM_POOL = range(4)
CLAMP, TOWARD_ZERO, NO_DECAY, EXPONENTIAL = range(4)
# One record. A layer reads ``values[source : source + inputs]`` and writes ``values[target : target + outputs]``.
RECORD = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("kind", "source", "inputs", "target", "outputs", "membrane"),
            *("weights", "lanes", "group", "rows_at_once", "many", "divisor", "recurrent"),
            *("decay", "lambda_", "theta", "vmin", "vmax", "subtract", "beta", "shift"),
            *("height", "width", "channels", "size_y", "size_x", "step", "padding"),
            *("out_height", "out_width", "out_channels"),
        )
    ]
)
# Spare entries after each buffer of values and each list of rows. The kernels may read or write these entries.
SLACK = 64
# The kernels process the columns of a weight matrix in multiples of this number. Spare columns hold zeros.
LANES = 16
