"""Outcomes stored by content: one small file for each simulation, written whole or not at all."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from pyspice_cim.characterization.spice.retries import RETRIES
from pyspice_cim.characterization.spice.simulation import Outcome
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.errors import CimError
from pyspice_cim.resources import write_atomically

# What other retries gave is not what these would give.
_RETRIES = repr(RETRIES)


def default_cache_folder() -> Path:
    """The folder that ``PYSPICE_CIM_CACHE`` names, else the platform's cache folder."""
    named = os.environ.get("PYSPICE_CIM_CACHE")
    return Path(named) if named else user_cache_path("pyspice_cim")


class Cache:
    """Outcomes by the key of their simulation: values, and failures of a reducer (wrong bits stay wrong).

    Failures of ngspice itself (a crash, a timeout, a full disk) are not stored: the next run tries again.

    Args:
        folder: where the files are; by default ``default_cache_folder``.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_cache_folder()

    def get(self, key: str) -> Outcome | None:
        """The stored outcome, or ``None``; an entry that cannot be read counts as absent."""
        try:
            stored = json.loads(self._path(key).read_text())
            if stored.pop("sha256") != _checksum(stored):
                return None
            retried = "retries" in stored
            if retried and stored["retries"] != _RETRIES:
                return None
            status, words = stored["failure"] or (None, "")
            values = {name: np.array(value, dtype=np.float64) for name, value in stored["values"].items()}
            return Outcome(
                values=values,
                failure=None if stored["failure"] is None else Failure(Status(status), words),
                deck_sha256=stored["deck_sha256"],
                cpu_seconds=stored["cpu_seconds"],
                cached=True,
                retry=stored.get("retry", ""),
                retried=retried,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def put(self, key: str, outcome: Outcome) -> None:
        """Store ``outcome``, unless ngspice itself failed (``Outcome.judged``): another run may then succeed.

        Raises:
            CimError: if the folder cannot be written.
        """
        if not outcome.judged:
            return
        retried = {"retry": outcome.retry, "retries": _RETRIES} if outcome.retried else {}
        # repr of a float is exact, so a cached run gives the same table bit for bit.
        stored = {
            "failure": outcome.failure and [outcome.failure.status.value, outcome.failure.reason],
            "deck_sha256": outcome.deck_sha256,
            "cpu_seconds": outcome.cpu_seconds,
            **retried,
            "values": {name: value.tolist() for name, value in outcome.values.items()},
        }
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CimError(
                f"cannot write the cache folder {self.folder}: {error}. Set PYSPICE_CIM_CACHE to a writable folder"
            ) from error
        write_atomically(path, json.dumps({**stored, "sha256": _checksum(stored)}).encode(), follow=False)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _checksum(entry: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry).encode()).hexdigest()
