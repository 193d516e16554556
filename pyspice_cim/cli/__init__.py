"""The command line: ``pyspice-cim technology | netlist | characterize | table | explain | simulate | validate | doctor``.

Each command is one file. The file is imported when the command runs. So ``doctor`` works where dependencies are missing, and
``simulate`` needs neither PySpice nor ngspice.
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

# Python's own format of a warning.
_format_warning = warnings.formatwarning

# Errors of the system for a path that it does not open.
_REFUSED_PATHS = (errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM)
# Errors of the system when there is no room to write; they name no path.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Commands(typer.core.TyperGroup):
    """The commands; the file of a command is imported when the command is asked for."""

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
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From transistors to a classified digit: SRAM compute-in-memory macros that run LD-LIF spiking networks.

    A technology makes netlists. characterize runs them in ngspice and writes a table. simulate runs a network on macros
    that the table calibrates. validate compares the model with the transistors, bit by bit.

    New here? Start with: pyspice-cim doctor
    """


def main() -> None:
    """Run the command line.

    An error that a user can correct is one line on stderr, with exit status 2. Ctrl-C is exit status 130.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The name of a file may hold bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    # Warnings of libraries and tracebacks may quote text of a foreign file, too.
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
        # The user can correct a path that the system refuses, in any command.
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
        # click turns Ctrl-C into this status and prints nothing.
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
    """Run the command, and write its output before the interpreter ends."""
    try:
        try:
            app(prog_name="pyspice-cim")
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        _drop_unwritable()
        if error.errno == errno.EPIPE:
            # The reader of the output, e.g. head, has closed it.
            sys.exit(1)
        raise


def _drop_unwritable() -> None:
    """Drop output that cannot be written; else the interpreter would try again at its end, and print an error."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted() -> None:
    print("interrupted: finished simulations are cached, so the same command goes on from here", file=sys.stderr)
    sys.exit(130)


def _missing(error: ModuleNotFoundError) -> MissingDependencyError:
    """The error for a dependency that is not installed. A missing part of this package is a defect: it is raised again."""
    if (error.name or "").partition(".")[0] == "pyspice_cim":
        raise error
    return MissingDependencyError(
        f"the Python package {error.name} is not installed; `pyspice-cim doctor` says what is missing and how to install it"
    )
