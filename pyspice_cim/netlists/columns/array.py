"""The LD-LIF array: columns of bit cells for membranes and weights, column slices, and control lines across all columns.

Each neuron has a column. A column has one membrane segment and several weight segments, each of ``rows`` rows. The
membrane segment holds the word of the neuron. The bitlines of the weight segments merge into the global read line of the
column. Rows that a deck does not use are lumped into off transistors and the capacitance of the wire.

Bit-serial addition at the foot of SRAM columns: Jeloka et al., "A 28 nm configurable memory (TCAM/BCAM/SRAM) using
push-rule 6T bit cell enabling logic-in-memory", IEEE J. Solid-State Circuits 51 (2016); Eckert et al., "Neural Cache:
bit-serial in-cache acceleration of deep neural networks", ISCA 2018.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySpice.Spice.Netlist import Circuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.microcode.lines import driver_units
from pyspice_cim.microcode.operations import ColumnState
from pyspice_cim.microcode.schedule import CLOCK_LINES, CONSTANT_LINES, MASK_LINES, segment_line, weight_line
from pyspice_cim.netlists.cell import Cell, library, mosfet
from pyspice_cim.netlists.cells.bitcells import bit_cell, draw_off_rows
from pyspice_cim.netlists.cells.drivers import line_driver
from pyspice_cim.netlists.cells.gates import nm
from pyspice_cim.netlists.columns.slice import SLICE_PORTS, column_slice, line_pull_down_width, weight_segment
from pyspice_cim.technology import Technology
from pyspice_cim.technology.bitcells import GROUND, BitCell, bitcell, table_names

# Component of a column's energy -> node of the supply that feeds the component.
COLUMN_SUPPLIES = {"logic": "vdd", "precharge": "vp", "write_drivers": "vw", "cells": "vc"}
_SHARED = (*CLOCK_LINES, *MASK_LINES, *CONSTANT_LINES)


@dataclass(frozen=True, kw_only=True)
class ArrayShape:
    """Size of an array, and what its deck draws in full.

    Attributes:
        columns: number of columns, one for each neuron.
        bits: ``P``, bits of a column's word, guard bits included.
        inputs: number of weights of a column that the deck draws in full.
        weight_bits: bits of a weight.
        rows: rows of a segment.
        segments: number of weight segments on the global read line. Segments that hold none of the drawn weights are
            drawn as one lumped load.
        bitcell: name of the bit cell (``technology.bitcells``).

    Raises:
        NetlistError: if the word or the weights do not fit.
        ConfigError: if no array is made of the bit cell.
    """

    columns: int
    bits: int
    inputs: int
    weight_bits: int
    rows: int
    segments: int
    bitcell: str = "sram8t"

    def __post_init__(self) -> None:
        table_names(self.bitcell)
        if self.bits > self.rows:
            raise NetlistError(f"bits = {self.bits} do not fit in a membrane segment of {self.rows} rows")
        if self.used_segments > self.segments:
            raise NetlistError(
                f"{self.inputs} inputs of {self.weight_bits} bits need {self.used_segments} segments of {self.rows} rows; "
                f"segments = {self.segments}"
            )

    @property
    def kind(self) -> BitCell:
        """The bit cell of the array."""
        return bitcell(self.bitcell)

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
        """Size of the driver of every control line, in unit drivers."""
        return {line: driver_units(line, columns=self.columns, segments=self.segments) for line in self.lines}


@dataclass(frozen=True, kw_only=True)
class ArrayNetlist:
    """A circuit without sources for its control lines, with all that a testbench must know of the circuit.

    Attributes:
        circuit: PySpice circuit; supplies included, control lines not driven.
        initial: node to its level at time 0, as a fraction of the supply.
        word_nodes: nodes of the stored words, [column][bit].
        flag_nodes: node of the flag FS, [column].
    """

    circuit: Circuit
    initial: dict[str, int]
    word_nodes: list[list[str]]
    flag_nodes: list[str]


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
    """The array as a circuit, with ``weights`` and the words and flags of ``state`` stored.

    Args:
        technology: technology that holds the sizes.
        shape: what the array is made of.
        vdd: supply voltage in V.
        weights: signed integers, [input, column].
        state: words, flags and sum latches, [column].
        title: first line of the deck.

    Raises:
        NetlistError: if a weight or a word does not fit in its bits.
        TechnologyError: if the technology lacks a size of the bit cell.
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
    stored = bit_cell(technology, shape.kind)
    cells = (
        stored,
        column_slice(technology, segments=shape.segments),
        weight_segment(technology, segments=shape.segments),
        *(line_driver(technology, units=units) for units in sorted(set(shape.driver_units.values()))),
    )
    for cell in library(*cells):
        circuit.subcircuit(cell.subcircuit())
    netlist = ArrayNetlist(circuit=circuit, initial={}, word_nodes=[], flag_nodes=[])
    for column in range(shape.columns):
        _draw_column(netlist, technology, shape, stored, column, vdd, weights[:, column], state)
    per_column = technology.wire.c_ff_per_um * technology.cell_sizes(shape.kind).width_um * 1e-15
    for line in shape.lines:
        circuit.C(f"w{line}", line, "0", per_column * shape.columns)
    return netlist


