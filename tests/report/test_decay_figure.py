"""The figure of the study of decay rules is drawn from plain results."""

import pytest
from matplotlib.image import imread

from pyspice_cim.report.decay_figure import draw_decay_study


def results(tasks):
    rows = [
        {"decay": decay, "numbers": numbers, "mean": 0.9}
        for decay in ("exponential", "toward_zero")
        for numbers in ("real", "integer")
    ]
    found = {decay: {"real": [0.9, 0.91], "integer": [0.88, 0.9]} for decay in ("exponential", "toward_zero")}
    return {"tasks": {name: {"title": f"Task {name}, 3-2-1", "summary": rows, "accuracies": found} for name in tasks}}


@pytest.mark.parametrize("tasks", [["a"], ["a", "b", "c"]])
def test_a_panel_for_each_task(tmp_path, tasks):
    draw_decay_study(results(tasks), tmp_path / "decay.png")
    height, width, _ = imread(tmp_path / "decay.png").shape
    assert width / height == pytest.approx(max(5.0, 3.4 * len(tasks)) / 4.4, rel=0.01)
