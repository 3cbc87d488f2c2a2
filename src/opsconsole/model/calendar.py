"""Business dates, periods, and when a checklist is due: in its own zone, with both DST changes.

A wall-clock time that the spring change skips means the instant that the clocks were put forward by (02:00 becomes
03:00, as systemd timers have it); one that the autumn change repeats means the first of the two.
"""

import calendar
import datetime as dt
import re
from collections.abc import Iterator
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from opsconsole.model.checklists import Cadence, Checklist, Covers, Due

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ORDINAL = re.compile(rf"({'|'.join(_DAYS)})#([1-5])\Z")
_QUARTER_MONTHS = 3


class CalendarError(ValueError):
    """A time, a set of days or a zone that means nothing; the message says what to write."""


class Period(msgspec.Struct, frozen=True, order=True):
    """The day, week, month or quarter that a run belongs to, both ends included."""

    start: dt.date
    end: dt.date
    key: str
    """`2026-11-21`, `2026-W47`, `2026-11` or `2026-Q4`: part of the run's name."""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """The dates and instants of one run, as queries are given them."""

    business_date: dt.date
    period: Period
    timezone: str
    due_at: dt.datetime
    overdue_at: dt.datetime
    scheduled: dt.datetime | None = None
    """When the job that is looked after was to start, in UTC."""
    covered_date: dt.date
    """The day that the collected data belongs to; the business date without a schedule."""

    @property
    def month(self) -> str:
        """The month of the collected data, `YYYY-MM`: on the first of a month still the one before."""
        return f"{self.covered_date:%Y-%m}"


class Standing(StrEnum):
    """Where a run stands in time."""

    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    MISSED = "missed"
    SIGNED = "signed"


