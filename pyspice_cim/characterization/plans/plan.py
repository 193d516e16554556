"""A characterization plan: which benches, at which points. Plain data from a TOML file, validated field by field."""

import dataclasses
import hashlib
import itertools
import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    Strict,
    ValidationError,
    model_validator,
)

from pyspice_cim.characterization.plans.registry import BENCHES
from pyspice_cim.characterization.plans.settings import DEFAULT_SETTINGS, BenchSettings, once, rising
from pyspice_cim.characterization.spice.simulation import Bench
from pyspice_cim.characterization.variation.population import MonteCarloSettings
from pyspice_cim.errors import NetlistError, PlanError
from pyspice_cim.tables.quantity import stored_name
from pyspice_cim.technology import Corner, Technology


def _some(benches: dict[str, Any]) -> dict[str, Any]:
    if not benches:
        raise ValueError(f"no bench is named; add one, e.g. [benches.driver]; there are {', '.join(BENCHES)}")
    return benches


def _of_their_types(settings: object) -> object:
    """``settings`` of samples as a TOML file gives them, if each has its type: a number in quotes is a slip of the pen."""
    if not isinstance(settings, dict):
        return settings
    for field in dataclasses.fields(MonteCarloSettings):
        given = settings.get(field.name, field.default)
        if type(given) is not type(field.default):
            raise ValueError(f"{field.name} = {_short(given)} should be of the type {type(field.default).__name__}")
    return settings


# A plan beyond this is a slip of the pen: at a tenth of a second a point it is hours.
MAX_POINTS = 100_000
# The largest value along an axis of a bench: rows of a memory.
MAX_COORDINATE = 4096

# Strict: a number in quotes, or true in the place of 1, is refused and not read as one.
Axis = Annotated[
    tuple[Annotated[int, Strict(), Field(gt=0, le=MAX_COORDINATE)], ...], Field(min_length=1), AfterValidator(rising)
]

Floats = Annotated[tuple[Annotated[FiniteFloat, Strict()], ...], Field(min_length=1), AfterValidator(rising)]


class Corners(BaseModel):
    """The grid of operating conditions: process corners, supply voltages in V, temperatures in degrees Celsius."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    process: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(once)]
    vdd: Floats
    temperature_c: Floats


class HeldOut(BaseModel):
    """Points off the grid that are simulated to judge the interpolation, and never interpolated from.

    Attributes:
        midpoints: whether there is a point in the middle of every interval of every axis, the other axes at their
            middle node.
        random: number of further points of each bench, off the grid in all axes at once.
        seed: seed of the random points.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    midpoints: bool = True
    random: int = Field(default=0, ge=0, le=1000)
    seed: int = Field(default=0, ge=0)


class Refine(BaseModel):
    """Nodes that are added where a midpoint's relative error of interpolation is above a bound.

    Attributes:
        rounds: largest number of times that intervals are halved; 0 for never.
        energy, delay: bounds of the relative error, for quantities in J and in s.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    rounds: int = Field(default=0, ge=0, le=8)
    energy: float = Field(default=0.01, gt=0)
    delay: float = Field(default=0.02, gt=0)


class Audit(BaseModel):
    """Points that are run again with a tenth of every tolerance: the numerical error of the table.

    Attributes:
        points: number of points of each bench.
        benches: benches that are audited; all where none is named. The audit of a column takes five times as long as
            its simulation for the table.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    points: int = Field(default=0, ge=0, le=1000)
    benches: Annotated[list[str], Field(min_length=1), AfterValidator(once)] | None = None


def _known_names(benches: object) -> object:
    """``benches``, if every bench knows the names that it is given. A value of an unknown name has no type to check."""
    for bench, asked in benches.items() if isinstance(benches, dict) else ():
        if bench in BENCHES and isinstance(asked, dict):
            kind = BENCHES[bench]
            for name in asked:
                if name not in kind.axes and name not in kind.settings:
                    axes, settings = (", ".join(names) or "none" for names in (kind.axes, kind.settings))
                    raise ValueError(
                        f"benches.{bench}.{name} is no axis of this bench ({axes}) and no setting ({settings})"
                    )
    return benches


