"""Transistor metrics from ngspice: the bench of drain-current curves, and the metrics of these curves.

Definitions for a device of width W and length L at the supply V_DD (magnitudes for p devices):

    Ion    = I_D(V_GS = V_DD,   V_DS = V_DD)   / W
    Ieff   = (I_D(V_GS = V_DD, V_DS = V_DD/2) + I_D(V_GS = V_DD/2, V_DS = V_DD)) / (2 W)
    Idlin  = I_D(V_GS = V_DD,   V_DS = 50 mV)  / W
    Ioff   = I_D(V_GS = 0,      V_DS = V_DD)   / W
    Vt     = V_GS at which I_D = 100 nA * W / L, with V_DS = 50 mV (Vt_lin) or V_DD (Vt_sat)
    DIBL   = (Vt_lin - Vt_sat) / (V_DD - 50 mV)
    SS     = smallest dV_GS / dlog10(I_D) with V_DS = 50 mV

Ieff is the effective current of Na et al., "The effective drive current in CMOS inverters", IEDM 2002.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit

from pyspice_cim.characterization.spice.ngspice import SimResult
from pyspice_cim.errors import SimulationError
from pyspice_cim.netlists.analysis import Analysis, Dc, Options
from pyspice_cim.netlists.cell import mosfet
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.technology import Corner, Technology, model_text

Array = NDArray[np.float64]

# Drain voltage of the linear region, in V.
LINEAR_BIAS = 0.05
# Threshold current of a square device (W = L), in A.
THRESHOLD_CURRENT = 100e-9
# Width of the device under test, in m: wide enough to hide effects of the edges; metrics per um need no scaling.
BENCH_WIDTH = 1e-6

UNITS = {
    "ion": "A/um",
    "ieff": "A/um",
    "idlin": "A/um",
    "ioff": "A/um",
    "vt_lin": "V",
    "vt_sat": "V",
    "dibl": "V/V",
    "ss": "V/dec",
}


@dataclass(frozen=True, kw_only=True)
class TransferCurves:
    """Drain current of one device against the gate voltage, both as magnitudes.

    Attributes:
        vgs: V_GS, shape (points,), in volts.
        linear, half, full: I_D at V_DS = 50 mV, V_DD/2 and V_DD, shape (points,), in amperes.
        vdd: supply V_DD, in volts.
        width, length: size of the device, in metres.
    """

    vgs: Array
    linear: Array
    half: Array
    full: Array
    vdd: float
    width: float
    length: float


# Options of a DC bench. Leakage needs ``gmin`` far below the device's own off conductance.
DC_OPTIONS = Options.of(gmin="1e-18", abstol="1e-18", reltol="1e-5", vntol="1e-7", itl1="500")


def dc_deck(
    circuit: Circuit, models: str, corner: Corner, analysis: Analysis, saves: Iterable[str], **parts: Any
) -> DrawnDeck:
    """Return the deck of a DC analysis of ``circuit``.

    Args:
        circuit: circuit to simulate.
        models: text of the model cards.
        corner: condition whose temperature the deck takes.
        analysis: sweep or operating point.
        saves: vectors to save.
        parts: further attributes of ``DrawnDeck``.
    """
    return DrawnDeck.of(
        circuit,
        models,
        temperature_c=corner.temperature_c,
        options=DC_OPTIONS,
        analysis=analysis,
        saves=tuple(saves),
        **parts,
    )


def sweep(source: str, corner: Corner, step: float) -> Dc:
    """A sweep of ``source`` from 0 to V_DD in even steps of about ``step`` V, two at least."""
    points = max(2, round(corner.vdd / step))
    return Dc(source=source, start=0, stop=corner.vdd, step=corner.vdd / points)


def transfer_deck(
    technology: Technology,
    corner: Corner,
    devices: Iterable[str] = ("nmos", "pmos"),
    *,
    models: str | None = None,
    step: float = 0.01,
    width: float = BENCH_WIDTH,
) -> DrawnDeck:
    """Bench of I_D against V_GS for several devices at once, each at three drain voltages.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        devices: names in ``technology.devices``.
        models: model text in place of the technology's models: a fit simulates many cards in one deck.
        step: step of the gate sweep, in volts.
        width: width of every device, in metres.
    """
    circuit = Circuit(f"transfer curves {technology.name} {corner.process}")
    circuit.V("gate", "gate", circuit.gnd, 0)
    # The mirror image for p devices, so that one sweep serves both.
    circuit.VCVS("mirror", "gatep", circuit.gnd, "gate", circuit.gnd, -1)
    vectors = []
    for name in devices:
        polarity = technology.device(name).polarity
        sign, gate = (1, "gate") if polarity == "n" else (-1, "gatep")
        for region, bias in (("lin", LINEAR_BIAS), ("half", corner.vdd / 2), ("full", corner.vdd)):
            tag = f"{name}_{region}"
            circuit.V(tag, f"d_{tag}", circuit.gnd, sign * bias)
            mosfet(
                circuit,
                tag,
                (f"d_{tag}", gate, "0", "0"),
                technology=technology,
                device=name,
                width=width,
            )
            vectors.append(f"i(v{tag})".lower())
    text = model_text(technology, corner.process) if models is None else models
    return dc_deck(circuit, text, corner, sweep("Vgate", corner, step), vectors)


def transfer_curves(
    result: SimResult, technology: Technology, corner: Corner, device: str, *, width: float = BENCH_WIDTH
) -> TransferCurves:
    """Return the curves of one device.

    Args:
        result: of a ``transfer_deck``.
        technology, corner, width: as for the deck.
        device: name of the device.

    Raises:
        SimulationError: if the run failed.
    """
    vectors = good_vectors(result)
    currents = {region: np.abs(vectors[f"i(v{device}_{region})".lower()]) for region in ("lin", "half", "full")}
    return TransferCurves(
        vgs=np.linspace(0.0, corner.vdd, currents["full"].size),
        linear=currents["lin"],
        half=currents["half"],
        full=currents["full"],
        vdd=corner.vdd,
        width=width,
        length=technology.device(device).l_um[0] * 1e-6,
    )


def device_figures(curves: TransferCurves) -> dict[str, float]:
    """Return the metrics named in ``UNITS``, in their units; NaN for a threshold that is not crossed.

    Args:
        curves: transfer curves of one device.
    """
    micrometres = curves.width * 1e6
    middle = float(np.interp(curves.vdd / 2, curves.vgs, curves.full))
    criterion = THRESHOLD_CURRENT * curves.width / curves.length
    vt_lin = threshold(curves.vgs, curves.linear, criterion)
    vt_sat = threshold(curves.vgs, curves.full, criterion)
    return {
        "ion": float(curves.full[-1]) / micrometres,
        "ieff": (float(curves.half[-1]) + middle) / 2 / micrometres,
        "idlin": float(curves.linear[-1]) / micrometres,
        "ioff": float(curves.full[0]) / micrometres,
        "vt_lin": vt_lin,
        "vt_sat": vt_sat,
        "dibl": (vt_lin - vt_sat) / (curves.vdd - LINEAR_BIAS),
        "ss": subthreshold_swing(curves.vgs, curves.linear),
    }


def threshold(vgs: Array, current: Array, criterion: float) -> float:
    """Return V_GS at which a current reaches a criterion, in volts, interpolated in log(I); NaN if it never does.

    Args:
        vgs: V_GS, shape (points,), in volts.
        current: I_D, shape (points,), in amperes.
        criterion: in amperes.
    """
    if not current[0] < criterion < current[-1]:
        return float("nan")
    return float(np.interp(np.log(criterion), np.log(current), vgs))


def subthreshold_swing(vgs: Array, current: Array) -> float:
    """Return the subthreshold swing, the smallest dV_GS / dlog10(I), in volts per decade.

    Args:
        vgs: V_GS, shape (points,), in volts.
        current: I_D, shape (points,), in amperes.
    """
    return float(np.min(np.diff(vgs) / np.maximum(np.diff(np.log10(current)), 1e-12)))


def good_vectors(result: SimResult) -> Mapping[str, Array]:
    """Return the vectors of a run.

    Raises:
        SimulationError: if the run failed; the message is the reason.
    """
    if not result.ok:
        raise SimulationError(result.reason)
    return result.vectors


def output_deck(technology: Technology, corner: Corner, gate_steps: int = 5, step: float = 0.02) -> DrawnDeck:
    """Return the deck of I_D against V_DS for ``nmos`` and ``pmos``, for a figure.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        gate_steps: number of gate voltages, evenly spaced up to V_DD.
        step: step of the drain sweep, in volts.
    """
    circuit = Circuit(f"output curves {technology.name} {corner.process}")
    circuit.V("drain", "drain", circuit.gnd, 0)
    circuit.VCVS("mirror", "drainp", circuit.gnd, "drain", circuit.gnd, -1)
    vectors = []
    for device in ("nmos", "pmos"):
        sign, drain = (1, "drain") if device == "nmos" else (-1, "drainp")
        for index in range(1, gate_steps + 1):
            tag = f"{device}_{index}"
            circuit.V(f"g{tag}", f"g_{tag}", circuit.gnd, sign * corner.vdd * index / gate_steps)
            circuit.V(tag, drain, f"d_{tag}", 0)
            mosfet(
                circuit,
                tag,
                (f"d_{tag}", f"g_{tag}", "0", "0"),
                technology=technology,
                device=device,
                width=BENCH_WIDTH,
            )
            vectors.append(f"i(v{tag})")
    return dc_deck(circuit, model_text(technology, corner.process), corner, sweep("Vdrain", corner, step), vectors)


def output_curves(
    result: SimResult, corner: Corner, device: Literal["nmos", "pmos"], gate_steps: int = 5
) -> tuple[Array, dict[float, Array]]:
    """Return the curves of an ``output_deck``: V_DS, and a dictionary from V_GS to I_D.

    V_DS has the shape (points,), in volts. Each I_D has the shape (points,), in A/um. V_GS is in volts.

    Args:
        result: result of the deck.
        corner, gate_steps: as for the deck.
        device: ``nmos`` or ``pmos``.

    Raises:
        SimulationError: if the run failed.
    """
    vectors = good_vectors(result)
    micrometres = BENCH_WIDTH * 1e6
    family = {
        corner.vdd * index / gate_steps: np.abs(vectors[f"i(v{device}_{index})"]) / micrometres
        for index in range(1, gate_steps + 1)
    }
    size = next(iter(family.values())).size
    return np.linspace(0.0, corner.vdd, size), family
