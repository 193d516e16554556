"""The report of the study: every committed sentence follows from the committed runs, and says what they say."""

import importlib.util
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

torch = pytest.importorskip("torch")

from pyspice_cim.training.study.claim import claim_sentence, claim_summary, compare  # noqa: E402
from pyspice_cim.training.study.leaks import leak_report  # noqa: E402
from pyspice_cim.training.study.report import latest, results  # noqa: E402
from pyspice_cim.training.study.results import holm, paired  # noqa: E402
from pyspice_cim.training.study.tasks import TASKS  # noqa: E402

BEHAVIORAL = Path(__file__).resolve().parents[3] / "behavioral"
FOLDER = BEHAVIORAL / "studies" / "decay"


def committed_runs():
    return [json.loads(line) for line in (FOLDER / "runs.jsonl").read_text().splitlines()]


def same(old, new):
    """Equal, floats to what another version of SciPy may change."""
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if isinstance(old, list):
        return len(old) == len(new) and all(map(same, old, new))
    return old == (pytest.approx(new, rel=1e-6, abs=1e-12) if isinstance(old, float) else new)


def test_the_committed_results_are_those_of_the_committed_runs(tmp_path):
    spec = importlib.util.spec_from_file_location("study_decay", BEHAVIORAL / "study_decay.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    (tmp_path / "runs.jsonl").write_bytes((FOLDER / "runs.jsonl").read_bytes())
    assert script.main(["report", "--folder", str(tmp_path)]) == 0
    assert (tmp_path / "results.md").read_text() == (FOLDER / "results.md").read_text()
    old, new = (json.loads((folder / "results.json").read_text()) for folder in (FOLDER, tmp_path))
    assert same(old, new)


def test_what_the_text_says_in_words_of_toward_zero_is_so():
    """The generator's fixed sentences: the best runs are among those of exponential, its worst far below."""
    spoken = results(committed_runs(), TASKS)["tasks"]["spoken"]["accuracies"]
    toward_zero, exponential = (sorted(spoken[decay]["real"]) for decay in ("toward_zero", "exponential"))
    assert toward_zero[-3] > exponential[0] and toward_zero[0] < exponential[0] - 0.2
    assert len({run["recipe"] for run in latest(committed_runs(), ["spoken"])["spoken"]}) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_closed_procedure_of_bonferroni(probabilities):
    """Adjusted p of a hypothesis: the largest Bonferroni p of all sets of hypotheses that hold it."""
    indices = range(len(probabilities))
    subsets = [each for size in indices for each in itertools.combinations(indices, size + 1)]
    for index, adjusted in enumerate(holm(probabilities)):
        bonferroni = [len(each) * min(probabilities[i] for i in each) for each in subsets if index in each]
        assert adjusted == pytest.approx(min(1.0, max(bonferroni)))


def records(exponential, clamp, real=None):
    rules = {"exponential": (exponential, exponential), "clamp": (real or clamp, clamp)}
    return [
        {"decay": decay, "seed": seed, "real": pair[0], "integer": pair[1]}
        for decay, (first, second) in rules.items()
        for seed, pair in enumerate(zip(first, second, strict=True))
    ]


def test_the_claim_is_paired_and_its_interval_widened_for_all_tasks():
    exponential, clamp, real = [0.95, 0.97, 0.96, 0.99], [0.93, 0.97, 0.95, 0.96], [0.94, 0.95, 0.97, 0.98]
    runs = [*records(exponential, clamp, real), {"decay": "clamp", "seed": 9, "real": 0.1, "integer": 0.1}]
    claim = compare(runs, 3)
    assert claim["runs"] == 4
    for name, level in (("claim", 0.95), ("at_once", 1 - 0.05 / 3)):
        interval = ttest_rel(clamp, exponential).confidence_interval(level)
        assert (claim[name]["low"], claim[name]["high"]) == pytest.approx((interval.low, interval.high))
    parts = claim["decay"]["difference"] + claim["bits"]["difference"]
    assert parts == pytest.approx(claim["claim"]["difference"])


@pytest.mark.parametrize(
    ("shift", "noise", "words"),
    [
        (-0.005, 0.02, ["the mean, -0.50, meets", "does not exclude a larger loss", "is not excluded either"]),
        (-0.012, 0.02, ["the mean, -1.20, misses", "does not exclude a larger loss", "is not excluded either"]),
        (-0.005, 0.001, ["meets", "excludes a larger loss, so the claim holds", "no loss at all is excluded"]),
        (-0.03, 0.001, ["misses", "lies below that, so the claim fails", "no loss at all is excluded"]),
        (0.03, 0.001, ["meets", "so the claim holds", "that there is any loss is excluded"]),
    ],
)
def test_the_sentence_says_what_the_interval_says(shift, noise, words):
    exponential = [0.9, 0.91, 0.92, 0.93]
    clamp = [each + shift + noise * sign for each, sign in zip(exponential, (1, -1, 1, -1), strict=True)]
    claim = compare(records(exponential, clamp), 3)
    assert all(word in claim_sentence("Data", claim) for word in words)
    holds = "claim holds" in claim_sentence("Data", claim)
    summary = claim_summary({"Data": claim, "Other": claim})
    assert ("proven on all data" if holds else "proven on none of these data") in summary


def test_differences_without_spread_are_there_or_are_not():
    assert paired([0.5, 0.5], [0.5, 0.5]) == {"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}
    assert paired([0.75, 0.75], [0.5, 0.5])["p"] == 0.0


def test_leaks_that_ended_at_zero_are_named():
    def run(decay, seed, real, leaks):
        return {"decay": decay, "seed": seed, "real": real, "integer": real, "leaks": leaks, "rate": 0.05}

    none = [run("none", seed, 0.96, [None, None]) for seed in range(3)]
    leaks = [[0.0, 0.1], [0.0, 0.0], [0.2, 0.1]]
    runs = none + [run("toward_zero", seed, (0.7, 0.8, 0.95)[seed], leaks[seed]) for seed in range(3)]
    said = leak_report(runs)
    assert "at 0 in layer 1 in 2 of 3 runs, in layer 2 in 1 of 3 runs" in said
    assert "Seed 1 ended with 0 in all layers" in said and "It reaches 80.00, and 'none' 96.00." in said
    assert "2 runs stay below 90 (seeds 0, 1); the median is 80.00." in said
    better = [record | {"real": 0.95} for record in runs]
    assert "No run stays below 90; the median is 95.00." in leak_report(better)
