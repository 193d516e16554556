"""Row decoder: address buffers, predecoders of two or three bits with their wires, and one gate for each row.

    line_g,i = (address bits of group g == i) and (g > 0 or en)
    selb_r   = not (and of one predecoded line of each group)

The enable ``en`` gates the first group, so that no row is selected while the enable is low. A wordline driver follows
each row gate. Source of the structure: Weste and Harris, CMOS VLSI Design, 4th edition, section 12.2 (row circuitry).
"""

import math
from collections.abc import Sequence

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.cell import Cell, mosfet
from pyspice_cim.netlists.cells.gates import inverter, nfet, nm, pfet
from pyspice_cim.technology import Technology
from pyspice_cim.technology.bitcells import SRAM6T

# Capacitance in fF of one input of a row gate, for the sizing of the predecoder's driver.
_GATE_LOAD = 0.35
_ROW_GATE_N, _ROW_GATE_P = 180.0, 135.0


def nand(technology: Technology, inputs: int, name: str, n: float = 180, p: float = 135) -> Cell:
    """NAND gate: ``o`` = not (``i0`` and ``i1`` ...).

    Args:
        technology: technology of the devices.
        inputs: number of inputs, 1 to 4; a longer stack of transistors is too slow.
        name: name of the subcircuit.
        n, p: widths in nm at 45 nm.

    Raises:
        NetlistError: for any other number of inputs.
    """
    if not 1 <= inputs <= 4:
        raise NetlistError(f"{name}: {inputs} inputs; a gate has 1 to 4")

    def build(c: SubCircuit) -> None:
        for k in range(inputs):
            drain = "o" if k == 0 else f"x{k}"
            nfet(c, technology, f"n{k}", drain, f"i{k}", "0" if k == inputs - 1 else f"x{k + 1}", n)
            pfet(c, technology, f"p{k}", "o", f"i{k}", "vdd", p)

    ports = {**{f"i{k}": "input" for k in range(inputs)}, "o": "output", "vdd": "supply"}
    return Cell(name=name, ports=ports, sizes={"n": nm(technology, n), "p": nm(technology, p)}, build=build)


def address_bits(rows: int) -> int:
    """Number of address bits of ``rows`` rows: log2(rows), rounded up, and at least 1."""
    return max(1, math.ceil(math.log2(rows)))


def address_groups(rows: int) -> list[list[int]]:
    """Address bits of each predecoder, three or two at most: the fewest groups, of sizes as equal as possible.

    Args:
        rows: number of rows, 2 to 4096; a row gate has at most four inputs.

    Raises:
        NetlistError: for any other number of rows.
    """
    if not 2 <= rows <= 4096:
        raise NetlistError(f"rows = {rows}: the decoder serves 2 to 4096 rows")
    bits = address_bits(rows)
    count = math.ceil(bits / 3)
    sizes = [bits // count + (k < bits % count) for k in range(count)]
    starts = [sum(sizes[:k]) for k in range(count)]
    return [list(range(start, start + size)) for start, size in zip(starts, sizes, strict=True)]


def lines_of(row: int, rows: int) -> list[tuple[int, int]]:
    """Predecoded lines that select ``row`` of ``rows`` rows, as (group, index)."""
    return [
        (g, sum(((row >> bit) & 1) << k for k, bit in enumerate(group))) for g, group in enumerate(address_groups(rows))
    ]


def row_decoder(technology: Technology, rows: int, drawn: Sequence[int]) -> Cell:
    """Decoder of ``rows`` rows, with the row gates of the rows ``drawn`` and the load of all other row gates.

    A row gate that is not drawn loads its predecoded lines with the gates of two transistors, whose sources and drains are
    at the rails. This load is an upper bound for a row gate whose other inputs are off. Predecoded lines run along the
    height of the 6T array.

    Args:
        technology: technology of the devices, wires and 6T cell.
        rows: number of rows, 2 to 4096.
        drawn: rows whose gates are drawn.

    Raises:
        NetlistError: if a drawn row is not one of ``rows``, or for a number of rows outside the range.
    """
    outside = [row for row in drawn if not 0 <= row < rows]
    if outside:
        raise NetlistError(f"rows {outside} are not among the {rows} rows of the decoder")
    groups = address_groups(rows)
    wire = technology.wire.c_ff_per_um * 1e-15 * technology.cell_sizes(SRAM6T).height_um * rows
    buffer = inverter(technology, "address_buffer", 270, 405)
    row_gate = nand(technology, len(groups), "row_gate", _ROW_GATE_N, _ROW_GATE_P)
    driver_load = inverter(technology, "wordline_input", 270, 405)
    stages = []
    for g, group in enumerate(groups):
        load = wire * 1e15 + math.ceil(rows / 2 ** len(group)) * _GATE_LOAD
        size = max(135.0, 48.0 * load)
        gate = nand(technology, len(group) + (g == 0), f"predecode{g}", max(135.0, size / 3), max(135.0, size / 3))
        stages.append((gate, inverter(technology, f"predecode_driver{g}", size, 1.5 * size)))

    def build(c: SubCircuit) -> None:
        for bit in range(address_bits(rows)):
            c.X(f"b{bit}", buffer.name, f"a{bit}", f"f{bit}", "vdd")
            c.X(f"t{bit}", buffer.name, f"f{bit}", f"t{bit}", "vdd")
        for g, (group, (gate, driver)) in enumerate(zip(groups, stages, strict=True)):
            for index in range(2 ** len(group)):
                literals = [f"{'t' if index >> k & 1 else 'f'}{bit}" for k, bit in enumerate(group)]
                line = f"line{g}_{index}"
                c.X(f"g{g}_{index}", gate.name, *literals, *(["en"] if g == 0 else []), f"n{g}_{index}", "vdd")
                c.X(f"d{g}_{index}", driver.name, f"n{g}_{index}", line, "vdd")
                c.C(f"w{g}_{index}", line, "0", f"{wire:.6g}")
                rest = sum((g, index) in lines_of(row, rows) for row in range(rows) if row not in drawn)
                if rest:
                    _load(c, technology, line, rest)
        for row in drawn:
            c.X(f"row{row}", row_gate.name, *(f"line{g}_{i}" for g, i in lines_of(row, rows)), f"selb{row}", "vdd")
            c.X(f"load{row}", driver_load.name, f"selb{row}", f"wl{row}", "vdd")

    ports = {f"a{bit}": "address, least significant first" for bit in range(address_bits(rows))}
    ports |= {"en": "enable"} | {f"selb{row}": f"row {row} selected, active low" for row in drawn} | {"vdd": "supply"}
    uses = (buffer, row_gate, driver_load, *(cell for stage in stages for cell in stage))
    return Cell(name="row_decoder", ports=ports, sizes={"rows": rows}, build=build, uses=uses)


def _load(c: SubCircuit, technology: Technology, line: str, gates: int) -> None:
    for name, device, rail, width in (("n", "nmos", "0", _ROW_GATE_N), ("p", "pmos", "vdd", _ROW_GATE_P)):
        mosfet(
            c,
            f"{name}{line}",
            (rail, line, rail, rail),
            technology=technology,
            device=device,
            width=nm(technology, width),
            multiplier=gates,
        )
