"""Layers on macros of a given size: which macro holds which neurons and which inputs, as plain data.

Each neuron has its own column, because its membrane decays in place. A *group* is a set of neurons that share one home
macro. An *input row* is the weight rows of one input: one weight for each column of a macro. The weight is 0 for a
neuron that does not see the input. Each spike of the input costs one accumulate operation. The code calls input rows
``lines``.

fully connected    a group is ``MacroConfig.neurons`` consecutive neurons; each group has all inputs as input rows
recurrent          as fully connected; the own spikes of the step before are more inputs, numbered after the others
convolution        unrolled: a group is a patch of positions with all output channels (see below)
max pool           an OR of spikes on the way between macros; the energy of the OR gates is not counted
sum pool           an input that spikes n times in a step costs n accumulate operations

**Convolutions.** The input rows of a patch are the union of the receptive fields of its positions, without the padding.
Each group holds a copy of the weights, and ``LayerMap.cells`` counts all copies. The size of the patch is the one that
needs the fewest macros, then the fewest rows. If a macro has fewer columns than output channels, a group is one
position with some of the channels.

**More input rows than a macro holds.** The home macro takes the first input rows. Partial-sum macros take the others.
A partial-sum macro neither decays nor fires. Its first accumulate of a step masks all columns, so that the word of the
step before is discarded. After its inputs the partial-sum macro sends its word to the home macro:

1. The partial-sum macro adds a constant 0, so that each bit passes the column peripheral.
2. Each bit is written into scratch rows of the home macro.
3. The home macro adds the scratch word like one more weight.

A transfer costs one operation in the partial-sum macro and one write of each bit. The transfer takes the time of two
operations in the home macro, because the home macro waits for the write. A macro without a spike in a step sends
nothing. The scratch rows take the place of ``scratch_inputs`` inputs in the home macro. The words have as many bits as
the whole sum needs, so the bits equal the bits of one large macro. The energy of wires between macros is not counted.

**Average pools.** ``floor(sum w x / D)`` is no addition. If all weights of the layer are multiples of D, the weights
are divided by D and the sum is exact. Otherwise the layer is refused. A scaling of lambda and theta by D would be
wrong, because the remainder that the floor discards would stay in the membrane.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.macro.config import MacroConfig
from pyspice_cim.behavioral.network.layers import AnyLayer, Conv2d, FullyConnected, Link, NeuronLayer, Recurrent, chain
from pyspice_cim.checks import check_sequence, check_type
from pyspice_cim.errors import ConfigError
from pyspice_cim.microcode import column_bits
from pyspice_cim.organisation import UPDATES, StepProgram, Update

Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Neurons of one home macro, and the input rows of the macros of the group.

    Attributes:
        neurons: numbers of the neurons in the layer, int64, one entry a column. The numbers are flat in the order
            (channel, y, x).
        tiles: input rows of each macro of the group, the home macro first. Each entry is the number of an input of the
            layer, flat. The own spikes of neuron n have the number of inputs + n. The order is the order of
            accumulation: rising numbers, and for images the order (y, x, channel).
    """

    neurons: Indices
    tiles: tuple[Indices, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerMap:
    """One layer of neurons on macros.

    Attributes:
        name: name of the layer in messages, e.g. ``layer 2 (Conv2d)``.
        layer: the layer. The divisor of an average pool before the layer is folded into the weights.
        link: shapes of the input and of the output.
        config: macro of the layer, with the layer's widths in bits.
        groups: groups of neurons, which together hold all neurons of the layer.
    """

    name: str
    layer: FullyConnected | Conv2d
    link: Link
    config: MacroConfig
    groups: tuple[Group, ...]

    @cached_property
    def program(self) -> StepProgram:
        """The step program of the layer's neurons on its macros."""
        return self.config.organisation.program(self.layer.params)

    @property
    def update(self) -> Update:
        """The update organisation of the layer's macros."""
        return UPDATES[self.config.organisation.update]

    @property
    def macros(self) -> int:
        """Number of macros."""
        return sum(len(group.tiles) for group in self.groups)

    @property
    def cells(self) -> int:
        """Number of weight cells that hold a weight of a neuron, copies of weights included.

        Each neuron counts with all input rows of its group, also those whose weight is 0.
        """
        weights = sum(len(tile) * len(group.neurons) for group in self.groups for tile in group.tiles)
        return weights * self.config.weight_bits

    @property
    def utilisation(self) -> float:
        """Share of the weight cells of all macros that ``cells`` counts, 0 to 1."""
        config = self.config
        return self.cells / (self.macros * config.neurons * config.inputs * config.weight_bits)

    def weights(self, group: Group, tile: int) -> NDArray[np.int8]:
        """Weights of one macro.

        Args:
            group: group of the macro.
            tile: number of the macro within the group.

        Returns:
            int8, (input rows of the macro, neurons of the group).
        """
        lines, neurons = group.tiles[tile][:, None], group.neurons[None, :]
        if isinstance(self.layer, Conv2d):
            return _windowed(self.layer, self.link, lines, neurons)
        return _stacked(self.layer)[lines, neurons]

    def fan_out(self) -> Indices:
        """Number of neurons that see each input of the layer, int64, (inputs,), own spikes included."""
        if isinstance(self.layer, Conv2d):
            (_, *sides), (channels, *out) = self.link.shape, self.link.output
            seen = [_positions(self.layer, self.link, axis, range(n)) for axis, n in enumerate(out)]
            rows, columns = (np.bincount(each, minlength=n) for each, n in zip(seen, sides, strict=True))
            return np.tile(np.outer(rows, columns).ravel() * channels, self.link.shape[0])
        return np.full(len(_stacked(self.layer)), self.layer.weights.shape[1], np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapping:
    """A network on macros.

    Attributes:
        layers: all layers of the network as given.
        shape: shape of the input of one sample in one time step.
        maps: one entry a layer of neurons.
    """

    layers: tuple[AnyLayer, ...]
    shape: tuple[int, ...]
    maps: tuple[LayerMap, ...]


def map_layers(layers: Sequence[AnyLayer], shape: Iterable[int], macro: MacroConfig | Sequence[MacroConfig]) -> Mapping:
    """Map a network onto macros.

    Args:
        layers: layers of ``network.layers``.
        shape: shape of the input of one sample in one time step.
        macro: the macro of all layers, or one macro for each layer of neurons. A macro has ``inputs`` x ``weight_bits``
            weight rows. ``weight_bits`` and ``membrane_bits`` are replaced by the values of the layer.
            ``column_bits``, if not given, becomes the fewest bits that the layer needs.

    Returns:
        The mapping, which is immutable.

    Raises:
        DataError, ConfigError: if the shapes do not chain (``network.layers.chain``).
        ConfigError: if the array cannot compute a layer: a decay other than clamp, the division of an average pool, or
            a word that does not fit. The message names the layer.
    """
    layers = check_sequence("layers", layers)
    links = chain(layers, shape)
    shape = links[0].shape
    found = [(i, a, link) for i, (a, link) in enumerate(zip(layers, links, strict=True)) if isinstance(a, NeuronLayer)]
    macros: Sequence[MacroConfig] = (
        [macro] * len(found) if isinstance(macro, MacroConfig) else check_sequence("macro", macro)
    )
    for each in macros:
        check_type("macro", each, MacroConfig)
    if len(macros) != len(found):
        raise ConfigError(
            f"{len(macros)} macros are given for {len(found)} layers of neurons; give one, or one a layer"
        )
    maps = []
    for (index, layer, link), each in zip(found, macros, strict=True):
        name = f"layer {index} ({type(layer).__name__})"
        try:
            maps.append(_map_layer(name, layer, link, each))
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from error
    return Mapping(layers=layers, shape=shape, maps=tuple(maps))


def scratch_inputs(config: MacroConfig) -> int:
    """Number of inputs whose weight rows a home macro uses for the word that a partial-sum macro sends."""
    return -(-config.bits // config.weight_bits)


def _map_layer(name: str, layer: FullyConnected | Conv2d, link: Link, macro: MacroConfig) -> LayerMap:
    if layer.params.decay != "clamp":
        raise ConfigError(
            f"decay is {layer.params.decay!r}; the array computes clamp only: run the layer with fast_run for its spikes"
        )
    layer = _folded(layer, link)
    needed = column_bits(_by_neuron(layer, link), layer.params.membrane_bits)
    if macro.column_bits is not None and macro.column_bits < needed:
        raise ConfigError(
            f"column_bits is {macro.column_bits}, but the layer's sums need {needed}: give {needed} or more, or none"
        )
    config = replace(
        macro,
        inputs=macro.inputs * macro.weight_bits // layer.weight_bits,
        weight_bits=layer.weight_bits,
        membrane_bits=layer.params.membrane_bits,
        column_bits=macro.column_bits or needed,
    )
    placed = _patches(layer, link, config) if isinstance(layer, Conv2d) else _rows(layer, config)
    groups = tuple(Group(neurons=neurons, tiles=_tiles(lines, config)) for neurons, lines in placed)
    return LayerMap(name=name, layer=layer, link=link, config=config, groups=groups)


def _folded(layer: FullyConnected | Conv2d, link: Link) -> FullyConnected | Conv2d:
    if link.divisor == 1:
        return layer
    if (layer.weights % link.divisor).any():
        raise ConfigError(
            f"the average pool before it divides its sums by {link.divisor}; the array cannot divide: use a sum pool "
            f"with lambda and theta {link.divisor} times as large, weights that are multiples of {link.divisor}, or "
            "fast_run"
        )
    return replace(layer, weights=layer.weights // np.int8(link.divisor))


def _stacked(layer: FullyConnected) -> NDArray[np.int8]:
    """Weights of all input rows, (inputs, neurons). The recurrent weights follow the others."""
    return np.concatenate([layer.weights, layer.recurrent]) if isinstance(layer, Recurrent) else layer.weights


def _by_neuron(layer: FullyConnected | Conv2d, link: Link) -> NDArray[np.int64]:
    """All terms that can be added in one time step, int64, (terms, neurons)."""
    if isinstance(layer, Conv2d):
        return link.largest * layer.weights.reshape(len(layer.weights), -1).T.astype(np.int64)
    terms = _stacked(layer).astype(np.int64)
    terms[: len(layer.weights)] *= link.largest
    return terms


def _tiles(lines: Indices, config: MacroConfig) -> tuple[Indices, ...]:
    if len(lines) <= config.inputs:
        return (lines,)
    home = config.inputs - scratch_inputs(config)
    if home < 1:
        raise ConfigError(
            f"{len(lines)} inputs need several macros of {config.inputs} inputs, and the scratch word of {config.bits} "
            f"bits takes {scratch_inputs(config)} inputs of each home macro: give the macro more inputs"
        )
    return (lines[:home], *np.split(lines[home:], range(config.inputs, len(lines) - home, config.inputs)))


def _rows(layer: FullyConnected, config: MacroConfig) -> Iterable[tuple[Indices, Indices]]:
    neurons, lines = np.arange(layer.weights.shape[1]), np.arange(len(_stacked(layer)))
    return ((each, lines) for each in np.split(neurons, range(config.neurons, len(neurons), config.neurons)))


def _patches(layer: Conv2d, link: Link, config: MacroConfig) -> Iterable[tuple[Indices, Indices]]:
    (inputs, height, width), (channels, out_height, out_width) = link.shape, link.output
    if channels > config.neurons:
        size, block = (1, 1), config.neurons
    else:
        size, block = (
            min(_patch_sizes(layer, link, config), key=lambda size: _cost(layer, link, config, size)),
            channels,
        )
    every_neuron = np.arange(channels * out_height * out_width).reshape(link.output)
    every_line = np.arange(inputs * height * width).reshape(link.shape)
    for top in range(0, out_height, size[0]):
        for left in range(0, out_width, size[1]):
            rows, columns = (
                range(at, min(at + n, end)) for at, n, end in zip((top, left), size, link.output[1:], strict=True)
            )
            seen = [np.unique(_positions(layer, link, axis, each)) for axis, each in enumerate((rows, columns))]
            lines = every_line[:, seen[0][:, None], seen[1]].transpose(1, 2, 0).ravel()
            for first in range(0, channels, block):
                neurons = every_neuron[first : first + block, rows.start : rows.stop, columns.start : columns.stop]
                yield neurons.ravel(), lines


def _patch_sizes(layer: Conv2d, link: Link, config: MacroConfig) -> Iterable[tuple[int, int]]:
    channels, out_height, out_width = link.output
    positions = config.neurons // channels
    for rows in range(1, min(out_height, positions) + 1):
        for columns in range(1, min(out_width, positions // rows) + 1):
            yield rows, columns


def _cost(layer: Conv2d, link: Link, config: MacroConfig, size: tuple[int, int]) -> tuple[int, int]:
    """Number of macros and of input rows of all patches of ``size``, without the savings at the edges of the image."""
    patches, lines = 1, link.shape[0]
    for n, out, kernel, side in zip(size, link.output[1:], layer.weights.shape[2:], link.shape[1:], strict=True):
        patches *= -(-out // n)
        lines *= min(side, (n - 1) * layer.stride + kernel)
    return patches * len(_tiles(np.arange(lines), config)), patches * lines


def _positions(layer: Conv2d, link: Link, axis: int, out: range) -> Indices:
    """Image rows (axis 0) or columns (axis 1) in the receptive fields of the outputs ``out``, with repetitions."""
    kernel, side = layer.weights.shape[2 + axis], link.shape[1 + axis]
    seen = (np.array(out)[:, None] * layer.stride - layer.padding + np.arange(kernel)).ravel()
    return seen[(seen >= 0) & (seen < side)]


def _windowed(layer: Conv2d, link: Link, lines: Indices, neurons: Indices) -> NDArray[np.int8]:
    channel, *at = np.unravel_index(lines, link.shape)
    out_channel, *out = np.unravel_index(neurons, link.output)
    inside, offsets = np.ones((), np.bool_), []
    for place, position, size in zip(at, out, layer.weights.shape[2:], strict=True):
        offset = place - (position * layer.stride - layer.padding)
        inside = inside & (offset >= 0) & (offset < size)
        offsets.append(np.clip(offset, 0, size - 1))
    return np.where(inside, layer.weights[out_channel, channel, offsets[0], offsets[1]], 0).astype(np.int8)
