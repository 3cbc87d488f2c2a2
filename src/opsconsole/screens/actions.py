"""Everything that is to be done, of all checklists: raised in a run, and carried on until it is done or dropped."""

import asyncio
import datetime as dt
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer

from opsconsole.engine.overview import Present, all_actions, present
from opsconsole.model.actions import Action
from opsconsole.model.errors import OpsconsoleError
from opsconsole.screens import action_forms
from opsconsole.screens.action_view import ACTION, action_paragraphs, action_row
from opsconsole.screens.base import WARNING, ConsoleScreen
from opsconsole.screens.commands import Where, bindings
from opsconsole.screens.phrases import number_of
from opsconsole.widgets.evidence import TextPane
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import RowHighlighted, Rows, RowSelected

STIRRED_WITHIN = 2.0
"""Seconds within which what others did shows."""


class ActionsScreen(ConsoleScreen):
    """One row for each action item, those due first; under them the one that the cursor stands on."""

    WHERE: ClassVar[Where] = Where.ACTIONS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.ACTIONS)]
    CSS_PATH = "actions.tcss"
    DETAIL: ClassVar[str] = "#about"

    def __init__(self) -> None:
        super().__init__()
        self._actions: tuple[Action, ...] = ()
        self._closed_too = False
        self._is_read = False
        self._stirred: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """Yield the list and the detail."""
        yield Rows(id="actions")
        yield TextPane(id="about")

    def on_mount(self) -> None:
        """Say what it is."""
        self._show()

    def on_screen_resume(self) -> None:
        """Look again: what was said in a form shows here."""
        super().on_screen_resume()
        self.action_reload()

    def record_stirred(self) -> None:
        """Look again soon: somebody stored something."""
        if self.is_current and self._stirred is None:
            self._stirred = self.set_timer(STIRRED_WITHIN, self.action_reload)

    def action_reload(self) -> None:
        """Look again what is to be done."""
        if self._stirred is not None:
            self._stirred.stop()
            self._stirred = None
        self.console.start_first("reading the action items", self._read)

    async def _read(self) -> None:
        try:
            self._actions = await asyncio.to_thread(all_actions, self.console.services.engine)
        except OpsconsoleError as error:
            self.say_error(error)
            return
        self._is_read = True
        if self.is_attached:
            self._show()

    @property
    def _shown(self) -> list[Action]:
        still = [each for each in self._actions if each.is_open]
        closed = [each for each in self._actions if not each.is_open]
        return [*still, *sorted(closed, key=_closed_at, reverse=True)] if self._closed_too else still

    @property
    def _chosen(self) -> Action | None:
        key = self.query_one(Rows).cursor_key
        return next((each for each in self._actions if ACTION + each.id == key), None)

    @property
    def _present(self) -> Present:
        services = self.console.services
        return present(services.engine, services.checklists)

    def _show(self) -> None:
        still = [each for each in self._actions if each.is_open]
        now = self._present
        late = sum(each.is_late(now.date(each.run)) for each in still)
        closed = len(self._actions) - len(still)
        counted = [f"{len(still)} to do", f"{late} late" if late else "", f"{closed} closed" if closed else ""]
        right = ", ".join(filter(None, counted)) if self._is_read else "reading"
        self.show_top(((Piece("Action items", "bold"),), (Piece(right, "bold" if late else ""),)))
        rows = [action_row(each, now.date(each.run), about=each.run) for each in self._shown]
        shown = self.query_one(Rows)
        shown.set_rows(rows)
        self._show_about()
        if self._is_read and not rows:
            hidden = f"; c shows {number_of(closed, 'closed one')}" if closed else ""
            self.say(f"nothing is to be done{hidden}")

    @on(RowHighlighted, "#actions")
    def _show_about(self) -> None:
        action = self._chosen
        parts = []
        if action is not None:
            now = self._present
            parts = action_paragraphs(action, now.date(action.run), now.where(action.run))
        self.query_one("#about", TextPane).show(parts, document=action.id if action is not None else "")

    @on(RowSelected, "#actions")
    def handle_chosen(self) -> None:
        """Ask what became of the chosen one."""
        action = self._chosen
        if action is not None:
            action_forms.choose(self, action, self._present.date(action.run))

    def action_filter(self) -> None:
        """Show those that are done or dropped too, or hide them."""
        self.say("")
        self._closed_too = not self._closed_too
        self._show()

    def action_open_run(self) -> None:
        """Read the run that the chosen one was raised in."""
        action = self._chosen
        if action is None:
            self.say("no action item is under the cursor", WARNING)
        else:
            self.console.read_run(action.run)


def _closed_at(action: Action) -> dt.datetime:
    return action.steps[-1].at
