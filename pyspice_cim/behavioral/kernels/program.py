"""Numbers and names that both the compiled kernels of macros and the energy model use.

These constants are not in the kernel modules, because those modules import Numba and Numba takes long to import.
"""

from pyspice_cim.microcode import EVENTS
from pyspice_cim.organisation.program import Guard

# The guards of a step program as plain integers, which compiled functions compare.
(
    BEFORE_INPUTS,
    FIRST_INPUT,
    FIRST_AT_PARTIAL,
    LATER_INPUT,
    EVERY_INPUT,
    SENT,
    FIRST_RECEIVED,
    LATER_RECEIVED,
    AFTER_INPUTS,
    AFTER_SOME,
    AFTER_NONE,
) = map(int, Guard)
GUARDS = len(Guard)

# Number of each event, in the order of ``microcode.EVENTS``.
EVENT = {name: number for number, name in enumerate(EVENTS)}
# Old and new bit of a scratch cell that is written.
TRANSITIONS = ("0->0", "0->1", "1->0", "1->1")

# Classes of accesses that can fail (``faults.model`` defines each class).
CLASSES = 4
MEMBRANE_READ, MEMBRANE_WRITE, WEIGHT_READ, LATE = range(CLASSES)
