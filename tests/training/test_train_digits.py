"""The script that trains the shipped network."""

import importlib.util
import re
from pathlib import Path

import pytest

from pyspice_cim.behavioral.network.file import load_network

pytest.importorskip("torch")
pytest.importorskip("sklearn")

SCRIPT = Path(__file__).resolve().parents[2] / "behavioral" / "train_digits.py"


def script():
    spec = importlib.util.spec_from_file_location("train_digits", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_short_run_writes_a_network_and_says_how_good_it_is(tmp_path, capsys):
    path = tmp_path / "net.h5"
    assert script().main(["--epochs", "1", "--hidden", "8", "--steps", "5", "--output", str(path)]) == 0
    network = load_network(path)
    assert (network.shape, network.steps) == ((64, 8, 10), 5)
    right = re.search(r"64-8-10: (\d+) of 597 held-out images right", capsys.readouterr().out)[1]
    assert network.meta["accuracy"] == f"{right}/597"


def test_validation_judges_on_training_images_and_writes_nothing(tmp_path, capsys):
    path = tmp_path / "net.h5"
    assert script().main(["--epochs", "1", "--steps", "5", "--validate", "--output", str(path)]) == 0
    assert "of 300 held-out images" in capsys.readouterr().out
    assert not path.exists()


def test_a_missing_folder_is_a_message(tmp_path, capsys):
    assert script().main(["--epochs", "1", "--steps", "2", "--output", str(tmp_path / "no" / "net.h5")]) == 2
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.slow
def test_the_defaults_reach_the_accuracy_that_is_claimed(tmp_path):
    path = tmp_path / "net.h5"
    assert script().main(["--output", str(path)]) == 0
    right, total = map(int, load_network(path).meta["accuracy"].split("/"))
    assert right >= 0.95 * total
