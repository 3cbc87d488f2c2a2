"""Business dates, periods and due times: their properties, and the nights and days on which they are not plain."""

import datetime as dt
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.calendar import (
    Period,
    Standing,
    Times,
    business_date,
    dates_of,
    due_date,
    following,
    instant,
    is_due,
    period_at,
    period_named,
    period_of,
    periods_since,
    previous,
    slots_of,
    standing,
    time_of_day,
    times_of,
    zone,
)
from opsconsole.model.checklists import Cadence, Checklist, Covers, Due, LooksBack, Schedule
from opsconsole.model.duedays import due_days
from opsconsole.model.dueperiods import due_after, periods_before
from opsconsole.model.holidays import CalendarError
from opsconsole.model.values import Duration

CHICAGO = ZoneInfo("America/Chicago")
QBR = Checklist(
    id="qbr-daily",
    title="QBR",
    due=Due(at="08:00", timezone="America/Chicago", grace=Duration.parse("2 h")),
    schedule=Schedule(at="02:00", covers=Covers.PREVIOUS_DAY),
)
ZONES = (
    "UTC",
    "America/Chicago",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour
    "America/Sao_Paulo",  # at midnight, until 2019
    "America/Havana",  # back from 01:00 to midnight
    "America/St_Johns",  # back over midnight from 00:01, until 2011
    "Pacific/Apia",  # no 2011-12-30
    "Pacific/Kiritimati",  # no 1994-12-31
)
BY_DATE = (Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY, Cadence.QUARTERLY)
FOLLOWING_EACH_OTHER = (*BY_DATE, Cadence.INTERVAL)

dates = st.dates(dt.date(1990, 1, 1), dt.date(2100, 12, 31))
zones = st.sampled_from(ZONES).map(ZoneInfo)


@st.composite
def moments(draw: st.DrawFn, where: ZoneInfo) -> dt.datetime:
    """Return an instant; every other one within two days of a change of the clocks that is known of the zone."""
    about = draw(st.sampled_from(_changes(where.key)) if draw(st.booleans()) else dates)
    off = dt.timedelta(seconds=draw(st.integers(-2 * 86400, 2 * 86400)))
    return dt.datetime.combine(about, dt.time(), dt.UTC) + off


def _changes(name: str) -> tuple[dt.date, ...]:
    """Return dates on which the clocks of a zone are changed, or that it left out."""
    known = {
        "America/Chicago": ("2026-03-08", "2026-11-01"),
        "Europe/Berlin": ("2026-03-29", "2026-10-25"),
        "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
        "America/Sao_Paulo": ("2018-11-04", "2019-02-17"),
        "America/Havana": ("2026-03-08", "2026-11-01"),
        "America/St_Johns": ("2010-03-14", "2010-11-07"),
        "Pacific/Apia": ("2011-12-30", "2011-12-31"),
        "Pacific/Kiritimati": ("1994-12-31", "1995-01-01"),
    }.get(name, ("2028-02-29", "2026-12-31"))
    return tuple(map(dt.date.fromisoformat, known))


every = st.sampled_from(["5 min", "15 min", "1 h", "6 h"]).map(Duration.parse)
schedules = st.none() | st.sampled_from(["00:00", "02:00", "02:30", "22:00"]).map(lambda at: Schedule(at=at))
due_day_sets = st.sampled_from(["Mon..Sun", "Mon..Fri", "Mon", "Sun", "Mon#1", "Fri#5", "1,15", "31"])
regions = st.sampled_from(["", "US-TX", "DE-BY"])


@st.composite
def checklists(draw: st.DrawFn, cadences: tuple[Cadence, ...] = FOLLOWING_EACH_OTHER) -> Checklist:
    """Return a checklist of any cadence, schedule and due days."""
    cadence = draw(st.sampled_from(cadences))
    due = Due(
        at=draw(st.sampled_from(["00:00", "02:30", "08:00", "23:59"])),
        days=draw(due_day_sets),
        grace=Duration.parse(draw(st.sampled_from(["0 min", "2 h", "3 d"]))),
        holidays=draw(regions),
        every=draw(every) if cadence is Cadence.INTERVAL else None,
    )
    looks_back = draw(st.sampled_from(list(LooksBack)))
    return Checklist(id="x", title="X", cadence=cadence, due=due, schedule=draw(schedules), looks_back=looks_back)


