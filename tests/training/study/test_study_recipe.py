"""The recipe of a study's runs: of all that decides them, and the same on every machine."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pyspice_cim.behavioral.network.encoding import Encoder  # noqa: E402
from pyspice_cim.errors import CimError  # noqa: E402
from pyspice_cim.training.fit import FitSettings  # noqa: E402
from pyspice_cim.training.study import study  # noqa: E402
from pyspice_cim.training.study.study import TaskData, missing_rules, recipe_of  # noqa: E402
from pyspice_cim.training.study.tasks import TASKS  # noqa: E402

RUNS = Path(__file__).resolve().parents[3] / "behavioral" / "studies" / "decay" / "runs.jsonl"
SETTINGS = FitSettings(shape=(12, 8, 3), steps=6, encoder=Encoder(kind="regular"))
# Sounds of one's own, so that no data are needed: enough samples for BLAS to divide the product among its threads.
CODE = """
import numpy as np
from pyspice_cim.behavioral.datasets.spoken import mel_bands
from pyspice_cim.training.study.study import TaskData, recipe_of
from pyspice_cim.training.study.tasks import TASKS

rng = np.random.default_rng(5)
def sounds(count):
    return np.stack([mel_bands(rng.normal(size=4000), 8000, steps=50, bands=96) for _ in range(count)])
labels = np.arange(20) % 10
print(recipe_of(TASKS["spoken"].settings, TaskData(sounds(20), labels, sounds(20), labels)))
"""


def data():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    values = 0.8 * (rng.random((3, 12)) < 0.4)[labels] + 0.2 * rng.random((60, 12))
    return TaskData(values[:40], labels[:40], values[40:], labels[40:])


def test_it_is_that_of_data_and_settings_but_not_of_rule_and_seed():
    recipe = recipe_of(SETTINGS, data())
    assert recipe_of(replace(SETTINGS, decay="none", seed=7), data()) == recipe
    assert recipe_of(replace(SETTINGS, epochs=3), data()) != recipe
    for part in range(4):
        changed = data()
        # A value that changes the spikes, or another class.
        changed[part].flat[0] = changed[part].flat[0] < 0.5
        assert recipe_of(SETTINGS, changed) != recipe


@pytest.mark.parametrize("kind", ["regular", "bernoulli", "latency"])
def test_it_does_not_depend_on_last_bits_and_tiles(monkeypatch, kind):
    settings = replace(SETTINGS, encoder=Encoder(kind=kind))
    recipe = recipe_of(settings, data())
    moved = data()._replace(train_values=np.nextafter(data().train_values, 0.5))
    assert recipe_of(settings, moved) == recipe
    monkeypatch.setattr(study, "_TILE", 7)
    assert recipe_of(settings, data()) == recipe


def test_it_does_not_depend_on_the_threads_of_blas():
    found = set()
    for threads in ("1", "2"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environment)
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.parametrize("name", TASKS)
def test_the_committed_runs_count_as_done(name):
    task = TASKS[name]
    try:
        loaded = task.load()
    except CimError as error:
        pytest.skip(str(error))
    runs = [json.loads(line) for line in RUNS.read_text().splitlines()]
    of_task = [run for run in runs if run["task"] == name]
    assert missing_rules(of_task, recipe_of(task.settings, loaded), range(10)) == []
