"""A list of rows with a cursor that sends only the lines that changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from opsconsole.widgets.lines import LineView
from opsconsole.widgets.pieces import Piece, cut_pieces, segments, width_of

_GUTTER = 2
"""Cells before the text of a row the cursor can stand on: `> ` where it does."""

_ACTIVE = Style(reverse=True)
_PASSIVE = Style(bold=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list: `left` is cut where there is not enough room, `right` ends at the right edge."""

    key: str
    """Stays the same while the row's text changes; unique within the list."""
    left: tuple[Piece, ...]
    right: tuple[Piece, ...] = ()
    selectable: bool = True
    """False for headings and separators: the cursor skips them, and they begin in the first column."""


@dataclass(eq=False)
class RowHighlighted(Message):
    """The cursor came to stand on another row."""

    rows: "Rows"
    """The list."""
    index: int
    """The row's place in the list at that moment; where rows come and go, the key is what counts."""
    key: str
    """The row's key."""

    @property
    def control(self) -> "Rows":
        """The list, for handlers that name it by a selector."""
        return self.rows


@dataclass(eq=False)
class RowSelected(Message):
    """The operator pressed Enter on a row."""

    rows: "Rows"
    """The list."""
    index: int
    """The row's place in the list at that moment; where rows come and go, the key is what counts."""
    key: str
    """The row's key."""

    @property
    def control(self) -> "Rows":
        """The list, for handlers that name it by a selector."""
        return self.rows


