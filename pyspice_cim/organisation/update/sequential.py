"""Update organisations ``sequential`` and ``sequential_exponential``: one neuron after the other, by read-modify-write.

A row decoder selects the word of a neuron. The word is read, carried to one update datapath, updated, carried back and
written:

    t = t_decode + t_read + t_transport + t_update + t_write,   and the energy likewise.

The table's ``decode`` covers the row selects of the read and of the write, the table's ``transport`` both ways. The update is
a subtraction with clamp (linear decay) or a multiplication by beta (exponential decay). No stage is pipelined: say so
wherever this organisation is compared. The unit computes the decay; the columns accumulate, saturate and fire as in
``in_array``, so the bits are those of ``in_array``.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.organisation.program import Neuron, Row
from pyspice_cim.organisation.spec import Place, UnitCost, Update
from pyspice_cim.organisation.update import in_array
from pyspice_cim.tables import Lookup, Table

_STEPS = ("decode", "read", "transport", "write")


def _update(name: str, arithmetic: Literal["subtract", "multiply"]) -> Update:
    def before(neuron: Neuron) -> tuple[Row, ...]:
        return in_array.before(neuron, cost=name)

    def unit(table: Table, place: Place, neurons: NDArray[np.int64]) -> UnitCost:
        look = Lookup(table, outside=place.outside)

        def per_word(step: str, what: str) -> NDArray[np.float64]:
            return look(
                f"sequential_{step}_{what}",
                process=place.process,
                vdd=place.vdd,
                temperature_c=place.temperature_c,
                sequential_rows=neurons,
                sequential_membrane_bits=place.membrane_bits,
            )

        time, energy = (
            neurons * (np.sum([per_word(step, what) for step in _STEPS], axis=0) + per_word(arithmetic, what))
            for what in ("time", "energy")
        )
        return UnitCost(time=time, energy=energy, clipped=look.clipped)

    return Update(
        name=name,
        before=before,
        after=in_array.after,
        after_step=in_array.after_step,
        membranes=in_array.membranes,
        unit=unit,
        quantities=tuple(f"sequential_{step}_{what}" for step in (*_STEPS, arithmetic) for what in ("time", "energy")),
        latency=name,
    )


SEQUENTIAL = _update("sequential", "subtract")
SEQUENTIAL_EXPONENTIAL = _update("sequential_exponential", "multiply")
