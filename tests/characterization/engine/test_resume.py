"""Interrupted work goes on where it was, and the table does not know: real runs, killed for real."""

import os
import signal
import subprocess
import sys
import time

import pytest

PLAN = """
name = "resume"
technology = "generic45lp"
[corners]
process = ["tt", "ss"]
vdd = [1.0, 1.1]
temperature_c = [27.0]
[benches.sram8t]
rows = [8]
[benches.driver]
[benches.decoder]
rows = [4]
"""


@pytest.fixture
def characterize(tmp_path):
    """Starts the command with a cache folder of its own; returns the process."""
    (tmp_path / "plan.toml").write_text(PLAN)

    def start(out: str, cache: str, workers: int) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "pyspice_cim", "characterize", "plan.toml", "--out", out, "--workers", str(workers)],
            cwd=tmp_path,
            env={**os.environ, "PYSPICE_CIM_CACHE": str(tmp_path / cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


def stored(tmp_path, cache):
    return len(list((tmp_path / cache).rglob("*.json")))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_goes_on_and_gives_the_same_table(tmp_path, characterize, how):
    whole = characterize("whole.h5", "one", 2)
    print(whole.communicate(timeout=300)[0])
    assert whole.returncode == 0
    stopped = 0
    for _ in range(3):
        run = characterize("stopped.h5", "two", 1)
        before = stored(tmp_path, "two")
        limit = time.monotonic() + 120
        # As soon as something more is stored than before, stop it.
        while stored(tmp_path, "two") <= before and run.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
        if run.poll() is None:
            os.killpg(run.pid, how)
            stopped += 1
        said = run.communicate(timeout=60)[0]
        assert "Traceback" not in said
    assert stopped and stored(tmp_path, "two") > 0
    assert not (tmp_path / "stopped.h5").exists() or run.returncode == 0
    last = characterize("stopped.h5", "two", 1)
    print(last.communicate(timeout=300)[0])
    assert last.returncode == 0
    assert (tmp_path / "stopped.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_two_runs_at_once_share_a_cache(tmp_path, characterize):
    runs = [characterize(out, "shared", 2) for out in ("one.h5", "two.h5")]
    for run in runs:
        print(run.communicate(timeout=300)[0])
    assert [run.returncode for run in runs] == [0, 0]
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    assert not list((tmp_path / "shared").rglob(".*"))
