"""What ngspice says: lines that make a run one that is not to be trusted, and what of them enters a table as a reason.

A reason must be the same whenever and wherever the same deck fails, because a table is: statistics of time and memory, and
the folder that the deck ran in, are no part of it.
"""

import re

# What ngspice prints where a run that "succeeded" is not to be trusted: it went on without what it did not understand, or
# with a value of its own in the place of the deck's.
_ALARM = re.compile(
    r"unrecognized|ignored|singular|aborted|timestep too small|no such vector|fatal|can't find"
    r"|unknown (?:device|parameter|subckt)|undefined|not found|convergence problem"
    r"|^\s*error\b|could not (?:set|find)|resistance too? low",
    re.IGNORECASE,
)
# Notes that match the above and are harmless: ngspice falls back to another method and goes on.
_HARMLESS = re.compile(r"gmin stepping|source stepping|spinit|\.spiceinit|^Note:", re.IGNORECASE)
_NO_SOLUTION = re.compile(
    r"singular|aborted|timestep too small|convergence problem|no convergence|iteration limit", re.IGNORECASE
)
# Said at the end of every run, or with other numbers in every run.
_STATISTICS = re.compile(
    r"analysis time|elapsed time|DRAM|program size|\bpages =|^Stack =|resource usage|no active circuit|^Doing analysis"
    r"|^No\. of Data|^Circuit:|compatibility mode|binary raw file|interrupted due to error",
    re.IGNORECASE,
)
_STEP = re.compile(r"^Trying gmin = \S+ ")
# Lines behind an alarm without which it says nothing, by how it ends.
_GOES_ON = ((re.compile(r"or its substitute:$"), 2), (re.compile(r"(?::|--|,|from line)$"), 1))

# Lines, and characters of all of them, that a reason holds.
_MOST_LINES, _MOST_CHARACTERS = 4, 400


def no_solution(log: str) -> bool:
    """Whether ngspice says that it found no solution."""
    return _NO_SOLUTION.search(log) is not None


def alarms(log: str) -> str:
    """The first alarms of ``log`` with the lines that belong to them, in one line; empty if there are none.

    They are the same for the same deck: without statistics, and each but once.
    """
    # What a step of the gmin stepping says is said again by the next one.
    lines = [_STEP.sub("", " ".join(line.split())) for line in log.splitlines()]
    lines = [line for line in lines if line and not _STATISTICS.search(line)]
    found: dict[str, None] = {}
    for number, line in enumerate(lines):
        if _ALARM.search(line) and not _HARMLESS.search(line):
            more = next((count for ending, count in _GOES_ON if ending.search(line)), 0)
            found |= dict.fromkeys(lines[number : number + 1 + more])
    return "; ".join(list(found)[:_MOST_LINES])[:_MOST_CHARACTERS]
