"""The console that the package prints on with rich."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from pyspice_cim.terminal import visible


class VisibleConsole(Console):
    """A console that shows control characters of a text as escapes: a text out of a file cannot command the terminal."""

    def render_str(self, text: str, **how: Any) -> Text:
        # Before widths are measured, so that a table stays in its lines.
        return super().render_str(visible(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        # Whatever else became text. rich's own commands, which draw a bar, are marked as such.
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)
