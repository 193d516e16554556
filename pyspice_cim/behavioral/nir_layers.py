"""Groups of a NIR graph as layers of real numbers: weights in one place, in the layout of ``layers.py``.

What stands before the weights stays a layer of its own (pools, ``Flatten``). Scales go into the weights, and so do the gains of
the neurons, so that each group reads ``v <- alpha v + W x + R s(t - 1) + b`` with one threshold.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.layers import AnyLayer, AvgPool2d, Conv2d, Flatten, Shape, SumPool2d
from pyspice_cim.behavioral.ldlif import LDLIFParams
from pyspice_cim.behavioral.nir_graph import GraphChain, Group
from pyspice_cim.behavioral.nir_metadata import ExactNeurons, exact_neurons
from pyspice_cim.behavioral.nir_neurons import Floats, Integration, StepNeurons, step_neurons
from pyspice_cim.errors import CimError, DataError

_WEIGHTS = ("Linear", "Affine", "Conv2d")


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatLayer:
    """A group: ``name`` of its neurons, ``source`` of its weights; ``before``: layers without state.

    ``weights``: (inputs, neurons), or (out_channels, in_channels, height, width) with ``stride`` and ``padding``; ``bias``:
    (features,); ``recurrent``: (neurons, neurons) or ``None``. ``neurons`` are ``ExactNeurons`` where the file says which
    integers they came from.
    """

    name: str
    source: str
    before: tuple[AnyLayer, ...]
    weights: Floats
    bias: Floats
    recurrent: Floats | None
    neurons: StepNeurons | ExactNeurons
    stride: int = 1
    padding: int = 0


def float_layers(graph: GraphChain, *, dt: float | None, method: Integration) -> tuple[Shape, tuple[FloatLayer, ...]]:
    """Shape of the input, and the layers of ``graph``.

    Raises:
        DataError: if a node cannot be mapped, or shapes do not fit; the message names the node.
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
    shape = () if found is None else tuple(int(n) for n in np.ravel(found))
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise DataError(
            f"node {name}: the input has shape {shape}; it must be (inputs,) or (channels, height, width), one sample in "
            f"one step: export without a batch axis"
        )
    return shape


def _layer(
    group: Group, pending: tuple[AnyLayer, ...], shape: Shape, dt: float | None, method: Integration
) -> tuple[FloatLayer, tuple[AnyLayer, ...], Shape]:
    """The layer of ``group``, the layers that must follow it, and the shape that leaves those."""
    before, scale = list(pending), np.ones(shape)
    weights: _Weights | None = None
    after: list[AnyLayer] = []
    for name, node in group.before:
        kind = type(node).__name__
        if kind in _WEIGHTS:
            if weights is not None:
                raise DataError(f"nodes {weights.name} and {name} have no neurons between them; multiply them into one")
            weights = _weights(name, node, scale)
            shape = _checked(name, weights.output_shape, scale.shape)
            scale = np.ones(shape)
        elif kind == "Scale":
            scale = scale * _broadcast(name, node.scale, scale.shape)
        elif kind == "Flatten":
            scale, flat = _flatten(name, node, scale)
            (before if weights is None else after).extend(flat)
        elif weights is not None:
            raise DataError(
                f"node {name} ({kind}) pools weighted sums; put it before {weights.name} or after the neurons"
            )
        else:
            scale, pool = _pool(name, node, scale)
            before.append(pool)
    name, node = group.neurons
    if weights is None:
        raise DataError(
            f"no weights lead to node {name}; put a Linear before it (an identity, if its input is to stay)"
        )
    # A Flatten between weights and neurons is the same after the neurons.
    out = _uniform(name, scale.reshape(shape))
    exact = exact_neurons(name, node)
    neurons = step_neurons(name, node, shape, dt, method) if exact is None else exact
    gain = neurons.gain if isinstance(neurons, StepNeurons) else np.ones(shape[0])
    recurrent, feedback = _recurrent(group, shape)
    factor = out * gain
    layer = FloatLayer(
        name=name,
        source=weights.name,
        before=tuple(before),
        weights=weights.array.T * factor if weights.array.ndim == 2 else weights.array * factor[:, None, None, None],
        bias=weights.bias * factor + feedback * gain,
        recurrent=None if recurrent is None else recurrent * gain,
        neurons=neurons,
        stride=weights.stride,
        padding=weights.padding,
    )
    return layer, tuple(after), shape if not after else (int(np.prod(shape)),)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Weights:
    name: str
    array: Floats
    bias: Floats
    stride: int = 1
    padding: int = 0

    def output_shape(self, shape: Shape) -> Shape:
        if self.array.ndim == 2:
            if shape != self.array.shape[1:]:
                hint = "; put a Flatten before it" if len(shape) > 1 else ""
                raise DataError(f"it has {self.array.shape[1]} inputs, but gets {shape}{hint}")
            return (len(self.array),)
        # Only the geometry counts here, and the layer of integers has it.
        geometry = Conv2d(
            weights=np.zeros(self.array.shape, np.int8),
            params=LDLIFParams(lambda_=0, theta=1),
            stride=self.stride,
            padding=self.padding,
        )
        return geometry.output_shape(shape)


