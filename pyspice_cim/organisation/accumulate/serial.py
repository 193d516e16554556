"""Accumulate organisation ``serial``: the weight row of one active input after the other is added to all columns.

The first row after a decay masks the columns that the decay left negative: the lazy clear of the clamp. A partial-sum macro
begins each step with words of 0, which its first row brings about by masking every column.
"""

from pyspice_cim.organisation.program import Guard, Neuron, Row
from pyspice_cim.organisation.spec import Accumulate


def inputs(neuron: Neuron) -> tuple[Row, ...]:
    """The rows that add the active inputs of a home macro."""
    del neuron
    return (
        Row(name="accumulate", guard=Guard.FIRST_INPUT, operand="weight", za=True),
        Row(name="accumulate", guard=Guard.LATER_INPUT, operand="weight"),
    )


def transfers(neuron: Neuron) -> tuple[Row, ...]:
    """The rows of partial-sum macros, and the rows by which a home macro adds their sums."""
    del neuron
    return (
        Row(name="accumulate", guard=Guard.FIRST_AT_PARTIAL, operand="weight", za=True, zb=True),
        # The word passes the slice unchanged and is written into rows of the home macro on its way.
        Row(name="transfer_read", guard=Guard.SENT),
        Row(name="transfer_accumulate", guard=Guard.FIRST_RECEIVED, operand="received", za=True),
        Row(name="transfer_accumulate", guard=Guard.LATER_RECEIVED, operand="received"),
    )


SERIAL = Accumulate(name="serial", inputs=inputs, transfers=transfers)