# --- periods ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "cadence", "key", "start", "end"),
    [
        ("2026-11-21", Cadence.DAILY, "2026-11-21", "2026-11-21", "2026-11-21"),
        ("2026-11-21", Cadence.ONCE, "2026-11-21", "2026-11-21", "2026-11-21"),
        ("2026-11-21", Cadence.WEEKLY, "2026-W47", "2026-11-16", "2026-11-22"),
        ("2026-12-31", Cadence.WEEKLY, "2026-W53", "2026-12-28", "2027-01-03"),
        ("2027-01-01", Cadence.WEEKLY, "2026-W53", "2026-12-28", "2027-01-03"),
        ("2027-01-04", Cadence.WEEKLY, "2027-W01", "2027-01-04", "2027-01-10"),
        ("2024-12-30", Cadence.WEEKLY, "2025-W01", "2024-12-30", "2025-01-05"),
        ("2023-01-01", Cadence.WEEKLY, "2022-W52", "2022-12-26", "2023-01-01"),
        ("2028-02-29", Cadence.DAILY, "2028-02-29", "2028-02-29", "2028-02-29"),
        ("2028-02-29", Cadence.WEEKLY, "2028-W09", "2028-02-28", "2028-03-05"),
        ("2028-02-29", Cadence.MONTHLY, "2028-02", "2028-02-01", "2028-02-29"),
        ("2100-02-28", Cadence.MONTHLY, "2100-02", "2100-02-01", "2100-02-28"),
        ("2028-02-29", Cadence.QUARTERLY, "2028-Q1", "2028-01-01", "2028-03-31"),
        ("2026-12-31", Cadence.QUARTERLY, "2026-Q4", "2026-10-01", "2026-12-31"),
        ("2027-01-01", Cadence.QUARTERLY, "2027-Q1", "2027-01-01", "2027-03-31"),
    ],
)
def test_periods(date: str, cadence: Cadence, key: str, start: str, end: str) -> None:
    """A date lies in the week, month and quarter that everybody else would put it into."""
    period = period_of(dt.date.fromisoformat(date), cadence)
    assert (period.key, period.start.isoformat(), period.end.isoformat()) == (key, start, end)


@given(dates, st.sampled_from(BY_DATE))
def test_periods_tile_the_calendar(date: dt.date, cadence: Cadence) -> None:
    """Every date lies in one period; periods follow each other without gap or overlap, ordered by their names."""
    period = period_of(date, cadence)
    assert period.start <= date <= period.end
    assert all(period_of(each, cadence) == period for each in dates_of(period))
    after = following(period, cadence)
    assert after.start == period.end + dt.timedelta(days=1)
    assert previous(after, cadence) == period
    assert period.key < after.key


@given(st.data(), zones, checklists())
def test_periods_tile_time(data: st.DataObject, where: ZoneInfo, checklist: Checklist) -> None:
    """Each instant lies in exactly one period, whatever the clocks do; the next begins where one ends."""
    now = data.draw(moments(where))
    period = period_at(checklist, now, where)
    times = times_of(checklist, period, where)
    assert times.ends_at is not None
    assert times.begins_at <= now < times.ends_at
    assert not times.over(now)
    assert times.over(times.ends_at)
    after = period_at(checklist, times.ends_at, where)
    assert times_of(checklist, after, where).begins_at == times.ends_at
    assert period.key < after.key
    just_before = period_at(checklist, times.begins_at - dt.timedelta.resolution, where)
    assert times_of(checklist, just_before, where).ends_at == times.begins_at
    assert just_before.key < period.key


@given(st.data(), zones, checklists())
def test_a_period_is_found_by_its_name(data: st.DataObject, where: ZoneInfo, checklist: Checklist) -> None:
    """The name of a run always leads back to its period."""
    period = period_at(checklist, data.draw(moments(where)), where)
    assert period_named(period.key, checklist, where) == period


