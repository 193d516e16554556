"""The other simulators of ``benchmarks/behavioral.py``, each with its integrate-and-fire neuron.

A neuron has ``reset()``, ``step(current)`` for one step, and ``run(currents)`` for all steps; currents have the shape
(time, batch, ...). The libraries are imported where they are used: without them, the benchmark measures this package alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyspice_cim.behavioral.network.layers import Conv2d, Flatten, MaxPool2d, Recurrent

PEERS = ("snntorch", "norse", "sinabs", "spikingjelly")


@dataclass(frozen=True)
class Workload:
    layers: tuple[Any, ...]
    spikes: np.ndarray


class SnnTorch:
    reset_rule = "subtract"

    def __init__(self, theta: int) -> None:
        import snntorch

        self.neuron = snntorch.Leaky(beta=1.0, threshold=float(theta), reset_mechanism="subtract")
        self.membrane = None

    def reset(self) -> None:
        self.membrane = None

    def step(self, current: Any) -> Any:
        if self.membrane is None:
            # It fires above the threshold; half a unit more makes that "at or above" for integers.
            self.membrane = current.new_full(current.shape, 0.5)
        spikes, self.membrane = self.neuron(current, self.membrane)
        return spikes

    def run(self, currents: Any) -> Any:
        return stacked(self, currents)


class Norse:
    reset_rule = "zero"

    def __init__(self, theta: int) -> None:
        import torch
        from norse.torch.functional import iaf

        self.iaf, self.state = iaf, None
        self.parameters = iaf.IAFParameters(v_th=torch.tensor(theta - 0.5), method="heaviside")

    def reset(self) -> None:
        self.state = None

    def step(self, current: Any) -> Any:
        if self.state is None:
            self.state = self.iaf.IAFFeedForwardState(v=current.new_zeros(current.shape))
        spikes, self.state = self.iaf.iaf_feed_forward_step(current, self.state, self.parameters)
        return spikes

    def run(self, currents: Any) -> Any:
        return stacked(self, currents)


class Sinabs:
    reset_rule = "subtract"

    def __init__(self, theta: int) -> None:
        import sinabs
        import torch

        self.neuron = sinabs.layers.IAF(
            spike_threshold=torch.tensor(float(theta)), spike_fn=sinabs.activation.SingleSpike
        )

    def reset(self) -> None:
        self.neuron.reset_states()

    def step(self, current: Any) -> Any:
        return self.neuron(current.unsqueeze(1)).squeeze(1)

    def run(self, currents: Any) -> Any:
        return self.neuron(currents.transpose(0, 1)).transpose(0, 1)


class SpikingJelly:
    reset_rule = "subtract"

    def __init__(self, theta: int) -> None:
        from spikingjelly.activation_based import neuron

        self.neuron = neuron.IFNode(v_threshold=float(theta), v_reset=None).eval()

    def reset(self) -> None:
        self.neuron.reset()

    def step(self, current: Any) -> Any:
        self.neuron.step_mode = "s"
        return self.neuron(current)

    def run(self, currents: Any) -> Any:
        self.neuron.step_mode = "m"
        return self.neuron(currents)


NEURONS = dict(zip(PEERS, (SnnTorch, Norse, Sinabs, SpikingJelly), strict=True))


def stacked(neuron: Any, currents: Any) -> Any:
    import torch

    return torch.stack([neuron.step(current) for current in currents])


class Peer:
    """A network of one of the peers; ``run`` gives the spike counts of the last layer."""

    def __init__(self, name: str, work: Workload, order: str) -> None:
        import torch

        self.torch, self.order = torch, order
        self.spikes = torch.from_numpy(work.spikes.astype(np.float32))
        self.parts: list[tuple[Any, Any, Any]] = []
        for layer in work.layers:
            neuron = NEURONS[name](layer.params.theta) if hasattr(layer, "params") else None
            recurrent = torch.from_numpy(layer.recurrent.astype(np.float32)) if isinstance(layer, Recurrent) else None
            self.parts.append((self._forward(layer), neuron, recurrent))

    def _forward(self, layer: Any) -> Callable[[Any], Any]:
        functional = self.torch.nn.functional
        if isinstance(layer, MaxPool2d):
            return lambda x: functional.max_pool2d(x, layer.size)
        if isinstance(layer, Flatten):
            return lambda x: x.flatten(1)
        weights = self.torch.from_numpy(layer.weights.astype(np.float32))
        if isinstance(layer, Conv2d):
            return lambda x: functional.conv2d(x, weights)
        return lambda x: x @ weights

    def run(self) -> np.ndarray:
        with self.torch.inference_mode():
            for _, neuron, _ in self.parts:
                if neuron is not None:
                    neuron.reset()
            counts = self._by_layers() if self.order == "layers" else self._by_steps()
        return counts.numpy()

    def _by_layers(self) -> Any:
        x = self.spikes
        for forward, neuron, recurrent in self.parts:
            steps, batch = x.shape[:2]
            x = forward(x.flatten(0, 1)).unflatten(0, (steps, batch))
            if recurrent is not None:
                trains, last = [], x.new_zeros(x.shape[1:])
                for current in x:
                    last = neuron.step(self.torch.addmm(current, last, recurrent))
                    trains.append(last)
                x = self.torch.stack(trains)
            elif neuron is not None:
                x = neuron.run(x)
        return x.sum(0)

    def _by_steps(self) -> Any:
        counts: Any = 0
        last: dict[int, Any] = {}
        for x in self.spikes:
            for index, (forward, neuron, recurrent) in enumerate(self.parts):
                x = forward(x)
                if recurrent is not None and index in last:
                    x = self.torch.addmm(x, last[index], recurrent)
                if neuron is not None:
                    x = last[index] = neuron.step(x)
            counts = counts + x
        return counts
