"""Pieces of styled text, made harmless and measured in terminal cells: the one boundary of rows and panes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rich.cells import cell_len, get_character_cell_size, split_graphemes
from rich.segment import Segment
from rich.style import Style
from textual.widget import Widget

from opsconsole.model.text import visible

ELLIPSIS = "…"
"""Shows a cut; one cell wide."""

_LONGEST_GRAPHEME = 8
"""Code points kept of what shares a cell: more combining marks than any script needs would flood the line."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text in one style. The text is shown as it is: never markup, and never a control sequence."""

    text: str
    style: str = ""
    """A Textual style: `bold`, `$error`, `dim $text-muted`; empty for the widget's own."""


def clean(text: str) -> str:
    """Return `text` as one harmless line whose first character stands in a cell of its own."""
    if not (text.isascii() and text.isprintable()):
        text = visible(text)
    if text.isascii():
        return text
    # A combining mark at the start would change the last character of the piece before.
    bare = next((i for i, char in enumerate(text) if get_character_cell_size(char)), len(text))
    spelled = "".join(f"\\u{ord(char):04x}" for char in text[:bare])
    rest = text[bare:]
    graphemes = split_graphemes(rest)[0] if rest else []
    return spelled + "".join(rest[start : min(end, start + _LONGEST_GRAPHEME)] for start, end, _ in graphemes)


def cut(text: str, cells: int) -> str:
    """Return the clean `text` in at most `cells` cells, a cut shown by an ellipsis."""
    if cell_len(text) <= cells:
        return text
    return text[: _Ruler(text).end(0, cells - 1)] + ELLIPSIS if cells > 0 else ""


def cut_pieces(pieces: Iterable[Piece], cells: int) -> list[Piece]:
    """Return clean copies of `pieces` in at most `cells` cells together, a cut shown by an ellipsis."""
    kept: list[Piece] = []
    for piece in pieces:
        # What is beyond could not be shown: it need not be measured.
        limit = (cells + 1) * _LONGEST_GRAPHEME
        text = clean(piece.text[:limit]) + (ELLIPSIS if len(piece.text) > limit else "")
        shown = cut(text, cells)
        if shown:
            kept.append(Piece(shown, piece.style))
            cells -= cell_len(shown)
        if shown != text:
            break
    return kept


def width_of(pieces: Iterable[Piece]) -> int:
    """Return how many cells clean `pieces` take."""
    return sum(cell_len(piece.text) for piece in pieces)


def wrap(pieces: Sequence[Piece], width: int, indent: int = 0) -> Iterator[tuple[Piece, ...]]:
    """Yield the lines of at most `width` cells that the clean `pieces` of one line take, broken between words.

    The lines after the first begin with `indent` spaces. Words longer than a line are broken anywhere.
    """
    text = "".join(piece.text for piece in pieces)
    if cell_len(text) <= width:
        yield tuple(pieces)
        return
    ruler = _Ruler(text)
    indent = max(0, min(indent, width // 2, width - 2))  # two cells take any character
    margin: tuple[Piece, ...] = ()
    start, room = 0, width
    while start < len(text):
        end = max(ruler.end(start, room), ruler.after(start))
        if end < len(text):
            end = _break_before(text, start, end)
        yield margin + _part(pieces, start, end)
        start = end
        while start < len(text) and text[start] == " ":
            start += 1
        room = width - indent
        margin = (Piece(" " * indent),) if indent else ()


def segments(widget: Widget, pieces: Iterable[Piece], base: Style) -> list[Segment]:
    """Return `pieces` as segments in the styles of the widget's theme, each on top of `base`."""
    parse = widget.app.stylesheet.parse_style
    return [Segment(piece.text, base + parse(piece.style).rich_style if piece.style else base) for piece in pieces]


def _break_before(text: str, start: int, end: int) -> int:
    """Return where to break the line that begins at `start` and is full at `end`: at a space if there is one."""
    if text[end] == " ":
        return end
    space = text.rfind(" ", start, end)
    return space if space > start and not text[start:space].isspace() else end


def _part(pieces: Iterable[Piece], start: int, end: int) -> tuple[Piece, ...]:
    """Return the pieces of what lies between two indices of the joined text."""
    parts = []
    offset = 0
    for piece in pieces:
        text = piece.text[max(0, start - offset) : max(0, end - offset)]
        if text:
            parts.append(Piece(text, piece.style))
        offset += len(piece.text)
    return tuple(parts)


class _Ruler:
    """Finds columns in a clean line, between graphemes, which may be wider than a cell or a character."""

    def __init__(self, text: str) -> None:
        self._starts: Sequence[int]
        self._cells: Sequence[int]
        if text.isascii():
            self._starts = self._cells = range(len(text) + 1)
        else:
            spans, _ = split_graphemes(text)
            self._starts = [start for start, _, _ in spans] + [len(text)]
            self._cells = list(accumulate((cells for _, _, cells in spans), initial=0))

    def end(self, start: int, room: int) -> int:
        """Return up to where the text from index `start` on fits into `room` cells."""
        first = self._cells[bisect_left(self._starts, start)]
        return self._starts[bisect_right(self._cells, first + room) - 1]

    def after(self, start: int) -> int:
        """Return where the grapheme at index `start` ends."""
        return self._starts[bisect_right(self._starts, start)]
