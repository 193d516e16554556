"""The same table from every executor: processes, and a dask cluster of two workers; and clusters that are none."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pyspice_cim.characterization.engine import executors
from pyspice_cim.characterization.engine.cache import Cache
from pyspice_cim.characterization.engine.engine import Engine
from pyspice_cim.characterization.engine.executors import open_executor
from pyspice_cim.characterization.plans.plan import load_plan
from pyspice_cim.characterization.plans.sweep import characterize
from pyspice_cim.cli import main
from pyspice_cim.errors import ConfigError, MissingDependencyError, SimulationError
from pyspice_cim.tables import save_table

PLAN = """
name = "executors"
technology = "generic45lp"
[corners]
process = ["tt"]
vdd = [1.0, 1.1]
temperature_c = [27.0]
[benches.driver]
[benches.decoder]
rows = [4]
[held_out]
[audit]
points = 1
"""
CLUSTER = """
import sys, time
if __name__ == "__main__":
    from distributed import LocalCluster
    cluster = LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, dashboard_address=None)
    print(cluster.scheduler_address.removeprefix("tcp://"), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.toml"
    path.write_text(PLAN)
    return path


@pytest.fixture(scope="module")
def expected(plan, tmp_path_factory) -> bytes:
    """The table of one worker process."""
    folder = tmp_path_factory.mktemp("one")
    save_table(characterize(load_plan(plan), Engine(cache=Cache(folder / "cache"), workers=1)), folder / "t.h5")
    return (folder / "t.h5").read_bytes()


@pytest.fixture
def started(tmp_path):
    """Starts a dask cluster of its own; returns its address and its process."""
    pytest.importorskip("distributed")
    (tmp_path / "cluster.py").write_text(CLUSTER)
    running = []

    def start(workers):
        cluster = subprocess.Popen(
            [sys.executable, tmp_path / "cluster.py", str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=tmp_path,
        )
        running.append(cluster)
        return cluster.stdout.readline().strip(), cluster

    yield start
    for cluster in running:
        cluster.kill()
        cluster.communicate()


@pytest.mark.parametrize("workers", [2, 8])
def test_the_table_does_not_depend_on_the_number_of_workers(plan, expected, tmp_path, workers):
    save_table(characterize(load_plan(plan), Engine(cache=None, workers=workers)), tmp_path / "t.h5")
    assert (tmp_path / "t.h5").read_bytes() == expected


def test_a_dask_cluster_gives_the_same_table(plan, expected, tmp_path, started, monkeypatch, capfd):
    address, _ = started(2)
    monkeypatch.setenv("PYSPICE_CIM_CACHE", str(tmp_path / "cache"))
    command = ["pyspice-cim", "characterize", str(plan), "--out", str(tmp_path / "t.h5"), "--json"]
    monkeypatch.setattr(sys, "argv", [*command, "--executor", f"dask://{address}"])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capfd.readouterr()
    assert not stopped.value.code, said.err
    assert json.loads(said.out)["simulations_cached"] == 0
    assert (tmp_path / "t.h5").read_bytes() == expected
    # Nothing but our own progress: distributed keeps its farewells to itself.
    assert all(line.startswith("characterize executors: ") for line in said.err.splitlines()), said.err


def test_a_cluster_without_workers_says_how_to_start_one(started):
    address, _ = started(0)
    with pytest.raises(ConfigError, match=f"{address} has no workers; start some with `dask worker"):
        open_executor(f"dask://{address}").__enter__()


def test_no_scheduler_there_says_how_to_start_one(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "_ANSWERS_WITHIN", 0.5)
    with pytest.raises(ConfigError, match="no dask scheduler answers at tcp://127.0.0.1:1: .*`dask scheduler`"):
        open_executor("dask://127.0.0.1:1").__enter__()


def test_workers_with_another_ngspice_are_refused(started, tmp_path, monkeypatch):
    address, _ = started(1)
    program = tmp_path / "ngspice"
    program.write_text("#!/bin/sh\necho '** ngspice-99 : another'\n")
    program.chmod(0o755)
    monkeypatch.setenv("NGSPICE", str(program))
    with pytest.raises(ConfigError, match="dask worker tcp://.* has .*ngspice-.*, here is .*ngspice-99"):
        open_executor(f"dask://{address}").__enter__()


def test_workers_with_other_sources_are_refused(started, monkeypatch):
    address, _ = started(1)
    monkeypatch.setattr(executors, "sources_sha256", lambda *modules: "0123456789abcdef" * 4)
    with pytest.raises(
        ConfigError, match="sources [0-9a-f]{16}.*, here is .*sources 0123456789abcdef.*install the same"
    ):
        open_executor(f"dask://{address}").__enter__()


class AnotherService(BaseHTTPRequestHandler):
    def handle(self):
        self.request.recv(100)
        # What a scheduler would say first are lengths of eight bytes: these would be exabytes.
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: another\r\nConnection: close\r\n\r\n")


def test_another_service_is_no_scheduler(web_server):
    """In a process of its own: what its libraries say at their end is part of what a user sees."""
    command = ["characterize", "demo", "--dry-run", "--executor", f"dask://127.0.0.1:{web_server}"]
    ran = subprocess.run([sys.executable, "-m", "pyspice_cim", *command], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"error: no dask scheduler answers at tcp://127.0.0.1:{web_server}: ")
    assert "dashboard" in ran.stderr and "another service" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.fixture
def web_server():
    """Port of a server that speaks HTTP."""
    pytest.importorskip("distributed")
    server = ThreadingHTTPServer(("127.0.0.1", 0), AnotherService)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_cluster_that_dies_is_an_error_in_words(started, tmp_path, monkeypatch):
    address, cluster = started(1)
    with open_executor(f"dask://{address}") as found:
        assert found.workers == 1
        future = found.executor.submit(time.sleep, 60)
        cluster.kill()

        def again(*_):
            return future

        monkeypatch.setattr(found.executor, "submit", again)
        (tmp_path / "plan.toml").write_text(PLAN)
        with pytest.raises(SimulationError, match="the cluster, ended in the middle"):
            characterize(
                load_plan(tmp_path / "plan.toml"), Engine(cache=None, executor=found.executor, workers=found.workers)
            )


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'pyspice-cim\[dask\]'"):
        open_executor("dask://127.0.0.1:8786").__enter__()


@pytest.mark.parametrize(
    "name", ["", "dask", "dask://", "dask://host", "dask://host:x", "dask://u@h:1", "dask://h:1\n"]
)
def test_no_executor(name):
    with pytest.raises(ConfigError, match="is not known; give dask://HOST:PORT"):
        open_executor(name).__enter__()
