r"""Update organisation ``in_array``: all columns decay, saturate and fire at once, in place and bit-serially.

Source of the neuron: LD-LIF, arXiv 2603.12739. Source of bit-serial columns: Eckert et al., "Neural Cache", ISCA 2018.

FS is the flag of a column, :math:`\lambda` the decay, :math:`\theta` the threshold and :math:`B` the membrane's bits.
The largest membrane is :math:`V_{MAX} = 2^{B-1} - 1`. Each operation adds a constant to the word:

=========  ==========================  ==========================  ==================================================
operation  constant where FS = 0       constant where FS = 1       remark
=========  ==========================  ==========================  ==================================================
decay      :math:`-\lambda`            :math:`\theta - \lambda`    adds back theta where the last fire gave no spike;
                                                                   afterwards FS = 1 where the sum is negative
saturate   :math:`-V_{MAX}`            :math:`-V_{MAX}`            only after an input; afterwards FS = 0 where the
                                                                   membrane is at least VMAX
fire       :math:`V_{MAX} - \theta`    :math:`V_{MAX} - \theta`    after saturate; masks the columns with FS = 0;
                                                                   afterwards FS = 0 where the neuron spikes
fire       :math:`-\theta`             :math:`-\theta`             in a step without input; masks the columns that
                                                                   the decay left negative
=========  ==========================  ==========================  ==================================================

The fire subtracts theta from every column. A column without a spike thus holds :math:`v - \theta` with FS = 1.
The next decay adds theta back to this column. A column with a spike needs no operation for the reset by subtraction.
For the reset to zero, the next decay masks the columns with FS = 0.
"""

import numpy as np
from numpy.typing import NDArray

from pyspice_cim import microcode
from pyspice_cim.microcode import ColumnState
from pyspice_cim.organisation.program import COLUMNS, Guard, Neuron, Row
from pyspice_cim.organisation.spec import Update

Ints = NDArray[np.int64]


def before(neuron: Neuron, cost: str = COLUMNS) -> tuple[Row, ...]:
    """The program row of the decay, which begins a time step.

    Args:
        neuron: parameters of the neurons.
        cost: cost class of the decay (``Row.cost``).
    """
    return (
        Row(
            name="decay",
            guard=Guard.BEFORE_INPUTS,
            k0=-neuron.lambda_,
            k1=neuron.theta - neuron.lambda_,
            zb=neuron.reset == "zero",
            capture=True,
            cost=cost,
        ),
    )


def after(neuron: Neuron) -> tuple[Row, ...]:
    """The program rows of saturate and fire, which end a time step."""
    vmax = 2 ** (neuron.membrane_bits - 1) - 1
    rest = vmax - neuron.theta
    return (
        Row(name="saturate", guard=Guard.AFTER_SOME, k0=-vmax, k1=-vmax, capture=True),
        Row(name="fire", guard=Guard.AFTER_SOME, k0=rest, k1=rest, zb=True, capture=True),
        Row(name="fire", guard=Guard.AFTER_NONE, k0=-neuron.theta, k1=-neuron.theta, za=True, capture=True),
    )


def after_step(membranes: Ints, spikes: Ints, neuron: Neuron) -> ColumnState:
    """The columns that a time step leaves.

    A neuron without a spike has the word ``v - theta`` and FS = 1. A neuron with a spike has the word ``v`` and FS = 0.
    The sum latch equals FS, because the fire ends with the sign of its sum.
    The netlist does not clear the word at a reset to zero. The next decay masks this word, so its value has no effect.

    Args:
        membranes: membranes after the time step, int64, any shape, in units of the least significant bit.
        spikes: 0 or 1, of the same shape.
        neuron: parameters of the neurons.
    """
    flag = 1 - np.asarray(spikes, np.int64)
    return ColumnState(word=np.asarray(membranes, np.int64) - neuron.theta * flag, flag=flag, last_sum=flag)


def membranes(state: ColumnState, neuron: Neuron) -> Ints:
    """Membranes after a time step, int64, of the shape of ``state.word`` (``microcode.membranes`` has the equation)."""
    return microcode.membranes(state, theta=neuron.theta, membrane_bits=neuron.membrane_bits, reset=neuron.reset)


IN_ARRAY = Update(
    name="in_array", before=before, after=after, after_step=after_step, membranes=membranes, latency="parallel"
)
