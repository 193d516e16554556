"""The log of ngspice: which lines make a run untrustworthy, and which of them become the reason in a table.

A reason must be the same whenever and wherever the same deck fails, because a table must be. So statistics of time and
memory, and the folder in which the deck ran, are no part of a reason.
"""

import re

# ngspice prints these where a run that "succeeded" cannot be trusted. It went on without a line that it did not
# understand, or with a value of its own in place of the deck's.
_ALARM = re.compile(
    r"unrecognized|ignored|singular|aborted|timestep too small|no such vector|fatal|can't find"
    r"|unknown (?:device|parameter|subckt)|undefined|not found|convergence problem"
    r"|^\s*error\b|could not (?:set|find)|resistance too? low",
    re.IGNORECASE,
)
# These match too but are harmless: ngspice falls back to another method and goes on.
_HARMLESS = re.compile(r"gmin stepping|source stepping|spinit|\.spiceinit|^Note:", re.IGNORECASE)
_NO_SOLUTION = re.compile(
    r"singular|aborted|timestep too small|convergence problem|no convergence|iteration limit", re.IGNORECASE
)
# Lines that stand in every log, or have other numbers in every run.
_STATISTICS = re.compile(
    r"analysis time|elapsed time|DRAM|program size|\bpages =|^Stack =|resource usage|no active circuit|^Doing analysis"
    r"|^No\. of Data|^Circuit:|compatibility mode|binary raw file|interrupted due to error",
    re.IGNORECASE,
)
_STEP = re.compile(r"^Trying gmin = \S+ ")
# Endings of an alarm that goes on in the next lines, and the number of these lines.
_GOES_ON = ((re.compile(r"or its substitute:$"), 2), (re.compile(r"(?::|--|,|from line)$"), 1))

# Largest number of lines, and of characters, of a reason.
_MOST_LINES, _MOST_CHARACTERS = 4, 400


def no_solution(log: str) -> bool:
    """Whether ngspice says that it found no solution."""
    return _NO_SOLUTION.search(log) is not None


def alarms(log: str) -> str:
    """The first alarms of ``log`` with the lines that belong to them, in one line; empty if there are none.

    The text is the same for the same deck: it has no statistics, and each alarm once.
    """
    # Every step of the gmin stepping repeats the message of the step before.
    lines = [_STEP.sub("", " ".join(line.split())) for line in log.splitlines()]
    lines = [line for line in lines if line and not _STATISTICS.search(line)]
    found: dict[str, None] = {}
    for number, line in enumerate(lines):
        if _ALARM.search(line) and not _HARMLESS.search(line):
            more = next((count for ending, count in _GOES_ON if ending.search(line)), 0)
            found |= dict.fromkeys(lines[number : number + 1 + more])
    return "; ".join(list(found)[:_MOST_LINES])[:_MOST_CHARACTERS]
