"""Do the bit cells of a technology work? One point of the benches of ``characterize``, for the 6T and the 8T cell.

A user cell passes every check of devices, whatever the cell is made of. These testbenches read, write and hold the cell, and
refuse a wrong bit. Noise margins, write margins, energies and leakage must be above 0.
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

# Few rows: the cell is judged, not a long bitline.
_ROWS = 16
_BENCHES: dict[str, Callable[..., Bench]] = {"cell_6t": cell6t_bench, "cell_8t": sram8t_bench}
# The end of a quantity's name -> what it means that it is not above 0. Droop and delay may be 0 or less in a good cell.
_POSITIVE = {
    "hold_snm": "it does not hold its bit",
    "read_snm": "a read flips it",
    "write_margin": "it flips before its bitline is low, or not at all",
    "leakage_power": "power comes out of it",
    "read_energy": "energy comes out of a read",
}


def check_cells(technology: Technology, corner: Corner, simulator: Simulator) -> list[Problem]:
    """What is wrong with the bit cells at ``corner``: each reason of a bench once, with the quantities that it took."""
    problems: list[Problem] = []
    for field, bench in _BENCHES.items():
        geometry: CellGeometry = getattr(technology, field)
        try:
            measured = run_one(bench(technology, corner, rows=_ROWS), simulator)
        except (TechnologyError, NetlistError) as error:
            # The drawing of the built-in circuits has the same problem, and says what to do about it.
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
    """What is wrong with the measurements of one cell, in words."""
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
