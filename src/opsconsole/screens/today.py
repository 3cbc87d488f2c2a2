"""Today: what was handed over, what is due, how far it is, and how it went the last time."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer

from opsconsole.engine.overview import Gap, Present, Today, open_actions, present, today
from opsconsole.model.actions import Action
from opsconsole.model.checklists import Checklist
from opsconsole.model.errors import OpsconsoleError
from opsconsole.screens.base import ConsoleScreen
from opsconsole.screens.commands import Command, Where, bindings
from opsconsole.screens.handover_view import (
    GAP,
    LARGE,
    MORE,
    NOTE,
    SMALL,
    Handover,
    gap_words,
    handover_of,
    handover_paragraphs,
    handover_rows,
)
from opsconsole.screens.phrases import person
from opsconsole.screens.today_view import notice_paragraphs, ranked, today_head, today_paragraphs, today_rows
from opsconsole.widgets.evidence import TextPane
from opsconsole.widgets.rows import Row, RowHighlighted, Rows, RowSelected

RELOAD_EVERY = 30.0
"""Seconds after which the record is read again: due turns into overdue."""
STIRRED_WITHIN = 2.0
"""Seconds within which what others did shows; a run that is being measured is not read again for each item."""
CALM_AFTER = 5.0
"""Seconds that the cursor has to rest before rows change their places under it."""
_TALL = 40
"""Lines of a terminal from which the handover may be longer."""


class TodayScreen(ConsoleScreen):
    """The handover, then a row for each checklist; under them the one that the cursor stands on."""

    WHERE: ClassVar[Where] = Where.TODAY
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.TODAY)]
    DETAIL: ClassVar[str] = "#about"

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, Today | str] = {}
        self._actions: tuple[Action, ...] = ()
        self._handover = Handover()
        self._order: tuple[str, ...] = ()
        """The checklists as they are listed, once all were read: what needs the operator first."""
        self._moved_at = 0.0
        self._loading = False
        self._outdated = False
        self._stirred: Timer | None = None

    def commands(self) -> list[Command]:
        """Return what can be asked for: qualifications where there are any."""
        some = bool(self.console.services.qualifications)
        return [each for each in super().commands() if some or each.name != "days"]

    def compose_body(self) -> ComposeResult:
        """Yield the list, what is under the cursor, and what the operator should know."""
        yield Rows(self._rows(), id="checklists")
        yield TextPane(id="about")
        yield TextPane(id="notices")

    def on_mount(self) -> None:
        """Begin to read where everything stands."""
        services = self.console.services
        notices = notice_paragraphs(services.notices, services.problems, services.alarms)
        self.query_one("#notices", TextPane).show(notices)
        self.query_one("#notices").display = bool(notices)
        if not services.checklists:
            self.say("There is no checklist yet: `opsconsole init` writes one to begin with")
        self._show()
        self.set_interval(RELOAD_EVERY, self._load)

    def on_resize(self) -> None:
        """Show what the new size has room for."""
        self.call_after_refresh(self._show)

    def on_screen_resume(self) -> None:
        """Look again: what was done in a run shows here."""
        super().on_screen_resume()
        self._moved_at = 0.0
        self._load()

    def record_stirred(self) -> None:
        """Look again soon: somebody stored something. What is done behind another screen shows on coming back."""
        if self.is_current and self._stirred is None:
            self._stirred = self.set_timer(STIRRED_WITHIN, self._load_stirred)

    def _load_stirred(self) -> None:
        self._stirred = None
        self._load()

    # --- what the cursor stands on -----------------------------------------------------------------

    @property
    def _key(self) -> str:
        return self.query_one(Rows).cursor_key or ""

    @property
    def _chosen(self) -> Checklist | None:
        """The checklist under the cursor, or that of the line of the handover."""
        key, handover = self._key, self._handover
        checklists = self.console.services.checklists
        action, note = handover.action(key), handover.note(key)
        if action is not None:
            return checklists.get(action.run.partition("@")[0])
        if note is not None:
            return note.checklist
        return checklists.get(key.removeprefix(GAP))

    def action_reload(self) -> None:
        """Read the record again."""
        self.say("")
        self._moved_at = 0.0
        self._load()

    def action_history(self) -> None:
        """Show the past runs of the chosen checklist."""
        if self._chosen is not None:
            self.console.show_history(self._chosen)

    def action_actions(self) -> None:
        """Show everything that is to be done."""
        self.console.show_actions()

    def action_days(self) -> None:
        """Show the qualification of the chosen checklist."""
        self.console.show_qualifications(self._chosen.id if self._chosen is not None else "")

    def action_calendar(self) -> None:
        """Show how the runs of the chosen checklist went as a calendar."""
        if self._chosen is not None:
            self.console.show_calendar(self._chosen)

    @on(RowSelected, "#checklists")
    def open_chosen(self) -> None:
        """Open the run of the chosen checklist, or what a line of the handover is about."""
        key, handover = self._key, self._handover
        action, note = handover.action(key), handover.note(key)
        if action is not None:
            from opsconsole.screens import action_forms

            action_forms.choose(self, action, self._present.date(action.run))
        elif note is not None:
            self.console.read_run(note.run.run)
        elif key.startswith(MORE) and not key.endswith(GAP):
            self._show_all(key)
        elif gaps := [(each.checklist, gap) for each in handover.gaps_of(key) for gap in each.gaps]:
            self._open_gap(gaps)
        elif self._chosen is not None:
            self.console.open_run(self._chosen)

    def _show_all(self, key: str) -> None:
        from opsconsole.screens.reader import ReaderScreen

        if key == MORE + NOTE:
            parts = handover_paragraphs(self._handover, key, self._present)
            self.app.push_screen(ReaderScreen("Notes of the runs before", parts))
        else:
            self.console.show_actions()

    def _open_gap(self, gaps: Sequence[tuple[Checklist, Gap]]) -> None:
        """Open a missed period; of several, the one that is chosen."""
        from opsconsole.screens.palette import Entry, PaletteScreen

        by_run = {gap.run: (checklist, gap) for checklist, gap in gaps}

        def chosen(run: str | None) -> None:
            if run in by_run:
                checklist, gap = by_run[run]
                when = self.console.services.engine.period_named(checklist, gap.period)
                self.console.open_run(checklist, when, measure=False)

        if len(by_run) == 1:
            chosen(next(iter(by_run)))
            return
        entries = [Entry(run, f"{run}  {gap_words(gap)}") for run, (_, gap) in by_run.items()]
        self.app.push_screen(PaletteScreen("Which one", entries), chosen)

    @on(RowHighlighted, "#checklists")
    def moved(self) -> None:
        """Show everything about the row under the cursor, and let the rows stay where they are for a while."""
        self._moved_at = monotonic()
        self._show_about()

    def _show_about(self) -> None:
        key = self._key
        if key in self.console.services.checklists:
            parts = today_paragraphs(self._known.get(key))
        else:
            parts = handover_paragraphs(self._handover, key, self._present)
        if key:
            self.query_one("#about", TextPane).show(parts, document=key)

    # --- reading -----------------------------------------------------------------------------------

    def _load(self) -> None:
        self._outdated = True
        if not self._loading:
            self._loading = True
            # What is typed ahead is meant for the list as it will be.
            start = self.console.start if self._order else self.console.start_first
            start("reading the record", self._loaded)

    async def _loaded(self) -> None:
        services = self.console.services
        try:
            while self._outdated:
                self._outdated = False
                for name, checklist in services.checklists.items():
                    self._known[name] = await self._where_it_stands(checklist)
                    if self.is_current:
                        self._show()
                self._actions = await self._to_be_done()
                self._put_in_order()
                if self.is_current:
                    self._show()
        finally:
            self._loading = False

    async def _where_it_stands(self, checklist: Checklist) -> Today | str:
        try:
            return await asyncio.to_thread(today, self.console.services.engine, checklist)
        except OpsconsoleError as error:
            return str(error)

    async def _to_be_done(self) -> tuple[Action, ...]:
        """Return what is to be done, also of checklists that are gone; as it was where it cannot be read."""
        try:
            return await asyncio.to_thread(open_actions, self.console.services.engine)
        except OpsconsoleError:
            return self._actions  # the rows of the checklists say why

    def _put_in_order(self) -> None:
        """Take in the handover and what needs the operator first, unless the cursor is being moved just now."""
        first = not self._order
        services = self.console.services
        self._handover = handover_of(self._known, self._actions, services.engine.clock())
        if first or monotonic() - self._moved_at > CALM_AFTER:
            self._order = ranked(services.checklists, self._known)
        if first and self.is_attached and self._order and self._key == next(iter(services.checklists)):
            # Nobody has moved the cursor yet: it begins at what needs the operator first, under the handover.
            self._show()
            self.query_one(Rows).move_to(self._order[0])

    # --- showing -----------------------------------------------------------------------------------

    @property
    def _present(self) -> Present:
        services = self.console.services
        return present(services.engine, services.checklists)

    def _rows(self) -> list[Row]:
        services = self.console.services
        now = services.engine.clock()
        room = LARGE if self.app.size.height >= _TALL else SMALL
        rows = today_rows(services.checklists, self._known, now, width=self.app.size.width)
        by_key = {each.key: each for each in rows}
        placed = [by_key.pop(name) for name in self._order if name in by_key]
        return [*handover_rows(self._handover, self._present, room), *placed, *by_key.values()]

    def _show(self) -> None:
        services = self.console.services
        self.show_top(today_head(person(services.actor), services.engine.clock().astimezone()))
        rows, shown = self._rows(), self.query_one(Rows)
        shown.styles.height = max(1, len(rows))
        shown.set_rows(rows)
        self._show_about()
