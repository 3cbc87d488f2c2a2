"""The pane of text beside the list, as an operator reads in it."""

import asyncio
from collections.abc import Callable

from textual.app import ComposeResult
from textual.pilot import Pilot

from opsconsole.widgets.application import TerminalApp
from opsconsole.widgets.evidence import Paragraph, TextPane
from opsconsole.widgets.pieces import Piece


class _App(TerminalApp[None]):
    """A pane on its own."""

    def compose(self) -> ComposeResult:
        yield TextPane()

    @property
    def pane(self) -> TextPane:
        return self.query_one(TextPane)

    @property
    def lines(self) -> list[str]:
        """The lines in view."""
        return [self.pane.render_line(y).text.rstrip() for y in range(self.pane.size.height)]


def _numbered(count: int) -> list[Paragraph]:
    return [Paragraph.plain(f"line {index}") for index in range(count)]


async def _until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await pilot.pause(0.01)


async def test_text_is_wrapped_and_follows_the_width() -> None:
    """Evidence is read without scrolling sideways, in a narrow pane and in a wide one."""
    app = _App()
    async with app.run_test(size=(21, 8)) as pilot:
        app.pane.show(
            [
                Paragraph((Piece("measured  ", "dim"), Piece("41.2 s of 30 s", "bold $error")), indent=10),
                Paragraph.plain(""),
                Paragraph.plain("a\tb\r\nsecond line\n"),
                Paragraph((Piece("x\n"), Piece("y"))),
            ]
        )
        await pilot.pause()
        assert app.lines == ["measured  41.2 s of", "          30 s", "", "a       b", "second line", "", "x", "y"]
        await pilot.resize_terminal(40, 8)
        await _until(pilot, lambda: app.lines[:2] == ["measured  41.2 s of 30 s", ""])
        assert all(style is not None for y in range(8) for _, style, _ in app.pane.render_line(y))


async def test_nothing_in_the_text_is_obeyed() -> None:
    """Markup, escape sequences and reordering stand there as text."""
    app = _App()
    async with app.run_test(size=(60, 4)) as pilot:
        app.pane.show([Paragraph.plain("[/] [@click=app.quit]x[/]\x1b[2J \u202egnp \x9b1m", "bold")])
        await pilot.pause()
        assert app.lines[0] == "[/] [@click=app.quit]x[/]\\x1b[2J \\u202egnp \\x9b1m"


async def test_same_document_keeps_its_place_another_begins_at_its_top() -> None:
    """What the operator reads stays in place while it is measured; the next item's text begins at its top."""
    app = _App()
    async with app.run_test(size=(30, 5)) as pilot:
        app.pane.focus()
        app.pane.show(_numbered(100), document="a")
        await pilot.press("pagedown", "pagedown", "j", "down", "up")
        await pilot.pause()
        assert app.lines[0] == "line 9"
        app.pane.show([*_numbered(100), Paragraph.plain("more")], document="a")
        await pilot.pause()
        assert app.lines[0] == "line 9"
        await pilot.press("end")
        await pilot.pause()
        assert app.lines[-1] == "more"
        await pilot.press("home", "pagedown", "pageup")
        await pilot.pause()
        assert app.lines[0] == "line 0"
        await pilot.press("end")
        app.pane.show(_numbered(50), document="b")
        await pilot.pause()
        assert app.lines[0] == "line 0"
        app.pane.show(_numbered(2), document="b")
        await pilot.pause()
        assert app.lines == ["line 0", "line 1", "", "", ""]


async def test_update_paints_changed_lines_only() -> None:
    """A value that changes in the middle of the text repaints its line, not the text."""
    app = _App()
    async with app.run_test(size=(30, 10)) as pilot:
        app.pane.show(_numbered(10))
        await pilot.pause()
        painted: list[int] = []
        render_line = app.pane.render_line
        app.pane.render_line = lambda y: painted.append(y) or render_line(y)  # type: ignore[method-assign,func-returns-value]
        changed = _numbered(10)
        changed[3] = Paragraph.plain("changed")
        app.pane.show(changed)
        await pilot.pause()
        assert painted == [3]
