"""The gate delay of a corner, estimated from DC currents: the unit in which a bench states its times.

    tau = C * V_DD * (1 / (W_n Ieff_n) + 1 / (W_p Ieff_p)) * um

with the W of the FO4 inverter and an effective C that makes tau the FO4 delay at the nominal corner. It only places
the edges of a bench; no measured number is computed from it.
"""

import math

from pyspice_cim.characterization.devices.curves import transfer_deck
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.technology import Corner, Technology

# F per um of n width: FO4 over sum(V_DD / I) of the 45 nm low-power cards at 1.1 V, 27 C.
_EFFECTIVE_CAPACITANCE = 1.15e-15
# um, the FO4 inverter.
_WIDTH_N, _WIDTH_P = 0.270, 0.405


def gate_delay_simulation(technology: Technology, corner: Corner) -> Simulation:
    """The DC run that ``gate_delay`` reads."""
    return Simulation(
        deck=transfer_deck(technology, corner, step=0.05),
        reducer=reducer_name(estimate_gate_delay),
        arguments={"vdd": corner.vdd},
    )


def estimate_gate_delay(vectors: Vectors, *, vdd: float) -> dict[str, float]:
    """Reducer: ``gate_delay`` in s, rounded up to two digits so that decks do not change with the last digits of a fit.

    Raises:
        SimulationError: if a device does not conduct.
    """
    total = 0.0
    for device, width in (("nmos", _WIDTH_N), ("pmos", _WIDTH_P)):
        half, full = (abs(vectors[f"i(v{device}_{region})"]) for region in ("half", "full"))
        effective = (float(half[-1]) + float(full[full.size // 2])) / 2
        if effective <= 0:
            raise SimulationError(f"{device} does not conduct at {vdd:g} V")
        total += vdd / (effective * width)
    delay = _EFFECTIVE_CAPACITANCE * total
    digit = 10.0 ** (math.floor(math.log10(delay)) - 1)
    return {"gate_delay": math.ceil(delay / digit) * digit}


def gate_delay(outcome: Outcome) -> float:
    """The estimate in s, from a good outcome."""
    return float(outcome.values["gate_delay"])
