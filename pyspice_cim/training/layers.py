"""LD-LIF layers in PyTorch, with the equations of ``pyspice_cim.behavioral.ldlif``.

A layer trains in real numbers with threshold 1 first. After ``start_quantized`` it computes in exact integers, so that
its forward pass equals ``ldlif_step`` bit for bit while gradients still reach the real weights and lambda.
"""

import itertools
import math
from typing import NamedTuple

from pyspice_cim.behavioral.ldlif import Reset
from pyspice_cim.training._torch import torch
from pyspice_cim.training.quantize import Integers, choose_theta, quantize
from pyspice_cim.training.surrogate import spike

FIRST_LAMBDA = 0.07


class LayerOutput(NamedTuple):
    """``spikes``, shape (time, batch, neurons); final ``membranes`` in units of theta, shape (batch, neurons)."""

    spikes: torch.Tensor
    membranes: torch.Tensor


class NetworkOutput(NamedTuple):
    """``counts`` of the last layer's spikes and its final ``membranes`` (units of theta), both (batch, classes);
    ``rates``: mean spikes per step and neuron of each layer but the last."""

    counts: torch.Tensor
    membranes: torch.Tensor
    rates: tuple[torch.Tensor, ...]


class LDLIFLayer(torch.nn.Module):
    """Fully connected LD-LIF layer: ``weight`` (inputs, neurons), one learned ``lambda_``, in units of theta."""

    def __init__(
        self, inputs: int, neurons: int, *, weight_bits: int = 4, membrane_bits: int = 8, reset: Reset = "subtract"
    ) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(inputs, neurons) / math.sqrt(inputs))
        self.lambda_ = torch.nn.Parameter(torch.tensor(FIRST_LAMBDA))
        self.weight_bits, self.membrane_bits, self.reset = weight_bits, membrane_bits, reset
        self.theta: int | None = None

    def start_quantized(self) -> None:
        """Choose theta from the weights; from now on the layer computes in integers."""
        self.theta = choose_theta(self.weight, self.weight_bits, self.membrane_bits)

    def integers(self) -> Integers:
        """The layer's integers. ``start_quantized`` must have been called."""
        if self.theta is None:
            raise RuntimeError("call start_quantized first")
        return quantize(self.weight, self.lambda_, self.theta, self.weight_bits, self.membrane_bits)

    def forward(self, spikes: torch.Tensor) -> LayerOutput:
        """Run the layer from rest on ``spikes``, shape (time, batch, inputs)."""
        if self.theta is None:
            no_limit = float("inf")
            return _run(spikes @ self.weight, self.lambda_.clamp(min=0), 1, (-no_limit, no_limit), self.reset)
        weights, lambda_, theta = self.integers()
        half = 1 << (self.membrane_bits - 1)
        return _run(spikes @ weights, lambda_, theta, (-half, half - 1), self.reset)


class LDLIFNetwork(torch.nn.Module):
    """LD-LIF layers one after the other; ``shape`` is inputs and neurons of each layer, e.g. (64, 32, 10)."""

    def __init__(
        self, shape: tuple[int, ...], *, weight_bits: int = 4, membrane_bits: int = 8, reset: Reset = "subtract"
    ) -> None:
        super().__init__()
        self.stack = torch.nn.ModuleList(
            LDLIFLayer(inputs, neurons, weight_bits=weight_bits, membrane_bits=membrane_bits, reset=reset)
            for inputs, neurons in itertools.pairwise(shape)
        )

    @property
    def layers(self) -> list[LDLIFLayer]:
        """The layers in order."""
        return [layer for layer in self.stack if isinstance(layer, LDLIFLayer)]

    def start_quantized(self) -> None:
        """Let every layer compute in integers from now on."""
        for layer in self.layers:
            layer.start_quantized()

    def forward(self, spikes: torch.Tensor) -> NetworkOutput:
        """Run from rest on ``spikes``, 0.0 or 1.0, shape (time, batch, inputs)."""
        rates = []
        for layer in self.layers:
            spikes, membranes = layer(spikes)
            rates.append(spikes.mean())
        return NetworkOutput(counts=spikes.sum(dim=0), membranes=membranes, rates=tuple(rates[:-1]))


def _run(
    sums: torch.Tensor, lambda_: torch.Tensor, theta: int, limits: tuple[float, float], reset: Reset
) -> LayerOutput:
    v = torch.zeros_like(sums[0])
    train = []
    for step_sums in sums:
        v = torch.clamp(torch.relu(v - lambda_) + step_sums, *limits)
        fired = spike((v - theta) / theta)
        # The reset is seen by the gradient of v, not by that of the spike: training is steadier so.
        v = v - theta * fired.detach() if reset == "subtract" else v * (1 - fired.detach())
        train.append(fired)
    return LayerOutput(spikes=torch.stack(train), membranes=v / theta)
