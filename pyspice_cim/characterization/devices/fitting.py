"""Fit of BSIM4 cards to target metrics, with ngspice in the loop.

Each device has six parameters x (``bsim4_card.FITTED``) and six target metrics f (``targets.FIT_FIGURES``):

    minimise  sum_k r_k(x)^2        lowest <= x <= highest
    r = (f / f_target - 1) / 1 %              for currents
    r = log10(Ioff / Ioff_target) / 0.02      for the leakage: it spans decades
    r = (Vt - Vt_target) / 5 mV               for thresholds

The solver is ``scipy.optimize.least_squares`` (trust region reflective; M. A. Branch, T. F. Coleman, Y. Li, SIAM J.
Sci. Comput. 21, 1999). All perturbed cards of a Jacobian are simulated in one deck.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pyspice_cim.characterization.devices.bsim4_card import FITTED, card, check_constants
from pyspice_cim.characterization.devices.curves import device_figures, transfer_curves, transfer_deck
from pyspice_cim.characterization.spice.ngspice import Simulator
from pyspice_cim.resources import check_own, write_own
from pyspice_cim.technology.fields import Models
from pyspice_cim.technology.model import Corner, Technology
from pyspice_cim.technology.targets import FIT_FIGURES, Targets
from pyspice_cim.technology.toml_text import toml_text

Array = NDArray[np.float64]

# Called with the device, the number of evaluations so far, and the largest residual of the last evaluation.
Progress = Callable[[str, int, float], None]

# Relative step of the finite differences: far above the tolerance of ngspice (1e-5), too small to show curvature.
_STEP = 1e-3
# Step of the gate sweep, in V; thresholds are interpolated in log(I).
_SWEEP_STEP = 0.02
# Residual of a metric without a value, for example no threshold within the sweep.
_UNREADABLE = 100.0
# The line by which a file says that a fit made it.
_MADE = "Made by `pyspice-cim technology fit` from the targets file; edit that and fit again."


@dataclass(frozen=True, kw_only=True)
class DeviceFit:
    """The fit of one device.

    Attributes:
        parameters: fitted parameters by name (``bsim4_card.FITTED``), in the units of BSIM4.
        figures: metrics of the fitted card by name (``curves.UNITS``), in SI units, currents in A/um.
        evaluations: number of ngspice runs of the solver.
    """

    parameters: Mapping[str, float]
    figures: Mapping[str, float]
    evaluations: int


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """The result of ``fit_cards``.

    Attributes:
        name: name of the technology.
        cards: text of the file ``NAME.cards``.
        toml: text of the file ``NAME.toml``.
        fits: the fit of each device, by its name.
        missed: one line per target metric outside its tolerance; empty for a good fit.
        seconds: wall time, in seconds.
    """

    name: str
    cards: str
    toml: str
    fits: Mapping[str, DeviceFit]
    missed: tuple[str, ...]
    seconds: float


def fit_cards(targets: Targets, simulator: Simulator, progress: Progress | None = None) -> FitResult:
    """Fit the cards of ``nmos`` and ``pmos`` to their target metrics.

    Args:
        targets: target metrics and constants of the process.
        simulator: what runs the decks.
        progress: called after every evaluation of the residuals.

    Returns:
        The text of the files, and how well each device meets its targets.

    Raises:
        TechnologyError: if a card constant is missing or not known.
        SimulationError: if ngspice fails.
    """
    started = monotonic()
    fits: dict[str, DeviceFit] = {}
    texts: list[str] = []
    for device in ("nmos", "pmos"):
        check_constants(targets.card[device], f"card.{device}")
        fits[device] = _fit_device(targets, device, simulator, progress)
        kind = targets.devices[device]
        texts.append(card(kind.model, kind.polarity, targets.card[device], fits[device].parameters))
    header = f"* {targets.name}: {targets.source}\n* {_MADE}\n"
    missed = tuple(
        f"{device} {figure}: {fits[device].figures[figure]:.4g} for {target.si:.4g} (tolerance {target.tolerance:.0%})"
        for device in fits
        for figure, target in targets.targets[device].items()
        if figure in FIT_FIGURES and not abs(fits[device].figures[figure] / target.si - 1) <= target.tolerance
    )
    return FitResult(
        name=targets.name,
        cards=header + "".join(texts),
        toml=_technology_toml(targets),
        fits=fits,
        missed=missed,
        seconds=monotonic() - started,
    )


def write_fit(result: FitResult, folder: Path) -> tuple[Path, Path]:
    """Write ``NAME.toml`` and ``NAME.cards`` into ``folder``; no file is ever there in part.

    NAME comes from the targets file, so it can be the name of any file of a user, for example ``pyproject``. Only a
    file that an earlier fit made is replaced.

    Args:
        result: the fit.
        folder: where the files go.

    Returns:
        The paths of the TOML file and of the cards.

    Raises:
        ConfigError: if the folder cannot be written, or has a file of this name that no fit made.
    """
    cards, toml = folder / f"{result.name}.cards", folder / f"{result.name}.toml"
    check_own(toml, _is_fitted)
    # Cards first: the TOML file must not name a missing file.
    write_own(cards, result.cards.encode(), _is_fitted)
    write_own(toml, result.toml.encode(), _is_fitted)
    return toml, cards


def _is_fitted(data: bytes) -> bool:
    """Return whether a fit made the file ``data``: its first or second line says so."""
    return any(line.endswith(_MADE.encode()) for line in data.splitlines()[:2])


def residuals(figures: Mapping[str, float], wanted: Mapping[str, float]) -> Array:
    """Return the residuals r of the module's docstring, shape (6,), in units of the wanted accuracy.

    Args:
        figures: metrics of a card by name, in SI units, currents in A/um.
        wanted: target metrics, likewise.
    """
    values = []
    for name in FIT_FIGURES:
        if name == "ioff":
            values.append(np.log10(figures[name] / wanted[name]) / 0.02)
        elif name.startswith("vt_"):
            values.append((figures[name] - wanted[name]) / 5e-3)
        else:
            values.append((figures[name] / wanted[name] - 1) / 0.01)
    return np.nan_to_num(np.array(values), nan=_UNREADABLE)


def _fit_device(targets: Targets, device: str, simulator: Simulator, progress: Progress | None) -> DeviceFit:
    wanted = {name: targets.targets[device][name].si for name in FIT_FIGURES}
    start, lowest, highest = (np.array(column) for column in zip(*FITTED.values(), strict=True))
    names = list(FITTED)
    start[names.index("vth0")] = np.clip(wanted["vt_lin"] - 0.03, lowest[0], highest[0])
    if targets.devices[device].polarity == "p":
        # Holes: about a third of the electrons' mobility.
        start[names.index("u0")] /= 3
    scale = start.copy()
    count = 0

    def figures(points: Sequence[Array]) -> list[dict[str, float]]:
        nonlocal count
        count += 1
        cards = [dict(zip(names, (float(value) for value in point), strict=True)) for point in points]
        return _simulated(targets, device, cards, simulator)

    def objective(point: Array) -> Array:
        values = residuals(figures([point])[0], wanted)
        if progress is not None:
            progress(device, count, float(np.abs(values).max()))
        return values

    def jacobian(point: Array) -> Array:
        steps = _STEP * scale
        steps = np.where(point + steps > highest, -steps, steps)
        centre, *moved = figures([point, *(point + np.diag(steps))])
        at = residuals(centre, wanted)
        return np.stack([(residuals(f, wanted) - at) / step for f, step in zip(moved, steps, strict=True)], axis=1)

    found = least_squares(
        objective, start, jac=jacobian, bounds=(lowest, highest), x_scale=scale, xtol=1e-7, ftol=1e-9, max_nfev=60
    )
    # Rounded as in the card: the metrics then belong to the written card.
    parameters = {name: float(f"{value:.6g}") for name, value in zip(names, found.x, strict=True)}
    (final,) = _simulated(targets, device, [parameters], simulator)
    return DeviceFit(parameters=parameters, figures=final, evaluations=count)


def _simulated(
    targets: Targets, device: str, candidates: Sequence[Mapping[str, float]], simulator: Simulator
) -> list[dict[str, float]]:
    """Return the metrics of several candidate cards of one device, from one ngspice run."""
    kind = targets.devices[device]
    trial = {f"{device}{i}": kind.model_copy(update={"model": f"m{i}"}) for i in range(len(candidates))}
    models = "".join(
        card(f"m{i}", kind.polarity, targets.card[device], parameters) for i, parameters in enumerate(candidates)
    )
    description = {name: getattr(targets, name) for name in type(targets).model_fields if name != "card"}
    technology = Technology.model_construct(
        **{**description, "devices": {**targets.devices, **trial}}, models=Models(include=("none",))
    )
    corner = Corner(vdd=targets.supply.nominal_v, temperature_c=targets.temperature.nominal_c)
    (result,) = simulator.run([transfer_deck(technology, corner, trial, models=models, step=_SWEEP_STEP)])
    return [device_figures(transfer_curves(result, technology, corner, name)) for name in trial]


def _technology_toml(targets: Targets) -> str:
    data = targets.model_dump(mode="json", exclude={"card"}, exclude_unset=True)
    data["models"] = {"include": [f"{targets.name}.cards"]}
    # The long table of targets last.
    data["targets"] = data.pop("targets")
    return f"# {_MADE}\n\n" + toml_text(data)
