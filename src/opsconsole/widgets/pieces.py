"""Pieces of styled text, made harmless and measured in terminal cells: the one boundary of rows and panes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

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


type_of_pieces = tuple[Piece, ...]


def clean(text: str) -> str:
    """Return `text` as one harmless line whose first character stands in a cell of its own."""
    if text.isascii() and text.isprintable():
        return text
    text = visible(text)
    if text.isascii():
        return text
    # A combining mark at the start would change the last character of the piece before.
    bare = 0
    while bare < len(text) and get_character_cell_size(text[bare]) == 0:
        bare += 1
    spelled = "".join(f"\\u{ord(char):04x}" for char in text[:bare])
    graphemes = split_graphemes(text[bare:])[0] if bare < len(text) else []
    return spelled + "".join(text[bare + start : bare + min(end, start + _LONGEST_GRAPHEME)] for start, end, _ in graphemes)


def cut(text: str, cells: int) -> str:
    """Return `text`, which is clean, in at most `cells` cells, a cut shown by an ellipsis."""
    if cell_len(text) <= cells:
        return text
    if cells < 1:
        return ""
    measured = _Measured(text)
    return text[: measured.end(0, cells - 1)] + ELLIPSIS if cells > 1 else ELLIPSIS


def cut_pieces(pieces: Sequence[Piece], cells: int) -> tuple[list[Piece], int]:
    """Return clean copies of `pieces` in at most `cells` cells, and how many cells they take."""
    kept: list[Piece] = []
    left = cells
    for piece in pieces:
        # No more characters can be shown; what is beyond need not be measured.
        text = clean(piece.text[: (left + 1) * _LONGEST_GRAPHEME])
        if not text:
            continue
        shown = cut(text, left)
        if shown:
            kept.append(Piece(shown, piece.style))
            left -= cell_len(shown)
        if shown != text:
            break
    return kept, cells - left


class _Measured:
    """A line of clean text in which a column can be found without walking it again."""

    def __init__(self, text: str) -> None:
        self.text = text
        if text.isascii():
            self._starts = self._cells = range(len(text) + 1)
        else:
            spans, _ = split_graphemes(text)
            self._starts = [start for start, _, _ in spans] + [len(text)]
            self._cells = list(accumulate((cells for _, _, cells in spans), initial=0))

    def end(self, start: int, room: int) -> int:
        """Return where the text from index `start` on has filled `room` cells: an index between two graphemes."""
        first = bisect_left(self._starts, start)
        fitting = bisect_right(self._cells, self._cells[first] + room) - 1
        return self._starts[fitting]
