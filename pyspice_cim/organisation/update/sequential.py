"""Update organisations ``sequential`` and ``sequential_exponential``: read-modify-write, neuron by neuron.

A row decoder selects the word of one neuron. The word is read and carried to a datapath beside the array.
The datapath updates the word. The word is carried back and written. Time and energy of one neuron are sums:

    t = t_decode + t_read + t_transport + t_update + t_write
    E = E_decode + E_read + E_transport + E_update + E_write

The table's ``decode`` covers two row selects, one for the read and one for the write. The table's ``transport`` covers
both directions. ``sequential`` updates by a subtraction with a clamp, the linear decay.
``sequential_exponential`` updates by a multiplication by beta, the exponential decay.

The stages are not pipelined. Every comparison with this organisation should state this.
The unit beside the array computes the decay only. The columns accumulate, saturate and fire as in ``in_array``.
The bits are therefore the bits of ``in_array``, for both names.
"""

from typing import Any, Literal

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
        here: dict[str, Any] = place.corner.model_dump()
        here |= contract.SEQUENTIAL.at(rows=neurons, membrane_bits=place.membrane_bits)
        found = {
            quantity.name: look.counted(quantity.name, **here)
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
