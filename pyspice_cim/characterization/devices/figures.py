"""All metrics of a technology at one corner: devices, FO4 delay and static noise margins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pyspice_cim.characterization.devices.curves import (
    UNITS,
    Array,
    TransferCurves,
    device_figures,
    output_curves,
    output_deck,
    transfer_curves,
    transfer_deck,
)
from pyspice_cim.characterization.devices.fo4 import fo4_deck, fo4_delays, switching_time
from pyspice_cim.characterization.devices.snm import MODES, Butterfly, Mode, butterfly, butterfly_deck
from pyspice_cim.characterization.spice.ngspice import SimResult, Simulator
from pyspice_cim.characterization.spice.simulation import Measurement
from pyspice_cim.characterization.spice.status import Status
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.deck import Deck
from pyspice_cim.technology import Corner, Technology

DEVICES: tuple[Literal["nmos", "pmos"], ...] = ("nmos", "pmos")

# By metric of a device: its meaning, in the order of a listing.
DEVICE_FIGURES: dict[str, str] = {
    "ion": "drain current, gate and drain at V_DD",
    "ieff": "effective switching current",
    "idlin": "drain current, gate at V_DD, drain at 50 mV",
    "ioff": "leakage, gate at 0, drain at V_DD",
    "vt_lin": "threshold at 50 mV, 100 nA W/L",
    "vt_sat": "threshold at V_DD, 100 nA W/L",
    "dibl": "threshold lowering per drain voltage",
    "ss": "subthreshold swing",
}
CIRCUIT_FIGURES: dict[str, tuple[str, str]] = {
    "fo4": ("s", "mean delay of an inverter that drives four"),
    "fo4_fall": ("s", "the same, falling output"),
    "fo4_rise": ("s", "the same, rising output"),
    "snm_hold": ("V", "6T static noise margin, wordline off"),
    "snm_read": ("V", "6T static noise margin, during a read"),
}


@dataclass(frozen=True, kw_only=True)
class TechnologyCurves:
    """The curves from which the metrics come, for a figure.

    Attributes:
        name: name of the technology.
        corner: process corner, supply and temperature.
        transfer: I_D against V_GS, by device.
        output: V_DS, in volts, and I_D by V_GS, in A/um by volts; by device.
        butterflies: butterfly of the 6T cell, by mode ``hold`` and ``read``.
    """

    name: str
    corner: Corner
    transfer: Mapping[str, TransferCurves]
    output: Mapping[str, tuple[Array, Mapping[float, Array]]]
    butterflies: Mapping[Mode, Butterfly]


def measure_technology(technology: Technology, corner: Corner, simulator: Simulator) -> dict[str, Measurement]:
    """Measure every metric of a technology at a corner.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        simulator: what runs the decks.

    Returns:
        Measurements by name: ``nmos_ion`` to ``pmos_ss``, ``fo4`` to ``snm_read``. A metric that cannot be measured, or
        whose run failed, has a reason instead of a value.

    Raises:
        TechnologyError: if the technology does not have the corner.
    """
    corner.check(technology)
    transfer_bench = transfer_deck(technology, corner)
    (transfer,) = simulator.run([transfer_bench])
    devices = {}
    if transfer.ok:
        devices = {name: device_figures(transfer_curves(transfer, technology, corner, name)) for name in DEVICES}
    weakest = min((values["ieff"] for values in devices.values()), default=None)
    chain_bench = fo4_deck(technology, corner, half_period=switching_time(corner.vdd, weakest))
    cell_bench = butterfly_deck(technology, corner)
    chain, cell = simulator.run([chain_bench, cell_bench])
    measured: dict[str, Measurement] = {}
    for device in DEVICES:
        for figure, meaning in DEVICE_FIGURES.items():
            name = f"{device}_{figure}"
            measured[name] = _measurement(
                name,
                UNITS[figure],
                devices.get(device, {}).get(figure),
                transfer.reason,
                transfer.status,
                transfer_bench,
                f"{device} {meaning}",
            )
    circuit, reasons = _circuit_values(chain, cell, corner.vdd)
    for name, (unit, meaning) in CIRCUIT_FIGURES.items():
        deck, run = (chain_bench, chain) if name.startswith("fo4") else (cell_bench, cell)
        reason = reasons.get(name, "")
        measured[name] = _measurement(name, unit, circuit.get(name), reason, run.status, deck, meaning)
    return measured


def technology_curves(technology: Technology, corner: Corner, simulator: Simulator) -> TechnologyCurves:
    """Return the curves of a technology at a corner.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        simulator: what runs the decks.

    Raises:
        TechnologyError: if the technology does not have the corner.
        SimulationError: if a run fails.
    """
    corner.check(technology)
    decks = [transfer_deck(technology, corner), output_deck(technology, corner), butterfly_deck(technology, corner)]
    transfer, output, cell = simulator.run(decks)
    if not cell.ok:
        raise SimulationError(cell.reason)
    return TechnologyCurves(
        name=technology.name,
        corner=corner,
        transfer={device: transfer_curves(transfer, technology, corner, device) for device in DEVICES},
        output={device: output_curves(output, corner, device) for device in DEVICES},
        butterflies={mode: butterfly(cell.vectors, corner.vdd, mode) for mode in MODES},
    )


def _circuit_values(chain: SimResult, cell: SimResult, vdd: float) -> tuple[dict[str, float], dict[str, str]]:
    """Return the values of ``CIRCUIT_FIGURES``, and the reasons of those without a value."""
    values: dict[str, float] = {}
    reasons = {name: (chain if name.startswith("fo4") else cell).reason for name in CIRCUIT_FIGURES}
    if chain.ok:
        try:
            delays = fo4_delays(chain.vectors, vdd)
            values |= {"fo4": delays["mean"], "fo4_fall": delays["fall"], "fo4_rise": delays["rise"]}
        except SimulationError as error:
            reasons |= {name: str(error) for name in CIRCUIT_FIGURES if name.startswith("fo4")}
    if cell.ok:
        values |= {f"snm_{mode}": butterfly(cell.vectors, vdd, mode).snm for mode in MODES}
    return values, reasons


def _measurement(
    name: str, unit: str, value: float | None, reason: str, status: Status | None, deck: Deck, description: str
) -> Measurement:
    if value is not None and value != value:
        value, reason = None, "the threshold current is not crossed between V_GS = 0 and V_DD"
    return Measurement(
        name=name,
        unit=unit,
        value=value,
        reason=reason,
        status=status,
        decks=(deck.sha256,),
        description=description,
    )
