"""Organisations of a macro: how its inputs are accumulated and its membranes updated, as values with a step program."""

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
