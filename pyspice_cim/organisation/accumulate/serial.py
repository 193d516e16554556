"""Accumulate organisation ``serial``: sequential addition of the active inputs.

One operation adds the weights of one active input to the words of all columns, bit-serially. Source of bit-serial
columns: Eckert et al., "Neural Cache", ISCA 2018.

The clamp of the decay sets a negative membrane to 0. The decay itself only sets the flag of a negative column.
The first addition of the time step then masks each column with the flag: the column reads 0 in place of its word.
In a partial-sum macro the first addition masks every column, so that each time step starts from words of 0.
"""

from pyspice_cim.organisation.program import Guard, Neuron, Row
from pyspice_cim.organisation.spec import Accumulate


def inputs(neuron: Neuron) -> tuple[Row, ...]:
    """The program rows that add the active inputs of a home macro."""
    del neuron
    return (
        Row(name="accumulate", guard=Guard.FIRST_INPUT, operand="weight", za=True),
        Row(name="accumulate", guard=Guard.LATER_INPUT, operand="weight"),
    )


def transfers(neuron: Neuron) -> tuple[Row, ...]:
    """The program rows of partial-sum macros, and the program rows by which a home macro adds the received sums."""
    del neuron
    return (
        Row(name="accumulate", guard=Guard.FIRST_AT_PARTIAL, operand="weight", za=True, zb=True),
        # Adding the constant 0 reads the word without a change. Each bit is also written into the home macro.
        Row(name="transfer_read", guard=Guard.SENT),
        Row(name="transfer_accumulate", guard=Guard.FIRST_RECEIVED, operand="received", za=True),
        Row(name="transfer_accumulate", guard=Guard.LATER_RECEIVED, operand="received"),
    )


SERIAL = Accumulate(name="serial", inputs=inputs, transfers=transfers)
