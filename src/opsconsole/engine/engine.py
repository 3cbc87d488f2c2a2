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
from opsconsole.engine.identity import local_zone
from opsconsole.engine.locking import PassLock
from opsconsole.engine.measuring import MeasuringOptions, Pass, longest_pass, unmeasured
from opsconsole.engine.recorder import NotKept
from opsconsole.engine.session import RunSession, utc_now
from opsconsole.engine.spill import Spill
from opsconsole.model.calendar import business_date, due_dates_before, period_of, times_of, zone
from opsconsole.model.checklists import Checklist
from opsconsole.model.encoding import definition_hash
from opsconsole.model.events import Actor, Body, Event, Opened, Redefined, Stored, Waived
from opsconsole.model.qualifications import DayOfMonitoring, day_of_monitoring, seen_in_time
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
    ) -> None:
        self.store = store
        self.actor = actor
        self.clock = clock
        self._kinds = kinds
        self._environment = environment
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

    def key_of(self, checklist: Checklist, date: dt.date | None = None) -> RunKey:
        """Return the name of the run for `date`, the present business date where none is given."""
        day = date or self.business_date(checklist)
        return RunKey(checklist.id, period_of(day, checklist.cadence).key)

    # --- runs --------------------------------------------------------------------------------------

    async def open(self, checklist: Checklist, date: dt.date | None = None) -> RunSession:
        """Open the run of `date`, or resume it; a signed one is opened to be read.

        An edit of the checklist since the run was opened is recorded; waivers that have not expired are carried
        over from the run before. What an earlier process could not save is saved first. Raises ActionRefused for a
        day that has not come.
        """
        key = self.key_of(checklist, date)
        today = self.business_date(checklist)
        stored = await asyncio.to_thread(self.store.events, key.id)
        if not stored:
            day = self._opening_day(checklist, date, today)
            bodies = await asyncio.to_thread(self._opening, checklist, key, day)
            with suppress(AlreadyOpen):
                await asyncio.to_thread(self.store.append, [self._event(key, each) for each in bodies], after=0)
            stored = await asyncio.to_thread(self.store.events, key.id)
        session = await self._resumed(key.id, stored, today)
        current = definition_hash(checklist)
        if session.state.signed is None and session.state.definition_hash != current:
            await session.record(Redefined(definition=checklist, definition_hash=current))
        return session

    async def resume(self, run: str) -> RunSession:
        """Work on a run that there is, by the definition it follows: its checklist may be gone or another by now.

        What an earlier process could not save is saved first. Raises ActionRefused where nobody has opened the run.
        """
        stored = await asyncio.to_thread(self.store.events, run)
        if not stored:
            raise ActionRefused(f"there is no record of {run}", "`opsconsole history` lists the runs there are")
        return await self._resumed(run, stored, None)

    async def _resumed(self, run: str, stored: Sequence[Stored], today: dt.date | None) -> RunSession:
        spill = Spill(self._unsaved, run)
        redact = partial(redacted, known=self._options.secrets)
        session = RunSession(self.store, stored, self.actor, spill, self.clock, today=today, redact=redact)
        with suppress(NotKept):  # it is among the session's notices
            await session.retry_unsaved()
        return session

    def _opening_day(self, checklist: Checklist, date: dt.date | None, today: dt.date) -> dt.date:
        """Return the business date of a new run: of a period that has begun, and no later than today."""
        if date is None:
            return today
        if period_of(date, checklist.cadence).start > today:
            raise ActionRefused(f"{date} has not come yet: the business date of {checklist.id} is {today}")
        return min(date, today)

    def _event(self, key: RunKey, body: Body) -> Event:
        return Event(id=str(uuid.uuid4()), run=key.id, at=self.clock(), actor=self.actor, body=body)

    def _opening(self, checklist: Checklist, key: RunKey, day: dt.date) -> list[Body]:
        times = times_of(checklist, day, self.zone_of(checklist))
        opened = Opened(
            times=times,
            definition=checklist,
            definition_hash=definition_hash(checklist),
            version=VERSION,
        )
        return [opened, *self._carried_waivers(checklist, key, day)]

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
        one that is signed meanwhile no more.
        """
        if session.state.signed is not None:
            return False
        lock = PassLock(self._locks / f"{session.state.run}.lock", longest_pass(session.state))
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
        """Return which day of its qualification a run is, None where the checklist has none."""
        wanted = state.definition.qualification
        if wanted is None:
            return None

        def passed(date: dt.date) -> bool:
            key = RunKey(state.definition.id, period_of(date, state.definition.cadence).key)
            before = fold(self.store.events(key.id))
            return before is not None and before.passed and seen_in_time(before)

        due, cadence = state.definition.due, state.definition.cadence
        earlier = due_dates_before(state.times.period, cadence, due)
        return day_of_monitoring(passed, earlier, wanted.days)


@asynccontextmanager
async def opened(engine: Engine, checklist: Checklist, date: dt.date | None = None) -> AsyncIterator[RunSession]:
    """Open or resume a run for the length of a `with` block."""
    session = await engine.open(checklist, date)
    try:
        yield session
    finally:
        await session.aclose()
