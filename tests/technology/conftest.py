import shutil
from pathlib import Path

import pytest

from pyspice_cim.technology.loader import builtin_folder


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The TOML of generic45lp in a folder of its own, to be spoilt."""
    for name in ("generic45lp.toml", "generic45lp.cards"):
        shutil.copy(builtin_folder() / name, tmp_path / name)
    return tmp_path / "generic45lp.toml"
