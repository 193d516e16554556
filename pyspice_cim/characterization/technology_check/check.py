"""Check of a technology: runs the benches of ``devices/figures.py`` and collects the problems that ``judges.py`` finds.

check        what runs                                           what must hold
corners      all corners, nominal supply and temperature         order of Ion, Ioff and FO4; fs and sf not swapped
temperature  both ends of the range                              physical change of threshold, swing, leakage, delay
supply       both ends of the range                              every metric has a value
instances    a transistor; twice its width, m = 2, +50 mV        current and threshold follow
range        transistors at the ends of width and length         each has an operating point
drawing      every built-in circuit                              it can be drawn
cells        the 6T and the 8T cell, user cells too              the benches of the cells get the right bits
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from PySpice.Spice.Netlist import Circuit

from pyspice_cim.characterization.benches.examples import example_decks
from pyspice_cim.characterization.devices.curves import (
    BENCH_WIDTH,
    THRESHOLD_CURRENT,
    dc_deck,
    device_figures,
    sweep,
    threshold,
    transfer_curves,
    transfer_deck,
)
from pyspice_cim.characterization.devices.figures import DEVICES, measure_technology
from pyspice_cim.characterization.devices.fo4 import fo4_deck, switching_time
from pyspice_cim.characterization.spice.ngspice import Simulator
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Measurement
from pyspice_cim.characterization.spice.status import Status
from pyspice_cim.characterization.technology_check.cells import check_cells
from pyspice_cim.characterization.technology_check.judges import (
    CORNERS,
    SHIFT,
    Figures,
    Problem,
    judge_condition,
    judge_corner_names,
    judge_corners,
    judge_instances,
    judge_targets,
    judge_temperature,
    machine_remedy,
)
from pyspice_cim.errors import NetlistError, TechnologyError
from pyspice_cim.netlists.analysis import Op
from pyspice_cim.netlists.cell import mosfet
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.technology import Corner, Technology, model_text

Progress = Callable[[str], None]

# Time limit of each of the first runs, in seconds. With sound models they take some tenths of a second.
_FIRST_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class TechnologyCheck:
    """The outcome of ``check_technology``.

    Attributes:
        name: name of the technology.
        problems: what is wrong; empty for a good technology.
        notes: facts that are worth knowing and not wrong.
        figures: metrics by condition and name, in SI units, currents in A/um; None for a metric without a value.
        units: unit of each metric.
    """

    name: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    figures: Mapping[str, Mapping[str, float | None]]
    units: Mapping[str, str]

    @property
    def ok(self) -> bool:
        return not self.problems


def check_technology(technology: Technology, simulator: Simulator, progress: Progress | None = None) -> TechnologyCheck:
    """Simulate a technology at all corners and at the ends of its ranges, and judge the metrics.

    Args:
        technology: the technology.
        simulator: what runs the decks.
        progress: called with the name of each condition before it runs.

    Returns:
        Problems, notes and all metrics. If the first runs show a problem, nothing else runs.

    Raises:
        MissingDependencyError: if ngspice, or the Python package with the models, is not there.
    """
    supply, temperature = technology.supply, technology.temperature
    typical = "tt" if "tt" in technology.corners else next(iter(technology.corners))
    nominal = {
        process: Corner(process=process, vdd=supply.nominal_v, temperature_c=temperature.nominal_c)
        for process in technology.corners
    }
    ends = {
        f"{typical} {value:g} {unit}": nominal[typical].model_copy(update={field: value})
        for field, values, unit in (("temperature_c", temperature.range_c, "C"), ("vdd", supply.range_v, "V"))
        for value in values
    }
    # Transistors of an impossible size would keep ngspice busy for minutes in each of the other benches.
    problems: list[Problem] = _first_look(technology, nominal[typical], simulator)
    misnamed = judge_corner_names(technology.corners)
    figures: dict[str, dict[str, float | None]] = {}
    units: dict[str, str] = {}
    if problems:
        return TechnologyCheck(
            name=technology.name,
            problems=(*misnamed, *problems),
            notes=_notes(technology),
            figures=figures,
            units=units,
        )
    for where, corner in (nominal | ends).items():
        if progress is not None:
            progress(where)
        try:
            measured = measure_technology(technology, corner, simulator)
        except (TechnologyError, NetlistError) as error:
            problems.append(Problem(where=where, what=str(error), remedy="mend the field or file that is named"))
            continue
        units |= {name: item.unit for name, item in measured.items()}
        figures[where] = {name: None if item.value is None else float(item.value) for name, item in measured.items()}
        problems += _unmeasured(where, [item for item in measured.values() if item.value is None])
        problems += judge_condition(where, _complete(figures[where]), corner)
    known = {where: _complete(values) for where, values in figures.items()}
    problems += judge_corners({process: known[process] for process in technology.corners if process in known})
    cold, hot = (known.get(f"{typical} {value:g} C", {}) for value in temperature.range_c)
    problems += judge_temperature(cold, hot, temperature.range_c)
    problems += judge_targets(technology, known.get(typical, {}))
    if progress is not None:
        progress("instances, sizes, circuits and cells")
    problems += _check_instances(technology, nominal[typical], simulator)
    problems += _check_sizes(technology, nominal[typical], simulator)
    problems += _check_drawing(technology)
    problems += check_cells(technology, nominal[typical], simulator)
    # A file that is missing in five corners is one problem.
    return TechnologyCheck(
        name=technology.name,
        problems=tuple(dict.fromkeys([*misnamed, *problems])),
        notes=_notes(technology),
        figures=figures,
        units=units,
    )


def instances_deck(technology: Technology, corner: Corner, step: float = 0.01) -> DrawnDeck:
    """Sweeps of V_GS at V_DS = V_DD: each device alone, twice as wide, two in parallel, shifted by ``SHIFT``."""
    circuit = Circuit(f"instances {technology.name} {corner.process}")
    circuit.V("gate", "gate", circuit.gnd, 0)
    circuit.VCVS("mirror", "gatep", circuit.gnd, "gate", circuit.gnd, -1)
    vectors = []
    for device in DEVICES:
        sign, gate = (1, "gate") if technology.device(device).polarity == "n" else (-1, "gatep")
        for variant, width, multiplier, dvt in (
            ("one", 1.0, 1, None),
            ("wide", 2.0, 1, None),
            ("double", 1.0, 2, None),
            ("shifted", 1.0, 1, SHIFT),
        ):
            tag = f"{device}_{variant}"
            circuit.V(tag, f"d_{tag}", circuit.gnd, sign * corner.vdd)
            mosfet(
                circuit,
                tag,
                (f"d_{tag}", gate, "0", "0"),
                technology=technology,
                device=device,
                width=width * BENCH_WIDTH,
                multiplier=multiplier,
                dvt=dvt,
            )
            vectors.append(f"i(v{tag})")
    return dc_deck(circuit, model_text(technology, corner.process), corner, sweep("Vgate", corner, step), vectors)


def instance_figures(vectors: Vectors, technology: Technology, corner: Corner, device: str) -> dict[str, Figures]:
    """Return the metrics that ``judge_instances`` needs, by variant: ``one``, ``wide``, ``double`` and ``shifted``.

    Args:
        vectors: results of an ``instances_deck``.
        technology, corner: as for the deck.
        device: ``nmos`` or ``pmos``.

    Returns:
        By variant: ``ion`` and ``ioff``, in amperes, and ``vt``, in volts, negative for a p device.
    """
    kind = technology.device(device)
    found: dict[str, Figures] = {}
    for variant in ("one", "wide", "double", "shifted"):
        current = np.abs(vectors[f"i(v{device}_{variant})"])
        vgs = np.linspace(0.0, corner.vdd, current.size)
        at = threshold(vgs, current, THRESHOLD_CURRENT * BENCH_WIDTH / (kind.l_um[0] * 1e-6))
        found[variant] = {
            "ion": float(current[-1]),
            "ioff": float(current[0]),
            "vt": at if kind.polarity == "n" else -at,
        }
    return found


def sizes_deck(technology: Technology, corner: Corner, device: str, width: float, length: float) -> DrawnDeck:
    """The operating point of one transistor of ``width`` and ``length`` in m, switched on."""
    circuit = Circuit(f"size {technology.name} {device}")
    sign = 1 if technology.device(device).polarity == "n" else -1
    circuit.V("on", "on", circuit.gnd, sign * corner.vdd)
    circuit.V("drain", "on", "d", 0)
    mosfet(
        circuit,
        "one",
        ("d", "on", "0", "0"),
        technology=technology,
        device=device,
        width=width,
        length=length,
    )
    models = model_text(technology, corner.process)
    return dc_deck(circuit, models, corner, Op(), ["i(vdrain)"])


def _first_look(technology: Technology, corner: Corner, simulator: Simulator) -> list[Problem]:
    """Return the problems of the nominal condition; with any of them, all other benches would be wrong as well."""
    try:
        deck = transfer_deck(technology, corner, step=0.05)
    except (TechnologyError, NetlistError) as error:
        return [Problem(where=corner.process, what=str(error), remedy="mend the field or file that is named")]
    (result,) = simulator.run([replace(deck, timeout=_FIRST_SECONDS)])
    if not result.ok:
        return [_failed(corner.process, "drain currents", result.reason, result.status)]
    curves = {device: transfer_curves(result, technology, corner, device) for device in DEVICES}
    figures = {device: device_figures(curve) for device, curve in curves.items()}
    problems = judge_condition(
        corner.process, {f"{device}_ion": each["ion"] for device, each in figures.items()}, corner
    )
    if problems:
        return problems
    # Metres instead of micrometres keep W / L and so the current. But a gate of one square metre does not switch.
    period = switching_time(corner.vdd, min(each["ieff"] for each in figures.values()))
    (result,) = simulator.run([replace(fo4_deck(technology, corner, half_period=period), timeout=_FIRST_SECONDS)])
    return [] if result.ok else [_failed(corner.process, "FO4 delay", result.reason, result.status)]


def _check_instances(technology: Technology, corner: Corner, simulator: Simulator) -> list[Problem]:
    try:
        deck = instances_deck(technology, corner)
    except (TechnologyError, NetlistError) as error:
        return [Problem(where="devices", what=str(error), remedy="mend the field that is named")]
    (result,) = simulator.run([deck])
    if not result.ok:
        return [_failed("devices", "the bench of single transistors", result.reason, result.status)]
    problems = []
    for device in DEVICES:
        figures = instance_figures(result.vectors, technology, corner, device)
        problems += judge_instances(device, figures, technology.device(device).dvt)
    return problems


def _check_sizes(technology: Technology, corner: Corner, simulator: Simulator) -> list[Problem]:
    problems = []
    for device in DEVICES:
        kind = technology.device(device)
        for width in kind.w_um:
            for length in kind.l_um:
                size = f"W = {width:g} um, L = {length:g} um"
                try:
                    deck = sizes_deck(technology, corner, device, width * 1e-6, length * 1e-6)
                except (TechnologyError, NetlistError) as error:
                    problems.append(Problem(where=f"devices.{device}", what=str(error), remedy="narrow w_um or l_um"))
                    continue
                (result,) = simulator.run([deck])
                if not result.ok:
                    problems.append(
                        Problem(
                            where=f"devices.{device}",
                            what=f"no operating point at {size}, which w_um and l_um allow: {result.reason}",
                            remedy=machine_remedy(result.status) or "narrow w_um or l_um to what the models are for",
                        )
                    )
    return problems


def _check_drawing(technology: Technology) -> list[Problem]:
    try:
        example_decks(technology)
    except (TechnologyError, NetlistError) as error:
        return [
            Problem(
                where="circuits",
                what=f"the built-in circuits cannot be drawn: {error}",
                remedy='widen w_um or l_um, or draw narrow transistors at the smallest width (narrow = "widen")',
            )
        ]
    return []


def _unmeasured(where: str, failed: Iterable[Measurement]) -> list[Problem]:
    """One problem for each reason, with the metrics that have no value because of it."""
    together: dict[tuple[str, Status | None], list[str]] = {}
    for item in failed:
        together.setdefault((item.reason, item.status), []).append(item.name)
    return [_failed(where, ", ".join(names), *why) for why, names in together.items()]


def _failed(where: str, what: str, reason: str, status: Status | None) -> Problem:
    remedy = "see the models and the device names of this corner; the reason is ngspice's own"
    if "threshold" in reason:
        remedy = "see devices and units: a transistor that does not turn on or off within the supply"
    if status is Status.TIMEOUT or "timestep too small" in reason.lower():
        remedy = "see units.geometry and units.scale_option: transistors of an impossible size do not converge"
    if "unknown subckt" in reason.lower() or "find model" in reason.lower() or "unable to find" in reason.lower():
        remedy = "devices.*.model names what the model files do not define, or element (M, X) is the wrong one"
    return Problem(where=where, what=f"not measured: {what}: {reason}", remedy=machine_remedy(status) or remedy)


def _notes(technology: Technology) -> tuple[str, ...]:
    notes = []
    synthetic = [name for name, corner in technology.corners.items() if corner.synthetic]
    if synthetic:
        notes.append(f"corners {', '.join(synthetic)} are synthetic: shifted nominal cards")
    missing = [name for name in CORNERS if name not in technology.corners]
    if missing:
        notes.append(f"there are no corners {', '.join(missing)}; their order was not judged")
    widened = [name for name, kind in technology.devices.items() if kind.narrow == "widen"]
    if widened:
        notes.append(
            f"circuits are drawn for 45 nm and scaled by {technology.scale:.3g}; transistors below the smallest width "
            f"of {' and '.join(widened)} are drawn at that width"
        )
    return tuple(notes)


def _complete(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value is not None}
