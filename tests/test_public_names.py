"""The public names are there, and the behavioral half lives without PySpice and ngspice."""

import subprocess
import sys

import pytest

import pyspice_cim

WITHOUT_CIRCUITS = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "PySpice":
            raise ModuleNotFoundError("No module named 'PySpice'", name="PySpice")

sys.meta_path.insert(0, Blocked())

import numpy as np
from pyspice_cim import Encoder, Layer, LDLIFParams, Network, NetworkFile, load_table, shipped

rng = np.random.default_rng(1)
layer = Layer(weights=rng.integers(-8, 8, (16, 4)), weight_bits=4, params=LDLIFParams(lambda_=1, theta=20))
network = NetworkFile(layers=(layer,), steps=5, encoder=Encoder(kind="regular", max_rate=0.5))
report = Network(network, load_table(shipped("reference", "generic45lp.h5"))).run(
    network.encoder.encode(rng.random((3, 16)), network.steps)
)
assert report.energy > 0 and report.samples == 3
assert "pyspice_cim.characterization" not in sys.modules
try:
    from pyspice_cim import characterize
except ModuleNotFoundError as error:
    assert error.name == "PySpice"
else:
    raise AssertionError("PySpice was not blocked")
"""


@pytest.mark.parametrize("name", pyspice_cim.__all__)
def test_every_public_name_is_there(name):
    assert getattr(pyspice_cim, name) is not None
    assert name in dir(pyspice_cim)


def test_public_names_are_said_once():
    assert set(pyspice_cim._HOMES) == set(pyspice_cim.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pyspice_cim.nothing


def test_importing_the_package_imports_nothing_else():
    code = "import sys, pyspice_cim; assert not [m for m in sys.modules if m.split('.')[0] in ('numpy', 'PySpice', 'rich')]"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_network_runs_without_pyspice_and_ngspice(tmp_path):
    environment = {"PATH": "", "NGSPICE": "/nonexistent", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CIRCUITS], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
