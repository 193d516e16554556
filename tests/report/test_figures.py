"""Every figure script runs alone, from a report or a table, and writes a picture that is not empty."""

import json
import runpy
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from pyspice_cim.behavioral.macro.network import Network
from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.characterization.benches.waveforms import NODES, ColumnWaveforms
from pyspice_cim.report.membranes import draw_membranes, membrane_traces
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    from pyspice_cim.reproduce import state_update_curve

    table, network = load_table(shipped("reference", "generic45lp.h5")), load_network(shipped("networks", "digits.h5"))
    simulated = Network(network, table)
    spikes = (np.random.default_rng(1).random((network.steps, 4, network.shape[0])) < 0.1).astype(np.uint8)
    content = {
        "technology": table.technology,
        **simulated.run(spikes, np.zeros(4, dtype=int)).to_dict(),
        "state_update_s": state_update_curve(simulated),
    }
    path = tmp_path_factory.mktemp("report") / "report.json"
    path.write_text(json.dumps(content))
    return path


def run_script(monkeypatch, script, *arguments):
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
    runpy.run_path(str(script), run_name="__main__")


def assert_drawn(path):
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > 300 and picture.shape[1] > 500
    # Something is drawn in each quarter: no panel is empty.
    half, middle = picture.shape[0] // 2, picture.shape[1] // 2
    for quarter in (picture[:half, :middle], picture[:half, middle:], picture[half:, :middle], picture[half:, middle:]):
        assert (quarter[..., :3].min(axis=-1) < 0.5).mean() > 0.002


@pytest.mark.parametrize("name", ["energy", "state_update"])
def test_figures_from_a_report(monkeypatch, tmp_path, report, name):
    out = tmp_path / f"{name}.png"
    run_script(monkeypatch, ROOT / "behavioral" / "figures" / f"{name}.py", "--report", report, "--out", out)
    assert_drawn(out)
    first = out.read_bytes()
    run_script(monkeypatch, ROOT / "behavioral" / "figures" / f"{name}.py", "--report", report, "--out", out)
    assert out.read_bytes() == first


def test_membranes(monkeypatch, tmp_path):
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    run_script(monkeypatch, ROOT / "behavioral" / "figures" / "membranes.py", "--out", tmp_path / "m.png")
    assert_drawn(tmp_path / "m.png")


@pytest.mark.parametrize("name", ["digits.h5", "spoken_digits.h5"])
def test_membrane_traces_are_those_of_the_reference(name):
    network = load_network(shipped("networks", name))
    spikes = (np.random.default_rng(4).random((network.steps, 1, network.shape[0])) < 0.2).astype(np.uint8)
    trains, traces = membrane_traces(network, spikes[:, 0])
    reference = run_integer(layers_of(network), spikes)
    for train, expected in zip(trains[1:], reference.spikes, strict=True):
        np.testing.assert_array_equal(train, expected[:, 0])
    np.testing.assert_array_equal(traces[-1], reference.membranes[-1][0])


def test_the_membrane_figure_of_a_recurrent_network(tmp_path):
    network = load_network(shipped("networks", "spoken_digits.h5"))
    draw_membranes(network, np.ones((network.steps, network.shape[0]), np.uint8), tmp_path / "m.png")
    assert_drawn(tmp_path / "m.png")


def test_the_overview_of_the_readme(monkeypatch, tmp_path, report):
    """The script draws a demo's folder; the waveforms are made up here, since ``test_waveforms`` simulates a column."""
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    time = np.linspace(0.0, 4e-9, 400)
    waves = ColumnWaveforms(
        time=time,
        nodes={name: 0.55 + 0.55 * np.sin(3e9 * (k + 1) * time) for k, name in enumerate(NODES)},
        operations=["decay", "fire"],
        operation_ends=np.array([2e-9, 4e-9]),
        words=[1, 2],
        flags=[0, 1],
        cycle=2e-10,
        bits=10,
        vdd=1.1,
        title="made up",
    )
    monkeypatch.setattr("pyspice_cim.characterization.benches.waveforms.column_waveforms", lambda *_: waves)
    (tmp_path / "table.h5").write_bytes(shipped("reference", "generic45lp.h5").read_bytes())
    (tmp_path / "report.json").write_text(report.read_text())
    run_script(monkeypatch, ROOT / "docs" / "overview.py", "--demo", tmp_path, "--out", tmp_path / "o.png")
    assert_drawn(tmp_path / "o.png")


def test_waveforms_of_a_real_column(monkeypatch, tmp_path):
    run_script(monkeypatch, ROOT / "characterization" / "figures" / "waveforms.py", "--out", tmp_path / "w.png")
    assert_drawn(tmp_path / "w.png")
