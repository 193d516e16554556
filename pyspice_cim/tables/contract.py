"""The one contract between benches and readers: every quantity, its unit, its axes, their labels, declared once.

A bench makes its measurements from these quantities; whoever reads a table names them by ``.name``. ``CONTRACT`` knows all
benches; ``register_bench`` and ``register_quantity`` add others from outside the package.
"""

from dataclasses import replace
from typing import Literal, get_args

from pyspice_cim.microcode import EVENTS
from pyspice_cim.tables.quantity import BenchAxis, BenchContract, Contract, OwnAxis, Quantity
from pyspice_cim.technology.bitcells import bitcell as cell_of
from pyspice_cim.technology.bitcells import table_names

CONTRACT = Contract()
register_bench, register_quantity = CONTRACT.register_bench, CONTRACT.register_quantity

# Operations of a bit cell, as a plan names them.
CellOperation = Literal["hold", "read", "write"]
CELL_OPERATIONS: tuple[CellOperation, ...] = get_args(CellOperation)
HOLD, READ, WRITE = CELL_OPERATIONS

_CELL_ROWS = BenchAxis(name="rows", meaning="cells on a bitline")

# ---- 6T cell --------------------------------------------------------------------------------------------------------

# V between the bitlines at which the sense amplifier fires: about 3 sigma of the offset of a latch of this size.
SENSE_DIFFERENTIAL = 0.1
_WHOLE = (
    "all sources of a one-bit column: cell, precharge with recovery, sense amplifier, write and wordline driver, lines"
)
SRAM6T_LEAKAGE_POWER = Quantity(
    name="sram6t_leakage_power",
    unit="W",
    operation=HOLD,
    description="6T cell, wordline off, bitlines at V_DD: all sources",
)
SRAM6T_WRITE_MARGIN = Quantity(
    name="sram6t_write_margin",
    unit="V",
    operation=WRITE,
    description="bitline voltage at which a cell with its wordline on flips",
)
SRAM6T_HOLD_SNM = Quantity(
    name="sram6t_hold_snm", unit="V", operation=HOLD, description="static noise margin, wordline off"
)
SRAM6T_READ_SNM = Quantity(
    name="sram6t_read_snm",
    unit="V",
    operation=READ,
    description="static noise margin, wordline on, both bitlines at V_DD",
)
SRAM6T_BITLINE_DELAY = Quantity(
    name="sram6t_bitline_delay",
    unit="s",
    operation=READ,
    description=f"wordline at V_DD/2 to a bitline split of {SENSE_DIFFERENTIAL:g} V",
)
SRAM6T_READ_DELAY = Quantity(
    name="sram6t_read_delay",
    unit="s",
    operation=READ,
    description="wordline at V_DD/2 to the sense amplifier's latched output, slower bit",
)
SRAM6T_READ_ENERGY = Quantity(
    name="sram6t_read_energy", unit="J", operation=READ, description=f"one read, mean of both bits; {_WHOLE}"
)
SRAM6T_WRITE_DELAY = Quantity(
    name="sram6t_write_delay",
    unit="s",
    operation=WRITE,
    description="wordline at V_DD/2 to both nodes within 10 %, slower flip",
)
SRAM6T_WRITE_ENERGY = Quantity(
    name="sram6t_write_energy",
    unit="J",
    operation=WRITE,
    description=f"one write that flips the bit, mean of both; {_WHOLE}",
)
SRAM6T = register_bench(
    BenchContract(
        name="sram6t",
        axes=(_CELL_ROWS,),
        quantities=(
            SRAM6T_LEAKAGE_POWER,
            SRAM6T_WRITE_MARGIN,
            SRAM6T_HOLD_SNM,
            SRAM6T_READ_SNM,
            SRAM6T_BITLINE_DELAY,
            SRAM6T_READ_DELAY,
            SRAM6T_READ_ENERGY,
            SRAM6T_WRITE_DELAY,
            SRAM6T_WRITE_ENERGY,
        ),
    )
)

