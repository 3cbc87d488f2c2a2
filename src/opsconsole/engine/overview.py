"""What is due, and how the last runs went: the engine's answer to the Today and History screens and to `list`."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.contracts.store import RunKey
from opsconsole.engine.engine import Engine
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.identity import local_zone
from opsconsole.model.actions import Action
from opsconsole.model.calendar import (
    Period,
    Standing,
    Times,
    is_due,
    period_at,
    period_of,
    standing,
    times_of,
    zone,
)
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.counting import QualificationState
from opsconsole.model.dueperiods import due_after, periods_before
from opsconsole.model.events import Meaning
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.qualifications import DayOfMonitoring
from opsconsole.model.runs import RunState, SignOff, fold, fold_until
from opsconsole.model.signoff import is_seen
from opsconsole.model.tiers import Tier

LOOKED_BACK = 31
"""Due periods before the present one in which gaps are looked for; the history shows those before."""
SLOTS_LOOKED_BACK = 288
"""The same for intervals: a day of five minutes."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in one line."""

    run: str
    title: str
    business_date: dt.date
    period: str
    result: Result
    counts: dict[Outcome, int]
    signed_by: str = ""
    signed_at: dt.datetime | None = None
    tier: Tier | None = None
    """Of the sign-off."""
    signed_result: Result | None = None
    """What the sign-off said; `result` is what the amendments after it came to."""
    amendments: int = 0
    """How many there are."""
    reviewed_by: str = ""
    """Who has reviewed it as it is now."""
    last_at: dt.datetime | None = None
    seen: bool = False
    """Whether every item has an outcome, so that only the signature is missing."""
    why: str = ""
    """Of a missed run, what was written about that."""
    needs_signature: bool = True
    """Whether it is done only when somebody has signed it; a missed one always waits for that."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A due period that is over and was not signed as done."""

    run: str
    """Its name, also where nobody opened it."""
    period: str
    due_at: dt.datetime
    standing: Standing
    """`missed` or `explained`."""
    unsigned: bool = False
    """It was opened in time, and only nobody signed it: that can still be done."""
    why: str = ""
    """The explanation, which counts once it was signed."""


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """Where one checklist stands at one moment."""

    checklist: Checklist
    run: str
    """The name of the present period's run; empty where the checklist waits for a qualification."""
    times: Times | None
    """Of the present period, None where there is none yet."""
    standing: Standing
    current: RunSummary | None
    """The run of the present period, None where nobody has opened it."""
    last: RunSummary | None
    """The run before."""
    gaps: tuple[Gap, ...] = ()
    """Due periods that were missed since the first run, the latest first; those long ago are left out."""
    next_due_at: dt.datetime | None = None
    """When it is due next, where it is not in the present period, or where that is done."""
    waits_for: str = ""
    """What has to happen before it opens."""
    monitoring: DayOfMonitoring | None = None
    qualifications: tuple[QualificationState, ...] = ()
    """How far those are that count its runs; nothing of it was verified for this."""
    said: tuple[tuple[str, str], ...] = ()
    """What was written in the run before, to be read first: the item or field it is about, and the text."""
    actions: tuple[Action, ...] = ()
    """The action items that its runs raised and that are open, those due first."""

    @property
    def waiting(self) -> bool:
        """Whether everything was seen, and only a signature is missing."""
        return (
            self.current is not None
            and self.current.seen
            and self.current.signed_at is None
            and self.checklist.needs_signature
        )


def review_of(state: RunState) -> SignOff | None:
    """Return the latest review of a run as it is now: one that an amendment followed has seen another."""
    latest: SignOff | None = None
    for each in state.signatures:
        match each.body.statement.meaning:
            case Meaning.REVIEWED:
                latest = each
            case Meaning.AMENDED:
                latest = None
    return latest


def why_missed(state: RunState) -> str:
    """Return what was written about a missed run; empty for every other one."""
    return "; ".join(each.text for each in state.notes) if state.missed else ""


