"""A name out of a file is that of a built-in technology, or an error; no other file is looked at."""

import shutil
from pathlib import Path

import pytest

from pyspice_cim.errors import TechnologyError
from pyspice_cim.technology import builtin_technologies, builtin_technology, load_technology
from pyspice_cim.technology.loader import builtin_folder


@pytest.fixture
def beside(tmp_path, monkeypatch) -> Path:
    """The working folder, with a technology under names that a file might give."""
    for place in ("", "a/", "targets/"):
        (tmp_path / place).mkdir(exist_ok=True)
        for file in builtin_folder().glob("generic45lp*"):
            shutil.copy(file, tmp_path / place)
        shutil.copy(builtin_folder() / "generic45lp.toml", tmp_path / place / "evil.toml")
    (tmp_path / "a" / "here").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    return tmp_path


@pytest.mark.parametrize("name", builtin_technologies())
def test_a_built_in_name(name):
    assert builtin_technology(name, check_files=False) == load_technology(name, check_files=False)


@pytest.mark.parametrize(
    "name",
    [
        "evil.toml",
        "evil",
        "generic45lp.toml",
        "../evil.toml",
        "../a/generic45lp",
        "./generic45lp",
        "here/../generic45lp",
        "targets/generic45lp",
        "generic45lp/",
        "generic45lp\0",
        "generic45lp\0.toml",
        "generic45lp\n",
        "GENERIC45LP",
        "~/generic45lp",
        "*",
        ".",
        "",
    ],
)
def test_a_name_that_is_none(beside, name, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda self, **how: pytest.fail(f"{self} was read"))
    with pytest.raises(TechnologyError, match="there is no technology .*; built in: generic45lp"):
        builtin_technology(name)


def test_a_path_to_a_built_in_one_is_a_path(beside):
    assert load_technology("evil.toml").name == "generic45lp"
    with pytest.raises(TechnologyError):
        builtin_technology(str(builtin_folder() / "generic45lp.toml"))
