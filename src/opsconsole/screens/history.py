"""The past runs of a checklist; each can be opened to be read."""

import asyncio
from typing import ClassVar
from zoneinfo import ZoneInfo

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.contracts.store import RunKey
from opsconsole.engine.overview import RunSummary, summaries
from opsconsole.model.calendar import Period, period_at
from opsconsole.model.checklists import Checklist
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.outcomes import Result
from opsconsole.screens.base import ConsoleScreen
from opsconsole.screens.commands import Where, bindings
from opsconsole.screens.history_view import GAP, history_head, history_row, history_rows, missing_between
from opsconsole.widgets.rows import RowHighlighted, Rows, RowSelected

AHEAD = 30
"""Runs around the cursor that are read before they are looked at."""
FIRST = 300
"""Runs that are listed at once; where there are more, the whole list follows, which may take a second."""


class HistoryScreen(ConsoleScreen):
    """One row for each run. What became of it is read as the cursor comes near: there may be thousands."""

    WHERE: ClassVar[Where] = Where.HISTORY
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.HISTORY)]

    def __init__(self, checklist: Checklist) -> None:
        super().__init__()
        self._checklist = checklist
        self._keys: list[RunKey] = []
        self._index_of: dict[str, int] = {}
        self._known: dict[str, RunSummary] = {}
        self._reading = False
        self._opened = ""
        """The key of the row that was opened last."""

    def compose_body(self) -> ComposeResult:
        """Yield the list."""
        yield Rows(id="runs")

    def on_mount(self) -> None:
        """Begin to read which runs there are."""
        self.show_top(history_head(self._checklist.title, 0))
        self.action_reload()

    @property
    def _zone(self) -> ZoneInfo:
        return self.console.services.engine.zone_of(self._checklist)

    @property
    def _present(self) -> Period:
        return period_at(self._checklist, self.console.services.engine.clock(), self._zone)

    def on_screen_resume(self) -> None:
        """Look again at what was opened from here: it may have been explained or signed."""
        super().on_screen_resume()
        if self._opened.startswith(GAP):
            self.action_reload()
        elif self._opened:
            self._known.pop(self._opened, None)
            self.read_near_cursor()

    def action_reload(self) -> None:
        """Look again which runs there are."""
        self.say("")
        self._known = {}
        self.console.start("reading the history", self._listed)

    async def _listed(self) -> None:
        store = self.console.services.engine.store
        try:
            latest = await asyncio.to_thread(store.runs, self._checklist.id, limit=FIRST)
            await self._list(latest, whole=len(latest) < FIRST)
            await self._read_near()
            if len(latest) >= FIRST:
                await self._list(await asyncio.to_thread(store.runs, self._checklist.id), whole=True)
        except OpsconsoleError as error:
            self.say_error(error)
            return
        if not self._keys and self.is_attached:
            self.say("nobody has opened this checklist yet")

    async def _list(self, keys: list[RunKey], *, whole: bool) -> None:
        """Show these runs, with what is known of them, and how many they are where they are all there are."""
        known = dict(self._known)
        present = self._present
        rows = await asyncio.to_thread(history_rows, keys, known, self._checklist, self._zone, present)
        index_of = {key.id: index for index, key in enumerate(keys)}
        if not self.is_attached:
            return
        first = not self._keys
        self._keys, self._index_of = keys, index_of
        self.show_top(history_head(self._checklist.title, len(keys) if whole else None))
        shown = self.query_one(Rows)
        shown.set_rows(rows)
        if first and keys:
            shown.move_to(keys[0].id)  # the runs that are missing since stand above it
        for name in self._known.keys() - known.keys():
            shown.update_row(history_row(keys[index_of[name]], self._known[name]))

    def action_calendar(self) -> None:
        """Show how the runs went as a calendar."""
        self.console.show_calendar(self._checklist)

    @on(RowHighlighted, "#runs")
    def read_near_cursor(self) -> None:
        """Read what became of the runs around the cursor."""
        if not self._reading and self._wanted():
            self.console.start("reading the history", self._read_near)

    def _wanted(self) -> list[RunKey]:
        at = self._index_of.get((self.query_one(Rows).cursor_key or "").removeprefix(GAP), 0)
        near = self._keys[max(0, at - AHEAD) : at + AHEAD]
        return [key for key in near if key.id not in self._known]

    async def _read_near(self) -> None:
        self._reading = True
        try:
            while self.is_attached and (wanted := self._wanted()):
                await self._read(wanted)
        except OpsconsoleError as error:
            self.say_error(error)
        finally:
            self._reading = False

    async def _read(self, wanted: list[RunKey]) -> None:
        engine = self.console.services.engine
        found = await asyncio.to_thread(summaries, engine, wanted)
        by_run = {each.run: each for each in found}
        self._known.update(by_run)
        missing = [key for key in wanted if key.id not in by_run]
        if missing:
            raise OpsconsoleError(f"{missing[0].id} has no events")
        if self.is_attached:
            rows = self.query_one(Rows)
            for key in wanted:
                rows.update_row(history_row(key, by_run[key.id]))

    @on(RowSelected, "#runs")
    def open_chosen(self, event: RowSelected) -> None:
        """Read the chosen run, or open one that is missing: to say why nobody did it."""
        self._opened = event.key
        summary = self._known.get(event.key)
        if event.key.startswith(GAP):
            self._open_missing(event.key.removeprefix(GAP))
        elif summary is not None and summary.result is Result.MISSED and summary.signed_at is None:
            self._open_missed(summary.period)
        else:
            self.console.read_run(event.key)

    def _open_missing(self, before: str) -> None:
        """Open one of the runs that are missing after `before`; of several, the one that is chosen."""
        index = self._index_of[before]
        later = self._keys[index - 1] if index else RunKey(self._checklist.id, self._present.key)
        missing = missing_between(self._keys[index], later, self._checklist, self._zone)

        if len(missing) == 1:
            self._open_missed(missing[0])
            return
        from opsconsole.screens.palette import Entry, PaletteScreen

        entries = [Entry(each, RunKey(self._checklist.id, each).id) for each in missing]
        self.app.push_screen(PaletteScreen("Which one was missed", entries), self._open_missed)

    def _open_missed(self, period: str | None) -> None:
        """Open a run that was missed, so that somebody can say why."""
        when = self.console.services.engine.period_named(self._checklist, period or "")
        if when is not None:
            self.console.open_run(self._checklist, when, measure=False)
