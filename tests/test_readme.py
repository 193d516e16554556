"""README and docs: the examples run as they stand, the commands are commands, paths and links lead somewhere."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
from scipy.stats import binomtest

from pyspice_cim.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MORE_PAGES = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
# Files that a reader of a page has, and the repository has not.
READERS_OWN = ("build/",)


def name_of(page):
    return str(page.relative_to(ROOT)) if isinstance(page, Path) else None


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


EXAMPLES = [(page, number) for page in PAGES for number in range(len(blocks(page, "python")))]


def test_the_readme_fits_its_limit():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 120
    first_screen = "\n".join(lines[:30])
    assert all(word in first_screen for word in ("![", "accuracy", "energy", "SPICE", "make demo", "make test"))


def test_every_page_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert [page for page in PAGES[1:] if f"(docs/{page.name})" not in readme] == []


@pytest.mark.parametrize(("page", "number"), EXAMPLES, ids=name_of)
def test_the_python_examples_run(page, number, capsys, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYSPICE_CIM_CACHE", str(tmp_path_factory.mktemp("cache")))
    example = blocks(page, "python")[number]
    code = [line for line in example.splitlines() if line.strip() and not line.startswith("#")]
    assert len(code) <= 24, "the pages promise short examples"
    values: dict[str, object] = {}
    exec(compile(example, page.name, "exec"), values)
    printed = capsys.readouterr().out
    assert ("print" in example) == bool(printed)
    if page.name == "README.md":
        assert "accuracy" in printed
    if "fired" in values:
        assert values["fired"].tolist() == [1, 0]


def test_toml_blocks_are_toml():
    texts = [text for page in PAGES for text in blocks(page, "toml")]
    assert texts
    for text in texts:
        tomllib.loads(text)


def command_lines(page):
    text = page.read_text()
    shell = [line.partition("#")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    inline = re.findall(r"`((?:pyspice-cim|make|python) [^`]+)`", text)
    return [line for line in (*shell, *inline) if line]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_commands_exist(page):
    """Every command is known: ``pyspice-cim`` with its options, a target of make, a script, ngspice or pip."""
    makefile = (ROOT / "Makefile").read_text()
    for line in command_lines(page):
        program, *rest = shlex.split(line)
        if program == "pyspice-cim":
            check_options(line)
        elif program == "make":
            assert re.search(rf"^{rest[0]}:", makefile, re.MULTILINE), line
        elif program == "python":
            assert (ROOT / rest[0]).is_file(), line
        else:
            assert program in ("ngspice", "pip"), line


def check_options(line):
    root = typer.main.get_command(app)
    _, name, *rest = shlex.split(line)
    command = root.get_command(typer.Context(root), name)
    assert command is not None, line
    if rest and not rest[0].startswith("-") and hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("-")} <= known, line


def test_the_readme_shows_every_command():
    from pyspice_cim.cli import COMMANDS

    lines = command_lines(ROOT / "README.md")
    assert all(any(line.startswith(f"pyspice-cim {name}") for line in lines) for name in COMMANDS)


@pytest.mark.parametrize("page", MORE_PAGES, ids=name_of)
def test_the_make_targets_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)", page.read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", MORE_PAGES, ids=name_of)
def test_the_paths_exist(page):
    for path in re.findall(r"`([a-z_]+/[A-Za-z0-9_./-]*)`", page.read_text()):
        found = (ROOT / path).exists() or (ROOT / "pyspice_cim" / path).exists()
        assert found or path.startswith(READERS_OWN), path


@pytest.mark.parametrize("page", MORE_PAGES, ids=name_of)
def test_the_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}, link


def test_the_accuracy_against_cycle_is_that_of_the_file():
    """The table of docs/limits.md has the numbers of docs/faults.json."""
    page = (ROOT / "docs" / "limits.md").read_text()
    points = json.loads((ROOT / "docs" / "faults.json").read_text())["points"]
    rows = re.findall(r"\| ([\d.]+) ns \| ([\d.]+) % \| ([\d.]+) to ([\d.]+) % \|", page)
    assert len(rows) == 3
    for cycle, *printed in rows:
        (point,) = (
            each
            for each in points
            if each["point"]["vdd"] == 1.11 and abs(each["point"]["cycle"] - 1e-9 * float(cycle)) < 1e-12
        )
        for text, name in zip(printed, ("accuracy", "low", "high"), strict=True):
            assert abs(float(text) - 100 * point[name]) <= 0.051, (cycle, name)


def test_the_numbers_of_the_readme_are_those_of_the_demo():
    """docs/demo.json is the ``report.json`` of a run of ``make demo``; README and docs/limits.md quote it."""
    report, readme = json.loads((ROOT / "docs" / "demo.json").read_text()), (ROOT / "README.md").read_text()
    cosim, right = report["cosim"], round(report["accuracy"] * report["samples"])
    interval = [100 * each for each in binomtest(right, report["samples"]).proportion_ci()]
    for text in (
        f"{100 * report['accuracy']:.2f} %",
        f"{right} of {report['samples']} held-out",
        f"{interval[0]:.1f} to {interval[1]:.1f} %",
        f"{1e9 * report['energy_per_inference_j']:.2f} nJ",
        f"{1e12 * report['energy_per_sop_j']:.3f} pJ per SOP",
        f"{100 * report['calibration_residual_rms']:.1f} % RMS",
        f"{cosim['bits_wrong']} of {cosim['bits_compared']} bits wrong",
        f"{cosim['operations']} operations of a macro",
        f"{cosim['energy_error_mean_pct']:.2f} % mean, {cosim['energy_error_max_pct']:.2f} % largest",
        f"latency: {cosim['latency_error_pct']:.2f} %",
    ):
        assert text in readme, text
    limits, energy = " ".join((ROOT / "docs" / "limits.md").read_text().split()), "state_update_energy_per_inference_j"
    for text in (
        " and ".join(f"{1e9 * cycle:.2f}" for cycle in report["cycle_s"]) + " ns",
        f"{1e12 * report[energy]['parallel']:.0f} pJ in the array",
        f"{1e12 * report[energy]['sequential']:.0f} pJ in the sequential",
    ):
        assert text in limits, text
