"""Training of a classifier: real numbers first, then fine-tuning in the integers that are exported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.encoding import Encoder
from pyspice_cim.behavioral.ldlif import Reset
from pyspice_cim.behavioral.network_file import NetworkFile
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.training._torch import torch
from pyspice_cim.training.ensemble import clip_gradients
from pyspice_cim.training.export import export
from pyspice_cim.training.layers import LDLIFNetwork, NetworkOutput

GRADIENT_CLIP = 5.0
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How to train.

    ``shape``: inputs and neurons of each layer; ``steps``: time steps a sample; ``encoder``: of the exported network;
    ``decay``: the rule of all layers; ``recurrent``: whether all layers but the last see their own spikes;
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
    decay: str = "clamp"
    recurrent: bool = False
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
    values01: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    settings: FitSettings,
    *,
    meta: Mapping[str, str] | None = None,
    progress: Progress = lambda line: None,
) -> NetworkFile:
    """Train a network on ``values01``, 0..1, shape (samples, inputs) or (samples, steps, inputs), and ``labels``, shape
    (samples,); deterministic.

    Raises:
        DataError: if values, labels and ``settings.shape`` do not belong together.
        MissingDependencyError: on import of this module, if PyTorch is not installed.
    """
    network = new_network(settings)
    train(network, values01, labels, settings, progress=progress)
    network.start_quantized()
    train(network, values01, labels, settings, progress=progress)
    return export(network, steps=settings.steps, encoder=settings.encoder, meta=meta)


def new_network(settings: FitSettings) -> LDLIFNetwork:
    """The network before training; seeds PyTorch, so that the batches of ``train`` follow from the seed too."""
    torch.manual_seed(settings.seed)
    return LDLIFNetwork(
        settings.shape,
        decay=settings.decay,
        recurrent=settings.recurrent,
        weight_bits=settings.weight_bits,
        membrane_bits=settings.membrane_bits,
        reset=settings.reset,
    )


def train(
    network: LDLIFNetwork,
    values01: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    settings: FitSettings,
    *,
    fine: bool | None = None,
    batches: Sequence[torch.Generator] | None = None,
    progress: Progress = lambda line: None,
) -> None:
    """Train ``network`` in place; arguments and errors as ``fit``.

    Args:
        fine: whether with the epochs and the learning rate of the fine-tuning; by default if the network is quantized.
        batches: for several networks that are one (``ensemble.py``), what draws the batches of each.
    """
    shape = (len(labels), settings.shape[0])
    fits = values01.shape in (shape, (shape[0], settings.steps, shape[1]))
    if not fits or labels.min() < 0 or labels.max() >= settings.shape[-1]:
        raise DataError(f"values {values01.shape} and labels 0..{labels.max()} do not fit the shape {settings.shape}")
    quantized = network.layers[0].theta is not None
    fine = quantized if fine is None else fine
    epochs = settings.epochs_quantized if fine else settings.epochs
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate_quantized if fine else settings.learning_rate
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=max(1, epochs))
    target = torch.from_numpy(np.asarray(labels, np.int64))
    spikes = None
    for epoch in range(epochs):
        if spikes is None or settings.encoder.kind == "bernoulli":
            # Fresh random spikes each epoch, never those that the exported network will see.
            first = (1 << 32) + (epoch + fine * settings.epochs) * len(labels)
            spikes = torch.from_numpy(settings.encoder.encode(values01, settings.steps, first))
        if batches is None:
            order = torch.randperm(len(labels))
        else:
            order = torch.stack([torch.randperm(len(labels), generator=each) for each in batches])
        loss = _epoch(network, optimiser, spikes, target, order, settings)
        schedule.step()
        progress(f"{'integer' if quantized else 'real'} epoch {epoch + 1}/{epochs}: loss {loss:.4f}")


def scores(output: NetworkOutput) -> torch.Tensor:
    """What training maximises for the right class: spikes plus the membrane's fraction of a spike, (..., classes)."""
    return output.counts + output.membranes


def _epoch(
    network: LDLIFNetwork,
    optimiser: Any,
    spikes: torch.Tensor,
    target: torch.Tensor,
    order: torch.Tensor,
    settings: FitSettings,
) -> float:
    copies = 1 if order.ndim == 1 else len(order)
    total = 0.0
    for chosen in order.split(settings.batch, dim=-1):
        output = network(spikes[:, chosen].float())
        loss = torch.nn.functional.cross_entropy(
            scores(output).flatten(0, -2), target[chosen].flatten(), label_smoothing=settings.label_smoothing
        )
        optimiser.zero_grad()
        # Means over all copies; each copy is to see the gradient of its own mean.
        (copies * (loss + settings.rate_penalty * sum(output.rates))).backward()
        if order.ndim == 1:
            torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_CLIP)
        else:
            clip_gradients(network, GRADIENT_CLIP)
        optimiser.step()
        total += float(loss.detach()) * chosen.shape[-1]
    return total / len(target)
