"""Rates of failures, and what the tables of Monte Carlo and tails say of them.

Mismatch is frozen when a chip is made: a cell that is late for a cycle is late at every access. The tails of a table sample
the thresholds of a cell with its column (read stack, precharge, keeper, sense inverter, write drivers) and of nothing else:
noise, droop and jitter, which differ from access to access, are in no table, and the adder, the latches and the lines are
nominal. So what a table gives is permanent (``failures="cells"``); a failure at random in every access is a model to compare
with (``"accesses"``, ``"sums"``), which has the same probability in every access and hits other cells each time.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from scipy.stats import norm

from pyspice_cim.checks import check_number
from pyspice_cim.errors import ConfigError, TableError
from pyspice_cim.tables import Lookup, Table, contract

FAILURES = ("cells", "accesses", "sums")


@dataclass(frozen=True, kw_only=True)
class FaultRates:
    """Probabilities of failure, 0..1 each, see the top of ``model.py``.

    Raises:
        ConfigError: if a rate is no number or out of its range, or ``stuck_at_0`` and ``stuck_at_1`` are more than 1 together.
    """

    membrane_read: float = 0.0
    membrane_write: float = 0.0
    weight_read: float = 0.0
    late_sum: float = 0.0
    weight_write: float = 0.0
    stuck_at_0: float = 0.0
    stuck_at_1: float = 0.0
    slow_read: float = 0.0
    slow_write: float = 0.0

    def __post_init__(self) -> None:
        for name, rate in asdict(self).items():
            if not 0.0 <= check_number(name, rate) <= 1.0:
                raise ConfigError(f"{name} is {rate!r}; a rate of failures is 0 to 1")
        if self.stuck_at_0 + self.stuck_at_1 > 1.0:
            raise ConfigError(
                f"stuck_at_0 is {self.stuck_at_0} and stuck_at_1 {self.stuck_at_1}; a cell is stuck at one bit: together "
                f"they are at most 1"
            )

    def held(self, *, written: bool) -> tuple[float, float]:
        """Shares of cells that always read as 0 and as 1; ``written``: as the cells of words are in every cycle.

        Ways of failing are independent. A cell that is slow to read reads as 0, whatever it holds.
        """
        sound = 1.0 - self.stuck_at_0 - self.stuck_at_1
        kept = sound * (1.0 - self.slow_read) * self.slow_write / 2 if written else 0.0
        return self.stuck_at_0 + sound * self.slow_read + kept, self.stuck_at_1 + kept


def rates_from_table(
    figures: Table,
    quantities: Mapping[str, str],
    *,
    process: str = "tt",
    labels: Mapping[str, Mapping[str, str]] | None = None,
    **place: Any,
) -> FaultRates:
    """Rates that a table holds.

    Args:
        quantities: field of ``FaultRates`` to the name of a quantity of the table, such as
            ``{"slow_read": "sram8t_tail_failure_probability"}``; other rates are 0.
        labels: field to the labels along its quantity's own axes, such as
            ``{"slow_read": {"access": "read", "bound": "estimate"}}``.
        place: where to look up: the numeric axes of these quantities; each takes those that it has.

    Raises:
        ConfigError: if a field is none of ``FaultRates``, or a value is no rate.
        TableError: if the table has no such quantity, axis or label, does not reach there, or if an axis is left over.
    """
    known = [field.name for field in fields(FaultRates)]
    for name in [*quantities, *(labels or {})]:
        if name not in known:
            raise ConfigError(f"{name!r} is no rate; there are {', '.join(known)}")
    arrays = {name: figures.quantity(found) for name, found in quantities.items()}
    for axis in place:
        if not any(axis in array.dims for array in arrays.values()):
            raise TableError(f"none of {', '.join(quantities.values())} has an axis {axis}; leave it out")
    return FaultRates(
        **{
            name: _rate(figures, found, process, (labels or {}).get(name, {}), place)
            for name, found in quantities.items()
        }
    )


def _rate(figures: Table, name: str, process: str, labels: Mapping[str, str], place: Mapping[str, Any]) -> float:
    """One value of a quantity."""
    array = figures.quantity(name)
    here = {axis: value for axis, value in place.items() if axis in array.dims}
    own = [str(axis) for axis in array.dims if axis != "process" and array[axis].dtype.kind not in "if"]
    for axis in own:
        if axis not in labels:
            there = ", ".join(str(label) for label in array[axis].values)
            raise TableError(f"{name} has an axis {axis}; give one of its labels: {there}")
    return float(Lookup(figures)(name, process=process, labels=labels, **here))


def variation_rates(
    figures: Table,
    cycle: float,
    *,
    vdd: float,
    failures: Literal["cells", "accesses", "sums"] = "cells",
    temperature_c: float = 27.0,
    process: str = "tt",
    rows: int = 16,
    segments: int = 16,
    bound: str = "estimate",
) -> FaultRates:
    """Failures of reads, writes and timing at a ``cycle`` (s) and a supply ``vdd`` (V), from the tails of a table.

    P_read and P_write are the probabilities that a cell with its column is late, see ``timing_rates``. What they do::

        cells       slow_read = P_read, slow_write = P_write                       permanent, as mismatch is: the default
        accesses    membrane_read = weight_read = P_read / 2, membrane_write = P_write           in every access anew
        sums        late_sum = 1 - (1 - P_read)^2, membrane_write = P_write                      in every access anew

    ``accesses``: only a 1 can be late, while a rate of reads hits either bit, of which half are taken to be 1. ``sums``: a
    late bit of the membrane or of the weight does not read as 0, but makes the sum too late for its latch.

    In all of them ``weight_write = P_6T``, the probability that the write of a 6T cell fails at any speed: the weights are
    written once, at leisure, by a port like that of a 6T cell (whose access transistors are the narrower ones, if they differ).

    Args:
        figures: as for ``timing_rates``, with ``sram6t_tail_failure_probability``, too.
        bound: ``estimate``, or ``lower`` or ``upper`` of the 95 % interval: of the sigmas of lateness, of P_6T the other end,
            so that ``lower`` has the most failures.

    Raises:
        ConfigError, TableError: as ``timing_rates``; for another model of ``failures``.
    """
    if failures not in FAILURES:
        raise ConfigError(f"failures is {failures!r}; choose {', '.join(FAILURES)}")
    late = _late(figures, cycle, vdd, temperature_c, process, rows, segments, bound)
    quantity, end = contract.SRAM6T_TAIL_PROBABILITY.name, {"lower": "upper", "upper": "lower"}.get(bound, bound)
    place = {"vdd": vdd, "temperature_c": temperature_c, **contract.TAIL.at(rows=rows)}
    weights = _rate(figures, quantity, process, {contract.LIMIT.name: "write", contract.BOUND.name: end}, place)
    if failures == "cells":
        return FaultRates(slow_read=late["read"], slow_write=late["write"], weight_write=weights)
    if failures == "accesses":
        half = late["read"] / 2
        return FaultRates(membrane_read=half, weight_read=half, membrane_write=late["write"], weight_write=weights)
    return FaultRates(late_sum=1 - (1 - late["read"]) ** 2, membrane_write=late["write"], weight_write=weights)


def timing_rates(
    figures: Table,
    cycle: float,
    *,
    vdd: float,
    temperature_c: float = 27.0,
    process: str = "tt",
    rows: int = 16,
    segments: int = 16,
    bound: str = "estimate",
) -> FaultRates:
    """Cells that are too slow for a ``cycle`` (s), as stuck cells of weights and words alike, from the tails of a table.

    A column of ``segments`` segments whose nominal cells need the cycle T_0 gives them at T the time that one segment has at
    the cycle margin ``(T - T_0) / T_1``, T_1 the shortest cycle of one segment (``characterization.variation.cycle``)::

        stuck_at_0 = P_read + W        stuck_at_1 = W = (1 - P_read) P_write / 2        P = Q(sram8t_tail_sigma)

    since mismatch does not change from access to access: a cell whose 1 comes too late always reads as 0, and one that is
    written too slowly keeps the bit that it had. Weights are written at leisure, so P_write overstates their part, which
    ``variation_rates`` leaves out. Above the largest cycle margin of the table, its rate counts: a bound from above.

    Args:
        figures: with ``column_minimum_cycle`` of one and of ``segments`` segments, and ``sram8t_tail_sigma``.
        bound: ``estimate``, or ``lower`` or ``upper`` of the 95 % interval of the sigmas.

    Raises:
        ConfigError: if not even nominal cells work at this cycle, or for another bound.
        TableError: if the table lacks one of the quantities, or does not reach there.
    """
    late = _late(figures, cycle, vdd, temperature_c, process, rows, segments, bound)
    kept = (1 - late["read"]) * late["write"] / 2
    return FaultRates(stuck_at_0=late["read"] + kept, stuck_at_1=kept)


def _late(
    figures: Table, cycle: float, vdd: float, temperature_c: float, process: str, rows: int, segments: int, bound: str
) -> dict[str, float]:
    """P_read and P_write of ``timing_rates``."""
    if not 0.0 < check_number("cycle", cycle) < float("inf"):
        raise ConfigError(f"cycle is {cycle!r} s; it must be a time above 0")
    look = Lookup(figures)
    place: dict[str, Any] = {"vdd": vdd, "temperature_c": temperature_c}
    minimum = contract.COLUMN_MINIMUM_CYCLE.name
    one, all_of_them = (
        float(look(minimum, process=process, **contract.COLUMN.at(rows=rows, segments=n), **place))
        for n in (1, segments)
    )
    if cycle < all_of_them:
        raise ConfigError(
            f"cycle is {cycle:.4g} s; at vdd = {vdd:g} V nominal columns need {all_of_them:.4g} s: take a longer one"
        )
    sigma = figures.quantity(contract.SRAM8T_TAIL_SIGMA.name)
    bounds = [str(each) for each in sigma[contract.BOUND.name].values]
    if bound not in bounds:
        raise ConfigError(f"bound is {bound!r}; it must be one of {', '.join(bounds)}")
    margin = min((cycle - all_of_them) / one, float(sigma[contract.CYCLE_MARGIN.name].values.max()))
    place |= {**contract.TAIL.at(rows=rows), contract.CYCLE_MARGIN.name: margin}
    found = look(contract.SRAM8T_TAIL_SIGMA.name, process=process, labels={contract.BOUND.name: bound}, **place)
    return dict(zip(sigma[contract.ACCESS.name].values.tolist(), norm.sf(found).tolist(), strict=True))