# ---- 8T cell --------------------------------------------------------------------------------------------------------

# A macro of any bit cell finds these two quantities by the names that the bit cell gives them.
_NAMES_8T = table_names("sram8t")
BIT = OwnAxis(name="bit", labels=("0", "1"))
TRANSITION = OwnAxis(name="transition", labels=("0->0", "0->1", "1->0", "1->1"))
SRAM8T_LEAKAGE_POWER = Quantity(
    name="sram8t_leakage_power",
    unit="W",
    own=(BIT,),
    operation=HOLD,
    description="8T cell, wordlines off, read bitline at V_DD, mean of both states of the write bitlines: all sources",
)
SRAM8T_READ_DELAY = Quantity(
    name="sram8t_read_delay",
    unit="s",
    operation=READ,
    description="reading a 1: read wordline at V_DD/2 to sense inverter at V_DD/2",
)
SRAM8T_READ_DROOP = Quantity(
    name="sram8t_read_droop",
    unit="V",
    operation=READ,
    description="reading a 0: what the read bitline loses until the end of the pulse (< 0: coupled up)",
)
SRAM8T_READ_ENERGY = Quantity(
    name="sram8t_read_energy",
    unit="J",
    own=(BIT,),
    operation=READ,
    description="one read by stored bit: precharge with recovery, keeper, sense inverter, cell, lines",
)
SRAM8T_WRITE_DELAY = Quantity(
    name="sram8t_write_delay",
    unit="s",
    own=(TRANSITION,),
    operation=WRITE,
    description="write wordline at V_DD/2 to both nodes within 10 % for good; 0 where the bit stays",
)
SRAM8T_WRITE_ENERGY = Quantity(
    name=_NAMES_8T.write_energy,
    unit="J",
    own=(TRANSITION,),
    operation=WRITE,
    description="one write, both write bitlines swing: drivers, cell, lines",
)
SRAM8T_WRITE_BITLINE_ENERGY = Quantity(
    name="sram8t_write_bitline_energy",
    unit="J",
    own=(TRANSITION,),
    operation=WRITE,
    description="part of the write energy that the bitline drivers take",
)
SRAM8T = register_bench(
    BenchContract(
        name="sram8t",
        axes=(_CELL_ROWS,),
        quantities=(
            SRAM8T_LEAKAGE_POWER,
            SRAM8T_READ_DELAY,
            SRAM8T_READ_DROOP,
            SRAM8T_READ_ENERGY,
            SRAM8T_WRITE_DELAY,
            SRAM8T_WRITE_ENERGY,
            SRAM8T_WRITE_BITLINE_ENERGY,
        ),
    )
)

# ---- LD-LIF column --------------------------------------------------------------------------------------------------

