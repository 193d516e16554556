"""The console that the package prints on with rich."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from pyspice_cim.terminal import visible


class VisibleConsole(Console):
    """A console that prints control characters as escapes, so that a text of a file cannot command the terminal."""

    def render_str(self, text: str, **how: Any) -> Text:
        # Escaped before widths are measured, so that the columns of a table stay aligned.
        return super().render_str(visible(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        # Text of other renderables. rich marks its own control segments, which draw a bar.
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)
