"""The gate delay of a corner, estimated from DC currents: the unit of time of the benches.

    tau = C V_DD (1 / (W_n Ieff_n) + 1 / (W_p Ieff_p))        in seconds

    C       effective capacitance, in F; its value makes tau the FO4 delay at the nominal corner
    W       width in the FO4 inverter, in um
    Ieff    effective drain current (``curves.py``), in A/um

tau only places the edges of a bench. No measured value is computed from tau.
"""

import math

from pyspice_cim.characterization.devices.curves import transfer_deck
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.technology import Corner, Technology

# C in F: FO4 delay over sum(V_DD / (W Ieff)) of the 45 nm low-power cards at 1.1 V, 27 C.
_EFFECTIVE_CAPACITANCE = 1.15e-15
# Widths of the FO4 inverter, in um.
_WIDTH_N, _WIDTH_P = 0.270, 0.405


def gate_delay_simulation(technology: Technology, corner: Corner) -> Simulation:
    """Return the DC simulation whose outcome ``gate_delay`` reads.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
    """
    return Simulation(
        deck=transfer_deck(technology, corner, step=0.05),
        reducer=reducer_name(estimate_gate_delay),
        arguments={"vdd": corner.vdd},
    )


def estimate_gate_delay(vectors: Vectors, *, vdd: float) -> dict[str, float]:
    """Reducer: return ``gate_delay`` tau, in seconds.

    tau is rounded up to two digits: the last digits of a fit then do not change the decks.

    Args:
        vectors: results of the deck of ``gate_delay_simulation``.
        vdd: supply, in volts.

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
    """Return the gate delay tau, in seconds.

    Args:
        outcome: a good outcome of ``gate_delay_simulation``.
    """
    return float(outcome.values["gate_delay"])
