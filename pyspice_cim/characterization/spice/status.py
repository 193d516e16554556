"""Why a run gave no values: a status that a program can ask, and a reason that a person can read.

A table stores the text of a ``Failure``: ``timeout: killed after 600 s``. Nothing in the package reads that text back.
"""

import enum
from dataclasses import dataclass


class Status(enum.Enum):
    """The reasons why there is no value. The text of a status is the word that a table shows."""

    TIMEOUT = "timeout"
    KILLED = "killed"
    CRASHED = "crashed"
    NOT_CONVERGED = "not converged"
    UNTRUSTED = "untrusted"
    INCOMPLETE = "incomplete"
    DISK_FULL = "disk full"
    REJECTED = "rejected"
    NOT_CACHED = "not in the cache"
    NOT_SIMULATED = "not simulated"
    NO_NETLIST = "no netlist"

    @property
    def meaning(self) -> str:
        """What the status says, in one line."""
        return _MEANINGS[self]

    @property
    def retried(self) -> bool:
        """Whether other simulator options may mend the run.

        A timeout is not retried, although looser options might end a slow deck. A timeout depends on how busy the machine
        is. A value from a convergence retry can differ by percents, and a busy machine must not change a table. A timeout
        stays a failure that no cache keeps, so the next run tries the same deck again.
        """
        return self in (Status.NOT_CONVERGED, Status.CRASHED, Status.INCOMPLETE)

    @property
    def of_the_machine(self) -> bool:
        """Whether the status describes the machine and not the deck."""
        return self in (Status.TIMEOUT, Status.KILLED, Status.DISK_FULL)


_MEANINGS = {
    Status.TIMEOUT: "ngspice did not end in time; it was killed with every process that it had started",
    Status.KILLED: "somebody else ended ngspice (the kernel when memory runs out, an operator)",
    Status.CRASHED: "ngspice ended by a signal of its own making",
    Status.NOT_CONVERGED: "ngspice found no solution, or stopped before the stop time",
    Status.UNTRUSTED: "ngspice ended well, but warned that it did not do what the deck asks",
    Status.INCOMPLETE: "ngspice ended, but a vector is missing or not finite",
    Status.DISK_FULL: "there was no room for the deck or the result",
    Status.REJECTED: "ngspice ran well; the waveforms are not what they must be",
    Status.NOT_CACHED: "the cache does not hold the outcome, and nothing was run",
    Status.NOT_SIMULATED: "the time limit ended before the simulation began",
    Status.NO_NETLIST: "the netlist could not be made",
}


@dataclass(frozen=True)
class Failure:
    """Why there are no values.

    Attributes:
        status: kind of the failure.
        reason: what was wrong, in words; the same text whenever and wherever the same deck fails.
    """

    status: Status
    reason: str = ""

    def __str__(self) -> str:
        """The text that a table stores: the status, a colon and the reason."""
        return f"{self.status.value}: {self.reason}" if self.reason else self.status.value
