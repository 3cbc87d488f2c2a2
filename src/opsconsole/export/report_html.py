"""A report as one HTML file that stands alone: no script, no address in it, nothing is loaded from anywhere.

Its content security policy allows nothing but the one style sheet in it, by its hash: should a text ever escape its
escaping, a browser still runs and loads nothing (https://www.w3.org/TR/CSP3/).
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from opsconsole.export.report_blocks import Block, Bullets, Chart, Heading, Paragraph, Quote, Table
from opsconsole.export.report_charts import chart_lines
from opsconsole.export.report_svg import svg
from opsconsole.model.text import visible, visible_lines

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #57606a; --rule: #d0d7de;
  --shade: #f6f8fa; --bad: #b3261e; --good: #1a6b33; --warn: #8a5a00; --line: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9aa5b1; --rule: #30363d;
  --shade: #161b22; --bad: #ff8a80; --good: #6fd08c; --warn: #e3b341; --line: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--rule); padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p, li, td.long, blockquote { overflow-wrap: anywhere; }
.verdict { font-size: 1.15rem; font-weight: 600; border-left: .35rem solid var(--line); padding: .4rem .8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .55rem; border-bottom: 1px solid var(--rule); }
th { background: var(--shade); }
td.long { min-width: 9rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bad { color: var(--bad); font-weight: 600; }
td.good { color: var(--good); }
td.warn { color: var(--warn); font-weight: 600; }
blockquote { margin: .2rem 0 1rem; padding: .3rem .8rem; border-left: .2rem solid var(--rule);
  white-space: pre-wrap; }
.about { color: var(--soft); font-size: .85rem; margin: .8rem 0 0; }
figure { margin: 1rem 0; }
figcaption { font-size: .85rem; color: var(--soft); }
figcaption strong { color: var(--ink); }
svg.chart { max-width: 100%; height: auto; }
svg text { fill: var(--soft); }
svg text.limit, svg text.target { fill: var(--bad); }
svg text.target { fill: var(--warn); }
svg .axis { stroke: var(--rule); fill: none; }
svg .line { stroke: var(--line); fill: none; stroke-width: 1.5; }
svg .dot { fill: var(--line); }
svg .beyond { fill: var(--bad); }
svg line.limit { stroke: var(--bad); stroke-dasharray: 6 3; }
svg line.target { stroke: var(--warn); stroke-dasharray: 2 3; }
@page { size: A4 landscape; margin: 12mm; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #333; --rule: #999; --shade: #eee; --bad: #8b0000; --good: #004d1a;
    --warn: #5c3c00; --line: #003a75; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .scroll { overflow: visible; }
  table { font-size: 7.5pt; }
  th, td { padding: .2rem .35rem; }
  td.long { min-width: 5rem; }
  thead { display: table-header-group; }
  tr, figure, blockquote { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""

_NUMBER = re.compile(r"[+-]?[\d,]+(\.\d+)?( ?(%|ms|s|min|h|d|B|[KMGT]i?B))?\Z")
_KINDS = {
    **dict.fromkeys(("FAIL", "missed", "BROKEN", "broken", "reset"), "bad"),
    **dict.fromkeys(("ERROR", "BLOCKED", "OPEN", "MISSED", "unsigned", "unfinished", "late", "WARN"), "warn"),
    **dict.fromkeys(("PASS", "in time", "passed", "verified"), "good"),
}
"""Words that are coloured where they are all that a cell holds: the word stays, colour alone tells nothing."""


_LONG_WORD = 24
"""Characters of a word that may be broken: shorter ones, numbers and names of runs above all, stay whole."""


def style_hash() -> str:
    """Return what the content security policy calls the style sheet."""
    return "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def html(blocks: Iterable[Block], title: str) -> str:
    """Return the document, with a final newline. Texts in it are nothing but text."""
    policy = f"default-src 'none'; style-src '{style_hash()}'; base-uri 'none'; form-action 'none'"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{_text(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        *(part for block in blocks for part in _parts(block)),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _text(words: str) -> str:
    return escape(visible(" ".join(words.split())), quote=True)


def _parts(block: Block) -> Iterator[str]:
    match block:
        case Heading(level=level, text=text):
            yield f"<h{level}>{_text(text)}</h{level}>"
        case Paragraph(text=text, strong=True):
            yield f'<p class="verdict">{_text(text)}</p>'
        case Paragraph(text=text):
            yield f"<p>{_text(text)}</p>"
        case Bullets(items=items):
            if items:
                yield "<ul>"
                yield from (f"<li>{_text(each)}</li>" for each in items)
                yield "</ul>"
        case Table():
            yield from _table(block)
        case Quote(about=about, text=text):
            yield f'<p class="about">{_text(about)}</p>'
            lines = "\n".join(escape(each, quote=True) for each in visible_lines(text))
            yield f"<blockquote>{lines}</blockquote>"
        case Chart():
            yield from _figure(block)


def _table(block: Table) -> Iterator[str]:
    yield '<div class="scroll">'
    yield "<table>"
    numbers = [_is_numbers([row[at] for row in block.rows]) for at in range(len(block.head))]
    head = (
        f'<th scope="col"{_NUMERIC if number else ""}>{_text(each)}</th>'
        for each, number in zip(block.head, numbers, strict=True)
    )
    yield f"<thead><tr>{''.join(head)}</tr></thead>"
    yield "<tbody>"
    for row in block.rows:
        cells = (_cell(each, number=number) for each, number in zip(row, numbers, strict=True))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody>"
    yield "</table>"
    yield "</div>"


_NUMERIC = ' class="number"'


def _is_numbers(column: Sequence[str]) -> bool:
    """Return whether a column holds nothing but numbers, with their units, so that it is aligned as one."""
    told = [each for each in column if each not in {"", "-"}]
    return bool(told) and all(map(_NUMBER.match, told))


def _cell(text: str, *, number: bool) -> str:
    kind = "number" if number else _KINDS.get(text, "")
    if max(map(len, text.split()), default=0) > _LONG_WORD:
        kind = "long"
    return f'<td class="{kind}">{_text(text)}</td>' if kind else f"<td>{_text(text)}</td>"


def _figure(block: Chart) -> Iterator[str]:
    drawn = svg(block.series)
    if not drawn:
        return
    lines = [each.strip() for each in chart_lines(block.series)]
    said = [each for each in lines[1:] if each.startswith(("axis ", "never beyond "))]
    yield "<figure>"
    yield drawn
    words = f"{_text(lines[0])}. {_text('; '.join(said))}"
    yield f"<figcaption><strong>{_text(block.title)}</strong>, {words}</figcaption>"
    yield "</figure>"
