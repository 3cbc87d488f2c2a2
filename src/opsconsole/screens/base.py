"""What all screens of the console have in common: three lines around their own part, and how they do things."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from time import monotonic
from typing import Any, ClassVar, ParamSpec, Protocol, cast, runtime_checkable

from textual.app import ComposeResult
from textual.message import Message as TextualMessage
from textual.screen import Screen

from opsconsole.contracts.store import RunKey, StoreError
from opsconsole.engine.recorder import NotSaved
from opsconsole.model.calendar import Period
from opsconsole.model.checklists import Checklist
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.runs import RunState
from opsconsole.screens.commands import Command, Where, commands_of
from opsconsole.screens.lines import Keys, Line, Message
from opsconsole.screens.live import LiveRun, LiveRuns
from opsconsole.widgets.evidence import TextPane
from opsconsole.widgets.pieces import Piece
from opsconsole.wiring.services import Services

P = ParamSpec("P")

WARNING = "bold $warning"
ERROR = "bold $error"

_PATIENCE = 0.4
"""Seconds after which a deed that is still being saved says so."""

Drafts = dict[tuple[str, ...], dict[str, str]]
"""What was typed into forms that were left without saving, by run and question, then by the answer's name."""


class Console(Protocol):
    """What screens may ask of the application."""

    services: Services
    runs: LiveRuns
    drafts: Drafts
    store_fault: str
    """Why the record cannot be reached now; empty where it can."""

    def start(
        self, doing: str, work: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Do `work` in the background, whatever becomes of the screen; an unexpected error is shown."""

    def start_first(
        self, doing: str, work: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Do the same, and keep the keys until it is done."""

    def open_run(self, checklist: Checklist, when: Period | None = None, *, measure: bool = True) -> None:
        """Open or resume a run, the present one without a period, show it, and measure what was not yet."""

    def read_run(self, run: str) -> None:
        """Show a run that can only be read."""

    def show_history(self, checklist: Checklist) -> None:
        """Show the past runs of a checklist."""

    def show_qualifications(self, checklist: str = "") -> None:
        """Show the qualification that a checklist belongs to, or a list to choose from."""

    def show_calendar(self, checklist: Checklist) -> None:
        """Show how the runs of a checklist went as a calendar."""

    def show_actions(self) -> None:
        """Show everything that is to be done, of all checklists."""

    def measure(self, live: LiveRun, only: Collection[str] = ()) -> None:
        """Measure items of a run in the background."""

    def show_runbook(self, checklist: str, name: str) -> None:
        """Show a runbook of a checklist."""

    def copy(self, about: str, text: str, alone_key: str) -> None:
        """Send a command to the terminal's clipboard, and say what became of it; `about` names it."""

    def show_alone(self, about: str, text: str) -> None:
        """Show a command alone on the terminal, until Enter."""

    def export(self, state: RunState) -> None:
        """Write the day log of a run, and say where it is."""

    def say(self, text: str, style: str = "") -> None:
        """Say something on the screen in front."""


@runtime_checkable
class Speaking(Protocol):
    """A screen that has a line for messages."""

    def say(self, text: str, style: str = "") -> None:
        """Say something to the operator."""


class ConsoleScreen(Screen[str]):
    """A screen with a line on top, a line of messages and a line of keys."""

    WHERE: ClassVar[Where]
    AUTO_FOCUS: ClassVar[str | None] = "Rows"
    DETAIL: ClassVar[str] = ""
    """The pane beside the list that the keys for pages turn, where the screen has these keys."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]

    _answered_at = 0.0

    @property
    def console(self) -> Console:
        """The application."""
        return cast("Console", self.app)

    def compose(self) -> ComposeResult:
        """Put the screen's own part between the lines."""
        yield Line(id="top")
        yield from self.compose_body()
        yield Message(id="message")
        yield Keys(self.commands())

    def compose_body(self) -> ComposeResult:
        """Yield the screen's own part."""
        raise NotImplementedError

    def commands(self) -> list[Command]:
        """Return what can be asked for on this screen now."""
        return commands_of(self.WHERE)

    def action_page_down(self) -> None:
        """Turn the detail a page on."""
        self.query_one(self.DETAIL, TextPane).action_page(1)

    def action_page_up(self) -> None:
        """Turn the detail a page back."""
        self.query_one(self.DETAIL, TextPane).action_page(-1)

    def action_other_pane(self) -> None:
        """Move the keys between the parts of the screen."""
        self.focus_next()

    def period_of_run(self, run: str) -> tuple[Checklist, Period] | None:
        """Return the checklist and the period that a run is named after; say so where there is none any more."""
        services, key = self.console.services, RunKey.parse(run)
        checklist = services.checklists.get(key.checklist)
        period = services.engine.period_named(checklist, key.period) if checklist is not None else None
        if checklist is None or period is None:
            self.say(f"there is no checklist '{key.checklist}' any more", WARNING)
            return None
        return checklist, period

    @property
    def message(self) -> Message:
        """The line of messages."""
        return self.query_one("#message", Message)

    def show_top(self, parts: tuple[Iterable[Piece], Iterable[Piece]]) -> None:
        """Show the left and the right part of the top line."""
        self.query_one("#top", Line).show(*parts)

    def show_keys(self) -> None:
        """Show the keys that can be used now."""
        self.query_one(Keys).show(self.commands())

    def say(self, text: str, style: str = "") -> None:
        """Answer the operator; nothing once the screen is gone."""
        if not self.is_attached:
            return
        if self.query("#message"):
            self._answered_at = monotonic()
            self.message.answer(text, style)
        else:
            self.call_after_refresh(self.say, text, style)

    def say_after(self, event: TextualMessage, text: str) -> None:
        """Say `text`, unless something was answered since `event`, which may come later than the next key."""
        if event.time > self._answered_at:
            self.say(text)

    def on_screen_resume(self) -> None:
        """Say what must not be missed, whichever screen was in front when it happened."""
        self.show_standing()

    def record_stirred(self) -> None:
        """Somebody stored something: a screen that shows more than one run may want to look again."""

    def show_standing(self) -> None:
        """Keep in the line of messages what must not be missed, ahead of every answer."""
        if self.is_attached and self.query("#message"):
            self.message.show_notice(self.standing())

    def standing(self) -> tuple[Piece, ...]:
        """Return that the record cannot be reached, where that is so."""
        fault = self.console.store_fault
        return (Piece(" RECORD OUT OF REACH ", "bold $error reverse"), Piece(f" {fault}")) if fault else ()

    def go_back(self) -> bool:
        """Go back one step within the screen; return False where there is none, and the screen is to be left."""
        return False

    # --- deeds -------------------------------------------------------------------------------------

    def act(self, live: LiveRun, deed: Callable[[], Awaitable[str]], doing: str) -> None:
        """Do something to a run, after what was asked for before; what `deed` returns is the answer."""
        self.console.start(doing, self.acted, live, deed)

    async def acted(self, live: LiveRun, deed: Callable[[], Awaitable[str]]) -> None:
        """Do it now; see `act`."""
        async with live.in_order:
            try:
                answer = await self.patiently(deed())
            except NotSaved:
                self.say("")  # the notice that stays says it
            except OpsconsoleError as error:
                self.say_error(error)
            else:
                self.say(answer)

    async def patiently(self, work: Awaitable[str]) -> str:
        """Await `work`, and say that it is being saved where that takes long."""
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE)
        if not done:
            self.say("saving …")
        return await task

    def say_error(self, error: OpsconsoleError) -> None:
        """Say what went wrong, and what to do about it."""
        style = ERROR if isinstance(error, StoreError) else WARNING
        self.say(f"{error}{f'; {error.hint}' if error.hint else ''}", style)
