"""The study of decay rules: its runs, its statistics against SciPy's own, and its script."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

torch = pytest.importorskip("torch")

from pyspice_cim.behavioral.kernels.run import fast_run  # noqa: E402
from pyspice_cim.behavioral.network.encoding import Encoder  # noqa: E402
from pyspice_cim.behavioral.network.file import load_network  # noqa: E402
from pyspice_cim.behavioral.network.readout import classify  # noqa: E402
from pyspice_cim.errors import DataError  # noqa: E402
from pyspice_cim.training.export import integer_layers  # noqa: E402
from pyspice_cim.training.fit import FitSettings  # noqa: E402
from pyspice_cim.training.study import tasks  # noqa: E402
from pyspice_cim.training.study.results import accuracies, adjust, summarise, table, verdict  # noqa: E402
from pyspice_cim.training.study.study import DECAYS, TaskData, missing_rules, run_study  # noqa: E402

SCRIPT = Path(__file__).resolve().parents[3] / "behavioral" / "study_decay.py"
SETTINGS = FitSettings(
    shape=(12, 8, 3), steps=6, encoder=Encoder(kind="regular"), recurrent=True, epochs=2, epochs_quantized=2, batch=20
)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def data():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    values = 0.8 * (rng.random((3, 12)) < 0.4)[labels] + 0.2 * rng.random((60, 12))
    return TaskData(values[:40], labels[:40], values[40:], labels[40:])


def records(seeds=5, missing=()):
    rng = np.random.default_rng(1)
    return [
        {"task": "digits", "recipe": "a", "decay": decay, "seed": seed, "real": rng.random(), "integer": rng.random()}
        for seed in range(seeds)
        for decay in DECAYS
        if (seed, decay) not in missing
    ]


@pytest.mark.parametrize("decay", DECAYS)
def test_runs_are_repeatable_and_their_networks_answer_as_the_records_say(decay):
    settings = replace(SETTINGS, decay=decay)
    records, networks = run_study(data(), settings, [3, 8])
    assert records == run_study(data(), settings, [3, 8])[0]
    spikes = settings.encoder.encode(data().test_values, settings.steps)
    for record, network in zip(records, networks, strict=True):
        run = fast_run(integer_layers(network), spikes)
        right = (classify(run.spike_counts, run.membranes[-1]) == data().test_labels).mean()
        assert record["integer"] == right
    assert [(record["decay"], record["seed"]) for record in records] == [(decay, 3), (decay, 8)]
    assert json.loads(json.dumps(records)) == records


def test_all_rules_start_from_the_same_weights_and_see_the_same_batches():
    """Paired: where no neuron ever leaks, because each step starts at rest, the rules cannot differ."""
    one_step = replace(SETTINGS, steps=1)
    records = [run_study(data(), replace(one_step, decay=decay), [0, 1])[0] for decay in DECAYS]
    accuracies_of = [[(record["real"], record["integer"]) for record in each] for each in records]
    assert all(each == accuracies_of[0] for each in accuracies_of)


def test_missing_rules_are_those_of_the_recipe():
    some = records(2, missing={(1, "clamp"), (0, "none")})
    assert missing_rules(some, "a", range(2)) == ["clamp", "none"]
    assert missing_rules(some, "a", [0]) == ["none"]
    assert missing_rules(some, "a", [0], ("exponential", "clamp")) == []
    assert missing_rules(some, "a", range(3)) == missing_rules(some, "another", [0]) == list(DECAYS)


def test_paired_differences_are_those_of_scipy():
    rows = summarise(records(6, missing={(4, "clamp")}))
    found = accuracies(records(6, missing={(4, "clamp")}))
    base = found["exponential"]["real"]
    assert len(base) == 5 and len(rows) == 8
    for row in rows:
        accuracy = found[row["decay"]][row["numbers"]]
        assert row["mean"] == pytest.approx(np.mean(accuracy)) and row["lowest"] == min(accuracy)
        assert row["spread"] == pytest.approx(np.std(accuracy, ddof=1))
        if (row["decay"], row["numbers"]) == ("exponential", "real"):
            assert "low" not in row
            continue
        interval = ttest_rel(accuracy, base).confidence_interval(0.95)
        assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
        assert row["p"] == pytest.approx(ttest_rel(accuracy, base).pvalue)
    assert adjust([rows]) == 7 and table(rows).count("\n") == 9
    with pytest.raises(DataError, match="1 seeds have runs of all rules"):
        summarise(records(1))


def test_the_verdict_says_what_the_task_can_tell():
    def rows(**changes):
        made = []
        for record in records(4):
            base = 0.9 + 0.001 * record["seed"]
            shift = changes.get(record["decay"], 0.0) + 0.0001 * (record["seed"] % 2) * DECAYS.index(record["decay"])
            made.append(record | {"real": base + shift, "integer": base + shift + 0.0001 * (record["seed"] % 3)})
        rows = summarise(made)
        adjust([rows])
        return rows

    assert "does not tell them apart" in verdict(rows()) and "does not need one" in verdict(rows())
    told = verdict(rows(none=-0.2, clamp=0.05))
    assert "after Holm's correction there remain: clamp in real numbers (+5.0" in told
    assert told.startswith("Worse than exponential in real numbers: none in real numbers (-19.99), none in 4/8 bits")
    assert "better than exponential in real numbers: clamp in real numbers (+5.0" in told
    assert "does not" not in told
    only_clamp = verdict(rows(clamp=-0.05))
    assert "does not need one" in only_clamp and "apart" not in only_clamp


def script():
    spec = importlib.util.spec_from_file_location("study_decay", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_runs_resumes_and_reports(tmp_path, monkeypatch, capsys):
    small = tasks.Task(title="Spoken, small", load=data, settings=SETTINGS)
    monkeypatch.setattr(tasks, "TASKS", {"spoken": small})
    main, folder, network = script().main, tmp_path / "study", tmp_path / "net.h5"
    run = ["run", "--folder", str(folder), "--network", str(network), "--seeds", "2"]
    assert main(run) == 0
    assert "spoken: 24/24 epochs, about 0 min left" in capsys.readouterr().out
    whole = (folder / "runs.jsonl").read_text()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 8
    (folder / "runs.jsonl").write_text("".join(lines[:-1]))
    assert main(run) == 0
    assert "1 rules to train" in capsys.readouterr().out
    assert (folder / "runs.jsonl").read_text() == "".join(lines[:-1] + lines[-2:])
    assert main(["report", "--folder", str(folder)]) == 0
    results = json.loads((folder / "results.json").read_text())
    assert results["tasks"]["spoken"]["summary"][0]["runs"] == 2
    assert "## Spoken, small" in (folder / "results.md").read_text()
    assert (folder / "decay.png").read_bytes().startswith(b"\x89PNG")
    kept = load_network(network)
    assert kept.shape == (12, 8, 3) and kept.layers[0].recurrent
    before, of_clamp = (folder / "runs.jsonl").read_text(), network.read_bytes()
    assert main([*run, "--first-seed", "2", "--rules", "clamp"]) == 0
    after = (folder / "runs.jsonl").read_text()
    added = [json.loads(line) for line in after.removeprefix(before).splitlines()]
    assert after.startswith(before) and [(each["decay"], each["seed"]) for each in added] == [
        ("clamp", 2),
        ("clamp", 3),
    ]
    assert network.read_bytes() == of_clamp


def test_what_a_user_can_mend_is_a_message(tmp_path, capsys):
    main = script().main
    assert main(["report", "--folder", str(tmp_path)]) == 2
    assert "has no runs; make some with" in capsys.readouterr().err
    assert main(["run", "--folder", str(tmp_path), "--tasks", "music"]) == 2
    assert "there is no task 'music'; choose from spoken, digits, mnist" in capsys.readouterr().err
    assert main(["run", "--folder", str(tmp_path), "--rules", "linear"]) == 2
    assert "there is no rule 'linear'; choose from exponential, clamp, toward_zero, none" in capsys.readouterr().err
    for wrong in (["--seeds", "0"], ["--first-seed", "-1"]):
        assert main(["run", "--folder", str(tmp_path), *wrong]) == 2
        assert "give --seeds of 1 and --first-seed of 0 or more" in capsys.readouterr().err
    (tmp_path / "runs.jsonl").write_text('{"task": "spoken"\n')
    assert main(["report", "--folder", str(tmp_path)]) == 2
    assert "runs.jsonl, line 1 is no JSON" in capsys.readouterr().err
