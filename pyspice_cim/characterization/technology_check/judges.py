"""Limits of the metrics of a technology, for any process; a metric outside its limits is a problem, in words.

The limits are wide. They find a wrong file, unit, sign or option, not an unusual process.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pyspice_cim.characterization.devices.figures import DEVICES
from pyspice_cim.characterization.spice.status import Status
from pyspice_cim.technology import Corner, Technology
from pyspice_cim.units import celsius_to_kelvin, engineering

Figures = Mapping[str, float]

# Names of process corners; the first letter is the n device.
CORNERS = ("tt", "ff", "ss", "fs", "sf")
# Threshold shift of the variant ``shifted`` in the bench of instances, in V.
SHIFT = 0.05
# (k / q) ln 10, in V per decade and kelvin: the smallest subthreshold swing over the temperature.
_SWING_PER_KELVIN = 8.617333e-5 * np.log(10.0)
# Limits of Ion, in A/um: outside, the width or the length did not reach the model.
_ION_LIMITS = (5e-6, 5e-3)
# Smallest relative difference between two different corners.
_DISTINCT = 2e-3


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A problem of a technology.

    Attributes:
        where: corner, condition or field.
        what: what is wrong.
        remedy: what to do about it.
    """

    where: str
    what: str
    remedy: str


def machine_remedy(status: Status | None) -> str:
    """Return what to do about a run that the machine ended; ``""`` if the technology may have caused the failure.

    The technology may have caused a timeout: with sound models, a deck of a check takes tenths of a second.

    Args:
        status: status of the run; ``None`` for a run without a failure.
    """
    if status is Status.KILLED:
        return "free memory (the kernel ends ngspice when memory runs out), and run the check again"
    if status is Status.DISK_FULL:
        return "make room for temporary files, or set TMPDIR to a folder with some, and run the check again"
    return ""


def judge_condition(where: str, figures: Figures, corner: Corner) -> list[Problem]:
    """Return the problems at one condition: Ion, turning off, subthreshold swing and noise margins.

    The limits are::

        SS >= 0.97 (k T / q) ln 10        Ion >= 50 Ioff        0 < SNM_hold <= V_DD / 2        0 < SNM_read <= SNM_hold
        5 uA/um <= Ion <= 5 mA/um at V_DD >= 0.9 V

    Args:
        where: name of the condition.
        figures: metrics by name, in SI units, currents in A/um; missing metrics are not judged.
        corner: process corner, supply and temperature.
    """
    found: list[tuple[str, str]] = []
    for device in DEVICES:
        ion, ioff = figures.get(f"{device}_ion"), figures.get(f"{device}_ioff")
        if ion is not None and corner.vdd >= 0.9 and not _ION_LIMITS[0] <= ion <= _ION_LIMITS[1]:
            found.append(
                (
                    f"Ion of {device} is {engineering(ion, 'A/um')}: no transistor of this width conducts so "
                    f"{'little' if ion < _ION_LIMITS[0] else 'much'}",
                    "see units.geometry and units.scale_option (metres or micrometres), and devices."
                    f"{device}.model and polarity",
                )
            )
        if ion is not None and ioff is not None and ion < 50 * ioff:
            found.append(
                (
                    f"{device} does not turn off: Ion / Ioff is {ion / ioff:.3g}",
                    f"see devices.{device}.polarity and model, and the supply",
                )
            )
        swing = figures.get(f"{device}_ss")
        limit = _SWING_PER_KELVIN * celsius_to_kelvin(corner.temperature_c)
        if swing is not None and swing < 0.97 * limit:
            found.append(
                (
                    f"{device} turns off with {swing * 1e3:.1f} mV a decade, less than the {limit * 1e3:.1f} mV that "
                    f"{corner.temperature_c:g} C allows",
                    "the models do not follow the temperature of the deck, or Ioff is below ngspice's resolution",
                )
            )
    hold, read = figures.get("snm_hold"), figures.get("snm_read")
    if hold is not None and not 0 < hold <= corner.vdd / 2:
        found.append((f"the 6T cell has no hold margin: {hold * 1e3:.0f} mV", "see cell_6t and the two devices"))
    if hold is not None and read is not None and read > hold:
        found.append(
            (
                f"the 6T cell reads better ({read * 1e3:.0f} mV) than it holds ({hold * 1e3:.0f} mV)",
                "see cell_6t.access_um and devices.nmos",
            )
        )
    if read is not None and read <= 0:
        found.append(
            ("the 6T cell loses its bit when it is read", "widen cell_6t.pull_down_um against cell_6t.access_um")
        )
    return [Problem(where=where, what=what, remedy=remedy) for what, remedy in found]