COMPONENT = OwnAxis(name="component", labels=("logic", "precharge", "write_drivers", "cells"))
EVENT = OwnAxis(name="event", labels=tuple(EVENTS))
LINE = OwnAxis(
    name="line",
    labels=(
        *("ph1", "ph1b", "ph2", "ph2b", "phq", "phqb", "pcb", "rst", "fc", "fcb", "za", "zb", "dc0", "dc1"),
        *("rwv", "wwv", "rww", "pcs"),
    ),
)
COLUMN_MINIMUM_CYCLE = Quantity(
    name="column_minimum_cycle",
    unit="s",
    description="shortest cycle at which every bit of the stress program is right",
)
COLUMN_EVENT_ENERGY = Quantity(
    name="column_event_energy",
    unit="J",
    own=(COMPONENT, EVENT),
    description="energy that one event of microcode.events adds to a column's supply, leakage apart",
)
COLUMN_EVENT_RESIDUAL = Quantity(
    name="column_event_residual",
    unit="1",
    description="RMS error of the energy of a column's operation, relative to the mean, over the calibration",
)
COLUMN_LINE_CAPACITANCE = Quantity(
    name="column_line_capacitance",
    unit="F",
    own=(LINE,),
    description="charge that a pulse of a line draws for one column, over the supply voltage; wire included",
)
COLUMN_WRITE_DELAY = Quantity(
    name="column_write_delay",
    unit="s",
    description="latest a cell crosses half the supply, after the start of the cycle in which it is written",
)
COLUMN_FLAG_DELAY = Quantity(
    name="column_flag_delay",
    unit="s",
    description="latest a flag crosses half the supply, after the start of the cycle in which it is captured",
)
SLICE_LEAKAGE = Quantity(
    name="slice_leakage", unit="W", description="leakage of an idle column without its cells and weight segments"
)
SEGMENT_LEAKAGE = Quantity(
    name="segment_leakage", unit="W", description="leakage of one weight segment without its cells"
)
CELL8T_LEAKAGE = Quantity(name=_NAMES_8T.leakage, unit="W", description="leakage of an 8T cell, mean of stored 0 and 1")
COLUMN = register_bench(
    BenchContract(
        name="column",
        axes=(
            BenchAxis(name="rows", meaning="rows of a segment"),
            BenchAxis(name="segments", meaning="weight segments on the global read line"),
        ),
        quantities=(
            COLUMN_MINIMUM_CYCLE,
            COLUMN_EVENT_ENERGY,
            COLUMN_EVENT_RESIDUAL,
            COLUMN_LINE_CAPACITANCE,
            COLUMN_WRITE_DELAY,
            COLUMN_FLAG_DELAY,
            SLICE_LEAKAGE,
            SEGMENT_LEAKAGE,
            CELL8T_LEAKAGE,
        ),
    )
)


def cell_leakage(bitcell: str) -> Quantity:
    """The leakage of one cell in a column of ``bitcell``.

    Returns:
        The registered quantity; without one, that of the 8T cell under the name that ``bitcell`` gives its leakage.

    Raises:
        ConfigError: if there is no such bit cell, or no array is made of it.
    """
    name = table_names(bitcell).leakage
    found = CONTRACT.find(name)
    description = f"leakage of one {cell_of(bitcell).label} cell, mean of stored 0 and 1"
    return found[1] if found else replace(CELL8T_LEAKAGE, name=name, description=description)


# ---- Line driver and row decoder ------------------------------------------------------------------------------------

# Loads of a unit driver, from a line of one column to twice what a unit is meant for; rise and fall times, rail to rail.
LINE_LOAD = OwnAxis(name="line_load", unit="F")
INPUT_SLEW = OwnAxis(name="input_slew", unit="s")
_PULSE = "energy of a unit line driver and its load for one pulse"
_EDGES = "delay of a unit line driver, mean of the rising and the falling edge"
DRIVER_ENERGY = Quantity(name="driver_energy", unit="J", own=(LINE_LOAD,), description=_PULSE)
DRIVER_DELAY = Quantity(name="driver_delay", unit="s", own=(LINE_LOAD,), description=_EDGES)
DRIVER_SLEW_ENERGY = Quantity(name="driver_slew_energy", unit="J", own=(INPUT_SLEW, LINE_LOAD), description=_PULSE)
DRIVER_SLEW_DELAY = Quantity(name="driver_slew_delay", unit="s", own=(INPUT_SLEW, LINE_LOAD), description=_EDGES)
DRIVER = register_bench(
    BenchContract(name="driver", quantities=(DRIVER_ENERGY, DRIVER_DELAY, DRIVER_SLEW_ENERGY, DRIVER_SLEW_DELAY))
)

