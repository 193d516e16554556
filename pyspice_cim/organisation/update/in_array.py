r"""Update organisation ``in_array``: all membranes decay, saturate and fire in place, in parallel, bit-serially.

With ``FS`` the flag of a column, :math:`\lambda` the decay, :math:`\theta` the threshold and :math:`V_{MAX} = 2^{B-1} - 1`:

=========  ==========================  ==========================  ==================================================
operation  constant where FS = 0       constant where FS = 1       remark
=========  ==========================  ==========================  ==================================================
decay      :math:`-\lambda`            :math:`\theta - \lambda`    undoes the threshold that the last fire took off
                                                                   where it did not fire; new FS = 1: negative
saturate   :math:`-V_{MAX}`            :math:`-V_{MAX}`            only after an input; new FS = 0: at least VMAX
fire       :math:`V_{MAX} - \theta`    :math:`V_{MAX} - \theta`    masks the columns that saturated; spike = not FS
fire       :math:`-\theta`             :math:`-\theta`             in a step without input: masks what the decay left
                                                                   negative
=========  ==========================  ==========================  ==================================================

A fire does not restore: a column that did not fire holds :math:`v - \theta` with FS = 1 until the next decay adds
:math:`\theta` back. Reset by subtraction needs nothing more; reset to zero masks the columns with FS = 0 in the decay.
"""

import numpy as np
from numpy.typing import NDArray

from pyspice_cim import microcode
from pyspice_cim.microcode import ColumnState
from pyspice_cim.organisation.program import COLUMNS, Guard, Neuron, Row
from pyspice_cim.organisation.spec import Update

Ints = NDArray[np.int64]


def before(neuron: Neuron, cost: str = COLUMNS) -> tuple[Row, ...]:
    """The decay, which begins a step; ``cost`` names who computes the decay."""
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
    """Saturate and fire, which end a step."""
    vmax = 2 ** (neuron.membrane_bits - 1) - 1
    rest = vmax - neuron.theta
    return (
        Row(name="saturate", guard=Guard.AFTER_SOME, k0=-vmax, k1=-vmax, capture=True),
        Row(name="fire", guard=Guard.AFTER_SOME, k0=rest, k1=rest, zb=True, capture=True),
        Row(name="fire", guard=Guard.AFTER_NONE, k0=-neuron.theta, k1=-neuron.theta, za=True, capture=True),
    )


def after_step(membranes: Ints, spikes: Ints, neuron: Neuron) -> ColumnState:
    """Columns after a step: word ``v - theta`` and FS = 1 without a spike, word ``v`` and FS = 0 with one.

    The last sum bit of a fire is the flag.
    """
    flag = 1 - np.asarray(spikes, np.int64)
    return ColumnState(word=np.asarray(membranes, np.int64) - neuron.theta * flag, flag=flag, last_sum=flag)


def membranes(state: ColumnState, neuron: Neuron) -> Ints:
    """Membranes after a step, see ``microcode.membranes``."""
    return microcode.membranes(state, theta=neuron.theta, membrane_bits=neuron.membrane_bits, reset=neuron.reset)


IN_ARRAY = Update(
    name="in_array", before=before, after=after, after_step=after_step, membranes=membranes, latency="parallel"
)
