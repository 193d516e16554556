"""The sequential baseline: the same memory of membranes, updated one neuron after the other.

Each neuron's word is chosen by a row decoder, read, carried to one update datapath, updated, carried back and written:

    t = t_decode + t_read + t_transport + t_update + t_write,   likewise for the energy

(the table's decode covers the row selects of the read and of the write, its transport both ways)

with ``update`` a subtraction with clamp (linear decay) or a multiplication by beta (exponential decay). Nothing of it is
pipelined, which is stated wherever it is compared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyspice_cim.behavioral.calibration import Calibration
from pyspice_cim.behavioral.config import MacroConfig
from pyspice_cim.tables import Lookup, Table

Floats = NDArray[np.float64]
UPDATES = ("subtract", "multiply")


@dataclass(frozen=True, kw_only=True, eq=False)
class StateUpdate:
    """Time (s) and energy (J) of one decay of all neurons, against their number.

    Attributes:
        neurons: how many.
        parallel_time: in the array, all at once.
        sequential_time, sequential_energy: update (``subtract``, ``multiply``) to values.
        clipped: look-ups outside the table.
    """

    neurons: NDArray[np.int64]
    parallel_time: Floats
    sequential_time: dict[str, Floats]
    sequential_energy: dict[str, Floats]
    clipped: int


def state_update(config: MacroConfig, table: Table, calibration: Calibration, neurons: ArrayLike) -> StateUpdate:
    """Compare one decay of ``neurons`` neurons: O(1) in the array against O(N) one after the other.

    Raises:
        OutsideTableError: if a number of neurons lies outside the table and the policy is ``raise``.
    """
    count = np.asarray(neurons, dtype=np.int64)
    look = Lookup(table, outside=config.outside)

    def per_word(step: str, what: str) -> Floats:
        return look(
            f"sequential_{step}_{what}",
            process=config.process,
            vdd=config.vdd,
            temperature_c=config.temperature_c,
            sequential_rows=count,
            sequential_membrane_bits=config.membrane_bits,
        )

    totals: dict[str, dict[str, Floats]] = {"time": {}, "energy": {}}
    for what, by_update in totals.items():
        around = np.sum([per_word(step, what) for step in _STEPS], axis=0)
        for update in UPDATES:
            by_update[update] = count * (around + per_word(update, what))
    return StateUpdate(
        neurons=count,
        parallel_time=np.full(count.shape, calibration.operation_time(1)),
        sequential_time=totals["time"],
        sequential_energy=totals["energy"],
        clipped=look.clipped,
    )


_STEPS = ("decode", "read", "transport", "write")
