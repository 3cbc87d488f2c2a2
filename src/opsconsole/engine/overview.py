"""What is due, and how the last runs went: the engine's answer to the Today and History screens and to `list`."""

import datetime as dt
from collections.abc import Iterable

import msgspec

from opsconsole.contracts.store import RunKey
from opsconsole.engine.engine import Engine
from opsconsole.model.calendar import Standing, Times, period_of, standing, times_of
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Meaning
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.qualifications import DayOfMonitoring
from opsconsole.model.runs import RunState, SignOff, fold
from opsconsole.model.tiers import Tier


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


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """Where one checklist stands now."""

    checklist: Checklist
    run: str
    times: Times
    standing: Standing
    current: RunSummary | None
    """The run of the present period, None where nobody has opened it."""
    last: RunSummary | None
    """The run before."""
    gap: bool
    """Whether the period before has no signed run although the checklist was in use by then."""
    monitoring: DayOfMonitoring | None = None


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
    )


def summaries(engine: Engine, keys: Iterable[RunKey]) -> list[RunSummary]:
    """Return each of the runs in one line, in the order given."""
    states = (fold(engine.store.events(key.id)) for key in keys)
    return [summary_of(state) for state in states if state is not None]


def today(engine: Engine, checklist: Checklist) -> Today:
    """Return where `checklist` stands now. Reads the store; call it from a thread where a screen waits."""
    date = engine.business_date(checklist)
    times = times_of(checklist, date, engine.zone_of(checklist))
    key = RunKey(checklist.id, times.period.key)
    state = fold(engine.store.events(key.id))
    earlier = [run for run in engine.store.runs(checklist.id, limit=3) if run.period < key.period]
    last = next(iter(summaries(engine, earlier[:1])), None)
    before = period_of(times.period.start - dt.timedelta(days=1), checklist.cadence)
    return Today(
        checklist=checklist,
        run=key.id,
        times=times,
        standing=standing(times, engine.clock(), signed=state is not None and state.signed is not None),
        current=summary_of(state) if state is not None else None,
        last=last,
        gap=last is not None and (last.period != before.key or last.signed_at is None),
        monitoring=engine.day_of_monitoring(state) if state is not None else None,
    )
