"""Bench of the drivers of control lines: energy and delay of a pulse against load and input slew."""

from collections.abc import Mapping, Sequence

import numpy as np
from PySpice.Spice.Netlist import Circuit

from pyspice_cim.characterization.benches.quantities import measured
from pyspice_cim.characterization.spice.measure import crossings, value_at, window_charges
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Bench, Measurement, Outcome, Simulation, reducer_name
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.analysis import Options, Tran
from pyspice_cim.netlists.cell import library
from pyspice_cim.netlists.cells.drivers import line_driver
from pyspice_cim.netlists.deck import DrawnDeck, Layout
from pyspice_cim.tables import contract
from pyspice_cim.tables.quantity import Quantity
from pyspice_cim.technology import Corner, Technology, model_text

# Loads of a unit driver, F: from a line of one column to twice what a unit is meant for.
LOADS = (0.25e-15, 0.5e-15, 1e-15, 2e-15, 3e-15, 4e-15, 6e-15, 10e-15)
OPTIONS = Options.of(method="trap", reltol="1e-4", chgtol="1e-17")
# Rise and fall times of a driver's input, rail to rail, in s; and the slew that all other benches have.
SLEWS = (10e-12, 30e-12, 100e-12, 300e-12)
_SLEW = 30e-12
_RISE, _FALL, _STOP = 0.2e-9, 2.2e-9, 4.4e-9
# Distance of an output from its rail at the end of a phase, as a part of the supply: about the error of its energy.
_SETTLED = 0.01


def driver_bench(
    technology: Technology, corner: Corner, *, loads: Sequence[float] = LOADS, slews: Sequence[float] = SLEWS
) -> Bench:
    """The bench of a unit driver: energy of a pulse (rise and fall) in J, delay (mean of both edges) in s.

    ``driver_energy`` and ``driver_delay`` have the axis ``line_load`` at the slew of all other benches.
    ``driver_slew_energy`` and ``driver_slew_delay`` have the axes ``input_slew`` and ``line_load``.

    Args:
        technology: the technology.
        corner: operating conditions.
        loads: loads of a unit driver in F.
        slews: rise and fall times of the input, rail to rail, in s.
    """
    every = sorted({_SLEW, *slews})
    found = yield [driver_simulation(technology, corner, slew=slew, loads=loads) for slew in every]
    at = dict(zip(every, found, strict=True))
    swept = [at[slew] for slew in slews]
    along = {contract.LINE_LOAD.name: tuple(loads)}
    nominal = {"energy": contract.DRIVER_ENERGY, "delay": contract.DRIVER_DELAY}
    over_slews = {"energy": contract.DRIVER_SLEW_ENERGY, "delay": contract.DRIVER_SLEW_DELAY}
    return _measurements(nominal, [at[_SLEW]], along) + _measurements(
        over_slews, swept, {contract.INPUT_SLEW.name: tuple(slews), **along}
    )


def _measurements(
    quantities: Mapping[str, Quantity], outcomes: list[Outcome], labels: Mapping[str, tuple[float, ...]]
) -> list[Measurement]:
    """Energy and delay over the load; also over the slew where ``labels`` has slews, one outcome a slew."""
    reason = next((outcome.reason for outcome in outcomes if not outcome.ok), "")
    first = () if contract.INPUT_SLEW.name in labels else 0
    return [
        measured(
            quantity,
            None if reason else np.array([outcome.values[key] for outcome in outcomes])[first],
            labels=labels,
            reason=reason,
            decks=tuple(outcome.deck_sha256 for outcome in outcomes),
        )
        for key, quantity in quantities.items()
    ]


def driver_simulation(
    technology: Technology, corner: Corner, *, units: int = 1, slew: float = _SLEW, loads: Sequence[float] = LOADS
) -> Simulation:
    """The simulation of one driver for every load, each with a supply of its own (``driver_deck``).

    Args:
        technology: the technology.
        corner: operating conditions.
        units: size of the drivers in unit drivers.
        slew: rise and fall time of the input, rail to rail, in s.
        loads: load of each driver for each of its units, in F.
    """
    return Simulation(
        deck=driver_deck(technology, corner, units=units, slew=slew, loads=loads),
        reducer=reducer_name(driver_pulse),
        arguments={"vdd": corner.vdd, "drivers": len(loads)},
    )


def driver_deck(
    technology: Technology, corner: Corner, *, units: int = 1, slew: float = _SLEW, loads: Sequence[float] = LOADS
) -> DrawnDeck:
    """One deck with a driver of ``units`` for every load (times ``units``), each with a supply of its own."""
    corner.check(technology)
    circuit = Circuit("unit drivers of control lines")
    for cell in library(line_driver(technology, units=units)):
        circuit.subcircuit(cell.subcircuit())
    circuit.V(
        "pulse", "pulse", "0", f"pwl(0 0 {_RISE} 0 {_RISE + slew} {corner.vdd} {_FALL} {corner.vdd} {_FALL + slew} 0)"
    )
    for n, load in enumerate(loads):
        circuit.V(f"s{n}", f"s{n}", "0", f"dc {corner.vdd:g}")
        circuit.X(f"d{n}", f"driver{units}", "pulse", f"o{n}", f"s{n}")
        circuit.C(f"l{n}", f"o{n}", "0", load * units)
    saved = ["v(pulse)", *(f"i(vs{n})" for n in range(len(loads))), *(f"v(o{n})" for n in range(len(loads)))]
    return DrawnDeck.of(
        circuit,
        model_text(technology, corner.process),
        temperature_c=corner.temperature_c,
        options=OPTIONS,
        analysis=Tran(step=5e-12, stop=_STOP, max_step=20e-12, letter="p"),
        saves=tuple(saved),
        layout=Layout.SAVES_FIRST,
        saves_per_line=12,
    )


def driver_pulse(vectors: Vectors, *, vdd: float, drivers: int) -> dict[str, np.ndarray]:
    """Reducer: ``energy`` (J) and ``delay`` (s) of every driver, shape (drivers,).

    Args:
        vectors: waveforms.
        vdd: supply in V.
        drivers: number of drivers in the deck.

    Raises:
        SimulationError: if an output does not rise and fall once, or is not at its rail when the pulse turns or ends.
    """
    middle = crossings(vectors, "v(pulse)", vdd / 2)
    energy, delay = [], []
    for n in range(drivers):
        out = crossings(vectors, f"v(o{n})", vdd / 2)
        if out.size != 2:
            raise SimulationError(f"driver {n} crosses half the supply {out.size} times in one pulse, not twice")
        top, bottom = (float(value_at(vectors, f"v(o{n})", at)) for at in (_FALL, _STOP))
        if top < (1 - _SETTLED) * vdd or bottom > _SETTLED * vdd:
            raise SimulationError(
                f"driver {n} comes to {top:.3g} V and back to {bottom:.3g} V only of {vdd:g} V in a pulse of "
                f"{_FALL - _RISE:g} s; its load is too large for the corner"
            )
        energy.append(vdd * window_charges(vectors, f"vs{n}", np.array([0.0, _STOP]))[0])
        delay.append(float((out - middle).mean()))
    return {"energy": np.array(energy), "delay": np.array(delay)}
