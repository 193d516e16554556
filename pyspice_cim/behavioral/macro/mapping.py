"""Layers on macros of a given size: which macro holds which neurons and which inputs, as plain data.

Every neuron has a column of its own, since its membrane decays in place. A *group* is a set of neurons that live on one macro,
their home; its *lines* are the inputs that any of them sees. A line is one weight of every column, 0 where a neuron does not
see it, and one accumulate operation for every spike on it.

fully connected    groups are ``MacroConfig.neurons`` neurons in a row; all inputs are lines of every group
recurrent          likewise; the own spikes of the step before are further lines, numbered after the inputs
convolution        unrolled: a group is a patch of positions with all output channels. The columns of one position share the
                   lines of its window; those of several positions share the union of their windows. The weights are copied
                   for every position (``LayerMap.cells`` counts them all), and windows lose the lines outside of the image.
                   The patch is the one that needs the fewest macros, then the fewest lines.
max pool           an OR of spikes on their way between macros; its gates are not charged
sum pool           a line that spikes n times in a step is n accumulates

**More lines than a macro holds.** The home macro takes the first lines, further macros the others (*tiles*). A further macro
only adds: its first accumulate of a step masks all columns, so that no word of the step before stays; it neither decays nor
fires. Then its word is moved: it adds a constant 0, whereby every bit passes its slice, and the bit is written into scratch
rows of the home macro, which adds the scratch word like one more weight. A transfer thus costs one operation in the further
macro, a write of every bit, and two operations in the home macro (it waits for the write); macros with no spike in a step
send nothing. Home macros of such a group give up ``scratch_inputs`` inputs for the scratch rows. Words have as many bits as
the whole sum needs, so the bits are those of one large macro. Wires between macros are not charged.

**Average pools.** ``floor(sum w x / D)`` is not an addition. It is one if all weights of the layer are multiples of D, which
are then divided; otherwise the layer is refused (scaling lambda and theta by D would keep what the floor discards).
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
    """Neurons of one home macro, and the lines of its macros.

    ``neurons``: indices in the layer, flat in the order (channel, y, x), column by column. ``tiles``: a macro each, the home
    macro first; indices of its lines in the layer's flat input (own spikes: the number of inputs + neuron), in the order in
    which they are added: rising, for images by (y, x, channel).
    """

    neurons: Indices
    tiles: tuple[Indices, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerMap:
    """One layer of neurons on macros of ``config``.

    ``name``: for messages, e.g. ``layer 2 (Conv2d)``; ``layer``: with the divisor of an average pool folded into its weights;
    ``link``: its shapes.
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
        """The update organisation of its macros."""
        return UPDATES[self.config.organisation.update]

    @property
    def macros(self) -> int:
        """Number of macros."""
        return sum(len(group.tiles) for group in self.groups)

    @property
    def cells(self) -> int:
        """Weight cells that hold a line of a neuron, copies counted."""
        weights = sum(len(tile) * len(group.neurons) for group in self.groups for tile in group.tiles)
        return weights * self.config.weight_bits

    @property
    def utilisation(self) -> float:
        """``cells`` over the weight cells of all macros."""
        config = self.config
        return self.cells / (self.macros * config.neurons * config.inputs * config.weight_bits)

    def weights(self, group: Group, tile: int) -> NDArray[np.int8]:
        """Weights of a macro, (lines, neurons of the group)."""
        lines, neurons = group.tiles[tile][:, None], group.neurons[None, :]
        if isinstance(self.layer, Conv2d):
            return _windowed(self.layer, self.link, lines, neurons)
        return _stacked(self.layer)[lines, neurons]

    def fan_out(self) -> Indices:
        """Neurons that see each line, (lines of the layer)."""
        if isinstance(self.layer, Conv2d):
            (_, *sides), (channels, *out) = self.link.shape, self.link.output
            seen = [_positions(self.layer, self.link, axis, range(n)) for axis, n in enumerate(out)]
            rows, columns = (np.bincount(each, minlength=n) for each, n in zip(seen, sides, strict=True))
            return np.tile(np.outer(rows, columns).ravel() * channels, self.link.shape[0])
        return np.full(len(_stacked(self.layer)), self.layer.weights.shape[1], np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapping:
    """A network on macros: the layers as given, the ``shape`` of an input, and a ``LayerMap`` a layer of neurons."""

    layers: tuple[AnyLayer, ...]
    shape: tuple[int, ...]
    maps: tuple[LayerMap, ...]


def map_layers(layers: Sequence[AnyLayer], shape: Iterable[int], macro: MacroConfig | Sequence[MacroConfig]) -> Mapping:
    """Map ``layers`` onto macros.

    Args:
        shape: of an input, one sample in one step.
        macro: the macro of all layers, or one a layer of neurons: its size, conditions and margin. Its weight rows are
            ``inputs`` x ``weight_bits``; ``weight_bits``, ``membrane_bits`` and, unless given, ``column_bits`` become
            the layer's.

    Raises:
        DataError, ConfigError: if the shapes do not chain (``network.layers.chain``), or the array does not compute a
            layer: another decay than clamp, the division of an average pool, words that do not fit; the message names
            the layer.
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
    """Inputs whose weight rows a home macro gives up for the word that another macro sends."""
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
            f"column_bits is {macro.column_bits}, but the layer's sums need {needed}: a step could overflow its guard bits"
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
            f"the average pool before it divides its sums by {link.divisor}, which the array cannot; take a sum pool with "
            f"lambda and theta {link.divisor} times as large, weights that are multiples of {link.divisor}, or fast_run"
        )
    return replace(layer, weights=layer.weights // np.int8(link.divisor))


def _stacked(layer: FullyConnected) -> NDArray[np.int8]:
    """Weights of all lines, (lines, neurons)."""
    return np.concatenate([layer.weights, layer.recurrent]) if isinstance(layer, Recurrent) else layer.weights


def _by_neuron(layer: FullyConnected | Conv2d, link: Link) -> NDArray[np.int64]:
    """All that can be added in a step, (terms, neurons)."""
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
            f"{len(lines)} lines need several macros of {config.inputs} inputs, and the scratch word of {config.bits} bits "
            f"takes {scratch_inputs(config)} inputs of each home: give the macro more inputs"
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
    """Macros and lines of all patches of ``size``, as if none lay at an edge."""
    patches, lines = 1, link.shape[0]
    for n, out, kernel, side in zip(size, link.output[1:], layer.weights.shape[2:], link.shape[1:], strict=True):
        patches *= -(-out // n)
        lines *= min(side, (n - 1) * layer.stride + kernel)
    return patches * len(_tiles(np.arange(lines), config)), patches * lines


def _positions(layer: Conv2d, link: Link, axis: int, out: range) -> Indices:
    """Rows (axis 0) or columns (axis 1) of the image that the windows of the outputs ``out`` see, with repetition."""
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
