"""Line filters that send fewer codes: none for colours under NO_COLOR, none for what is the default anyway."""

from collections.abc import Iterator
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_PLAIN = Style()


@lru_cache(maxsize=1024)
def _without_color(style: Style) -> Style:
    return style.without_color


@lru_cache(maxsize=1024)
def _without_defaults(style: Style) -> Style:
    """Return `style` without colours that are the terminal's default, which every piece starts from."""
    color, background = style.color, style.bgcolor
    if (color is None or not color.is_default) and (background is None or not background.is_default):
        return style
    lean = style.without_color + Style.from_color(
        None if color is None or color.is_default else color,
        None if background is None or background.is_default else background,
    )
    return lean + Style.from_meta(style.meta) if style.meta else lean


def _joined(segments: Iterator[Segment]) -> Iterator[Segment]:
    """Yield `segments` with neighbours of one style made one."""
    last = next(segments, None)
    if last is None:
        return
    for segment in segments:
        if segment.style == last.style and segment.control is None and last.control is None:
            last = Segment(last.text + segment.text, last.style)
        else:
            yield last
            last = segment
    yield last


class NoColorFilter(LineFilter):
    """Drops colours, and keeps bold, reverse and underline.

    Textual's own filters send greys, or the codes of the default colours.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return `segments` without colours."""
        plain = (Segment(text, _without_color(style or _PLAIN), control) for text, style, control in segments)
        return list(_joined(plain))


class LeanFilter(LineFilter):
    """Drops the codes of default colours, and the codes between neighbours of one style.

    In Textual's ANSI themes nearly everything has the default colours; each code costs a dozen bytes.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return `segments` as they look, in fewer codes."""
        lean = (Segment(text, _without_defaults(style or _PLAIN), control) for text, style, control in segments)
        return list(_joined(lean))
