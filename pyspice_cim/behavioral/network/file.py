"""A trained network as a file: weights, neuron parameters, encoder, in one HDF5 file.

Layout (attributes are marked @)::

    /                   @schema = "pyspice-cim network", @version, @steps, @layers
    /encoder            @kind, @max_rate, @seed
    /layers/0, 1, ..    @weight_bits, @lambda, @theta, @membrane_bits, @decay, @reset
                        since version 2: @recurrent (0 or 1), and @beta = (n, k) if the decay is exponential
    /layers/0/weights   int8, shape (inputs, neurons), with a checksum; (inputs + neurons, neurons) if recurrent
    /meta               @name = text, one attribute for each note

Version 1 holds networks with the decay ``clamp``, without recurrent layers and without a latency code. Such a network
is written as version 1, so that older releases read the file.
"""

import hashlib
import io
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.neuron.ldlif import DECAYS, LDLIFParams, NeuronParams
from pyspice_cim.checks import as_array, check_flag, check_integer, check_sequence, check_type
from pyspice_cim.errors import CimError, DataError
from pyspice_cim.hdf5_guard import why_refused
from pyspice_cim.resources import write_atomically

SCHEMA = "pyspice-cim network"
VERSIONS = (1, 2)
MAX_LAYER_WEIGHTS = 1 << 26
_RECURRENT = b"recurrent "


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One fully connected layer of LD-LIF neurons, or of neurons with another decay rule (``NeuronParams``).

    Attributes:
        weights: int8, (rows, neurons), made read-only. Each row belongs to one input.
        weight_bits: width of a weight in two's complement, 2..8.
        params: the neurons' parameters.
        recurrent: whether the last rows, one for each neuron, belong to the layer's own spikes of the step before.

    Raises:
        DataError: if the weights have another form or do not fit in ``weight_bits``.
        ConfigError: if another field is of another type or out of range.
    """

    weights: NDArray[np.int8]
    weight_bits: int
    params: LDLIFParams
    recurrent: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight_bits", check_integer("weight_bits", self.weight_bits, 2, 8))
        object.__setattr__(self, "recurrent", check_flag("recurrent", self.recurrent))
        check_type("params", self.params, LDLIFParams)
        weights = as_array("weights", self.weights)
        if weights.ndim != 2 or 0 in weights.shape:
            raise DataError(f"weights have shape {weights.shape}; they must be (inputs, neurons), neither of them 0")
        if self.recurrent and weights.shape[0] <= weights.shape[1]:
            raise DataError(
                f"weights have shape {weights.shape}; those of a recurrent layer are (inputs + neurons, neurons)"
            )
        if weights.dtype.kind not in "iu":
            raise DataError(f"weights have type {weights.dtype}; they must be integers")
        low, high = -(1 << (self.weight_bits - 1)), (1 << (self.weight_bits - 1)) - 1
        if weights.min() < low or weights.max() > high:
            raise DataError(
                f"weights hold {weights.min()}..{weights.max()}; weight_bits = {self.weight_bits} holds {low}..{high}"
            )
        frozen = np.array(weights, np.int8, order="C")
        frozen.setflags(write=False)
        object.__setattr__(self, "weights", frozen)

    @property
    def inputs(self) -> int:
        """Number of inputs, the layer's own spikes not counted."""
        return int(self.weights.shape[0] - self.neurons * self.recurrent)

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return int(self.weights.shape[1])

    @property
    def input_weights(self) -> NDArray[np.int8]:
        """Weights of the inputs, (inputs, neurons)."""
        return self.weights[: self.inputs]

    @property
    def recurrent_weights(self) -> NDArray[np.int8] | None:
        """Weights of the layer's own spikes, (neurons, neurons), ``None`` if it is not recurrent."""
        return self.weights[self.inputs :] if self.recurrent else None


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkFile:
    """A network with all that a run needs.

    In a time step, each layer reads the spikes that the layer before it fired in the same step.

    Attributes:
        layers: layers in order.
        steps: time steps of a sample.
        encoder: how values become input spikes.
        meta: notes, name to text; they do not change a run.

    Raises:
        DataError: if there is no layer, or a layer's inputs differ from the neurons before it.
        ConfigError: if a field is of another type, or ``steps`` is below 1.
    """

    layers: tuple[Layer, ...]
    steps: int
    encoder: Encoder
    meta: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", check_sequence("layers", self.layers))
        for index, layer in enumerate(self.layers):
            check_type(f"layers[{index}]", layer, Layer)
        object.__setattr__(self, "steps", check_integer("steps", self.steps, 1))
        check_type("encoder", self.encoder, Encoder)
        check_type("meta", self.meta, Mapping)
        object.__setattr__(self, "meta", MappingProxyType({str(name): str(text) for name, text in self.meta.items()}))
        if not self.layers:
            raise DataError("layers is empty; a network has at least one layer")
        for index in range(1, len(self.layers)):
            neurons, inputs = self.layers[index - 1].neurons, self.layers[index].inputs
            if neurons != inputs:
                raise DataError(f"layer {index} has {inputs} inputs, but layer {index - 1} has {neurons} neurons")

    @property
    def shape(self) -> tuple[int, ...]:
        """Inputs and neurons of each layer, e.g. (64, 32, 10)."""
        return (self.layers[0].inputs, *(layer.neurons for layer in self.layers))

    @property
    def version(self) -> int:
        """The oldest version of the file format that can hold this network."""
        plain = all(layer.params.decay in DECAYS and not layer.recurrent for layer in self.layers)
        return 1 if plain and self.encoder.kind != "latency" else 2

    @property
    def sha256(self) -> str:
        """Hash of everything that decides the network's answers, without ``meta``.

        The hash is the same before a network is saved and after it is loaded. A ``beta`` that the decay rule does not
        use is not in the file and not in the hash. Different networks are hashed as different bytes.
        """
        digest = hashlib.sha256(repr((self.version, self.steps, self.encoder)).encode())
        for layer in self.layers:
            shape = (layer.inputs, layer.neurons)
            digest.update(repr((shape, layer.weight_bits, _params_of_file(layer.params))).encode())
            digest.update(layer.input_weights.tobytes())
            if layer.recurrent_weights is not None:
                own = layer.recurrent_weights.tobytes()
                # These weights could spell what the next layer begins with. Only such weights get a mark of their own, so
                # that the hash of every other network stays what it has always been.
                if own.startswith((f"(({layer.neurons}, ".encode(), _RECURRENT)):
                    digest.update(_RECURRENT)
                digest.update(own)
        return digest.hexdigest()


