"""The ngspice runner: one process per deck, judged by its data and never by its return code alone.

ngspice reports several failures only in its log and goes on (return code 0), and a run that stops early still writes a
raw file. So a run counts as good only if the return code is 0, the log holds none of the known alarms, every requested
vector is there and finite, and a transient reached its stop time.

The reason of a failure starts with its status, one of ``STATUSES``, and a colon.
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
from pyspice_cim.errors import MissingDependencyError, SimulationError
from pyspice_cim.netlists.deck import Deck, ngspice_input

# What a run can fail of, and what each means.
STATUSES = {
    "timeout": "ngspice did not end in time; it was killed with all that it had started",
    "killed": "somebody else ended ngspice (the kernel when memory runs out, an operator)",
    "crashed": "ngspice ended by a signal of its own making",
    "not converged": "ngspice found no solution, or stopped before the stop time",
    "untrusted": "ngspice ended well, but warned that it did not do what the deck asks",
    "incomplete": "ngspice ended, but a vector is missing or not finite",
    "disk full": "there was no room for the deck or the result",
    "rejected": "ngspice ran well; the waveforms are not what they must be",
}
# A run with one of these may go better with other options; the others would be the same again or are not the deck's fault.
# A timeout is not among them, though looser options might end a deck that crawls: it depends on how busy the machine is,
# and a value from a rung, which may differ by percents, must not stand in a table because of that. It stays a failure
# that no cache keeps, so that the next run tries the deck as it is. (A deck whose steps become too small fails by that.)
RETRIED = ("not converged", "crashed", "incomplete")
# These say nothing about the deck.
OF_THE_MACHINE = ("timeout", "killed", "disk full")
# Signals that ngspice brings on itself.
_OWN_SIGNALS = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGBUS, signal.SIGILL)

# The oldest ngspice that is taken. All numbers of this project were measured with 39. In 34 of January 2021 the fixes came
# that foundries' BSIM4 libraries need (its release notes name those of sky130); what earlier ones make of such decks was
# never looked at, and is not known to be an error that they would report.
MINIMUM_VERSION = 34

# What ngspice sees of our environment: where programs and shared libraries are. Other variables (SPICE_SCRIPTS,
# SPICE_USERINIT_DIR, SPICE_ASCIIRAWFILE, ...) lead it to files of settings or change its files, and so its numbers.
_SEEN = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT")
# ngspice reads this file of SPICE_SCRIPTS at its start. The file of an installation loads code models, which read files.
_SPINIT = "* Settings of a run, in place of those of the installation\nset num_threads=1\n"

# Bytes: with less left on the disk, a run that failed had no room for its result.
_LITTLE_ROOM = 2**20
# Bytes: a good run says a few lines, and a log is read as a whole.
_LONGEST_LOG = 2**23


@dataclass(frozen=True, kw_only=True)
class SimResult:
    """What became of one deck: its vectors, or the reason why there are none.

    Attributes:
        vectors: vector name (lower case) to array; empty where the run failed.
        reason: ``""`` for a good run, else a status of ``STATUSES``, a colon, and what was wrong, in words.
        cpu_seconds: CPU time of the child process.
    """

    vectors: Vectors = field(default_factory=dict)
    reason: str = ""
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
    """Runs decks with the installed ngspice, one after the other; parallelism is the executor's business."""

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
                status, timed_out, cpu_seconds = _run_child(program, folder, deck.timeout)
                if timed_out:
                    return SimResult(reason=f"timeout: killed after {deck.timeout:g} s", cpu_seconds=cpu_seconds)
                # The folder has another name in every run.
                with (folder / "log").open(errors="replace") as file:
                    log = file.read(_LONGEST_LOG).replace(f"{folder}/", "")
                    cut = bool(file.read(1))
                try:
                    if cut:
                        raise SimulationError(
                            f"untrusted: ngspice wrote more than {_LONGEST_LOG / 2**20:g} MB of messages"
                        )
                    vectors = _judged(deck, status, log, folder / "deck.raw")
                except SimulationError:
                    # ngspice itself says nothing when it cannot write: the result is cut short, or crashes it.
                    if shutil.disk_usage(folder).free < _LITTLE_ROOM:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
                    raise
                return SimResult(vectors=vectors, cpu_seconds=cpu_seconds)
        except SimulationError as error:
            return SimResult(reason=str(error), cpu_seconds=cpu_seconds)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise SimulationError(f"{program} cannot be run: {error}") from error
            # Which folder that is may differ between runs, and the reason enters a table.
            reason = f"disk full: no room for temporary files (set TMPDIR to a folder with some): {error.strerror}"
            return SimResult(reason=reason, cpu_seconds=cpu_seconds)


