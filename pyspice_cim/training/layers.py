"""LD-LIF layers in PyTorch, with the equations of ``pyspice_cim.behavioral.neuron.ldlif`` and any rule of ``decay.py``.

A layer first trains in real numbers, with threshold 1. After ``start_quantized``, its forward pass computes in exact
integers and equals ``ldlif_step`` bit for bit. Gradients still reach the real weights and the real leak.

Several networks of one shape can be stacked (``ensemble.py``). Weights and batches then have an axis of copies in
front.
"""

import itertools
import math
from typing import NamedTuple

from pyspice_cim.behavioral.network.file import MAX_LAYER_WEIGHTS
from pyspice_cim.behavioral.neuron.ldlif import MAX_MEMBRANE_BITS, RESETS, Reset
from pyspice_cim.checks import check_choice, check_flag, check_integer, check_sequence
from pyspice_cim.errors import ConfigError
from pyspice_cim.training._torch import torch
from pyspice_cim.training.decay import DECAYS
from pyspice_cim.training.quantize import choose_theta, whole_weights
from pyspice_cim.training.surrogate import spike

# Smaller than the inputs' weights (1 / sqrt(inputs)): at first a layer follows its inputs, not itself.
FIRST_RECURRENT = 0.2


class LayerOutput(NamedTuple):
    """Result of one layer.

    Attributes:
        spikes: 0.0 or 1.0, shape (time, batch, neurons).
        membranes: membranes after the last step, in units of theta, shape (batch, neurons).
    """

    spikes: torch.Tensor
    membranes: torch.Tensor


class NetworkOutput(NamedTuple):
    """Result of a network.

    Attributes:
        counts: number of spikes of each neuron of the last layer, shape (batch, classes).
        membranes: membranes of the last layer after the last step, in units of theta, shape (batch, classes).
        rates: mean spikes per step and neuron, one scalar for each layer but the last.
    """

    counts: torch.Tensor
    membranes: torch.Tensor
    rates: tuple[torch.Tensor, ...]


class Integers(NamedTuple):
    """Numbers with which a layer computes: integers after ``start_quantized``, real numbers before.

    Integers are held as float32, which is exact below 2^24.

    Attributes:
        weights: shape (inputs, neurons).
        recurrent: shape (neurons, neurons); ``None`` without recurrence.
        leak: scalar: lambda, beta (as integer: n, see ``decay.py``), or 0 without decay.
        theta: scalar: threshold.
    """

    weights: torch.Tensor
    recurrent: torch.Tensor | None
    leak: torch.Tensor
    theta: torch.Tensor


