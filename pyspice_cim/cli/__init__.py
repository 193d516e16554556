"""The command line: ``pyspice-cim technology | netlist | characterize | table | explain | simulate | validate | doctor``.

Each command is a file of its own, which is imported when it is asked for: ``doctor`` works where half of the dependencies are
missing, and ``simulate`` needs neither PySpice nor ngspice.
"""

import contextlib
import errno
import importlib
import io
import os
import sys
import traceback
import warnings
from types import TracebackType
from typing import Annotated, Any

import typer

from pyspice_cim import __version__
from pyspice_cim.errors import CimError, MissingDependencyError
from pyspice_cim.terminal import visible

# In the order in which a newcomer meets them.
COMMANDS = ("technology", "netlist", "characterize", "table", "explain", "validate", "simulate", "doctor")

# As Python has it.
_format_warning = warnings.formatwarning

# What the system says of a path that it will not even look at.
_REFUSED_PATHS = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM)
# What it says, without naming a path, where there is no room for what is written.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Commands(typer.core.TyperGroup):
    """The commands, each imported on demand."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"pyspice_cim.cli.{cmd_name}")
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pyspice-cim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """From transistors to a classified digit: SRAM compute-in-memory macros that run LD-LIF spiking networks.

    A technology makes netlists; characterize runs them in ngspice and writes a table; simulate runs a network on macros
    calibrated by that table; validate holds the model against the transistors, bit by bit.

    New here? Start with: pyspice-cim doctor
    """


def main() -> None:
    """Run the command line; errors that a user can mend are one line on stderr and exit status 2, Ctrl-C is 130."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may hold bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    # What libraries warn of, and a defect, may quote a file as well.
    warnings.formatwarning = _warning
    sys.excepthook = _defect
    try:
        _run()
    except CimError as error:
        _print_error(error)
        sys.exit(error.exit_status)
    except ModuleNotFoundError as error:
        missing = _missing(error)
        _print_error(missing)
        sys.exit(missing.exit_status)
    except OSError as error:
        # A path that the system refuses to look at is the user's to mend, whichever command meets it first.
        if error.errno in _REFUSED_PATHS and error.filename is not None:
            message = f"{error.filename}: {error.strerror}; give another path"
        elif error.errno in _NO_ROOM and error.filename is None:
            message = f"what is printed, or a temporary file, cannot be written: {error.strerror}; make room"
        else:
            raise
        with contextlib.suppress(OSError):
            _print_error(message)
        sys.exit(CimError.exit_status)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as stop:
        # The library underneath turns Ctrl-C into this status, without a word.
        if stop.code == 130:
            _interrupted()
        raise


def _print_error(error: object) -> None:
    print(visible(f"error: {error}"), file=sys.stderr)


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return visible(_format_warning(message, category, filename, lineno, line))


def _defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    print(visible("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def _run() -> None:
    """Run the command; its output is written when this ends, and not as the interpreter does."""
    try:
        try:
            app(prog_name="pyspice-cim")
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        _drop_unwritable()
        if error.errno == errno.EPIPE:
            # Whoever reads has seen enough, e.g. head.
            sys.exit(1)
        raise


def _drop_unwritable() -> None:
    """Let output go that cannot be written, or the interpreter would try again at its end, and complain."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted() -> None:
    print("interrupted: what was simulated so far is cached, the same command goes on from there", file=sys.stderr)
    sys.exit(130)


def _missing(error: ModuleNotFoundError) -> MissingDependencyError:
    """The error for a dependency that is not installed; a missing part of this package stays what it is, a defect."""
    if (error.name or "").partition(".")[0] == "pyspice_cim":
        raise error
    return MissingDependencyError(
        f"the Python package {error.name} is not installed; `pyspice-cim doctor` says what is missing and how to install it"
    )
