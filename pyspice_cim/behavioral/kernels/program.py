"""Numbers that the compiled kernels of macros and the energies agree on.

Apart from the kernels, so that energies can be computed without Numba, which takes long to import.
"""

from pyspice_cim.microcode import EVENTS

# Events by number, in the order of ``microcode.EVENTS``.
EVENT = {name: number for number, name in enumerate(EVENTS)}
TRANSITIONS = ("0->0", "0->1", "1->0", "1->1")

# Accesses that can fail, in the order of ``faults.model.FaultRates``.
CLASSES = 4
MEMBRANE_READ, MEMBRANE_WRITE, WEIGHT_READ, LATE = range(CLASSES)