class LDLIFLayer(torch.nn.Module):
    """Layer of LD-LIF neurons that can be trained.

    Attributes:
        weight: real weights of the inputs, shape (inputs, neurons).
        recurrent_weight: real weights of the layer's own spikes of the step before, shape (neurons, neurons);
            ``None`` without recurrence.
        leak: the one leak of the layer, a scalar (``decay.py``).
        theta: integer threshold; ``None`` before ``start_quantized``.

    Raises:
        ConfigError: if an argument is of another type or out of range.
    """

    def __init__(
        self,
        inputs: int,
        neurons: int,
        *,
        decay: str = "clamp",
        recurrent: bool = False,
        weight_bits: int = 4,
        membrane_bits: int = 8,
        reset: Reset = "subtract",
    ) -> None:
        super().__init__()
        check_choice("decay", decay, DECAYS)
        check_choice("reset", reset, RESETS)
        check_flag("recurrent", recurrent)
        # More weights than a network file holds cannot be exported.
        inputs, neurons = (
            check_integer(name, n, 1, MAX_LAYER_WEIGHTS) for name, n in (("inputs", inputs), ("neurons", neurons))
        )
        if neurons * (inputs + neurons * recurrent) > MAX_LAYER_WEIGHTS:
            raise ConfigError(
                f"inputs is {inputs} and neurons {neurons}; a layer has at most {MAX_LAYER_WEIGHTS} weights: give fewer"
            )
        weight_bits = check_integer("weight_bits", weight_bits, 2, 8)
        membrane_bits = check_integer("membrane_bits", membrane_bits, 2, MAX_MEMBRANE_BITS)
        self.weight = torch.nn.Parameter(torch.randn(inputs, neurons) / math.sqrt(inputs))
        self.recurrent_weight = (
            torch.nn.Parameter(FIRST_RECURRENT * torch.randn(neurons, neurons) / math.sqrt(neurons))
            if recurrent
            else None
        )
        first = DECAYS[decay].first
        self.leak = torch.zeros(()) if first is None else torch.nn.Parameter(torch.tensor(first))
        self.decay, self.weight_bits, self.membrane_bits, self.reset = decay, weight_bits, membrane_bits, reset
        self.theta: torch.Tensor | None = None

    def leak_value(self) -> torch.Tensor:
        """Return the real leak, a scalar: lambda in units of theta, beta, or 0 without decay."""
        return DECAYS[self.decay].value(self.leak)

    def start_quantized(self) -> None:
        """Choose theta from the weights; from now on the layer computes in integers."""
        weights = [self.weight] if self.recurrent_weight is None else [self.weight, self.recurrent_weight]
        every = torch.cat([weight.flatten(-2) for weight in weights], dim=-1)
        self.theta = choose_theta(every, self.weight_bits, self.membrane_bits).reshape(self.leak.shape)

    def integers(self) -> Integers:
        """Return the integers of the layer.

        Raises:
            RuntimeError: before ``start_quantized``.
        """
        if self.theta is None:
            raise RuntimeError("call start_quantized first")
        own, half = self.recurrent_weight, 1 << (self.membrane_bits - 1)
        return Integers(
            weights=whole_weights(self.weight, self.theta, self.weight_bits),
            recurrent=None if own is None else whole_weights(own, self.theta, self.weight_bits),
            leak=DECAYS[self.decay].whole(self.leak, self.theta, half - 1),
            theta=self.theta,
        )

    def forward(self, spikes: torch.Tensor) -> LayerOutput:
        """Run the layer from rest on ``spikes``, shape (time, batch, inputs)."""
        if self.theta is not None:
            whole = self.integers()
            return self.scan(spikes @ whole.weights, whole)
        real = Integers(self.weight, self.recurrent_weight, self.leak_value(), torch.ones(()))
        return self.scan(spikes @ self.weight, real)

    def scan(self, sums: torch.Tensor, numbers: Integers) -> LayerOutput:
        """Run the neurons of the layer from rest.

        Args:
            sums: weighted sum of the inputs of each neuron, shape (time, batch, neurons).
            numbers: leak, threshold and recurrent weights.
        """
        rule, theta, recurrent = DECAYS[self.decay], numbers.theta, numbers.recurrent
        decayed = rule.real if self.theta is None else rule.integer
        half = math.inf if self.theta is None else 1 << (self.membrane_bits - 1)
        v = fired = torch.zeros_like(sums[0])
        train = []
        for step_sums in sums:
            drive = step_sums if recurrent is None else step_sums + fired @ recurrent
            v = decayed(v, numbers.leak) + drive
            if self.theta is not None:
                v = torch.clamp(v, -half, half - 1)
            fired = spike((v - theta) / theta)
            # The reset is seen by the gradient of v, not by that of the spike: training is steadier so.
            v = v - theta * fired.detach() if self.reset == "subtract" else v * (1 - fired.detach())
            train.append(fired)
        return LayerOutput(spikes=torch.stack(train), membranes=v / theta)


class LDLIFNetwork(torch.nn.Module):
    """Network of LD-LIF layers, each of which feeds the next.

    Args:
        shape: number of inputs, then number of neurons of each layer, e.g. (64, 32, 10).
        recurrent: whether all layers but the last are recurrent.
        decay, weight_bits, membrane_bits, reset: as for ``LDLIFLayer``, the same for all layers.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        decay: str = "clamp",
        recurrent: bool = False,
        weight_bits: int = 4,
        membrane_bits: int = 8,
        reset: Reset = "subtract",
    ) -> None:
        super().__init__()
        shape = check_sequence("shape", shape)
        if len(shape) < 2:
            raise ConfigError(f"shape is {shape}; it must name the inputs and the neurons of at least one layer")
        check_flag("recurrent", recurrent)
        self.stack = torch.nn.ModuleList(
            LDLIFLayer(
                inputs,
                neurons,
                decay=decay,
                recurrent=recurrent and index < len(shape) - 2,
                weight_bits=weight_bits,
                membrane_bits=membrane_bits,
                reset=reset,
            )
            for index, (inputs, neurons) in enumerate(itertools.pairwise(shape))
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
