"""Clocks that jump, and days that are not as long as others.

The clock is the one that the engine is given. A process cannot be run under another wall clock here: a time
namespace shifts the monotonic clock and that of the boot only (time_namespaces(7)).
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from opsconsole.contracts.probe import Environment
from opsconsole.engine.engine import Engine
from opsconsole.engine.overview import today
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.engine.verifying import Verifying
from opsconsole.model.calendar import Standing
from opsconsole.model.checklists import Checklist, Due, Item, Schedule, Section
from opsconsole.model.events import Actor, Via
from opsconsole.model.outcomes import Result
from opsconsole.model.values import Duration
from opsconsole.store.sqlite import SqliteStore
from support.faults import Tally

pytestmark = pytest.mark.faults("clock")

CHICAGO = ZoneInfo("America/Chicago")
MORNING = dt.datetime(2026, 11, 21, 8, 5, tzinfo=CHICAGO)
LOOKS = tuple(f"look-{number}" for number in range(4))


def checklist(**more: object) -> Checklist:
    """Return a daily checklist of four ticks in Chicago."""
    items = tuple(Item(id=name, title=name, manual=True) for name in LOOKS)
    due = Due(at="08:00", timezone=str(CHICAGO), grace=Duration.parse("2 h"))
    return Checklist(id="morning", title="Morning", due=due, sections=(Section("All", items),), **more)  # type: ignore[arg-type]


class Desk:
    """A host whose clock does as it is told."""

    def __init__(self, directory: Path) -> None:
        self.store = SqliteStore(directory / "records.db")
        self.now = MORNING
        self._directory = directory

    def engine(self) -> Engine:
        """Return an engine as a process that was started just now would have it."""
        actor = Actor("operator", "Day Operator", "ops01", Via.CONSOLE)
        return Engine(
            self.store, {}, Environment(), actor, self._directory, clock=lambda: self.now.astimezone(dt.UTC)
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Open a record on a host with a clock of its own."""
    found = Desk(tmp_path)
    yield found
    found.store.close()


JUMPS = {
    "an hour back": (-dt.timedelta(hours=1), "clock-step"),
    "a year back": (-dt.timedelta(days=365), "clock-step"),
    "half a minute back": (-dt.timedelta(seconds=30), ""),
    "a day ahead": (dt.timedelta(days=1), "clock-ahead"),
    "a year ahead": (dt.timedelta(days=365), "clock-ahead"),
}
"""Each with what `verify` flags once the clock is right again."""


async def _done(session: RunSession, *names: str) -> None:
    for name in names:
        await session.tick(name)


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_that_jumps_changes_no_order(desk: Desk, tally: Tally, jump: str) -> None:
    """Somebody sets the clock in the middle of a run: it stays this run, in the order in which things were done.

    It stays one also for a console that is opened on it afterwards, and can be signed; the record shows the times
    as the clock told them.
    """
    by, flag = JUMPS[jump]
    with tally.one():
        session = await desk.engine().open(checklist(), MORNING.date())
        await _done(session, *LOOKS[:2])
        desk.now += by
        await _done(session, LOOKS[2])
        desk.now += dt.timedelta(minutes=1)
        run = session.state.run
        again = await desk.engine().open(checklist(), MORNING.date())
        await _done(again, LOOKS[3])
        await sign_statement(again, statement_now(again))
        stored = desk.store.events(run)
        assert [each.seq for each in stored] == list(range(1, 7))
        assert [getattr(each.event.body, "item", "") for each in stored] == ["", *LOOKS, ""]
        times = [each.event.at for each in stored]
        assert times[3] - times[2] == by
        state = desk.engine().load(run)
        assert state is not None
        assert state.result is Result.PASS
        assert state.times.business_date == MORNING.date()
        verifying = Verifying(desk.store, None, clock=lambda: MORNING + dt.timedelta(minutes=5))
        (checked,) = verifying.runs()
        assert verifying.chain.broken is None
        assert {each.code for each in checked.findings if each.code.startswith("clock-")} == {flag} - {""}
        await session.aclose()
        await again.aclose()


