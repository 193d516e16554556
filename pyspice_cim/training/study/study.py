"""What a decay rule costs: the same network trained with each rule, in real numbers and in the integers of the array.

One run trains one network with one rule and one seed:

1. in real numbers, ``epochs`` epochs;
2. "real": from the end of 1, ``epochs_quantized`` further epochs in real numbers, at the lower learning rate;
3. "integer": from the end of 1, as many epochs in integers, with the batches of 2.

So the real and the integer network have seen the data equally often. Runs of one seed share the first weights and the
batches, whatever the rule; differences between rules are therefore paired. The network after the last epoch counts. The
test set chooses nothing.
"""

import copy
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyspice_cim.behavioral.kernels.run import fast_run
from pyspice_cim.behavioral.network.readout import classify
from pyspice_cim.training._torch import torch
from pyspice_cim.training.ensemble import stack, unstack
from pyspice_cim.training.export import integer_layers
from pyspice_cim.training.fit import FitSettings, Progress, new_network, train
from pyspice_cim.training.layers import LDLIFNetwork

DECAYS = ("exponential", "clamp", "toward_zero", "none")
_TILE = 500


class TaskData(NamedTuple):
    """Data of a task: for training, then for the test.

    Attributes:
        train_values, test_values: values in 0..1, shape (samples, inputs) or (samples, steps, inputs).
        train_labels, test_labels: class of each sample, shape (samples,).
    """

    train_values: NDArray[np.float64]
    train_labels: NDArray[np.int64]
    test_values: NDArray[np.float64]
    test_labels: NDArray[np.int64]


def run_study(
    data: TaskData, settings: FitSettings, seeds: Sequence[int], *, progress: Progress = lambda line: None
) -> tuple[list[dict[str, Any]], list[LDLIFNetwork]]:
    """Train and test one network for each seed (see the top of this module).

    All seeds train as one stacked network (``ensemble.py``). The number of seeds changes the last bits of the real
    numbers, so repeat a run with the same seeds.

    Args:
        data: data of the task.
        settings: how to train; ``settings.decay`` is the rule of all runs.
        seeds: seed of each run.
        progress: called with a line of text after every epoch.

    Returns:
        One record for each seed, as plain data, and the integer networks. A record has::

            decay, seed      rule and seed
            real, integer    accuracies on the test set, 0 to 1
            leaks            leak of each layer of the real network: lambda in units of theta, or beta; None without one
            leaks_integer    leak of each layer of the integer network: lambda, or n of beta = n / 256
            theta            threshold of each layer of the integer network
            rate             mean spikes per step and hidden neuron of the integer network

    Raises:
        DataError: if data and settings do not agree.
        RuntimeError: if ``fast_run`` and PyTorch give different classes, which is a defect.
    """
    first, batches = [], []
    for seed in seeds:
        first.append(new_network(replace(settings, seed=seed)))
        # The batches that ``fit`` would draw with this seed.
        batches.append(torch.Generator())
        batches[-1].set_state(torch.get_rng_state())
    network = stack(first)
    train(network, data.train_values, data.train_labels, settings, batches=batches, progress=progress)
    whole, states = copy.deepcopy(network), [each.get_state() for each in batches]
    train(network, data.train_values, data.train_labels, settings, fine=True, batches=batches, progress=progress)
    whole.start_quantized()
    for each, state in zip(batches, states, strict=True):
        each.set_state(state)
    train(whole, data.train_values, data.train_labels, settings, fine=True, batches=batches, progress=progress)

    spikes = settings.encoder.encode(data.test_values, settings.steps)
    integers = unstack(whole)
    records = [
        {"decay": settings.decay, "seed": seed} | _record(real, integer, spikes, data.test_labels)
        for seed, real, integer in zip(seeds, unstack(network), integers, strict=True)
    ]
    return records, integers


def _record(
    real: LDLIFNetwork, integer: LDLIFNetwork, spikes: NDArray[np.uint8], labels: NDArray[np.int64]
) -> dict[str, Any]:
    answers, _ = _answers(real, spikes)
    answers_integer, rate = _answers(integer, spikes)
    layers = integer_layers(integer)
    run = fast_run(layers, spikes, threads=1)
    if not np.array_equal(classify(run.spike_counts, run.membranes[-1]), answers_integer):
        raise RuntimeError("the engine does not answer as PyTorch does")
    learned = [isinstance(layer.leak, torch.nn.Parameter) for layer in real.layers]
    leaks = [round(float(layer.leak_value().detach()), 4) for layer in real.layers]
    return {
        "real": float((answers == labels).mean()),
        "integer": float((answers_integer == labels).mean()),
        "leaks": [leak if there else None for leak, there in zip(leaks, learned, strict=True)],
        "leaks_integer": [int(layer.integers().leak.detach()) for layer in integer.layers],
        "theta": [layer.params.theta for layer in layers],
        "rate": round(rate, 5),
    }


def recipe_of(settings: FitSettings, data: TaskData) -> str:
    """Return the hash of the recipe: of all that decides a run, except its rule and its seed.

    Only runs with the same recipe are compared. The hash covers the settings, the labels and the encoded spikes. For
    random spikes ("bernoulli"), it covers the first draw. The hash does not cover the values, because the last bits of
    mel bands depend on the processor and on the threads of BLAS.
    """
    digest = hashlib.sha256(repr(replace(settings, decay="clamp", seed=0)).encode())
    for values, labels in ((data.train_values, data.train_labels), (data.test_values, data.test_labels)):
        digest.update(repr(labels.shape).encode() + np.asarray(labels, "<i8").tobytes())
        for first in range(0, len(values), _TILE):
            spikes = settings.encoder.encode(values[first : first + _TILE], settings.steps, first)
            # Sample by sample, so that the size of a tile does not matter.
            digest.update(np.moveaxis(spikes, 1, 0).tobytes())
    return digest.hexdigest()[:16]


def missing_rules(
    records: Iterable[Mapping[str, Any]], recipe: str, seeds: Iterable[int], rules: Sequence[str] = DECAYS
) -> list[str]:
    """Return the rules whose runs are not complete: a run of at least one seed with this recipe is missing.

    Args:
        records: records of runs, with their recipes.
        recipe: hash of a recipe (``recipe_of``).
        seeds: seeds that each rule must have.
        rules: decay rules to look for.
    """
    done = {(record["seed"], record["decay"]) for record in records if record["recipe"] == recipe}
    wanted = tuple(seeds)
    return [decay for decay in rules if any((seed, decay) not in done for seed in wanted)]


@torch.no_grad()
def _answers(network: LDLIFNetwork, spikes: NDArray[np.uint8]) -> tuple[NDArray[np.int64], float]:
    """Classes by the readout (most spikes, then the larger membrane), and the hidden layers' mean rate."""
    classes, rates = [], []
    for first in range(0, spikes.shape[1], _TILE):
        output = network(torch.from_numpy(spikes[:, first : first + _TILE]).float())
        best = output.counts == output.counts.max(dim=1, keepdim=True).values
        classes.append(torch.where(best, output.membranes, -torch.inf).argmax(dim=1).numpy())
        rates.append([float(rate) for rate in output.rates])
    return np.concatenate(classes), float(np.mean(rates))