def summary_of(state: RunState) -> RunSummary:
    """Return a run in one line."""
    signed, reviewed = state.signed, review_of(state)
    return RunSummary(
        run=state.run,
        title=state.definition.title,
        business_date=state.times.business_date,
        period=state.times.period.key,
        result=state.result,
        counts=state.counts,
        signed_by=signed.body.statement.signer if signed else "",
        signed_at=signed.by.at if signed else None,
        tier=signed.body.signature.tier if signed else None,
        signed_result=signed.body.statement.result if signed else None,
        amendments=len(state.amendments),
        reviewed_by=reviewed.body.statement.signer if reviewed else "",
        last_at=state.last_at,
        seen=is_seen(state),
        why=why_missed(state),
        needs_signature=state.missed or state.definition.needs_signature,
    )


def summaries(engine: Engine, keys: Iterable[RunKey]) -> list[RunSummary]:
    """Return each of the runs in one line, in the order given."""
    states = (fold(engine.store.events(key.id)) for key in keys)
    return [summary_of(state) for state in states if state is not None]


def today(engine: Engine, checklist: Checklist, at: dt.datetime | None = None) -> Today:
    """Return where `checklist` stands now, or at another instant by what was stored until then.

    Reads the store; call it from a thread where a screen waits.
    """
    return _Moment(engine, checklist, at).today()


class _Moment:
    """One checklist at one instant."""

    def __init__(self, engine: Engine, checklist: Checklist, at: dt.datetime | None) -> None:
        self._engine = engine
        self._checklist = checklist
        self._at = at
        self._now = at or engine.clock()
        self._where = engine.zone_of(checklist)

    def today(self) -> Today:
        checklist = self._checklist
        keys = self._engine.store.runs(checklist.id)
        try:
            period, qualified = self._present()
        except ActionRefused as error:
            last = self._state(keys[0]) if keys else None
            return Today(
                checklist=checklist,
                run="",
                times=None,
                standing=Standing.UPCOMING,
                current=None,
                last=summary_of(last) if last is not None else None,
                waits_for=str(error),
            )
        key = RunKey(checklist.id, period.key)
        state = self._state(key)
        times = state.times if state is not None else times_of(checklist, period, self._where, None, qualified)
        earlier = (self._state(each) for each in keys if each.period < key.period)
        before = next((each for each in earlier if each is not None), None)
        stands = self._standing(times, state)
        counted = self._counted()
        due = is_due(checklist, period, self._where)
        over = not due or stands in {Standing.SIGNED, Standing.DONE, Standing.EXPLAINED}
        return Today(
            checklist=checklist,
            run=key.id,
            times=times,
            standing=stands if due or state is not None else Standing.UPCOMING,
            current=summary_of(state) if state is not None else None,
            last=summary_of(before) if before is not None else None,
            gaps=tuple(self._gaps(keys, period)),
            next_due_at=self._next_due_at(period) if over else None,
            monitoring=next((each for one in counted if (each := one.monitoring(key.id))), None),
            qualifications=counted,
            said=tuple(_said(before)) if before is not None else (),
            actions=open_actions(self._engine, checklist.id, self._at),
        )

    def _present(self) -> tuple[Period, tuple[dt.date, dt.date] | None]:
        after = self._checklist.due.after
        if after:
            state = self._engine.qualifying.state(after, self._at)
            attempt = state.current
            if attempt.first is None or attempt.reached is None:
                passed = f"{attempt.passed} of {state.definition.days} days have passed"
                raise ActionRefused(f"opens when {after} has been reached: {passed}")
            return period_of(attempt.reached, Cadence.ONCE), (attempt.first, attempt.reached)
        return period_at(self._checklist, self._now, self._where), None

    def _state(self, key: RunKey) -> RunState | None:
        if self._at is None:
            return self._engine.history.state(key.id)
        return fold_until(self._engine.store.events(key.id), self._at)

    def _standing(self, times: Times, state: RunState | None) -> Standing:
        return standing(
            times,
            self._now,
            signed=state is not None and state.signed is not None,
            explained=state is not None and state.signed is not None and state.missed,
            done=state is not None and not self._checklist.needs_signature and is_seen(state),
        )

    def _gaps(self, keys: list[RunKey], present: Period) -> Iterator[Gap]:
        """Yield what was missed, the latest first, from the first run on and not from before."""
        if not keys or self._checklist.cadence is Cadence.ONCE:
            return
        # The run of the earliest period may not have been opened yet at that moment: it was explained later.
        first = next((each for each in map(self._state, reversed(keys)) if each is not None), None)
        if first is None:
            return
        earliest = first.times.period
        periods = periods_before(self._checklist, present, earliest.start, self._where)
        most = SLOTS_LOOKED_BACK if self._checklist.cadence is Cadence.INTERVAL else LOOKED_BACK
        passed = (each for each in periods if each.key >= earliest.key)
        for period in islice(passed, most):
            gap = self._gap(period)
            if gap is not None:
                yield gap

    def _gap(self, period: Period) -> Gap | None:
        key = RunKey(self._checklist.id, period.key)
        state = self._state(key)
        times = state.times if state is not None else times_of(self._checklist, period, self._where)
        stands = self._standing(times, state)
        if stands not in {Standing.MISSED, Standing.EXPLAINED}:
            return None
        return Gap(
            run=key.id,
            period=period.key,
            due_at=times.due_at,
            standing=stands,
            unsigned=state is not None and not state.missed,
            why=why_missed(state) if state is not None else "",
        )

    def _next_due_at(self, period: Period) -> dt.datetime | None:
        after = due_after(self._checklist, period, self._where)
        return None if after is None else times_of(self._checklist, after, self._where).due_at

    def _counted(self) -> tuple[QualificationState, ...]:
        counting = self._engine.qualifying.of_checklist(self._checklist.id)
        return tuple(self._engine.qualifying.state(each.id, self._at) for each in counting)


