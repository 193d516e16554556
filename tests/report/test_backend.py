"""Drawing leaves matplotlib as it was: the backend of a notebook stays, and pyplot is not imported."""

import os
import subprocess
import sys

import pytest

DRAW = """
import importlib, pkgutil, sys

import matplotlib

before = dict(matplotlib.rcParams)
import pyspice_cim.report

for module in pkgutil.iter_modules(pyspice_cim.report.__path__):
    importlib.import_module(f"pyspice_cim.report.{module.name}")

from pyspice_cim.report.table_figure import draw_table
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table

table = load_table(shipped("reference", "generic45lp.h5"))
draw_table(table, "sram6t_read_energy", sys.argv[1], against="rows", processes=["tt"], vdd=1.1, temperature_c=27.0)
assert "matplotlib.pyplot" not in sys.modules
assert dict(matplotlib.rcParams) == before
print(matplotlib.get_backend())
"""


@pytest.mark.parametrize("backend", ["svg", "pdf"])
def test_importing_and_drawing_keep_the_backend(tmp_path, backend):
    picture = tmp_path / "picture.png"
    done = subprocess.run(
        [sys.executable, "-c", DRAW, str(picture)],
        env=os.environ | {"MPLBACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [backend]
    assert picture.stat().st_size > 1000
