"""A board of squares with a cursor, like a calendar: each square is a glyph in a colour, never a colour alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from opsconsole.widgets.pieces import Piece, segments

_ACTIVE = Style(reverse=True)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the board: its label, and a glyph with its style for each column; None for no square."""

    label: str
    squares: tuple[Piece | None, ...]


@dataclass(eq=False)
class SquareHighlighted(Message):
    """The cursor came to stand on another square, or what the board shows is another."""

    row: int
    column: int


@dataclass(eq=False)
class SquareSelected(Message):
    """The operator pressed Enter on a square."""

    row: int
    column: int


@dataclass(eq=False)
class BoardLeft(Message):
    """The cursor was to move beyond the first column (-1) or the last (1)."""

    step: int


class Squares(Widget, can_focus=True, inherit_bindings=False):
    """Shows the board under a line of heads. A move of the cursor paints two lines at most."""

    DEFAULT_CSS = """
    Squares { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", "Up", show=False, id="squares.up"),
        Binding("down,j", "move(1, 0)", "Down", show=False, id="squares.down"),
        Binding("left", "move(0, -1)", "Left", show=False, id="squares.left"),
        Binding("right,l", "move(0, 1)", "Right", show=False, id="squares.right"),
        Binding("home", "edge(-1)", "First", show=False, id="squares.first"),
        Binding("end", "edge(1)", "Last", show=False, id="squares.last"),
        Binding("enter", "select", "Open", show=False, id="squares.select"),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - as widgets have it
        super().__init__(id=id)
        self._heads: tuple[str, ...] = ()
        self._lines: tuple[Line, ...] = ()
        self._cell = 2
        self._label = 0
        self._cursor: tuple[int, int] | None = None

    @property
    def cursor(self) -> tuple[int, int] | None:
        """The row and the column of the square under the cursor; None where there is no square."""
        return self._cursor

    def show(
        self, heads: Sequence[str], lines: Sequence[Line], cell: int, cursor: tuple[int, int] | None = None
    ) -> None:
        """Show a board whose squares are `cell` cells wide; the cursor stays, or goes to `cursor`."""
        before, size = self._lines, (len(self._lines), self._heads, self._cell)
        self._heads, self._lines, self._cell = tuple(heads), tuple(lines), cell
        self._label = max((len(each.label) for each in lines), default=0) + 1
        wanted = cursor or self._cursor
        self._cursor = wanted if wanted is not None and self._at(*wanted) is not None else self._any()
        if size != (len(self._lines), self._heads, self._cell):
            self.refresh(layout=True)
        else:
            for number, (old, new) in enumerate(zip(before, self._lines, strict=True)):
                if old != new:
                    self._repaint(number)
        self._tell()

    # --- moving --------------------------------------------------------------------------------------

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor to the next square in a direction."""
        if self._cursor is None:
            return
        row, column = self._cursor
        while True:
            row, column = row + rows, column + columns
            if not 0 <= row < len(self._lines):
                return
            if not 0 <= column < len(self._lines[row].squares):
                self.post_message(BoardLeft(columns))
                return
            if self._at(row, column) is not None:
                self.go(row, column)
                return

    def action_edge(self, side: int) -> None:
        """Move the cursor to the first or the last square of its row."""
        if self._cursor is None:
            return
        row = self._cursor[0]
        columns = [number for number, each in enumerate(self._lines[row].squares) if each is not None]
        self.go(row, columns[0 if side < 0 else -1])

    def action_select(self) -> None:
        """Tell that the square under the cursor was chosen."""
        if self._cursor is not None:
            self.post_message(SquareSelected(*self._cursor))

    def go(self, row: int, column: int) -> None:
        """Put the cursor on a square; nothing happens where there is none."""
        if self._at(row, column) is None or self._cursor == (row, column):
            return
        before = self._cursor
        self._cursor = (row, column)
        for each in {row, before[0] if before is not None else row}:
            self._repaint(each)
        self._tell()

    def _at(self, row: int, column: int) -> Piece | None:
        if not 0 <= row < len(self._lines) or not 0 <= column < len(self._lines[row].squares):
            return None
        return self._lines[row].squares[column]

    def _any(self) -> tuple[int, int] | None:
        """Return the last square there is."""
        found = ((row, column) for row, line in enumerate(self._lines) for column in range(len(line.squares)))
        return max((each for each in found if self._at(*each) is not None), default=None, key=lambda at: at[::-1])

    def _tell(self) -> None:
        if self._cursor is not None:
            self.post_message(SquareHighlighted(*self._cursor))

    # --- drawing -------------------------------------------------------------------------------------

    def on_focus(self) -> None:
        """Show the cursor as the one that keys move."""
        self._repaint(self._cursor[0] if self._cursor is not None else 0)

    def on_blur(self) -> None:
        """Show the cursor as one that keys do not move."""
        self._repaint(self._cursor[0] if self._cursor is not None else 0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines it needs."""
        return len(self._lines) + 1

    def render_line(self, y: int) -> Strip:
        """Return the line `y` cells below the top: the heads, then a row each."""
        width, base = self.size.width, self.rich_style
        if y == 0:
            return Strip(segments(self, self._head_pieces(), base)).adjust_cell_length(width, base)
        if y > len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[y - 1]
        parts = segments(self, (Piece(line.label.ljust(self._label), "dim"),), base)
        for column, square in enumerate(line.squares):
            parts += self._square((y - 1, column), square, base)
        return Strip(parts).adjust_cell_length(width, base)

    def _square(self, at: tuple[int, int], square: Piece | None, base: Style) -> list[Segment]:
        if square is None:
            return [Segment(" " * self._cell, base)]
        if at == self._cursor:
            style = base + (_ACTIVE if self.has_focus else Style(bold=True))
            return [Segment(" " * (self._cell - 2), base), Segment(f">{square.text}", style)]
        return segments(self, (Piece(square.text.rjust(self._cell), square.style),), base)

    def _head_pieces(self) -> tuple[Piece, ...]:
        """Return the heads, each from its column on as far as it needs."""
        line = " " * self._label
        for column, head in enumerate(self._heads):
            place = self._label + column * self._cell + (self._cell - len(head) if len(head) < self._cell else 1)
            if head and place >= len(line):
                line = line.ljust(place) + head
        return (Piece(line, "dim"),)

    def _repaint(self, row: int) -> None:
        self.refresh(Region(0, row + 1, self.size.width, 1))
