"""Text on its way to a terminal: what would command it is shown, not sent.

A terminal obeys control characters: an escape sequence clears it, renames its window, or has it type. A text out of a
file may hold them, so everything that the command line prints comes through ``visible`` (by way of ``report.console`` where
rich prints it). Newlines and tabs stay.
"""

import re

# The controls C0 (with ESC) and C1, DEL, separators of lines, and what turns the direction of writing round.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]")


def visible(text: str) -> str:
    r"""``text`` with each control character as an escape, e.g. ``\x1b``; newlines and tabs stay."""
    return _HIDDEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