_NOTHING = "none"
"""What a person writes into a field that waits for something: it is an answer, and nothing to hand over."""


def _said(state: RunState) -> Iterator[tuple[str, str]]:
    """Yield what a person wrote in a run: its fields and notes, and the notes of its items."""
    titles = {each.id: each.title for each in state.definition.fields}
    for name, note in state.fields.items():
        if note.text.strip(" .").casefold() != _NOTHING:
            yield titles.get(name, name), note.text
    for note in state.notes:
        yield "", note.text
    for item in state.items.values():
        for note in item.notes:
            yield item.item.title, note.text


def open_actions(engine: Engine, checklist: str = "", at: dt.datetime | None = None) -> tuple[Action, ...]:
    """Return the action items that are open, of one checklist if named: those due first, then the oldest."""
    return tuple(each for each in all_actions(engine, checklist, at) if each.is_open)


def all_actions(engine: Engine, checklist: str = "", at: dt.datetime | None = None) -> tuple[Action, ...]:
    """Return every action item there has been, open or not, in the same order."""
    found: list[Action] = []
    for key in engine.store.runs(checklist, with_actions=True):
        state = engine.history.state(key.id) if at is None else fold_until(engine.store.events(key.id), at)
        found += state.actions.values() if state is not None else ()
    return tuple(sorted(found, key=lambda each: (each.due or dt.date.max, each.at)))


def carried_actions(engine: Engine, state: RunState) -> tuple[Action, ...]:
    """Return what earlier runs of the checklist left to be done, while the run is still to be worked on."""
    if state.signed is not None and state.times.over(engine.clock()):
        return ()
    present = state.times.period.key
    still = open_actions(engine, state.definition.id)
    return tuple(each for each in still if RunKey.parse(each.run).period < present)


def action_named(engine: Engine, name: str) -> Action:
    """Return the action item called `qbr-daily@2026-11-21#1`; raises ActionRefused where there is none."""
    run, mark, number = name.strip().rpartition("#")
    state = engine.history.state(run) if mark and run else None
    if state is None or number not in state.actions:
        raise ActionRefused(f"there is no action item '{name}'", "`opsconsole actions --all` lists them")
    return state.actions[number]


class Present(msgspec.Struct, frozen=True):
    """The present moment as it is where the checklist of each run lives."""

    now: dt.datetime
    zones: Mapping[str, ZoneInfo]
    """By the id of the checklist."""
    here: ZoneInfo
    """Of this host, for runs of a checklist that is gone."""

    def where(self, run: str) -> ZoneInfo:
        """Return the zone that a run lives in."""
        return self.zones.get(run.partition("@")[0], self.here)

    def date(self, run: str) -> dt.date:
        """Return the date there now: what was due before it is late."""
        return self.now.astimezone(self.where(run)).date()


def present(engine: Engine, checklists: Mapping[str, Checklist]) -> Present:
    """Return the present moment for the runs of these checklists, and of those that are gone."""
    zones = {name: engine.zone_of(each) for name, each in checklists.items()}
    return Present(engine.clock(), zones, zone(local_zone()))
