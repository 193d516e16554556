"""Stacked networks: several networks of one shape train as one, because a step of a small network is mostly overhead.

A stacked network has weights of shape (copies, inputs, neurons), and takes spikes of shape (time, copies, batch,
inputs). The copies do not influence each other. The gradients of each copy are clipped alone, and Adam treats every
weight alone.
"""

import copy
from collections.abc import Sequence

from pyspice_cim.training._torch import torch
from pyspice_cim.training.layers import LDLIFNetwork

_SCALAR = (-1, 1, 1)


def stack(networks: Sequence[LDLIFNetwork]) -> LDLIFNetwork:
    """Return the stacked network of ``networks``.

    Args:
        networks: networks of one shape and one decay rule, not quantized.
    """
    whole = copy.deepcopy(networks[0])
    for index, layer in enumerate(whole.layers):
        parts = [network.layers[index] for network in networks]
        layer.weight = torch.nn.Parameter(torch.stack([part.weight.detach() for part in parts]))
        if layer.recurrent_weight is not None:
            own = [part.recurrent_weight.detach() for part in parts if part.recurrent_weight is not None]
            layer.recurrent_weight = torch.nn.Parameter(torch.stack(own))
        leaks = torch.stack([part.leak.detach() for part in parts]).reshape(_SCALAR)
        layer.leak = torch.nn.Parameter(leaks) if isinstance(layer.leak, torch.nn.Parameter) else leaks
    return whole


def unstack(whole: LDLIFNetwork) -> list[LDLIFNetwork]:
    """Return the networks of a stacked network; they are quantized if ``whole`` is quantized."""
    networks = []
    for number in range(len(whole.layers[0].weight)):
        network = copy.deepcopy(whole)
        for layer in network.layers:
            layer.weight = torch.nn.Parameter(layer.weight.detach()[number])
            if layer.recurrent_weight is not None:
                layer.recurrent_weight = torch.nn.Parameter(layer.recurrent_weight.detach()[number])
            leak = layer.leak.detach()[number].reshape(())
            layer.leak = torch.nn.Parameter(leak) if isinstance(layer.leak, torch.nn.Parameter) else leak
            layer.theta = None if layer.theta is None else layer.theta[number].reshape(())
        networks.append(network)
    return networks


def clip_gradients(whole: LDLIFNetwork, limit: float) -> None:
    """Scale the gradients of each copy so that their norm is at most ``limit``."""
    gradients = [each.grad for each in whole.parameters() if each.grad is not None]
    norms = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0).sqrt()
    scales = (limit / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scales.reshape(_SCALAR))