@given(st.data(), zones, checklists())
def test_it_is_due_within_its_period(data: st.DataObject, where: ZoneInfo, checklist: Checklist) -> None:
    """Nothing is due before it begins or overdue only when it is over, and it goes through its states in order."""
    times = times_of(checklist, period_at(checklist, data.draw(moments(where)), where), where)
    assert times.ends_at is not None
    assert times.begins_at <= times.due_at <= times.overdue_at <= times.ends_at
    order = [Standing.UPCOMING, Standing.DUE, Standing.OVERDUE, Standing.MISSED]
    steps = st.integers(-90_000, 90_000).map(lambda seconds: times.due_at + dt.timedelta(seconds=seconds))
    instants = sorted([data.draw(steps), data.draw(steps), times.due_at, times.overdue_at, times.ends_at])
    found = [order.index(standing(times, each, signed=False)) for each in instants]
    assert found == sorted(found)
    assert order[found[-1]] is Standing.MISSED or instants[-1] < times.ends_at


@given(st.data(), zones, checklists())
def test_forwards_and_backwards_are_the_same(data: st.DataObject, where: ZoneInfo, checklist: Checklist) -> None:
    """What was due since a date is the same in both directions, and the next due one is the one that follows."""
    now = data.draw(moments(where))
    first = business_date(checklist, now, where) - dt.timedelta(days=data.draw(st.integers(0, 9)))
    present = period_at(checklist, now, where)
    forwards = list(periods_since(checklist, first, now, where))
    backwards = list(periods_before(checklist, present, first, where))
    assert [each for each in forwards if each != present] == backwards[::-1]
    assert (present in forwards) is is_due(checklist, present, where)
    for one, two in islice(pairwise(forwards), 20):
        assert one.key < two.key
        assert due_after(checklist, one, where) == two


@pytest.mark.parametrize("key", ["2026-13-01", "2026-W60", "2026-W53Z", "2026-Q5", "x", "", "2026-02-30", "../etc"])
@pytest.mark.parametrize("cadence", list(Cadence))
def test_no_period_of_that_name(key: str, cadence: Cadence) -> None:
    """What names no period is told apart from one."""
    assert period_named(key, _of(cadence), CHICAGO) is None


@pytest.mark.parametrize(
    ("key", "cadence"),
    [
        ("0001-01-01", Cadence.DAILY),
        ("9999-12-31", Cadence.DAILY),
        ("9999-W52", Cadence.WEEKLY),
        ("0001-W01", Cadence.WEEKLY),
        ("2027-W53", Cadence.WEEKLY),
        ("9999-12", Cadence.MONTHLY),
        ("0000-Q1", Cadence.QUARTERLY),
        ("9999-Q4", Cadence.QUARTERLY),
        ("2026-1-1", Cadence.DAILY),
        ("20261121", Cadence.DAILY),
        ("2026-W47-1", Cadence.DAILY),
        ("2026-11-21T1410Z", Cadence.INTERVAL),  # between two
        ("2026-11-21T2460Z", Cadence.INTERVAL),
        ("9999-12-31T2345Z", Cadence.INTERVAL),
        ("2026-11-21T14:15Z", Cadence.INTERVAL),
    ],
)
def test_no_period_of_that_name_either(key: str, cadence: Cadence) -> None:
    """Dates that no checklist can have, and names written in another way, are refused and never a crash."""
    for name in ZONES:
        assert period_named(key, _of(cadence), ZoneInfo(name)) is None


def _of(cadence: Cadence, **due: str) -> Checklist:
    interval = Duration.parse("15 min") if cadence is Cadence.INTERVAL else None
    return Checklist(id="x", title="X", cadence=cadence, due=Due(every=interval, **due))  # type: ignore[arg-type]


# --- the clocks -------------------------------------------------------------------------------------


@given(dates, st.times(), zones)
def test_an_instant_is_the_wall_clock_or_the_change(date: dt.date, at: dt.time, where: ZoneInfo) -> None:
    """A wall-clock time that exists is met exactly; one that the spring change skips is met after it."""
    at = at.replace(second=0, microsecond=0)
    shown = instant(date, at, where).astimezone(where)
    off = shown.replace(tzinfo=None) - dt.datetime.combine(date, at)
    assert dt.timedelta(0) <= off <= dt.timedelta(hours=24)


