"""What rows and panes have in common: text drawn line by line, each line sent only when it changed."""

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView


class LineView(ScrollView, inherit_bindings=False):
    """A scrolled stack of lines, as wide as the widget."""

    DEFAULT_CSS = """
    LineView {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
    }
    """

    @property
    def line_width(self) -> int:
        """The cells a line has, beside the scroll bar."""
        return self.scrollable_content_region.width

    @property
    def lines_visible(self) -> range:
        """The indices of the lines in view, were there so many."""
        top = self.scroll_offset.y
        return range(top, top + self.scrollable_content_region.height)

    def refresh_line(self, y: int) -> None:
        """Paint the line with the index `y` anew, if it is in view, and not the scroll bar beside it."""
        if y in self.lines_visible:
            self.refresh(Region(0, y - self.scroll_offset.y, self.line_width, 1))

    def set_line_count(self, count: int) -> None:
        """Make the view `count` lines long."""
        self.virtual_size = Size(self.line_width, count)

    def scroll_to_line(self, y: int) -> None:
        """Scroll so that the line with the index `y` is the first in view, as far as the last lines allow."""
        self.scroll_to(y=y, animate=False, force=True)