def save_network(network: NetworkFile, path: str | Path) -> None:
    """Write ``network`` to ``path`` in one step; equal networks give equal bytes.

    Raises:
        ConfigError: if the folder is missing or not writable (an old file stays as it was).
    """
    buffer = io.BytesIO()
    # From this format on, HDF5 guards its headers with checksums.
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        file.attrs.update(
            schema=_fixed(SCHEMA), version=network.version, steps=network.steps, layers=len(network.layers)
        )
        encoder = network.encoder
        file.create_group("encoder").attrs.update(
            kind=_fixed(encoder.kind), max_rate=encoder.max_rate, seed=np.uint64(encoder.seed)
        )
        for index, layer in enumerate(network.layers):
            group, params = file.create_group(f"layers/{index}"), layer.params
            group.attrs.update({"weight_bits": layer.weight_bits, "lambda": params.lambda_, "theta": params.theta})
            group.attrs.update(
                membrane_bits=params.membrane_bits, decay=_fixed(params.decay), reset=_fixed(params.reset)
            )
            if network.version > 1:
                group.attrs["recurrent"] = int(layer.recurrent)
            if params.decay == "exponential":
                group.attrs["beta"] = params.factor
            group.create_dataset("weights", data=layer.weights, chunks=layer.weights.shape, fletcher32=True)
        meta = file.create_group("meta")
        for name in sorted(network.meta):
            meta.attrs[name] = _fixed(network.meta[name])
    write_atomically(path, buffer.getvalue())


