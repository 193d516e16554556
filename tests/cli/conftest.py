"""The command line run as the program runs it, in this process: ``main`` with arguments, what it printed, its status."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pyspice_cim.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command left: exit status, stdout, stderr."""

    status: int
    out: str
    err: str


@pytest.fixture
def cim(monkeypatch, capfd) -> Callable[..., Ran]:
    """``cim("simulate", "--samples", "3")`` runs a command; an exception that reaches us is a traceback for a user."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["pyspice-cim", *(str(argument) for argument in arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capfd.readouterr()
        return Ran(int(stopped.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or fills the user's cache."""
    monkeypatch.setenv("PYSPICE_CIM_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def fake_ngspice(tmp_path, monkeypatch) -> Callable[[str], None]:
    """Put a shell script in the place of ngspice: it answers ``--version``, and does what it is told to on decks."""

    def install(script: str, version: str = "echo '** ngspice-39 : fake'") -> None:
        program = tmp_path / "ngspice"
        program.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then\n{version}\nexit 0\nfi\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("NGSPICE", str(program))

    return install
