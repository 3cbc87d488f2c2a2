"""Draws with ASCII only, cell for cell, on terminals whose locale is not UTF-8."""

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

UNKNOWN = "?"

_LIKENESS = {
    "…": "~",
    "·": ".",
    "•": "*",
    "●": "*",
    "○": "o",
    "⭘": "=",
    "✓": "v",
    "✔": "v",
    "✗": "x",
    "✘": "x",
    "✕": "x",
    "\u00d7": "x",
    "▶": ">",
    "►": ">",
    "⮞": ">",
    "▸": ">",
    "◀": "<",
    "▲": "^",
    "▼": "v",
    "↑": "^",
    "↓": "v",
    "←": "<",
    "→": ">",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "█": "#",
    "▓": "#",
    "▒": "%",
    "░": ":",
    "▔": "-",
    "▁": "_",
    "▀": "-",
    "▄": "_",
    "µ": "u",
    "ß": "s",
    "ø": "o",
    "Ø": "O",
}
_HORIZONTAL_ONLY = ("HORIZONTAL", "LEFT", "RIGHT")
_VERTICAL_ONLY = ("VERTICAL", "UP", "DOWN")


@lru_cache(maxsize=4096)
def ascii_char(char: str) -> str:
    """Return ASCII text that takes as many cells as the character `char` and looks like it where anything does."""
    width = get_character_cell_size(char)
    if char in _LIKENESS:
        return _LIKENESS[char]
    name = unicodedata.name(char, "")
    if name.startswith("BOX DRAWINGS"):
        return _box(name)
    if "BLOCK" in name and char >= "\u2580":
        return "|" if "LEFT" in name or "RIGHT" in name else "="
    if unicodedata.category(char) in ("Pd", "Zs"):
        return ("-" if unicodedata.category(char) == "Pd" else " ") * width
    letters = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    if letters and len(letters) <= width and letters.isprintable():
        return letters.ljust(width)
    return UNKNOWN * width


def _box(name: str) -> str:
    """Return the likeness of a box drawing character by the directions in its Unicode name."""
    if "DIAGONAL" in name:
        return "X" if "CROSS" in name else "/" if "UPPER RIGHT TO" in name else "\\"
    words = name.split()
    across = any(word in _HORIZONTAL_ONLY for word in words)
    down = any(word in _VERTICAL_ONLY for word in words)
    if across and down:
        return "+"
    if across:
        return "=" if "DOUBLE" in words else "-"
    return "|"


@lru_cache(maxsize=1024)
def to_ascii(text: str) -> str:
    """Return `text` in ASCII, in exactly as many cells."""
    if text.isascii():
        return text
    return set_cell_size("".join(map(ascii_char, text)), cell_len(text))


class AsciiFilter(LineFilter):
    """Replaces every glyph of what is drawn, the borders and scroll bars of Textual included."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return `segments` in ASCII."""
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]