@pytest.mark.parametrize(
    ("date", "utc"),
    [
        ("2026-03-07", "2026-03-07T08:00:00+00:00"),
        ("2026-03-08", "2026-03-08T08:00:00+00:00"),  # 02:00 does not exist: 03:00 CDT
        ("2026-03-09", "2026-03-09T07:00:00+00:00"),
        ("2026-10-31", "2026-10-31T07:00:00+00:00"),
        ("2026-11-01", "2026-11-01T08:00:00+00:00"),
        ("2026-11-02", "2026-11-02T08:00:00+00:00"),
    ],
)
def test_the_collection_on_the_nights_of_the_change(date: str, utc: str) -> None:
    """02:00 US Central is known in UTC on every night of the year."""
    scheduled = _times(QBR, date).scheduled
    assert scheduled is not None
    assert scheduled.isoformat() == utc


def _times(checklist: Checklist, date: str, where: ZoneInfo = CHICAGO) -> Times:
    return times_of(checklist, period_of(dt.date.fromisoformat(date), checklist.cadence), where)


@pytest.mark.parametrize(
    ("name", "date", "begins", "hours"),
    [
        ("America/Chicago", "2026-03-08", "2026-03-08T06:00", 23.0),
        ("America/Chicago", "2026-11-01", "2026-11-01T05:00", 25.0),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", 23.0),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", 25.0),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30", 23.5),
        ("Asia/Kolkata", "2026-03-29", "2026-03-28T18:30", 24.0),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00", 23.0),  # begins at 01:00
        ("America/Sao_Paulo", "2019-02-16", "2019-02-16T02:00", 25.0),  # 23:00 comes twice
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00", 24.0),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00", 0.0),  # there was no such day
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00", 24.0),
    ],
)
def test_how_long_days_are(name: str, date: str, begins: str, hours: float) -> None:
    """A day begins with its first instant and has 23 or 25 hours where the clocks say so, also at midnight."""
    times = _times(_of(Cadence.DAILY), date, ZoneInfo(name))
    assert times.ends_at is not None
    assert times.begins_at.isoformat() == f"{begins}:00+00:00"
    assert (times.ends_at - times.begins_at) / dt.timedelta(hours=1) == hours


def test_a_day_that_never_was_is_not_due() -> None:
    """Nobody is told that they missed the day that Samoa left out."""
    apia, daily = ZoneInfo("Pacific/Apia"), _of(Cadence.DAILY)
    now = dt.datetime(2012, 1, 1, 12, tzinfo=apia)
    found = [each.key for each in periods_since(daily, dt.date(2011, 12, 28), now, apia)]
    assert found == ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]
    assert due_after(daily, period_of(dt.date(2011, 12, 29), Cadence.DAILY), apia) == period_of(
        dt.date(2011, 12, 31), Cadence.DAILY
    )


@pytest.mark.parametrize(
    ("name", "date", "every", "count", "last"),
    [
        ("America/Chicago", "2026-11-21", "5 min", 288, "2026-11-22T0555Z"),
        ("America/Chicago", "2026-03-08", "1 h", 23, "2026-03-09T0400Z"),
        ("America/Chicago", "2026-11-01", "1 h", 25, "2026-11-02T0500Z"),
        ("America/Chicago", "2026-11-01", "15 min", 100, "2026-11-02T0545Z"),
        ("America/Chicago", "2026-03-08", "6 h", 4, "2026-03-09T0000Z"),  # the last has five hours
        ("America/Chicago", "2026-11-01", "6 h", 5, "2026-11-02T0500Z"),  # the last has one
        ("Australia/Lord_Howe", "2026-04-05", "1 h", 25, "2026-04-05T1300Z"),  # the last has half of one
        ("Asia/Kolkata", "2028-02-29", "15 min", 96, "2028-02-29T1815Z"),
        ("America/Sao_Paulo", "2018-11-04", "1 h", 23, "2018-11-05T0100Z"),
        ("Pacific/Apia", "2011-12-30", "1 h", 0, ""),
    ],
)
def test_intervals_of_a_day(name: str, date: str, every: str, count: int, last: str) -> None:
    """Each interval of a long day has a name of its own, and a short day has fewer; the next day begins anew."""
    day, length, where = dt.date.fromisoformat(date), Duration.parse(every).timedelta(), ZoneInfo(name)
    keys = [each.key for each in slots_of(day, length, where)]
    assert (len(keys), keys[-1] if keys else "") == (count, last)
    assert sorted(set(keys)) == keys


