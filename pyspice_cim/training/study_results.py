"""From the runs of a study to numbers: means, spreads, and paired differences with their confidence."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

from pyspice_cim.errors import DataError
from pyspice_cim.training.study import DECAYS

CONFIDENCE = 0.95
NUMBERS = ("real", "integer")
_NAMES = {"real": "real numbers", "integer": "4/8 bits"}
# Accuracy by which rules may differ and still count as not told apart.
INDISTINCT = 0.01
# What everything is compared with: the neuron that the field trains.
BASELINE = ("exponential", "real")


def accuracies(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Accuracies of each rule and each of ``NUMBERS``, in the order of the seeds.

    Only seeds that all rules have are counted, so that a study that has not ended compares like with like.

    Raises:
        DataError: if fewer than two seeds have runs of all rules.
    """
    by_seed: dict[int, dict[str, Mapping[str, Any]]] = {}
    for record in records:
        by_seed.setdefault(record["seed"], {})[record["decay"]] = record
    whole = [runs for _, runs in sorted(by_seed.items()) if set(runs) == set(DECAYS)]
    if len(whole) < 2:
        raise DataError(f"{len(whole)} seeds have runs of all rules ({', '.join(DECAYS)}); run two at least")
    return {decay: {numbers: [runs[decay][numbers] for runs in whole] for numbers in NUMBERS} for decay in DECAYS}


def summarise(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each rule and each of ``NUMBERS``, from the runs of one task.

    ``mean`` and ``spread`` (standard deviation, n - 1) of the accuracies, ``lowest``, ``runs``; ``difference`` of the mean
    from the baseline's, runs of the same seed compared, with ``low`` and ``high`` of its 95 % confidence interval::

        d_i = a_i - b_i        mean(d) +- t(0.975, n - 1) std(d) / sqrt(n)

    Raises:
        DataError: see ``accuracies``.
    """
    found = accuracies(records)
    base = np.array(found[BASELINE[0]][BASELINE[1]])
    rows = []
    for decay in DECAYS:
        for numbers in NUMBERS:
            accuracy = np.array(found[decay][numbers])
            row = {
                "decay": decay,
                "numbers": numbers,
                "runs": len(accuracy),
                "mean": float(accuracy.mean()),
                "spread": float(accuracy.std(ddof=1)),
                "lowest": float(accuracy.min()),
            }
            rows.append(row | (paired(accuracy, base) if (decay, numbers) != BASELINE else {}))
    return rows


def paired(accuracy: np.ndarray[Any, Any], base: np.ndarray[Any, Any]) -> dict[str, float]:
    """``difference``, ``low`` and ``high`` of the equations above, of accuracies of the same seeds."""
    difference = accuracy - base
    half = student.ppf((1 + CONFIDENCE) / 2, len(base) - 1) * difference.std(ddof=1) / np.sqrt(len(base))
    mean = float(difference.mean())
    return {"difference": mean, "low": mean - float(half), "high": mean + float(half)}


def verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    """A sentence: which rules the task tells from the baseline, and by how much."""
    others = [row for row in rows if "low" in row]
    differing = {
        "worse": [row for row in others if row["high"] < 0],
        "better": [row for row in others if row["low"] > 0],
    }
    parts = [
        f"{word} than {BASELINE[0]} in real numbers: {', '.join(map(_name, rows))}"
        for word, rows in differing.items()
        if rows
    ]
    widest = {(row["decay"], row["numbers"]): max(abs(row["low"]), abs(row["high"])) for row in others}
    if widest["none", "real"] <= INDISTINCT:
        parts.append("no decay at all does as well in real numbers, so this task does not need one")
    if max(widest.values()) <= INDISTINCT:
        parts.append(
            f"every rule lies within {100 * INDISTINCT:.0f} point of it, so this task does not tell them apart"
        )
    elif not parts:
        parts.append("no rule differs from exponential in real numbers beyond the spread of the seeds")
    return "; ".join(parts).capitalize() + "."


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """``summarise`` as a table in Markdown, in per cent."""
    lines = [
        "| decay | numbers | accuracy, mean ± standard deviation | lowest | difference from exponential, real (95 %) |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        interval = f"{_points(row['low'])} to {_points(row['high'])}" if "low" in row else ""
        difference = f"{_points(row['difference'])} ({interval})" if interval else ""
        accuracy = f"{100 * row['mean']:.2f} ± {100 * row['spread']:.2f} | {100 * row['lowest']:.2f}"
        lines.append(f"| {row['decay'].replace('_', ' ')} | {_NAMES[row['numbers']]} | {accuracy} | {difference} |")
    return "\n".join(lines)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['decay'].replace('_', ' ')} in {_NAMES[row['numbers']]} ({_points(row['difference'])})"


def _points(share: float) -> str:
    return f"{100 * share:+.2f}"
