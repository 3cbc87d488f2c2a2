"""Remembers what the terminal shows, so that only cells that differ are sent.

Textual paints a new screen up to eight times over while it lays it out, and a whole line for a changed digit: over
a slow line that is what an operator waits for.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby, repeat
from operator import itemgetter

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

Cell = tuple[str, str]
"""A character and the codes of its style (the parameters of SGR, ECMA-48 8.3.117)."""

_BLANK: Cell = (" ", "")
_CLEAR = "\x1b[2J"
_WORTH_A_JUMP = 9
"""Equal cells between two changed ones from which on it is shorter to jump: a cursor position is up to 8 bytes."""


class ReducedUpdate(CompositorUpdate):
    """An update that has been reduced to the codes that are to be sent."""

    def __init__(self, codes: str) -> None:
        self.codes = codes

    def render_segments(self, console: Console) -> str:
        """Return the codes."""
        return self.codes


class ScreenShadow:
    """The cells of the terminal as far as they are known."""

    def __init__(self) -> None:
        self._size = Size(0, 0)
        self._lines: list[list[Cell | None]] = []
        self._is_known = False

    def forget(self) -> None:
        """Take nothing for granted: the terminal was lent, stalled, resized, or written to by somebody else."""
        self._is_known = False

    def reduce(self, update: CompositorUpdate, size: Size, console: Console) -> CompositorUpdate | None:
        """Return what of `update` must be sent to a terminal of `size`, None where that is nothing.

        What is returned counts as sent.
        """
        if isinstance(update, LayoutUpdate):
            chunks = _chunks_of_layout(update)
        elif isinstance(update, ChopsUpdate):
            chunks = _chunks_of_chops(update)
        else:
            self.forget()
            return update
        codes = self._prepared(size, is_full=isinstance(update, LayoutUpdate) and update.region == size.region)
        system = console._color_system or ColorSystem.TRUECOLOR  # noqa: SLF001  as Strip.render does
        codes += "".join(self._sent(y, x, strip, system) for y, x, strip in chunks)
        return ReducedUpdate(codes) if codes else None

    def _prepared(self, size: Size, *, is_full: bool) -> str:
        """Return what must be sent first; afterwards there is a cell for every place of the screen."""
        if self._is_known and size == self._size:
            return ""
        self._is_known, self._size = True, size
        cell = _BLANK if is_full else None
        self._lines = [[cell] * size.width for _ in range(size.height)]
        return _CLEAR if is_full else ""

    def _sent(self, y: int, x: int, strip: Strip, system: ColorSystem) -> str:
        """Return the codes that make the terminal show `strip` at column `x` of line `y`, and remember it."""
        if not 0 <= y < len(self._lines):
            return ""
        line = self._lines[y]
        cells: list[Cell | None] = []
        is_plain = True
        for text, style, _ in strip:
            ansi = Strip.render_ansi(style, system) if style is not None else ""
            is_plain = is_plain and _is_plain(text)
            cells.extend(zip(text, repeat(ansi), strict=False))
        if is_plain:
            cells = cells[: len(line) - x]
            codes = "".join(_runs(y, x, line[x : x + len(cells)], cells))
            line[x : x + len(cells)] = cells
            return codes
        # Wide and combining characters: which cell holds what is the terminal's own opinion.
        end = min(x + strip.cell_length, len(line))
        line[x:end] = [None] * (end - x)
        return _move(y, x) + _styled(cells)


def _chunks_of_layout(update: LayoutUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Yield line, column and content of each part of a full update."""
    for y, strips in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in strips:
            yield y, x, strip
            x += strip.cell_length


def _chunks_of_chops(update: ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Yield line, column and content of each part of a partial update, cut as ChopsUpdate.render_segments does."""
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x > x2 or end <= x1:
                continue
            yield y, x, strip if x1 <= x < x2 and end <= x2 else strip.crop(0, min(end, x2) - x)


def _runs(y: int, x: int, old: list[Cell | None], new: list[Cell | None]) -> Iterator[str]:
    """Yield the codes of the runs of `new` that differ from `old`, the first cells of which are at column `x`."""
    if old == new:
        return
    changed = [at for at, (before, after) in enumerate(zip(old, new, strict=True)) if before != after]
    start = last = changed[0]
    for at in [*changed[1:], len(new) + _WORTH_A_JUMP]:
        if at - last > _WORTH_A_JUMP or at >= len(new):
            yield _move(y, x + start) + _styled(new[start : last + 1])
            start = at
        last = at


def _styled(cells: Iterable[Cell | None]) -> str:
    """Return the codes of `cells`, neighbours of one style together."""
    parts = []
    for ansi, group in groupby(filter(None, cells), key=itemgetter(1)):
        text = "".join(char for char, _ in group)
        parts.append(f"\x1b[{ansi}m{text}\x1b[0m" if ansi else text)
    return "".join(parts)


def _move(y: int, x: int) -> str:
    return f"\x1b[{y + 1};{x + 1}H"


@lru_cache(maxsize=4096)
def _is_plain(text: str) -> bool:
    """Return whether each character of `text` stands in a cell of its own."""
    return text.isascii() or all(get_character_cell_size(char) == 1 for char in text)
