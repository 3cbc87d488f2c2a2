"""Where a checklist stood at another moment, by what had been stored until then, and what was missed before."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from opsconsole.contracts.probe import Environment
from opsconsole.engine.engine import Engine
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.missed import refuse_never_due, refuse_unless_missed
from opsconsole.engine.overview import Today, today
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.calendar import Period, Standing
from opsconsole.model.checklists import Cadence, Checklist, Due, Field, Item, Section, SignOffPolicy
from opsconsole.model.values import Duration
from opsconsole.store.sqlite import SqliteStore
from support.runs import OPERATOR

LOOK = Item(id="look", title="Look", manual=True)
DAILY = Checklist(
    id="daily",
    title="Daily",
    due=Due(timezone="America/Chicago", days="Mon..Fri", holidays="US"),
    sections=(Section("All", (LOOK,)),),
)
HOURLY = Checklist(
    id="hourly",
    title="Hourly",
    cadence=Cadence.INTERVAL,
    due=Due(timezone="America/Chicago", every=Duration.parse("1 h")),
    sections=(Section("All", (LOOK,)),),
)


class Place:
    """An engine whose clock is set by the test."""

    def __init__(self, directory: Path) -> None:
        self.now = dt.datetime(2026, 11, 23, 15, tzinfo=dt.UTC)
        self.store = SqliteStore(directory / "records.db")
        self.engine = Engine(self.store, {}, Environment(), OPERATOR, directory / "state", clock=lambda: self.now)

    def at(self, text: str) -> "Place":
        """Set the clock to a time of America/Chicago in winter."""
        self.now = _moment(text)
        return self

    async def opened(self, checklist: Checklist, when: Period | dt.date | None = None) -> None:
        """Open a run and leave it."""
        session = await self.engine.open(checklist, when)
        await session.aclose()

    async def done(self, checklist: Checklist, note: str = "") -> None:
        """Open the present run, do what there is to do, and sign it."""
        session = await self.engine.open(checklist)
        await session.tick("look")
        if note:
            await session.note("", note)
        if checklist.needs_signature:
            await sign_statement(session, statement_now(session))
        await session.aclose()

    async def explained(self, checklist: Checklist, key: str, why: str) -> None:
        """Explain a missed run."""
        session = await self.engine.open(checklist, self.engine.period_named(checklist, key))
        await session.note("", why)
        await sign_statement(session, statement_now(session))
        await session.aclose()


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{text}-06:00").astimezone(dt.UTC)


def _gaps(view: Today) -> list[tuple[str, Standing, bool]]:
    return [(each.period, each.standing, each.unsigned) for each in view.gaps]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An engine in a directory of its own."""
    found = Place(tmp_path)
    yield found
    found.store.close()


async def test_each_moment_as_it_was_then(place: Place) -> None:
    """Yesterday's list says what yesterday knew: opened at nine, signed at ten, explained only today."""
    await place.at("2026-11-23T09:00").opened(DAILY)
    await place.at("2026-11-23T10:00").done(DAILY)
    await place.at("2026-11-25T09:00").explained(DAILY, "2026-11-24", "nobody was on duty")

    def at(text: str) -> Today:
        return today(place.engine, DAILY, _moment(text))

    assert [at(f"2026-11-23T{each}").standing for each in ("07:59", "08:00", "09:30", "10:00", "23:59")] == [
        Standing.UPCOMING,
        Standing.DUE,
        Standing.DUE,
        Standing.SIGNED,
        Standing.SIGNED,
    ]
    assert at("2026-11-23T08:30").current is None
    assert at("2026-11-23T09:30").current is not None
    assert _gaps(at("2026-11-23T08:00")) == []
    assert _gaps(at("2026-11-25T08:59")) == [("2026-11-24", Standing.MISSED, False)]
    assert _gaps(at("2026-11-25T09:01")) == [("2026-11-24", Standing.EXPLAINED, False)]
    assert at("2026-11-25T09:01").gaps[0].why == "nobody was on duty"


async def test_rest_is_no_gap(place: Place) -> None:
    """Over Thanksgiving and the weekend nothing is due or missed, and the list names the next working day."""
    await place.at("2026-11-25T09:00").done(DAILY)
    thanksgiving = today(place.engine, DAILY, _moment("2026-11-26T09:00"))
    assert (thanksgiving.standing, _gaps(thanksgiving)) == (Standing.UPCOMING, [])
    assert thanksgiving.next_due_at == _moment("2026-11-27T08:00")
    assert _gaps(today(place.engine, DAILY, _moment("2026-11-30T07:00"))) == [
        ("2026-11-27", Standing.MISSED, False)
    ]


