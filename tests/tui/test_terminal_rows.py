"""The list of rows, as an operator moves through it."""

from collections.abc import Iterable

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot

from opsconsole.widgets.application import TerminalApp
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row, RowHighlighted, Rows, RowSelected


def _row(key: str, text: str | None = None, right: str = "") -> Row:
    return Row(key, (Piece(text or f"row {key}"),), (Piece(right, "bold"),) if right else ())


def _heading(key: str) -> Row:
    return Row(key, (Piece(f"-- {key} --", "bold"),), selectable=False)


def _numbered(count: int) -> list[Row]:
    return [_row(f"{index}") for index in range(count)]


class _App(TerminalApp[None]):
    """A list and what it tells."""

    def __init__(self, rows: Iterable[Row]) -> None:
        super().__init__()
        self.given = rows
        self.told: list[str] = []

    def compose(self) -> ComposeResult:
        yield Rows(self.given, id="list")

    def on_row_highlighted(self, message: RowHighlighted) -> None:
        assert message.rows.rows[message.index].key == message.key
        assert message.control.id == "list"
        self.told.append(message.key)

    def on_row_selected(self, message: RowSelected) -> None:
        self.told.append(f"{message.key}!")

    @property
    def view(self) -> Rows:
        return self.query_one(Rows)

    @property
    def lines(self) -> list[str]:
        """The lines of the list in view."""
        rows = self.view
        return [rows.render_line(y).text.rstrip() for y in range(rows.size.height)]


async def _press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def test_cursor_skips_headings_and_shows_them() -> None:
    """Sections are read, not visited: the cursor goes from item to item, the titles come into view."""
    app = _App([_heading("one"), _row("a"), _row("b"), _heading("two"), _heading("three"), _row("c")])
    async with app.run_test(size=(30, 4)) as pilot:
        assert app.lines == ["-- one --", "> row a", "  row b", "-- two --"]
        await _press(pilot, "down", "j")
        assert app.view.cursor_key == "c"
        assert app.lines == ["  row b", "-- two --", "-- three --", "> row c"]
        await _press(pilot, "down")
        assert app.view.cursor_key == "c"
        await _press(pilot, "k", "up")
        assert app.lines == ["-- one --", "> row a", "  row b", "-- two --"]
        await _press(pilot, "up", "enter")
        assert app.told == ["a", "b", "c", "b", "a", "a!"]


async def test_pages_and_ends() -> None:
    """Home, End and the page keys cross ten thousand rows as easily as ten."""
    app = _App([_heading("top"), *_numbered(10_000), _heading("bottom")])
    async with app.run_test(size=(30, 10)) as pilot:
        await _press(pilot, "end")
        assert app.view.cursor_key == "9999"
        assert app.lines[-1] == "> row 9999"
        await _press(pilot, "pageup")
        assert app.view.cursor_key == "9990"
        await _press(pilot, "home")
        assert app.lines[:2] == ["-- top --", "> row 0"]
        await _press(pilot, "pagedown", "pagedown")
        assert app.view.cursor_key == "18"
        assert app.view.move_to("5000")
        await pilot.pause()
        assert app.view.cursor_key == "5000"
        assert "> row 5000" in app.lines
        assert not app.view.move_to("top")
        assert not app.view.move_to("nowhere")


async def test_cursor_stays_on_its_row_when_others_come_and_go() -> None:
    """While the operator reads, rows are sorted anew; the cursor stays with its item."""
    app = _App(_numbered(50))
    async with app.run_test(size=(30, 10)) as pilot:
        app.view.move_to("7")
        await pilot.pause()
        app.view.set_rows([_row("new"), *reversed(_numbered(50))])
        await pilot.pause()
        assert app.view.cursor_key == "7"
        assert "> row 7" in app.lines
        assert app.told == ["0", "7"]
        app.view.set_rows([_row("x"), _heading("h"), _row("y")])
        await pilot.pause()
        assert app.view.cursor_key == "y"
        app.view.set_rows([])
        await pilot.pause()
        assert app.view.cursor_key is None
        await _press(pilot, "down", "pagedown", "end", "enter")
        app.view.set_rows([_heading("h"), _row("z")])
        await pilot.pause()
        assert app.told == ["0", "7", "y", "z"]
        assert app.lines[:2] == ["-- h --", "> row z"]


async def test_update_of_one_row_paints_one_line() -> None:
    """A live value that changes repaints its own line only, and none if it is out of view."""
    app = _App(_numbered(100))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.pause()
        painted: list[int] = []
        render_line = app.view.render_line
        app.view.render_line = lambda y: painted.append(y) or render_line(y)  # type: ignore[method-assign,func-returns-value]
        app.view.update_row(_row("4", "changed"))
        app.view.update_row(_row("5"))
        app.view.update_row(_row("70", "changed"))
        app.view.set_rows([_row("4", "changed") if row.key == "4" else row for row in app.view.rows])
        await pilot.pause()
        assert painted == [4]
        assert app.view.rows[4].left == (Piece("changed"),)


async def test_refused_updates_change_nothing() -> None:
    """Keys stay unique, and the cursor never comes to stand on a heading."""
    app = _App(_numbered(3))
    async with app.run_test():
        before = app.view.rows
        with pytest.raises(ValueError, match="same key"):
            app.view.set_rows([_row("a"), _row("a")])
        with pytest.raises(ValueError, match="cannot take the place"):
            app.view.set_row(1, _row("2"))
        with pytest.raises(ValueError, match="cannot take the place"):
            app.view.set_row(1, _heading("1"))
        with pytest.raises(IndexError):
            app.view.set_row(3, _row("3"))
        with pytest.raises(KeyError):
            app.view.update_row(_row("3"))
        assert app.view.rows == before


async def test_columns_keep_their_cells() -> None:
    """Long titles are cut, values stay at the right edge, whatever alphabet either is in."""
    app = _App(
        [
            _row("a", "short", "12 s PASS"),
            _row("b", "a title that is much too long", "12 s PASS"),
            _row("c", "漢字漢字漢字漢字漢字", "12 s PASS"),
            _row("d", "e\u0301te\u0301", "12 s PASS"),
            _row("e", "", "a value that is much too long for the row"),
            _row("f", "[/] [b]x[/b]\n\x1b[1m"),
        ]
    )
    async with app.run_test(size=(31, 10)) as pilot:
        await pilot.pause()
        assert app.lines[:6] == [
            "> short              12 s PASS",
            "  a title that is m… 12 s PASS",
            "  漢字漢字漢字漢字…  12 s PASS",
            "  e\u0301te\u0301                12 s PASS",
            "  a value that is much too lo…",
            "  [/] [b]x[/b]\\x0a\\x1b[1m",
        ]
        for y in range(6):
            strip = app.view.render_line(y)
            assert strip.cell_length == 30
            assert all(style is not None for _, style, _ in strip)
