"""A characterization plan: which benches, at which points. Plain data from a TOML file, validated field by field."""

import hashlib
import itertools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pyspice_cim.characterization.benches import BENCHES
from pyspice_cim.errors import PlanError
from pyspice_cim.technology import Corner, Technology


def _rising(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if list(values) != sorted(set(values)):
        raise ValueError(f"{list(values)} must rise without repeating")
    return values


Axis = Annotated[tuple[Annotated[int, Field(gt=0, le=4096)], ...], Field(min_length=1), AfterValidator(_rising)]
Floats = Annotated[tuple[float, ...], Field(min_length=1), AfterValidator(_rising)]


class Corners(BaseModel):
    """The grid of operating conditions: process corners, supply voltages in V, temperatures in degrees Celsius."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    process: tuple[str, ...] = Field(min_length=1)
    vdd: Floats
    temperature_c: Floats


class Plan(BaseModel):
    """A plan: a technology, a grid of corners, and for every bench the values along its axes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    technology: str
    description: str = ""
    corners: Corners
    benches: dict[str, dict[str, Axis]]
    text: str = Field(default="", exclude=True)

    @property
    def sha256(self) -> str:
        """Hash of the plan's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Point:
    """One bench at one place of its grid."""

    bench: str
    corner: Corner
    coordinates: dict[str, int]


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
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"plan {path} is not valid TOML: {error}") from error
    try:
        plan = Plan.model_validate({**data, "text": text} if "text" not in data else data)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']} (found {_short(problem['input'])})"
            for problem in error.errors()
        ]
        raise PlanError(f"plan {path}: " + "; ".join(problems)) from error
    for bench, axes in plan.benches.items():
        if bench not in BENCHES:
            raise PlanError(f"plan {path}: benches.{bench} is not a bench; there are {', '.join(BENCHES)}")
        wanted = set(BENCHES[bench].axes)
        if set(axes) != wanted:
            raise PlanError(
                f"plan {path}: benches.{bench} has the axes {', '.join(axes) or 'none'}; it needs {', '.join(sorted(wanted))}"
            )
    return plan


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


def plan_points(plan: Plan, technology: Technology) -> list[Point]:
    """Every point of ``plan``, in a fixed order: bench, then corner, then the bench's axes.

    Raises:
        TechnologyError: for a corner, supply or temperature that the technology does not have.
    """
    return list(_points(plan, technology))


def _points(plan: Plan, technology: Technology) -> Iterator[Point]:
    grid = plan.corners
    for bench, axes in plan.benches.items():
        for process, vdd, temperature in itertools.product(grid.process, grid.vdd, grid.temperature_c):
            corner = Corner(process=process, vdd=vdd, temperature_c=temperature).check(technology)
            names = list(BENCHES[bench].axes)
            for values in itertools.product(*(axes[name] for name in names)):
                yield Point(bench=bench, corner=corner, coordinates=dict(zip(names, values, strict=True)))
