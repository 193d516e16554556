"""Metadata of NIR nodes: the integer parameters of neurons, for which NIR has no field.

With these metadata, an import gives back the exported integers. Keys start with ``pyspice_cim_``. A node of neurons has
``theta``, ``lambda``, ``membrane_bits``, ``weight_bits``, ``decay`` and ``reset``. For the exponential decay, the node
also has ``beta = (n, k)``. The graph has

    ``constant_inputs``    number of inputs that spike in every step
    ``constant_periods``   their periods, if they are channels of an image and a period is not 1
    ``steps``              time steps of a sample, if the network came from a network file
    ``encoder_kind``, ``encoder_max_rate``, ``encoder_seed``   the encoder of that file
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.layers import NeuronLayer
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, NeuronParams
from pyspice_cim.checks import check_integer
from pyspice_cim.errors import CimError, DataError

if TYPE_CHECKING:
    import nir

PREFIX = "pyspice_cim_"
CONSTANT_INPUTS, CONSTANT_PERIODS = PREFIX + "constant_inputs", PREFIX + "constant_periods"
STEPS, ENCODER = PREFIX + "steps", PREFIX + "encoder_"


@dataclass(frozen=True, kw_only=True)
class ExactNeurons:
    """Neurons whose integer parameters the file states. Their weights are integers, too.

    Attributes:
        params: parameters of the neurons.
        weight_bits: bits of a weight.
    """

    params: LDLIFParams
    weight_bits: int


def neuron_metadata(layer: NeuronLayer) -> dict[str, Any]:
    """Return the metadata of the node of the neurons of ``layer``."""
    params = layer.params
    integers = {
        "theta": params.theta,
        "lambda": params.lambda_,
        "membrane_bits": params.membrane_bits,
        "weight_bits": layer.weight_bits,
    }
    found: dict[str, Any] = {PREFIX + name: np.int64(value) for name, value in integers.items()}
    found |= {PREFIX + "decay": params.decay, PREFIX + "reset": params.reset}
    if isinstance(params, NeuronParams) and params.beta is not None:
        found[PREFIX + "beta"] = np.array(params.beta, np.int64)
    return found


def exact_neurons(name: str, node: Any) -> ExactNeurons | None:
    """Return the integer parameters that the metadata of a node state; ``None`` if they state none.

    Args:
        name: name of the node, for messages.
        node: node of neurons.

    Raises:
        DataError: if a parameter is missing or out of range; the message names the node.
    """
    metadata = node.metadata if isinstance(node.metadata, dict) else {}
    if PREFIX + "theta" not in metadata:
        return None
    try:
        read = {key.removeprefix(PREFIX): value for key, value in metadata.items() if key.startswith(PREFIX)}
        common: dict[str, Any] = {
            "lambda_": int(read["lambda"]),
            "theta": int(read["theta"]),
            "membrane_bits": int(read["membrane_bits"]),
            "decay": _text(read["decay"]),
            "reset": _text(read["reset"]),
        }
        beta = tuple(int(each) for each in read["beta"]) if "beta" in read else None
        params = params_of(beta=beta, **common)
        return ExactNeurons(params=params, weight_bits=int(read["weight_bits"]))
    except (KeyError, TypeError, ValueError, CimError) as error:
        raise DataError(
            f"node {name}: its metadata {PREFIX}* are damaged ({error}); remove them, or export the network again"
        ) from error


def params_of(*, beta: Any = None, **common: Any) -> LDLIFParams:
    """Return ``LDLIFParams`` for a decay that the array computes, else ``NeuronParams``; arguments are their fields."""
    if common["decay"] in LDLIFParams.decays and beta is None:
        return LDLIFParams(**common)
    return NeuronParams(beta=beta, **common)


def constants_metadata(periods: Sequence[int]) -> dict[str, Any]:
    """Return the metadata that state the constant inputs of a graph, one for each of ``periods`` (``biases.py``)."""
    found: dict[str, Any] = {CONSTANT_INPUTS: np.int64(len(periods))} if periods else {}
    return found | ({CONSTANT_PERIODS: np.array(periods, np.int64)} if any(q != 1 for q in periods) else {})


def constant_periods(graph: "nir.NIRGraph") -> tuple[int, ...]:
    """Return the periods of the constant inputs (``biases.py``) that the metadata of ``graph`` state.

    Raises:
        DataError: if the metadata state no valid number of constant inputs, or another number of periods.
    """
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    try:
        count = int(metadata.get(CONSTANT_INPUTS, 0))
        periods = tuple(int(q) for q in np.ravel(metadata.get(CONSTANT_PERIODS, np.ones(max(count, 0)))))
    except (TypeError, ValueError):
        count, periods = -1, ()
    if count != len(periods) or min(periods, default=1) < 1:
        raise DataError(f"the graph's metadata {CONSTANT_INPUTS} are damaged; remove them, or export the network again")
    return periods


def input_metadata(steps: int, encoder: Encoder) -> dict[str, Any]:
    """Return the metadata of a graph that state the time ``steps`` of a sample and the ``encoder`` of its inputs."""
    return {
        STEPS: np.int64(steps),
        ENCODER + "kind": encoder.kind,
        ENCODER + "max_rate": np.float64(encoder.max_rate),
        ENCODER + "seed": np.uint64(encoder.seed),
    }


def stated_input(graph: "nir.NIRGraph") -> tuple[int | None, Encoder | None]:
    """Return the time steps and the encoder that the metadata of ``graph`` state, ``None`` for each that is not stated.

    Raises:
        DataError: if a value is out of range or of another type.
    """
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    try:
        steps = check_integer("steps", np.asarray(metadata[STEPS]).item(), 1) if STEPS in metadata else None
        if ENCODER + "kind" not in metadata:
            return steps, None
        return steps, Encoder(
            kind=_text(metadata[ENCODER + "kind"]),  # type: ignore[arg-type]
            max_rate=float(metadata[ENCODER + "max_rate"]),
            seed=int(metadata[ENCODER + "seed"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, CimError) as error:
        raise DataError(
            f"the graph's metadata {STEPS} or {ENCODER}* are damaged ({error}); remove them, or export the network again"
        ) from error


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
