"""A text to be read: the help."""

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
