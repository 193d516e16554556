"""Conversion of the groups of a NIR graph to layers of real numbers, with weights as in ``network/layers.py``.

Each group becomes ``v <- alpha v + W x + R s(t - 1) + b`` with one threshold. The weights ``W`` contain the scales,
further weights and pools behind the first weights (``fold.py``), and the gains of the neurons.

Pools and ``Flatten`` before the weights stay layers. An average pool becomes a sum pool, and its division goes into the
weights, unless the file states integer weights.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from pyspice_cim.behavioral.network.layers import MAX_VALUE, AnyLayer, AvgPool2d, Flatten, Shape, SumPool2d
from pyspice_cim.behavioral.nir.fold import Linear, merged, pooling
from pyspice_cim.behavioral.nir.graph import GraphChain, Group
from pyspice_cim.behavioral.nir.metadata import ExactNeurons, exact_neurons
from pyspice_cim.behavioral.nir.neurons import Floats, Integration, StepNeurons, finite, step_neurons
from pyspice_cim.errors import CimError, DataError

Made = TypeVar("Made")
_WEIGHTS = ("Linear", "Affine", "Conv2d")


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatLayer:
    """A group of a graph as a layer of real numbers.

    Attributes:
        name: name of the node of neurons.
        source: names of the nodes of the weights.
        shape: shape of the input of ``before``, or of the weights if ``before`` is empty.
        before: layers without state in front of the weights.
        weights: (inputs, neurons), or (out_channels, in_channels, height, width).
        bias: (features,): one value for each neuron, or for each channel of an image.
        recurrent: (neurons, neurons); ``None`` without recurrence.
        neurons: real neurons, or ``ExactNeurons`` if the file states the integers.
        stride, padding: stride and padding of a convolution.
    """

    name: str
    source: str
    shape: Shape
    before: tuple[AnyLayer, ...]
    weights: Floats
    bias: Floats
    recurrent: Floats | None
    neurons: StepNeurons | ExactNeurons
    stride: int = 1
    padding: int = 0


def float_layers(graph: GraphChain, *, dt: float | None, method: Integration) -> tuple[Shape, tuple[FloatLayer, ...]]:
    """Return the shape of the input, and the layers of ``graph``.

    Args:
        graph: the graph as a chain.
        dt: time step in the unit of ``tau``; ``None`` if no neuron needs a time step.
        method: ``"exact"`` or ``"euler"``, see ``neurons.py``.

    Raises:
        DataError: if a node cannot be mapped, or the shapes do not agree; the message names the node.
        ConfigError: see ``step_neurons``.
    """
    name, node = graph.input
    shape = given = _shape(name, node)
    layers: list[FloatLayer] = []
    pending: tuple[AnyLayer, ...] = ()
    for group in graph.groups:
        layer, pending, shape = _layer(group, pending, shape, dt, method)
        layers.append(layer)
    for name, node in graph.after:
        if type(node).__name__ != "Flatten":
            raise DataError(f"node {name} ({type(node).__name__}) stands after the last neurons; end with neurons")
    return given, tuple(layers)


def _shape(name: str, node: Any) -> Shape:
    found = node.input_type.get("input") if isinstance(node.input_type, dict) else None
    sides = np.zeros(0) if found is None else np.ravel(finite(name, "shape", found))
    if len(sides) not in (1, 3) or sides.min() < 1 or np.any(sides != np.rint(sides)):
        raise DataError(
            f"node {name}: the input has shape {_text(sides)}; it must be (inputs,) or (channels, height, width), whole "
            f"numbers, one sample in one step: export without a batch axis"
        )
    return tuple(int(n) for n in sides)


def _layer(
    group: Group, pending: tuple[AnyLayer, ...], shape: Shape, dt: float | None, method: Integration
) -> tuple[FloatLayer, tuple[AnyLayer, ...], Shape]:
    """The layer of ``group``, the layers that must follow it, and the shape that leaves those."""
    given, scale = shape, np.ones(shape)
    before, after = list(pending), list[AnyLayer]()
    for each in pending:
        scale = np.ones(each.output_shape(scale.shape))
    name, node = group.neurons
    exact = exact_neurons(name, node)
    weights: Linear | None = None
    largest = 1
    for passed, each in group.before:
        kind = type(each).__name__
        if kind == "Scale":
            scale = scale * _broadcast(passed, each.scale, scale.shape)
        elif kind == "Flatten":
            scale, flat = _flatten(passed, each, scale)
            (before if weights is None else after).extend(flat)
        elif kind not in _WEIGHTS and weights is None:
            scale, pool = _pool(passed, each, scale, whole=exact is not None)
            before.append(pool)
            largest *= pool.size**2
            if largest > MAX_VALUE:
                raise DataError(
                    f"node {passed}: its sums reach {largest} spikes, above {MAX_VALUE}; choose a smaller kernel_size"
                )
        else:
            made = (_weights if kind in _WEIGHTS else _pooling)(passed, each, scale)
            scale = np.ones(_checked(passed, made.output_shape))
            if weights is not None and weights.array.ndim > made.array.ndim:
                # What flattens the sums flattens the image that one dense map sees.
                before, after = [*before, *after], []
            weights = made if weights is None else merged(weights, made)
    if weights is None:
        raise DataError(
            f"no weights lead to node {name}; put a Linear before it (an identity, if its input is to stay)"
        )
    shape = weights.output_shape()
    # A Flatten between weights and neurons is the same after the neurons.
    out = _uniform(name, scale.reshape(shape))
    neurons = step_neurons(name, node, shape, dt, method) if exact is None else exact
    gain = neurons.gain if isinstance(neurons, StepNeurons) else np.ones(shape[0])
    recurrent, feedback = _recurrent(group, shape)
    # What is too large for a float is refused below, by the name of the node.
    with np.errstate(over="ignore", invalid="ignore"):
        factor = out * gain
        columns = weights.array.T * factor if weights.array.ndim == 2 else weights.array * factor[:, None, None, None]
        layer = FloatLayer(
            name=name,
            source=weights.name,
            shape=given,
            before=tuple(before),
            weights=finite(weights.name, "weight times the scales and r of its neurons", columns),
            bias=finite(
                weights.name, "bias times the scales and r of its neurons", weights.bias * factor + feedback * gain
            ),
            recurrent=None if recurrent is None else finite(name, "the product of its feedback", recurrent * gain),
            neurons=neurons,
            stride=weights.stride,
            padding=weights.padding,
        )
    return layer, tuple(after), shape


def _weights(name: str, node: Any, scale: Floats) -> Linear:
    array = finite(name, "weight", node.weight)
    axes = 4 if type(node).__name__ == "Conv2d" else 2
    if array.ndim != axes or array.size == 0:
        raise DataError(f"node {name}: weight has shape {array.shape}; it must have {axes} axes, none of them 0")
    bias = finite(name, "bias", getattr(node, "bias", np.zeros(len(array)))).reshape(-1)
    if bias.shape != (len(array),):
        raise DataError(f"node {name}: bias has {bias.size} values, but there are {len(array)} outputs")
    if axes == 2:
        fits = scale.shape == array.shape[1:]
        return Linear(name=name, shape=scale.shape, array=array * scale if fits else array, bias=bias)
    if _one(name, "groups", node.groups) != 1 or _one(name, "dilation", node.dilation) != 1:
        raise DataError(
            f"node {name}: groups = {node.groups} and dilation = {node.dilation}; both must be 1: write the kernel out in "
            f"full, with zeros"
        )
    _check_input_shape(name, node.input_shape, scale.shape)
    if scale.ndim == 3 and scale.shape[0] == array.shape[1]:
        array = array * _uniform(name, scale)[None, :, None, None]
    stride, kernel = _one(name, "stride", node.stride), array.shape[2:]
    padding = _padding(name, node, kernel, stride)
    return Linear(name=name, shape=scale.shape, array=array, bias=bias, stride=stride, padding=padding)


def _check_input_shape(name: str, stated: Any, shape: Shape) -> None:
    """``stated``: height and width as the node gives them, ``None`` if it leaves them open."""
    if stated is not None and len(shape) == 3:
        sides = np.ravel(finite(name, "input_shape", stated))
        if sides.size not in (1, 2) or np.any(sides != shape[1:]):
            raise DataError(
                f"node {name}: input_shape is {_text(sides)}, but it gets images of {shape[1]} x {shape[2]}; make them agree"
            )


def _padding(name: str, node: Any, kernel: Iterable[int], stride: int) -> int:
    if not isinstance(node.padding, str):
        return _one(name, "padding", node.padding)
    sides = set(kernel)
    if node.padding == "valid":
        return 0
    if stride != 1 or len(sides) != 1 or not min(sides) % 2:
        raise DataError(f"node {name}: padding 'same' needs stride 1 and a square, odd kernel; give it as a number")
    return min(sides) // 2


def _window(name: str, node: Any) -> tuple[int, int]:
    """Size and stride of a pool."""
    if np.any(np.ravel(finite(name, "padding", node.padding)) != 0):
        raise DataError(f"node {name}: padding is {node.padding}; pools see no padding: make it 0")
    return _one(name, "kernel_size", node.kernel_size), _one(name, "stride", node.stride)


def _pool(name: str, node: Any, scale: Floats, whole: bool) -> tuple[Floats, SumPool2d | AvgPool2d]:
    """The layer of a pool; the division of an average goes into the scale, except where the weights are ``whole``."""
    size, stride = _window(name, node)
    average = type(node).__name__ == "AvgPool2d"
    kind = AvgPool2d if average and whole else SumPool2d
    pool = _checked(name, lambda: kind(size=size, stride=None if stride == size else stride))
    shape = _checked(name, lambda: pool.output_shape(scale.shape))
    share = 1 / size**2 if average and not whole else 1.0
    return np.broadcast_to(share * _uniform(name, scale)[:, None, None], shape), pool


def _pooling(name: str, node: Any, scale: Floats) -> Linear:
    """A pool of weighted sums."""
    size, stride = _window(name, node)
    # The layer checks numbers and shapes.
    _checked(name, lambda: SumPool2d(size=size, stride=stride).output_shape(scale.shape))
    made = pooling(name, scale.shape, size, stride, type(node).__name__ == "AvgPool2d")
    return replace(made, array=made.array * _uniform(name, scale)[None, :, None, None])


def _flatten(name: str, node: Any, scale: Floats) -> tuple[Floats, list[AnyLayer]]:
    start, end, axes = _one(name, "start_dim", node.start_dim), _one(name, "end_dim", node.end_dim), scale.ndim
    if axes == 1:
        return scale, []
    if start % axes != 0 or end % axes != axes - 1:
        raise DataError(
            f"node {name}: start_dim = {start} and end_dim = {end} of {axes} axes; it must flatten them all (0 and -1): "
            f"NIR's axes have no batch"
        )
    return scale.reshape(-1), [Flatten()]


def _recurrent(group: Group, shape: Shape) -> tuple[Floats | None, Floats]:
    """Weights (from, to) of the neurons' own loop and its bias, of the neurons' inputs."""
    if group.recurrent is None:
        return None, np.zeros(shape[0])
    if len(shape) != 1:
        raise DataError(
            f"node {group.neurons[0]} feeds itself back, but is an image; recurrence is for fully connected"
        )
    product, bias = np.eye(shape[0]), np.zeros(shape[0])
    for name, node in group.recurrent:
        kind = type(node).__name__
        if kind == "Scale":
            factor = _broadcast(name, node.scale, bias.shape)
            product, bias = factor[:, None] * product, factor * bias
        elif kind in ("Linear", "Affine"):
            each = _weights(name, node, np.ones(shape))
            if each.array.shape != shape * 2:
                raise DataError(
                    f"node {name}: weight has shape {each.array.shape}; to feed back it must be {shape * 2}"
                )
            product, bias = each.array @ product, each.array @ bias + each.bias
        else:
            raise DataError(f"node {name} ({kind}) cannot stand in a loop; neurons feed back through one Linear")
    return product.T, bias


def _broadcast(name: str, value: Any, shape: Shape) -> Floats:
    array = finite(name, "scale", value)
    try:
        return np.broadcast_to(array, shape)
    except ValueError as error:
        raise DataError(f"node {name}: scale has shape {array.shape}, but scales {shape}; make them agree") from error


def _uniform(name: str, scale: Floats) -> Floats:
    """One factor a feature, (features,)."""
    flat = scale.reshape(scale.shape[0], -1)
    if np.any(flat != flat[:, :1]):
        raise DataError(f"node {name}: a scale before it differs within a channel, whose values share their weights")
    return np.array(flat[:, 0])


def _one(name: str, field: str, value: Any) -> int:
    values = set(np.ravel(finite(name, field, value)).tolist())
    if len(values) != 1 or not all(each.is_integer() for each in values):
        raise DataError(f"node {name}: {field} is {value}; it must be one whole number for both axes")
    return int(values.pop())


def _text(sides: Floats) -> str:
    return f"({', '.join(f'{n:g}' for n in sides)}{',' * (len(sides) == 1)})"


def _checked(name: str, make: Callable[[], Made]) -> Made:
    try:
        return make()
    except CimError as error:
        raise DataError(f"node {name}: {error}") from error
