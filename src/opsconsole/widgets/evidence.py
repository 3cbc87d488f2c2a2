"""A read-only pane of wrapped plain text: what was measured, the evidence, the attempts, a runbook."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from opsconsole.widgets.lines import LineView
from opsconsole.widgets.pieces import Piece, clean, segments, wrap

NO_BREAK = "\u00a0"
"""A space at which no line is broken; it is shown, and copied with the mouse, as a plain one."""

_TAB_STOP = 8


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text in pieces, which may hold line ends; a wrapped line goes on `indent` cells from the left."""

    pieces: tuple[Piece, ...]
    indent: int = 0

    @classmethod
    def plain(cls, text: str, style: str = "", indent: int = 0) -> "Paragraph":
        """Return a paragraph in one style."""
        return cls((Piece(text, style),), indent)


@dataclass(eq=False)
class TextScrolled(Message):
    """Other lines of a pane came into view."""

    pane: "TextPane"
    """The pane."""

    @property
    def control(self) -> "TextPane":
        """The pane, for handlers that name it by a selector."""
        return self.pane


class TextPane(LineView, can_focus=True, inherit_bindings=False):
    """Shows paragraphs, wrapped to its width; new text paints only the lines that changed.

    Nothing in the text is taken for markup, and nothing in it reaches the terminal as a control sequence.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_by(-1)", "Up", show=False, id="pane.up"),
        Binding("down,j", "scroll_by(1)", "Down", show=False, id="pane.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="pane.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="pane.page-down"),
        Binding("home", "top", "Top", show=False, id="pane.top"),
        Binding("end", "bottom", "End", show=False, id="pane.end"),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - as widgets have it
        super().__init__(id=id, classes=classes)
        self._paragraphs: tuple[Paragraph, ...] = ()
        self._document = ""
        self._lines: list[tuple[Piece, ...]] = []
        self._ends: list[int] = []

    @property
    def lines(self) -> tuple[str, ...]:
        """The wrapped lines as text, for tests and for copying out."""
        return tuple("".join(piece.text for piece in line) for line in self._lines)

    def lines_of(self, paragraph: int) -> range:
        """Return which of the wrapped lines the paragraph with that index takes, none before there is a width."""
        ends = [0, *self._ends]
        return range(*ends[paragraph : paragraph + 2]) if paragraph < len(self._ends) else range(0)

    def show(self, paragraphs: Iterable[Paragraph], *, document: str = "") -> None:
        """Show `paragraphs`. Another `document` than before begins at its top; the same one stays where it was."""
        self._paragraphs = tuple(paragraphs)
        self._wrap()
        if document != self._document:
            self._document = document
            self.scroll_to_line(0)

    def action_scroll_by(self, lines: int) -> None:
        """Scroll down by `lines`, up where that is negative."""
        self.scroll_to_line(self.scroll_offset.y + lines)

    def action_page(self, step: int) -> None:
        """Scroll by a page, down (1) or up (-1); screens call it too where the keys go to another widget."""
        self.action_scroll_by(step * max(1, len(self.lines_visible) - 1))

    def action_top(self) -> None:
        """Scroll to the first line."""
        self.scroll_to_line(0)

    def action_bottom(self) -> None:
        """Scroll to the last line."""
        self.scroll_to_line(len(self._lines))

    def on_resize(self) -> None:
        """Wrap the text to the new width."""
        self._wrap()
        self.post_message(TextScrolled(self))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell that other lines are in view."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(TextScrolled(self))

    def render_line(self, y: int) -> Strip:
        """Return the line `y` cells below the top of the widget."""
        index = y + self.scroll_offset.y
        width = self.line_width
        base = self.rich_style
        if index >= len(self._lines):
            return Strip.blank(width, base)
        return Strip(segments(self, self._lines[index], base)).adjust_cell_length(width, base)

    def _wrap(self) -> None:
        width = self.line_width
        if width < 1:
            return
        before, self._lines, self._ends = self._lines, [], []
        for each in self._paragraphs:
            self._lines += _wrapped(each, width)
            self._ends.append(len(self._lines))
        for index in self.lines_visible:
            old = before[index] if index < len(before) else ()
            new = self._lines[index] if index < len(self._lines) else ()
            if old != new:
                self.refresh_line(index)
        self.set_line_count(len(self._lines))


def _wrapped(paragraph: Paragraph, width: int) -> Iterator[tuple[Piece, ...]]:
    """Yield the harmless, wrapped lines of one paragraph; at least one."""
    for parts in _broken(paragraph, width):
        yield tuple(Piece(part.text.replace(NO_BREAK, " "), part.style) for part in parts)


def _broken(paragraph: Paragraph, width: int) -> Iterator[tuple[Piece, ...]]:
    line: list[Piece] = []
    for piece in paragraph.pieces:
        first, *more = piece.text.replace("\r\n", "\n").expandtabs(_TAB_STOP).split("\n")
        line.append(Piece(clean(first), piece.style))
        for text in more:
            yield from wrap([part for part in line if part.text], width, paragraph.indent)
            line = [Piece(clean(text), piece.style)]
    yield from wrap([part for part in line if part.text], width, paragraph.indent)
