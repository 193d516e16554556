"""Without PyTorch, training says what to install, and nothing else needs it."""

import subprocess
import sys

CODE = """
import sys
sys.modules["torch"] = None
import pyspice_cim.behavioral.network.file, pyspice_cim.behavioral.network.reference
from pyspice_cim.errors import MissingDependencyError
try:
    import pyspice_cim.training.fit
except MissingDependencyError as error:
    print(error)
"""


def test_the_error_says_what_to_install():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "training needs PyTorch; install it with: pip install 'pyspice-cim[train]'"
