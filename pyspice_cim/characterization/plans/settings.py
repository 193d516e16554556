"""What a plan may choose of a bench beyond its axes: operations of a cell, loads and slews of a driver, data.

A setting that is left out has the bench's own value; all points of a bench in a plan share their settings.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, Strict

from pyspice_cim.characterization.benches.words import DATA
from pyspice_cim.tables.contract import CellOperation

Names = TypeVar("Names", tuple[str, ...], list[str])


def rising(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return ``values`` unchanged if each value is larger than the one before.

    Raises:
        ValueError: if not.
    """
    if list(values) != sorted(set(values)):
        raise ValueError(f"{list(values)} must rise without repeating")
    return values


def once(values: Names) -> Names:
    """Return ``values`` unchanged if no value occurs twice.

    Raises:
        ValueError: if a value occurs twice.
    """
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is given twice; keep one")
    return values


def _fours(words: int) -> int:
    if words % 4:
        raise ValueError("words come in fours, so that every bit stays and changes equally often")
    return words


# In fF or ps; a slew has to end before the pulse of 2 ns does.
_Positive = Annotated[FiniteFloat, Strict(), Field(gt=0, le=1000.0)]
Positives = Annotated[tuple[_Positive, ...], Field(min_length=1, max_length=64), AfterValidator(rising)]


class BenchSettings(BaseModel):
    """Settings of a bench in a plan, beside the values of the axes. ``BenchKind.settings`` names those of each bench.

    Attributes:
        operations: operations of a bit cell to simulate: ``hold`` (leakage, hold margin), ``read`` (delays, energy,
            read margin), ``write`` (delay, energy, write margin).
        line_load_ff: loads of a unit line driver, in fF.
        input_slew_ps: rise and fall times of the driver's input, rail to rail, in ps.
        data_words: number of words behind a mean energy of arithmetic, a multiple of 4
            (``benches.words.balanced_words``).
        data_seed: seed of these words, or of the random program behind the energies of a column's events.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    operations: Annotated[tuple[CellOperation, ...], Field(min_length=1), AfterValidator(once)] | None = None
    line_load_ff: Positives | None = None
    input_slew_ps: Positives | None = None
    data_words: Annotated[int, Strict(), Field(gt=0, le=64), AfterValidator(_fours)] | None = None
    data_seed: Annotated[int, Strict(), Field(ge=0)] | None = None


DEFAULT_SETTINGS = BenchSettings()

# What a bench function is called with for its settings; nothing for those that are left out.
Arguments = Mapping[str, Any]


def cell_arguments(settings: BenchSettings) -> Arguments:
    """Return the argument of a bit cell's bench: ``operations``; empty if the plan leaves it out."""
    return {} if settings.operations is None else {"operations": settings.operations}


def driver_arguments(settings: BenchSettings) -> Arguments:
    """Return the arguments of the driver's bench: ``loads`` in F and ``slews`` in s, without those left out."""
    chosen = {"loads": (settings.line_load_ff, 1e15), "slews": (settings.input_slew_ps, 1e12)}
    # Divided: 3 * 1e-15 is not the number 3e-15, and so another deck.
    return {name: tuple(v / parts for v in values) for name, (values, parts) in chosen.items() if values is not None}


def data_arguments(settings: BenchSettings) -> Arguments:
    """Return the argument of a bench with data words: ``data``, number and seed of the words."""
    chosen = {"words": settings.data_words, "seed": settings.data_seed}
    return {"data": replace(DATA, **{name: value for name, value in chosen.items() if value is not None})}


def program_arguments(settings: BenchSettings) -> Arguments:
    """Return the argument of a bench with a random program: ``seed``; empty if the plan leaves it out."""
    return {} if settings.data_seed is None else {"seed": settings.data_seed}
