"""The console's application: it owns the open runs and what works in the background; screens only show them."""

import asyncio
import signal
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar, ParamSpec

from textual.binding import BindingType
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from opsconsole.engine.recorder import NotSaved
from opsconsole.model.calendar import Period
from opsconsole.model.checklists import Checklist
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.runs import RunState
from opsconsole.model.text import visible
from opsconsole.screens.base import ERROR, WARNING, ConsoleScreen, Drafts, Speaking
from opsconsole.screens.commands import Where, bindings, commands_of
from opsconsole.screens.keeping_up import KeepingUpApp
from opsconsole.screens.live import LiveRun
from opsconsole.screens.phrases import number_of
from opsconsole.widgets.crash import summary
from opsconsole.widgets.environment import Terminal
from opsconsole.wiring.services import Services

P = ParamSpec("P")

MEANT_WITHIN = 10.0
"""Seconds within which a second q means that leaving is meant, whatever is lost by it."""
NOT_STORED = 4
"""The exit code of a console that is left while something is not saved."""


class ConsoleApp(KeepingUpApp):
    """The console. `run` names a checklist or a run to open at once; it opens on Today otherwise."""

    # Textual does not load the style sheet of a default screen by itself.
    CSS_PATH = ["screens/app.tcss", "screens/today.tcss"]
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.ANYWHERE)]

    def __init__(self, services: Services, terminal: Terminal, run: str = "") -> None:
        super().__init__(services, terminal, crash_directory=services.crash_directory, redact=services.redact)
        self.drafts: Drafts = {}
        self._first_run = run
        self._warned_at = -MEANT_WITHIN

    def get_default_screen(self) -> Screen[Any]:
        """Return Today; every other screen is imported when it is asked for."""
        from opsconsole.screens.today import TodayScreen

        return TodayScreen()

    def on_mount(self) -> None:
        """Open what was asked for, and keep up with other processes."""
        self.keep_up()
        if self._first_run:
            self._open_named(self._first_run)

    # --- in the background -------------------------------------------------------------------------

    def start(
        self, doing: str, work: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Do `work` in the background, whatever becomes of the screen; an unexpected error is shown."""
        self._started(doing, partial(work, *args, **kwargs))

    def start_first(
        self, doing: str, work: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Do the same, and keep the keys until it is done."""
        self.let_keys_wait_for(self._started(doing, partial(work, *args, **kwargs)))

    def _started(self, doing: str, begin: Callable[[], Coroutine[None, None, None]]) -> Worker[None]:
        # Not a coroutine made by now: one whose worker is cancelled before it begins would never be awaited.
        return self.run_worker(begin, name=doing, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the unexpected error that something in the background ended of."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.unexpected(event.worker.error, event.worker.name)

    def measure(self, live: LiveRun, only: Collection[str] = ()) -> None:
        """Measure items of a run in the background."""
        self.start("measuring", self._measured, live, only)

    async def _measured(self, live: LiveRun, only: Collection[str]) -> None:
        try:
            await live.measure(only)
        except NotSaved:
            self.retry(live)
        except OpsconsoleError as error:
            self.say(f"measuring stopped: {error}", ERROR)

    # --- what screens ask for ----------------------------------------------------------------------

    def say(self, text: str, style: str = "") -> None:
        """Say something on the screen in front, or on the one behind it that has a line for that."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, Speaking):
                screen.say(text, style)
                return

    def unexpected(self, error: BaseException, doing: str) -> None:
        """Say in one line that something unexpected happened, and where more is written; the console goes on."""
        path = self._report(error, doing)
        more = f"; the details are in {path}" if path is not None else ""
        self.say(self._redact(f"Unexpected error while {doing}: {summary(error)}{more}"), ERROR)

    def open_run(self, checklist: Checklist, when: Period | None = None, *, measure: bool = True) -> None:
        """Open or resume a run, the present one without a period, show it, and measure what was not yet."""
        self.start_first("opening the run", self._opened, checklist, when, measure=measure)

    async def _opened(self, checklist: Checklist, when: Period | None, *, measure: bool) -> None:
        from opsconsole.screens.run import RunScreen

        self.say(f"opening {checklist.title} …")
        try:
            current = await asyncio.to_thread(self.services.current, checklist.id)
            live = await self.runs.open(current, when)
        except OpsconsoleError as error:
            self.say(f"it cannot be opened: {error}{f'; {error.hint}' if error.hint else ''}", ERROR)
            return
        self.say("")
        missing = live.unmeasured()
        if measure and missing and live.state.signed is None and not live.is_measuring:
            everything = len(missing) == sum(each.item.measured for each in live.state.items.values())
            self.measure(live, () if everything else missing)
        if isinstance(self.screen, RunScreen) and self.screen.live is None:
            self.pop_screen()
        self.push_screen(RunScreen(live.state, live, live.monitoring))

    def read_run(self, run: str) -> None:
        """Show a run that can only be read, or the open one where it is that."""
        self.start_first("reading the run", self._read, run)

    async def _read(self, run: str) -> None:
        from opsconsole.screens.run import RunScreen

        engine = self.services.engine
        try:
            state = await asyncio.to_thread(engine.load, run)
            if state is None:
                self.say(f"there is no run {run}", WARNING)
                return
            monitoring = await asyncio.to_thread(engine.day_of_monitoring, state)
        except OpsconsoleError as error:
            self.say(f"{run} cannot be read: {error}", ERROR)
            return
        self.push_screen(RunScreen(state, None, monitoring, "read only: a past run; o resumes it"))

    def show_history(self, checklist: Checklist) -> None:
        """Show the past runs of a checklist."""
        from opsconsole.screens.history import HistoryScreen

        self.push_screen(HistoryScreen(checklist))

    def show_calendar(self, checklist: Checklist) -> None:
        """Show how the runs of a checklist went as a calendar."""
        from opsconsole.screens.heatmap import CalendarScreen

        self.push_screen(CalendarScreen(checklist))

    def show_qualifications(self, checklist: str = "") -> None:
        """Show the qualification that a checklist belongs to; a list to choose from where that is not one alone."""
        from opsconsole.screens.palette import Entry, PaletteScreen

        known = self.services.qualifications
        named = [name for name, each in known.items() if checklist in {each.checklist, each.review}]
        offered = named or list(known)
        if not offered:
            self.say("no qualification is configured: `qualifications` in the configuration names them", WARNING)
        elif len(offered) == 1:
            self._show_qualification(offered[0])
        else:
            entries = [Entry(name, known[name].title, name) for name in offered]
            self.push_screen(PaletteScreen("Qualifications", entries), self._show_qualification)

    def _show_qualification(self, name: str | None) -> None:
        from opsconsole.screens.qualification import QualificationScreen

        if name:
            self.push_screen(QualificationScreen(self.services.qualifications[name]))

    def show_actions(self) -> None:
        """Show everything that is to be done, of all checklists."""
        from opsconsole.screens.actions import ActionsScreen

        self.push_screen(ActionsScreen())

    def show_runbook(self, checklist: str, name: str) -> None:
        """Show a runbook of a checklist."""
        from opsconsole.screens.runbook import RunbookScreen

        text = self.services.runbook(checklist, name)
        if text is None:
            self.say(f"there is no runbook '{name}' beside the checklist", WARNING)
        else:
            self.push_screen(RunbookScreen(name, text))

    def copy(self, about: str, text: str, alone_key: str) -> None:
        """Send a command to the terminal's clipboard, and say what became of it; `about` names it."""
        self.start("copying a command", self._copied, about, text, alone_key)

    async def _copied(self, about: str, text: str, alone_key: str) -> None:
        from opsconsole.screens.copying import copied

        said, went = await copied(self, text, about, alone_key)
        self.say(said, "" if went else WARNING)

    def show_alone(self, about: str, text: str) -> None:
        """Show a command alone on the terminal, until Enter."""
        self.start_first("showing a command alone", self._shown_alone, about, text)

    async def _shown_alone(self, about: str, text: str) -> None:
        from opsconsole.screens.copying import shown_alone

        self.say(await shown_alone(self, about, text))

    def export(self, state: RunState) -> None:
        """Write the day log of a run, and say where it is."""
        self.start("writing the day log", self._exported, state.run)

    async def _exported(self, run: str) -> None:
        def written() -> Path:
            state = self.services.engine.load(run)  # a copy of its own, and only what is on disk
            if state is None:
                raise OpsconsoleError(f"there is no run {run}")
            return self.services.write_day_log(state)

        try:
            path = await asyncio.to_thread(written)
        except (OpsconsoleError, OSError) as error:
            self.say(f"the day log could not be written: {error}", ERROR)
        else:
            self.say(f"day log written: {path}")

    def _open_named(self, name: str) -> None:
        wanted, _, key = name.partition("@")
        checklist = self.services.checklists.get(wanted)
        period = self.services.engine.period_named(checklist, key) if checklist is not None and key else None
        if checklist is None:
            self.say(f"there is no checklist '{wanted}'", WARNING)
        elif key and period is None:
            self.say(f"'{key}' names no {checklist.cadence} period", WARNING)
        else:
            self.open_run(checklist, period)

    # --- keys --------------------------------------------------------------------------------------

    async def action_back(self) -> None:
        """Go back one step; Today is left with q."""
        screen = self.screen
        if isinstance(screen, ConsoleScreen) and screen.go_back():
            return
        if len(self.screen_stack) > 1:
            screen.dismiss(None)

    def action_help(self) -> None:
        """Show all keys, and what the marks mean."""
        from opsconsole.screens.help_view import help_paragraphs
        from opsconsole.screens.reader import ReaderScreen

        if isinstance(self.screen, ConsoleScreen) and self.screen.WHERE is not Where.READER:
            self.push_screen(ReaderScreen("Help", help_paragraphs(self.screen.WHERE)))

    def action_palette(self) -> None:
        """Find a command by its name."""
        from opsconsole.screens.palette import Entry, PaletteScreen

        screen = self.screen
        if isinstance(screen, ConsoleScreen):
            offered = [each for each in screen.commands() if each.keys and each.name != "palette"]
            entries = [Entry(each.id, f"{each.label}: {each.help}", each.key) for each in offered]
            self.push_screen(PaletteScreen("Commands", entries), partial(self._chosen, screen))

    def _chosen(self, screen: ConsoleScreen, command: str | None) -> None:
        chosen = next((each for each in commands_of(screen.WHERE) if each.id == command), None)
        if chosen is not None:
            node = self if chosen.where is Where.ANYWHERE else screen
            self.call_later(self.run_action, chosen.name, node)

    async def action_leave(self) -> None:
        """Leave, after asking where something typed or done is not saved yet."""
        kept = []
        if self.drafts:
            kept.append("a draft that was never saved")
        if self.runs.unsaved:
            kept.append(f"{number_of(self.runs.unsaved, 'action')} that could not be saved so far")
        if kept and monotonic() - self._warned_at > MEANT_WITHIN:
            self._warned_at = monotonic()
            self.say(f"there is {' and '.join(kept)}: q again leaves all the same", WARNING)
            return
        await self._finish()
        self.exit(return_code=NOT_STORED if self.runs.unsaved else 0)

    async def before_leaving(self, cause: signal.Signals) -> None:
        """Stop measuring and finish what is being written: the run is resumed the next time."""
        await self._finish()

    async def _finish(self) -> None:
        self.keep_up_no_longer()
        working = list(self.workers)
        self.workers.cancel_all()
        # Probes end what they started before they are gone.
        ended = (each.wait() for each in working)
        silent = asyncio.create_task(self.let_go_of_silent_store())
        await asyncio.gather(*ended, self.runs.hasten(), return_exceptions=True)
        await self.runs.aclose()
        await silent
        for live in self.runs.all:
            if live.session.unsaved:
                self.say_at_exit(f"{number_of(live.session.unsaved, 'action')} of {live.state.run} not saved:")
                self.say_at_exit(f"  {visible(live.session.unsaved_cause)}")


def run_console(services: Services, *, terminal: Terminal, run: str = "") -> int:
    """Show the console until the operator leaves; return the exit code.

    `run` names a checklist, or a run like `qbr-daily@2026-11-21`, to open at once.
    """
    settings = services.console
    able = Terminal(ascii=terminal.ascii or settings.ascii, no_color=terminal.no_color or not settings.color)
    app = ConsoleApp(services, able, run)
    app.run_on_terminal()
    return app.return_code or 0