def test_an_interval_looks_back_over_the_one_before() -> None:
    """At 00:00 after a day of 25 hours the six-hourly list looks at its last hour, not at six."""
    due = Due(every=Duration.parse("6 h"), timezone="America/Chicago")
    checklist = Checklist(id="x", title="X", cadence=Cadence.INTERVAL, due=due)
    slot = period_named("2026-11-02T0600Z", checklist, CHICAGO)
    assert slot is not None
    window = times_of(checklist, slot, CHICAGO).window
    assert (window.begins_at.hour, window.ends_at.hour, window.start, window.end) == (
        5,
        6,
        dt.date(2026, 11, 1),
        dt.date(2026, 11, 1),
    )
    own = Checklist(id="x", title="X", cadence=Cadence.INTERVAL, due=due, looks_back=LooksBack.SAME)
    assert times_of(own, slot, CHICAGO).window.begins_at == times_of(own, slot, CHICAGO).begins_at


@given(st.data(), zones, checklists(BY_DATE))
def test_windows_tile_time(data: st.DataObject, where: ZoneInfo, checklist: Checklist) -> None:
    """What one run looks back over ends where that of the next begins: nothing is looked at twice or never."""
    period = period_at(checklist, data.draw(moments(where)), where)
    window = times_of(checklist, period, where).window
    after = times_of(checklist, following(period, checklist.cadence), where).window
    assert window.ends_at == after.begins_at
    assert window.begins_at <= window.ends_at
    assert after.start == window.end + dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("cadence", "looks_back", "start", "end"),
    [
        (Cadence.WEEKLY, LooksBack.PREVIOUS, "2026-12-21", "2026-12-27"),
        (Cadence.WEEKLY, LooksBack.SAME, "2026-12-28", "2027-01-03"),
        (Cadence.MONTHLY, LooksBack.PREVIOUS, "2026-12-01", "2026-12-31"),
        (Cadence.QUARTERLY, LooksBack.PREVIOUS, "2026-10-01", "2026-12-31"),
        (Cadence.QUARTERLY, LooksBack.SAME, "2027-01-01", "2027-03-31"),
    ],
)
def test_what_a_run_looks_back_over(cadence: Cadence, looks_back: LooksBack, start: str, end: str) -> None:
    """On New Year's Day the weekly list looks at the week before, the monthly at December, the quarterly at Q4."""
    checklist = Checklist(id="x", title="X", cadence=cadence, looks_back=looks_back)
    window = _times(checklist, "2027-01-01").window
    assert (window.start.isoformat(), window.end.isoformat()) == (start, end)


# --- business dates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "month"),
    [("2026-12-01", "2026-11"), ("2026-12-02", "2026-12"), ("2027-01-01", "2026-12"), ("2028-03-01", "2028-02")],
)
def test_on_the_first_the_month_is_still_the_one_before(date: str, month: str) -> None:
    """The collection at 02:00 on the first completes the month that has just ended."""
    assert _times(QBR, date).month == month


@pytest.mark.parametrize(
    ("now", "date"),
    [
        ("2026-11-21T14:00:00+00:00", "2026-11-21"),  # 08:00 Central
        ("2026-11-21T08:00:00+00:00", "2026-11-21"),  # 02:00, the collection starts
        ("2026-11-21T07:59:59+00:00", "2026-11-20"),
        ("2026-11-21T05:00:00+00:00", "2026-11-20"),  # 23:00 the evening before
        ("2026-11-22T01:00:00+00:00", "2026-11-21"),  # already Sunday in Europe
        ("2026-03-08T07:59:59+00:00", "2026-03-07"),  # 01:59:59 CST, the last second before 03:00
        ("2026-03-08T08:00:00+00:00", "2026-03-08"),
        ("2026-11-01T07:30:00+00:00", "2026-10-31"),  # 01:30 for the second time
        ("2028-02-29T08:00:00+00:00", "2028-02-29"),
        ("2027-01-01T07:00:00+00:00", "2026-12-31"),
    ],
)
def test_the_business_date_is_central_and_begins_with_the_collection(now: str, date: str) -> None:
    """The host's own zone does not matter, and at one in the morning it is still yesterday's collection."""
    assert business_date(QBR, dt.datetime.fromisoformat(now), CHICAGO).isoformat() == date


