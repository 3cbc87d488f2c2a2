"""The mornings before the demo's own, run by the same engine over its database with the clock of their days."""

import asyncio
import datetime as dt
from collections.abc import Callable

from opsconsole.engine.engine import Engine, opened
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.calendar import Period, due_date, period_of, previous, times_of
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.signoff import hurdles
from opsconsole.model.values import Number

MakeEngine = Callable[[Callable[[], dt.datetime]], Engine]

COLLEAGUE = Actor("colleague", "Demo Colleague", "demo", Via.HEADLESS)
"""Who was there on the mornings before."""
AFTER_DUE = dt.timedelta(minutes=9)
"""How late the colleague begins."""


def lived_through(engine_at: MakeEngine, checklist: Checklist, days: int) -> None:
    """Open, measure and sign the runs of the `days` due days before today, each at the time of its day.

    `engine_at` makes an engine of the colleague's with a clock.
    """
    asyncio.run(_lived_through(engine_at, checklist, days))


async def _lived_through(engine_at: MakeEngine, checklist: Checklist, days: int) -> None:
    present = engine_at(lambda: dt.datetime.now(dt.UTC))
    where = present.zone_of(checklist)
    period = period_of(present.business_date(checklist), checklist.cadence)
    periods: list[Period] = []
    while len(periods) < days:
        period = previous(period, checklist.cadence)
        if due_date(period, checklist.due, checklist.cadence) is not None:
            periods.append(period)
    for each in reversed(periods):
        clock = _Clock(times_of(checklist, each, where).due_at + AFTER_DUE)
        engine = engine_at(clock)
        async with opened(engine, checklist, each) as session:
            await engine.measure(session)
            await _done(session)
            if not hurdles(session.state):
                await sign_statement(session, statement_now(session))


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
        if session.state.items[name].outcome is Outcome.WARN:
            await session.note(name, "looked at: it was repeated, and the repetition is complete")
    for each in hurdles(session.state):
        if each.field:
            await session.fill(each.field, "none")
