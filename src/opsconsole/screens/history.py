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
            self._keys = await asyncio.to_thread(store.runs, self._checklist.id)
        except OpsconsoleError as error:
            self.say_error(error)
            return
        rows = await asyncio.to_thread(history_rows, self._keys, {}, self._checklist)
        self._index_of = {key.id: index for index, key in enumerate(self._keys)}
        if not self.is_attached:
            return
        self.show_top(history_head(self._checklist.title, len(self._keys)))
        self.query_one(Rows).set_rows(rows)
        if not self._keys:
            self.say("nobody has opened this checklist yet")
        await self._read_near()

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
