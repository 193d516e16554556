"""Failure rates, and the rates that tables of Monte Carlo samples and tails give.

Mismatch is fixed when a chip is made: a cell that is too slow for a cycle is too slow in every access. The tails of a
table sample the thresholds of a cell and its column: read stack, precharge, keeper, sense inverter and write drivers.
The adder, the latches and the control lines are nominal. No table has noise, supply droop or jitter, which change from
access to access.

So the rates of a table are permanent faults of cells (``failures="cells"``). The models ``"accesses"`` and ``"sums"``
are there to compare with: they have the same probability in every access, but hit other cells each time.
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
    """Failure rates, each a probability from 0 to 1. The docstring of ``model.py`` says what each fault does.

    Attributes:
        membrane_read, weight_read: per bit that is read.
        membrane_write: per bit that is written.
        late_sum: per sum bit.
        weight_write, stuck_at_0, stuck_at_1, slow_read, slow_write: per cell of a chip.

    Raises:
        ConfigError: if a rate is no number from 0 to 1, or ``stuck_at_0 + stuck_at_1`` exceeds 1.
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
                f"stuck_at_0 is {self.stuck_at_0} and stuck_at_1 {self.stuck_at_1}; a cell is stuck at one bit: "
                f"together they are at most 1"
            )

    def stuck_shares(self, *, written: bool) -> tuple[float, float]:
        """Return the shares of cells that always read as 0, and as 1.

        Faults are independent. A cell that is slow to read reads as 0, whatever it holds. With s = 1 - stuck_at_0 -
        stuck_at_1 and k = s (1 - slow_read) slow_write / 2, the shares are::

            stuck_at_0 + s slow_read + k        stuck_at_1 + k

        Args:
            written: whether a run writes the cells, as in membranes and scratch words; if not, k = 0.
        """
        sound = 1.0 - self.stuck_at_0 - self.stuck_at_1
        kept = sound * (1.0 - self.slow_read) * self.slow_write / 2 if written else 0.0
        return self.stuck_at_0 + sound * self.slow_read + kept, self.stuck_at_1 + kept


def rates_from_table(
    table: Table,
    quantities: Mapping[str, str],
    *,
    process: str = "tt",
    labels: Mapping[str, Mapping[str, str]] | None = None,
    **place: Any,
) -> FaultRates:
    """Return rates that a table holds as quantities.

    Args:
        table: the table.
        quantities: by field of ``FaultRates``, the name of a quantity, for example
            ``{"slow_read": "sram8t_tail_failure_probability"}``; other rates are 0.
        process: process corner.
        labels: by field, the label on each text axis of its quantity, for example
            ``{"slow_read": {"access": "read", "bound": "estimate"}}``.
        place: value on each numeric axis, for example ``vdd`` in volts; every quantity takes the axes that it has.

    Raises:
        ConfigError: if a field is not in ``FaultRates``, or a value is not from 0 to 1.
        TableError: if the table has no such quantity, axis or label, or has no value there; if no quantity has an axis
            of ``place``.
    """
    known = [field.name for field in fields(FaultRates)]
    for name in [*quantities, *(labels or {})]:
        if name not in known:
            raise ConfigError(f"{name!r} is no rate; there are {', '.join(known)}")
    arrays = {name: table.quantity(found) for name, found in quantities.items()}
    for axis in place:
        if not any(axis in array.dims for array in arrays.values()):
            raise TableError(f"none of {', '.join(quantities.values())} has an axis {axis}; leave it out")
    return FaultRates(
        **{
            name: _rate(table, found, process, (labels or {}).get(name, {}), place)
            for name, found in quantities.items()
        }
    )


def _rate(table: Table, name: str, process: str, labels: Mapping[str, str], place: Mapping[str, Any]) -> float:
    """Return one value of a quantity; it takes the axes of ``place`` that it has."""
    array = table.quantity(name)
    here = {axis: value for axis, value in place.items() if axis in array.dims}
    own = [str(axis) for axis in array.dims if axis != "process" and array[axis].dtype.kind not in "if"]
    for axis in own:
        if axis not in labels:
            there = ", ".join(str(label) for label in array[axis].values)
            raise TableError(f"{name} has an axis {axis}; give one of its labels: {there}")
    return float(Lookup(table)(name, process=process, labels=labels, **here))


