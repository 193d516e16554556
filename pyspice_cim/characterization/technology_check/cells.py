"""Check of the bit cells: one point of the 6T and of the 8T bench that ``characterize`` runs.

The checks of devices see nothing of a user cell. These benches read, write and hold a bit, and refuse a wrong bit.
Noise margins, write margin, read energy and leakage power must be above 0.
"""

from collections.abc import Callable, Iterable

import numpy as np

from pyspice_cim.characterization.benches.sram8t import sram8t_bench
from pyspice_cim.characterization.benches.user_cell6t import cell6t_bench
from pyspice_cim.characterization.engine.engine import run_one
from pyspice_cim.characterization.spice.ngspice import Simulator
from pyspice_cim.characterization.spice.simulation import Bench, Measurement
from pyspice_cim.characterization.technology_check.judges import Problem, machine_remedy
from pyspice_cim.errors import NetlistError, TechnologyError
from pyspice_cim.technology import Corner, Technology
from pyspice_cim.technology.fields import CellGeometry
from pyspice_cim.units import engineering

# Few rows: the check is about the cell, not about a long bitline.
_ROWS = 16
_BENCHES: dict[str, Callable[..., Bench]] = {"cell_6t": cell6t_bench, "cell_8t": sram8t_bench}
# By end of a quantity's name: the meaning of a value of 0 or less. Droop and delay may be 0 or less in a good cell.
_POSITIVE = {
    "hold_snm": "it does not hold its bit",
    "read_snm": "a read flips it",
    "write_margin": "it flips before its bitline is low, or not at all",
    "leakage_power": "power comes out of it",
    "read_energy": "energy comes out of a read",
}


def check_cells(technology: Technology, corner: Corner, simulator: Simulator) -> list[Problem]:
    """Return the problems of the bit cells.

    Args:
        technology: the technology.
        corner: process corner, supply and temperature.
        simulator: what runs the decks.

    Returns:
        One problem per reason of a bench, with the quantities that have no value because of it.
    """
    problems: list[Problem] = []
    for field, bench in _BENCHES.items():
        geometry: CellGeometry = getattr(technology, field)
        try:
            measured = run_one(bench(technology, corner, rows=_ROWS), simulator)
        except (TechnologyError, NetlistError) as error:
            # For a built-in cell, the check of the drawn circuits reports this problem with its remedy.
            if geometry.netlist is not None:
                problems.append(
                    Problem(where=field, what=f"it cannot be drawn: {error}", remedy=_remedy(field, geometry))
                )
            continue
        # A cell that was not measured because the machine ended a run has no fault of its own.
        by_remedy: dict[str, list[Measurement]] = {}
        for each in measured:
            by_remedy.setdefault(machine_remedy(each.status) or _remedy(field, geometry), []).append(each)
        problems += [
            Problem(where=field, what=what, remedy=remedy)
            for remedy, some in by_remedy.items()
            for what in judge_cell(some)
        ]
    return problems


def judge_cell(measured: Iterable[Measurement]) -> list[str]:
    """Return what is wrong with one cell, in words.

    Args:
        measured: measurements of its bench.
    """
    together: dict[str, list[str]] = {}
    found = []
    for each in measured:
        if each.value is None:
            together.setdefault(each.reason, []).append(each.name)
            continue
        least = float(np.min(each.value))
        for ending, words in _POSITIVE.items():
            if each.name.endswith(f"_{ending}") and not least > 0:
                amount = engineering(least, each.unit) if np.isfinite(least) else "none"
                found.append(f"{each.name} is {amount}: {words}")
    return [f"not measured: {', '.join(names)}: {reason}" for reason, names in together.items()] + found


def _remedy(field: str, geometry: CellGeometry) -> str:
    if geometry.netlist is None:
        return f"see the widths in {field}, and the two devices"
    return (
        f"see {field}.netlist: its ports (are two of them exchanged?), and the elements of subcircuit "
        f"{geometry.netlist.subckt} in {geometry.netlist.file}"
    )