def judge_corner_names(names: Iterable[str]) -> list[Problem]:
    """Return a problem for each name that is not in ``CORNERS``: nothing judges or uses such a corner.

    Args:
        names: names of process corners.
    """
    return [
        Problem(
            where=f"corners.{name}",
            what=f"{name!r} is no process corner; there are {', '.join(CORNERS)}",
            remedy=f"rename it to one of these; what the models call it goes into corners.{name}.name",
        )
        for name in names
        if name not in CORNERS
    ]


def judge_corners(figures: Mapping[str, Figures]) -> list[Problem]:
    """Return the problems of the order of the corners.

    ff is faster than tt, and tt is faster than ss. fs has a fast n and a slow p device, sf the reverse.

    Args:
        figures: metrics by corner (``tt``, ``ff``, ...) and name; without ``tt``, nothing is judged.
    """
    typical = figures.get("tt")
    if typical is None:
        return []
    problems = []
    # By corner: sign of the change of Ion against tt, for (n, p).
    wanted = {"ff": (1, 1), "ss": (-1, -1), "fs": (1, -1), "sf": (-1, 1)}
    change = {
        process: tuple(_change(figures[process], typical, f"{device}_ion") for device in DEVICES)
        for process in wanted
        if process in figures
    }
    same = [
        process for process, moved in change.items() if all(each is not None and abs(each) < 1e-6 for each in moved)
    ]
    problems += [
        Problem(
            where=process,
            what="every current is the one of tt: the corner changes nothing",
            remedy=f"set corners.{process}.name and {{corner}} in models.include or models.lib.section, or a "
            "synthetic dvt_mv and mobility",
        )
        for process in same
    ]
    reversed_ = {
        process: all(
            each is not None and each * sign < -_DISTINCT for each, sign in zip(moved, wanted[process], strict=True)
        )
        for process, moved in change.items()
    }
    for first, second, letters in (
        ("fs", "sf", "n device is the slow one in fs and the fast one in sf"),
        ("ff", "ss", "slow corner is the fast one"),
    ):
        if reversed_.get(first) and reversed_.get(second):
            problems.append(
                Problem(
                    where=f"{first}, {second}",
                    what=f"{first} and {second} are swapped: by Ion the {letters} (the first letter is the n device)",
                    remedy=f"exchange what corners.{first} and corners.{second} stand for: their `name`, or their shifts",
                )
            )
            same += [first, second]
    for process, moved in change.items():
        if process in same:
            continue
        for device, each, sign in zip(DEVICES, moved, wanted[process], strict=True):
            if each is not None and each * sign < _DISTINCT:
                direction = "above" if sign > 0 else "below"
                problems.append(
                    Problem(
                        where=process,
                        what=f"Ion of {device} is {each:+.1%} against tt; it must be {direction}",
                        remedy=f"see what corners.{process} stands for; the first letter is the n device",
                    )
                )
    # By metric: whether the fast corner has more of it.
    for figure, more in (("fo4", False), ("nmos_ioff", True), ("pmos_ioff", True)):
        for process, fast in (("ff", True), ("ss", False)):
            if process not in change or process in same:
                continue
            each = _change(figures[process], typical, figure)
            higher = fast == more
            if each is not None and (each <= 0 if higher else each >= 0):
                problems.append(
                    Problem(
                        where=process,
                        what=f"{figure} is {each:+.1%} against tt; a {'fast' if fast else 'slow'} corner has "
                        f"{'more' if higher else 'less'}",
                        remedy=f"see what corners.{process} stands for",
                    )
                )
    return problems


