"""A small application made of the console's terminal parts, which the pty tests run through `terminal_main`.

It leaves traces in a directory: `beats` grows by a line ten times a second, `events` by one for each thing that
happens to the application.
"""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Footer

from opsconsole.widgets.application import TerminalApp
from opsconsole.widgets.driver import TerminalDriver
from opsconsole.widgets.editor import EditorError, edit_text
from opsconsole.widgets.environment import Terminal
from opsconsole.widgets.evidence import Paragraph, TextPane
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row, Rows

HOSTILE = "\x1b[31mred\x1b]0;title\x07 [/] [@click=app.quit]x[/] \u202eright\x9b5n \x00\u0301"
SECRET = "hunter2"


def row(index: int, value: int) -> Row:
    """Return a row like those of a run: a state, a title, a value and a word."""
    left = (Piece("[x] ", "$success"), Piece(f"row {index}"))
    return Row(f"k{index}", left, (Piece(f"value {value} "), Piece("PASS", "bold $success")))


def flood_row(index: int, value: int) -> Row:
    """Return a row in which every cell differs from value to value."""
    return Row(f"k{index}", (Piece(f"{index} {value} {chr(ord('a') + value % 26) * 60}"),))


class Application(TerminalApp[None]):
    """Rows on the left, a text on the right."""

    CSS = "Rows { width: 100%; } TextPane { display: none; width: 1fr; border: round $primary; } "
    CSS += ".two Rows { width: 40; } .two TextPane { display: block; }"
    FINISH_WITHIN = 2.0
    LEAVE_WITHIN = float(os.environ.get("LEAVE_WITHIN", "10"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "update", "Update"),
        Binding("a", "update_all", "All"),
        Binding("f", "flood", "Flood"),
        Binding("t", "two", "Two"),
        Binding("h", "hostile", "Hostile"),
        Binding("x", "fail", "Fail"),
        Binding("w", "fail_in_worker", "Worker"),
        Binding("y", "forget", "Task"),
        Binding("b", "block", "Block"),
        Binding("s", "block_screen", "Block"),
        Binding("e", "edit", "Edit"),
        Binding("ctrl+l", "redraw", "Redraw", show=False),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, directory: Path, terminal: Terminal) -> None:
        super().__init__(terminal, crash_directory=directory / "crashes")
        self.directory = directory
        self.value = 0
        self.flooding = False

    def compose(self) -> ComposeResult:
        """Place the parts."""
        with Horizontal():
            yield Rows(row(index, 0) for index in range(100))
            yield TextPane()
        yield Footer()

    def on_mount(self) -> None:
        """Start the heartbeat."""
        self.note(f"mounted {threads()}")
        self.run_worker(self.beat(), exit_on_error=False)
        self.query_one(Rows).focus()

    def on_unmount(self) -> None:
        """Leave a trace of having been unmounted."""
        self.note("unmounted")

    async def before_leaving(self, cause: signal.Signals) -> None:
        """Leave a trace of why the application leaves."""
        self.note(f"leaving {cause.name} {threads()}")

    def note(self, event: str) -> None:
        """Leave a trace of `event`."""
        with (self.directory / "events").open("a") as file:
            file.write(f"{event}\n")

    async def beat(self) -> None:
        """Leave a line ten times a second, as a live check would."""
        driver = self._driver
        assert isinstance(driver, TerminalDriver)
        try:
            while True:
                stalled = driver.is_stalled
                with (self.directory / "beats").open("a") as file:
                    file.write(f"{time.monotonic():.3f} {self.value} {'stalled' if stalled else 'flowing'}\n")
                await asyncio.sleep(0.1)
                if self.flooding:
                    self.value += 1
                    self.query_one(Rows).set_rows(flood_row(index, self.value) for index in range(100))
        except asyncio.CancelledError:
            self.note("worker cancelled")
            raise

    def action_update(self) -> None:
        """Change one row."""
        self.value += 1
        self.query_one(Rows).set_row(3, row(3, self.value))

    def action_update_all(self) -> None:
        """Change every row."""
        self.value += 1
        self.query_one(Rows).set_rows(row(index, self.value) for index in range(100))

    def action_flood(self) -> None:
        """Begin or stop to change every cell of every row ten times a second."""
        self.flooding = not self.flooding

    def action_two(self) -> None:
        """Show the pane beside the rows."""
        self.screen.add_class("two")
        self.query_one(TextPane).show([Paragraph.plain("naïve ✓ │ text\nof two lines")])

    def action_hostile(self) -> None:
        """Show hostile text wherever text can be shown."""
        self.action_two()
        self.query_one(Rows).set_row(3, Row("k3", (Piece(HOSTILE), Piece("\u0301", "bold"))))
        self.query_one(TextPane).show([Paragraph.plain(f"{HOSTILE}\n[b]bold[/b]", "bold")])
        self.unexpected(ValueError(HOSTILE), "testing [/]")

    def action_fail(self) -> None:
        """Fail in a handler."""
        password = SECRET
        raise KeyError(f"no item {len(password)}")

    def action_fail_in_worker(self) -> None:
        """Fail in a worker started the default way."""

        async def work() -> None:
            password = SECRET
            raise ValueError(f"worker failed {len(password)}")

        self.run_worker(work())

    def action_forget(self) -> None:
        """Fail in a task nobody waits for."""

        async def work() -> None:
            raise ValueError("forgotten task failed")

        asyncio.create_task(work())  # noqa: RUF006 - forgotten on purpose

    async def action_block(self) -> None:
        """Never return from a handler of the application."""
        self.note("blocked")
        await asyncio.Event().wait()

    def action_block_screen(self) -> None:
        """Never return from a handler of the screen."""

        async def block() -> None:
            self.note("blocked")
            await asyncio.Event().wait()

        self.screen.call_later(block)

    def action_edit(self) -> None:
        """Edit a text in the operator's editor."""

        async def work() -> None:
            try:
                text = await edit_text(self, "first line\nsecond")
            except EditorError as error:
                self.note(f"error {error.message} | {error.text!r}")
            else:
                self.note(f"edited {text!r}")

        self.run_worker(work(), exit_on_error=False)


def threads() -> int:
    """Return how many threads the process has."""
    return len(list(Path("/proc/self/task").iterdir()))
