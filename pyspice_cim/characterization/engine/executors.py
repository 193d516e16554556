"""Executors by name, for users who do not bring an executor of their own."""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from pyspice_cim import __version__
from pyspice_cim.characterization.spice.ngspice import NgspiceSimulator
from pyspice_cim.characterization.spice.sources import sources_sha256
from pyspice_cim.errors import ConfigError, MissingDependencyError

_DASK = re.compile(r"dask://([A-Za-z0-9_.\-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})\Z")

# Seconds that a scheduler has to answer.
_ANSWERS_WITHIN = 10.0


@dataclass(frozen=True)
class Cluster:
    """An executor, and the number of simulations that it runs at a time."""

    executor: Executor
    workers: int


def _versions() -> str:
    # The version alone says little about an installation that is edited. The hash covers all sources that a worker may
    # run.
    sources = sources_sha256(
        "pyspice_cim.characterization.engine.engine", "pyspice_cim.characterization.plans.registry"
    )
    return f"pyspice_cim {__version__} (sources {sources[:16]}) and {NgspiceSimulator().version}"


async def _greet(address: str) -> None:
    """Ask the service at ``address`` what it is; an error of any kind if it is no scheduler."""
    from distributed.core import rpc

    scheduler = rpc(address, timeout=_ANSWERS_WITHIN)
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            kind = (await scheduler.identity())["type"]
    finally:
        await scheduler.close_rpc()
    if kind != "Scheduler":
        raise ValueError(f"a dask {kind} answers there")


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:200]


@contextlib.contextmanager
def open_executor(name: str) -> Iterator[Cluster]:
    """Open the executor ``dask://HOST:PORT``: a running scheduler whose workers have this package and ngspice.

    Raises:
        ConfigError: for any other text, if no scheduler with workers answers, or if the workers have other versions.
        MissingDependencyError: if ``distributed`` or ngspice is not installed here.
    """
    found = _DASK.match(name)
    if found is None:
        raise ConfigError(f"executor {name!r} is not known; give dask://HOST:PORT, the address of a dask scheduler")
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingDependencyError(
            "dask:// needs the package distributed; install it with: pip install 'pyspice-cim[dask]'"
        ) from error
    here = _versions()
    address = f"tcp://{found[1]}:{found[2]}"
    try:
        # Asked first: a client that meets another service cannot be closed, and says so much later with a traceback.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _greet(address)).result()
        client = Client(address, timeout=_ANSWERS_WITHIN, set_as_default=False)
    except Exception as error:
        # What another service says is taken for lengths and types, and gives errors of every kind (MemoryError is one).
        raise ConfigError(
            f"no dask scheduler answers at {address}: {_first_line(error)}; start one with `dask scheduler`, and check "
            "that host and port are the scheduler's own, not its dashboard's or another service's"
        ) from error
    try:
        try:
            threads = sum(client.nthreads().values())
            versions = client.run(_versions, on_error="return")
        except Exception as error:
            raise ConfigError(
                f"the dask scheduler at {address} does not say what its workers are: {_first_line(error)}; check that it "
                "runs, and has the dask of this machine"
            ) from error
        if not threads:
            raise ConfigError(
                f"the dask scheduler at {address} has no workers; start some with `dask worker {address}`"
            )
        for worker, there in versions.items():
            if there != here:
                raise ConfigError(
                    f"dask worker {worker} has {there}, here is {here}; a table has one version of each: install the same "
                    "on both, and start the worker again"
                )
        # Pure functions of their arguments would be merged by their hash; the engine merges them itself, and keeps
        # count.
        yield Cluster(client.get_executor(pure=False), threads)
    finally:
        client.close()
