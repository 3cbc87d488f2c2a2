"""Which periods were missed, so that somebody can say why: that is all that can be done about them afterwards."""

import datetime as dt
from zoneinfo import ZoneInfo

from opsconsole.contracts.store import RunKey
from opsconsole.engine.engine import Engine
from opsconsole.engine.entering import ActionRefused
from opsconsole.model.calendar import Period, is_due, times_of
from opsconsole.model.checklists import Checklist
from opsconsole.model.runs import RunState

LONG_BEFORE = dt.timedelta(days=92)
"""Before the first run of a checklist: what is older was not missed, it is a year that was mistyped."""


def refuse_unless_missed(engine: Engine, checklist: Checklist, period: Period) -> None:
    """Raise ActionRefused, with what to do instead, unless a period was missed and nobody has signed why yet."""
    run = RunKey(checklist.id, period.key).id
    state = engine.load(run)
    if state is None:
        refuse_never_due(engine, checklist, period)
        _refuse_while_open(engine, checklist, period, run)
    elif not state.missed:
        raise _opened_in_time(engine, state)
    elif state.signed is not None:
        by = state.signed.body.statement.signer
        raise ActionRefused(f"{run} was explained by {by} already", f"`opsconsole amend {run}` adds to it")


def refuse_never_due(engine: Engine, checklist: Checklist, period: Period) -> None:
    """Raise ActionRefused for a past period that nobody can have missed, so that no slip of the pen is recorded."""
    where, run = engine.zone_of(checklist), RunKey(checklist.id, period.key).id
    if not times_of(checklist, period, where).over(engine.clock()):
        return
    if not is_due(checklist, period, where):
        raise ActionRefused(f"{run} was not missed: {checklist.id} was not due then")
    keys = engine.store.runs(checklist.id)
    first = engine.period_named(checklist, keys[-1].period) if keys else None
    if first is not None and first.start - period.end > LONG_BEFORE:
        began = f"the first run of {checklist.id} was {keys[-1].id}"
        raise ActionRefused(f"{run} was not missed: {began}, long after it")


def _refuse_while_open(engine: Engine, checklist: Checklist, period: Period, run: str) -> None:
    where, now = engine.zone_of(checklist), engine.clock()
    times = times_of(checklist, period, where)
    if times.over(now):
        return
    until = "any time" if times.ends_at is None else f"until {_told(times.ends_at, where)}"
    if now < times.begins_at:
        raise ActionRefused(f"{run} has not come yet: it can be done from {_told(times.begins_at, where)} on")
    raise ActionRefused(f"{run} is not missed: it can be done {until}", f"`opsconsole run {run}` opens it")


def _told(at: dt.datetime, where: ZoneInfo) -> str:
    return f"{at.astimezone(where):%Y-%m-%d %H:%M %Z}"


def _opened_in_time(engine: Engine, state: RunState) -> ActionRefused:
    if state.signed is not None:
        by = state.signed.body.statement.signer
        hint = f"`opsconsole amend {state.run}` adds to it"
        return ActionRefused(f"{state.run} was not missed: {by} signed it as {state.result}", hint)
    over = "only nobody has signed it" if state.times.over(engine.clock()) else "it is still to be done"
    hint = f"`opsconsole run {state.run}` takes a note and a signature, `opsconsole sign {state.run}` a signature"
    return ActionRefused(f"{state.run} was opened in time: {over}", hint)
