"""Statistics of the runs of a study: means, spreads, and paired differences with confidence intervals.

A study tests many differences. If no rule differs, one of 20 intervals of 95 % still excludes 0. Each interval of the
tables is for one difference alone. A verdict therefore also says what remains after Holm's procedure over the whole
study (``adjust``).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from pyspice_cim.errors import DataError
from pyspice_cim.training.study.study import DECAYS

CONFIDENCE = 0.95
NUMBERS = ("real", "integer")
_NAMES = {"real": "real numbers", "integer": "4/8 bits"}
# Accuracy by which rules may differ and still count as not told apart.
INDISTINCT = 0.01
# What everything is compared with: the neuron that the field trains.
BASELINE = ("exponential", "real")


def accuracies(
    records: Iterable[Mapping[str, Any]], rules: Sequence[str] = DECAYS
) -> dict[str, dict[str, list[float]]]:
    """Return the accuracies by rule and by ``NUMBERS``, in the order of the seeds.

    Only seeds that have runs of all ``rules`` are counted. So an unfinished study compares equal seeds, too.

    Args:
        records: records of the runs of one task (``study.run_study``).
        rules: decay rules.

    Raises:
        DataError: if fewer than two seeds have runs of all ``rules``.
    """
    by_seed: dict[int, dict[str, Mapping[str, Any]]] = {}
    for record in records:
        by_seed.setdefault(record["seed"], {})[record["decay"]] = record
    whole = [runs for _, runs in sorted(by_seed.items()) if set(runs) >= set(rules)]
    if len(whole) < 2:
        raise DataError(f"{len(whole)} seeds have runs of all rules ({', '.join(rules)}); run two at least")
    return {decay: {numbers: [runs[decay][numbers] for runs in whole] for numbers in NUMBERS} for decay in rules}


def summarise(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each decay rule and each of ``NUMBERS``, from the runs of one task.

    A row has ``decay``, ``numbers``, ``runs`` (number of runs), and ``mean``, ``spread`` (standard deviation, n - 1)
    and ``lowest`` of the accuracies. All rows but the baseline's also have the values of ``paired``, against the
    baseline.

    Args:
        records: records of the runs of one task (``study.run_study``).

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


def paired(accuracy: ArrayLike, base: ArrayLike, confidence: float = CONFIDENCE) -> dict[str, float]:
    """Return the mean difference of accuracies of the same seeds, with its confidence interval::

        d_i = a_i - b_i        mean(d) +- t((1 + confidence) / 2, n - 1) std(d) / sqrt(n)

    Args:
        accuracy: accuracies a, shape (n,).
        base: accuracies b of the same seeds, shape (n,).
        confidence: confidence level, between 0 and 1.

    Returns:
        ``difference``: mean(d); ``low`` and ``high``: ends of the interval; ``p``: probability of a mean at least as
        far from 0 if the true difference is 0.
    """
    difference = np.subtract(accuracy, base)
    count, mean = len(difference), float(difference.mean())
    error = float(difference.std(ddof=1) / np.sqrt(count))
    half = float(student.ppf((1 + confidence) / 2, count - 1)) * error
    # Without any spread the quotient is not defined: the difference is there, or it is not.
    p = 2 * float(student.sf(abs(mean) / error, count - 1)) if error else float(mean == 0)
    return {"difference": mean, "low": mean - half, "high": mean + half, "p": p}


def holm(probabilities: Sequence[float]) -> list[float]:
    """Probabilities adjusted for their number m, by Holm's procedure: with p_1 <= p_2 <= ...::

        adjusted_i = min(1, max over j <= i of (m - j + 1) p_j)

    Source: S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    order = np.argsort(probabilities, kind="stable")
    factors = len(order) - np.arange(len(order))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * np.asarray(probabilities)[order]))
    return [float(each) for each in adjusted]


def adjust(tables: Iterable[Sequence[dict[str, Any]]]) -> int:
    """Add ``p_holm`` to every row that has a ``p``: the probability adjusted by ``holm`` over all rows.

    Args:
        tables: results of ``summarise``, one for each task. The rows are changed in place.

    Returns:
        Number of rows that have a ``p``.
    """
    compared = [row for rows in tables for row in rows if "p" in row]
    for row, adjusted in zip(compared, holm([row["p"] for row in compared]), strict=True):
        row["p_holm"] = adjusted
    return len(compared)


def verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return one sentence: which rules differ from the baseline in this task, and by how much.

    Args:
        rows: result of ``summarise``, after ``adjust``.
    """
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
    if parts:
        left = [row for row in others if row["p_holm"] < 1 - CONFIDENCE]
        parts.append(f"after Holm's correction there remain: {', '.join(map(_name, left)) or 'none'}")
    widest = {(row["decay"], row["numbers"]): max(abs(row["low"]), abs(row["high"])) for row in others}
    if widest["none", "real"] <= INDISTINCT:
        parts.append("no decay at all does as well in real numbers, so this task does not need one")
    if max(widest.values()) <= INDISTINCT:
        parts.append(
            f"every rule lies within {100 * INDISTINCT:.0f} point of it, so this task does not tell them apart by more"
        )
    elif not parts:
        parts.append("no rule differs from exponential in real numbers beyond the spread of the seeds")
    whole = "; ".join(parts)
    return f"{whole[0].upper()}{whole[1:]}."


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return ``rows`` as a table in Markdown; accuracies are in per cent.

    Args:
        rows: result of ``summarise``, after ``adjust``.
    """
    lines = [
        "| decay | numbers | accuracy, mean ± standard deviation | lowest | difference from exponential, real (95 %) "
        "| p, Holm |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        interval = f"{points(row['low'])} to {points(row['high'])}" if "low" in row else ""
        difference = f"{points(row['difference'])} ({interval})" if interval else ""
        p = f"{row['p_holm']:.2g}" if "p_holm" in row else ""
        accuracy = f"{100 * row['mean']:.2f} ± {100 * row['spread']:.2f} | {100 * row['lowest']:.2f}"
        lines.append(
            f"| {row['decay'].replace('_', ' ')} | {_NAMES[row['numbers']]} | {accuracy} | {difference} | {p} |"
        )
    return "\n".join(lines)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['decay'].replace('_', ' ')} in {_NAMES[row['numbers']]} ({points(row['difference'])})"


def points(share: float) -> str:
    """A share of accuracy in points, with its sign."""
    return f"{100 * share:+.2f}"
