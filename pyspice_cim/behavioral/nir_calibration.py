"""What neurons do on calibration data: how high their membranes stand, and how often their sums leave the membrane's range."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.integer_reference import passed, weighted_sum
from pyspice_cim.behavioral.kernels import fast_run
from pyspice_cim.behavioral.layers import (
    AnyLayer,
    AvgPool2d,
    Flatten,
    MaxPool2d,
    NeuronLayer,
    Recurrent,
    SumPool2d,
    chain,
)
from pyspice_cim.behavioral.ldlif import LDLIFState, ldlif_step

_Stateless = MaxPool2d | SumPool2d | AvgPool2d | Flatten


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """Of a layer of neurons. ``membranes``: how often each membrane 0, 1, .. VMAX stands at the start of a step (the
    negative ones are left out); ``saturated`` of ``updates`` steps of a neuron whose total left the range."""

    membranes: NDArray[np.int64]
    saturated: int
    updates: int


def observe(layers: Sequence[AnyLayer], spikes: NDArray[Any]) -> tuple[Observed, ...]:
    """What each layer of neurons of ``layers`` does when the network runs on ``spikes``.

    Args:
        spikes: as for ``fast_run``.

    Raises:
        DataError, ConfigError: see ``fast_run``.
    """
    trains = fast_run(layers, spikes, record=True).spikes
    assert trains is not None
    links = chain(layers, spikes.shape[2:])
    sources = iter([np.asarray(spikes), *trains[:-1]])
    results: list[Observed] = []
    before: list[_Stateless] = []
    for layer, link in zip(layers, links, strict=True):
        if isinstance(layer, NeuronLayer):
            train = trains[len(results)]
            results.append(_observe(layer, before, link.divisor, next(sources), train))
            before = []
        else:
            before.append(layer)
    return tuple(results)


def _observe(
    layer: NeuronLayer, before: Sequence[_Stateless], divisor: int, inputs: NDArray[Any], own: NDArray[np.uint8]
) -> Observed:
    params = layer.params
    membranes, saturated = np.zeros(params.vmax + 1, np.int64), 0
    state = LDLIFState.zeros(*own.shape[1:])
    for step, frame in enumerate(inputs):
        x = frame.astype(np.int64)
        for each in before:
            x = passed(each, x)
        drive = weighted_sum(layer, x) // divisor
        if isinstance(layer, Recurrent) and step:
            drive += own[step - 1].astype(np.int64) @ layer.recurrent.astype(np.int64)
        membranes += np.bincount(state.v[state.v >= 0].ravel(), minlength=len(membranes))
        _, state, events = ldlif_step(drive, state, params)
        saturated += int(np.count_nonzero(events.saturated))
    return Observed(membranes=membranes, saturated=saturated, updates=own.size)
