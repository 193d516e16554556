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
from pyspice_cim.tables import Lookup, Table, contract

_STEPS = ("decode", "read", "transport", "write")


def _update(name: str, arithmetic: Literal["subtract", "multiply"]) -> Update:
    def before(neuron: Neuron) -> tuple[Row, ...]:
        return in_array.before(neuron, cost=name)

    def unit(table: Table, place: Place, neurons: NDArray[np.int64]) -> UnitCost:
        look = Lookup(table, outside=place.outside)
        where = {
            "vdd": place.vdd,
            "temperature_c": place.temperature_c,
            **contract.SEQUENTIAL.at(rows=neurons, membrane_bits=place.membrane_bits),
        }
        found = {
            quantity.name: look.counted(quantity.name, process=place.process, **where)
            for part in (*_STEPS, arithmetic)
            for quantity in contract.SEQUENTIAL_PARTS[part]
        }

        def cost(number: int) -> NDArray[np.float64]:
            """Energy (0) or time (1) of an update of all neurons."""
            of_word = {
                part: found[contract.SEQUENTIAL_PARTS[part][number].name].value for part in (*_STEPS, arithmetic)
            }
            total: NDArray[np.float64] = np.sum([of_word[step] for step in _STEPS], axis=0) + of_word[arithmetic]
            return neurons * total

        return UnitCost(time=cost(1), energy=cost(0), clipped=sum(each.clipped for each in found.values()))

    return Update(
        name=name,
        before=before,
        after=in_array.after,
        after_step=in_array.after_step,
        membranes=in_array.membranes,
        unit=unit,
        quantities=tuple(
            quantity.name for part in (*_STEPS, arithmetic) for quantity in contract.SEQUENTIAL_PARTS[part]
        ),
        latency=name,
    )


SEQUENTIAL = _update("sequential", "subtract")
SEQUENTIAL_EXPONENTIAL = _update("sequential_exponential", "multiply")
