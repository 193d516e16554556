"""Worker processes: how they start, how they end, and the one function that they run.

Ctrl-C in a terminal reaches every process of the program. A worker ignores it, and the engine ends the worker. No worker
and no ngspice outlives the program.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import active_children, parent_process

from pyspice_cim.characterization.spice.ngspice import Simulator
from pyspice_cim.characterization.spice.simulation import Outcome, Simulation, execute

# Seconds; sending a result takes less.
_SENDING = 0.5


class _Worker:
    """What a worker process knows of itself. Signal handlers of a process share this state.

    Attributes:
        leaving: set when the worker has been told to end.
        simulating: whether our code runs, and not the pool's.
    """

    leaving = threading.Event()
    simulating = False


@contextlib.contextmanager
def worker_pool(workers: int) -> Iterator[Executor]:
    """A pool of ``workers`` processes. After an error in the block the processes are ended at once."""
    others = set(active_children())
    with ProcessPoolExecutor(workers, initializer=begin_worker) as pool:
        try:
            yield pool
        except BaseException:
            # Otherwise minutes may pass until the decks that run are done.
            for worker in set(active_children()) - others:
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def begin_worker() -> None:
    """Prepare a new worker process: it ignores Ctrl-C, ends cleanly at SIGTERM, and ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    for task in (_follow_parent, _end_soon):
        threading.Thread(target=task, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _end_soon() -> None:
    """End a worker that waits for work or has just sent its last result. A worker that simulates clears up first."""
    _Worker.leaving.wait()
    time.sleep(_SENDING)
    if not _Worker.simulating:
        os._exit(1)


def _leave(number: int, frame: object) -> None:
    # A second signal must not disturb what the first one has begun: ngspice is ended and its folder removed.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _Worker.leaving.set()
    # An exception in the pool's own code could leave a lock of its queues taken, and all others waiting for ever.
    if _Worker.simulating:
        raise SystemExit(1)


def run_in_worker(simulation: Simulation, simulator: Simulator, deadline: float | None) -> Outcome | None:
    """The outcome of ``simulation``; ``None`` after the deadline, where the simulation is not begun.

    A worker that was told to end exits here. Otherwise its pool would take the exit for a result and go on.

    Args:
        deadline: as ``time.time()``, which another process or machine can read too.
    """
    if deadline is not None and time.time() > deadline:
        return None
    try:
        _Worker.simulating = True
        if _Worker.leaving.is_set():
            raise SystemExit(1)
        return execute(simulation, simulator)
    except SystemExit:
        os._exit(1)
    finally:
        _Worker.simulating = False