DECODER_ENERGY = Quantity(
    name="decoder_energy",
    unit="J",
    description="selecting one row: mean of any row after any other, one enable pulse",
)
DECODER_DELAY = Quantity(
    name="decoder_delay",
    unit="s",
    description="address at V_DD/2 to the row gate's output at V_DD/2, slowest access",
)
DECODER = register_bench(
    BenchContract(
        name="decoder",
        axes=(BenchAxis(name="rows", meaning="rows to choose from"),),
        quantities=(DECODER_ENERGY, DECODER_DELAY),
    )
)

# ---- Sequential update ----------------------------------------------------------------------------------------------


def _sequential(part: str, energy: str, time: str) -> tuple[Quantity, Quantity]:
    return (
        Quantity(name=f"sequential_{part}_energy", unit="J", description=energy),
        Quantity(name=f"sequential_{part}_time", unit="s", description=time),
    )


_MEAN = "mean of words in which every bit stays and changes equally often, all sources"
# Energy and time of each part of an update.
SEQUENTIAL_PARTS = {
    "read": _sequential(
        "read",
        f"reading a word: wordline driver, cells, sense amplifiers, precharge recovery; {_MEAN}",
        f"row select to the last latched output, sense amplifiers fired at a split of {SENSE_DIFFERENTIAL:g} V",
    ),
    "write": _sequential(
        "write",
        f"writing a word: wordline and write drivers, cells, precharge recovery; {_MEAN}",
        "row select to the last storage node within 10 %",
    ),
    "decode": _sequential(
        "decode",
        "selecting a row for a read and a write: the address counts up, two wordline pulses",
        "address to row select, slowest",
    ),
    "transport": _sequential(
        "transport", f"a word to the datapath and the result back; {_MEAN}", "both ways on the bus, slowest bit"
    ),
    "subtract": _sequential(
        "subtract",
        f"max(v - lambda, 0): ripple adder, clamp, result latches; {_MEAN}",
        "operand to latched result, a carry through all bits included",
    ),
    "multiply": _sequential(
        "multiply",
        f"v times 243/256: array multiplier, result latches; {_MEAN}",
        "operand to latched result, slowest of the words",
    ),
}
SEQUENTIAL = register_bench(
    BenchContract(
        name="sequential",
        axes=(
            BenchAxis(name="rows", meaning="words of the memory"),
            BenchAxis(name="membrane_bits", meaning="bits of a word"),
        ),
        quantities=tuple(quantity for pair in SEQUENTIAL_PARTS.values() for quantity in pair),
    )
)

# ---- Variation ------------------------------------------------------------------------------------------------------

SAMPLE = OwnAxis(name="sample")
STATISTIC = OwnAxis(name="statistic", labels=("mean", "sigma", "q0.001", "q0.01", "median", "q0.99", "q0.999"))
BOUND = OwnAxis(name="bound", labels=("estimate", "lower", "upper"))
MECHANISM = OwnAxis(name="mechanism", labels=("read", "write", "sense", "cycle"))


def _sampled(name: str, unit: str, description: str) -> tuple[Quantity, Quantity]:
    return (
        Quantity(name=name, unit=unit, own=(SAMPLE,), description=description),
        Quantity(
            name=f"{name}_statistics",
            unit=unit,
            own=(STATISTIC, BOUND),
            description=f"{description}: over the samples, with 95 % intervals",
        ),
    )


