"""The ngspice runner: one process for each deck, judged by its data and never by its return code alone.

ngspice reports several failures only in its log and ends with the return code 0. A run that stops early still writes a
raw file. A good run therefore has four properties. Its return code is 0. Its log holds no alarm. Every requested vector
is there and finite. A transient reached its stop time.

A run that does not count has a ``Failure`` in place of vectors.
"""

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from pyspice_cim.characterization.spice.log import alarms, no_solution
from pyspice_cim.characterization.spice.rawfile import Vectors, read_raw
from pyspice_cim.characterization.spice.status import Failure, Status
from pyspice_cim.errors import MissingDependencyError, SimulationError
from pyspice_cim.netlists.deck import Deck, ngspice_input

# Signals that ngspice brings on itself.
_OWN_SIGNALS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGBUS, signal.SIGILL)

# The oldest ngspice that is accepted. All numbers of this project were measured with version 39. Version 34 (January
# 2021) brought fixes that BSIM4 libraries of foundries need; its release notes name sky130. Earlier versions were never
# tried on such decks, and might simulate them wrongly without an error.
MINIMUM_VERSION = 34

# Variables of the environment that ngspice gets: where programs and shared libraries are. Other variables
# (SPICE_SCRIPTS, SPICE_USERINIT_DIR, SPICE_ASCIIRAWFILE, ...) name files of settings or change the result file, and so
# the numbers.
_SEEN = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT")
# ngspice reads a file of this name at its start. The file of an installation loads code models, which read other files.
_SPINIT = "* Settings of a run, in place of those of the installation\nset num_threads=1\n"

# With less room left on the disk, a run that failed had no room for its result; in bytes.
_LITTLE_ROOM = 2**20
# A good run prints a few lines, and a log is read as a whole; in bytes.
_LONGEST_LOG = 2**23


@dataclass(frozen=True, kw_only=True)
class SimResult:
    """Result of one deck: its vectors, or the failure.

    Attributes:
        vectors: vector name (lower case) to array; empty where the run failed.
        failure: ``None`` for a good run.
        cpu_seconds: CPU time of the child process in seconds.
    """

    vectors: Vectors = field(default_factory=dict)
    failure: Failure | None = None
    cpu_seconds: float

    @property
    def ok(self) -> bool:
        """Whether the run can be trusted."""
        return self.failure is None

    @property
    def reason(self) -> str:
        """Text of the failure; ``""`` for a good run."""
        return "" if self.failure is None else str(self.failure)

    @property
    def status(self) -> Status | None:
        """Status of the failure; ``None`` for a good run."""
        return None if self.failure is None else self.failure.status


class Simulator(Protocol):
    """Anything that turns decks into results, in their order. Tests use simulators that compute results directly."""

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
    # A run has a folder of its own, from which a relative path would lead elsewhere.
    return Path(found).absolute()


