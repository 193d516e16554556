"""Training of a classifier: real numbers first, then fine-tuning in the integers that are exported."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.encoding import Encoder
from pyspice_cim.behavioral.ldlif import LDLIFParams, Reset
from pyspice_cim.behavioral.network_file import Layer, NetworkFile
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.training._torch import torch
from pyspice_cim.training.layers import LDLIFNetwork, NetworkOutput

GRADIENT_CLIP = 5.0


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How to train.

    ``shape``: inputs and neurons of each layer; ``steps``: time steps an image; ``encoder``: of the exported network;
    ``epochs`` in real numbers, then ``epochs_quantized`` in integers, each with Adam and a cosine from its learning
    rate to 0; ``rate_penalty``: added to the loss per spike, step and neuron of the hidden layers, for sparse
    activity; ``label_smoothing``: share of the target spread over all classes, which keeps the scores, and with them
    the spikes, from growing without end; ``seed``: of weights and batches.

    Raises:
        ConfigError: if ``shape`` has fewer than two entries.
    """

    shape: tuple[int, ...]
    steps: int
    encoder: Encoder
    weight_bits: int = 4
    membrane_bits: int = 8
    reset: Reset = "subtract"
    epochs: int = 60
    epochs_quantized: int = 60
    learning_rate: float = 5e-3
    learning_rate_quantized: float = 2e-3
    batch: int = 64
    rate_penalty: float = 0.0
    label_smoothing: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.shape) < 2 or min(self.shape) < 1:
            raise ConfigError(f"shape is {self.shape}; it must name the inputs and the neurons of at least one layer")


def fit(
    images01: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    settings: FitSettings,
    *,
    meta: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> NetworkFile:
    """Train a network on ``images01``, shape (samples, inputs), 0..1, and ``labels``, shape (samples,); deterministic.

    Raises:
        DataError: if images, labels and ``settings.shape`` do not belong together.
        MissingDependencyError: on import of this module, if PyTorch is not installed.
    """
    if images01.shape != (len(labels), settings.shape[0]) or labels.min() < 0 or labels.max() >= settings.shape[-1]:
        raise DataError(f"images {images01.shape} and labels 0..{labels.max()} do not fit the shape {settings.shape}")
    torch.manual_seed(settings.seed)
    network = LDLIFNetwork(
        settings.shape, weight_bits=settings.weight_bits, membrane_bits=settings.membrane_bits, reset=settings.reset
    )
    target = torch.from_numpy(np.asarray(labels, np.int64))
    first = 0
    for name, epochs, rate in (
        ("real", settings.epochs, settings.learning_rate),
        ("integer", settings.epochs_quantized, settings.learning_rate_quantized),
    ):
        if name == "integer":
            network.start_quantized()
        optimiser = torch.optim.Adam(network.parameters(), lr=rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=max(1, epochs))
        for epoch in range(epochs):
            # Fresh spikes each epoch (where the encoder is random), never those that the exported network will see.
            train = _spikes(settings.encoder, images01, settings.steps, (1 << 32) + first)
            first += len(labels)
            loss = _epoch(network, optimiser, train, target, settings)
            schedule.step()
            progress(f"{name} epoch {epoch + 1}/{epochs}: loss {loss:.4f}")
    return export(network, settings, meta=meta)


def export(network: LDLIFNetwork, settings: FitSettings, *, meta: Mapping[str, str] | None = None) -> NetworkFile:
    """The integers of a quantized ``network``; run as integers they give the answers of ``network``, to the sample."""
    layers = []
    for layer in network.layers:
        weights, lambda_, theta = layer.integers()
        params = LDLIFParams(
            lambda_=int(lambda_.detach()), theta=theta, membrane_bits=layer.membrane_bits, reset=layer.reset
        )
        whole = weights.detach().numpy().astype(np.int8)
        layers.append(Layer(weights=whole, weight_bits=layer.weight_bits, params=params))
    return NetworkFile(layers=tuple(layers), steps=settings.steps, encoder=settings.encoder, meta=meta or {})


def scores(output: NetworkOutput) -> torch.Tensor:
    """What training maximises for the right class: spikes plus the membrane's fraction of a spike, (batch, classes)."""
    return output.counts + output.membranes


def _epoch(
    network: LDLIFNetwork, optimiser: Any, train: torch.Tensor, target: torch.Tensor, settings: FitSettings
) -> float:
    total = 0.0
    for chosen in torch.randperm(len(target)).split(settings.batch):
        output = network(train[:, chosen])
        loss = torch.nn.functional.cross_entropy(
            scores(output), target[chosen], label_smoothing=settings.label_smoothing
        )
        optimiser.zero_grad()
        (loss + settings.rate_penalty * sum(output.rates)).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_CLIP)
        optimiser.step()
        total += float(loss.detach()) * len(chosen)
    return total / len(target)


def _spikes(encoder: Encoder, images01: NDArray[np.floating[Any]], steps: int, first_index: int) -> torch.Tensor:
    return torch.from_numpy(encoder.encode(images01, steps, first_index).astype(np.float32))
