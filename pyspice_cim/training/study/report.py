"""The report of the study of decay rules, as plain data and as text. Both follow from the records of the runs alone."""

from collections.abc import Iterable, Mapping
from typing import Any

from pyspice_cim.errors import DataError
from pyspice_cim.training.study.claim import (
    MARGIN,
    claim_sentence,
    claim_summary,
    claim_table,
    compare,
    indistinct,
)
from pyspice_cim.training.study.leaks import leak_report
from pyspice_cim.training.study.results import CONFIDENCE, accuracies, adjust, points, summarise, table, verdict
from pyspice_cim.training.study.tasks import Task

ABOUT = """# What a decay rule costs

Each rule trained with the same first weights, batches and epochs, ten seeds at once: in real numbers, and fine-tuned with
4-bit weights and 8-bit membranes ("4/8 bits"), whose integers the engine runs to the same answers. The last epoch counts.
Recipes were chosen on parts of the training data and on other seeds; one thing was changed, in favour of exponential, after
three runs of the test set had been seen: how its beta is learned. Differences are of the same seed, with the 95 % interval of
their mean. Recipes: `pyspice_cim/training/study/tasks.py`; runs: `runs.jsonl`; made by `behavioral/study_decay.py`.

![Accuracy of every run](decay.png)
"""
CLAIM = """## Does linear decay cost about 1 %?

Asked is whether clamp in 4/8 bits, which the array computes, is worse than exponential in real numbers by more than
{margin:.0f} point of accuracy. "95 %" is the interval of one data set alone; {count} data sets are compared, so the next
column is widened (Bonferroni, {level:.2f} % each) until all {count} hold at once with 95 %, and the sentences below go by
it. "Decay alone" is clamp against exponential in the same numbers, 95 % each alone.
"""
FAILED = """## Toward zero on spoken digits

Its mean says little about the rule. In real numbers its accuracies lie from {low:.2f} to {high:.2f}, those of exponential from
{least:.2f} to {most:.2f}: its best runs are among those of exponential, its worst far below. That is how a recipe looks that
does not always train, not a neuron that cannot do the task. What the runs show:

{report}

All rules share one recipe, which was not chosen for this rule. The runs do not say why the others of its low seeds are low:
their losses were not recorded.
"""


def results(runs: Iterable[Mapping[str, Any]], tasks: Mapping[str, Task]) -> dict[str, Any]:
    """Return the results of the study as plain data.

    Args:
        runs: records of runs, in the order in which they were made.
        tasks: name to task. Only the runs of the latest recipe of a task count. A task without runs is left out.

    Raises:
        DataError: if no task has runs, or a task has fewer than two seeds with runs of all rules.
    """
    chosen = latest(runs, tasks)
    if not chosen:
        raise DataError("there are no runs; make some with: python behavioral/study_decay.py run")
    tables = {name: summarise(records) for name, records in chosen.items()}
    compared = adjust(tables.values())
    return {
        "compared": compared,
        "tasks": {
            name: {
                "title": tasks[name].title,
                "recipe": records[0]["recipe"],
                "verdict": verdict(tables[name]),
                "claim": compare(records, len(chosen)),
                "summary": tables[name],
                "accuracies": accuracies(records),
            }
            for name, records in chosen.items()
        },
    }


def latest(runs: Iterable[Mapping[str, Any]], names: Iterable[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return, by name of the task, the runs with the recipe of the last run; tasks without runs are left out.

    Args:
        runs: records of runs, in the order in which they were made.
        names: names of tasks.
    """
    every = list(runs)
    of_task = {name: [run for run in every if run["task"] == name] for name in names}
    return {name: [run for run in own if run["recipe"] == own[-1]["recipe"]] for name, own in of_task.items() if own}


def text(found: Mapping[str, Any], runs: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of ``results.md``.

    Args:
        found: data of ``results``.
        runs: the records from which ``results`` made the data.
    """
    tasks = found["tasks"]
    claims = {task["title"].partition(",")[0]: task["claim"] for task in tasks.values()}
    parts = [
        ABOUT,
        CLAIM.format(margin=100 * MARGIN, count=len(tasks), level=100 * (1 - (1 - CONFIDENCE) / len(tasks))),
        claim_table(claims) + "\n",
        "\n".join(f"- {claim_sentence(title, claim)}" for title, claim in claims.items()) + "\n",
        claim_summary(claims) + "\n",
        _telling(tasks) + "\n",
        f"The tables below compare {found['compared']} differences. Their intervals are of each alone; the last column is its "
        f"probability after Holm's correction for all {found['compared']}, and below 0.05 it is called proven here.\n",
    ]
    for task in tasks.values():
        head = f"## {task['title']}\n\n{task['verdict']} {task['summary'][0]['runs']} seeds."
        parts.append(f"{head}\n\n{table(task['summary'])}\n")
    if "spoken" in tasks:
        found_of = tasks["spoken"]["accuracies"]
        low, high, least, most = (
            100 * end(found_of[decay]["real"]) for decay in ("toward_zero", "exponential") for end in (min, max)
        )
        report = leak_report(latest(runs, ["spoken"])["spoken"])
        parts.append(FAILED.format(low=low, high=high, least=least, most=most, report=report))
    return "\n".join(parts)


def _telling(tasks: Mapping[str, Mapping[str, Any]]) -> str:
    """Which data can tell rules apart, by what a network without decay reaches in real numbers."""
    lines = []
    for task in tasks.values():
        none = next(row for row in task["summary"] if (row["decay"], row["numbers"]) == ("none", "real"))
        interval = f"{points(none['difference'])} ({points(none['low'])} to {points(none['high'])})"
        title = task["title"].partition(",")[0]
        if indistinct(task["summary"]):
            lines.append(
                f"{title} cannot tell the rules apart as decays: without any decay the difference is {interval}."
            )
        elif none["p_holm"] < 1 - CONFIDENCE:
            lines.append(f"{title} needs a decay: without one the difference is {interval}.")
        else:
            lines.append(
                f"{title} may need a decay, but these runs do not prove it: without one the difference is {interval}."
            )
    return "Which data can tell: " + " ".join(lines)
