"""A text to be read: the help, or a runbook."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult

from opsconsole.screens.base import ConsoleScreen
from opsconsole.screens.commands import Where
from opsconsole.widgets.evidence import Paragraph, TextPane
from opsconsole.widgets.pieces import Piece


class ReaderScreen(ConsoleScreen):
    """Shows a text as it is; Esc goes back."""

    WHERE: ClassVar[Where] = Where.READER
    AUTO_FOCUS: ClassVar[str | None] = "TextPane"

    def __init__(self, title: str, paragraphs: Iterable[Paragraph]) -> None:
        super().__init__()
        self._title = title
        self._paragraphs = tuple(paragraphs)

    def compose_body(self) -> ComposeResult:
        """Yield the text."""
        yield TextPane(id="text")

    def on_mount(self) -> None:
        """Show the text."""
        self.show_top(((Piece(self._title, "bold"),), (Piece("Esc goes back"),)))
        self.query_one("#text", TextPane).show(self._paragraphs)


def markdown_paragraphs(text: str) -> list[Paragraph]:
    """Return a markdown text as it is written, with its headings bold: whoever reads it wants to copy from it."""
    found, fenced = [], False
    for line in text.splitlines():
        if line.startswith(("```", "~~~")):
            fenced = not fenced
        heading = line.startswith("#") and not fenced
        indent = len(line) - len(line.lstrip(" -*0123456789."))
        found.append(Paragraph.plain(line, "bold" if heading else "", min(indent, 8)))
    return found