def zone(name: str) -> ZoneInfo:
    """Return the IANA zone called `name`; raise CalendarError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CalendarError(f"unknown time zone '{name}'; write an IANA name such as 'America/Chicago'") from error


def time_of_day(text: str) -> dt.time:
    """Read `HH:MM`."""
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text)
    if match is None:
        raise CalendarError(f"'{text}' is not a time of day; write it like '08:00'")
    return dt.time(int(match[1]), int(match[2]))


def instant(date: dt.date, at: dt.time, where: ZoneInfo) -> dt.datetime:
    """Return the UTC instant of a wall-clock time, also on the two nights when that is not plain."""
    return dt.datetime.combine(date, at, tzinfo=where).astimezone(dt.UTC)


def period_of(date: dt.date, cadence: Cadence) -> Period:
    """Return the period that `date` lies in."""
    match cadence:
        case Cadence.DAILY:
            return Period(date, date, date.isoformat())
        case Cadence.WEEKLY:
            monday = date - dt.timedelta(days=date.weekday())
            year, week, _ = date.isocalendar()
            return Period(monday, monday + dt.timedelta(days=6), f"{year}-W{week:02}")
        case Cadence.MONTHLY:
            last = calendar.monthrange(date.year, date.month)[1]
            return Period(date.replace(day=1), date.replace(day=last), f"{date:%Y-%m}")
        case Cadence.QUARTERLY:
            quarter = (date.month - 1) // _QUARTER_MONTHS
            first = dt.date(date.year, quarter * _QUARTER_MONTHS + 1, 1)
            month = first.month + _QUARTER_MONTHS - 1
            end = dt.date(date.year, month, calendar.monthrange(date.year, month)[1])
            return Period(first, end, f"{date.year}-Q{quarter + 1}")


def previous(period: Period, cadence: Cadence) -> Period:
    """Return the period just before."""
    return period_of(period.start - dt.timedelta(days=1), cadence)


def following(period: Period, cadence: Cadence) -> Period:
    """Return the period just after."""
    return period_of(period.end + dt.timedelta(days=1), cadence)


def due_days(text: str) -> "DueDays":
    """Read `Mon..Sun`, `Mon,Thu`, `Mon#1` or `1,15`; raise CalendarError for anything else."""
    weekdays: set[int] = set()
    ordinals: set[tuple[int, int]] = set()
    month_days: set[int] = set()
    for part in (each.strip() for each in text.split(",")):
        first, dots, last = part.partition("..")
        if dots and first in _DAYS and last in _DAYS:
            start, count = _DAYS.index(first), (_DAYS.index(last) - _DAYS.index(first)) % 7 + 1
            weekdays |= {(start + step) % 7 for step in range(count)}
        elif part in _DAYS:
            weekdays.add(_DAYS.index(part))
        elif ordinal := _ORDINAL.fullmatch(part):
            ordinals.add((_DAYS.index(ordinal[1]), int(ordinal[2])))
        elif part.isdigit() and 1 <= int(part) <= 31:  # noqa: PLR2004 - days of a month
            month_days.add(int(part))
        else:
            raise CalendarError(
                f"'{part}' is no day; write weekdays ('Mon..Fri', 'Mon,Thu'), the n-th one of a month ('Mon#1') "
                "or days of the month ('1,15')"
            )
    return DueDays(frozenset(weekdays), frozenset(ordinals), frozenset(month_days))


class DueDays(msgspec.Struct, frozen=True):
    """A set of days."""

    weekdays: frozenset[int]
    ordinals: frozenset[tuple[int, int]]
    month_days: frozenset[int]

    def __contains__(self, date: object) -> bool:
        if not isinstance(date, dt.date):
            return False
        last = calendar.monthrange(date.year, date.month)[1]
        return (
            date.weekday() in self.weekdays
            or (date.weekday(), (date.day - 1) // 7 + 1) in self.ordinals
            or date.day in self.month_days
            or (date.day == last and any(day > last for day in self.month_days))
        )


def dates_of(period: Period) -> Iterator[dt.date]:
    """Yield every date of a period."""
    for step in range((period.end - period.start).days + 1):
        yield period.start + dt.timedelta(days=step)


def due_date(period: Period, due: Due) -> dt.date | None:
    """Return the first due day of a period, None where it has none (a Sunday of a Monday-to-Friday list)."""
    days = due_days(due.days)
    return next((date for date in dates_of(period) if date in days), None)


def due_dates_before(period: Period, cadence: Cadence, due: Due) -> Iterator[dt.date]:
    """Yield the due date of every earlier period that has one, latest first, without end."""
    while True:
        period = previous(period, cadence)
        date = due_date(period, due)
        if date is not None:
            yield date


def business_date(checklist: Checklist, now: dt.datetime, where: ZoneInfo) -> dt.date:
    """Return the business date at the instant `now`.

    The day of a checklist begins when the job it looks after is scheduled, so that somebody who looks at 01:00
    still sees the collection of the night before and not one that has yet to start.
    """
    local = now.astimezone(where)
    if checklist.schedule is None:
        return local.date()
    starts = instant(local.date(), time_of_day(checklist.schedule.at), where)
    return local.date() if now >= starts else local.date() - dt.timedelta(days=1)


def times_of(checklist: Checklist, date: dt.date, where: ZoneInfo) -> Times:
    """Return the dates and instants of the run that `date` belongs to."""
    period = period_of(date, checklist.cadence)
    at = time_of_day(checklist.due.at)
    due_at = instant(due_date(period, checklist.due) or period.end, at, where)
    scheduled = None
    covered = date
    if checklist.schedule is not None:
        scheduled = instant(date, time_of_day(checklist.schedule.at), where)
        if checklist.schedule.covers is Covers.PREVIOUS_DAY:
            covered = date - dt.timedelta(days=1)
    return Times(
        business_date=date,
        period=period,
        timezone=str(where),
        due_at=due_at,
        overdue_at=due_at + checklist.due.grace.timedelta(),
        scheduled=scheduled,
        covered_date=covered,
    )


def standing(times: Times, now: dt.datetime, *, signed: bool) -> Standing:
    """Return where a run stands at the instant `now`."""
    if signed:
        return Standing.SIGNED
    where = ZoneInfo(times.timezone)
    if now.astimezone(where).date() > times.period.end:
        return Standing.MISSED
    if now >= times.overdue_at:
        return Standing.OVERDUE
    return Standing.DUE if now >= times.due_at else Standing.UPCOMING


_WEEK = re.compile(r"(\d{4})-W(\d{2})\Z")
_QUARTER = re.compile(r"(\d{4})-Q([1-4])\Z")


def period_named(key: str, cadence: Cadence) -> Period | None:
    """Return the period of a checklist's cadence that is called `key`, None where there is none."""
    try:
        if cadence is Cadence.WEEKLY and (week := _WEEK.fullmatch(key)):
            date = dt.date.fromisocalendar(int(week[1]), int(week[2]), 1)
        elif cadence is Cadence.QUARTERLY and (quarter := _QUARTER.fullmatch(key)):
            date = dt.date(int(quarter[1]), int(quarter[2]) * _QUARTER_MONTHS, 1)
        else:
            date = dt.date.fromisoformat(f"{key}-01" if cadence is Cadence.MONTHLY else key)
    except ValueError:
        return None
    period = period_of(date, cadence)
    return period if period.key == key else None
