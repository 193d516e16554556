"""A table that somebody sent: what it says of its technology never has another file read, let alone run."""

import os
import shutil
from pathlib import Path

import h5py
import pytest

from pyspice_cim.characterization.benches.waveforms import column_waveforms
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.plans.explain import technology_of
from pyspice_cim.errors import TechnologyError
from pyspice_cim.resources import shipped
from pyspice_cim.tables import Table, load_table
from pyspice_cim.technology import loader
from pyspice_cim.validation import CosimSpec, cosimulate

REFERENCE = shipped("reference", "generic45lp.h5")
PLACE = ["driver_energy", "--vdd", 1.1, "--temperature", 27, "--at", "line_load=1e-15"]
SMALL = ["--neurons", 2, "--inputs", 4, "--membrane-bits", 4, "--steps", 1, "--vectors", 1]
# ngspice runs what follows ``*#``, and makes such a line of a subcircuit that nothing uses.
HOSTILE = ".subckt zz a b\nr#shell touch canary\n.ends\n"


@pytest.fixture
def sent(tmp_path, monkeypatch) -> Path:
    """The working folder: a table, and beside it the technology that it names."""
    for file in loader.builtin_folder().glob("generic45lp*"):
        shutil.copy(file, tmp_path)
    (tmp_path / "generic45lp.toml").rename(tmp_path / "evil.toml")
    cards = tmp_path / "generic45lp.cards"
    cards.write_text(cards.read_text() + HOSTILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def read(monkeypatch) -> list[Path]:
    """The technology files that are read from outside of the package."""
    seen: list[Path] = []
    reading = loader.read_toml

    def noted(path: Path):
        if path.parent != loader.builtin_folder():
            seen.append(path)
        return reading(path)

    monkeypatch.setattr(loader, "read_toml", noted)
    return seen


def named(folder: Path, technology: str) -> Path:
    """The reference table, with ``technology`` as its attribute."""
    table = folder / "mal.h5"
    shutil.copyfile(REFERENCE, table)
    with h5py.File(table, "r+") as file:
        file.attrs["technology"] = technology
    return table


@pytest.mark.parametrize("technology", ["evil.toml", "./evil.toml", "{folder}/evil.toml", "../evil", "evil;x", ""])
@pytest.mark.parametrize(
    "command",
    [
        ["explain", "mal.h5", *PLACE],
        ["explain", "mal.h5", *PLACE, "--decks", "decks"],
        ["explain", "mal.h5", *PLACE, "--run", "--workers", 1],
        ["validate", "--table", "mal.h5", *SMALL, "--workers", 1],
        ["simulate", "--table", "mal.h5", "--samples", 2],
        ["table", "info", "mal.h5"],
    ],
    ids=lambda command: " ".join(str(word) for word in command if word in ("--decks", "--run", *command[:1])),
)
def test_a_table_names_no_file(cim, sent, read, command, technology):
    named(sent, technology.format(folder=sent))
    before = sorted(sent.rglob("*"))
    ran = cim(*command)
    assert read == []
    assert sorted(sent.rglob("*")) == before
    assert (ran.status, ran.out) == (2, ""), ran.out
    assert "mal.h5 has an attribute technology that is no plain name" in ran.err
    assert "Traceback" not in ran.err


def test_a_plain_name_that_is_not_built_in_is_asked_for(cim, sent, read):
    named(sent, "evil")
    os.rename("evil.toml", "evil")  # noqa: PTH104
    for command in (["explain", "mal.h5", *PLACE, "--run"], ["validate", "--table", "mal.h5", *SMALL]):
        ran = cim(*command)
        assert (ran.status, ran.out) == (2, ""), ran.out
        assert "'evil', which is not built in" in ran.err and "--technology FILE.toml" in ran.err
    assert cim("simulate", "--table", "mal.h5", "--samples", 2, "--vdd", 1.1, "--temperature", 27).status == 0
    assert read == []


def test_a_table_in_memory_names_no_file(sent, read):
    table = load_table(REFERENCE)
    mine = Table(dataset=table.dataset.assign_attrs(technology="evil.toml"))
    spec = CosimSpec(neurons=2, inputs=4, weight_bits=4, membrane_bits=4, steps=1, vectors=1, seed=1)
    for use in (technology_of, lambda table: cosimulate(spec, table), lambda table: column_waveforms(table, Engine())):
        with pytest.raises(TechnologyError, match="not built in; give its file"):
            use(mine)
    assert read == []


def test_the_plan_in_a_table_names_no_file(cim, sent, read):
    """The text of the plan is read again by ``explain``; what it calls its technology is of no account."""
    table = named(sent, "generic45lp")
    with h5py.File(table, "r+") as file:
        text = file.attrs["plan_text"]
        changed = text.replace('technology = "generic45lp"', 'technology = "evil.toml"', 1)
        assert changed != text
        file.attrs["plan_text"] = changed
    ran = cim("explain", table, *PLACE, "--run", "--workers", 1)
    assert ran.status == 0 and "bit for bit" in ran.out, ran.out + ran.err
    assert read == [] and not (sent / "canary").exists()


@pytest.mark.parametrize("rows", [5000, 2**62])
def test_a_place_that_no_plan_asks_for_is_not_drawn(cim, sent, rows):
    table = named(sent, "generic45lp")
    with h5py.File(table, "r+") as file:
        file["sram6t_rows"][-1] = rows
    ran = cim("explain", table, "sram6t_read_energy", "--vdd", 1.1, "--temperature", 27, "--at", f"rows={rows}")
    assert (ran.status, ran.out) == (2, ""), ran.out
    assert f"mal.h5: sram6t_rows = {rows} is no place of a bench" in ran.err


def test_samples_that_the_plan_in_a_table_does_not_count(cim, sent):
    table = sent / "mal.h5"
    shutil.copyfile(shipped("reference", "generic45lp_variation.h5"), table)
    with h5py.File(table, "r+") as file:
        text = str(file.attrs["plan_text"])
        head, _, tail = text.partition("[monte_carlo]\n")
        lines = tail.splitlines(keepends=True)
        kept = next((at for at, line in enumerate(lines) if line.startswith("[")), len(lines))
        file.attrs["plan_text"] = head + "".join(lines[kept:])
        quantity = next(name for name in file if file[name].attrs.get("bench") in ("tail", b"tail"))
    ran = cim("explain", table, quantity, "--vdd", 1.1, "--temperature", 27, "--at", "rows=16")
    assert ran.status == 2 and "draws samples; add a table [monte_carlo]" in ran.err, ran.err
