"""The base of the console's application: everything that makes it safe on a line that may stall or drop."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.app import App, ScreenStackError
from textual.filter import LineFilter
from textual.reactive import Reactive
from textual.screen import Screen
from textual.worker import WorkerFailed

from opsconsole.model.text import visible
from opsconsole.widgets.ascii import AsciiFilter
from opsconsole.widgets.clipboard import Route, clipboard_codes, give_to_tmux, route
from opsconsole.widgets.colors import LeanFilter, NoColorFilter
from opsconsole.widgets.crash import report_text, summary, write_report
from opsconsole.widgets.driver import TerminalDriver
from opsconsole.widgets.environment import DEFAULT_THEME, Terminal
from opsconsole.widgets.shadow import ReducedUpdate, ScreenShadow
from opsconsole.widgets.signals import Departure, exit_code

ResultT = TypeVar("ResultT")


class TerminalApp(App[ResultT]):
    """An application that never waits for its terminal, and leaves cleanly when it is asked to or hung up.

    Run it with `run_on_terminal`. Tests may use `run_test`: no signal is touched then.
    """

    FINISH_WITHIN: ClassVar[float] = 5.0
    """Seconds that `before_leaving` may take."""
    LEAVE_WITHIN: ClassVar[float] = 10.0
    """Seconds after which the process ends by force, counted from the signal."""

    theme: Reactive[str] = Reactive(os.environ.get("TEXTUAL_THEME", DEFAULT_THEME))

    def __init__(
        self,
        terminal: Terminal = Terminal(),  # noqa: B008  immutable
        *,
        crash_directory: Path | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        """Make an application for `terminal`.

        Reports of unexpected errors go to `crash_directory`; where there is none, the traceback (never a variable's
        value) is printed on leaving. `redact` takes known secrets out of both.
        """
        self.terminal = terminal
        super().__init__(driver_class=TerminalDriver)
        self.failure: BaseException | None = None
        """What the application ended of, where it was not asked to end."""
        self._crash_directory = crash_directory
        self._redact = redact
        self._color_filter = NoColorFilter() if terminal.no_color else LeanFilter()
        self._ascii_filters: list[LineFilter] = [AsciiFilter()] if terminal.ascii else []
        self._shadow = ScreenShadow()
        self._departure: Departure | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._main_task: asyncio.Task[Any] | None = None
        self._parting_words: list[str] = []

    def run_on_terminal(self) -> ResultT | None:
        """Run until the operator leaves or a signal asks for it; the mouse stays the terminal's own.

        Afterwards `left_by` says which signal it was, `return_code` is 128 + signal then, and `failure` holds an
        unexpected error that ended the application.
        """
        with Departure(self._ask_to_leave, deadline=self.LEAVE_WITHIN) as departure:
            self._departure = departure
            return self.run(mouse=False)

    @property
    def left_by(self) -> signal.Signals | None:
        """The signal that asked the application to leave, if one did."""
        return None if self._departure is None else self._departure.cause

    async def before_leaving(self, cause: signal.Signals) -> None:
        """Finish what must be finished before the application ends because of `cause`; does nothing by itself."""

    def say_at_exit(self, text: str) -> None:
        """Print `text` on the terminal once the console is gone from it."""
        self._parting_words.append(text)

    @contextlib.contextmanager
    def keyboard_lent(self) -> Iterator[None]:
        """Let another program have the interrupt and quit keys."""
        with contextlib.nullcontext() if self._departure is None else self._departure.keyboard_ignored():
            yield

    def action_redraw(self) -> None:
        """Draw the whole screen anew, after something else wrote on the terminal."""
        self.repaint()

    # The clipboard.

    def copy_to_clipboard(self, text: str) -> None:
        """Ask the terminal to put `text` on its clipboard, through tmux or screen where one is around."""
        self._clipboard = text
        if self._driver is not None:
            self._driver.write(clipboard_codes(text, route(os.environ)))

    async def offer_to_clipboard(self, text: str) -> Route | None:
        """Do the same, and return which way it went: TMUX only where tmux took it, None where the line is stalled.

        NONE means that this terminal has no clipboard. Await it from a worker.
        """
        self._clipboard = text
        by = route(os.environ)
        if not isinstance(self._driver, TerminalDriver):
            return Route.TERMINAL
        if by is Route.TMUX and await give_to_tmux(text):
            return Route.TMUX
        if by is Route.NONE:
            return Route.NONE
        sent = self._driver.offer(clipboard_codes(text, by))
        return (Route.TMUX_BEYOND if by is Route.TMUX else by) if sent else None

    # What the driver tells.

    def terminal_gone(self) -> None:
        """Leave as upon SIGHUP: nobody is at the other end any more."""
        if self._departure is not None:
            self._departure.request(signal.SIGHUP)
        else:
            self._begin_leaving(signal.SIGHUP)

    def repaint(self) -> None:
        """Draw the whole screen anew, whatever the terminal shows."""
        self._shadow.forget()
        with contextlib.suppress(ScreenStackError):
            self.screen.refresh()

    def unexpected(self, error: BaseException, doing: str) -> None:
        """Show an error nobody handled and write its report; the application goes on."""
        path = self._report(error, doing)
        where = f"; written to {path}" if path else ""
        self.notify(
            visible(self._redact(f"{summary(error)}{where}")),
            title=f"Unexpected error while {doing}",
            severity="error",
            timeout=30,
            markup=False,
        )

    # What Textual asks for.

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the filters of everything drawn; under NO_COLOR not Textual's own, which send greys."""
        theirs = () if self.terminal.no_color else super().get_line_filters()
        return [*theirs, self._color_filter, *self._ascii_filters]

    @contextlib.contextmanager
    def suspend(self) -> Iterator[None]:
        """Lend the terminal to another program, and take it back however the block is left.

        Textual's own does not come back after an exception, and draws into the closed driver meanwhile.
        """
        raised: BaseException | None = None
        with self.batch_update(), super().suspend():
            try:
                yield
            except BaseException as error:  # noqa: BLE001  raised again below, once the terminal is back
                raised = error
        if raised is not None:
            raise raised

    async def run_async(self, **options: Any) -> ResultT | None:
        """Run as a coroutine, so that errors of tasks nobody waits for are shown."""
        self._main_task = asyncio.current_task()
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)
        return await super().run_async(**options)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send of an update what the terminal does not show already."""
        drawing = self._running and not (self._closed or self._batch_count or self.is_headless)
        if drawing and isinstance(renderable, CompositorUpdate):
            reduced = self._shadow.reduce(renderable, self.size, self.console)
            if reduced is None and self.cursor_position != self._previous_cursor_position:
                reduced = ReducedUpdate("")
            renderable = reduced
        super()._display(screen, renderable)

    def _set_pointer_shape(self, shape: str) -> None:
        """Send nothing: the mouse is the terminal's own, and so is its pointer."""

    def _handle_exception(self, error: Exception) -> None:
        """Keep going after a worker failed, whatever its `exit_on_error` says; end after anything else."""
        if isinstance(error, WorkerFailed):
            self.unexpected(error.error, "working in the background")
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """End, saying what happened and where it was written: no traceback with variables on the terminal."""
        error = sys.exc_info()[1] or self._exception or RuntimeError("unknown")
        self.failure = error
        path = self._report(error, "running the console")
        self._parting_words.append(f"opsconsole ended after an unexpected error: {self._redact(summary(error))}")
        if path is not None:
            self._parting_words.append(f"The details are in {path}")
        else:
            self._parting_words += map(visible, report_text(error, self._redact).splitlines())
        self._close_messages_no_wait()

    async def _shutdown(self) -> None:
        """Let the cancelled workers clean up before everything they might need is taken down."""
        ended = (worker.wait() for worker in self.workers)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*ended, return_exceptions=True), self.FINISH_WITHIN)
        await super()._shutdown()

    def _print_error_renderables(self) -> None:
        """Print what is to be said once the terminal is back, then what Textual has to say about style sheets."""
        words, self._parting_words = self._parting_words, []
        encoding = "ascii" if self.terminal.ascii else "utf-8"
        with contextlib.suppress(OSError):  # the terminal may be gone
            for line in words:
                os.write(2, f"{line}\n".encode(encoding, "backslashreplace"))
            super()._print_error_renderables()

    # How it leaves.

    def _ask_to_leave(self, cause: signal.Signals) -> None:
        """Begin to leave, from a signal handler; before and after the event loop there is nothing to wait for."""
        if self._loop is None or self._loop.is_closed():
            raise SystemExit(exit_code(cause))
        self._loop.call_soon_threadsafe(self._begin_leaving, cause)

    def _begin_leaving(self, cause: signal.Signals) -> None:
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(cause), name="leave")

    async def _leave(self, cause: signal.Signals) -> None:
        with self._context():
            try:
                async with asyncio.timeout(self.FINISH_WITHIN):
                    await self.before_leaving(cause)
            except Exception as error:  # noqa: BLE001  the boundary: whatever fails in here, the application leaves
                self._report(error, f"leaving after {cause.name}")
            self.exit(return_code=exit_code(cause))
        # A handler of the application itself that never returns keeps it from hearing of its end.
        await asyncio.sleep(1)
        if self._running and self._main_task is not None:
            self._main_task.cancel()

    def _report(self, error: BaseException, doing: str) -> Path | None:
        if self._crash_directory is None:
            return None
        return write_report(error, doing, self._crash_directory, self._redact)

    def _on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self.unexpected(error, "working in the background")
