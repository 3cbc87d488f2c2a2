"""The list of a run in the console's own widget: `u` changes one row, the arrow keys move the cursor."""

import os
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from benchmarks.rows_of_a_run import COUNT, MARKS, UPDATED, title, value, word
from opsconsole.widgets.application import TerminalApp
from opsconsole.widgets.environment import Terminal
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row, Rows


def row(index: int, version: int) -> Row:
    """Return a row as the console composes them."""
    style = ("$success", "bold $error")[version % 2]
    left = (Piece(f"{MARKS[version % 2]} ", style), Piece(title(index)))
    return Row(str(index), left, (Piece(f"{value(version)} "), Piece(word(version), style)))


class RowsApp(TerminalApp[None]):
    """Shows the rows and nothing else."""

    CSS = "Rows { width: 100%; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("u", "update", "Update")]

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._version = 0

    def compose(self) -> ComposeResult:
        """Place the list."""
        yield Rows(row(index, 0) for index in range(COUNT))

    def on_mount(self) -> None:
        """Give the keys to the list."""
        self.query_one(Rows).focus()

    def action_update(self) -> None:
        """Show the next outcome of one item."""
        self._version += 1
        self.query_one(Rows).set_row(UPDATED, row(UPDATED, self._version))


def run() -> None:
    """Run on this terminal."""
    RowsApp(Terminal.detect(os.environ)).run_on_terminal()