@lru_cache(maxsize=4)
def ngspice_version(program: Path) -> str:
    """Version string of ``program``, e.g. ``ngspice-39``.

    Raises:
        SimulationError: if the program does not say it is ngspice.
        MissingDependencyError: if it is older than ``MINIMUM_VERSION``.
    """
    try:
        answer = subprocess.run(
            [program, "--version"],
            env=ngspice_environment(Path(os.devnull)),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SimulationError(f"{program} does not run: {error}") from error
    match = re.search(r"ngspice-(\d+)\S*", answer.stdout)
    if match is None:
        raise SimulationError(f"{program} does not answer --version as ngspice does; set NGSPICE to the right program")
    if int(match[1]) < MINIMUM_VERSION:
        raise MissingDependencyError(
            f"{program} is {match.group()}, and ngspice-{MINIMUM_VERSION} or newer is needed; install a newer one (from "
            "your distribution or https://ngspice.sourceforge.io), or set NGSPICE to one that is there"
        )
    return match.group()


@dataclass(frozen=True)
class NgspiceSimulator:
    """Runs decks with the installed ngspice, sequentially. An executor runs several of these at a time.

    Attributes:
        program: path of ngspice; by default ``find_ngspice``.
    """

    program: Path | None = None

    @cached_property
    def version(self) -> str:
        return ngspice_version(self.program or find_ngspice())

    def run(self, decks: Sequence[Deck]) -> list[SimResult]:
        return [self._run_one(deck) for deck in decks]

    def _run_one(self, deck: Deck) -> SimResult:
        program = self.program or find_ngspice()
        cpu_seconds = 0.0
        try:
            with tempfile.TemporaryDirectory(prefix="pyspice_cim_", ignore_cleanup_errors=True) as name:
                folder = Path(name)
                (folder / "deck.cir").write_text(ngspice_input(deck), encoding="utf-8")
                (folder / "spinit").write_text(_SPINIT, encoding="utf-8")
                status, timed_out, cpu_seconds = run_child(program, folder, deck.timeout)
                if timed_out:
                    late = Failure(Status.TIMEOUT, f"killed after {deck.timeout:g} s")
                    return SimResult(failure=late, cpu_seconds=cpu_seconds)
                # The folder has another name in every run.
                with (folder / "log").open(errors="replace") as file:
                    log = file.read(_LONGEST_LOG).replace(f"{folder}/", "")
                    cut = bool(file.read(1))
                if cut:
                    words = f"ngspice wrote more than {_LONGEST_LOG / 2**20:g} MB of messages"
                    found: Vectors | Failure = Failure(Status.UNTRUSTED, words)
                else:
                    found = _judged(deck, status, log, folder / "deck.raw")
                if not isinstance(found, Failure):
                    return SimResult(vectors=found, cpu_seconds=cpu_seconds)
                # ngspice itself says nothing when it cannot write: the result is cut short, or crashes it.
                if shutil.disk_usage(folder).free < _LITTLE_ROOM:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return SimResult(failure=found, cpu_seconds=cpu_seconds)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise SimulationError(f"{program} cannot be run: {error}") from error
            # Which folder that is may differ between runs, and the reason enters a table.
            words = f"no room for temporary files (set TMPDIR to a folder with some): {error.strerror}"
            return SimResult(failure=Failure(Status.DISK_FULL, words), cpu_seconds=cpu_seconds)


def ngspice_environment(folder: Path) -> dict[str, str]:
    """The environment of an ngspice that runs in ``folder``: paths of programs and libraries, and nothing else of ours.

    With ``-n`` (no ``.spiceinit``) and the ``spinit`` in ``folder``, no file of the machine or the user changes a
    number.
    """
    seen = {name: os.environ[name] for name in _SEEN if name in os.environ}
    # OMP_NUM_THREADS does not stop ngspice from starting threads; the limit does.
    own = {"LC_ALL": "C", "OMP_THREAD_LIMIT": "1"}
    return seen | own | dict.fromkeys(("HOME", "TMPDIR", "SPICE_SCRIPTS"), str(folder))


def run_child(program: Path, folder: Path, timeout: float) -> tuple[int, bool, float]:
    """Run ngspice on ``deck.cir`` in ``folder``.

    Returns:
        The exit status (negative for a signal), whether the timeout in seconds was over, and the CPU time in seconds.
    """
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [program, "-n", "-b", "-r", "deck.raw", "deck.cir"],
            cwd=folder,
            env=ngspice_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group, so that all of it can be killed. Not a session: Linux would give it an autogroup of its own,
            # which the caller's `nice` does not reach.
            process_group=0,
        )
    expired = threading.Event()

    def kill() -> None:
        expired.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)

    timer = threading.Timer(timeout, kill)
    timer.daemon = True
    timer.start()
    try:
        # wait4 gives the CPU time of this child alone: threads of one process may run decks side by side.
        # No process that the child has started may outlive it; the group belongs to the child until it is waited for.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        # Ctrl-C: neither the child nor what it has started must outlive us.
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.killpg(child.pid, signal.SIGKILL)
            os.wait4(child.pid, 0)
        raise
    finally:
        timer.cancel()
        # Popen must not wait for a child that is gone.
        child.returncode = 0
    return os.waitstatus_to_exitcode(status), expired.is_set(), usage.ru_utime + usage.ru_stime


def _judged(deck: Deck, status: int, log: str, raw_path: Path) -> Vectors | Failure:
    """The vectors of a run if everything about the run can be trusted, else the failure.

    Args:
        status: exit status of ngspice; negative for a signal.
        log: what ngspice printed.
    """
    found = alarms(log)
    said = found or "it does not say why"
    if status < 0:
        kind = Status.CRASHED if -status in _OWN_SIGNALS else Status.KILLED
        return Failure(kind, f"ngspice ended by {signal.Signals(-status).name}")
    if status != 0 or found:
        if no_solution(log):
            return Failure(Status.NOT_CONVERGED, said)
        if status:
            return Failure(Status.INCOMPLETE, f"ngspice ended with status {status}: {said}")
        return Failure(Status.UNTRUSTED, f"ngspice warned: {said}")
    if not raw_path.exists():
        return Failure(Status.INCOMPLETE, f"ngspice wrote no result: {said}")
    vectors: Vectors = {}
    try:
        for plot in read_raw(raw_path):
            vectors.update(plot)
    except SimulationError as error:
        return Failure(Status.INCOMPLETE, str(error))
    missing = [name for name in deck.vectors if name not in vectors]
    if missing:
        return Failure(Status.INCOMPLETE, f"ngspice did not save {', '.join(missing[:5])}")
    if deck.stop_time is not None:
        times = vectors.get("time", np.empty(0))
        if times.size < 2 or times[-1] < deck.stop_time * (1 - 1e-6):
            last = f"{times[-1]:.4g}" if times.size else "no"
            return Failure(Status.NOT_CONVERGED, f"the transient stopped at {last} s of {deck.stop_time:.4g} s")
    if not all(vectors[name].size for name in deck.vectors):
        return Failure(Status.INCOMPLETE, "ngspice saved no points")
    infinite = [name for name in deck.vectors if not np.isfinite(vectors[name]).all()]
    if infinite:
        return Failure(Status.INCOMPLETE, f"values are not finite: {', '.join(infinite[:5])}")
    return vectors
