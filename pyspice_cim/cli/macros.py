"""The macros that the command line gives a network; errors name the options."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import typer

from pyspice_cim.cli.conditions import check_inside, nodes_of
from pyspice_cim.cli.files import given_only
from pyspice_cim.errors import ConfigError, OutsideTableError

if TYPE_CHECKING:
    from pyspice_cim.behavioral.macro.mapping import LayerMap
    from pyspice_cim.behavioral.macro.network import MappedNetwork
    from pyspice_cim.behavioral.network.layers import AnyLayer
    from pyspice_cim.tables import Table

# Default rows of a segment, and the default macro for networks that are not fully connected.
ROWS = 16
SIZE = {"neurons": 64, "inputs": 64}
# ``--macro-inputs`` counts inputs with weights of this many bits; other weights share the same number of rows.
SIZE_BITS = 4
MACRO_LIMIT, MAX_ROWS = 4096, 256


@dataclass(frozen=True, kw_only=True)
class MacroOptions:
    """Size of the macros, and what happens where the table does not reach them."""

    PANEL: ClassVar[str] = "Macros"

    rows: Annotated[int | None, typer.Option(help="Rows of a memory segment; default: 16, or more for long words.")] = (
        None
    )
    macro_neurons: Annotated[
        int | None,
        typer.Option(
            help="Neurons (columns) of a macro; default: the neurons of each fully connected layer, up to the limit of "
            "the table; 64 if the network has convolutions."
        ),
    ] = None
    macro_inputs: Annotated[
        int | None, typer.Option(help="Inputs of a macro, for weights of 4 bits; default: as for --macro-neurons.")
    ] = None
    outside: Annotated[
        Literal["raise", "clip"],
        typer.Option(help="Outside the table: raise an error, or clip to the edge of the table and count it."),
    ] = "raise"

    @property
    def size(self) -> dict[str, int]:
        """``neurons`` and ``inputs`` of a macro, as far as they are given."""
        return given_only(neurons=self.macro_neurons, inputs=self.macro_inputs)


def not_computed(layers: "Sequence[AnyLayer]", shape: Sequence[int]) -> str:
    """Why the array cannot compute ``layers`` on macros of any size; empty if it can.

    Args:
        layers: the layers of the network.
        shape: shape of the input of one sample in one step.

    Raises:
        DataError, ConfigError: if the layers do not chain.
    """
    from pyspice_cim.behavioral.network.layers import NeuronLayer, chain

    for index, (layer, link) in enumerate(zip(layers, chain(layers, shape), strict=True)):
        if not isinstance(layer, NeuronLayer):
            continue
        name = f"layer {index} ({type(layer).__name__})"
        if layer.params.decay != "clamp":
            return f"{name}: its decay is {layer.params.decay!r}, the array computes 'clamp' only"
        if link.divisor > 1 and (layer.weights % link.divisor).any():
            return (
                f"{name}: the average pool before it divides its sums by {link.divisor}, which the array cannot; a sum "
                f"pool with lambda and theta {link.divisor} times as large can be computed"
            )
    return ""


def mapped_network(
    layers: "Sequence[AnyLayer]",
    shape: Sequence[int],
    table: "Table",
    point: Mapping[str, Any],
    *,
    rows: int | None,
    size: Mapping[str, int],
) -> "MappedNetwork":
    """A network on macros that ``table`` calibrates.

    In a fully connected network, each layer gets one macro of the layer's size. A layer that the table does not reach
    is divided among several macros. Other networks get macros of ``SIZE``, or of the largest size within the table.
    ``rows`` and ``size`` replace these defaults.

    Args:
        layers: layers that the array can compute (``not_computed`` returns an empty text).
        shape: shape of the input of one sample in one step.
        table: calibration of the macros.
        point: operating point, as ``conditions.operating_point`` returns it.
        rows: rows of a segment; ``None``: ``ROWS``, or what the table and the words need.
        size: ``neurons`` and ``inputs`` (with weights of ``SIZE_BITS``), as far as they are given.

    Raises:
        ConfigError: if a size is out of range; the message names the option.
        OutsideTableError: if the table does not reach the macros; the message names the option.
    """
    from pyspice_cim.behavioral.macro.config import MacroConfig
    from pyspice_cim.behavioral.macro.mapping import map_layers
    from pyspice_cim.behavioral.macro.network import MappedNetwork

    for name, value in size.items():
        if not 1 <= value <= MACRO_LIMIT:
            raise ConfigError(f"--macro-{name} is {value}; it must be 1 to {MACRO_LIMIT}")
    # The largest macros give the widths of the words. An error here is an error of the network itself.
    draft = map_layers(layers, shape, MacroConfig(technology=table.technology, neurons=64, inputs=2048, rows=MAX_ROWS))
    clip = point["outside"] == "clip"
    rows = _rows(draft.maps, table, rows, clip)
    own = all(_lines(each) for each in draft.maps)
    configs = []
    for each in draft.maps:
        common: dict[str, Any] = {"technology": table.technology, "rows": rows, **point}
        common |= {"membrane_bits": each.config.membrane_bits, "column_bits": each.config.bits}
        common |= _size(each, table, rows, own, size, clip)
        configs.append(MacroConfig(weight_bits=each.config.weight_bits, **common))
    try:
        return MappedNetwork(layers, shape, table, configs)
    except OutsideTableError as error:
        # The option has another name than the argument.
        raise OutsideTableError(str(error).replace("look up with outside='clip'", "give --outside clip")) from error
    except ConfigError as error:
        raise ConfigError(f"{error} (--macro-inputs)" if "inputs" in size else str(error)) from error


def divided(network: "MappedNetwork", size: Mapping[str, int]) -> list[str]:
    """One line for each layer that is divided because one macro within the table cannot hold it.

    Args:
        network: the network on its macros.
        size: sizes of the command line; if they are given, nothing is reported.
    """
    told = []
    for each in network.mapping.maps:
        wanted = (each.link.output[0], _lines(each))
        if not size and wanted[1] and each.macros > 1:
            told.append(
                f"{each.name}, {wanted[0]} neurons x {wanted[1]} inputs, is larger than a macro of table "
                f"{network.table.source} can be: divided among {each.macros} of {each.config.neurons} neurons x "
                f"{each.config.inputs} inputs (--macro-neurons, --macro-inputs for another size)"
            )
    return told


def macro_sizes(network: "MappedNetwork") -> list[dict[str, Any]]:
    """Number and size of the macros of each layer, as plain data."""
    return [
        {"layer": each.name, "macros": each.macros, "neurons": each.config.neurons, "inputs": each.config.inputs}
        for each in network.mapping.maps
    ]


def macros_text(layer: "LayerMap") -> str:
    """Number and size of the macros of ``layer``, in words."""
    config = layer.config
    return f"{layer.macros} of {config.neurons} neurons x {config.inputs} inputs"


def _lines(each: "LayerMap") -> int:
    """Inputs of a fully connected layer, feedback included; 0 for a convolution."""
    from pyspice_cim.behavioral.network.layers import FullyConnected, Recurrent

    if not isinstance(each.layer, FullyConnected):
        return 0
    return len(each.layer.weights) + (len(each.layer.recurrent) if isinstance(each.layer, Recurrent) else 0)


def _rows(maps: "Sequence[LayerMap]", table: "Table", given: int | None, clip: bool) -> int:
    from pyspice_cim.tables import contract

    nodes = nodes_of(table, contract.COLUMN_EVENT_ENERGY.name, contract.COLUMN.stored("rows"))
    widest = max(maps, key=lambda each: each.config.bits)
    bits = widest.config.bits
    rows = max(int(min(max(ROWS, nodes[0]), nodes[-1])), bits) if given is None else given
    if not 2 <= rows <= MAX_ROWS:
        raise ConfigError(f"--rows is {rows}; it must be 2 to {MAX_ROWS}")
    if rows < bits or (bits > nodes[-1] and not clip):
        words = f"{widest.name}: a word of its macro has {bits} bits, each in a row of its own"
        words += "" if given is None else f", and --rows is {given}"
        if bits <= nodes[-1]:
            reach = f" to {nodes[-1]:g}" if nodes[-1] > max(bits, nodes[0]) else ""
            raise ConfigError(f"{words}; give --rows {max(bits, int(nodes[0]))}{reach}")
        raise ConfigError(
            f"{words}, but table {table.source} reaches {nodes[-1]:g} rows; take fewer bits (--weight-bits and "
            f"--membrane-bits of a .nir network), a --table that reaches {bits} rows, --rows {bits} --outside clip for "
            f"the values of {nodes[-1]:g} rows, or --energy none for the accuracy alone"
        )
    if not clip:
        check_inside(table, "rows", rows, nodes, "give another --rows")
    return rows


def _size(
    each: "LayerMap", table: "Table", rows: int, own: bool, given: Mapping[str, int], clip: bool
) -> dict[str, int]:
    """Neurons and inputs of the macros of a layer."""
    from pyspice_cim.tables import contract

    bits = each.config.weight_bits
    segments = nodes_of(table, contract.COLUMN_EVENT_ENERGY.name, contract.COLUMN.stored("segments"))
    decoder = nodes_of(table, contract.DECODER_ENERGY.name, contract.DECODER.stored("rows"))
    sequential = contract.SEQUENTIAL_PARTS["read"][0].name
    columns = nodes_of(table, sequential, contract.SEQUENTIAL.stored("rows"))
    # Weight rows of a macro: limited by its segments, and by its decoder.
    least, most = int(max(1, decoder[0])), int(min(segments[-1] * rows, decoder[-1]))
    inputs = max(_lines(each), -(-least // bits)) if own else SIZE["inputs"] * SIZE_BITS // bits
    neurons = each.link.output[0] if own else SIZE["neurons"]
    largest = (MACRO_LIMIT, MACRO_LIMIT) if clip else (int(columns[-1]), most // bits)
    # Macros of nearly equal size: no macro is left with a single neuron.
    neurons, inputs = -(-neurons // -(-neurons // largest[0])), min(inputs, largest[1])
    if not clip:
        mend = "for a .nir network, give another --membrane-bits"
        nodes = nodes_of(table, sequential, contract.SEQUENTIAL.stored("membrane_bits"))
        check_inside(table, f"{each.name}: membrane_bits", each.config.membrane_bits, nodes, mend)
        most_neurons = min(given.get("neurons", neurons), math.prod(each.link.output))
        check_inside(table, "neurons of a macro", most_neurons, columns, "give another --macro-neurons")
    if "inputs" in given:
        inputs = max(1, given["inputs"] * SIZE_BITS // bits)
        weight_rows = inputs * bits
        if not clip and not least <= weight_rows <= most:
            raise OutsideTableError(
                f"--macro-inputs {given['inputs']} makes {weight_rows} weight rows of a macro ({each.name}), outside "
                f"table {table.source} ({least} to {most} in segments of {rows}); give --macro-inputs "
                f"{-(-least // SIZE_BITS)} to {most // SIZE_BITS}, or --outside clip"
            )
    return {"neurons": given.get("neurons", neurons), "inputs": inputs}