def _weights(name: str, node: Any, scale: Floats) -> _Weights:
    array = _finite(name, "weight", node.weight)
    axes = 4 if type(node).__name__ == "Conv2d" else 2
    if array.ndim != axes or array.size == 0:
        raise DataError(f"node {name}: weight has shape {array.shape}; it must have {axes} axes, none of them 0")
    bias = _finite(name, "bias", getattr(node, "bias", np.zeros(len(array)))).reshape(-1)
    if bias.shape != (len(array),):
        raise DataError(f"node {name}: bias has {bias.size} values, but there are {len(array)} outputs")
    if axes == 2:
        fits = scale.shape == array.shape[1:]
        return _Weights(name=name, array=array * scale if fits else array, bias=bias)
    if int(np.ravel(node.groups)[0]) != 1 or np.any(np.ravel(node.dilation) != 1):
        raise DataError(
            f"node {name}: groups = {node.groups} and dilation = {node.dilation}; both must be 1: write the kernel out in "
            f"full, with zeros"
        )
    if scale.ndim == 3 and scale.shape[0] == array.shape[1]:
        array = array * _uniform(name, scale)[None, :, None, None]
    stride, kernel = _one(name, "stride", node.stride), array.shape[2:]
    return _Weights(name=name, array=array, bias=bias, stride=stride, padding=_padding(name, node, kernel, stride))


def _padding(name: str, node: Any, kernel: Iterable[int], stride: int) -> int:
    if not isinstance(node.padding, str):
        return _one(name, "padding", node.padding)
    sides = set(kernel)
    if node.padding == "valid":
        return 0
    if stride != 1 or len(sides) != 1 or not min(sides) % 2:
        raise DataError(f"node {name}: padding 'same' needs stride 1 and a square, odd kernel; give it as a number")
    return min(sides) // 2


def _pool(name: str, node: Any, scale: Floats) -> tuple[Floats, AnyLayer]:
    if np.any(np.ravel(node.padding) != 0):
        raise DataError(f"node {name}: padding is {node.padding}; pools see no padding: make it 0")
    size, stride = _one(name, "kernel_size", node.kernel_size), _one(name, "stride", node.stride)
    kind = SumPool2d if type(node).__name__ == "SumPool2d" else AvgPool2d
    pool = _checked(name, lambda _: kind(size=size, stride=None if stride == size else stride), scale.shape)
    shape = _checked(name, pool.output_shape, scale.shape)
    return np.broadcast_to(_uniform(name, scale)[:, None, None], shape), pool


def _flatten(name: str, node: Any, scale: Floats) -> tuple[Floats, list[AnyLayer]]:
    start, end, axes = int(node.start_dim), int(node.end_dim), scale.ndim
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
    array = _finite(name, "scale", value)
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
    values = set(np.ravel(value).tolist())
    if len(values) != 1 or not all(float(each).is_integer() for each in values):
        raise DataError(f"node {name}: {field} is {value}; it must be one whole number for both axes")
    return int(values.pop())


def _finite(name: str, field: str, value: Any) -> NDArray[np.float64]:
    array = np.asarray(value, np.float64)
    if not np.isfinite(array).all():
        raise DataError(f"node {name}: {field} holds values that are not finite")
    return array


def _checked(name: str, make: Any, shape: Shape) -> Any:
    try:
        return make(shape)
    except CimError as error:
        raise DataError(f"node {name}: {error}") from error
