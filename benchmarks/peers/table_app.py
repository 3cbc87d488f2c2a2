"""The list of a run in Textual's DataTable: `u` changes one row, the arrow keys move the cursor."""

from typing import ClassVar

from benchmarks.rows_of_a_run import COUNT, MARKS, UPDATED, title, value, word
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable


class TableApp(App[None]):
    """Shows the rows and nothing else."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("u", "update", "Update")]

    def __init__(self) -> None:
        super().__init__()
        self._version = 0

    def compose(self) -> ComposeResult:
        """Place the table."""
        yield DataTable(cursor_type="row", show_header=False)

    def on_mount(self) -> None:
        """Fill the table."""
        table: DataTable[str] = self.query_one(DataTable)
        for name in ("mark", "title", "value", "word"):
            table.add_column(name, key=name)
        for index in range(COUNT):
            table.add_row(MARKS[0], title(index), value(0), word(0), key=str(index))

    def action_update(self) -> None:
        """Show the next outcome of one item."""
        self._version += 1
        table: DataTable[str] = self.query_one(DataTable)
        table.update_cell(str(UPDATED), "mark", MARKS[self._version % 2])
        table.update_cell(str(UPDATED), "value", value(self._version))
        table.update_cell(str(UPDATED), "word", word(self._version))


if __name__ == "__main__":
    TableApp().run()
