r"""Pieces of CommonMark, with tables as GitHub has them (GFM), that hold any text as nothing but text.

Escaping is as sparing as the specification allows, so that the document reads well as plain text too: `disk < 80 %`
and `tickets_created` stay as they are, `<b>` and `_emphasis_` do not. Every text passes `model.text` first, so no
character steers a terminal either. https://spec.commonmark.org/0.31.2/, https://github.github.com/gfm/
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from opsconsole.export.layout import cells, one_line, padded
from opsconsole.model.text import visible, visible_lines

_INLINE = re.compile(
    r"""
      [\\`*\[|~$]                       # escapes, code, emphasis, links, cells, strike-through, formulas
    | <(?=[A-Za-z/!?]|\Z)               # tags, comments, <https://…>; not `a < b`
    | <(?=[\w.!\#$%&'*+/=?^`{|}~-]+@)  # <1@example.org> is made a link too
    | &(?=[A-Za-z\#]|\Z)                # entities; not `a & b`
    | _++(?![^\W_])                     # what could end emphasis; not snake_case, and not what could only begin it
    | (?<=[A-Za-z]):(?=//)              # https://… is made a link by GFM
    | (?i:(?<=www))\.                 # and so is www.…
    """,
    re.VERBOSE,
)
_START = re.compile(r"(?P<sign>[#+\-=:>])|(?P<number>\d{1,9})(?P<stop>[.)])")
"""What means more at the start of a line: headings and their underlines, lists, quotes, a table's second line."""

_HEADING_END = re.compile(r"#+\Z")
_BACKTICKS = re.compile(r"`+")
_NO_BREAK_SPACE = "\u00a0"


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"\\{char}" for char in match[0])


def inline(text: str) -> str:
    """Return `text` as one line for the middle of a paragraph, a heading or a cell."""
    return _INLINE.sub(_escaped, visible(text))


def line(text: str) -> str:
    """Return `text` as one line that may stand at the start of a line."""
    words = inline(text.strip())
    match = _START.match(words)
    if match is None:
        return words
    cut = match.start("stop") if match["stop"] else match.start("sign")
    return f"{words[:cut]}\\{words[cut:]}"


def heading(level: int, text: str) -> str:
    """Return a heading of one line."""
    words = inline(" ".join(text.split()))
    return f"{'#' * level} {_HEADING_END.sub(_escaped, words)}".rstrip()


def _longer_than_any(text: str, least: int) -> int:
    longest = max(map(len, _BACKTICKS.findall(text)), default=0)
    return max(least, longest + 1)


def fenced(text: str) -> str:
    """Return the lines of `text` in a fenced block, whose fence is longer than any run of backticks in it."""
    content = "\n".join(visible_lines(text))
    fence = "`" * _longer_than_any(content, 3)
    return f"{fence}text\n{content}\n{fence}"


def quoted(text: str) -> str:
    """Return what a person wrote as a quotation that keeps its lines, its blank lines and their indents."""
    return "\n".join(_quoted(visible_lines(text)))


def _quoted(lines: Sequence[str]) -> Iterator[str]:
    for index, each in enumerate(lines):
        words = each.strip()
        if not words:
            yield ">"
            continue
        indent = _NO_BREAK_SPACE * (len(each) - len(each.lstrip(" ")))
        followed = index + 1 < len(lines) and bool(lines[index + 1].strip())
        hard_break = "\\" if followed else ""
        yield f"> {indent}{line(words)}{hard_break}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts, one line for each row, its columns aligned for those who read the plain text.

    Every row must be as long as `head`.
    """
    body = [[_cell(each) for each in row] for row in (head, *rows)]
    widths = [min(_WIDEST, max(3, *(cells(row[at]) for row in body))) for at in range(len(head))]
    widths[-1] = max(3, cells(body[0][-1]))
    ruler = ["-" * width for width in widths]
    return "\n".join(_row(row, widths) for row in (body[0], ruler, *body[1:]))


_WIDEST = 60
"""Cells that a column is filled up to; a longer text makes its own line longer, not every line."""


def _cell(text: str) -> str:
    return inline(one_line(text))


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    last = len(row) - 1
    return "| " + " | ".join(padded(each, widths[at]) if at < last else each for at, each in enumerate(row)) + " |"
