"""The committed decks are what the package renders, and each runs by hand and gives the answer that it promises."""

import os
import re
import runpy
import subprocess
from pathlib import Path

import pytest

from pyspice_cim.characterization.benches.examples import example_decks
from pyspice_cim.characterization.spice.ngspice import find_ngspice
from pyspice_cim.technology import load_technology

FOLDER = Path(__file__).parents[2] / "netlists"
COMMITTED = sorted(path.name for path in FOLDER.glob("*.cir"))
# After fire: word 8 = 000001000; flag 0
STATE = re.compile(r"^\* After *\w*: +word (?P<words>.*?); flag (?P<flags>[01](?:, [01])*)", re.MULTILINE)


@pytest.fixture(scope="module")
def rendered():
    return example_decks(load_technology("generic45lp"))


def test_every_deck_is_committed_and_no_other(rendered):
    assert sorted(rendered) == COMMITTED


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_deck_is_what_is_rendered(rendered, name):
    assert (FOLDER / name).read_text() == rendered[name].text, "run netlists/render.py and look at the difference"


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_deck_runs_by_hand(tmp_path, name):
    text = (FOLDER / name).read_text()
    levels = run_by_hand(FOLDER / name, tmp_path)
    assert len(levels) == text.count("\n.meas ")
    assert levels or "\n.op\n" in text
    promised = STATE.findall(text)
    if name.startswith(("column_", "macro")):
        words, flags = promised[-1]
        expected = {f"fs{j}": int(flag) for j, flag in enumerate(flags.split(", "))}
        for j, word in enumerate(words.split(", ")):
            bits = reversed(word.split(" = ")[1])
            expected |= {f"qv{j}_{b}": int(bit) for b, bit in enumerate(bits)}
        found = {node: levels[f"{node}_end"] for node in expected}
        assert found == {node: pytest.approx(1.1 * bit, abs=0.11) for node, bit in expected.items()}


def run_by_hand(deck: Path, folder: Path) -> dict[str, float]:
    """What ``ngspice -b DECK`` prints for the deck's ``.meas`` cards."""
    done = subprocess.run(
        [find_ngspice(), "-b", deck],
        cwd=folder,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return {
        name: float(value) for name, value in re.findall(r"^(\w+_(?:end|max))\s+=\s+(\S+)", done.stdout, re.MULTILINE)
    }


def test_the_script_renders_into_a_folder(tmp_path, capsys):
    script = runpy.run_path(str(FOLDER / "render.py"))
    assert script["main"](["--out", str(tmp_path), "--technology", "generic65"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == COMMITTED
    assert "generic65" in (tmp_path / "macro.cir").read_text()
    assert script["main"](["--out", str(tmp_path), "--technology", "nothing"]) == 2
    assert "no technology 'nothing'" in capsys.readouterr().err
