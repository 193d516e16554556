"""From outcomes to measurements: what a bench measures is a list of ``Quantity``, said once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pyspice_cim.characterization.spice.measure import Array, pull_up_charges, window_charges
from pyspice_cim.characterization.spice.rawfile import Vectors
from pyspice_cim.characterization.spice.simulation import Measurement, Outcome


@dataclass(frozen=True)
class Quantity:
    """A quantity that an outcome holds under ``key``; ``dims`` and ``labels`` as in ``Measurement``."""

    name: str
    unit: str
    key: str
    description: str
    dims: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def measurements(quantities: Sequence[Quantity], outcome: Outcome) -> list[Measurement]:
    """The measurements that ``outcome`` gives: all of them, or all failed for its reason."""
    return [
        Measurement(
            name=quantity.name,
            unit=quantity.unit,
            value=_value(outcome.values[quantity.key]) if outcome.ok else None,
            dims=quantity.dims,
            labels=quantity.labels,
            reason=outcome.reason,
            status=outcome.status,
            decks=(outcome.deck_sha256,),
            description=quantity.description,
        )
        for quantity in quantities
    ]


def _value(array: Array) -> Array | float:
    return float(array) if array.ndim == 0 else array


def window_energies(
    vectors: Vectors, edges: Sequence[float], *, vdd: float, supplies: Sequence[str], lines: Sequence[str]
) -> dict[str, Array]:
    """Energy in J from each source in each window between ``edges``: no source is left out.

    E = V_DD * integral of i dt       for a supply
    E = V_DD * ``pull_up_charges``    for a driven line: what a real driver would take to charge it
    """
    at = np.asarray(edges)
    energies = {name: vdd * window_charges(vectors, name, at) for name in supplies}
    energies |= {name: vdd * pull_up_charges(vectors, name, line_vector(name), at, vdd=vdd) for name in lines}
    return energies


def line_vector(source: str) -> str:
    """The voltage of the line that ``source`` drives: a line and its source have one name, but for SPICE's letter."""
    return f"v({source[1:]})"
