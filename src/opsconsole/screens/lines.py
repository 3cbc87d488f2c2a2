"""The single lines of a screen: what is on top, messages, and keys; each paints itself only when it changes."""

from collections.abc import Iterable

from textual import events
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from opsconsole.screens.commands import Command, footer
from opsconsole.widgets.pieces import Piece, clean, cut_pieces, segments, width_of, wrap

Pieces = tuple[Piece, ...]

_MESSAGE_LINES = 3
"""Lines that a message may take before its end is cut off."""


class Line(Widget):
    """One line with a left and a right part; the left one is cut where there is not enough room."""

    DEFAULT_CSS = """
    Line { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - as widgets have it
        super().__init__(id=id)
        self._left: Pieces = ()
        self._right: Pieces = ()

    @property
    def text(self) -> str:
        """What it says, for tests."""
        return "".join(piece.text for piece in (*self._left, *self._right))

    def show(self, left: Iterable[Piece], right: Iterable[Piece] = ()) -> None:
        """Say this instead."""
        parts = tuple(left), tuple(right)
        if parts != (self._left, self._right):
            self._left, self._right = parts
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the line."""
        width = self.size.width
        right = cut_pieces(self._right, width)
        room = width - width_of(right)
        left = cut_pieces(self._left, room - 1 if right else room)
        space = Piece(" " * (room - width_of(left)))
        return Strip(segments(self, (*left, space, *right), self.rich_style), width)


class Message(Widget):
    """The answer to the last key, in as many lines as it needs, up to three; it stays until the next one.

    `notice` comes first and stays until it is taken away: progress, and what could not be saved.
    """

    DEFAULT_CSS = """
    Message { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - as widgets have it
        super().__init__(id=id)
        self._notice: Pieces = ()
        self._answer: Pieces = ()
        self._usual: Pieces = ()
        self._news: Pieces = ()
        self._lines: list[Pieces] = [()]

    @property
    def text(self) -> str:
        """What it says, for tests."""
        return "".join(piece.text for piece in (*self._notice, *(self._answer or self._usual), *self._news))

    def show_notice(self, notice: Pieces, usual: Pieces = ()) -> None:
        """Say `notice` ahead of every answer until told otherwise, and `usual` where there is no answer."""
        if (notice, usual) != (self._notice, self._usual):
            self._notice, self._usual = notice, usual
            self._lay_out()

    def tell(self, news: str) -> None:
        """Say after everything else what others did; nothing where it is empty."""
        pieces = (Piece(news),) if news else ()
        if pieces != self._news:
            self._news = pieces
            self._lay_out()

    def answer(self, text: str, style: str = "") -> None:
        """Say `text` instead of the answer before; nothing where it is empty."""
        pieces = (Piece(text, style),) if text else ()
        if pieces != self._answer:
            self._answer = pieces
            self._lay_out()

    def on_resize(self, _event: events.Resize) -> None:
        """Wrap anew."""
        self._lay_out()

    def render_line(self, y: int) -> Strip:
        """Return the line `y` cells below the top."""
        width = self.size.width
        line = self._lines[y] if y < len(self._lines) else ()
        return Strip(segments(self, line, self.rich_style)).adjust_cell_length(width, self.rich_style)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines it needs."""
        return len(self._lines)

    def _lay_out(self) -> None:
        width = self.size.width
        if width < 1:
            return
        rest = _joined(self._answer or self._usual, self._news)
        lines = list(wrap(_joined(self._notice, rest), width)) or [()]
        if len(lines) > _MESSAGE_LINES:
            # A notice of many words leaves room for the answer to the last key.
            last = list(wrap(rest, width))[: _MESSAGE_LINES - 1 if self._notice else _MESSAGE_LINES]
            lines = [*list(wrap(_joined(self._notice), width))[: _MESSAGE_LINES - len(last)], *last]
        if len(lines) != len(self._lines):
            self.styles.height = len(lines)
        self._lines = lines
        self.refresh()


def _joined(*parts: Pieces) -> Pieces:
    """Return what the parts say, one after another, in a single line."""
    said = [piece for part in parts if part for piece in (*part, Piece("  "))][:-1]
    return tuple(Piece(clean(each.text.replace("\n", " · ")), each.style) for each in said)


class Keys(Widget):
    """The line of keys at the bottom."""

    DEFAULT_CSS = """
    Keys { height: 1; }
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        super().__init__()
        self._commands = tuple(commands)

    def show(self, commands: Iterable[Command]) -> None:
        """Show other commands."""
        shown = tuple(commands)
        if shown != self._commands:
            self._commands = shown
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the line."""
        width = self.size.width
        pieces = cut_pieces(footer(self._commands, width), width)
        return Strip(segments(self, pieces, self.rich_style)).adjust_cell_length(width, self.rich_style)