async def test_what_was_explained_before_it_began(place: Place) -> None:
    """A day before the first run that somebody explained later hides no gap of the days in between."""
    await place.at("2026-11-23T09:00").done(DAILY)
    await place.at("2026-11-30T09:00").explained(DAILY, "2026-11-20", "still being set up")
    before = today(place.engine, DAILY, _moment("2026-11-25T09:00"))
    assert _gaps(before) == [("2026-11-24", Standing.MISSED, False)]


async def test_a_clock_that_was_put_back(place: Place) -> None:
    """What was stored first was there first, whatever a wrong clock dated it: no moment shows half of a run."""
    await place.at("2026-11-23T12:00").opened(DAILY)
    await place.at("2026-11-23T09:00").done(DAILY)
    assert today(place.engine, DAILY, _moment("2026-11-23T08:59")).current is None
    view = today(place.engine, DAILY, _moment("2026-11-23T10:00"))
    assert view.standing is Standing.SIGNED


async def test_an_interval_is_done_in_its_hour_or_not_at_all(place: Place) -> None:
    """What was only opened stays unfinished: nobody can tick it an hour later as if they had looked then."""
    await place.at("2026-11-23T09:05").done(HOURLY)
    await place.at("2026-11-23T10:05").opened(HOURLY)
    place.at("2026-11-23T11:05")
    assert _gaps(today(place.engine, HOURLY)) == [("2026-11-23T1600Z", Standing.MISSED, True)]
    session = await place.engine.open(HOURLY, place.engine.period_named(HOURLY, "2026-11-23T1600Z"))
    with pytest.raises(ActionRefused, match="cannot be filled in now"):
        await session.tick("look")
    assert await place.engine.measure(session) is False
    await session.note("", "the page was slow")
    await session.aclose()
    assert today(place.engine, HOURLY).next_due_at is None
    await place.done(HOURLY)
    assert today(place.engine, HOURLY).next_due_at == _moment("2026-11-23T12:00")


async def test_a_daily_list_that_nobody_signs(place: Place) -> None:
    """Without a signature a run is done when all of it was seen, and an edit of the file does not undo that."""
    unsigned = Checklist(
        id="daily", title="Daily", due=DAILY.due, sections=DAILY.sections, sign_off=SignOffPolicy(needed=False)
    )
    await place.at("2026-11-23T09:00").done(unsigned)
    assert today(place.engine, unsigned).standing is Standing.DONE
    edited = Checklist(
        id="daily",
        title="Daily",
        due=DAILY.due,
        sections=(Section("All", (LOOK, Item(id="more", title="More", manual=True))),),
        sign_off=SignOffPolicy(needed=False),
    )
    place.at("2026-11-24T09:00")
    await place.opened(edited, dt.date(2026, 11, 23))
    assert _gaps(today(place.engine, edited)) == []


async def test_what_was_not_missed(place: Place) -> None:
    """A weekend, a present day and a mistyped year are no runs to explain, and no run to open as missed."""
    await place.at("2026-11-23T09:00").done(DAILY)
    place.at("2026-11-25T09:00")
    for key in ("2026-11-22", "2026-11-25", "2016-11-23", "2026-11-23"):
        period = place.engine.period_named(DAILY, key)
        assert period is not None
        with pytest.raises(ActionRefused):
            refuse_unless_missed(place.engine, DAILY, period)
    for key in ("2026-11-24", "2026-11-20"):
        period = place.engine.period_named(DAILY, key)
        assert period is not None
        refuse_unless_missed(place.engine, DAILY, period)
        refuse_never_due(place.engine, DAILY, period)


@pytest.mark.parametrize(("text", "said"), [("None.", ()), ("none of the nodes answered", ("Issues",))])
async def test_an_empty_field_is_not_handed_over(place: Place, text: str, said: tuple[str, ...]) -> None:
    """The word that stands for nothing in yesterday's sheet is no news this morning."""
    checklist = msgspec.structs.replace(DAILY, fields=(Field(id="issues", title="Issues"),))
    session = await place.at("2026-11-23 09:00").engine.open(checklist)
    await session.fill("issues", text)
    await session.aclose()
    place.at("2026-11-24 09:00")
    assert tuple(label for label, _ in today(place.engine, checklist).said) == said
