"""The past runs of a checklist; each can be opened to be read."""

import asyncio
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.contracts.store import RunKey
from opsconsole.engine.overview import RunSummary, summaries
from opsconsole.model.checklists import Checklist
from opsconsole.model.errors import OpsconsoleError
from opsconsole.screens.base import ConsoleScreen
from opsconsole.screens.commands import Where, bindings
from opsconsole.screens.history_view import history_head, history_row, history_rows
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

    def compose_body(self) -> ComposeResult:
        """Yield the list."""
        yield Rows(id="runs")

    def on_mount(self) -> None:
        """Begin to read which runs there are."""
        self.show_top(history_head(self._checklist.title, 0))
        self.action_reload()

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
        rows = await asyncio.to_thread(history_rows, keys, known, self._checklist)
        index_of = {key.id: index for index, key in enumerate(keys)}
        if not self.is_attached:
            return
        self._keys, self._index_of = keys, index_of
        self.show_top(history_head(self._checklist.title, len(keys) if whole else None))
        shown = self.query_one(Rows)
        shown.set_rows(rows)
        for name in self._known.keys() - known.keys():
            shown.update_row(history_row(keys[index_of[name]], self._known[name]))

    @on(RowHighlighted, "#runs")
    def read_near_cursor(self) -> None:
        """Read what became of the runs around the cursor."""
        if not self._reading and self._wanted():
            self.console.start("reading the history", self._read_near)

    def _wanted(self) -> list[RunKey]:
        at = self._index_of.get(self.query_one(Rows).cursor_key or "", 0)
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
        """Read the chosen run."""
        self.console.read_run(event.key)
