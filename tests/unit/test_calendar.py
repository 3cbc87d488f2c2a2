"""Business dates, periods and due times, also on the nights when the clocks change."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.calendar import (
    CalendarError,
    Standing,
    business_date,
    dates_of,
    due_date,
    due_days,
    following,
    instant,
    period_named,
    period_of,
    previous,
    standing,
    time_of_day,
    times_of,
    zone,
)
from opsconsole.model.checklists import Cadence, Checklist, Covers, Due, Schedule
from opsconsole.model.values import Duration

CHICAGO = ZoneInfo("America/Chicago")
QBR = Checklist(
    id="qbr-daily",
    title="QBR",
    due=Due(at="08:00", timezone="America/Chicago", grace=Duration.parse("2 h")),
    schedule=Schedule(at="02:00", covers=Covers.PREVIOUS_DAY),
)

dates = st.dates(dt.date(2000, 1, 1), dt.date(2100, 12, 31))
cadences = st.sampled_from(list(Cadence))
zones = st.sampled_from(["America/Chicago", "Europe/Berlin", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu"])


@pytest.mark.parametrize(
    ("date", "cadence", "key", "start", "end"),
    [
        ("2026-11-21", Cadence.DAILY, "2026-11-21", "2026-11-21", "2026-11-21"),
        ("2026-11-21", Cadence.WEEKLY, "2026-W47", "2026-11-16", "2026-11-22"),
        ("2027-01-01", Cadence.WEEKLY, "2026-W53", "2026-12-28", "2027-01-03"),
        ("2028-02-29", Cadence.MONTHLY, "2028-02", "2028-02-01", "2028-02-29"),
        ("2026-12-31", Cadence.QUARTERLY, "2026-Q4", "2026-10-01", "2026-12-31"),
    ],
)
def test_periods(date: str, cadence: Cadence, key: str, start: str, end: str) -> None:
    """A date lies in the week, month and quarter that everybody else would put it into."""
    period = period_of(dt.date.fromisoformat(date), cadence)
    assert (period.key, period.start.isoformat(), period.end.isoformat()) == (key, start, end)


@given(dates, cadences)
def test_periods_tile_the_calendar(date: dt.date, cadence: Cadence) -> None:
    """Every date lies in one period; periods follow each other without gap or overlap, ordered by their names."""
    period = period_of(date, cadence)
    assert period.start <= date <= period.end
    assert all(period_of(each, cadence) == period for each in dates_of(period))
    after = following(period, cadence)
    assert after.start == period.end + dt.timedelta(days=1)
    assert previous(after, cadence) == period
    assert period.key < after.key
    assert period_named(period.key, cadence) == period


@pytest.mark.parametrize("key", ["2026-13-01", "2026-W60", "2026-Q5", "x", "", "2026-02-30", "../etc", "2026-1-1"])
@pytest.mark.parametrize("cadence", list(Cadence))
def test_no_period_of_that_name(key: str, cadence: Cadence) -> None:
    """What names no period is told apart from one."""
    assert period_named(key, cadence) is None


@given(dates, st.times(), zones)
def test_an_instant_is_the_wall_clock_or_the_change(date: dt.date, at: dt.time, name: str) -> None:
    """A wall-clock time that exists is met exactly; one that the spring change skips is met after it."""
    at = at.replace(second=0, microsecond=0)
    where = ZoneInfo(name)
    shown = instant(date, at, where).astimezone(where)
    off = shown.replace(tzinfo=None) - dt.datetime.combine(date, at)
    assert dt.timedelta(0) <= off <= dt.timedelta(hours=1)


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
    scheduled = times_of(QBR, dt.date.fromisoformat(date), CHICAGO).scheduled
    assert scheduled is not None
    assert scheduled.isoformat() == utc


@pytest.mark.parametrize(
    ("date", "month"),
    [("2026-12-01", "2026-11"), ("2026-12-02", "2026-12"), ("2027-01-01", "2026-12"), ("2028-03-01", "2028-02")],
)
def test_on_the_first_the_month_is_still_the_one_before(date: str, month: str) -> None:
    """The collection at 02:00 on the first completes the month that has just ended."""
    assert times_of(QBR, dt.date.fromisoformat(date), CHICAGO).month == month


@pytest.mark.parametrize(
    ("now", "date"),
    [
        ("2026-11-21T14:00:00+00:00", "2026-11-21"),  # 08:00 Central
        ("2026-11-21T08:00:00+00:00", "2026-11-21"),  # 02:00, the collection starts
        ("2026-11-21T07:59:59+00:00", "2026-11-20"),
        ("2026-11-21T05:00:00+00:00", "2026-11-20"),  # 23:00 the evening before
        ("2026-11-22T01:00:00+00:00", "2026-11-21"),  # already Sunday in Europe
    ],
)
def test_the_business_date_is_central_and_begins_with_the_collection(now: str, date: str) -> None:
    """The host's own zone does not matter, and at one in the morning it is still yesterday's collection."""
    assert business_date(QBR, dt.datetime.fromisoformat(now), CHICAGO).isoformat() == date


@given(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2040, 1, 1), timezones=st.just(dt.UTC)))
def test_a_business_dates_collection_has_started(now: dt.datetime) -> None:
    """At any instant, the collection of the business date has started and is less than 26 hours old."""
    scheduled = times_of(QBR, business_date(QBR, now, CHICAGO), CHICAGO).scheduled
    assert scheduled is not None
    assert dt.timedelta(0) <= now - scheduled < dt.timedelta(hours=26)


@pytest.mark.parametrize(
    ("now", "signed", "expected"),
    [
        ("2026-11-21T13:59:00+00:00", False, Standing.UPCOMING),
        ("2026-11-21T14:00:00+00:00", False, Standing.DUE),
        ("2026-11-21T16:00:00+00:00", False, Standing.OVERDUE),
        ("2026-11-22T05:59:00+00:00", False, Standing.OVERDUE),
        ("2026-11-22T06:00:00+00:00", False, Standing.MISSED),
        ("2026-11-22T06:00:00+00:00", True, Standing.SIGNED),
    ],
)
def test_standing(now: str, signed: bool, expected: Standing) -> None:
    """Due, overdue and missed follow from the calendar of the checklist."""
    times = times_of(QBR, dt.date(2026, 11, 21), CHICAGO)
    assert standing(times, dt.datetime.fromisoformat(now), signed=signed) is expected


@pytest.mark.parametrize(
    ("days", "cadence", "date", "due"),
    [
        ("Mon..Sun", Cadence.DAILY, "2026-11-21", "2026-11-21"),
        ("Mon..Fri", Cadence.DAILY, "2026-11-21", None),
        ("Mon", Cadence.WEEKLY, "2026-11-21", "2026-11-16"),
        ("Fri..Mon", Cadence.WEEKLY, "2026-11-21", "2026-11-16"),
        ("Mon#1", Cadence.MONTHLY, "2026-11-21", "2026-11-02"),
        ("31", Cadence.MONTHLY, "2026-11-21", "2026-11-30"),
        ("1,15", Cadence.QUARTERLY, "2026-11-21", "2026-10-01"),
    ],
)
def test_due_days(days: str, cadence: Cadence, date: str, due: str | None) -> None:
    """The due day of a period is the first that its days name."""
    found = due_date(period_of(dt.date.fromisoformat(date), cadence), Due(days=days))
    assert (found.isoformat() if found else None) == due


@pytest.mark.parametrize("days", ["", "Monday", "Mon..", "0", "32", "Mon#6", "mon", "Mon;Tue"])
def test_days_that_mean_nothing(days: str) -> None:
    """A set of days that cannot be read is refused with an example."""
    with pytest.raises(CalendarError, match="write weekdays"):
        due_days(days)


@pytest.mark.parametrize("text", ["8:00", "24:00", "08:60", "08.00", "", "08:00:00"])
def test_times_that_mean_nothing(text: str) -> None:
    """A time of day is HH:MM."""
    with pytest.raises(CalendarError):
        time_of_day(text)


@pytest.mark.parametrize("name", ["US/Centrl", "", "../etc/passwd", "/etc/passwd", "America"])
def test_zones_that_are_none(name: str) -> None:
    """An unknown zone is a message, not a crash, whatever path it looks like."""
    with pytest.raises(CalendarError):
        zone(name)
