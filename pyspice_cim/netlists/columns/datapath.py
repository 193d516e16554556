"""Datapath of the sequential update: ripple adder, clamped subtraction, array multiplier, result latches, word bus.

    full adder:  co = a b + ci (a + b),  sumb = not (a xor b xor ci)
    subtract:    d = v + not lambda + 1,  q = carry ? d : 0, which is max(v - lambda, 0)
    multiply:    d = v * beta,  q = d >> (bits of beta)

The full adder is a mirror adder of 26 transistors (Weste and Harris, CMOS VLSI Design, 4th edition, section 11.2). The
multiplier is an array: ripple adders add the rows of partial products. An array multiplier needs no inner registers and is
faster than a multiplier that shifts and adds in several cycles. The comparison is therefore fair to the sequential update.
Words are unsigned, least significant bit first. Ground is node 0.
"""

from PySpice.Spice.Netlist import SubCircuit

from pyspice_cim.errors import NetlistError
from pyspice_cim.netlists.cell import Cell
from pyspice_cim.netlists.cells.gates import inverter, latch, nfet, nm, nor2, pfet
from pyspice_cim.technology import Technology
from pyspice_cim.technology.bitcells import SRAM6T


def full_adder(technology: Technology, carry_n: float = 135, sum_n: float = 90) -> Cell:
    """Full adder of one bit in static CMOS. Carry and sum are self-dual, so the p network mirrors the n network.

    Args:
        technology: technology of the devices.
        carry_n, sum_n: n widths of the carry and the sum gate in nm at 45 nm; p transistors are 1.5 times as wide.
    """
    invert = inverter(technology)

    def build(c: SubCircuit) -> None:
        for side, draw, rail, ratio in (("n", nfet, "0", 1.0), ("p", pfet, "vdd", 1.5)):
            carry, total = carry_n * ratio, sum_n * ratio
            for name, d, g, s, width in (
                ("1", "cob", "ci", f"{side}1", carry),
                ("2", f"{side}1", "a", rail, carry),
                ("3", f"{side}1", "b", rail, carry),
                ("4", "cob", "a", f"{side}2", carry),
                ("5", f"{side}2", "b", rail, carry),
                ("6", "sumb", "cob", f"{side}3", total),
                ("7", f"{side}3", "a", rail, total),
                ("8", f"{side}3", "b", rail, total),
                ("9", f"{side}3", "ci", rail, total),
                ("10", "sumb", "ci", f"{side}4", total),
                ("11", f"{side}4", "a", f"{side}5", total),
                ("12", f"{side}5", "b", rail, total),
            ):
                draw(c, technology, side + name, d, g, s, width)
        c.X("co", "inv", "cob", "co", "vdd")

    ports = {
        "a": "input",
        "b": "input",
        "ci": "carry in",
        "sumb": "inverted sum",
        "co": "carry out",
        "vdd": "supply",
    }
    sizes = {"carry_n": nm(technology, carry_n), "sum_n": nm(technology, sum_n)}
    return Cell(name="full_adder", ports=ports, sizes=sizes, build=build, uses=(invert,))


def word_ports(name: str, bits: int, meaning: str) -> dict[str, str]:
    """Ports ``name0``, ``name1``, ... of a word, least significant bit first, each with its meaning.

    Args:
        name: name of the word.
        bits: bits of the word.
        meaning: meaning of the word.

    Raises:
        NetlistError: if there is no bit.
    """
    if bits < 1:
        raise NetlistError(f"a word {name!r} of {bits} bits; it needs at least 1")
    return {f"{name}{k}": f"{meaning}, bit {k}" for k in range(bits)}


def result_latches(technology: Technology, bits: int) -> Cell:
    """``bits`` latches with clock buffers; open while ``clk`` is high. The latches keep glitches off the bus."""
    cell, buffer = latch(technology), inverter(technology, "clock_buffer", 270, 405)

    def build(c: SubCircuit) -> None:
        c.X("b", buffer.name, "clk", "enb", "vdd")
        c.X("t", buffer.name, "enb", "en", "vdd")
        for k in range(bits):
            c.X(f"l{k}", cell.name, f"d{k}", f"q{k}", f"qb{k}", "en", "enb", "vdd")

    ports = word_ports("d", bits, "result") | word_ports("q", bits, "latched result")
    ports |= {"clk": "clock, open while high", "vdd": "supply"}
    return Cell(name="result_latches", ports=ports, sizes={"bits": bits}, build=build, uses=(cell, buffer))


def subtract_unit(technology: Technology, bits: int) -> Cell:
    """Clamped subtraction: ``q`` = max(v - lambda, 0).

    Args:
        technology: technology of the devices.
        bits: bits of the operand ``v`` and of ``k``, the complement of lambda.
    """
    adder, invert, nor = full_adder(technology), inverter(technology), nor2(technology)
    borrow, store = inverter(technology, "borrow_buffer", 270, 405), result_latches(technology, bits)

    def build(c: SubCircuit) -> None:
        for k in range(bits):
            carry = "vdd" if k == 0 else f"c{k}"
            c.X(f"a{k}", adder.name, f"v{k}", f"k{k}", carry, f"s{k}", f"c{k + 1}", "vdd")
            c.X(f"z{k}", nor.name, f"s{k}", "borrow", f"d{k}", "vdd")
        c.X("borrow", borrow.name, f"c{bits}", "borrow", "vdd")
        c.X("store", store.name, *(f"{name}{k}" for name in "dq" for k in range(bits)), "clk", "vdd")

    return Cell(
        name="subtract_unit",
        ports=_datapath_ports(bits, bits, "complement of lambda") | word_ports("d", bits, "result before its latch"),
        sizes={"bits": bits},
        build=build,
        uses=(adder, invert, nor, borrow, store),
    )


