"""Training of a classifier: real numbers first, then fine-tuning in the integers that are exported."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.network.file import NetworkFile
from pyspice_cim.errors import ConfigError
from pyspice_cim.training._torch import torch
from pyspice_cim.training.ensemble import clip_gradients
from pyspice_cim.training.export import export
from pyspice_cim.training.layers import LDLIFNetwork, NetworkOutput
from pyspice_cim.training.settings import FitSettings, check_data

GRADIENT_CLIP = 5.0
Progress = Callable[[str], None]


def fit(
    values01: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    settings: FitSettings,
    *,
    meta: Mapping[str, str] | None = None,
    progress: Progress = lambda line: None,
) -> NetworkFile:
    """Train a network and return its integers. The same arguments give the same network.

    Args:
        values01: values in 0..1, shape (samples, inputs) or (samples, steps, inputs).
        labels: class of each sample, shape (samples,).
        settings: how to train.
        meta: notes for the network file, name to text.
        progress: called with a line of text after every epoch.

    Raises:
        DataError: if there are no samples, a value is not in 0..1, a label is no class, or the shapes do not agree.
        ConfigError: if loss or weights become infinite or NaN.
        MissingDependencyError: on import of this module, if PyTorch is not installed.
    """
    network = new_network(settings)
    train(network, values01, labels, settings, progress=progress)
    network.start_quantized()
    train(network, values01, labels, settings, progress=progress)
    return export(network, steps=settings.steps, encoder=settings.encoder, meta=meta)


def new_network(settings: FitSettings) -> LDLIFNetwork:
    """Return the network before training.

    The function also seeds PyTorch with ``settings.seed``. So the batches of ``train`` depend on the same seed.
    """
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
    """Train ``network`` in place. The arguments that are not listed, and the errors, are those of ``fit``.

    Args:
        fine: whether to use the epochs and the learning rate of the fine-tuning. By default, quantized networks are
            fine-tuned and others are not.
        batches: one random generator for each copy of a stacked network (``ensemble.py``), which draws its batches.
    """
    values01, labels = np.asarray(values01), np.asarray(labels)
    check_data(values01, labels, settings)
    quantized = network.layers[0].theta is not None
    fine = quantized if fine is None else fine
    epochs = settings.epochs_quantized if fine else settings.epochs
    rate_name = "learning_rate_quantized" if fine else "learning_rate"
    rate = getattr(settings, rate_name)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
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
        if not (math.isfinite(loss) and all(bool(each.isfinite().all()) for each in network.parameters())):
            raise ConfigError(
                f"{rate_name} is {rate} and rate_penalty {settings.rate_penalty}: after epoch {epoch + 1} the loss is {loss} "
                "and not every weight is finite; lower them"
            )
        schedule.step()
        progress(f"{'integer' if quantized else 'real'} epoch {epoch + 1}/{epochs}: loss {loss:.4f}")


def scores(output: NetworkOutput) -> torch.Tensor:
    """Return the score of each class, (..., classes): its number of spikes plus its final membrane in units of theta.

    Training raises the score of the right class above the others.
    """
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
