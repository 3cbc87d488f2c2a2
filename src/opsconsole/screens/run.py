"""A run: its items, what was measured of them, and everything that an operator can do about them."""

import asyncio
import datetime as dt
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.timer import Timer

from opsconsole.contracts.store import StoreError
from opsconsole.engine.engine import Engine
from opsconsole.engine.overview import action_named, carried_actions
from opsconsole.model.actions import Action
from opsconsole.model.qualifications import DayOfMonitoring
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import count_words
from opsconsole.screens.action_view import ACTION, action_paragraphs
from opsconsole.screens.base import WARNING
from opsconsole.screens.by_hand import with_command
from opsconsole.screens.commands import BY_ID, Command, Where, bindings, commands_of, with_way_back
from opsconsole.screens.item_view import compact, field_paragraphs, item_paragraphs
from opsconsole.screens.live import LiveRun
from opsconsole.screens.missed_view import missed_paragraphs
from opsconsole.screens.phrases import number_of, zone_of
from opsconsole.screens.run_shared import SharedRun
from opsconsole.screens.run_view import RunLooks, field_of, head, offered_by, run_notices, run_rows
from opsconsole.widgets.evidence import TextPane
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row, RowHighlighted, Rows, RowSelected

UPDATE_WITHIN = 0.1
"""Seconds within which what others did shows; many changes in that time are painted together."""
ACTIONS_WITHIN = 2.0
"""Seconds within which what others did about action items of earlier runs shows."""
DETAIL_WITHIN = 0.08
"""Seconds that the cursor has to rest on an item before its detail is painted."""


