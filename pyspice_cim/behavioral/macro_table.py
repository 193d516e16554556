"""The operations of macros as numbers: what the compiled kernels of ``kernel_macro.py`` and the energies agree on.

Apart from the kernels, so that energies can be computed without Numba, which takes long to import.
"""

from pyspice_cim.behavioral.ldlif import LDLIFParams
from pyspice_cim.microcode import EVENTS, Operation, step_program

# Kinds of operations, each with control values of its own.
KINDS = 10
(
    DECAY,
    FIRST,  # the first accumulate after a decay, which clears what the decay left negative
    ADD,  # any other accumulate
    SATURATE,
    FIRE,
    FIRE_SILENT,  # in a step without input
    BEGIN,  # the first accumulate of a macro that only adds
    SEND,  # the word of such a macro, read in passing
    FIRST_RECEIVED,  # the accumulate of a word received, as FIRST
    ADD_RECEIVED,
) = range(KINDS)
NAMES = (
    *("decay", "accumulate", "accumulate", "saturate", "fire", "fire", "accumulate"),
    *("transfer_read", "transfer_accumulate", "transfer_accumulate"),
)
# Events by number, in the order of ``microcode.EVENTS``.
EVENT = {name: number for number, name in enumerate(EVENTS)}
TRANSITIONS = ("0->0", "0->1", "1->0", "1->1")

# Accesses that can fail, in the order of ``faults.FaultRates``.
CLASSES = 4
MEMBRANE_READ, MEMBRANE_WRITE, WEIGHT_READ, LATE = range(CLASSES)


def operations(params: LDLIFParams) -> tuple[Operation, ...]:
    """Control values of every kind of operation; the weight row of an accumulate is set to 0."""

    def program(active: int) -> list[Operation]:
        return step_program(
            range(active),
            lambda_=params.lambda_,
            theta=params.theta,
            membrane_bits=params.membrane_bits,
            reset=params.reset,
        )

    decay, first, saturate, fire = program(1)
    add, send = Operation(name="accumulate", weight=0), Operation(name="accumulate")
    begin = Operation(name="accumulate", weight=0, za=True, zb=True)
    return (decay, first, add, saturate, fire, program(0)[-1], begin, send, first, add)
