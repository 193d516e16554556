"""The claim that linear decay costs about 1 %: clamp in 4/8 bits against exponential in real numbers, seed by seed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pyspice_cim.training.study.results import CONFIDENCE, accuracies, paired, points

# What the claim allows: a loss of 1 point of accuracy.
MARGIN = 0.01
_RULES = ("exponential", "clamp")


def compare(records: Iterable[Mapping[str, Any]], tasks: int) -> dict[str, Any]:
    """Return what the runs of one task say of the claim.

    Only seeds that have runs of both rules are counted. Differences are paired by seed (``results.paired``).

    Args:
        records: records of the runs of one task (``study.run_study``).
        tasks: number of tasks of the study.

    Returns:
        By name::

            runs               number of seeds
            exponential_real   mean and spread (standard deviation, n - 1) of the accuracies
            clamp_integer      mean and spread of the accuracies, in 4/8 bits
            claim              difference clamp_integer - exponential_real; the sum of decay and bits
            at_once            the same, with the Bonferroni interval 1 - 0.05 / tasks: the intervals of all tasks hold
                               at once with 95 %
            decay              difference clamp - exponential, both in real numbers
            bits               difference clamp in 4/8 bits - clamp in real numbers
            equal_bits         difference clamp - exponential, both in 4/8 bits

    Raises:
        DataError: see ``accuracies``.
    """
    found = accuracies(records, _RULES)
    exponential, clamp = found["exponential"], found["clamp"]
    return {
        "runs": len(clamp["real"]),
        "exponential_real": _moments(exponential["real"]),
        "clamp_integer": _moments(clamp["integer"]),
        "claim": paired(clamp["integer"], exponential["real"]),
        "at_once": paired(clamp["integer"], exponential["real"], 1 - (1 - CONFIDENCE) / tasks),
        "decay": paired(clamp["real"], exponential["real"]),
        "bits": paired(clamp["integer"], clamp["real"]),
        "equal_bits": paired(clamp["integer"], exponential["integer"]),
    }


def claim_table(claims: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table in Markdown, in points of accuracy.

    Args:
        claims: title of each task to its result of ``compare``.
    """
    lines = [
        "| data | seeds | exponential, real | clamp, 4/8 bits | difference | 95 % | all data at once | decay alone, real "
        "| decay alone, 4/8 bits |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for title, claim in claims.items():
        accuracy = [
            f"{100 * claim[name]['mean']:.2f} ± {100 * claim[name]['spread']:.2f}"
            for name in ("exponential_real", "clamp_integer")
        ]
        alone = [f"{points(claim[name]['difference'])} ({_interval(claim[name])})" for name in ("decay", "equal_bits")]
        cells = [
            title,
            str(claim["runs"]),
            *accuracy,
            points(claim["claim"]["difference"]),
            _interval(claim["claim"]),
            _interval(claim["at_once"]),
            *alone,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def claim_sentence(title: str, claim: Mapping[str, Any]) -> str:
    """Return two sentences: what the runs of one task say of the claim.

    The sentences use the interval that holds for all tasks at once.
    """
    mean, wide = claim["claim"]["difference"], claim["at_once"]
    meets = "meets" if mean >= -MARGIN else "misses"
    if wide["low"] >= -MARGIN:
        margin = "excludes a larger loss, so the claim holds here"
    elif wide["high"] < -MARGIN:
        margin = "lies below that, so the claim fails here"
    else:
        margin = f"does not exclude a larger loss, of up to {-100 * wide['low']:.2f} points"
    if wide["high"] < 0:
        loss = "that there is no loss at all is excluded"
    elif wide["low"] > 0:
        loss = "that there is any loss is excluded"
    else:
        loss = "that there is no loss at all is not excluded either"
    return (
        f"{title}: the mean, {points(mean)}, {meets} 'not worse by more than {100 * MARGIN:.0f} point'. The interval, "
        f"{_interval(wide)}, {margin}; {loss}."
    )


def claim_summary(claims: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one sentence for all tasks: the range of the mean differences, and the tasks that prove the claim."""
    means = [claim["claim"]["difference"] for claim in claims.values()]
    proven = [title for title, claim in claims.items() if claim["at_once"]["low"] >= -MARGIN]
    where = f"on {', '.join(proven)} only" if proven and len(proven) < len(claims) else "on all data"
    return (
        f"So 'about 1 %' describes the means, which lie from {points(min(means))} to {points(max(means))}; that the loss is "
        f"at most {100 * MARGIN:.0f} point is proven {where if proven else 'on none of these data'}."
    )


def indistinct(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a task can be solved without decay.

    True if the network without decay differs from the baseline by at most ``MARGIN``, in real numbers, over the whole
    95 % interval.
    """
    none = next(row for row in rows if (row["decay"], row["numbers"]) == ("none", "real"))
    return max(abs(none["low"]), abs(none["high"])) <= MARGIN


def _moments(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "spread": float(np.std(values, ddof=1))}


def _interval(row: Mapping[str, float]) -> str:
    return f"{points(row['low'])} to {points(row['high'])}"
