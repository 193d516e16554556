"""Files whose names a command chooses are new, or its own: a link that somebody planted is not followed, no work is lost."""

from pathlib import Path

import pytest

from pyspice_cim.characterization.devices.fitting import DeviceFit, FitResult, write_fit
from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.plans.explain import trace_cached
from pyspice_cim.characterization.spice.simulation import Outcome
from pyspice_cim.errors import ConfigError
from pyspice_cim.reproduce import main as reproduce
from pyspice_cim.resources import shipped
from pyspice_cim.tables import load_table
from pyspice_cim.tables.origin import origin
from pyspice_cim.technology import load_technology

TABLE = shipped("reference", "generic45lp.h5")
EXPLAIN = ["explain", TABLE, "driver_energy", "--vdd", 1.1, "--temperature", 27, "--at", "line_load=1e-15"]
AGAIN = [*EXPLAIN, "--run", "--workers", 1]


def contents(folder: Path) -> dict[str, bytes | str]:
    """Name to content, or to where a link points."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture
def victim(tmp_path) -> Path:
    """A file that no command was told to write."""
    path = tmp_path / "victim"
    path.write_bytes(b"months of work")
    return path


def refused(cim, *arguments, says: str) -> None:
    ran = cim(*arguments)
    assert (ran.status, "Traceback" in ran.err) == (2, False), ran.out + ran.err
    assert says in ran.err, ran.err


def test_decks_again_are_the_same_files(cim, tmp_path):
    assert cim(*AGAIN, "--decks", tmp_path).status == 0
    before = contents(tmp_path)
    assert {Path(name).suffix for name in before} == {".cir", ".raw"}
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    for command in (AGAIN, EXPLAIN):
        assert cim(*command, "--decks", tmp_path).status == 0
    assert contents(tmp_path) == before
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}, "nothing was written again"


@pytest.mark.parametrize("suffix", [".cir", ".raw"])
@pytest.mark.parametrize("planted", ["link", "dangling", "file", "folder"])
def test_decks_and_waveforms_replace_nothing(cim, tmp_path, victim, suffix, planted):
    first, folder = tmp_path / "first", tmp_path / "decks"
    assert cim(*AGAIN, "--decks", first).status == 0
    name = next(first.glob(f"*{suffix}")).name
    folder.mkdir()
    match planted:
        case "link":
            (folder / name).symlink_to(victim)
        case "dangling":
            (folder / name).symlink_to(tmp_path / "absent")
        case "file":
            (folder / name).write_bytes(b"another file")
        case _:
            (folder / name).mkdir()
    before = contents(tmp_path)
    refused(cim, *AGAIN, "--decks", folder, says=f"cannot write {folder / name}: ")
    after = contents(tmp_path)
    assert before.items() <= after.items() and victim.read_bytes() == b"months of work"
    assert not (tmp_path / "absent").exists()


def test_decks_of_the_cache_replace_nothing(tmp_path, victim):
    table = load_table(TABLE)
    found = origin(table, "driver_energy", vdd=1.1, temperature_c=27, line_load=1e-15)
    (point,) = trace_cached(table, found, load_technology("generic45lp"), cache=Cache(tmp_path / "cache"))
    (tmp_path / f"{point.decks[0].sha256[:16]}.cir").symlink_to(victim)
    with pytest.raises(ConfigError, match="is a link to another place, which is not followed; remove it"):
        trace_cached(table, found, load_technology("generic45lp"), cache=Cache(tmp_path / "cache"), decks=tmp_path)
    assert victim.read_bytes() == b"months of work"


def test_rendered_decks_replace_decks_alone(cim, tmp_path, victim):
    folder = tmp_path / "decks"
    assert cim("netlist", "render", "--out", folder).status == 0
    before = contents(folder)
    deck = folder / "column_fire.cir"
    deck.write_text("* of an older release\n.end\n")
    assert cim("netlist", "render", "--out", folder).status == 0
    assert contents(folder) == before
    deck.write_bytes(b"months of work")
    refused(cim, "netlist", "render", "--out", folder, says="column_fire.cir: a file of that name is there that this")
    assert deck.read_bytes() == b"months of work"
    deck.unlink()
    deck.symlink_to(victim)
    refused(cim, "netlist", "render", "--out", folder, says="column_fire.cir: it is a link")
    assert victim.read_bytes() == b"months of work"


MADE = "Made by `pyspice-cim technology fit` from the targets file; edit that and fit again."


@pytest.fixture
def fitted() -> FitResult:
    """A fit of a targets file that calls itself ``pyproject``."""
    fit = DeviceFit(parameters={}, figures={}, evaluations=1)
    return FitResult(
        name="pyproject",
        cards=f"* pyproject: source\n* {MADE}\n",
        toml=f"# {MADE}\n\n",
        fits={"nmos": fit},
        missed=(),
        seconds=1.0,
    )


@pytest.mark.parametrize("name", ["pyproject.toml", "pyproject.cards"])
def test_a_fit_replaces_fits_alone(fitted, tmp_path, victim, name):
    """Its files are named after what the targets file says: a file that somebody sent."""
    folder = tmp_path / "here"
    folder.mkdir()
    write_fit(fitted, folder)
    whole = contents(folder)
    write_fit(fitted, folder)
    assert contents(folder) == whole
    (folder / name).write_bytes(b"[project]\n")
    with pytest.raises(ConfigError, match=f"{name}: a file of that name is there that this program did not make"):
        write_fit(fitted, folder)
    assert (folder / name).read_bytes() == b"[project]\n"
    (folder / name).unlink()
    (folder / name).symlink_to(victim)
    with pytest.raises(ConfigError, match=f"{name}: it is a link"):
        write_fit(fitted, folder)
    assert victim.read_bytes() == b"months of work"


@pytest.mark.parametrize("name", ["netlists", "table.h5", "report.json", "waveforms.png"])
def test_the_demo_follows_no_link(tmp_path, victim, capsys, name):
    out = tmp_path / "demo"
    out.mkdir()
    (out / name).symlink_to(victim if name != "netlists" else tmp_path)
    before = contents(tmp_path)
    assert reproduce(["--out", str(out), "--workers", "1"]) == 2
    assert f"{name}: it is a link to another place" in " ".join(capsys.readouterr().err.split())
    assert contents(tmp_path) == before


def test_the_demo_needs_a_folder(victim, capsys):
    assert reproduce(["--out", str(victim)]) == 2
    assert "cannot make the folder" in capsys.readouterr().err


def test_the_cache_follows_no_link(tmp_path, victim):
    cache = Cache(tmp_path / "cache")
    (tmp_path / "cache" / "ab").mkdir(parents=True)
    (tmp_path / "cache" / "ab" / "abc.json").symlink_to(victim)
    outcome = Outcome(values={}, deck_sha256="0", cpu_seconds=0.0)
    with pytest.raises(ConfigError, match=r"abc.json: it is a link"):
        cache.put("abc", outcome)
    assert victim.read_bytes() == b"months of work"