@pytest.mark.parametrize(
    ("at", "date"),
    [
        # In 2026 the clocks of Chicago are put forward on 8 March at 02:00, and back on 1 November at 02:00.
        (dt.datetime(2026, 3, 8, 7, 59, tzinfo=dt.UTC), "2026-03-08"),
        (dt.datetime(2026, 3, 8, 8, 1, tzinfo=dt.UTC), "2026-03-08"),
        (dt.datetime(2026, 3, 9, 4, 59, tzinfo=dt.UTC), "2026-03-08"),
        (dt.datetime(2026, 3, 9, 5, 0, tzinfo=dt.UTC), "2026-03-09"),
        (dt.datetime(2026, 11, 1, 6, 30, tzinfo=dt.UTC), "2026-11-01"),
        (dt.datetime(2026, 11, 1, 7, 30, tzinfo=dt.UTC), "2026-11-01"),
        (dt.datetime(2026, 11, 2, 5, 59, tzinfo=dt.UTC), "2026-11-01"),
        (dt.datetime(2026, 11, 2, 6, 0, tzinfo=dt.UTC), "2026-11-02"),
        (dt.datetime(2028, 2, 29, 18, 0, tzinfo=dt.UTC), "2028-02-29"),
        (dt.datetime(2028, 3, 1, 5, 59, tzinfo=dt.UTC), "2028-02-29"),
        (dt.datetime(2027, 2, 28, 18, 0, tzinfo=dt.UTC), "2027-02-28"),
        (dt.datetime(2027, 3, 1, 6, 0, tzinfo=dt.UTC), "2027-03-01"),
    ],
    ids=str,
)
async def test_a_run_belongs_to_its_day_whatever_its_length(
    desk: Desk, tally: Tally, at: dt.datetime, date: str
) -> None:
    """On days of 23, 24 and 25 hours, and on leap day: the run that is opened is that of the date on the wall."""
    with tally.one():
        desk.now = at
        session = await desk.engine().open(checklist())
        await _done(session, *LOOKS)
        await sign_statement(session, statement_now(session))
        assert session.state.run == f"morning@{date}"
        where = today(desk.engine(), checklist())
        assert (where.run, where.standing) == (f"morning@{date}", Standing.SIGNED)
        assert where.times is not None
        due = where.times.due_at.astimezone(CHICAGO)
        assert (due.date().isoformat(), due.hour) == (date, 8)
        await session.aclose()


async def test_the_hour_that_comes_twice_is_told_apart(desk: Desk, tally: Tally) -> None:
    """01:30 CDT and 01:30 CST, an hour later: two ticks in their order, signed with the offset of the moment."""
    with tally.one():
        desk.now = dt.datetime(2026, 11, 1, 6, 30, tzinfo=dt.UTC)
        session = await desk.engine().open(checklist())
        await _done(session, *LOOKS[:2])
        desk.now += dt.timedelta(hours=1)
        await _done(session, *LOOKS[2:])
        ticked = [desk.store.events(session.state.run)[each].event.at for each in (2, 3)]
        assert [f"{each.astimezone(CHICAGO):%H:%M %Z}" for each in ticked] == ["01:30 CDT", "01:30 CST"]
        assert statement_now(session).utc_offset in {"-0600", "-06:00"}
        await session.aclose()


@pytest.mark.parametrize("schedule", [None, Schedule(at="02:00")], ids=["from midnight", "from the night's job on"])
async def test_a_run_across_midnight_stays_the_run_it_is(
    desk: Desk, tally: Tally, schedule: Schedule | None
) -> None:
    """Begun at 23:50 and signed at 00:10: one run, of the day it was begun for; the next one is another."""
    definition = checklist(schedule=schedule)
    with tally.one():
        desk.now = dt.datetime(2026, 11, 21, 23, 50, tzinfo=CHICAGO)
        session = await desk.engine().open(definition)
        await _done(session, *LOOKS[:2])
        desk.now = dt.datetime(2026, 11, 22, 0, 10, tzinfo=CHICAGO)
        await _done(session, *LOOKS[2:])
        await sign_statement(session, statement_now(session))
        assert session.state.run == "morning@2026-11-21"
        statement = desk.engine().load(session.state.run)
        assert statement is not None
        assert statement.signed is not None
        assert statement.signed.body.statement.business_date == dt.date(2026, 11, 21)
        await session.aclose()
        now = today(desk.engine(), definition)
        assert now.run == ("morning@2026-11-22" if schedule is None else "morning@2026-11-21")
