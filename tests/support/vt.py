"""A terminal that understands what the console sends, and refuses everything else.

Strict on purpose: an escape sequence the console has no reason to send is an AssertionError, so that hostile text
which got through shows as one.
"""

import base64
import codecs
import re

from rich.cells import get_character_cell_size

_SEQUENCE = re.compile(r"\x1b\[([<>?]?)([0-9;]*)(\$?[@-~])")
_TO_CLIPBOARD = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
_INCOMPLETE_TO_CLIPBOARD = re.compile(r"\x1b(?:\](?:5(?:2(?:;(?:c(?:;[A-Za-z0-9+/=]*)?)?)?)?)?)?\Z")
_INCOMPLETE = re.compile(r"\x1b(\[[<>?]?[0-9;]*\$?)?\Z")


class Screen:
    """What a terminal of `cols` x `rows` shows after the bytes fed to it."""

    def __init__(self, cols: int, rows: int) -> None:
        self.cols = cols
        self.rows = rows
        self.modes: set[str] = {"7", "25"}
        """Private modes that are on: 7 line wrap, 25 cursor, 1049 alternate screen, 2004 bracketed paste, …"""
        self.copied: list[str] | None = None
        """What was sent to the clipboard; None where nothing may be."""
        self._main = self._page = _Page(cols, rows)
        self._decode = codecs.getincrementaldecoder("utf-8")("strict").decode
        self._rest = ""
        self._style = ""

    @property
    def lines(self) -> list[str]:
        """The lines shown, without the blanks at their ends."""
        return ["".join(cells).rstrip() for cells in self._page.cells]

    @property
    def text(self) -> str:
        """The lines shown, as one text."""
        return "\n".join(self.lines)

    @property
    def reversed_lines(self) -> list[int]:
        """The indices of lines that begin reversed: the cursor of a list."""
        return [y for y in range(self.rows) if "7" in self._page.styles[y][0].split(";")]

    @property
    def picture(self) -> list[list[tuple[str, str]]]:
        """Every cell: its character and the codes of its style."""
        page = self._page
        return [list(zip(*line, strict=True)) for line in zip(page.cells, page.styles, strict=True)]

    @property
    def is_alternate(self) -> bool:
        """Whether the alternate screen is shown, on which the console draws."""
        return self._page is not self._main

    def resize(self, cols: int, rows: int) -> None:
        """Be of another size, and empty. What the program still draws for the size before goes on from here."""
        is_alternate = self.is_alternate
        self.cols, self.rows = cols, rows
        self._main = self._page = _Page(cols, rows)
        if is_alternate:
            self._page = _Page(cols, rows)

    def feed(self, data: bytes) -> None:
        """Show `data`, which may begin or end in the middle of a sequence or a character."""
        text = self._rest + self._decode(data)
        self._rest = ""
        at = 0
        while at < len(text):
            char = text[at]
            if char != "\x1b":
                self._put(char)
                at += 1
                continue
            copied = _TO_CLIPBOARD.match(text, at) if self.copied is not None else None
            if self.copied is not None and copied is not None:
                self.copied.append(base64.b64decode(copied[1]).decode())
                at = copied.end()
                continue
            match = _SEQUENCE.match(text, at)
            if match is None:
                if self.copied is not None and _INCOMPLETE_TO_CLIPBOARD.match(text, at):
                    self._rest = text[at:]
                    return
                assert _INCOMPLETE.match(text, at), f"unexpected sequence {text[at : at + 20]!r}"
                self._rest = text[at:]
                return
            self._obey(*match.groups())
            at = match.end()

    def _put(self, char: str) -> None:
        page = self._page
        if char == "\r":
            page.x = 0
        elif char == "\n":
            page.line_feed()
        elif char == "\x07":
            return
        else:
            assert char.isprintable(), f"control character {char!r}"
            if page.x >= self.cols and "7" in self.modes:
                page.x = 0
                page.line_feed()
            page.put(char, get_character_cell_size(char), self._style)

    def _obey(self, private: str, numbers: str, final: str) -> None:
        values = [int(number or 0) for number in numbers.split(";")]
        if private == "?" and final in ("h", "l"):
            self._set_mode(numbers, on=final == "h")
        elif (private, final) == ("", "H"):
            row, column = [*values, 1][:2]
            self._page.y = min(max(row, 1), self.rows) - 1
            self._page.x = min(max(column, 1), self.cols) - 1
        elif (private, final) == ("", "m"):
            self._style = "" if numbers in ("", "0") else f"{self._style};{numbers}".strip(";")
        elif (private, final) == ("", "K"):
            self._page.erase_line(values[0])
        elif (private, final, numbers) == ("", "J", "2"):
            self._page.erase()
        else:
            # Questions to the terminal ($p) and the end of the kitty keyboard protocol (<u).
            assert (private, final) in (("?", "$p"), ("<", "u")), f"unexpected sequence {private}{numbers}{final}"

    def _set_mode(self, mode: str, *, on: bool) -> None:
        if on:
            self.modes.add(mode)
        else:
            self.modes.discard(mode)
        if mode == "1049" and on and not self.is_alternate:
            self._page = _Page(self.cols, self.rows)
        elif mode == "1049" and not on:
            self._page = self._main


class _Page:
    """The cells of one screen and where its cursor is."""

    def __init__(self, cols: int, rows: int) -> None:
        self.cols = cols
        self.cells = [[" "] * cols for _ in range(rows)]
        self.styles = [[""] * cols for _ in range(rows)]
        self.x = 0
        self.y = 0

    def put(self, char: str, width: int, style: str) -> None:
        line = self.cells[self.y]
        if width == 0:
            if self.x > 0:
                line[self.x - 1] += char
            return
        for at in range(self.x, min(self.x + width, self.cols)):
            line[at] = char if at == self.x else ""
            self.styles[self.y][at] = style
        self.x += width

    def line_feed(self) -> None:
        self.y += 1
        if self.y == len(self.cells):
            self.y -= 1
            self.cells = [*self.cells[1:], [" "] * self.cols]
            self.styles = [*self.styles[1:], [""] * self.cols]

    def erase(self) -> None:
        for line, styles in zip(self.cells, self.styles, strict=True):
            line[:] = [" "] * self.cols
            styles[:] = [""] * self.cols

    def erase_line(self, how: int) -> None:
        assert how == 0, "only erasing to the right is expected"
        line = self.cells[self.y]
        line[self.x :] = [" "] * (self.cols - self.x)
