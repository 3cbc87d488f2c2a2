"""Opens and resumes runs and measures them: the one core behind the console and headless."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.contracts.probe import Environment, ProbeKind
from opsconsole.contracts.store import AlreadyOpen, AlreadySigned, RunKey, Store
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.foreseen import longest_pass, unmeasured
from opsconsole.engine.identity import local_zone
from opsconsole.engine.locking import SUFFIX, PassLock
from opsconsole.engine.measuring import MeasuringOptions, Pass
from opsconsole.engine.past import StoreHistory
from opsconsole.engine.qualifying import Qualifying
from opsconsole.engine.recorder import NotKept
from opsconsole.engine.session import RunSession, utc_now
from opsconsole.engine.spill import Spill
from opsconsole.model.calendar import (
    Period,
    business_date,
    period_at,
    period_named,
    period_of,
    slot_begins,
    times_of,
    zone,
)
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.encoding import definition_hash
from opsconsole.model.events import Actor, Body, Event, Opened, Redefined, Stored, Waived
from opsconsole.model.qualifications import DayOfMonitoring, Qualification
from opsconsole.model.redaction import redacted
from opsconsole.model.runs import RunState, fold
from opsconsole.model.version import VERSION


class Engine:
    """Everything that happens to runs happens through it; it knows no front end.

    `state_directory` holds locks and what could not be saved; the store is wherever it was opened.
    """

    def __init__(
        self,
        store: Store,
        kinds: Mapping[str, ProbeKind],
        environment: Environment,
        actor: Actor,
        state_directory: Path,
        *,
        options: MeasuringOptions | None = None,
        clock: Callable[[], dt.datetime] = utc_now,
        spill_directories: Collection[Path] = (),
        checklists: Mapping[str, Checklist] | None = None,
        qualifications: Mapping[str, Qualification] | None = None,
        history: StoreHistory | None = None,
    ) -> None:
        """`checklists` are those that there are: the calendars of the past, and what `qualifications` count.

        `history` is that of the store, unless another record's is to be looked at.
        """
        self.store = store
        self.actor = actor
        self.clock = clock
        self._kinds = kinds
        self.history = history or StoreHistory(store, checklists or {}, self.zone_of)
        self.qualifying = Qualifying(self, qualifications or {}, checklists or {})
        self._environment = msgspec.structs.replace(environment, history=self.history)
        self._options = options or MeasuringOptions()
        self._locks = state_directory / "locks"
        self._unsaved = (state_directory / "unsaved", *spill_directories)

    # --- dates -------------------------------------------------------------------------------------

    def zone_of(self, checklist: Checklist) -> ZoneInfo:
        """Return the zone that a checklist lives in."""
        name = checklist.due.timezone
        return zone(local_zone() if name == "local" else name)

    def business_date(self, checklist: Checklist) -> dt.date:
        """Return the business date of a checklist now."""
        return business_date(checklist, self.clock(), self.zone_of(checklist))

    def period(self, checklist: Checklist, when: dt.date | Period | None = None) -> Period:
        """Return the period that a date lies in, the present one where none is given.

        Raises ActionRefused for an interval, of which a day has many, and for a list that comes after a
        qualification which has not been reached.
        """
        if isinstance(when, Period):
            return when
        if checklist.cadence is Cadence.ONCE and checklist.due.after:
            return period_of(self._qualified(checklist)[1], Cadence.ONCE)
        if when is None or checklist.cadence is Cadence.ONCE:
            return period_at(checklist, self.clock(), self.zone_of(checklist))
        if checklist.cadence is Cadence.INTERVAL:
            raise ActionRefused(
                f"{checklist.id} runs every {checklist.due.every}: a date alone names none of its runs",
                f"name one by the instant at which it begins: {checklist.id}@{when}T0800Z",
            )
        return period_of(when, checklist.cadence)

    def period_named(self, checklist: Checklist, key: str) -> Period | None:
        """Return the period of a checklist that is called `key`, None where it has none of that name."""
        return period_named(key, checklist, self.zone_of(checklist))

    def _qualified(self, checklist: Checklist) -> tuple[dt.date, dt.date]:
        """Return the days that a list looks back over which comes after a qualification."""
        name = checklist.due.after
        reached = self.qualifying.reached(name)
        if reached is None:
            state = self.qualifying.state(name)
            passed = f"{state.current.passed} of {state.definition.days} days have passed"
            raise ActionRefused(f"{checklist.id} opens when {name} has been reached: {passed}")
        return reached

    def key_of(self, checklist: Checklist, when: dt.date | Period | None = None) -> RunKey:
        """Return the name of the run of a date or period, the present one without; raises as `period` does."""
        return RunKey(checklist.id, self.period(checklist, when).key)

    # --- runs --------------------------------------------------------------------------------------

    async def open(self, checklist: Checklist, when: dt.date | Period | None = None) -> RunSession:
        """Open the run of a date or period, the present one without, or resume it; a signed one to be read.

        An edit of the checklist since the run was opened is recorded; waivers that have not expired are carried
        over from the run before. What an earlier process could not save is saved first. Where nobody opened the run
        before its period was over, it is opened as missed: nothing is measured, and what can be signed is why.
        Raises ActionRefused for a period that has not come.
        """
        period = await asyncio.to_thread(self.period, checklist, when)
        key = RunKey(checklist.id, period.key)
        stored = await asyncio.to_thread(self.store.events, key.id)
        if not stored:
            bodies = await asyncio.to_thread(self._opening, checklist, key, period)
            with suppress(AlreadyOpen):
                await asyncio.to_thread(self.store.append, [self._event(key, each) for each in bodies], after=0)
            stored = await asyncio.to_thread(self.store.events, key.id)
        session = await self._resumed(key.id, stored)
        current = definition_hash(checklist)
        state = session.state
        settled = state.signed is not None or state.missed or state.lapsed(self.clock())
        if not settled and state.definition_hash != current:
            await session.record(Redefined(definition=checklist, definition_hash=current))
        return session

    async def resume(self, run: str) -> RunSession:
        """Work on a run that there is, by the definition it follows: its checklist may be gone or another by now.

        What an earlier process could not save is saved first. Raises ActionRefused where nobody has opened the run.
        """
        stored = await asyncio.to_thread(self.store.events, run)
        if not stored:
            raise ActionRefused(f"there is no record of {run}", "`opsconsole history` lists the runs there are")
        return await self._resumed(run, stored)

    async def _resumed(self, run: str, stored: Sequence[Stored]) -> RunSession:
        spill = Spill(self._unsaved, run)
        redact = partial(redacted, known=self._options.secrets)
        session = RunSession(self.store, stored, self.actor, spill, self.clock, redact=redact, history=self.history)
        with suppress(NotKept):  # it is among the session's notices
            await session.retry_unsaved()
        return session

    def _event(self, key: RunKey, body: Body) -> Event:
        return Event(id=str(uuid.uuid4()), run=key.id, at=self.clock(), actor=self.actor, body=body)

    def _opening(self, checklist: Checklist, key: RunKey, period: Period) -> list[Body]:
        today, where = self.business_date(checklist), self.zone_of(checklist)
        if (period.start > today and checklist.cadence is not Cadence.ONCE) or (
            checklist.cadence is Cadence.INTERVAL and slot_begins(period) > self.clock()
        ):
            raise ActionRefused(f"{key.id} has not come yet: the business date of {checklist.id} is {today}")
        looked_at = self._qualified(checklist) if checklist.due.after else None
        day = _opening_day(checklist, period, today)
        times = times_of(checklist, period, where, day, looked_at)
        opened = Opened(
            times=times,
            definition=checklist,
            definition_hash=definition_hash(checklist),
            version=VERSION,
            missed=times.over(self.clock()),
            qualified=looked_at,
        )
        return [opened] if opened.missed else [opened, *self._carried_waivers(checklist, key, day)]

    def _carried_waivers(self, checklist: Checklist, key: RunKey, day: dt.date) -> list[Waived]:
        earlier = [run for run in self.store.runs(checklist.id, limit=50) if run.period < key.period]
        before = fold(self.store.events(earlier[0].id)) if earlier else None
        if before is None:
            return []
        known = {item.id for item in checklist.items}
        return [
            msgspec.structs.replace(
                state.waiver.body, author=state.waiver.author, origin=state.waiver.body.origin or before.run
            )
            for name, state in before.items.items()
            if name in known and state.waiver is not None and state.waiver.body.expires >= day
        ]

    async def measure(
        self,
        session: RunSession,
        only: Collection[str] = (),
        *,
        waiting: Callable[[], None] = lambda: None,
        given_up: Callable[[], None] = lambda: None,
    ) -> bool:
        """Measure a run's items; return whether this call did it.

        Where another process on this host is measuring the same run, `waiting` is called, and its pass is waited
        for and taken over instead of measuring everything twice; what it left out is measured. One that takes
        longer than a pass can is no longer waited for, which `given_up` tells. A signed run is never measured, and
        one that is signed meanwhile no more; nor is one that nobody opened or signs, once its period is over.
        """
        if session.state.signed is not None or session.state.missed or session.state.lapsed(self.clock()):
            return False
        lock = PassLock(self._locks / f"{session.state.run}{SUFFIX}", longest_pass(session.state))
        async with lock.held(waiting, given_up) as joined:
            await session.refresh()
            if joined and not only:
                only = unmeasured(session.state)
                if not only:
                    return False
            if session.state.signed is not None:
                return False
            whole = not only
            lock.begin()
            try:
                await Pass(session, self._kinds, self._environment, self._options).run(only)
            except AlreadySigned:
                await session.refresh()
                return False
            if whole:
                lock.complete()
        return True

    def load(self, run: str) -> RunState | None:
        """Return the state of any run, without opening or changing it."""
        return fold(self.store.events(run))

    def day_of_monitoring(self, state: RunState) -> DayOfMonitoring | None:
        """Return which day of its qualification a run is, None where none counts it."""
        return self.qualifying.monitoring(state)


def _opening_day(checklist: Checklist, period: Period, today: dt.date) -> dt.date:
    """Return the business date of a new run: within its period, and no later than today."""
    if checklist.cadence is Cadence.ONCE:
        return max(period.start, today)
    return max(period.start, min(today, period.end))


@asynccontextmanager
async def opened(
    engine: Engine, checklist: Checklist, when: dt.date | Period | None = None
) -> AsyncIterator[RunSession]:
    """Open or resume a run for the length of a `with` block."""
    session = await engine.open(checklist, when)
    try:
        yield session
    finally:
        await session.aclose()
