"""The hash of sources: every module that counts is in it, none that does not, and nothing of the machine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyspice_cim
from pyspice_cim.characterization.spice import sources
from pyspice_cim.characterization.spice.simulation import Simulation
from pyspice_cim.characterization.spice.sources import sources_sha256
from pyspice_cim.netlists.deck import Deck

PACKAGE = Path(pyspice_cim.__file__).parent
HASH = """
import sys
sys.path.insert(0, {folder!r})
import {first}
from pyspice_cim.characterization.spice.simulation import Simulation
from pyspice_cim.netlists.deck import Deck
assert sys.modules["pyspice_cim"].__file__.startswith({folder!r})
for module in ("benches.sram8t:reduce_leakage", "benches.decoder:reduce_energy"):
    print(Simulation(deck=Deck(text="x"), reducer="pyspice_cim.characterization." + module).key("v1"))
"""


@pytest.fixture
def copied(tmp_path):
    """A copy of the package in another folder, and a function: two keys that it gives with ``first`` imported first."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "pyspice_cim", ignore=ignored)

    def keys(first: str = "pyspice_cim") -> list[str]:
        script = HASH.format(folder=str(tmp_path), first=first)
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
        assert not ran.returncode, ran.stderr
        return ran.stdout.split()

    return tmp_path / "pyspice_cim", keys


def test_a_helper_that_changes_changes_the_keys_of_all_that_import_it(copied):
    package, keys = copied
    before = keys()
    # Neither where the package lies nor what is imported first matters.
    simulations = [
        Simulation(deck=Deck(text="x"), reducer=f"pyspice_cim.characterization.{reducer}")
        for reducer in ("benches.sram8t:reduce_leakage", "benches.decoder:reduce_energy")
    ]
    assert before == [each.key("v1") for each in simulations] == keys("pyspice_cim.characterization.plans.sweep")
    unrelated = (
        "characterization/variation/montecarlo.py",
        "characterization/plans/forecast.py",
        "cli/table.py",
        "behavioral/macro/macro.py",
    )
    for files, changed in (
        (["characterization/spice/measure.py"], [True, True]),
        (["characterization/spice/ngspice.py"], [True, True]),
        (["netlists/cells/decoder.py"], [False, True]),
        (unrelated, [False, False]),
    ):
        texts = {package / file: (package / file).read_bytes() for file in files}
        for path, text in texts.items():
            path.write_bytes(text + b"\n# changed\n")
        assert [new != old for new, old in zip(keys(), before, strict=True)] == changed, files
        for path, text in texts.items():
            path.write_bytes(text)


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for parent in path.relative_to(folder).parents:
            (folder / parent / "__init__.py").touch()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A package of few modules in the place of this one."""
    write(
        tmp_path / "small",
        top="import small.plain\nfrom small.a import b\nfrom .rel import x\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import small.types\nelse:\n    import small.other\n"
        "def f():\n    try:\n        import small.late as late\n    except ImportError:\n        from small import fallback\n",
        plain="import small.top\nimport numpy\n",
        a__b="from ..deep.c import C\n",
        deep__c="C = 1\n",
        **dict.fromkeys(("rel", "types", "other", "late", "fallback", "unused"), "x = 1\n"),
    )
    monkeypatch.setattr(sources, "_NAME", "small")
    monkeypatch.setattr(sources, "_FOLDER", tmp_path / "small")
    for cached in (sources.read_module, sources.module_path):
        cached.cache_clear()
    yield
    for cached in (sources.read_module, sources.module_path):
        cached.cache_clear()


def test_what_counts_is_what_runs(small):
    found = {name.removeprefix("small").lstrip(".") for name in sources.closure(("small.top",))}
    # A ring of imports ends; what is for type checkers alone, or of another package, is not there.
    assert found == {"", "top", "plain", "a", "a.b", "deep", "deep.c", "rel", "other", "late", "fallback"}


def test_a_reducer_of_another_package_counts_with_what_it_imports_of_this_one():
    found = sources.closure((__name__,))
    assert {__name__, "pyspice_cim.characterization.spice.sources", "pyspice_cim.netlists.deck"} <= set(found)
    assert "pyspice_cim.characterization.engine.engine" not in found
    assert sources_sha256(__name__) != sources_sha256("pyspice_cim.errors")
