"""Where simulations run: by name, for those who do not bring an executor of their own."""

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from pyspice_cim import __version__
from pyspice_cim.characterization.ngspice import NgspiceSimulator
from pyspice_cim.errors import ConfigError, MissingDependencyError

_DASK = re.compile(r"dask://([A-Za-z0-9_.\-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})\Z")


@dataclass(frozen=True)
class Cluster:
    """An executor, and how many simulations it runs at a time."""

    executor: Executor
    workers: int


def _versions() -> str:
    return f"pyspice_cim {__version__} and {NgspiceSimulator().version}"


@contextlib.contextmanager
def open_executor(name: str) -> Iterator[Cluster]:
    """The executor ``dask://HOST:PORT``: a running ``distributed`` scheduler, whose workers have this package and ngspice.

    Raises:
        ConfigError: for any other text, if no scheduler with workers answers there, or if these have other versions.
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
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(
            f"no dask scheduler answers at {address}: {error}; start one with `dask scheduler`"
        ) from error
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ConfigError(
                f"the dask scheduler at {address} has no workers; start some with `dask worker {address}`"
            )
        for worker, there in client.run(_versions, on_error="return").items():
            if there != here:
                raise ConfigError(f"dask worker {worker} has {there}, here is {here}; a table has one version of each")
        # Pure functions of their arguments would be merged by their hash; the engine merges them itself, and keeps count.
        yield Cluster(client.get_executor(pure=False), threads)
    finally:
        client.close()