# Mechanism whose run gives the quantity, name of the value there -> the samples and their statistics.
SAMPLED = {
    ("read", "hold_snm"): _sampled("sram6t_mc_hold_snm", "V", "6T hold noise margin"),
    ("read", "read_snm"): _sampled("sram6t_mc_read_snm", "V", "6T read noise margin"),
    ("write", "write_margin"): _sampled(
        "sram6t_mc_write_margin", "V", "bitline voltage at which the 6T cell flips, harder bit"
    ),
    ("sense", "write_delay"): _sampled(
        "sram6t_mc_write_delay",
        "s",
        "wordline to both nodes within 10 %, bitlines driven before; infinite: not written",
    ),
    ("sense", "write_energy"): _sampled(
        "sram6t_mc_write_energy", "J", "write and recovery of the bitlines: the copy's supply"
    ),
    ("sense", "differential"): _sampled("sram6t_mc_read_split", "V", "bitline difference at the nominal sense moment"),
    ("sense", "read_energy"): _sampled(
        "sram6t_mc_read_energy", "J", "read and recovery of the bitlines: the copy's supply"
    ),
    ("sense", "write_failed"): _sampled("sram6t_mc_write_failed", "1", "1 where the write did not flip the cell"),
    ("sense", "read_disturbed"): _sampled("sram6t_mc_read_disturbed", "1", "1 where the read flipped the cell"),
    ("sense", "offset"): _sampled("sram6t_mc_sense_offset", "V", "input-referred offset of the sense amplifier"),
    ("sense", "margin"): _sampled("sram6t_mc_sense_margin", "V", "split at the sense moment less the offset"),
    ("cycle", "read_delay"): _sampled("sram8t_mc_read_delay", "s", "reading a 1: read wordline to sense inverter"),
    ("cycle", "write_delay"): _sampled(
        "sram8t_mc_write_delay", "s", "write wordline to both nodes within 10 %, slower bit"
    ),
    ("cycle", "margin"): _sampled(
        "sram8t_mc_cycle_slack", "s", "slack in the working cycle, as variation/cycle.py defines it"
    ),
}
FAILURE_FRACTION = Quantity(
    name="sram6t_mc_failure_fraction",
    unit="1",
    own=(MECHANISM, BOUND),
    description="part of the samples with a margin below 0 (cycle: 8T), with its 95 % interval",
)
MONTE_CARLO = register_bench(
    BenchContract(
        name="monte_carlo",
        axes=(_CELL_ROWS,),
        quantities=(*(quantity for pair in SAMPLED.values() for quantity in pair), FAILURE_FRACTION),
    )
)

# Mechanisms with the specification 0; accesses of the 8T cell; margins m of a cycle (1 + m) T, T the nominal shortest
# cycle.
LIMIT = OwnAxis(name="limit", labels=("read", "write", "sense"))
ACCESS = OwnAxis(name="access", labels=("read", "write"))
CYCLE_MARGIN = OwnAxis(name="cycle_margin", labels=(0.0, 0.05, 0.1, 0.2, 0.3))


def _tails(cell: str, title: str, own: tuple[OwnAxis, ...]) -> dict[str, Quantity]:
    bounded = (*own, BOUND)
    told = {
        "failure_probability": (bounded, "probability that the margin of a cell is below 0, with 95 % interval"),
        "sigma": (bounded, "equivalent sigma of the probability, with its interval"),
        "shift_norm": (own, "distance of the most probable failure, sigmas"),
        "effective_samples": (own, "effective number of failing importance samples"),
        "simulations": (own, "margins that were simulated"),
        "failed_simulations": (own, "importance samples whose simulation failed; the interval holds both cases"),
        "regions": (own, "regions of failure that were found and sampled around"),
    }
    return {
        what: Quantity(
            name=f"{cell}_tail_{what}",
            unit="1",
            own=axes,
            # Between two supplies the equivalent sigma is about linear; a small probability is not.
            scale="probit" if what == "failure_probability" else "",
            description=f"{title} cell: {description}",
        )
        for what, (axes, description) in told.items()
    }


SRAM6T_TAIL = _tails("sram6t", "6T", (LIMIT,))
SRAM8T_TAIL = _tails("sram8t", "8T", (ACCESS, CYCLE_MARGIN))
SRAM6T_TAIL_PROBABILITY, SRAM8T_TAIL_SIGMA = SRAM6T_TAIL["failure_probability"], SRAM8T_TAIL["sigma"]
TAIL = register_bench(
    BenchContract(name="tail", axes=(_CELL_ROWS,), quantities=(*SRAM6T_TAIL.values(), *SRAM8T_TAIL.values()))
)
