"""The LD-LIF array: columns of membranes and weights on 8T cells, their slices, and the lines that cross them all.

One neuron a column. Its word (``bits`` rows) stands on the membrane segment; its weights stand on weight segments of
``rows`` rows each, whose bitlines merge into the column's global read line. Rows that a deck does not use are lumped into
one off transistor of their number and the wire's capacitance.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.microcode.lines import driver_units
from pyspice_cim.microcode.operations import ColumnState
from pyspice_cim.microcode.schedule import CLOCK_LINES, CONSTANT_LINES, MASK_LINES, segment_line, weight_line
from pyspice_cim.netlists.cell import library, mosfet
from pyspice_cim.netlists.cells.bitcells import sram8t
from pyspice_cim.netlists.cells.drivers import line_driver
from pyspice_cim.netlists.cells.gates import nm
from pyspice_cim.netlists.columns.slice import SLICE_PORTS, column_slice, line_pull_down_width, weight_segment
from pyspice_cim.technology import Technology

# Supplies of a column, by the component whose energy they carry.
COLUMN_SUPPLIES = {"logic": "vdd", "precharge": "vp", "write_drivers": "vw", "cells": "vc"}
_SHARED = (*CLOCK_LINES, *MASK_LINES, *CONSTANT_LINES)


@dataclass(frozen=True, kw_only=True)
class ArrayShape:
    """What an array is made of.

    Attributes:
        columns: neurons.
        bits: ``P``, bits of a column's word, guard bits included.
        inputs, weight_bits: weights of a column that the deck holds in full.
        rows: rows of a segment.
        segments: weight segments on the global read line; those without weights of the deck are lumped.
    """

    columns: int
    bits: int
    inputs: int
    weight_bits: int
    rows: int
    segments: int

    def __post_init__(self) -> None:
        if self.bits > self.rows:
            raise NetlistError(f"bits = {self.bits} do not fit in a membrane segment of {self.rows} rows")
        if self.used_segments > self.segments:
            raise NetlistError(
                f"{self.inputs} inputs of {self.weight_bits} bits need {self.used_segments} segments of {self.rows} rows; "
                f"segments = {self.segments}"
            )

    @property
    def used_segments(self) -> int:
        """Segments that hold weights of the deck."""
        return -(-self.inputs * self.weight_bits // self.rows)

    @property
    def lines(self) -> tuple[str, ...]:
        """All control lines, in a fixed order."""
        return (
            *_SHARED,
            *(f"rwv{b}" for b in range(self.bits)),
            *(f"wwv{b}" for b in range(self.bits)),
            *(weight_line(r) for r in range(self.inputs * self.weight_bits)),
            *(segment_line(s) for s in range(self.used_segments)),
        )

    @property
    def driver_units(self) -> dict[str, int]:
        """Size of the driver of every line."""
        return {line: driver_units(line, columns=self.columns, segments=self.segments) for line in self.lines}


@dataclass(frozen=True, kw_only=True)
class ArrayNetlist:
    """A circuit without sources for its lines, with all that a testbench must know of it.

    Attributes:
        circuit: PySpice circuit; supplies included, lines not driven.
        initial: node to its level at time 0, as a fraction of the supply.
        word_nodes: [column][bit] nodes of the stored words.
        flag_nodes: node of FS of each column.
    """

    circuit: Circuit
    initial: dict[str, int]
    word_nodes: list[list[str]]
    flag_nodes: list[str]
    supplies: dict[str, list[str]] = field(default_factory=dict)


def column_supply(component: str, column: int) -> str:
    """Name of the voltage source that feeds ``component`` of ``column``."""
    return f"v{COLUMN_SUPPLIES[component]}{column}"


def build_array(
    technology: Technology,
    shape: ArrayShape,
    *,
    vdd: float,
    weights: NDArray[np.integer],
    state: ColumnState,
    title: str,
) -> ArrayNetlist:
    """Draw the array with ``weights`` [inputs, columns] and words and flags ``state`` [columns] stored in it.

    Raises:
        NetlistError: if a weight or a word does not fit in its bits.
    """
    for name, values, width, wanted in (
        ("weights", weights, shape.weight_bits, (shape.inputs, shape.columns)),
        ("words", state.word, shape.bits, (shape.columns,)),
    ):
        if values.shape != wanted:
            raise NetlistError(f"{name} have shape {values.shape}, not {wanted}")
        if values.size and (values.min() < -(2 ** (width - 1)) or values.max() >= 2 ** (width - 1)):
            raise NetlistError(f"{name} in {values.min()}..{values.max()} do not fit in {width} bits")
    circuit = Circuit(title)
    cells = (
        sram8t(technology),
        column_slice(technology, segments=shape.segments),
        weight_segment(technology, segments=shape.segments),
        *(line_driver(technology, units=units) for units in sorted(set(shape.driver_units.values()))),
    )
    for cell in library(*cells):
        circuit.subcircuit(cell.subcircuit())
    netlist = ArrayNetlist(circuit=circuit, initial={}, word_nodes=[], flag_nodes=[])
    for column in range(shape.columns):
        _draw_column(netlist, technology, shape, column, vdd, weights[:, column], state)
    per_column = technology.wire.c_ff_per_um * technology.cell_8t.width_um * 1e-15
    for line in shape.lines:
        circuit.C(f"w{line}", line, "0", per_column * shape.columns)
    return netlist


def _draw_column(
    netlist: ArrayNetlist,
    technology: Technology,
    shape: ArrayShape,
    j: int,
    vdd: float,
    weights: NDArray[np.integer],
    state: ColumnState,
) -> None:
    circuit, initial = netlist.circuit, netlist.initial
    supply = {component: f"{node}{j}" for component, node in COLUMN_SUPPLIES.items()}
    for node in supply.values():
        circuit.V(node, node, "0", f"dc {vdd:g}")

    def cell(name: str, ports: tuple[str, ...], value: int) -> tuple[str, str]:
        q, qb = f"q{name}", f"qb{name}"
        circuit.X(name, "sram8t", *ports, q, qb, supply["cells"])
        initial[q], initial[qb] = value, 1 - value
        return q, qb

    word = int(state.word[j])
    nodes = []
    for b in range(shape.bits):
        ports = (f"wbl{j}", f"wblb{j}", f"wwv{b}", f"rv_{j}", f"rwv{b}")
        nodes.append(cell(f"v{j}_{b}", ports, word >> b & 1)[0])
    netlist.word_nodes.append(nodes)
    for i in range(shape.inputs):
        for b in range(shape.weight_bits):
            row = i * shape.weight_bits + b
            ports = ("0", "0", "0", f"seg{j}_{row // shape.rows}", weight_line(row))
            cell(f"w{j}_{i}_{b}", ports, int(weights[i]) >> b & 1)

    row_wire = technology.wire.c_ff_per_um * technology.cell_8t.height_um * 1e-15
    geometry = technology.cell_8t
    read, access = (geometry.read_um or 0.0) * 1e-6, geometry.access_um * 1e-6

    def lump(name: str, node: str, width: float, count: int) -> None:
        """``count`` off transistors of unused rows on ``node``."""
        if count > 0:
            mosfet(
                circuit,
                name,
                (node, "0", "0", "0"),
                technology=technology,
                device="nmos",
                width=width,
                multiplier=count,
            )

    spare = shape.rows - shape.bits
    for node, width in ((f"rv_{j}", read), (f"wbl{j}", access), (f"wblb{j}", access)):
        lump(f"spare_{node}", node, width, spare)
        circuit.C(f"wire_{node}", node, "0", row_wire * shape.rows)
    for s in range(shape.used_segments):
        node = f"seg{j}_{s}"
        used = min(shape.rows, shape.inputs * shape.weight_bits - s * shape.rows)
        lump(f"spare_{node}", node, read, shape.rows - used)
        circuit.C(f"wire_{node}", node, "0", row_wire * shape.rows)
        circuit.X(node, "segment", node, f"rw_{j}", segment_line(s), supply["logic"], supply["precharge"])
        initial[node], initial[f"x{node}.a"] = 1, 0
    lump(
        f"spare_rw_{j}",
        f"rw_{j}",
        nm(technology, line_pull_down_width(shape.segments)),
        shape.segments - shape.used_segments,
    )
    circuit.C(f"wire_rw_{j}", f"rw_{j}", "0", row_wire * shape.rows * shape.segments)

    own = {"rv": f"rv_{j}", "rw": f"rw_{j}", "wbl": f"wbl{j}", "wblb": f"wblb{j}", "fs": f"fs{j}", "fsb": f"fsb{j}"}
    own |= {"vdd": supply["logic"], "vp": supply["precharge"], "vw": supply["write_drivers"]}
    circuit.X(f"s{j}", "slice", *(own.get(port, port) for port in SLICE_PORTS))
    netlist.flag_nodes.append(f"fs{j}")

    flag, last = int(state.flag[j]), int(state.last_sum[j])
    # Every storage node of every latch: an operating point that is left to chance starts at mid-rail.
    initial |= {f"fs{j}": flag, f"fsb{j}": 1 - flag, f"xs{j}.xlf.s": flag}
    initial |= {f"xs{j}.ql": last, f"xs{j}.qlb": 1 - last, f"xs{j}.xlq.s": last}
    initial |= {f"xs{j}.xlm.s": 0, f"xs{j}.cm": 0, f"xs{j}.cmb": 1}
    initial |= {f"xs{j}.xls.s": 0, f"xs{j}.ci": 0, f"xs{j}.cib": 1}
    initial |= {f"wbl{j}": last, f"wblb{j}": 1 - last, f"rv_{j}": 1, f"rw_{j}": 1}
