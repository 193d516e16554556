"""The ngspice runner: one process per deck, judged by its data and never by its return code alone.

ngspice reports several failures only in its log and goes on (return code 0), and a run that stops early still writes a
raw file. So a run counts as good only if the return code is 0, the log holds none of the known alarms, every requested
vector is there and finite, and a transient reached its stop time.
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from pyspice_cim.characterization.rawfile import Vectors, read_raw
from pyspice_cim.errors import MissingDependencyError, SimulationError
from pyspice_cim.netlists.deck import Deck

# What ngspice prints where a run that "succeeded" is not to be trusted.
_ALARM = re.compile(
    r"unrecognized|ignored|singular|aborted|timestep too small|no such vector|fatal|can't find"
    r"|unknown (?:device|parameter|subckt)|undefined|not found|convergence problem",
    re.IGNORECASE,
)
# Notes that match the above and are harmless: ngspice falls back to another method and goes on.
_HARMLESS = re.compile(r"gmin stepping|source stepping|spinit|\.spiceinit|^Note:", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SimResult:
    """What became of one deck: its vectors, or the reason why there are none.

    Attributes:
        vectors: vector name (lower case) to array; empty where the run failed.
        reason: ``""`` for a good run, else what was wrong, in words.
        cpu_seconds: CPU time of the child process.
    """

    vectors: Vectors
    reason: str
    cpu_seconds: float

    @property
    def ok(self) -> bool:
        return not self.reason


class Simulator(Protocol):
    """Anything that turns decks into results; sweeps are tested with an analytic one."""

    @property
    def version(self) -> str: ...

    def run(self, decks: Sequence[Deck]) -> list[SimResult]: ...


def find_ngspice() -> Path:
    """Path of the ngspice program: ``NGSPICE`` in the environment, else the one on ``PATH``.

    Raises:
        MissingDependencyError: if there is none.
    """
    wanted = os.environ.get("NGSPICE", "ngspice")
    found = shutil.which(wanted)
    if found is None:
        raise MissingDependencyError(
            f"ngspice was not found (looked for {wanted!r}). Install it with `sudo apt-get install ngspice` "
            "(macOS: `brew install ngspice`), or set NGSPICE to the program's path"
        )
    return Path(found)


@lru_cache(maxsize=4)
def ngspice_version(program: Path) -> str:
    """Version string of ``program``, e.g. ``ngspice-39``.

    Raises:
        SimulationError: if the program does not say it is ngspice.
    """
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SimulationError(f"{program} does not run: {error}") from error
    match = re.search(r"ngspice-\S+", answer.stdout)
    if match is None:
        raise SimulationError(f"{program} does not answer --version as ngspice does; set NGSPICE to the right program")
    return match.group()


@dataclass(frozen=True)
class NgspiceSimulator:
    """Runs decks with the installed ngspice, one after the other; parallelism is the executor's business."""

    program: Path | None = None

    @cached_property
    def version(self) -> str:
        return ngspice_version(self.program or find_ngspice())

    def run(self, decks: Sequence[Deck]) -> list[SimResult]:
        return [self._run_one(deck) for deck in decks]

    def _run_one(self, deck: Deck) -> SimResult:
        program = self.program or find_ngspice()
        with tempfile.TemporaryDirectory(prefix="pyspice_cim_") as folder:
            deck_path, raw_path = Path(folder, "deck.cir"), Path(folder, "deck.raw")
            deck_path.write_text(deck.text)
            # OMP_NUM_THREADS does not stop ngspice from starting threads; the limit does.
            environment = {**os.environ, "OMP_THREAD_LIMIT": "1", "HOME": folder}
            before = _children_cpu()
            child = subprocess.Popen(
                [program, "-b", "-r", raw_path.name, deck_path.name],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            try:
                log, _ = child.communicate(timeout=deck.timeout)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.communicate()
                return SimResult(vectors={}, reason=f"killed after {deck.timeout:g} s", cpu_seconds=deck.timeout)
            except BaseException:
                # Ctrl-C: the child must not outlive us.
                os.killpg(child.pid, signal.SIGKILL)
                child.communicate()
                raise
            seconds = _children_cpu() - before
            try:
                vectors = _judged(deck, child.returncode, log, raw_path)
            except SimulationError as error:
                return SimResult(vectors={}, reason=str(error), cpu_seconds=seconds)
            return SimResult(vectors=vectors, reason="", cpu_seconds=seconds)


def _children_cpu() -> float:
    """CPU time of the children that have ended, s."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _judged(deck: Deck, returncode: int, log: str, raw_path: Path) -> Vectors:
    """The vectors of a run, if everything about it can be trusted."""
    alarms = [line.strip() for line in log.splitlines() if _ALARM.search(line) and not _HARMLESS.search(line)]
    if returncode != 0:
        raise SimulationError(f"ngspice ended with status {returncode}: {'; '.join(alarms[:3]) or log.strip()[-300:]}")
    if alarms:
        raise SimulationError(f"ngspice warned: {'; '.join(alarms[:3])}")
    if not raw_path.exists():
        raise SimulationError(f"ngspice wrote no result: {log.strip()[-300:]}")
    vectors: Vectors = {}
    for plot in read_raw(raw_path):
        vectors.update(plot)
    missing = [name for name in deck.vectors if name not in vectors]
    if missing:
        raise SimulationError(f"ngspice did not save {', '.join(missing[:5])}")
    if deck.stop_time is not None:
        times = vectors.get("time", np.empty(0))
        if times.size < 2 or times[-1] < deck.stop_time * (1 - 1e-6):
            last = f"{times[-1]:.4g}" if times.size else "no"
            raise SimulationError(f"the transient stopped at {last} s of {deck.stop_time:.4g} s")
    infinite = [name for name in deck.vectors if not np.isfinite(vectors[name]).all()]
    if infinite:
        raise SimulationError(f"values are not finite: {', '.join(infinite[:5])}")
    return vectors
