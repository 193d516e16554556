"""Groups of options: a command takes objects, its help and its call have single options."""

import inspect
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
import typer
from typer.testing import CliRunner

from pyspice_cim.cli import COMMANDS, app
from pyspice_cim.cli.options import grouped


@dataclass(frozen=True, kw_only=True)
class Size:
    PANEL: ClassVar[str] = "Size of a thing"

    wide: Annotated[int, typer.Option(help="Width.")] = 3
    name_of_it: Annotated[str | None, typer.Option("--called", help="Name.")] = None


def small_app(seen: list[Any]) -> typer.Typer:
    small = typer.Typer()

    @small.command()
    @grouped
    def command(first: Annotated[str, typer.Argument()], size: Size, fast: bool = False) -> None:
        """Do it."""
        seen.append((first, size, fast))

    return small


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a"], ("a", Size(), False)),
        (["a", "--wide", "7", "--called", "x", "--fast"], ("a", Size(wide=7, name_of_it="x"), True)),
    ],
)
def test_the_options_of_a_group_become_an_object(arguments, expected):
    seen: list[Any] = []
    ran = CliRunner().invoke(small_app(seen), arguments)
    assert ran.exit_code == 0, ran.output
    assert seen == [expected]


def test_the_help_has_the_group_and_its_defaults():
    shown = CliRunner().invoke(small_app([]), ["--help"], env={"COLUMNS": "100"}).output
    assert "Size of a thing" in shown and "--wide" in shown and "[default: 3]" in shown and "--called" in shown
    assert "--name-of-it" not in shown


def functions():
    root = typer.main.get_command(app)
    for name in COMMANDS:
        command = root.get_command(typer.Context(root), name)
        yield from getattr(command, "commands", {name: command}).values()


@pytest.mark.parametrize("command", [*functions()], ids=lambda command: command.name)
def test_no_command_function_has_many_parameters(command):
    """What belongs together is a group: no function has more than ten parameters."""
    # click wraps the callback once more; the function as it was written stands behind all wrappers.
    assert len(inspect.signature(inspect.unwrap(command.callback)).parameters) <= 10


@pytest.mark.parametrize("command", [*functions()], ids=lambda command: command.name)
def test_every_option_has_a_help(command):
    assert [each.name for each in command.params if not getattr(each, "help", "")] == []
