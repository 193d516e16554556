"""The FO4 delay: the delay of an inverter that drives four inverters of its size.

The bench is a chain. Stage k has 4^k inverters in parallel. Stages 0 and 1 shape the edge, and stage 2 is measured.
Stage 3 is its load. Stage 4 is the load of stage 3, which makes the Miller effect at the input of stage 3 realistic. A
delay runs from V_DD/2 at the input to V_DD/2 at the output. ``fall`` belongs to the falling output, ``rise`` to the
rising output.

Source: N. H. E. Weste, D. M. Harris, "CMOS VLSI Design", chapter 8.
"""

import numpy as np
from PySpice.Spice.Netlist import Circuit

from pyspice_cim.characterization.spice.measure import first_crossing
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.netlists.analysis import Options, Tran, rounded
from pyspice_cim.netlists.cell import mosfet
from pyspice_cim.netlists.deck import DrawnDeck, pwl
from pyspice_cim.technology import Corner, Technology, model_text

# Widths at a gate length of 45 nm, in m; they scale with the gate length. The logic of the column has the same ratio,
# 1.5.
INVERTER_N = 270e-9
INVERTER_P = 405e-9
STAGES = 5
_MEASURED = 2


def switching_time(vdd: float, effective_current: float | None) -> float:
    """Return a half period in which the whole chain switches, in seconds; near threshold a chain is 1000 times slower.

    Args:
        vdd: supply, in volts.
        effective_current: Ieff of the weaker device, in A/um; None if it is not known.
    """
    if not effective_current:
        return 100e-9
    # About 25 FO4 delays. An FO4 delay is about C V_DD / Ieff with C = 5 fF/um.
    return max(1e-9, 25 * 5e-15 * vdd / effective_current)


def fo4_deck(
    technology: Technology,
    corner: Corner,
    *,
    half_period: float = 2e-9,
    widths: tuple[float, float] | None = None,
) -> DrawnDeck:
    """Transient of the chain, one rising and one falling input edge ``half_period`` seconds apart.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        half_period: time between the two edges, in seconds.
        widths: width of the n and of the p transistor of the inverter, in metres; by default ``INVERTER_N`` and
            ``INVERTER_P``, scaled with the gate length.
    """
    circuit = Circuit(f"FO4 {technology.name} {corner.process}")
    circuit.V("dd", "vdd", circuit.gnd, corner.vdd)
    edge = 20e-12
    circuit.V(
        "in",
        "s0",
        circuit.gnd,
        pwl(
            [
                (0.0, 0.0),
                (0.1 * half_period, 0.0),
                (0.1 * half_period + edge, corner.vdd),
                (1.1 * half_period, corner.vdd),
                (1.1 * half_period + edge, 0.0),
            ]
        ),
    )
    n_width, p_width = widths or (INVERTER_N * technology.scale, INVERTER_P * technology.scale)
    for stage in range(STAGES):
        nodes = (f"s{stage + 1}", f"s{stage}")
        for name, device, rail, width in (("n", "nmos", "0", n_width), ("p", "pmos", "vdd", p_width)):
            mosfet(
                circuit,
                f"{name}{stage}",
                (*nodes, rail, rail),
                technology=technology,
                device=device,
                width=width,
                multiplier=4**stage,
            )
    stop = 2.2 * half_period
    return DrawnDeck.of(
        circuit,
        model_text(technology, corner.process),
        temperature_c=corner.temperature_c,
        options=Options.of(reltol="1e-4", chgtol="1e-17", method="trap"),
        analysis=Tran(step=edge / 10, stop=stop, max_step=rounded(half_period / 400, 4), stop_digits=6),
        saves=tuple(f"v(s{stage})" for stage in range(STAGES + 1)),
    )


def fo4_delays(vectors: Vectors, vdd: float) -> dict[str, float]:
    """Return the delays ``fall``, ``rise`` and ``mean`` of the measured stage, in seconds.

    Args:
        vectors: results of a ``fo4_deck``.
        vdd: supply, in volts.

    Raises:
        SimulationError: if the stage does not switch, for example because the half period is too short.
    """
    source, target, level = f"v(s{_MEASURED})", f"v(s{_MEASURED + 1})", vdd / 2
    # The input of the chain rises first. Two inversions later, the input of the measured stage rises first, too.
    delays = {}
    started = 0.0
    for name, rising in (("fall", False), ("rise", True)):
        cause = first_crossing(vectors, source, level, after=started, rising=not rising)
        effect = first_crossing(vectors, target, level, after=cause, rising=rising)
        delays[name] = effect - cause
        started = effect
    delays["mean"] = float(np.mean([delays["fall"], delays["rise"]]))
    return delays