def multiply_unit(technology: Technology, bits: int, constant_bits: int) -> Cell:
    """Array multiplier: ``d`` = v * beta, and ``q`` is the upper ``bits`` bits of ``d``.

    Row j adds the partial product (v and bit j of beta) to the sum of the rows before, which is shifted right by one.

    Args:
        technology: technology of the devices.
        bits: bits of the operand ``v``.
        constant_bits: bits of ``k``, the complement of beta.

    Raises:
        NetlistError: for a constant of less than 2 bits.
    """
    if constant_bits < 2:
        raise NetlistError(f"a multiplier's constant of {constant_bits} bits; it needs at least 2")
    adder, invert, nor = full_adder(technology), inverter(technology), nor2(technology)
    buffer, store = inverter(technology, "operand_buffer", 270, 405), result_latches(technology, bits)

    def build(c: SubCircuit) -> None:
        for i in range(bits):
            c.X(f"b{i}", buffer.name, f"v{i}", f"vb{i}", "vdd")
            # The lowest bit of a row is a bit of the product; the first row is a partial product alone.
            c.X(f"n0_{i}", nor.name, f"vb{i}", "k0", "d0" if i == 0 else f"s0_{i}", "vdd")
        for j in range(1, constant_bits):
            for i in range(bits):
                top = "0" if j == 1 else f"c{j - 1}_{bits}"
                above = top if i == bits - 1 else f"s{j - 1}_{i + 1}"
                carry = "0" if i == 0 else f"c{j}_{i}"
                finished = i == 0 or j == constant_bits - 1
                target = f"d{j + i}" if finished else f"s{j}_{i}"
                c.X(f"n{j}_{i}", nor.name, f"vb{i}", f"k{j}", f"p{j}_{i}", "vdd")
                c.X(
                    f"a{j}_{i}",
                    adder.name,
                    f"p{j}_{i}",
                    above,
                    carry,
                    f"sb{j}_{i}",
                    _carry(j, i, bits, constant_bits),
                    "vdd",
                )
                c.X(f"i{j}_{i}", invert.name, f"sb{j}_{i}", target, "vdd")
        upper = [f"d{constant_bits + k}" for k in range(bits)]
        c.X("store", store.name, *upper, *(f"q{k}" for k in range(bits)), "clk", "vdd")

    return Cell(
        name="multiply_unit",
        ports=_datapath_ports(bits, constant_bits, "complement of beta")
        | word_ports("d", bits + constant_bits, "product"),
        sizes={"bits": bits, "constant_bits": constant_bits},
        build=build,
        uses=(adder, invert, nor, buffer, store),
    )


def _carry(row: int, bit: int, bits: int, rows: int) -> str:
    # The last carry of the last row is the highest bit of the product.
    return f"d{rows - 1 + bits}" if row == rows - 1 and bit == bits - 1 else f"c{row}_{bit + 1}"


def _datapath_ports(bits: int, constant_bits: int, constant: str) -> dict[str, str]:
    return (
        word_ports("v", bits, "operand")
        | word_ports("k", constant_bits, constant)
        | word_ports("q", bits, "latched result")
        | {"clk": "clock of the result latches", "vdd": "supply"}
    )


def bus_length(technology: Technology, rows: int, columns: int) -> float:
    """Length of the word bus in m: sqrt(rows * columns * width * height), the side of a square of the memory's area.

    A square is the most compact floor plan. A tall and narrow memory has longer wires.

    Args:
        technology: technology with the footprint of the 6T cell.
        rows, columns: cells along the height and the width of the memory.
    """
    cell = technology.cell_sizes(SRAM6T)
    return (rows * columns * cell.width_um * cell.height_um) ** 0.5 * 1e-6


def word_bus(technology: Technology, bits: int, length: float) -> Cell:
    """``bits`` wires, each from a buffered driver to a receiver of two inverters.

    Args:
        technology: technology of the devices and wires.
        bits: bits of a word.
        length: length of a wire in m.
    """
    wire = technology.wire.c_ff_per_um * 1e-15 * length * 1e6
    small, drive = inverter(technology), inverter(technology, "bus_driver", 270, 405)

    def build(c: SubCircuit) -> None:
        for k in range(bits):
            c.X(f"s{k}", small.name, f"d{k}", f"n{k}", "vdd")
            c.X(f"d{k}", drive.name, f"n{k}", f"w{k}", "vdd")
            c.C(f"w{k}", f"w{k}", "0", f"{wire:.6g}")
            c.X(f"r{k}", small.name, f"w{k}", f"m{k}", "vdd")
            c.X(f"o{k}", small.name, f"m{k}", f"q{k}", "vdd")

    ports = word_ports("d", bits, "word sent") | word_ports("q", bits, "word received") | {"vdd": "supply"}
    return Cell(name="word_bus", ports=ports, sizes={"bits": bits, "length": length}, build=build, uses=(small, drive))
