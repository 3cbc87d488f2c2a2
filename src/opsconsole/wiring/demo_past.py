"""The runs before the demo's own, made by the same engine over its system with the clock of their days."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
_NEARLY_OVER = dt.timedelta(seconds=60)
"""How long before the end of an interval it counts as past."""
_A_LOOK = dt.timedelta(seconds=2)
_PACE = {Cadence.INTERVAL: dt.timedelta(milliseconds=20)}
"""How long each look at the clock takes somebody, and cron, whose runs have to end with their interval."""
_TOO_LATE = "it is measured at the moment only, and nobody can do that now"
_UNSEEN = "it looks back on runs that the demo did not make up"
_FAR_ENOUGH = {
    Cadence.INTERVAL: dt.timedelta(days=1),
    Cadence.DAILY: dt.timedelta(days=4),
    Cadence.WEEKLY: dt.timedelta(days=14),
    Cadence.MONTHLY: dt.timedelta(days=40),
    Cadence.QUARTERLY: dt.timedelta(days=120),
}
"""How far back a due period is to be looked for, at most, for each one wanted: business days leave gaps."""


@dataclass(frozen=True, slots=True)
class Life:
    """A run to be made up."""

    moment: dt.datetime
    period: Period
    past: Past


def lived_through(
    engine_at: MakeEngine, definitions: Definitions, lives: Sequence[Life], at: Callable[[dt.datetime], None]
) -> None:
    """Open, measure and, where it is asked for, sign runs before the present ones, the oldest first.

    `engine_at` makes an engine of the colleague's with a clock; `at` makes the system as it was at an instant.
    """
    if lives:
        asyncio.run(_lived_through(engine_at, definitions, lives, at))


def whole_past(engine_at: MakeEngine, definitions: Definitions, past: Sequence[Past]) -> list[Life]:
    """Return all runs before the demo's own."""
    return _in_order(life for each in past for life in _before(engine_at, definitions, each, each.runs))


def missed_since(
    engine_at: MakeEngine, definitions: Definitions, past: Sequence[Past], latest: Callable[[str], str]
) -> list[Life] | None:
    """Return the runs that were due since the last demo and must not be missing; None where they are too many.

    `latest` gives the key of the last period of a checklist that there is a run of.
    """
    found: list[Life] = []
    for each in past:
        if not each.unbroken:
            continue
        since = latest(each.checklist)
        missed = [life for life in _before(engine_at, definitions, each, each.runs + 1) if life.period.key > since]
        if len(missed) > each.runs:
            return None
        found += missed
    return _in_order(found)


def _in_order(lives: Iterable[Life]) -> list[Life]:
    return sorted(lives, key=lambda life: (life.moment, life.past.checklist))


async def _lived_through(
    engine_at: MakeEngine, definitions: Definitions, lives: Sequence[Life], at: Callable[[dt.datetime], None]
) -> None:
    for life in lives:
        checklist = definitions.checklist(life.past.checklist)
        at(life.moment)
        engine = engine_at(_Clock(life.moment, _PACE.get(checklist.cadence, _A_LOOK)))
        async with opened(engine, checklist, life.period) as session:
            left_out = dict.fromkeys(life.past.unmeasured, _TOO_LATE) | dict.fromkeys(life.past.unseen, _UNSEEN)
            for item, why in left_out.items():
                await session.skip(item, why)
            await engine.measure(session, [each.id for each in checklist.items if each.id not in left_out])
            if checklist.needs_signature:
                await _done(session)
            if checklist.needs_signature and not hurdles(session.state):
                await sign_statement(session, statement_now(session))


def _before(engine_at: MakeEngine, definitions: Definitions, past: Past, runs: int) -> list[Life]:
    """Return the last `runs` due periods before the present one, each with the instant at which it was run.

    Where none may be missing, one that is nearly over belongs to them: nobody would come to it in time.
    """
    now = dt.datetime.now(dt.UTC)
    soon = now + (_NEARLY_OVER if past.unbroken else dt.timedelta())
    engine, checklist = engine_at(lambda: soon), definitions.checklist(past.checklist)
    where, present = engine.zone_of(checklist), engine.period(checklist)
    first = present.start - _FAR_ENOUGH[checklist.cadence] * (runs + 1)
    earlier = [
        each
        for each in periods_since(checklist, first, now, where)
        if each < present and is_due(checklist, each, where)
    ]
    return [Life(_run_at(checklist, each, where), each, past) for each in earlier[-runs:]]


def _run_at(checklist: Checklist, period: Period, where: ZoneInfo) -> dt.datetime:
    if checklist.cadence is Cadence.INTERVAL:
        return slot_begins(period) + AFTER_BEGIN
    return times_of(checklist, period, where).due_at + AFTER_DUE


class _Clock:
    """A clock that goes on a bit for each look at it."""

    def __init__(self, now: dt.datetime, step: dt.timedelta) -> None:
        self._now = now
        self._step = step

    def __call__(self) -> dt.datetime:
        self._now += self._step
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