class Rows(LineView, can_focus=True, inherit_bindings=False):
    """Shows rows and a cursor: reversed, and marked `>`, so that it shows without colours too.

    A change of one row repaints one line, a move of the cursor two; ten thousand rows cost no more than ten.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="rows.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="rows.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="rows.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="rows.page-down"),
        Binding("home", "first", "First", show=False, id="rows.first"),
        Binding("end", "last", "Last", show=False, id="rows.last"),
        Binding("enter", "select", "Open", show=False, id="rows.select"),
    ]

    def __init__(self, rows: Iterable[Row] = (), *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - as widgets have it
        super().__init__(id=id, classes=classes)
        self._rows: list[Row] = []
        self._index_of: dict[str, int] = {}
        self._cursor: int | None = None
        self._take(list(rows))
        self._cursor = self._nearest(0)

    # What it shows.

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows, in the order they are shown."""
        return tuple(self._rows)

    @property
    def cursor_key(self) -> str | None:
        """The key of the row the cursor stands on; None where no row can be selected."""
        return None if self._cursor is None else self._rows[self._cursor].key

    def set_rows(self, rows: Iterable[Row]) -> None:
        """Show `rows` instead: the cursor stays on its key, or goes to the nearest row where that is gone.

        Only lines that differ from what they were are painted. Raises ValueError where two rows share a key.
        """
        before, key, cursor = self._rows, self.cursor_key, self._cursor
        self._take(list(rows))
        self._cursor = self._index_of.get(key) if key is not None else None
        if self._cursor is None or not self._rows[self._cursor].selectable:
            self._cursor = self._nearest(cursor or 0)
        if len(before) != len(self._rows):
            self._resize()
            self.refresh()
        else:
            for index in self.lines_visible:
                if index < len(before) and before[index] != self._rows[index]:
                    self.refresh_line(index)
        self._cursor_came_from(cursor, key)

    def set_row(self, index: int, row: Row) -> None:
        """Show `row` in the place of the one at `index`, and paint that line only.

        Raises IndexError where there is none, ValueError where the key is another row's or the cursor cannot stay.
        """
        old = self._rows[index]
        if row == old:
            return
        if row.selectable != old.selectable or self._index_of.get(row.key, index) != index:
            raise ValueError(f"row {row.key!r} cannot take the place of {old.key!r}")
        del self._index_of[old.key]
        self._index_of[row.key] = index
        self._rows[index] = row
        self.refresh_line(index)

    def update_row(self, row: Row) -> None:
        """Show `row` in the place of the one with the same key. Raises KeyError where there is none."""
        self.set_row(self._index_of[row.key], row)

    def move_to(self, key: str) -> bool:
        """Put the cursor on the row with `key`; return whether it could."""
        index = self._index_of.get(key)
        if index is None or not self._rows[index].selectable:
            return False
        self._go(index)
        return True

    # How it moves.

    def action_move(self, step: int) -> None:
        """Move the cursor to the next row in the direction of `step` that can be selected."""
        if self._cursor is not None:
            self._go(self._beyond(self._cursor + step, step))

    def action_page(self, step: int) -> None:
        """Move the cursor by a page in the direction of `step`."""
        if self._cursor is not None:
            target = self._cursor + step * max(1, len(self.lines_visible) - 1)
            target = min(max(target, 0), len(self._rows) - 1)
            found = self._beyond(target, -step)
            self._go(self._beyond(target, step) if found is None else found)

    def action_first(self) -> None:
        """Move the cursor to the first row, and show what stands above it."""
        self._go(self._beyond(0, 1))

    def action_last(self) -> None:
        """Move the cursor to the last row."""
        self._go(self._beyond(len(self._rows) - 1, -1))

    def action_select(self) -> None:
        """Tell that the row under the cursor was chosen."""
        if self._cursor is not None:
            self.post_message(RowSelected(self, self._cursor, self._rows[self._cursor].key))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row that was clicked, where the mouse is in use."""
        index = event.y + self.scroll_offset.y
        if index < len(self._rows) and self._rows[index].selectable:
            self._go(index)

    # How it is drawn.

    def render_line(self, y: int) -> Strip:
        """Return the line `y` cells below the top of the widget."""
        index = y + self.scroll_offset.y
        width = self.line_width
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[index]
        if index == self._cursor:
            return self._cursor_line(row, width)
        base = self.rich_style
        parts = _laid_out(row, width, " " * _GUTTER if row.selectable else "")
        return Strip(segments(self, parts, base), width)

    def _cursor_line(self, row: Row, width: int) -> Strip:
        """Return the line under the cursor, all in one style, so that it can be read in any theme."""
        text = "".join(piece.text for piece in _laid_out(row, width, "> "))
        style = self.rich_style + (_ACTIVE if self.has_focus else _PASSIVE)
        return Strip([Segment(text, style)], width)

    def on_mount(self) -> None:
        """Tell where the cursor stands at first."""
        self._tell()

    def on_resize(self) -> None:
        """Fit the rows to the new width, with the cursor in view."""
        self._resize()
        self._bring_into_view()

    def on_focus(self) -> None:
        """Show the cursor as the one that keys move."""
        self._repaint(self._cursor)

    def on_blur(self) -> None:
        """Show the cursor as one that keys do not move."""
        self._repaint(self._cursor)

    # The rest.

    def _take(self, rows: list[Row]) -> None:
        index_of = {row.key: index for index, row in enumerate(rows)}
        if len(index_of) != len(rows):
            raise ValueError("two rows have the same key")
        self._rows, self._index_of = rows, index_of

    def _resize(self) -> None:
        self.set_line_count(len(self._rows))

    def _repaint(self, index: int | None) -> None:
        if index is not None:
            self.refresh_line(index)

    def _nearest(self, index: int) -> int | None:
        index = min(index, len(self._rows) - 1)
        after = self._beyond(max(index, 0), 1)
        return self._beyond(index, -1) if after is None else after

    def _beyond(self, index: int, step: int) -> int | None:
        """Return the first row that can be selected from `index` on in the direction of `step`."""
        indices = range(index, len(self._rows)) if step > 0 else range(index, -1, -1)
        return next((i for i in indices if self._rows[i].selectable), None)

    def _go(self, index: int | None) -> None:
        if index is None:
            return
        before, key = self._cursor, self.cursor_key
        self._cursor = index
        self._cursor_came_from(before, key)

    def _cursor_came_from(self, index: int | None, key: str | None) -> None:
        """Paint what the cursor left and where it is, and tell of it where its key is another."""
        if index != self._cursor:
            if index is not None and index < len(self._rows):
                self._repaint(index)
            self._repaint(self._cursor)
        self._bring_into_view()
        if key != self.cursor_key:
            self._tell()

    def _tell(self) -> None:
        if self._cursor is not None:
            self.post_message(RowHighlighted(self, self._cursor, self._rows[self._cursor].key))

    def _bring_into_view(self) -> None:
        """Scroll as little as shows the cursor, with the headings right above it where they fit."""
        height = len(self.lines_visible)
        if self._cursor is None or height < 1:
            return
        top = self._cursor
        while top > 0 and not self._rows[top - 1].selectable and self._cursor - top < height - 1:
            top -= 1
        offset = self.scroll_offset.y
        if top < offset:
            self.scroll_to_line(top)
        elif self._cursor >= offset + height:
            self.scroll_to_line(self._cursor - height + 1)


def _laid_out(row: Row, width: int, gutter: str) -> Sequence[Piece]:
    """Return the pieces of one line, exactly `width` cells together: gutter, left, space, right."""
    room = max(0, width - len(gutter))
    right = cut_pieces(row.right, room)
    room -= width_of(right)
    left = cut_pieces(row.left, room - 1 if right else room)
    space = room - width_of(left)
    parts = [Piece(gutter), *left, Piece(" " * space), *right]
    return [part for part in parts if part.text]
