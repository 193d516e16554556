"""Accuracies and learned leaks of the runs of one decay rule, beside the runs without decay."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pyspice_cim.training.study.results import accuracies

# An accuracy below which a run is named.
LOW = 0.9


def leak_report(records: Iterable[Mapping[str, Any]], decay: str = "toward_zero") -> str:
    """Return a table in Markdown and sentences: the runs of one decay rule beside the runs without decay.

    A learned lambda of 0 means no decay. At 0 the gradient of lambda is 0 too, so lambda stays at 0 in later epochs.

    Args:
        records: records of the runs of one task (``study.run_study``).
        decay: decay rule.

    Raises:
        DataError: see ``accuracies``.
    """
    runs = [record for record in records if record["decay"] in (decay, "none")]
    accuracies(runs, (decay, "none"))
    by_seed = {name: {run["seed"]: run for run in runs if run["decay"] == name} for name in (decay, "none")}
    name = decay.replace("_", " ")
    lines = [
        f"| seed | {name}, real | {name}, 4/8 bits | learned lambda / theta, each layer | spikes a step and neuron "
        "| none, real |",
        "|---|---|---|---|---|---|",
    ]
    shared = sorted(by_seed[decay].keys() & by_seed["none"].keys())
    for seed in shared:
        run, none = by_seed[decay][seed], by_seed["none"][seed]
        leaks = ", ".join(f"{leak:.4f}" for leak in run["leaks"])
        lines.append(
            f"| {seed} | {100 * run['real']:.2f} | {100 * run['integer']:.2f} | {leaks} | {run['rate']:.4f} "
            f"| {100 * none['real']:.2f} |"
        )
    layers = range(len(by_seed[decay][shared[0]]["leaks"]))
    stuck = [[seed for seed in shared if by_seed[decay][seed]["leaks"][layer] == 0] for layer in layers]
    found = [f"in layer {layer + 1} in {len(seeds)} of {len(shared)} runs" for layer, seeds in enumerate(stuck)]
    sentences = [f"The learned lambda ended at 0 {', '.join(found)}; from there no gradient brings it back."]
    for seed in sorted(set.intersection(*map(set, stuck))):
        mine, other = (100 * by_seed[each][seed]["real"] for each in (decay, "none"))
        sentences.append(
            f"Seed {seed} ended with 0 in all layers: the neuron of 'none', with its first weights and batches. "
            f"It reaches {mine:.2f}, and 'none' {other:.2f}."
        )
    low = [seed for seed in shared if by_seed[decay][seed]["real"] < LOW]
    median = 100 * float(np.median([by_seed[decay][seed]["real"] for seed in shared]))
    sentences.append(
        f"{len(low)} runs stay below {100 * LOW:.0f} (seeds {', '.join(map(str, low))}); the median is {median:.2f}."
        if low
        else f"No run stays below {100 * LOW:.0f}; the median is {median:.2f}."
    )
    return "\n".join(lines) + "\n\n" + " ".join(sentences)