@given(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2040, 1, 1), timezones=st.just(dt.UTC)))
def test_a_business_dates_collection_has_started(now: dt.datetime) -> None:
    """At any instant, the collection of the business date has started and is less than 26 hours old."""
    period = period_of(business_date(QBR, now, CHICAGO), Cadence.DAILY)
    scheduled = times_of(QBR, period, CHICAGO).scheduled
    assert scheduled is not None
    assert dt.timedelta(0) <= now - scheduled < dt.timedelta(hours=26)


@pytest.mark.parametrize(
    ("at", "scheduled", "begins", "due", "ends"),
    [
        ("08:00", "22:00", "2026-11-22T04:00", "2026-11-22T14:00", "2026-11-23T04:00"),  # the morning after
        ("23:00", "22:00", "2026-11-22T04:00", "2026-11-22T05:00", "2026-11-23T04:00"),
        ("01:00", "02:00", "2026-11-21T08:00", "2026-11-22T07:00", "2026-11-22T08:00"),  # a little before the next
    ],
)
def test_a_run_across_midnight(at: str, scheduled: str, begins: str, due: str, ends: str) -> None:
    """What starts in the evening and is due in the morning belongs to the date on which it started."""
    checklist = Checklist(id="x", title="X", due=Due(at=at), schedule=Schedule(at=scheduled))
    times = _times(checklist, "2026-11-21")
    found = [f"{each:%Y-%m-%dT%H:%M}" for each in (times.begins_at, times.due_at, times.ends_at) if each]
    assert found == [begins, due, ends]
    assert business_date(checklist, times.due_at, CHICAGO) == dt.date(2026, 11, 21)


@pytest.mark.parametrize(
    ("now", "flags", "expected"),
    [
        ("2026-11-21T13:59:00+00:00", {}, Standing.UPCOMING),
        ("2026-11-21T14:00:00+00:00", {}, Standing.DUE),
        ("2026-11-21T16:00:00+00:00", {}, Standing.OVERDUE),
        ("2026-11-22T07:59:00+00:00", {}, Standing.OVERDUE),
        ("2026-11-22T08:00:00+00:00", {}, Standing.MISSED),
        ("2026-11-22T08:00:00+00:00", {"signed": True}, Standing.SIGNED),
        ("2026-11-22T08:00:00+00:00", {"signed": True, "explained": True}, Standing.EXPLAINED),
        ("2026-11-21T16:00:00+00:00", {"done": True}, Standing.DONE),
    ],
)
def test_standing(now: str, flags: dict[str, bool], expected: Standing) -> None:
    """Due, overdue and missed follow from the calendar of the checklist, and what was done from the record."""
    times = _times(QBR, "2026-11-21")
    assert standing(times, dt.datetime.fromisoformat(now), **{"signed": False} | flags) is expected


def test_a_grace_that_outlasts_the_period_ends_with_it() -> None:
    """A list that is due at 23:00 is missed at midnight, whatever grace it has: the next day has begun."""
    checklist = Checklist(id="x", title="X", due=Due(at="23:00", grace=Duration.parse("3 h")))
    times = _times(checklist, "2026-11-21")
    assert times.overdue_at == times.ends_at


# --- due days ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "cadence", "date", "due"),
    [
        ("Mon..Sun", Cadence.DAILY, "2026-11-21", "2026-11-21"),
        ("Mon..Fri", Cadence.DAILY, "2026-11-21", None),
        ("Mon", Cadence.WEEKLY, "2026-11-21", "2026-11-16"),
        ("Fri..Mon", Cadence.WEEKLY, "2026-11-21", "2026-11-16"),
        ("Fri", Cadence.WEEKLY, "2027-01-02", "2027-01-01"),
        ("Mon#1", Cadence.MONTHLY, "2026-11-21", "2026-11-02"),
        ("Mon#1", Cadence.MONTHLY, "2027-02-28", "2027-02-01"),
        ("Mon#5", Cadence.MONTHLY, "2026-11-21", "2026-11-30"),
        ("Mon#5", Cadence.MONTHLY, "2026-12-21", None),
        ("Mon#1", Cadence.QUARTERLY, "2026-11-21", "2026-10-05"),
        ("31", Cadence.MONTHLY, "2026-11-21", "2026-11-30"),
        ("30", Cadence.MONTHLY, "2028-02-01", "2028-02-29"),
        ("29", Cadence.MONTHLY, "2027-02-01", "2027-02-28"),
        ("1,15", Cadence.QUARTERLY, "2026-11-21", "2026-10-01"),
    ],
)
def test_due_days(days: str, cadence: Cadence, date: str, due: str | None) -> None:
    """The due day of a period is the first that its days name."""
    found = due_date(period_of(dt.date.fromisoformat(date), cadence), Due(days=days), cadence)
    assert (found.isoformat() if found else None) == due


