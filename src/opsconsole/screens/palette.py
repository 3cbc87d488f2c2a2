"""Finds a command or an item by a part of its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import ModalScreen
from textual.widgets import Input

from opsconsole.screens.form import OneLine
from opsconsole.screens.lines import Line
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row, Rows, RowSelected


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be found."""

    key: str
    """What the palette closes with."""
    title: str
    right: str = ""


def found(entries: Sequence[Entry], wanted: str) -> list[Row]:
    """Return the rows of entries that hold every word of `wanted`, whatever its case."""
    words = wanted.casefold().split()
    return [
        Row(each.key, (Piece(each.title),), (Piece(each.right, "bold"),) if each.right else ())
        for each in entries
        if all(word in each.title.casefold() for word in words)
    ]


class PaletteScreen(ModalScreen[str]):
    """Narrows a list down while one types; closes with the key of what was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
    ]
    CSS_PATH = "palette.tcss"
    AUTO_FOCUS: ClassVar[str | None] = "Input"

    def __init__(self, title: str, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._title = title
        self._entries = tuple(entries)

    def compose(self) -> ComposeResult:
        """Yield the line to type in, and what it finds."""
        with Container(id="palette"):
            yield Line(id="title")
            yield OneLine("", id="wanted")
            rows = Rows(found(self._entries, ""), id="found")
            rows.can_focus = False
            yield rows

    def on_mount(self) -> None:
        """Say what it is for."""
        self.query_one("#title", Line).show((Piece(self._title, "bold"),), (Piece("Enter chooses, Esc goes back"),))

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        """Show what fits."""
        self.query_one(Rows).set_rows(found(self._entries, event.value))

    @on(Input.Submitted)
    @on(RowSelected)
    def choose(self) -> None:
        """Close with what the cursor stands on."""
        self.dismiss(self.query_one(Rows).cursor_key)

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.query_one(Rows).action_move(step)

    def action_cancel(self) -> None:
        """Close with nothing."""
        self.dismiss(None)