def _draw_column(
    netlist: ArrayNetlist,
    technology: Technology,
    shape: ArrayShape,
    stored: Cell,
    j: int,
    vdd: float,
    weights: NDArray[np.integer],
    state: ColumnState,
) -> None:
    circuit, initial = netlist.circuit, netlist.initial
    supply = {component: f"{node}{j}" for component, node in COLUMN_SUPPLIES.items()}
    for node in supply.values():
        circuit.V(node, node, "0", f"dc {vdd:g}")

    kind = shape.kind

    def cell(name: str, value: int, *, write: tuple[str, str, str], read: tuple[str, str]) -> str:
        """Draw one cell that holds ``value``; ``write`` and ``read`` are bitlines and wordline. Returns its node q."""
        q, qb = f"q{name}", f"qb{name}"
        nodes = kind.connected(
            write_bitlines=write[:2],
            write_wordline=write[2],
            read_bitline=read[0],
            read_wordline=read[1],
            bit=q,
            complement=qb,
            supply=supply["cells"],
        )
        circuit.X(name, stored.name, *nodes)
        initial[q], initial[qb] = value, 1 - value
        return q

    word = int(state.word[j])
    nodes = []
    for b in range(shape.bits):
        write = (f"wbl{j}", f"wblb{j}", f"wwv{b}")
        nodes.append(cell(f"v{j}_{b}", word >> b & 1, write=write, read=(f"rv_{j}", f"rwv{b}")))
    netlist.word_nodes.append(nodes)
    for i in range(shape.inputs):
        for b in range(shape.weight_bits):
            row = i * shape.weight_bits + b
            read = (f"seg{j}_{row // shape.rows}", weight_line(row))
            # The array never writes its weights.
            cell(f"w{j}_{i}_{b}", int(weights[i]) >> b & 1, write=(GROUND, GROUND, GROUND), read=read)

    row_wire = technology.wire.c_ff_per_um * technology.cell_sizes(kind).height_um * 1e-15

    def lump(node: str, port: str, count: int) -> None:
        """Draw the off transistors of ``count`` unused rows on ``node``, the bitline of ``port``."""
        draw_off_rows(
            circuit, technology, kind, name=f"spare_{node}", port=port, node=node, supply=supply["cells"], rows=count
        )

    (wbl, wblb), rbl = kind.roles.write_bitlines, kind.roles.read_bitline
    for node, port in ((f"rv_{j}", rbl), (f"wbl{j}", wbl), (f"wblb{j}", wblb)):
        lump(node, port, shape.rows - shape.bits)
        circuit.C(f"wire_{node}", node, "0", row_wire * shape.rows)
    for s in range(shape.used_segments):
        node = f"seg{j}_{s}"
        used = min(shape.rows, shape.inputs * shape.weight_bits - s * shape.rows)
        lump(node, rbl, shape.rows - used)
        circuit.C(f"wire_{node}", node, "0", row_wire * shape.rows)
        circuit.X(node, "segment", node, f"rw_{j}", segment_line(s), supply["logic"], supply["precharge"])
        initial[node], initial[f"x{node}.a"] = 1, 0
    if (spare := shape.segments - shape.used_segments) > 0:
        # Merge transistors of the segments that the deck does not use.
        mosfet(
            circuit,
            f"spare_rw_{j}",
            (f"rw_{j}", GROUND, GROUND, GROUND),
            technology=technology,
            device="nmos",
            width=nm(technology, line_pull_down_width(shape.segments)),
            multiplier=spare,
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
