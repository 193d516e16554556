"""Text for a terminal: control characters are printed as escapes.

A terminal obeys control characters: an escape sequence can clear the screen, rename the window, or type a command. A text of
a file may hold control characters. So the command line prints every text through ``visible``; where rich prints, through
``report.console``. Newlines and tabs stay.
"""

import re

# The controls C0 (with ESC) and C1, DEL, line separators, and the marks that reverse the direction of writing.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]")


def visible(text: str) -> str:
    r"""``text`` with each control character as an escape, e.g. ``\x1b``; newlines and tabs stay."""
    return _HIDDEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
