"""Export of integer layers as a NIR graph that other tools can read; ``import_nir`` gives back the same integers.

NIR's neurons are real and leak exponentially. The neurons of a layer become the nearest ``IF`` or ``LIF``. Its gain is
1, so the exported weights are the integers::

    v_threshold   the largest float32 below theta: for integers, v > v_threshold is the same as v >= theta
    alpha         n / 2^k for the exponential decay; 1 - 2 lambda / theta for a linear one (equal at half the threshold)
    IF            r = 1, if alpha is 1
    LIF           tau = -dt / ln(alpha), r = 1 / (1 - alpha): a step of length dt is v <- alpha v + I

The metadata of each node of neurons hold the integer parameters (``metadata.py``). The metadata of the graph hold the
time steps and the encoder of a network file. The ``meta`` notes of a network file are not exported.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.file import NetworkFile
from pyspice_cim.behavioral.network.layers import (
    AnyLayer,
    AvgPool2d,
    Conv2d,
    Flatten,
    MaxPool2d,
    NeuronLayer,
    Recurrent,
    Shape,
    SumPool2d,
    chain,
)
from pyspice_cim.behavioral.nir.metadata import constants_metadata, input_metadata, neuron_metadata
from pyspice_cim.behavioral.nir.reader import nir_package
from pyspice_cim.checks import check_integer, check_number
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.resources import write_atomically

if TYPE_CHECKING:
    import nir

# The leak of a membrane that forgets everything in one step; alpha = 0 has no tau.
_SMALLEST_ALPHA = 2.0**-16


def export_nir(
    network: NetworkFile | Sequence[AnyLayer],
    input_shape: Iterable[int] | None = None,
    *,
    dt: float = 1e-3,
    constant_inputs: int | Sequence[int] = 0,
) -> "nir.NIRGraph":
    """Return ``network`` as a NIR graph.

    Args:
        network: a network file, or layers.
        input_shape: shape of one sample in one step. The default is the input of a fully connected first layer.
        dt: time step for which ``tau`` is given, s.
        constant_inputs: number of the last inputs that spike in every step (``NIRNetwork.constant_inputs``). For images,
            the periods of the last channels (``NIRNetwork.constant_periods``).

    Returns:
        The graph; ``import_nir`` gives back the same integers.

    Raises:
        DataError: if shapes do not chain, NIR has no node for a layer, or images come without ``input_shape``.
        ConfigError: if ``dt`` or ``constant_inputs`` is out of range; see ``network.layers.chain``, too.
        MissingDependencyError: if the package ``nir`` is not installed.
    """
    nir = nir_package()
    if not (np.isfinite(check_number("dt", dt)) and dt > 0):
        raise ConfigError(f"dt is {dt}; it must be above 0 (s)")
    layers = layers_of(network) if isinstance(network, NetworkFile) else tuple(network)
    if input_shape is None:
        if not layers or isinstance(layers[0], Conv2d) or not isinstance(layers[0], NeuronLayer):
            raise DataError("the input's shape is not known; give input_shape = (channels, height, width)")
        input_shape = layers[0].weights.shape[:1]
    links = chain(layers, input_shape)
    shape = links[0].shape
    nodes: dict[str, Any] = {"input": nir.Input(np.array(shape))}
    edges: list[tuple[str, str]] = []
    last = "input"
    for index, (layer, link) in enumerate(zip(layers, links, strict=True)):
        made = _nodes(nir, layer, f"{index}", link.shape, link.output, dt)
        nodes |= made
        path = [name for name in made if not name.endswith("_recurrent")]
        edges += list(zip([last, *path], path, strict=False))
        last = path[-1]
        if isinstance(layer, Recurrent):
            edges += [(last, f"{index}_recurrent"), (f"{index}_recurrent", last)]
    nodes["output"] = nir.Output(np.array(links[-1].output))
    metadata = constants_metadata(_periods(constant_inputs, shape[0]))
    if isinstance(network, NetworkFile):
        metadata |= input_metadata(network.steps, network.encoder)
    return nir.NIRGraph(nodes, [*edges, (last, "output")], metadata=metadata, type_check=False)


def save_nir(
    network: NetworkFile | Sequence[AnyLayer],
    path: str | Path,
    input_shape: Iterable[int] | None = None,
    *,
    dt: float = 1e-3,
    constant_inputs: int | Sequence[int] = 0,
) -> None:
    """Write ``network`` as a NIR file, in one step. Arguments and errors are those of ``export_nir``.

    Raises:
        ConfigError: if the folder is missing or not writable, too. An old file then stays as it was.
    """
    graph = export_nir(network, input_shape, dt=dt, constant_inputs=constant_inputs)
    buffer = io.BytesIO()
    nir_package().write(buffer, graph)
    write_atomically(path, buffer.getvalue())


def _periods(constant_inputs: int | Sequence[int], inputs: int) -> tuple[int, ...]:
    if isinstance(constant_inputs, Sequence | np.ndarray):
        check_integer("the length of constant_inputs", len(constant_inputs), 0, inputs - 1)
        return tuple(check_integer("constant_inputs", period, 1) for period in constant_inputs)
    return (1,) * check_integer("constant_inputs", constant_inputs, 0, inputs - 1)


def _nodes(nir: Any, layer: AnyLayer, name: str, shape: Shape, output: Shape, dt: float) -> dict[str, Any]:
    """The nodes of ``layer``, in the order of the data."""
    if isinstance(layer, MaxPool2d):
        raise DataError(f"layer {name} (MaxPool2d): NIR has no maximum; use a sum pool, or leave it out")
    if isinstance(layer, Flatten):
        return {f"{name}_flatten": nir.Flatten(np.array(shape), start_dim=0, end_dim=-1)}
    if isinstance(layer, SumPool2d | AvgPool2d):
        pair = {"kernel_size": (layer.size,) * 2, "stride": (layer.step,) * 2, "padding": (0, 0)}
        made = getattr(nir, type(layer).__name__)(**{field: np.array(value) for field, value in pair.items()})
        made.input_type, made.output_type = {"input": np.array(shape)}, {"output": np.array(output)}
        return {f"{name}_pool": made}
    weights = layer.weights.astype(np.float32)
    nodes: dict[str, Any] = {}
    if isinstance(layer, Conv2d):
        nodes[f"{name}_weights"] = nir.Conv2d(
            input_shape=shape[1:],
            weight=weights,
            stride=(layer.stride,) * 2,
            padding=(layer.padding,) * 2,
            dilation=(1, 1),
            groups=1,
            bias=np.zeros(len(weights), np.float32),
        )
    else:
        nodes[f"{name}_weights"] = nir.Linear(np.ascontiguousarray(weights.T))
    if isinstance(layer, Recurrent):
        nodes[f"{name}_recurrent"] = nir.Linear(np.ascontiguousarray(layer.recurrent.astype(np.float32).T))
    nodes[f"{name}_neurons"] = _neurons(nir, layer, output, dt)
    return nodes


def _neurons(nir: Any, layer: NeuronLayer, shape: Shape, dt: float) -> Any:
    def full(value: float) -> Any:
        return np.full(shape, value, np.float32)

    params = layer.params
    factor, shift = params.factor
    alpha = factor / (1 << shift) if params.decay == "exponential" else 1.0
    if params.decay in ("clamp", "toward_zero"):
        alpha = 1 - 2 * params.lambda_ / params.theta
    metadata = neuron_metadata(layer)
    threshold = np.full(shape, np.nextafter(np.float32(params.theta), np.float32(0)))
    if alpha == 1:
        return nir.IF(r=full(1), v_threshold=threshold, v_reset=full(0), metadata=metadata)
    alpha = max(alpha, _SMALLEST_ALPHA)
    return nir.LIF(
        tau=full(-dt / np.log(alpha)),
        r=full(1 / (1 - alpha)),
        v_leak=full(0),
        v_threshold=threshold,
        v_reset=full(0),
        metadata=metadata,
    )