@pytest.mark.parametrize(
    ("cadence", "days", "region", "date", "due"),
    [
        (Cadence.DAILY, "Mon..Fri", "US", "2026-11-26", None),  # Thanksgiving
        (Cadence.DAILY, "Mon..Fri", "DE", "2026-11-26", "2026-11-26"),
        (Cadence.DAILY, "Mon..Sun", "US", "2026-07-03", None),  # the fourth is a Saturday, observed on Friday
        (Cadence.DAILY, "Mon..Sun", "DE-BY", "2026-11-01", None),  # All Saints: in Bavaria
        (Cadence.DAILY, "Mon..Sun", "DE-BE", "2026-11-01", "2026-11-01"),  # and not in Berlin
        (Cadence.WEEKLY, "Mon", "US", "2026-09-07", "2026-09-08"),  # Labor Day
        (Cadence.WEEKLY, "Mon,Thu", "US", "2026-09-07", "2026-09-08"),
        (Cadence.WEEKLY, "Fri", "US", "2026-12-25", "2026-12-25"),  # no working day is left in that week
        (Cadence.WEEKLY, "Fri,Sat", "US", "2026-12-25", "2026-12-26"),  # but one of its own days
        (Cadence.MONTHLY, "1", "US", "2027-01-01", "2027-01-04"),
        (Cadence.MONTHLY, "Mon#1", "US", "2026-09-01", "2026-09-08"),
        (Cadence.MONTHLY, "1,15", "US", "2027-01-01", "2027-01-04"),
        (Cadence.QUARTERLY, "Mon#1", "US", "2026-09-01", "2026-07-06"),
        (Cadence.QUARTERLY, "1", "US", "2027-01-01", "2027-01-04"),
        (Cadence.QUARTERLY, "Thu#1", "DE", "2028-04-04", "2028-04-06"),
    ],
)
def test_holidays(cadence: Cadence, days: str, region: str, date: str, due: str | None) -> None:
    """A holiday is no due day; what comes weekly or more rarely moves to the next working day of its period."""
    wanted = Due(days=days, holidays=region)
    found = due_date(period_of(dt.date.fromisoformat(date), cadence), wanted, cadence)
    assert (found.isoformat() if found else None) == due


def test_closed_dates_are_like_holidays() -> None:
    """The week between the years, when nobody is there, is missed by nobody."""
    closed = tuple(dt.date(2026, 12, day) for day in range(24, 32))
    daily = Checklist(id="x", title="X", due=Due(days="Mon..Fri", closed=closed))
    now = dt.datetime(2027, 1, 1, 12, tzinfo=CHICAGO)
    found = [each.key for each in periods_since(daily, dt.date(2026, 12, 22), now, CHICAGO)]
    assert found == ["2026-12-22", "2026-12-23", "2027-01-01"]
    weekly = due_date(
        period_of(dt.date(2026, 12, 24), Cadence.WEEKLY), Due(days="Thu", closed=closed), Cadence.WEEKLY
    )
    assert weekly == dt.date(2026, 12, 24)


@given(dates, st.sampled_from(BY_DATE), due_day_sets, regions)
def test_a_due_day_lies_in_its_period(date: dt.date, cadence: Cadence, days: str, region: str) -> None:
    """A holiday never moves what is due out of its week, month or quarter, nor makes it vanish there."""
    period = period_of(date, cadence)
    plain, moved = (due_date(period, Due(days=days, holidays=each), cadence) for each in ("", region))
    assert moved is None or period.start <= moved <= period.end
    if cadence is not Cadence.DAILY:
        assert (plain is None) is (moved is None)
        assert plain is None or moved is None or plain <= moved