class RunScreen(SharedRun):
    """The items on the left or above, the one under the cursor on the right or below."""

    WHERE: ClassVar[Where] = Where.RUN
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.RUN)]
    DETAIL: ClassVar[str] = "#detail"
    CSS_PATH = "run.tcss"

    def __init__(
        self, state: RunState, live: LiveRun | None, monitoring: DayOfMonitoring | None, read_only: str = ""
    ) -> None:
        """Show a run; without a `live` one it can only be read, and `read_only` says why."""
        super().__init__(live)
        self._state = state
        self._monitoring = monitoring
        self._read_only = read_only
        self._carried: tuple[Action, ...] = ()
        self._only_not_green = False
        self._update: Timer | None = None
        self._detail: Timer | None = None
        self._actions: Timer | None = None

    # --- what it shows -----------------------------------------------------------------------------

    @property
    def state(self) -> RunState:
        """The run as it stands now."""
        return self._live.state if self._live is not None else self._state

    @property
    def refusal(self) -> str:
        """Why nothing about the run can be changed; empty where it can."""
        if self.state.signed is not None:
            by = self.state.signed.by.actor.shown
            return f"read only: the run was signed by {by}; {BY_ID['run.amend'].key} amends it"
        return self._read_only

    @property
    def chosen_key(self) -> str:
        """The key of the row under the cursor."""
        return self.query_one(Rows).cursor_key or ""

    @property
    def _now(self) -> dt.datetime:
        return self.console.services.engine.clock()

    @property
    def date(self) -> dt.date:
        """The present date where the checklist lives."""
        return self._now.astimezone(zone_of(self.state.times)).date()

    @property
    def chosen_action(self) -> Action | None:
        """The action item under the cursor, if it is one."""
        name = self.chosen_key.removeprefix(ACTION) if self.is_mounted and self.query("#items") else ""
        return next((each for each in (*self._carried, *self.state.actions.values()) if each.id == name), None)

    def commands(self) -> list[Command]:
        """Return what can be asked for: a run that can only be read offers no change."""
        state = self.state
        offered = commands_of(Where.RUN, changing=not self.refusal)
        signed = state.signed is not None
        wanted = {
            "resume": self._live is None and not signed,
            "amend": signed,
            "review": signed,
            "sign_off": signed or state.missed or state.definition.needs_signature,
            "handle_action": self.chosen_action is not None,
            **offered_by(state.definition),
        }
        offered = [each for each in offered if wanted.get(each.name, True)]
        if self.has_class("-reading"):
            offered = with_way_back(offered, "list")
        if not state.missed or signed:
            return offered
        # Nothing can be seen any more: what is left to do is to say why.
        why = BY_ID["run.note-run"]
        return [
            replace(each, label="say why", rank=1) if each is why else each
            for each in offered
            if each is why or not (each.changes or each.name in {"filter", "copy", "alone"})
        ]

    def compose_body(self) -> ComposeResult:
        """Yield the list and the detail."""
        yield TextPane(id="notices")
        with Container(id="body"):
            yield Rows(id="items")
            yield TextPane(id="detail")

    def on_mount(self) -> None:
        """Show it, and keep up with it."""
        self.begin_to_share()
        self.show_now()
        self._look_at_actions()

    def on_unmount(self) -> None:
        """Look no longer; the run goes on."""
        self.share_no_longer()

    def on_resize(self) -> None:
        """Show what the new width has room for."""
        self.call_after_refresh(self.show_now)

    def on_screen_resume(self) -> None:
        """Show what changed while another screen was in front."""
        self.show_now()
        self._look_at_actions()

    def record_stirred(self) -> None:
        """Look who is here, and soon what is still to be done: somebody did something."""
        super().record_stirred()
        if self._actions is None:
            self._actions = self.set_timer(ACTIONS_WITHIN, self._look_at_actions)

    def _look_at_actions(self) -> None:
        if self._actions is not None:
            self._actions.stop()
            self._actions = None
        self.console.start("reading the action items", self._looked_at_actions)

    async def _looked_at_actions(self) -> None:
        """Read what earlier runs left to be done, and what became of a run that is only read."""
        engine = self.console.services.engine
        try:
            if self._live is None:
                state = await asyncio.to_thread(engine.load, self.state.run)
                self._state = state or self._state
            carried = await asyncio.to_thread(self._read_carried, engine)
        except StoreError:
            return  # the line of messages says that the record cannot be reached
        self._carried = carried
        if self._live is not None:
            self._live.carried = carried
        if self.is_attached:
            self.show_now()

    def show_now(self) -> None:
        """Show the run as it is; only lines that changed are painted."""
        if self._update is not None:
            self._update.stop()
            self._update = None
        if not self.is_attached:
            return
        self.show_head()
        self.query_one(Rows).set_rows(self._rows())
        self._show_notices()
        self.show_standing()
        self.tell_news()
        self.show_keys()
        self._show_detail()

    def show_head(self) -> None:
        """Show what the run is, who is in it, and what it came to so far."""
        mode = "read only" if self.refusal and self.state.signed is None else ""
        if self.state.signed is None and not self.state.missed and self.state.times.over(self._now):
            mode = f"{mode} · LATE" if mode else "LATE"
        if self._only_not_green:
            mode = f"{mode} not green only".strip()
        self.show_top(head(self.state, self._monitoring, mode=mode, company=self.company))

    def _rows(self) -> list[Row]:
        return run_rows(self.state, self._looks())

    def _looks(self) -> RunLooks:
        live = self._live
        return RunLooks(
            measuring=frozenset(live.measuring) if live is not None else (),
            unsaved=live.session.unsaved_items if live is not None else (),
            only_not_green=self._only_not_green,
            width=self.query_one("#items").size.width if self.is_mounted else 0,
            carried=self._carried,
            today=self.date,
        )

    def _show_notices(self) -> None:
        notices = self._live.session.notices if self._live is not None else ()
        pane = self.query_one("#notices", TextPane)
        alarms = self.console.services.alarms
        pane.display = bool(notices or alarms)
        pane.show(run_notices(notices, alarms))

    def show_standing(self) -> None:
        """Keep what must not be missed in the line of messages; the rest of it makes way for answers."""
        if not (self.is_attached and self.query("#message")):
            return
        usual = [Piece("nobody did it" if self.state.missed else count_words(self.state.counts))]
        notice = list(self.standing())
        live = self._live
        if live is not None and live.session.unsaved:
            waiting = number_of(live.session.unsaved, "action")
            gap = (Piece(" "),) if notice else ()
            notice = [Piece(f" {waiting} NOT SAVED - retrying ", "bold $error reverse"), *gap, *notice]
            usual = [Piece(live.session.unsaved_cause)]
        if live is not None and live.progress:
            notice.append(Piece(f"{' ' if notice else ''}{live.progress}"))
        self.message.show_notice(tuple(notice), tuple(usual))

    def show_soon(self) -> None:
        """Show what changed, soon: many changes are painted together."""
        if self._update is None and self.is_attached:
            self._update = self.set_timer(UPDATE_WITHIN, self.show_now)

    def _read_carried(self, engine: Engine) -> tuple[Action, ...]:
        """Return what earlier runs left to be done, and what of it was done while this screen was open."""
        carried = carried_actions(engine, self.state)
        names = {each.id for each in carried}
        return (*carried, *(action_named(engine, each.id) for each in self._carried if each.id not in names))

    # --- the item under the cursor -----------------------------------------------------------------

    @on(RowHighlighted, "#items")
    def detail_follows(self, event: RowHighlighted) -> None:
        """Show the detail once the cursor rests: on a slow line moving on must not wait for it."""
        self.say_after(event, "")
        if self._detail is not None:
            self._detail.stop()
        self._detail = self.set_timer(DETAIL_WITHIN, self._show_detail)

    def _show_detail(self) -> None:
        if not self.is_attached:
            return
        key, item = self.chosen_key, self.chosen
        editable = not self.refusal
        field = field_of(self.state, key)
        action = self.chosen_action
        parts = []
        if action is not None:
            at = self.state.items.get(action.raised.item)
            title = at.item.title if at is not None else ""
            parts = action_paragraphs(action, self.date, zone_of(self.state.times), title)
        elif self.state.missed:
            parts = missed_paragraphs(self.state, item, editable=editable)
        elif item is not None:
            width = self.query_one("#detail", TextPane).line_width
            parts = item_paragraphs(self.state, item, editable=editable, width=width)
        elif field is not None:
            parts = field_paragraphs(self.state, field, editable=editable)
        reading = self.has_class("-reading")
        shown = parts if reading or self.has_class("-wide") else compact(parts)
        self.show_keys()
        # Each way of reading begins at the top.
        self.query_one("#detail", TextPane).show(shown, document=f"{key} in full" if reading else key)

    def go_to(self, key: str) -> None:
        """Put the cursor on an item or a line of the day's sheet."""
        if not self.query_one(Rows).move_to(key):
            self._only_not_green = False
            self.show_now()
            self.query_one(Rows).move_to(key)

    def go_back(self) -> bool:
        """Leave the reading of a detail, then the filter."""
        if self.has_class("-reading"):
            self._read(reading=False)
            return True
        if self._only_not_green:
            self.action_filter()
            return True
        return False

    @on(RowSelected, "#items")
    def enter_pressed(self) -> None:
        """Read the detail in full; a line of the day's sheet is filled in."""
        if self.chosen_action is not None:
            self.action_handle_action()
        elif self.chosen is None and not self.refusal:
            self.action_enter()
        else:
            self._read(reading=True)

    def _read(self, *, reading: bool) -> None:
        self.set_class(reading, "-reading")
        self._show_detail()
        self.query_one("#detail" if reading else "#items").focus()

    def action_other_pane(self) -> None:
        """Move the keys between list and detail."""
        if not self.has_class("-reading"):
            self.focus_next()

    def action_filter(self) -> None:
        """Show only what is not green, or everything."""
        self._only_not_green = not self._only_not_green
        self.show_now()
        if self._only_not_green and not self.query_one(Rows).rows:
            self.say("everything is green; Esc shows all items")

    # --- elsewhere ---------------------------------------------------------------------------------

    def action_resume(self) -> None:
        """Go on with a past run that nobody signed."""
        checklist = self.console.services.checklists.get(self.state.definition.id)
        if self._live is not None or self.state.signed is not None:
            self.say("it is open already" if self.state.signed is None else self.refusal, WARNING)
        elif checklist is None:
            self.say(f"there is no checklist '{self.state.definition.id}' any more", WARNING)
        else:
            self.console.open_run(checklist, self.state.times.period, measure=False)

    def action_history(self) -> None:
        """Show the past runs of the checklist."""
        self.console.show_history(self.state.definition)

    def action_days(self) -> None:
        """Show the qualification that the run is a day of."""
        self.console.show_qualifications(self.state.definition.id)

    def action_sign_off(self) -> None:
        """Show what is signed, to sign it or to read it."""
        from opsconsole.screens.signoff import SignOffScreen

        if self._live is None and self.state.signed is None:
            self.say(self.refusal, WARNING)
            return
        if not any(each.name == "sign_off" for each in self.commands()):
            self.say("this checklist needs no signature: the run is done once everything was measured")
            return
        self.app.push_screen(SignOffScreen(self.state, self._live), self._came_back)

    def _came_back(self, key: str | None) -> None:
        if key:
            self.go_to(key)
            self.query_one("#items").focus()

    def action_runbook(self) -> None:
        """Show the runbook of the item."""
        name = self.chosen.item.on_fail.runbook if self.chosen is not None else ""
        if name:
            self.console.show_runbook(self.state.definition.id, name)
        else:
            self.say("no runbook is named for this item", WARNING)

    def action_copy(self) -> None:
        """Copy the command that shows by hand what was measured."""
        key = BY_ID["run.alone"].key
        with_command(self, self.chosen, lambda about, text: self.console.copy(about, text, key))

    def action_alone(self) -> None:
        """Show that command alone."""
        with_command(self, self.chosen, self.console.show_alone)

    def action_find(self) -> None:
        """Go to an item by a part of its title."""
        from opsconsole.screens.palette import Entry, PaletteScreen

        entries = [Entry(row.key, row.left[1].text.rstrip()) for row in self._rows() if row.selectable]
        self.app.push_screen(PaletteScreen("Go to", entries), self._came_back)

    def action_export(self) -> None:
        """Write the day log to a file."""
        self.console.export(self.state)
