"""Drives a console without a terminal, as an operator would: keys, then wait until something shows."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual._context import visible_screen_stack
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input, TextArea

from opsconsole.app import ConsoleApp
from opsconsole.model.runs import RunState
from opsconsole.screens.live import LiveRun
from opsconsole.widgets.environment import Terminal
from opsconsole.widgets.rows import Rows
from support.console import Morning, console_screen

WAIT = 20.0
"""Seconds that anything may take to show; machines that run tests are slow."""


class Driver:
    """A running console."""

    def __init__(self, morning: Morning, app: ConsoleApp, pilot: Pilot[None]) -> None:
        self.morning = morning
        self.app = app
        self.pilot = pilot

    @property
    def lines(self) -> list[str]:
        """The lines that the screen shows, without the blanks at their ends."""
        return [strip.text.rstrip() for strip in self._strips()]

    def _strips(self) -> list[Strip]:
        # An overlay draws the screen behind it, which it finds in this stack; what it finds not is blank, and kept.
        visible_screen_stack.set(self.app._background_screens)
        return self.app.screen._compositor.render_strips()

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(self.lines)

    @property
    def message(self) -> str:
        """What the line of messages says."""
        return console_screen(self.app).message.text

    @property
    def live(self) -> LiveRun:
        """The one open run."""
        (live,) = self.app.runs.all
        return live

    @property
    def state(self) -> RunState:
        """What the open run came to."""
        return self.live.state

    def stored(self) -> list[str]:
        """Return the kinds of events on disk of the open run, without the measured ones."""
        events = self.morning.store.inner.events(self.live.state.run)
        kinds = [type(each.event.body).__name__ for each in events]
        return [each for each in kinds if each != "Measured"]

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait until `condition` holds."""
        deadline = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < deadline, f"not within {WAIT} s: {what}\n{self.text}"
            await self.pilot.pause(0.01)

    async def sees(self, *texts: str) -> None:
        """Wait until the screen shows all `texts`."""
        for text in texts:
            await self.until(lambda text=text: text in self.text, repr(text))  # type: ignore[misc]

    async def reads(self, *texts: str) -> None:
        """Wait until the screen shows all `texts`, wherever their lines are broken."""
        for text in texts:
            await self.until(lambda text=text: text in " ".join(self.text.split()), repr(text))  # type: ignore[misc]

    async def sees_no(self, text: str) -> None:
        """Wait until the screen does not show `text`."""
        await self.until(lambda: text not in self.text, f"no {text!r}")

    async def stands_still(self, seconds: float = 0.3) -> None:
        """Wait until the screen, its colours too, has been the same for `seconds`."""
        before, since = None, time.monotonic()

        def still() -> bool:
            nonlocal before, since
            seen = [list(strip) for strip in self._strips()]
            if seen != before:
                before, since = seen, time.monotonic()
            return time.monotonic() - since > seconds

        await self.until(still, "a screen that stands still")

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        await self.until(lambda: isinstance(self.app.focused, Input | TextArea), "a place to type")
        await self.pilot.press(*text)

    async def go(self, key: str) -> None:
        """Put the cursor of the list in front on a row."""
        assert self.app.screen.query_one(Rows).move_to(key), f"no row {key}"
        await self.pilot.pause(0.1)

    async def open_run(self) -> None:
        """Open the first checklist and wait until it is measured."""
        await self.sees("QBR daily monitoring")
        await self.press("enter")
        await self.sees("Collection")
        await self.until(lambda: not self.live.is_measuring and not self.live.unmeasured(), "measured")
        await self.sees("[x] PASS")


@asynccontextmanager
async def driving(
    morning: Morning,
    *,
    size: tuple[int, int] = (80, 24),
    terminal: Terminal = Terminal(),
    run: str = "",
) -> AsyncIterator[Driver]:
    """Run a console over `morning` for the length of the block."""
    app = morning.app(terminal, run)
    async with app.run_test(size=size) as pilot:
        yield Driver(morning, app, pilot)