@pytest.mark.parametrize("region", ["XX", "us", "US-ZZ", "Germany", "US-", "DE_BY", "../x"])
def test_regions_that_are_none(region: str) -> None:
    """A country that nobody knows is a message that says how one is written."""
    with pytest.raises(CalendarError, match="ISO 3166"):
        due_date(Period(dt.date(2026, 1, 1), dt.date(2026, 1, 1), ""), Due(holidays=region))


@pytest.mark.parametrize("on", ["2026-11-21", "2028-02-29"])
def test_once(on: str) -> None:
    """A list that is due once stays the same one for ever, and is overdue until somebody does it."""
    date = dt.date.fromisoformat(on)
    once = Checklist(id="x", title="X", cadence=Cadence.ONCE, due=Due(on=date, at="08:00"))
    long_after = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    period = period_at(once, long_after, CHICAGO)
    times = times_of(once, period, CHICAGO)
    assert period.key == on
    assert times.ends_at is None
    assert standing(times, long_after, signed=False) is Standing.OVERDUE
    assert due_after(once, period, CHICAGO) is None
    assert list(periods_since(once, dt.date(2026, 1, 1), long_after, CHICAGO)) == [period]
    assert list(periods_before(once, period, dt.date(2026, 1, 1), CHICAGO)) == []
    assert list(periods_since(once, dt.date(2026, 1, 1), dt.datetime(2026, 6, 1, tzinfo=dt.UTC), CHICAGO)) == []


@pytest.mark.parametrize(
    ("days", "now", "then"),
    [
        ("Mon..Fri", "2026-11-20T23:50", "2026-11-23T0600Z"),  # Friday evening, Monday morning
        ("Mon..Sun", "2026-11-20T23:50", "2026-11-21T0600Z"),
        ("Mon#1", "2026-11-02T23:50", "2026-12-07T0600Z"),
    ],
)
def test_intervals_of_due_days_only(days: str, now: str, then: str) -> None:
    """An hourly list of working days rests over the weekend."""
    due = Due(days=days, every=Duration.parse("1 h"))
    hourly = Checklist(id="x", title="X", cadence=Cadence.INTERVAL, due=due)
    slot = period_at(hourly, dt.datetime.fromisoformat(now).replace(tzinfo=CHICAGO), CHICAGO)
    after = due_after(hourly, slot, CHICAGO)
    assert after is not None
    assert after.key == then
    assert next(periods_before(hourly, after, slot.start, CHICAGO)) == slot


def test_the_latest_of_many_intervals_are_found_at_once() -> None:
    """A list of five minutes that rested for centuries is asked for its last gaps without counting them all."""
    due = Due(every=Duration.parse("5 min"))
    often = Checklist(id="x", title="X", cadence=Cadence.INTERVAL, due=due)
    now = dt.datetime(2600, 1, 1, 12, tzinfo=dt.UTC)
    slot = period_at(often, now, CHICAGO)
    found = list(islice(periods_before(often, slot, dt.date(2026, 1, 1), CHICAGO), 288))
    assert found[0].key == "2600-01-01T1155Z"
    assert len(found) == 288


# --- what means nothing ------------------------------------------------------------------------------


@pytest.mark.parametrize("days", ["", "Monday", "Mon..", "0", "32", "Mon#6", "mon", "Mon;Tue", "²", "001"])
def test_days_that_mean_nothing(days: str) -> None:
    """A set of days that cannot be read is refused with an example."""
    with pytest.raises(CalendarError, match="write weekdays"):
        due_days(days)


@pytest.mark.parametrize("text", ["8:00", "24:00", "08:60", "08.00", "", "08:00:00", "0٣:00"])
def test_times_that_mean_nothing(text: str) -> None:
    """A time of day is HH:MM."""
    with pytest.raises(CalendarError):
        time_of_day(text)


@pytest.mark.parametrize("name", ["US/Centrl", "", "../etc/passwd", "/etc/passwd", "America"])
def test_zones_that_are_none(name: str) -> None:
    """An unknown zone is a message, not a crash, whatever path it looks like."""
    with pytest.raises(CalendarError):
        zone(name)
