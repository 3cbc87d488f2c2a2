"""Today: what is due, how far it is, and how it went the last time."""

import asyncio
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer

from opsconsole.engine.overview import Today, today
from opsconsole.model.checklists import Checklist
from opsconsole.model.errors import OpsconsoleError
from opsconsole.screens.base import ConsoleScreen
from opsconsole.screens.commands import Where, bindings
from opsconsole.screens.phrases import person
from opsconsole.screens.today_view import notice_paragraphs, today_head, today_paragraphs, today_rows
from opsconsole.widgets.evidence import TextPane
from opsconsole.widgets.rows import RowHighlighted, Rows, RowSelected

RELOAD_EVERY = 30.0
"""Seconds after which the record is read again: due turns into overdue."""
STIRRED_WITHIN = 2.0
"""Seconds within which what others did shows; a run that is being measured is not read again for each item."""


class TodayScreen(ConsoleScreen):
    """One row for each checklist; under them the one that the cursor stands on."""

    WHERE: ClassVar[Where] = Where.TODAY
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.TODAY)]

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, Today | str] = {}
        self._loading = False
        self._outdated = False
        self._stirred: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """Yield the list, what is under the cursor, and what the operator should know."""
        services = self.console.services
        now = services.engine.clock()
        yield Rows(today_rows(services.checklists, self._known, now), id="checklists")
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
        self.query_one("#checklists").styles.height = max(1, len(services.checklists))
        self._show()
        self.set_interval(RELOAD_EVERY, self._load)

    def on_resize(self) -> None:
        """Show what the new width has room for."""
        self.call_after_refresh(self._show)

    def on_screen_resume(self) -> None:
        """Look again: what was done in a run shows here."""
        self._load()

    def record_stirred(self) -> None:
        """Look again soon: somebody stored something. What is done behind another screen shows on coming back."""
        if self.is_current and self._stirred is None:
            self._stirred = self.set_timer(STIRRED_WITHIN, self._load_stirred)

    def _load_stirred(self) -> None:
        self._stirred = None
        self._load()

    @property
    def _chosen(self) -> Checklist | None:
        key = self.query_one(Rows).cursor_key
        return self.console.services.checklists.get(key) if key else None

    def action_reload(self) -> None:
        """Read the record again."""
        self.say("")
        self._load()

    def action_history(self) -> None:
        """Show the past runs of the chosen checklist."""
        if self._chosen is not None:
            self.console.show_history(self._chosen)

    @on(RowSelected, "#checklists")
    def open_chosen(self) -> None:
        """Open the run of the chosen checklist."""
        if self._chosen is not None:
            self.console.open_run(self._chosen)

    @on(RowHighlighted, "#checklists")
    def show_about(self) -> None:
        """Show everything about the checklist under the cursor."""
        key = self.query_one(Rows).cursor_key
        if key is not None:
            self.query_one("#about", TextPane).show(today_paragraphs(self._known.get(key)), document=key)

    def _load(self) -> None:
        self._outdated = True
        if not self._loading:
            self._loading = True
            self.console.start("reading the record", self._loaded)

    async def _loaded(self) -> None:
        try:
            while self._outdated:
                self._outdated = False
                for name, checklist in self.console.services.checklists.items():
                    self._known[name] = await self._where_it_stands(checklist)
                    if self.is_current:
                        self._show()
        finally:
            self._loading = False

    async def _where_it_stands(self, checklist: Checklist) -> Today | str:
        try:
            return await asyncio.to_thread(today, self.console.services.engine, checklist)
        except OpsconsoleError as error:
            return str(error)

    def _show(self) -> None:
        services = self.console.services
        now = services.engine.clock()
        self.show_top(today_head(person(services.actor), now.astimezone()))
        rows = today_rows(services.checklists, self._known, now, wide=self.has_class("-wide"))
        self.query_one(Rows).set_rows(rows)
        self.show_about()