def variation_rates(
    table: Table,
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
    """Return the failure rates at a cycle and a supply, from the tails of a table.

    P_read and P_write are the probabilities that a cell is too slow for the cycle, see ``timing_rates``. ``failures``
    chooses what they do::

        cells       slow_read = P_read, slow_write = P_write                              permanent, as mismatch is
        accesses    membrane_read = weight_read = P_read / 2, membrane_write = P_write    random in every access
        sums        late_sum = 1 - (1 - P_read)^2, membrane_write = P_write               random in every access

    ``accesses``: only a 1 can be late, but the rates of reads hit both bits; half of the bits are assumed to be 1.
    ``sums``: a late bit of the membrane or of the weight makes the sum too late for its latch.

    In every model ``weight_write = P_6T``, the probability of a write failure of the 6T cell. The weights are written
    once, with enough time, through a port like the port of a 6T cell. (If the access transistors differ, those of the
    6T cell are narrower.)

    Args:
        table: with the quantities of ``timing_rates`` and ``sram6t_tail_failure_probability``.
        cycle: cycle time, in seconds.
        vdd: supply, in volts.
        failures: ``cells``, ``accesses`` or ``sums``.
        temperature_c: temperature, in degrees Celsius.
        process: process corner.
        rows: cells on a bitline.
        segments: segments of a column.
        bound: ``estimate``, or an end of the 95 % interval of the equivalent sigmas: ``lower`` or ``upper``. P_6T takes
            the opposite end, so ``lower`` has the most failures.

    Raises:
        ConfigError: if nominal cells do not work at this cycle, or for an unknown ``failures`` or ``bound``.
        TableError: if the table lacks a quantity, or has no value there.
    """
    if failures not in FAILURES:
        raise ConfigError(f"failures is {failures!r}; choose {', '.join(FAILURES)}")
    late = _late(table, cycle, vdd, temperature_c, process, rows, segments, bound)
    quantity, end = contract.SRAM6T_TAIL_PROBABILITY.name, {"lower": "upper", "upper": "lower"}.get(bound, bound)
    place = {"vdd": vdd, "temperature_c": temperature_c, **contract.TAIL.at(rows=rows)}
    weights = _rate(table, quantity, process, {contract.LIMIT.name: "write", contract.BOUND.name: end}, place)
    if failures == "cells":
        return FaultRates(slow_read=late["read"], slow_write=late["write"], weight_write=weights)
    if failures == "accesses":
        half = late["read"] / 2
        return FaultRates(membrane_read=half, weight_read=half, membrane_write=late["write"], weight_write=weights)
    return FaultRates(late_sum=1 - (1 - late["read"]) ** 2, membrane_write=late["write"], weight_write=weights)


def timing_rates(
    table: Table,
    cycle: float,
    *,
    vdd: float,
    temperature_c: float = 27.0,
    process: str = "tt",
    rows: int = 16,
    segments: int = 16,
    bound: str = "estimate",
) -> FaultRates:
    """Return the rates of cells that are too slow for a cycle, as stuck cells, from the tails of a table.

    Mismatch does not change from access to access. A cell whose 1 is read too late always reads as 0. A cell that is
    written too slowly keeps its old bit, 0 or 1::

        stuck_at_0 = P_read + W        stuck_at_1 = W        W = (1 - P_read) P_write / 2
        P = Q(sram8t_tail_sigma)                             Q: upper tail of the normal distribution

    The table has the sigma of a column with one segment over the cycle margin m (``characterization.variation.cycle``).
    A nominal column with more segments needs the cycle T_0. At the cycle T, its cells have as much time as the cells of
    one segment at the margin::

        m = (T - T_0) / T_1        T_1: shortest cycle of a column with one segment

    Above the largest m of the table, the rate at this m is an upper bound. The stuck cells hold for weights as well.
    Weights are written with enough time, so P_write overstates their faults; ``variation_rates`` leaves this part out.

    Args:
        table: with ``column_minimum_cycle`` of one and of ``segments`` segments, and ``sram8t_tail_sigma``.
        cycle: cycle time T, in seconds.
        vdd: supply, in volts.
        temperature_c: temperature, in degrees Celsius.
        process: process corner.
        rows: cells on a bitline.
        segments: segments of a column.
        bound: ``estimate``, or ``lower`` or ``upper`` end of the 95 % interval of the sigmas.

    Raises:
        ConfigError: if nominal cells do not work at this cycle, or for an unknown ``bound``.
        TableError: if the table lacks a quantity, or has no value there.
    """
    late = _late(table, cycle, vdd, temperature_c, process, rows, segments, bound)
    kept = (1 - late["read"]) * late["write"] / 2
    return FaultRates(stuck_at_0=late["read"] + kept, stuck_at_1=kept)


def _late(
    table: Table, cycle: float, vdd: float, temperature_c: float, process: str, rows: int, segments: int, bound: str
) -> dict[str, float]:
    """Return P_read and P_write of ``timing_rates``, by access."""
    if not 0.0 < check_number("cycle", cycle) < float("inf"):
        raise ConfigError(f"cycle is {cycle!r} s; it must be a time above 0")
    look = Lookup(table)
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
    sigma = table.quantity(contract.SRAM8T_TAIL_SIGMA.name)
    bounds = [str(each) for each in sigma[contract.BOUND.name].values]
    if bound not in bounds:
        raise ConfigError(f"bound is {bound!r}; it must be one of {', '.join(bounds)}")
    margin = min((cycle - all_of_them) / one, float(sigma[contract.CYCLE_MARGIN.name].values.max()))
    place |= {**contract.TAIL.at(rows=rows), contract.CYCLE_MARGIN.name: margin}
    found = look(contract.SRAM8T_TAIL_SIGMA.name, process=process, labels={contract.BOUND.name: bound}, **place)
    return dict(zip(sigma[contract.ACCESS.name].values.tolist(), norm.sf(found).tolist(), strict=True))
