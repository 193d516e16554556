"""The README's example runs as it stands, its commands are commands, its paths are there."""

import re
import shlex
from pathlib import Path

import typer

from pyspice_cim.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_python_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = [line for line in example.splitlines() if line.strip() and not line.startswith("#")]
    assert len(code) <= 24, "the README promises a short example"
    values: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), values)
    assert "accuracy" in capsys.readouterr().out
    assert values["fired"].tolist() == [1, 0]


def test_the_commands_exist():
    """Every ``pyspice-cim`` line names a command, and options that the command has."""
    root = typer.main.get_command(app)
    context = typer.Context(root)
    lines = re.findall(r"`(pyspice-cim [^`]+)`", README)
    assert len(lines) >= 6
    for line in lines:
        _, name, *rest = shlex.split(line)
        command = root.get_command(context, name)
        assert command is not None, line
        if rest and not rest[0].startswith("-") and hasattr(command, "commands"):
            command = command.commands[rest.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= known, line


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\bmake ([a-z-]+)", (ROOT / page).read_text()):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE) or target in ("a", "them"), (page, target)


def test_the_paths_exist():
    for page in ("README.md", "CONTRIBUTING.md"):
        for path in re.findall(r"`([a-z_]+/[A-Za-z0-9_./-]*)`", (ROOT / page).read_text()):
            assert (ROOT / path).exists() or (ROOT / "pyspice_cim" / path).exists(), (page, path)
