"""Organisations of a macro, as values.

An organisation says how a macro accumulates its inputs and how the macro updates its membranes.
Both together give the step program: the operations of one time step as rows of data.
"""

from pyspice_cim.organisation.accumulate.serial import SERIAL
from pyspice_cim.organisation.program import Guard, Neuron, NeuronConstants, Row, StepProgram
from pyspice_cim.organisation.spec import (
    ACCUMULATES,
    UPDATES,
    Accumulate,
    Organisation,
    Place,
    UnitCost,
    Update,
    register_accumulate,
    register_update,
)
from pyspice_cim.organisation.update.in_array import IN_ARRAY
from pyspice_cim.organisation.update.sequential import SEQUENTIAL, SEQUENTIAL_EXPONENTIAL

for _accumulate in (SERIAL,):
    register_accumulate(_accumulate)
for _update in (IN_ARRAY, SEQUENTIAL, SEQUENTIAL_EXPONENTIAL):
    register_update(_update)

__all__ = [
    "ACCUMULATES",
    "UPDATES",
    "Accumulate",
    "Guard",
    "Neuron",
    "NeuronConstants",
    "Organisation",
    "Place",
    "Row",
    "StepProgram",
    "UnitCost",
    "Update",
    "register_accumulate",
    "register_update",
]
