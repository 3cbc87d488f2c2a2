"""The runs that the console works on. They belong to the application: screens come and go, and only watch."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.engine.changes import Change, Changed, Progress
from opsconsole.engine.engine import Engine
from opsconsole.engine.foreseen import unmeasured
from opsconsole.engine.session import RunSession
from opsconsole.model.actions import Action
from opsconsole.model.calendar import Period
from opsconsole.model.checklists import Checklist
from opsconsole.model.qualifications import DayOfMonitoring
from opsconsole.model.runs import RunState
from opsconsole.screens.news import news_of


class LiveRun:
    """One open run: its session, and what is being measured of it now."""

    def __init__(self, engine: Engine, session: RunSession, monitoring: DayOfMonitoring | None = None) -> None:
        self.session = session
        self.monitoring = monitoring
        self.measuring: set[str] = set()
        """Ids of the items that are being measured now."""
        self.in_order = asyncio.Lock()
        """Held by each deed of the operator: they take effect in the order of the keys."""
        self.news = ""
        """What others did the last time that anybody else did anything about it."""
        self.carried: tuple[Action, ...] = ()
        """What earlier runs of the checklist left to be done, as far as it was read."""
        self.news_told = 0
        """How often there was news: the same may happen again."""
        self._engine = engine
        self._passes = 0
        self._done = self._total = 0
        self._waiting = False
        self._watchers: list[Callable[[], None]] = []
        session.subscribe(self._heard)

    @property
    def state(self) -> RunState:
        """What the run's events tell so far."""
        return self.session.state

    @property
    def is_measuring(self) -> bool:
        """Whether a pass is under way in this process."""
        return self._passes > 0

    @property
    def is_watched(self) -> bool:
        """Whether a screen shows it."""
        return bool(self._watchers)

    @property
    def progress(self) -> str:
        """How far the measuring is, in words; empty where nothing is measured."""
        if not self._passes:
            return ""
        if self._waiting:
            return "another process measures this run; waiting for it"
        return f"measuring: {self._done} of {self._total} done" if self._total else "measuring"

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` in the event loop for every change; returns what ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    async def measure(self, only: Collection[str] = ()) -> None:
        """Measure all items, or those in `only`; see Engine.measure."""
        self._passes += 1
        self._tell()
        try:
            await self._engine.measure(self.session, only, waiting=self._wait)
        finally:
            self._passes -= 1
            self._waiting = False
            if not self._passes:
                self._done = self._total = 0
                self.measuring.clear()
            self._tell()

    def unmeasured(self) -> tuple[str, ...]:
        """Return the ids of items that are measured and have not been in this run; of one that is over, none."""
        if self.state.missed or self.state.times.over(self.session.clock()):
            return ()
        return unmeasured(self.state)

    def _wait(self) -> None:
        self._waiting = True
        self._tell()

    def _heard(self, change: Change) -> None:
        if isinstance(change, Progress):
            (self.measuring.add if change.measuring else self.measuring.discard)(change.item)
            self._done, self._total = change.done, change.total
            self._waiting = False
        if isinstance(change, Changed):
            news = news_of(change.others, self.state)
            if news:
                self.news, self.news_told = news, self.news_told + 1
        self._tell()

    def _tell(self) -> None:
        for watcher in tuple(self._watchers):
            watcher()


class LiveRuns:
    """All open runs of this process, by the run's name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._runs: dict[str, LiveRun] = {}
        self._resumed: dict[str, LiveRun] = {}
        """Runs of which only the action items are worked on, by the definition they follow."""
        self._opening = asyncio.Lock()

    async def open(self, checklist: Checklist, when: Period | None = None) -> LiveRun:
        """Open or resume a run, once in this process. Raises StoreError where the store cannot do it."""
        async with self._opening:
            name = (await asyncio.to_thread(self._engine.key_of, checklist, when)).id
            if name not in self._runs:
                session = await self._engine.open(checklist, when)
                monitoring = await asyncio.to_thread(self._engine.day_of_monitoring, session.state)
                self._runs[name] = LiveRun(self._engine, session, monitoring)
            return self._runs[name]

    async def resume(self, run: str) -> LiveRun:
        """Work on a run that there is without opening it anew: on what is to be done about it, signed or not.

        Raises ActionRefused where nobody has opened it, StoreError where the store cannot be read.
        """
        async with self._opening:
            known = self._runs.get(run) or self._resumed.get(run)
            if known is None:
                known = self._resumed[run] = LiveRun(self._engine, await self._engine.resume(run))
            elif not known.is_watched:
                with suppress(StoreUnavailable):  # what is done now is kept, and saved as soon as it can be
                    await known.session.refresh()
            return known

    @property
    def all(self) -> tuple[LiveRun, ...]:
        """The open runs, in the order they were opened, then those that are only resumed."""
        return (*self._runs.values(), *self._resumed.values())

    @property
    def unsaved(self) -> int:
        """How many events of all runs could not be saved so far."""
        return sum(each.session.unsaved for each in self.all)

    async def hasten(self) -> None:
        """Keep what is being written out of harm's way: the console is about to end."""
        await asyncio.gather(*(each.session.hasten() for each in self.all))

    async def aclose(self) -> None:
        """Finish what is being written."""
        await asyncio.gather(*(each.session.aclose() for each in self.all))
