"""``technology fit`` and ``technology show``, as a person types them."""

import json
import runpy
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pyspice_cim.cli.technology import app
from pyspice_cim.errors import TechnologyError

RUNNER = CliRunner()
ROOT = Path(__file__).parents[2]


def test_show_prints_measured_figures_beside_targets() -> None:
    result = RUNNER.invoke(app, ["show", "generic45lp"], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    row = next(line for line in result.output.splitlines() if "nmos_ion " in line)
    assert "519 uA/um" in row
    assert "computed" in row


def test_show_json_is_plain_data_and_compares_at_nominal_only() -> None:
    nominal = json.loads(RUNNER.invoke(app, ["show", "generic65", "--json"]).output)
    assert nominal["figures"]["fo4"]["target"]["value"] == pytest.approx(20e-12)
    assert nominal["synthetic_corner"] is False
    hot = json.loads(
        RUNNER.invoke(app, ["show", "generic65", "--json", "--corner", "ss", "--temperature", "125"]).output
    )
    assert hot["synthetic_corner"] is True
    assert "target" not in hot["figures"]["fo4"]
    assert hot["figures"]["fo4"]["value"] > nominal["figures"]["fo4"]["value"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_show_draws_a_figure(tmp_path: Path, suffix: str) -> None:
    picture = tmp_path / f"curves.{suffix}"
    result = RUNNER.invoke(app, ["show", "generic45lp", "--figure", str(picture)])
    assert result.exit_code == 0, result.output
    assert picture.stat().st_size > 10_000
    assert list(tmp_path.iterdir()) == [picture]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nothing"], "no technology 'nothing'"),
        (["show", "generic45lp", "--vdd", "5"], "vdd = 5 V is outside the range"),
        (["show", "generic45lp", "--corner", "xx"], "no corner 'xx'"),
        (["show", "generic45lp", "--figure", "curves.txt"], "ends in .png, .pdf or .svg"),
        (["fit", "nothing"], "no targets 'nothing'"),
    ],
)
def test_errors_reach_the_caller(arguments: list[str], message: str) -> None:
    result = RUNNER.invoke(app, arguments)
    assert isinstance(result.exception, TechnologyError)
    assert message in str(result.exception)


def test_fit_writes_two_files_that_show_takes(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["fit", "generic65", "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generic65.cards", "generic65.toml"]
    assert RUNNER.invoke(app, ["show", str(tmp_path / "generic65.toml"), "--json"]).exit_code == 0


def test_a_missed_target_writes_nothing_unless_kept(tmp_path: Path) -> None:
    text = (ROOT / "pyspice_cim/technology/builtin/targets/generic65.toml").read_text()
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text.replace("ieff = {value = 447", "ieff = {value = 150").replace('"generic65"', '"mine"', 1))
    output = tmp_path / "out"
    output.mkdir()
    refused = RUNNER.invoke(app, ["fit", str(wrong), "--output", str(output)])
    assert isinstance(refused.exception, TechnologyError)
    assert "nmos ieff" in str(refused.exception)
    assert list(output.iterdir()) == []
    kept = RUNNER.invoke(app, ["fit", str(wrong), "--output", str(output), "--keep"])
    assert kept.exit_code == 0
    assert len(list(output.iterdir())) == 2


def test_the_figure_script_draws(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / "characterization/figures/technology.py"))
    picture = script["main"](["generic65", str(tmp_path / "curves.pdf"), "--corner", "fs"])
    assert picture.stat().st_size > 5_000