class BenchPlan(BaseModel):
    """What a plan says of a bench: values along the bench's axes, and settings of all its points.

    Both stand side by side in the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    axes: dict[str, Axis]
    settings: BenchSettings = DEFAULT_SETTINGS

    @model_validator(mode="before")
    @classmethod
    def _apart(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        chosen = {name: value for name, value in data.items() if name in BenchSettings.model_fields}
        return {"axes": {name: value for name, value in data.items() if name not in chosen}, "settings": chosen}


class Plan(BaseModel):
    """A plan: a technology, a grid of corners, for every bench the values along its axes; how the table is checked.

    ``monte_carlo`` is needed by, and only by, benches that draw samples.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    technology: str
    description: str = ""
    corners: Corners
    benches: Annotated[dict[str, BenchPlan], BeforeValidator(_known_names), AfterValidator(_some)]
    held_out: HeldOut | None = None
    refine: Refine = Refine()
    audit: Audit = Audit()
    monte_carlo: Annotated[MonteCarloSettings | None, BeforeValidator(_of_their_types)] = None
    text: str = Field(default="", exclude=True)

    def kind_of(self, bench: str) -> str:
        """Name of points that cost the same: the bench and, where it has any, its settings as JSON."""
        chosen = self.benches[bench].settings.model_dump_json(exclude_none=True)
        return bench if chosen == "{}" else f"{bench} {chosen}"

    @property
    def sha256(self) -> str:
        """Hash of the plan's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Point:
    """One bench at one operating condition and size.

    Attributes:
        bench: name of the bench.
        corner: process, supply and temperature.
        coordinates: axis of the bench to its value.
        index: place in the arrays of the table; ``()`` for a point off the grid.
    """

    bench: str
    corner: Corner
    coordinates: dict[str, int]
    index: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """Key of the point: bench, corner and coordinates; no two points of a plan share one."""
        return self.bench, *self.corner.model_dump().values(), *self.coordinates.items()

    @property
    def place(self) -> dict[str, str | float]:
        """Coordinates as a table names them."""
        return {
            **self.corner.model_dump(),
            **{stored_name(self.bench, axis): value for axis, value in self.coordinates.items()},
        }


def load_plan(path: str | Path) -> Plan:
    """Read and check a plan.

    Raises:
        PlanError: naming the file, the field, the value, and what is allowed.
    """
    path = Path(path)
    try:
        text = path.read_text()
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"plan {path} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        # Beside its own error tomllib has those of Python: for a number of thousands of digits, for lists in lists in
        # lists.
        raise PlanError(f"plan {path} is not valid TOML: {error}") from error
    if "text" in data:
        raise PlanError(f"plan {path}: text is no field of a plan (found {_short(data['text'])}); remove it")
    try:
        plan = Plan.model_validate({**data, "text": text})
    except ValidationError as error:
        problems = [
            f"{_field(problem['loc'])}: {problem['msg']} (found {_short(problem['input'])})"
            for problem in error.errors()
        ]
        raise PlanError(f"plan {path}: " + "; ".join(problems)) from error
    for bench, asked in plan.benches.items():
        if bench not in BENCHES:
            raise PlanError(f"plan {path}: benches.{bench} is not a bench; there are {', '.join(BENCHES)}")
        wanted = set(BENCHES[bench].axes)
        if set(asked.axes) != wanted:
            given = ", ".join(asked.axes) or "none"
            raise PlanError(
                f"plan {path}: benches.{bench} has the axes {given}; it needs {', '.join(sorted(wanted)) or 'none'}"
            )
        if BENCHES[bench].samples and plan.monte_carlo is None:
            raise PlanError(
                f"plan {path}: benches.{bench} draws samples; add a table [monte_carlo] with count and seed"
            )
    if plan.audit.benches is not None and not plan.audit.points:
        raise PlanError(f"plan {path}: audit.benches is of no use without audit.points; add points = 1")
    for bench in plan.audit.benches or ():
        if bench not in plan.benches:
            raise PlanError(
                f"plan {path}: audit.benches: {bench!r} is no bench of this plan; it has {', '.join(plan.benches)}"
            )
        if BENCHES[bench].samples:
            raise PlanError(f"plan {path}: audit.benches: {bench!r} draws samples, which are not audited; remove it")
    if plan.monte_carlo is not None and not any(BENCHES[bench].samples for bench in plan.benches):
        sampling = " or ".join(f"benches.{bench}" for bench, kind in BENCHES.items() if kind.samples)
        raise PlanError(f"plan {path}: monte_carlo is of no use without {sampling}; add one, or remove [monte_carlo]")
    counts = {bench: point_count(plan, bench) for bench in plan.benches}
    if sum(counts.values()) > MAX_POINTS:
        most = max(counts, key=lambda bench: counts[bench])
        raise PlanError(
            f"plan {path} asks for {sum(counts.values()):,} points, {counts[most]:,} of them of benches.{most}; "
            f"at most {MAX_POINTS:,} are run: give fewer values along its axes or corners, or split the plan"
        )
    for field in ("vdd", "temperature_c"):
        for value in getattr(plan.corners, field):
            # The results of a deck would be stored beside a number that the deck does not state.
            if value != float(f"{value:g}"):
                raise PlanError(f"plan {path}: corners.{field}: {value!r}: a deck states six digits; give {value:g}")
    for bench, asked in plan.benches.items():
        for _, coordinates in _coordinates(bench, asked):
            try:
                BENCHES[bench].check(**coordinates)
            except NetlistError as error:
                raise PlanError(f"plan {path}: benches.{bench}: {error}") from error
    return plan


def started(plan: Plan, technology: Technology, point: Point) -> Bench:
    """The bench of ``point`` from its start, with the settings of ``plan``.

    Raises:
        PlanError: if the plan has no such bench, or does not say how many samples the bench is to draw.
    """
    if point.bench not in plan.benches:
        raise PlanError(f"plan {plan.name} has no bench {point.bench!r}; it has {', '.join(plan.benches)}")
    kind, asked = BENCHES[point.bench], plan.benches[point.bench]
    if kind.samples and plan.monte_carlo is None:
        raise PlanError(
            f"plan {plan.name}: benches.{point.bench} draws samples; add a table [monte_carlo] with count and seed"
        )
    return kind.start(technology, point.corner, point.coordinates, asked.settings, plan.monte_carlo)


def point_count(plan: Plan, bench: str) -> int:
    """Points of ``bench`` on the grid."""
    grid = plan.corners
    axes = (grid.process, grid.vdd, grid.temperature_c, *plan.benches[bench].axes.values())
    return math.prod(len(values) for values in axes)


def _field(place: tuple[int | str, ...]) -> str:
    """The name of a field as the file has it: what stands side by side there is one level deeper in ``BenchPlan``."""
    parts = [str(part) for part in place]
    if parts[0] == "benches":
        parts[2:3] = []
    return ".".join(parts)


def _short(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} that is too long to print"
    return text if len(text) < 60 else text[:57] + "..."


def plan_points(plan: Plan, technology: Technology) -> list[Point]:
    """Every point of ``plan``, in a fixed order: bench, then corner, then the bench's axes.

    Raises:
        TechnologyError: for a corner, supply or temperature that the technology does not have.
    """
    return list(_points(plan, technology))


def _points(plan: Plan, technology: Technology) -> Iterator[Point]:
    grid = plan.corners
    for bench, asked in plan.benches.items():
        conditions = (enumerate(grid.process), enumerate(grid.vdd), enumerate(grid.temperature_c))
        for (p, process), (v, vdd), (t, temperature) in itertools.product(*conditions):
            corner = Corner(process=process, vdd=vdd, temperature_c=temperature).check(technology)
            for own, coordinates in _coordinates(bench, asked):
                yield Point(bench=bench, corner=corner, coordinates=coordinates, index=(p, v, t, *own))


def _coordinates(bench: str, asked: BenchPlan) -> Iterator[tuple[tuple[int, ...], dict[str, int]]]:
    """Every combination of values along the bench's axes, after its index."""
    names = list(BENCHES[bench].axes)
    for numbered in itertools.product(*(enumerate(asked.axes[name]) for name in names)):
        yield (
            tuple(number for number, _ in numbered),
            {name: value for name, (_, value) in zip(names, numbered, strict=True)},
        )
