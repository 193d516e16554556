"""From outcomes to measurements of the quantities of ``tables.contract``, and energies of windows."""

from collections.abc import Mapping, Sequence

import numpy as np

from pyspice_cim.characterization.spice.measure import Array, pull_up_charges, window_charges
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Measurement, Outcome
from pyspice_cim.characterization.spice.status import Status
from pyspice_cim.tables.quantity import Labels, Quantity


def measured(
    quantity: Quantity,
    value: Array | float | None,
    *,
    reason: str = "",
    status: Status | None = None,
    decks: Sequence[str] = (),
    resolution: float = 0.0,
    labels: Mapping[str, Labels] | None = None,
    note: str = "",
) -> Measurement:
    """The measurement of ``quantity`` at one point.

    Args:
        value: array over the own axes of the quantity; ``None`` where nothing could be measured.
        reason: why there is no value.
        status: status of the run that failed, where one run decided.
        decks: hashes of the decks behind the value.
        resolution: relative width of the grid on which the value was searched.
        labels: axis to labels, for own axes whose labels the contract leaves to the plan.
        note: addition to the description.
    """
    along = {axis.name: (labels or {}).get(axis.name, axis.labels) for axis in quantity.own}
    return Measurement(
        name=quantity.name,
        unit=quantity.unit,
        value=value,
        dims=tuple(along),
        labels={name: each for name, each in along.items() if each is not None},
        reason=reason,
        status=status,
        decks=tuple(decks),
        resolution=resolution,
        scale=quantity.scale,
        description=", ".join(filter(None, (quantity.description, note))),
    )


def measurements(quantities: Mapping[str, Quantity], outcome: Outcome) -> list[Measurement]:
    """The measurements that ``outcome`` gives: all of them, or all failed for the reason of ``outcome``.

    Args:
        quantities: name of a value of ``outcome`` to the quantity that the value is.
    """
    return [
        measured(
            quantity,
            _value(outcome.values[key]) if outcome.ok else None,
            reason=outcome.reason,
            status=outcome.status,
            decks=(outcome.deck_sha256,),
        )
        for key, quantity in quantities.items()
    ]


def _value(array: Array) -> Array | float:
    return float(array) if array.ndim == 0 else array


def window_energies(
    vectors: Vectors, edges: Sequence[float], *, vdd: float, supplies: Sequence[str], lines: Sequence[str]
) -> dict[str, Array]:
    """Energy in J from each source in each window between ``edges``; no source is left out.

    E = V_DD * integral of i dt       for a supply
    E = V_DD * ``pull_up_charges``    for a driven control line: the energy that a real driver would take to charge it
    """
    at = np.asarray(edges)
    energies = {name: vdd * window_charges(vectors, name, at) for name in supplies}
    energies |= {name: vdd * pull_up_charges(vectors, name, line_vector(name), at, vdd=vdd) for name in lines}
    return energies


def line_vector(source: str) -> str:
    """The voltage of the control line that ``source`` drives: the name of the source without SPICE's first letter."""
    return f"v({source[1:]})"
