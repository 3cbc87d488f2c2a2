"""The runs before the demo's own, made by the same engine over its system with the clock of their days."""

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from opsconsole.demo.system import Past
from opsconsole.engine.engine import Engine, opened
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.calendar import Period, is_due, periods_since, slot_begins, times_of
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.events import Actor, Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.signoff import hurdles
from opsconsole.model.values import Number
from opsconsole.wiring.definitions import Definitions

MakeEngine = Callable[[Callable[[], dt.datetime]], Engine]

COLLEAGUE = Actor("colleague", "Demo Colleague", "demo", Via.HEADLESS)
"""Who was there on the mornings before."""
AFTER_DUE = dt.timedelta(minutes=9)
"""How late the colleague begins."""
AFTER_BEGIN = dt.timedelta(seconds=20)
"""How long after the beginning of an interval its list is run."""
_FAR_ENOUGH = {
    Cadence.INTERVAL: dt.timedelta(days=1),
    Cadence.DAILY: dt.timedelta(days=4),
    Cadence.WEEKLY: dt.timedelta(days=14),
    Cadence.MONTHLY: dt.timedelta(days=40),
    Cadence.QUARTERLY: dt.timedelta(days=120),
}
"""How far back a due period is to be looked for, at most, for each one wanted: business days leave gaps."""


def lived_through(
    engine_at: MakeEngine,
    definitions: Definitions,
    past: Sequence[Past],
    at: Callable[[dt.datetime], None],
) -> None:
    """Open, measure and, where it is asked for, sign the runs before the present ones, the oldest first.

    `engine_at` makes an engine of the colleague's with a clock; `at` makes the system as it was at an instant.
    """
    asyncio.run(_lived_through(engine_at, definitions, past, at))


async def _lived_through(
    engine_at: MakeEngine,
    definitions: Definitions,
    past: Sequence[Past],
    at: Callable[[dt.datetime], None],
) -> None:
    now = dt.datetime.now(dt.UTC)
    present = engine_at(lambda: now)
    runs = [
        (moment, period, definitions.checklist(each.checklist))
        for each in past
        for moment, period in _before(present, definitions.checklist(each.checklist), each.runs)
    ]
    for moment, period, checklist in sorted(runs, key=lambda run: (run[0], run[2].id)):
        at(moment)
        engine = engine_at(_Clock(moment))
        async with opened(engine, checklist, period) as session:
            await engine.measure(session)
            await _done(session)
            if checklist.needs_signature and not hurdles(session.state):
                await sign_statement(session, statement_now(session))


def _before(engine: Engine, checklist: Checklist, runs: int) -> list[tuple[dt.datetime, Period]]:
    """Return the last `runs` due periods before the present one, each with the instant at which it was run."""
    where, now = engine.zone_of(checklist), engine.clock()
    present = engine.period(checklist)
    first = present.start - _FAR_ENOUGH[checklist.cadence] * (runs + 1)
    earlier = [
        each
        for each in periods_since(checklist, first, now, where)
        if each < present and is_due(checklist, each, where)
    ]
    return [(_run_at(checklist, each, where), each) for each in earlier[-runs:]]


def _run_at(checklist: Checklist, period: Period, where: ZoneInfo) -> dt.datetime:
    if checklist.cadence is Cadence.INTERVAL:
        return slot_begins(period) + AFTER_BEGIN
    return times_of(checklist, period, where).due_at + AFTER_DUE


class _Clock:
    """A clock that goes on by some seconds for each look at it."""

    def __init__(self, now: dt.datetime) -> None:
        self._now = now

    def __call__(self) -> dt.datetime:
        self._now += dt.timedelta(seconds=2)
        return self._now


async def _done(session: RunSession) -> None:
    """Do by hand what is left, as somebody would who finds everything as it is measured."""
    for name, state in list(session.state.items.items()):
        latest = state.latest.get("")
        reading = latest.body.reading if latest is not None else None
        if state.item.entry is not None and reading is not None and reading.rows:
            value = reading.rows[0][0]
            if isinstance(value, Number):
                await session.enter(name, f"{value.value.normalize():f}")
        elif state.item.manual:
            await session.tick(name)
        match session.state.items[name].outcome:
            case Outcome.WARN:
                await session.note(name, "looked at: there is nothing to be done about it")
            case Outcome.ERROR | Outcome.PENDING:
                await session.skip(name, "there was nothing yet to look back on, or to enter")
    for each in hurdles(session.state):
        if each.field:
            await session.fill(each.field, "none")
