"""The table that tells the compiled kernels what to run: a row a layer, all numbers.

Apart from the kernels, so that a network can be laid out without Numba, which takes long to import.
"""

import numpy as np

DENSE, CONV, MAX_POOL, SUM_POOL = range(4)
CLAMP, TOWARD_ZERO, NO_DECAY, EXPONENTIAL = range(4)
# A row of the table. Inputs: ``source`` .. ``source + inputs`` of ``values``; outputs likewise from ``target``.
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
# Bytes behind every buffer of values, and numbers behind every list of rows, that may be read or written in passing.
SLACK = 64
# The kernels take columns of weights by this many; more are filled with zeros.
LANES = 16
