"""Lines and columns of plain text, counted in the cells that a terminal gives each character."""

import unicodedata

from opsconsole.model.text import visible_lines

_WIDE = frozenset("WF")
_UNSPACED = frozenset({"Mn", "Me"})


def _cells_of(char: str) -> int:
    if unicodedata.category(char) in _UNSPACED:
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1


def cells(text: str) -> int:
    """Return how many cells of a terminal `text` takes: two for a wide character, none for an accent on its own."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def one_line(text: str) -> str:
    """Return the lines of a text, made harmless, one after another; blank ones left out."""
    return " ".join(each.strip() for each in visible_lines(text) if each.strip())


def padded(text: str, width: int) -> str:
    """Return `text` filled with spaces to `width` cells; a longer one stays as it is."""
    return text + " " * (width - cells(text))


def _head(text: str, width: int) -> str:
    """Return as much of `text` as fits into `width` cells, at least one character."""
    used = 0
    for index, char in enumerate(text):
        used += _cells_of(char)
        if used > width and index:
            return text[:index]
    return text


def wrapped(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width` cells, broken at spaces where there are any; at least one line."""
    lines: list[str] = []
    line, used = "", 0
    for word in text.split():
        size = cells(word)
        if line and used + 1 + size <= width:
            line, used = f"{line} {word}", used + 1 + size
            continue
        if line:
            lines.append(line)
        rest = word
        while cells(rest) > width > 0:
            head = _head(rest, width)
            if head == rest:
                break
            lines.append(head)
            rest = rest[len(head) :]
        line, used = rest, cells(rest)
    return [*lines, line] if line or not lines else lines