def load_network(path: str | Path) -> NetworkFile:
    """Read a network that ``save_network`` wrote, checking every field.

    Raises:
        DataError: if the file is missing, is not HDF5, is cut short or damaged, or points at other files; if it has
            another schema or holds a value that is not valid. The message names the file and the field.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            refused = why_refused(file)
            if not refused:
                return _read(file)
    except CimError as error:
        raise DataError(f"{path}: {error}") from error
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a network file, or one that is cut short or damaged ({error})") from error
    raise DataError(f"{path} {refused}")


def _read(file: h5py.File) -> NetworkFile:
    schema = _value(file, "schema", _text) if "schema" in file.attrs else None
    version = _value(file, "version", operator.index) if "version" in file.attrs else None
    if schema != SCHEMA:
        raise DataError(f"schema is {schema!r}, not {SCHEMA!r}: this is another kind of file")
    if version not in VERSIONS:
        read = " and ".join(map(str, VERSIONS))
        raise DataError(f"version is {version}; this release reads versions {read}: use the release that wrote it")
    encoder = _group(file, "encoder")
    count = _value(file, "layers", operator.index)
    return NetworkFile(
        layers=tuple(_read_layer(file, f"layers/{index}", version) for index in range(count)),
        steps=_value(file, "steps", operator.index),
        encoder=Encoder(
            kind=_value(encoder, "kind", _text),
            max_rate=_value(encoder, "max_rate", float),
            seed=_value(encoder, "seed", operator.index),
        ),
        meta={name: _value(_group(file, "meta"), name, _text) for name in _group(file, "meta").attrs},
    )


def _read_layer(file: h5py.File, name: str, version: int) -> Layer:
    group = _group(file, name)
    weights = group.get("weights")
    if not isinstance(weights, h5py.Dataset):
        raise DataError(f"{name}/weights is missing")
    if weights.dtype.kind not in "iu" or weights.ndim != 2 or weights.size > MAX_LAYER_WEIGHTS:
        raise DataError(f"{name}/weights is {weights.dtype} {weights.shape}; it must be int8 (inputs, neurons)")
    try:
        return Layer(
            weights=weights[()],
            weight_bits=_value(group, "weight_bits", operator.index),
            params=_read_params(group, version),
            recurrent=version > 1 and _value(group, "recurrent", _flag),
        )
    except CimError as error:
        raise DataError(f"{name}: {error}") from error


def _read_params(group: h5py.Group, version: int) -> LDLIFParams:
    fields: dict[str, Any] = {
        "lambda_": _value(group, "lambda", operator.index),
        "theta": _value(group, "theta", operator.index),
        "membrane_bits": _value(group, "membrane_bits", operator.index),
        "decay": _value(group, "decay", _text),
        "reset": _value(group, "reset", _text),
    }
    if version == 1 or fields["decay"] in DECAYS:
        return LDLIFParams(**fields)
    return NeuronParams(**fields, beta=_value(group, "beta", _pair) if fields["decay"] == "exponential" else None)


def _params_of_file(params: LDLIFParams) -> LDLIFParams:
    """``params`` as a file gives them back."""
    common: dict[str, Any] = {
        name: getattr(params, name) for name in ("lambda_", "theta", "membrane_bits", "decay", "reset")
    }
    if params.decay in DECAYS:
        return LDLIFParams(**common)
    return NeuronParams(**common, beta=params.factor if params.decay == "exponential" else None)


def _group(file: h5py.File, name: str) -> h5py.Group:
    group = file.get(name)
    if not isinstance(group, h5py.Group):
        raise DataError(f"group {name} is missing")
    return group


def _value(group: h5py.Group, name: str, convert: Callable[[Any], Any]) -> Any:
    if name not in group.attrs:
        raise DataError(f"attribute {name} is missing in {group.name}")
    value = group.attrs[name]
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"attribute {name} of {group.name} is {value!r}, which has the wrong type") from error


def _flag(value: Any) -> bool:
    if operator.index(value) not in (0, 1):
        raise ValueError
    return bool(value)


def _pair(value: Any) -> tuple[int, int]:
    numerator, shift = (operator.index(part) for part in value)
    return numerator, shift


def _fixed(text: str) -> np.bytes_:
    # Fixed-length text lies inside the checksummed object headers; variable-length text lies in a heap that has no
    # checksum, and damage there can send the HDF5 library into an endless loop.
    return np.bytes_(text.encode() or b" ")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode().strip()
    if not isinstance(value, str):
        raise TypeError
    return value
