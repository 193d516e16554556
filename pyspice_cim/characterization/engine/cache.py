"""Outcomes stored by content: one small file per simulation, written whole or not at all."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from pyspice_cim.characterization.spice.retries import LADDER
from pyspice_cim.characterization.spice.simulation import Outcome
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.errors import CimError
from pyspice_cim.resources import write_atomically

_LADDER = repr(LADDER)


def default_cache_folder() -> Path:
    """``PYSPICE_CIM_CACHE``, else the platform's cache folder."""
    named = os.environ.get("PYSPICE_CIM_CACHE")
    return Path(named) if named else user_cache_path("pyspice_cim")


class Cache:
    """Outcomes by their key: values, and what a reducer refused (wrong bits stay wrong).

    What ngspice itself failed at (a crash, a timeout, a full disk) is not stored: the next run tries it again.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_cache_folder()

    def get(self, key: str) -> Outcome | None:
        """The stored outcome, or ``None``; an entry that cannot be read counts as absent."""
        try:
            stored = json.loads(self._path(key).read_text())
            if stored.pop("sha256") != _checksum(stored):
                return None
            # What another ladder gave is not what this one would give.
            climbed = "ladder" in stored
            if climbed and stored["ladder"] != _LADDER:
                return None
            status, words = stored["failure"] or (None, "")
            values = {name: np.array(value, dtype=np.float64) for name, value in stored["values"].items()}
            return Outcome(
                values=values,
                failure=None if stored["failure"] is None else Failure(Status(status), words),
                deck_sha256=stored["deck_sha256"],
                cpu_seconds=stored["cpu_seconds"],
                cached=True,
                rung=stored.get("rung", ""),
                climbed=climbed,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def put(self, key: str, outcome: Outcome) -> None:
        """Store an outcome that would be the same again."""
        if not outcome.judged:
            return
        climbed = {"rung": outcome.rung, "ladder": _LADDER} if outcome.climbed else {}
        # repr of a float is exact, so a cached run gives the same table bit for bit.
        stored = {
            "failure": outcome.failure and [outcome.failure.status.value, outcome.failure.reason],
            "deck_sha256": outcome.deck_sha256,
            "cpu_seconds": outcome.cpu_seconds,
            **climbed,
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
