"""What a contract is made of: quantities, their axes, and benches that measure quantities. ``contract.py`` has the data.

A bench from outside the package joins with ``register_bench``, a quantity with ``register_quantity``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Scale = Literal["linear", "log", "probit"]
Labels = tuple[str, ...] | tuple[float, ...]

# Powers and times change by factors over a range: their logarithm is interpolated.
_LOGARITHMIC_UNITS = ("W", "s")


def scale_of(unit: str) -> Scale:
    """The scale on which a quantity in ``unit`` is interpolated, unless the quantity says another one."""
    return "log" if unit in _LOGARITHMIC_UNITS else "linear"


@dataclass(frozen=True, kw_only=True)
class OwnAxis:
    """An axis of a quantity beyond the axes of its bench.

    Attributes:
        name: short name, e.g. ``component``. A table stores the axis as ``<bench>_<name>``.
        labels: labels or numbers along the axis; ``None`` if the plan decides, as for the number of samples.
        unit: SI unit of numbers along the axis.
    """

    name: str
    labels: Labels | None = None
    unit: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The labels as texts; empty if the plan decides."""
        return tuple(str(label) for label in self.labels or ())


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One quantity that a bench measures.

    Attributes:
        name: name in tables, e.g. ``sram6t_read_energy``.
        unit: SI unit, e.g. ``J``.
        description: meaning, in one line.
        own: axes of the quantity beyond the axes of the bench.
        scale: key of ``lookup.SCALES``; by default the scale of the unit (``scale_of``). A table stores ``linear`` in the
            place of ``log`` if a value is not positive.
        operation: operation of a bit cell that a plan may leave out (``hold``, ``read``, ``write``); ``""``: always measured.
    """

    name: str
    unit: str
    description: str
    own: tuple[OwnAxis, ...] = ()
    scale: Scale | Literal[""] = ""
    operation: str = ""

    @property
    def interpolation(self) -> Scale:
        """The scale on which look-ups interpolate."""
        return self.scale or scale_of(self.unit)


@dataclass(frozen=True, kw_only=True)
class BenchAxis:
    """An axis of a bench: positive integers that a plan gives.

    Attributes:
        name: short name, e.g. ``rows``; also the argument of the bench's function.
        meaning: meaning, in a few words.
    """

    name: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class BenchContract:
    """A bench as tables know the bench: its axes and its quantities.

    Attributes:
        name: name in plans and tables.
        axes: axes of the bench, in the order in which tables store them.
        quantities: all quantities that the bench may measure.
    """

    name: str
    quantities: tuple[Quantity, ...]
    axes: tuple[BenchAxis, ...] = ()

    @property
    def own_axes(self) -> dict[str, OwnAxis]:
        """The own axes of all quantities, by short name."""
        return {axis.name: axis for quantity in self.quantities for axis in quantity.own}

    def stored(self, axis: str) -> str:
        """The name under which a table stores ``axis``.

        Raises:
            KeyError: if the bench has no such axis.
        """
        if axis not in self.own_axes and axis not in {each.name for each in self.axes}:
            raise KeyError(f"bench {self.name} has no axis {axis!r}")
        return stored_name(self.name, axis)

    def at(self, **coordinates: Any) -> dict[str, Any]:
        """``coordinates`` of a look-up, under the stored names of the axes.

        Raises:
            KeyError: if the bench has no such axis.
        """
        return {self.stored(axis): value for axis, value in coordinates.items()}


def stored_name(bench: str, axis: str) -> str:
    """The name under which a table stores ``axis`` of ``bench``."""
    return f"{bench}_{axis}"


@dataclass
class Contract:
    """All benches by name."""

    benches: dict[str, BenchContract] = field(default_factory=dict)

    def register_bench(self, bench: BenchContract) -> BenchContract:
        """Add ``bench``.

        Returns:
            ``bench``.

        Raises:
            ValueError: if the name of the bench, of a quantity or of a stored axis is taken.
        """
        if bench.name in self.benches:
            raise ValueError(f"there is a bench {bench.name!r} already")
        self._put(bench)
        return bench

    def register_quantity(self, bench: str, quantity: Quantity) -> Quantity:
        """Add ``quantity`` to a bench that is registered.

        Returns:
            ``quantity``.

        Raises:
            KeyError: if there is no such bench.
            ValueError: if the name of the quantity is taken, or the bench has other labels along an own axis of that name.
        """
        known = self.benches[bench]
        self._put(replace(known, quantities=(*known.quantities, quantity)))
        return quantity

    def find(self, name: str) -> tuple[BenchContract, Quantity] | None:
        """The quantity ``name`` and its bench; ``None`` if no bench measures the quantity."""
        return next(((bench, each) for bench, each in self._quantities() if each.name == name), None)

    def _put(self, bench: BenchContract) -> None:
        others = [each for each in self.benches.values() if each.name != bench.name]
        taken = {quantity.name for other in others for quantity in other.quantities}
        for quantity in bench.quantities:
            if quantity.name in taken:
                raise ValueError(f"there is a quantity {quantity.name!r} already")
            taken.add(quantity.name)
        axes: dict[str, BenchAxis | OwnAxis] = {axis.name: axis for axis in bench.axes}
        for quantity in bench.quantities:
            for axis in quantity.own:
                if axes.setdefault(axis.name, axis) != axis:
                    raise ValueError(f"bench {bench.name} has two different axes {axis.name!r}")
        stored = {stored_name(other.name, axis) for other in others for axis in _axis_names(other)}
        if both := stored & {stored_name(bench.name, axis) for axis in axes}:
            raise ValueError(f"another bench stores its axes as {', '.join(sorted(both))} already")
        self.benches[bench.name] = bench

    def _quantities(self) -> Iterator[tuple[BenchContract, Quantity]]:
        for bench in self.benches.values():
            for quantity in bench.quantities:
                yield bench, quantity


def _axis_names(bench: BenchContract) -> list[str]:
    return [*(axis.name for axis in bench.axes), *bench.own_axes]