def judge_temperature(cold: Figures, hot: Figures, range_c: tuple[float, float]) -> list[Problem]:
    """Return the problems of the metrics at both ends of the temperature range.

    The threshold voltage must fall by 0.2 to 3 mV/K. The ratio of the swings must be 0.75 to 1.33 times the ratio of
    the absolute temperatures. The leakage must rise by more than a factor of 2 in 50 K, and by less than a factor of 10
    in 10 K. The FO4 delay must change by less than a factor of 4.

    Args:
        cold, hot: metrics by name at the lower and at the upper end.
        range_c: temperatures of both ends, in degrees Celsius.
    """
    span = range_c[1] - range_c[0]
    absolute = celsius_to_kelvin(range_c[1]) / celsius_to_kelvin(range_c[0])
    where = f"{range_c[0]:g} to {range_c[1]:g} C"
    found: list[tuple[str, str]] = []
    followed = (
        "the models do not follow the temperature of the deck: look for `.temp`, `.options temp` or `tnom` in them"
    )
    for device in DEVICES:
        slope = _difference(hot, cold, f"{device}_vt_lin", span)
        if slope is not None and not -3e-3 < slope < -0.2e-3:
            found.append(
                (f"the threshold of {device} moves by {slope * 1e3:+.2f} mV/K; -0.2 to -3 is common", followed)
            )
        swing = _ratio(hot, cold, f"{device}_ss")
        if swing is not None and not 0.75 * absolute < swing < 1.33 * absolute:
            found.append(
                (
                    f"the swing of {device} rises {swing:.2f} times, the absolute temperature {absolute:.2f} times",
                    followed,
                )
            )
        leakage = _ratio(hot, cold, f"{device}_ioff")
        # The leakage of any junction or channel rises by more than a factor of 2 in 50 K.
        if leakage is not None and not 2 ** (span / 50) < leakage < 10 ** (span / 10):
            found.append(
                (
                    f"Ioff of {device} rises {leakage:.3g} times, which is not plausible",
                    f"{followed}; or Ioff is a floor (gmin), not the device's",
                )
            )
    delay = _ratio(hot, cold, "fo4")
    if delay is not None and not 0.25 < delay < 4:
        found.append((f"the FO4 delay at the hot end is {delay:.2f} times the one at the cold end", followed))
    return [Problem(where=where, what=what, remedy=remedy) for what, remedy in found]


def judge_targets(technology: Technology, figures: Figures) -> list[Problem]:
    """Return a problem for each target that a technology misses.

    Args:
        technology: technology with the targets.
        figures: metrics by name, at the nominal condition of the technology.
    """
    problems = []
    for group, targets in technology.targets.items():
        for name, target in targets.items():
            value = figures.get(name if group == "circuit" else f"{group}_{name}")
            if value is not None and abs(value / target.si - 1) > target.tolerance:
                problems.append(
                    Problem(
                        where="tt",
                        what=f"targets.{group}.{name}: measured {value / target.si - 1:+.1%} off the target, "
                        f"tolerance {target.tolerance:.0%}",
                        remedy=f"fit the cards again, or correct the target ({target.source})",
                    )
                )
    return problems


def judge_instances(device: str, figures: Mapping[str, Figures], dvt_mode: str) -> list[Problem]:
    """Return a problem if width, multiplier or threshold shift do not reach the transistor.

    Args:
        device: ``nmos`` or ``pmos``.
        figures: metrics of the variants ``one``, ``wide``, ``double`` and ``shifted``: ``ion`` and ``ioff``, in
            amperes, and ``vt``, in volts, negative for a p device.
        dvt_mode: value of ``devices.NAME.dvt``.
    """
    one, found = figures["one"], []
    where = f"devices.{device}"
    if not 1.7 < figures["wide"]["ion"] / one["ion"] < 2.3:
        found.append(
            (
                f"twice the width gives {figures['wide']['ion'] / one['ion']:.2f} times the current",
                "the model does not take `w` in units.geometry, or has a fixed width",
            )
        )
    if not 1.98 < figures["double"]["ion"] / one["ion"] < 2.02:
        found.append(
            (
                f"m=2 gives {figures['double']['ion'] / one['ion']:.2f} times the current",
                "the subcircuit must leave the multiplier `m` to ngspice",
            )
        )
    # A floor does not change at all; the bins of a real process may give a factor of only 1.3.
    if figures["wide"]["ioff"] < 1.1 * one["ioff"]:
        found.append(
            (
                f"Ioff cannot be measured: it does not grow with the width ({figures['wide']['ioff'] / one['ioff']:.2f} "
                f"times at twice the width), {engineering(one['ioff'], 'A')} is a floor and not the channel",
                "look for `gmin` in an .option of the models; it must be 1e-15 or less",
            )
        )
    moved = figures["shifted"]["vt"] - one["vt"]
    if not abs(moved - SHIFT) < 0.2 * SHIFT:
        found.append(
            (
                f"a drawn threshold shift of {SHIFT * 1e3:.0f} mV moves the threshold by {moved * 1e3:.1f} mV: "
                "mismatch would have no or a wrong effect",
                f'devices.{device}.dvt = "gate_source" works with every model; it is "{dvt_mode}"',
            )
        )
    return [Problem(where=where, what=what, remedy=remedy) for what, remedy in found]


def _ratio(first: Figures, second: Figures, name: str) -> float | None:
    if name not in first or not second.get(name):
        return None
    return first[name] / second[name]


def _change(first: Figures, second: Figures, name: str) -> float | None:
    ratio = _ratio(first, second, name)
    return None if ratio is None else ratio - 1.0


def _difference(first: Figures, second: Figures, name: str, span: float) -> float | None:
    if name not in first or name not in second:
        return None
    return (first[name] - second[name]) / span