def ngspice_environment(folder: Path) -> dict[str, str]:
    """The environment of an ngspice that runs in ``folder``: nothing of ours but where programs and libraries are.

    With ``-n`` (no ``.spiceinit``) and the ``spinit`` of ``folder``, no file of the machine or the user changes a number.
    """
    seen = {name: os.environ[name] for name in _SEEN if name in os.environ}
    # OMP_NUM_THREADS does not stop ngspice from starting threads; the limit does.
    own = {"LC_ALL": "C", "OMP_THREAD_LIMIT": "1"}
    return seen | own | dict.fromkeys(("HOME", "TMPDIR", "SPICE_SCRIPTS"), str(folder))


def _run_child(program: Path, folder: Path, timeout: float) -> tuple[int, bool, float]:
    """Run ngspice on ``deck.cir`` in ``folder``; its exit status (negative: signal), whether time ran out, CPU seconds."""
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [program, "-n", "-b", "-r", "deck.raw", "deck.cir"],
            cwd=folder,
            env=ngspice_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group, so that all of it can be killed. Not a session: Linux would give it an autogroup of its own, which
            # the caller's `nice` does not reach.
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
        # wait4, so that the CPU time is this child's alone: threads of one process may run decks side by side.
        # What it has started must not outlive it; the group is its own until it is waited for.
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


def _judged(deck: Deck, status: int, log: str, raw_path: Path) -> Vectors:
    """The vectors of a run, if everything about it can be trusted.

    Raises:
        SimulationError: with a reason that starts with one of ``STATUSES``.
    """
    found = alarms(log)
    said = found or "it does not say why"
    if status < 0:
        kind = "crashed" if -status in _OWN_SIGNALS else "killed"
        raise SimulationError(f"{kind}: ngspice ended by {signal.Signals(-status).name}")
    if status != 0 or found:
        if no_solution(log):
            raise SimulationError(f"not converged: {said}")
        ended = f"ngspice ended with status {status}" if status else "ngspice warned"
        raise SimulationError(f"{'incomplete' if status else 'untrusted'}: {ended}: {said}")
    if not raw_path.exists():
        raise SimulationError(f"incomplete: ngspice wrote no result: {said}")
    vectors: Vectors = {}
    try:
        for plot in read_raw(raw_path):
            vectors.update(plot)
    except SimulationError as error:
        raise SimulationError(f"incomplete: {error}") from error
    missing = [name for name in deck.vectors if name not in vectors]
    if missing:
        raise SimulationError(f"incomplete: ngspice did not save {', '.join(missing[:5])}")
    if deck.stop_time is not None:
        times = vectors.get("time", np.empty(0))
        if times.size < 2 or times[-1] < deck.stop_time * (1 - 1e-6):
            last = f"{times[-1]:.4g}" if times.size else "no"
            raise SimulationError(f"not converged: the transient stopped at {last} s of {deck.stop_time:.4g} s")
    if not all(vectors[name].size for name in deck.vectors):
        raise SimulationError("incomplete: ngspice saved no points")
    infinite = [name for name in deck.vectors if not np.isfinite(vectors[name]).all()]
    if infinite:
        raise SimulationError(f"incomplete: values are not finite: {', '.join(infinite[:5])}")
    return vectors
