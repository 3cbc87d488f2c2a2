"""Mornings of the shipped daily list, worked through with planned readings: a past for other lists."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Source
from opsconsole.engine.engine import Engine, opened
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.qualifications import Qualification
from opsconsole.model.readings import Reading
from opsconsole.model.runs import RunState
from opsconsole.model.values import Number, Unit, Value, number, seconds
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.kinds import probe_kinds
from support.qbr import CENTRAL, shipped

ANN = Actor("ann", "Ann Archer", "ops01", Via.COMMAND)
DAILY = shipped("qbr-daily")
Planned = Callable[[dt.date], Reading | None]
"""What an item reads on a date; None where its source does not answer."""
HOST_KINDS = ("disk", "journal", "memory", "timer", "unit")


def exactly(_date: dt.date) -> int:
    """Differ by nothing."""
    return 0


def cell(value: Value) -> Reading:
    """Return a table of one cell."""
    return Reading(columns=("value",), rows=((value,),))


def measures(**values: Value) -> Reading:
    """Return a reading without a table."""
    return Reading(measures=values)


def size(value: float) -> Number:
    """Return bytes."""
    return number(round(value), Unit.BYTES)


def rows(columns: str, *found: tuple[Value, ...]) -> Reading:
    """Return a table; the names of its columns are given as words."""
    return Reading(columns=tuple(columns.split()), rows=found, label=columns.partition(" ")[0])


def database(date: dt.date, grown: float = 10_000) -> Reading:
    """Return what the item `database` reads on a date: it grows by so many bytes a day."""
    grows = (date - dt.date(2026, 9, 1)).days * grown
    found = {
        "metrics": number(25),
        "periods": number(5),
        "table_size": size(81_920),
        "database_size": size(8e6 + grows),
    }
    return Reading(columns=tuple(found), rows=(tuple(found.values()),))


def took(collector: str, duration: float) -> Reading:
    """Return how long a collector took, in seconds."""
    return rows("collector_name duration", (collector, seconds(duration)))


def _present(*names: str) -> Reading:
    return rows("metric_name value state", *((name, number(1), "present") for name in names))


GOOD: Mapping[str, Planned] = {
    "timer": lambda _: measures(enabled="enabled", active="active", next=seconds(64_800), next_at="02:00"),
    "service-journal": lambda _: measures(count=number(0)),
    "collectors": lambda _: rows("collector_name status", ("NinjaOne", "success"), ("ConnectWise", "success")),
    "collection-errors": lambda _: rows("collector_name course"),
    "duration-ninjaone": lambda date: took("NinjaOne", 5 + date.day % 3),
    "duration-connectwise": lambda date: took("ConnectWise", 12 + date.day % 4),
    "metrics-connectwise": lambda _: _present("tickets_closed", "tickets_created", "time_spent"),
    "metrics-ninjaone": lambda _: _present("endpoints_managed", "seats_managed"),
    "metrics-known": lambda _: cell(number(0)),
    "metrics-fresh": lambda _: rows("metric_name behind", ("seats_managed", seconds(0))),
    "metrics-count": lambda _: cell(number(5)),
    "tickets-agree": lambda date: cell(number(20 * date.day)),
    "endpoints-agree": lambda _: cell(number(628)),
    "time-entries": lambda _: rows("hours", (seconds(400_000),)),
    "database": database,
    "connections": lambda date: cell(number(4 + date.day % 3)),
    "disk": lambda date: measures(used=number(41 + date.day % 2, Unit.PERCENT)),
    "memory": lambda date: measures(available=size(6e9 + date.day % 5 * 1e7)),
}
"""A good morning."""


class PlannedProbe:
    """Reads what is planned for an item and the date of its run."""

    def __init__(self, plan: Mapping[str, Planned]) -> None:
        self._plan = plan

    async def measure(self, _options: object, context: Context) -> Reading:
        """Return the planned reading, or refuse as a source that is down does."""
        reading = self._plan[context.item](context.times.business_date)
        if reading is None:
            raise ProbeError("source-down", "it does not answer")
        return reading

    async def aclose(self) -> None:
        """Nothing is kept open."""


def planned_kinds(plan: Mapping[str, Planned], names: Iterable[str] = (*HOST_KINDS, "sql")) -> dict[str, ProbeKind]:
    """Return the kinds of probes with planned ones in the place of some."""
    planned = set(names)
    return {
        name: msgspec.structs.replace(kind, open=lambda _environment: PlannedProbe(plan), lane=lambda _options: "")
        if name in planned
        else kind
        for name, kind in probe_kinds().items()
    }


class Office:
    """A record in a directory of its own, and the people and clock that work on it."""

    def __init__(
        self,
        state: Path,
        *,
        checklists: Iterable[Checklist] = (),
        qualifications: Iterable[Qualification] = (),
        source: Source | None = None,
    ) -> None:
        self.state = state
        self.now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
        self.store = SqliteStore(state / "records.db")
        self._checklists = {each.id: each for each in (DAILY, *checklists)}
        self._qualifications = {each.id: each for each in qualifications}
        self._sources = {"inventory": source} if source is not None else {}

    def engine(self, kinds: Mapping[str, ProbeKind]) -> Engine:
        """Return an engine over the record."""
        return Engine(
            self.store,
            kinds,
            Environment(sources=self._sources),
            ANN,
            self.state,
            clock=lambda: self.now,
            checklists=self._checklists,
            qualifications=self._qualifications,
        )

    async def morning(
        self,
        date: dt.date,
        changes: Mapping[str, Planned] | None = None,
        tickets: Callable[[dt.date], int] = exactly,
    ) -> RunState:
        """Work through the daily list of a date and sign it.

        `tickets` is by how much those that are entered differ; what has nothing to be compared with is not entered.
        """
        self.now = dt.datetime.combine(date, dt.time(8, 5), CENTRAL).astimezone(dt.UTC)
        plan = {**GOOD, **(changes or {})}
        engine = self.engine(planned_kinds(plan))
        async with opened(engine, DAILY) as session:
            await engine.measure(session)
            for item, differs in (("tickets-agree", tickets(date)), ("endpoints-agree", 0)):
                reading = plan[item](date)
                if reading is not None:
                    value = reading.rows[0][0]
                    assert isinstance(value, Number)
                    await session.enter(item, str(value.value + differs))
            await signed(session)
            return session.state

    async def run(
        self, checklist: Checklist, now: dt.datetime, kinds: Mapping[str, ProbeKind], only: Iterable[str] = ()
    ) -> RunState:
        """Open the run of a list at an instant and measure it, or some of its items."""
        self.now = now
        engine = self.engine(kinds)
        async with opened(engine, checklist) as session:
            await engine.measure(session, list(only))
            return session.state


async def signed(session: RunSession) -> None:
    """Sign a run as it is: what could not be seen is skipped, what is not green noted, and fields say `none`."""
    for name, item in session.state.items.items():
        if item.outcome in {Outcome.ERROR, Outcome.BLOCKED, Outcome.PENDING}:
            await session.skip(name, "it could not be seen")
        elif item.outcome is not Outcome.PASS:
            await session.note(name, "seen")
    for field in session.state.definition.fields:
        await session.fill(field.id, "none")
    await sign_statement(session, statement_now(session))


def mornings(
    office: Office,
    days: Iterable[dt.date],
    plan: Mapping[str, Planned] | None = None,
    tickets: Callable[[dt.date], int] = exactly,
) -> None:
    """Work through many mornings."""

    async def each() -> None:
        for date in days:
            await office.morning(date, plan, tickets)

    asyncio.run(each())


def dates(first: dt.date, last: dt.date) -> list[dt.date]:
    """Return all dates from one to another, both included."""
    return [first + dt.timedelta(days=step) for step in range((last - first).days + 1)]
