"""A report as CommonMark with GFM tables, which reads well as plain text too."""

from collections.abc import Iterable, Iterator

from opsconsole.export import commonmark as md
from opsconsole.export.report_blocks import Block, Bullets, Chart, Heading, Paragraph, Quote, Table
from opsconsole.export.report_charts import chart_lines


def markdown(blocks: Iterable[Block], *, ascii_only: bool = False) -> str:
    """Return the document, with a final newline. Texts in it are nothing but text, and steer no terminal."""
    parts = (part for block in blocks for part in _parts(block, ascii_only=ascii_only))
    return "\n\n".join(parts) + "\n"


def _parts(block: Block, *, ascii_only: bool) -> Iterator[str]:
    match block:
        case Heading(level=level, text=text):
            yield md.heading(level, text)
        case Paragraph(text=text, strong=True) if text.strip():
            yield f"**{md.inline(' '.join(text.split()))}**"
        case Paragraph(text=text):
            yield md.line(" ".join(text.split()))
        case Bullets(items=items):
            if items:
                yield "\n".join(f"- {md.line(' '.join(each.split()))}" for each in items)
        case Table(head=head, rows=rows):
            yield md.table(head, rows)
        case Quote(about=about, text=text):
            yield md.line(about)
            yield md.quoted(text)
        case Chart(title=title, series=series):
            lines = chart_lines(series, ascii_only=ascii_only)
            if lines:
                yield md.fenced("\n".join([" ".join(title.split()), *lines]))
