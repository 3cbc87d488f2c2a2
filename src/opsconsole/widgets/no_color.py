"""Takes every colour out of what is drawn (NO_COLOR), and leaves bold, reverse and underline."""

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_PLAIN = Style()


@lru_cache(maxsize=1024)
def _without_color(style: Style) -> Style:
    return style.without_color


class NoColorFilter(LineFilter):
    """Drops colours altogether: Textual's own filters send greys or the codes of the default colours."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Return `segments` without colours."""
        return [Segment(text, _without_color(style or _PLAIN), None) for text, style, _ in segments]
