"""The decks to read and to run by hand: every block at the nominal corner, with the answer it must give.

They are the decks of the benches themselves; what is added are comments, and ``.meas`` cards that print the levels at the
end, so that ``ngspice -b NAME.cir`` shows a result.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyspice_cim.characterization.benches import datapath, decoder, sram6t, sram8t
from pyspice_cim.characterization.benches.array import ArrayRun, array_deck
from pyspice_cim.characterization.benches.driver import driver_deck
from pyspice_cim.microcode import ColumnState, Operation, column_bits, columns_at_rest
from pyspice_cim.netlists.analysis import Dc, Tran
from pyspice_cim.netlists.columns.array import ArrayShape
from pyspice_cim.netlists.deck import DrawnDeck
from pyspice_cim.netlists.waves import Timing
from pyspice_cim.organisation import NeuronConstants, Organisation
from pyspice_cim.technology import Corner, Technology

# Well above the shortest cycle of these small arrays at 45 nm; other technologies by their scale.
_CYCLE = 2e-9
# One neuron that decays from 60 by 9, receives 7 and fires at 50 with 8 left.
_MEMBRANE, _LAMBDA, _THETA, _WEIGHT, _MEMBRANE_BITS = 60, 9, 50, 7, 8
# More levels than these at the end of a log are no help to anybody.
_MOST_LEVELS = 48


def example_decks(technology: Technology) -> dict[str, DrawnDeck]:
    """File name to deck, in the order in which a reader meets the blocks.

    Raises:
        NetlistError: if the technology cannot draw a block.
    """
    corner = Corner(vdd=technology.supply.nominal_v, temperature_c=technology.temperature.nominal_c)
    decks = {
        **sram6t.example_decks(technology),
        **sram8t.example_decks(technology),
        "line_driver.cir": driver_deck(technology, corner),
        **decoder.example_decks(technology),
        **datapath.example_decks(technology),
    }
    examples = {name: finished(deck, name, technology) for name, deck in decks.items()}
    examples |= _column_decks(technology, corner)
    examples["macro.cir"] = _macro_deck(technology, corner)
    return examples


def finished(
    deck: DrawnDeck, name: str, technology: Technology, notes: Sequence[str] = (), *, driven: Sequence[str] = ()
) -> DrawnDeck:
    """``deck`` with comments after its title and with cards that print the saved voltages.

    A transient prints the voltages at its end, and a sweep prints the largest value of each. An operating point prints
    itself.

    Args:
        name: file name of the deck.
        notes: comments.
        driven: control lines, whose voltages say nothing new.
    """
    first = f"Technology {technology.name} (sha256 {technology.sha256[:16]}). Run it with: ngspice -b {name}"
    nodes = [vector[2:-1] for vector in deck.saves if vector.startswith("v(")]
    measures = []
    for node in [node for node in nodes if node not in driven][:_MOST_LEVELS]:
        vector, result = f"v({node})", node.replace(".", "_")
        if isinstance(deck.analysis, Dc):
            measures.append(f".meas dc {result}_max max {vector}")
        elif isinstance(deck.analysis, Tran):
            # A little before the last time point, which rounding could put outside the run.
            measures.append(f".meas tran {result}_end find {vector} at={0.9999 * deck.analysis.stop:.7g}")
    return replace(deck, notes=(first, *notes, *deck.notes), outputs=(*deck.outputs, *measures))


def _column_decks(technology: Technology, corner: Corner) -> dict[str, DrawnDeck]:
    """A column through the operations of one time step, a deck each."""
    weights = np.array([[_WEIGHT]], dtype=np.int64)
    bits = column_bits(weights, _MEMBRANE_BITS)
    shape = ArrayShape(columns=1, bits=bits, inputs=1, weight_bits=4, rows=16, segments=1)
    neuron = NeuronConstants(lambda_=_LAMBDA, theta=_THETA, membrane_bits=_MEMBRANE_BITS)
    program = Organisation().program(neuron).step([0])
    start = columns_at_rest(np.array([_MEMBRANE], dtype=np.int64), theta=_THETA)
    timing = Timing(cycle=_CYCLE * technology.scale)
    whole = ArrayRun(shape=shape, weights=weights, state=start, program=program, timing=timing)
    states = [start, *whole.states()]
    decks = {}
    for before, operation, after in zip(states, program, states[1:], strict=False):
        name = f"column_{operation.name}.cir"
        run = replace(whole, state=before, program=[operation])
        deck = array_deck(technology, corner, run, title=f"one column, one operation: {operation.name}")
        notes = [
            _operation_note(operation),
            f"Before: {_columns_note(before, bits)}",
            f"After:  {_columns_note(after, bits)}  (qv0_0_end is the lowest bit, fs0_end the flag)",
        ]
        decks[name] = finished(deck, name, technology, notes, driven=shape.lines)
    return decks


def _macro_deck(technology: Technology, corner: Corner) -> DrawnDeck:
    """Two neurons with two inputs, drivers included, through one whole time step."""
    weights = np.array([[5, -3], [2, -6]], dtype=np.int64)
    membrane_bits, lambda_, theta = 5, 2, 9
    membrane = np.array([6, 10], dtype=np.int64)
    bits = column_bits(weights, membrane_bits)
    neuron = NeuronConstants(lambda_=lambda_, theta=theta, membrane_bits=membrane_bits)
    program = Organisation().program(neuron).step([0, 1])
    run = ArrayRun(
        shape=ArrayShape(columns=2, bits=bits, inputs=2, weight_bits=4, rows=16, segments=1),
        weights=weights,
        state=columns_at_rest(membrane, theta=theta),
        program=program,
        timing=Timing(cycle=_CYCLE * technology.scale),
        drivers=True,
    )
    deck = array_deck(technology, corner, run, title="macro of two neurons and two inputs, one time step")
    notes = [
        f"Membranes {membrane.tolist()}, weights {weights.tolist()} (input by neuron), both inputs active, lambda {lambda_}, "
        f"theta {theta}.",
        f"Operations: {', '.join(operation.name for operation in program)}; a flag of 0 after the fire is a spike.",
        *(f"After {op.name}: {_columns_note(state, bits)}" for op, state in zip(program, run.states(), strict=True)),
    ]
    return finished(deck, "macro.cir", technology, notes)


def _operation_note(operation: Operation) -> str:
    operand = f"weight row of input {operation.weight}"
    if operation.weight is None:
        operand = f"{operation.k0} where the flag is 0, {operation.k1} where it is 1"
    masks = [line for line, active in (("flag 1", operation.za), ("flag 0", operation.zb)) if active]
    masked = f"; columns with {' and '.join(masks)} read 0" if masks else ""
    return f"Adds {operand}{masked}{'; captures the sign into the flag' if operation.capture else ''}."


def _columns_note(state: ColumnState, bits: int) -> str:
    words = [f"{int(word)} = {int(word) & ((1 << bits) - 1):0{bits}b}" for word in state.word]
    return "word " + ", ".join(words) + "; flag " + ", ".join(str(int(flag)) for flag in state.flag)
