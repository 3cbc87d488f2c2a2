"""Business dates, periods, and when a checklist is due: in its own zone, with both DST changes.

A wall-clock time that the spring change skips is moved on by as much as the clocks were (02:00 becomes 03:00, as
systemd timers have it); one that the autumn change repeats means the first of the two. A period lasts until the
next one begins, so that each instant lies in one of them, also where the clocks are changed at midnight or a whole
date is left out (Samoa, 2011-12-30).
"""

import calendar
import datetime as dt
import re
from collections.abc import Iterator
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from opsconsole.model.checklists import Cadence, Checklist, Covers, Due, LooksBack
from opsconsole.model.duedays import due_days
from opsconsole.model.holidays import CalendarError, is_holiday

FIRST_DATE, LAST_DATE = dt.date(1970, 1, 1), dt.date(2999, 12, 31)
"""Between these dates there are runs; one beyond them is a slip of the pen."""

_QUARTER_MONTHS = 3
_SATURDAY = 5
_DAY = dt.timedelta(days=1)


class Period(msgspec.Struct, frozen=True, order=True):
    """The interval, day, week, month or quarter that a run belongs to, both dates included."""

    start: dt.date
    end: dt.date
    key: str
    """`2026-11-21`, `2026-W47`, `2026-11` or `2026-Q4`: part of the run's name. Of an interval the instant (UTC) at
    which it begins, `2026-11-21T1415Z`, so that the hour that autumn repeats has two names."""


class Window(msgspec.Struct, frozen=True):
    """The stretch of time that a run looks back over."""

    start: dt.date
    end: dt.date
    """The last date in it."""
    begins_at: dt.datetime
    """UTC."""
    ends_at: dt.datetime
    """UTC; no longer part of it."""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """The dates and instants of one run, as queries are given them; all instants are in UTC.

    They are computed once, when the run is opened, and stand in its record: it keeps its period whatever happens to
    the clock or to the zone's rules afterwards.
    """

    business_date: dt.date
    period: Period
    timezone: str
    begins_at: dt.datetime
    """When the period begins: of a daily list when its job is scheduled, else at local midnight."""
    ends_at: dt.datetime | None
    """When the next one begins: what is not done by then was missed. None where it can be done any time later."""
    due_at: dt.datetime
    overdue_at: dt.datetime
    window: Window
    scheduled: dt.datetime | None = None
    """When the job that is looked after was to start."""
    covered_date: dt.date
    """The day that the collected data belongs to; the business date without a schedule."""

    @property
    def month(self) -> str:
        """The month of the collected data, `YYYY-MM`: on the first of a month still the one before."""
        return f"{self.covered_date:%Y-%m}"

    def over(self, now: dt.datetime) -> bool:
        """Return whether the period is over at the instant `now`."""
        return self.ends_at is not None and now >= self.ends_at


class Standing(StrEnum):
    """Where a run stands in time."""

    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    MISSED = "missed"
    """Its period is over, and it was neither signed nor explained."""
    EXPLAINED = "explained"
    """It was missed, and somebody signed why."""
    SIGNED = "signed"
    DONE = "done"
    """Everything was measured, and nobody is asked to sign."""


def zone(name: str) -> ZoneInfo:
    """Return the IANA zone called `name`; raise CalendarError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CalendarError(f"unknown time zone '{name}'; write an IANA name such as 'America/Chicago'") from error


def time_of_day(text: str) -> dt.time:
    """Read `HH:MM`."""
    match = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", text)
    if match is None:
        raise CalendarError(f"'{text}' is not a time of day; write it like '08:00'")
    return dt.time(int(match[1]), int(match[2]))


def instant(date: dt.date, at: dt.time, where: ZoneInfo) -> dt.datetime:
    """Return the UTC instant of a wall-clock time, also on the two nights when that is not plain."""
    return dt.datetime.combine(date, at, tzinfo=where).astimezone(dt.UTC)


def midnight(date: dt.date, where: ZoneInfo) -> dt.datetime:
    """Return the UTC instant at which a local date begins."""
    return instant(date, dt.time(), where)


# --- periods ---------------------------------------------------------------------------------------


def period_of(date: dt.date, cadence: Cadence) -> Period:
    """Return the day, week, month or quarter that `date` lies in; of the cadence `once`, the date alone."""
    match cadence:
        case Cadence.DAILY | Cadence.ONCE:
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
        case Cadence.INTERVAL:
            raise ValueError("a date has many intervals: ask slots_of")


def slots_of(date: dt.date, every: dt.timedelta, where: ZoneInfo) -> Iterator[Period]:
    """Yield the intervals of a local date: counted in real time from its midnight, the last cut off by the next.

    A day of 23 or 25 hours has fewer or more of them.
    """
    begins, end = midnight(date, where), midnight(date + _DAY, where)
    while begins < end:
        yield _slot(date, begins)
        begins += every


def _slot(date: dt.date, begins: dt.datetime) -> Period:
    return Period(date, date, f"{begins.date()}T{begins:%H%M}Z")


def slot_begins(slot: Period) -> dt.datetime:
    """Return the instant at which an interval begins, as its key says."""
    return dt.datetime.fromisoformat(slot.key)


def period_at(checklist: Checklist, now: dt.datetime, where: ZoneInfo) -> Period:
    """Return the period of a checklist at the instant `now`.

    Of the cadence `once` it is the one date that the checklist names; one that waits for a qualification has the
    date on which that was reached, which the calendar does not know: ask for it with `period_of`.
    """
    if checklist.cadence is Cadence.INTERVAL and checklist.due.every is not None:
        date, every = business_date(checklist, now, where), checklist.due.every.timedelta()
        first = midnight(date, where)
        return _slot(date, first + (now - first) // every * every)
    if checklist.cadence is Cadence.ONCE and checklist.due.on is not None:
        return period_of(checklist.due.on, Cadence.ONCE)
    return period_of(business_date(checklist, now, where), checklist.cadence)


def previous(period: Period, cadence: Cadence) -> Period:
    """Return the day, week, month or quarter just before."""
    return period_of(period.start - _DAY, cadence)


def following(period: Period, cadence: Cadence) -> Period:
    """Return the day, week, month or quarter just after."""
    return period_of(period.end + _DAY, cadence)


def periods_since(checklist: Checklist, first: dt.date, now: dt.datetime, where: ZoneInfo) -> Iterator[Period]:
    """Yield every period that has a due day, from the one that `first` lies in to the one that `now` lies in.

    Intervals too: nine days of five minutes are 2,592 of them. Of the cadence `once` only a date that is named is
    known here.
    """
    cadence, due = checklist.cadence, checklist.due
    if cadence is Cadence.ONCE:
        if due.on is not None and business_date(checklist, now, where) >= due.on >= first:
            yield period_of(due.on, cadence)
        return
    if cadence is Cadence.INTERVAL:
        present = business_date(checklist, now, where)
        for step in range((present - first).days + 1):
            slots = due_slots(first + step * _DAY, due, where)
            yield from (each for each in slots if slot_begins(each) <= now)
        return
    last = period_at(checklist, now, where)
    period = period_of(first, cadence)
    while period.start <= last.start:
        if is_due(checklist, period, where):
            yield period
        period = following(period, cadence)


def due_slots(date: dt.date, due: Due, where: ZoneInfo) -> list[Period]:
    """Return the intervals of a date, none where it is no due day."""
    if due.every is None or due_date(Period(date, date, ""), due, Cadence.INTERVAL) is None:
        return []
    return list(slots_of(date, due.every.timedelta(), where))


# --- due days --------------------------------------------------------------------------------------


def dates_of(period: Period) -> Iterator[dt.date]:
    """Yield every date of a period."""
    for step in range((period.end - period.start).days + 1):
        yield period.start + dt.timedelta(days=step)


def due_date(period: Period, due: Due, cadence: Cadence = Cadence.DAILY) -> dt.date | None:
    """Return the first due day of a period, None where it has none (a Sunday of a Monday-to-Friday list).

    A public holiday or closed date is no due day. What is due weekly or more rarely, and would be on one, is due on
    the next day of its period that is one of its own due days or a working day, Monday to Friday; on the holiday
    itself where there is no such.
    """
    if cadence is Cadence.ONCE:
        return period.start + (_DAY if due.after else dt.timedelta())
    wanted = due_days(due.days)
    first = next((date for date in dates_of(period) if date in wanted), None)
    if first is None or not is_closed(first, due):
        return first
    if cadence in {Cadence.DAILY, Cadence.INTERVAL}:
        return None
    later = (date for date in dates_of(period) if date > first and (date in wanted or date.weekday() < _SATURDAY))
    return next((date for date in later if not is_closed(date, due)), first)


def is_closed(date: dt.date, due: Due) -> bool:
    """Return whether a date is a public holiday where the checklist lives, or one of its own closed dates."""
    return date in due.closed or bool(due.holidays and is_holiday(date, due.holidays))


def is_due(checklist: Checklist, period: Period, where: ZoneInfo) -> bool:
    """Return whether a period is to be done: it has a due day, and is not a date that its zone left out."""
    begins_at, ends_at = _bounds(checklist, period, where)
    return begins_at != ends_at and due_date(period, checklist.due, checklist.cadence) is not None


# --- a run's times ---------------------------------------------------------------------------------


def business_date(checklist: Checklist, now: dt.datetime, where: ZoneInfo) -> dt.date:
    """Return the business date at the instant `now`.

    The day of a checklist begins when the job it looks after is scheduled, so that somebody who looks at 01:00
    still sees the collection of the night before and not one that has yet to start.
    """
    date = now.astimezone(where).date()
    while now < _day_begins(checklist, date, where):
        date -= _DAY
    while now >= _day_begins(checklist, date + _DAY, where):  # clocks that were put back over midnight
        date += _DAY
    return date


def _day_begins(checklist: Checklist, date: dt.date, where: ZoneInfo) -> dt.datetime:
    return instant(date, _begins_daily(checklist), where)


def _begins_daily(checklist: Checklist) -> dt.time:
    """Return at which time of day the checklist's days begin; intervals are counted from midnight."""
    if checklist.schedule is None or checklist.cadence is Cadence.INTERVAL:
        return dt.time()
    return time_of_day(checklist.schedule.at)


def times_of(
    checklist: Checklist,
    period: Period,
    where: ZoneInfo,
    date: dt.date | None = None,
    qualified: tuple[dt.date, dt.date] | None = None,
) -> Times:
    """Return the dates and instants of the run of a period.

    `date` is the business date on which it is opened, the period's first where it is left out. `qualified` are the
    first and the last day of the qualification that the checklist comes after: what it looks back over.
    """
    day = date or period.start
    due_at, overdue_at = _due(checklist, period, where)
    begins_at, ends_at = _bounds(checklist, period, where)
    scheduled, covered = None, day
    if checklist.schedule is not None:
        scheduled = instant(day, time_of_day(checklist.schedule.at), where)
        if checklist.schedule.covers is Covers.PREVIOUS_DAY:
            covered = day - _DAY
    return Times(
        business_date=day,
        period=period,
        timezone=str(where),
        begins_at=begins_at,
        ends_at=ends_at,
        due_at=due_at,
        overdue_at=overdue_at,
        window=_window(checklist, period, where, covered, qualified),
        scheduled=scheduled,
        covered_date=covered,
    )


def _due(checklist: Checklist, period: Period, where: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """Return when a period is due and when overdue, neither before it begins nor after it ends.

    An interval is due when it begins. A time of day before that of the job means the morning after: what starts at
    22:00 and is due at 08:00 belongs to the evening's date.
    """
    begins_at, ends_at = _bounds(checklist, period, where)
    due_at = begins_at
    if checklist.cadence is not Cadence.INTERVAL:
        at = time_of_day(checklist.due.at)
        day = due_date(period, checklist.due, checklist.cadence) or period.end
        due_at = max(begins_at, instant(day + _DAY if at < _begins_daily(checklist) else day, at, where))
    overdue_at = due_at + checklist.due.grace.timedelta()
    return (due_at, overdue_at) if ends_at is None else (min(due_at, ends_at), min(overdue_at, ends_at))


def _bounds(checklist: Checklist, period: Period, where: ZoneInfo) -> tuple[dt.datetime, dt.datetime | None]:
    """Return when a period begins and ends; a list that is due once can be done any time later."""
    tomorrow = _day_begins(checklist, period.end + _DAY, where)
    if checklist.cadence is Cadence.INTERVAL and checklist.due.every is not None:
        begins_at = slot_begins(period)
        return begins_at, min(begins_at + checklist.due.every.timedelta(), tomorrow)
    begins_at = _day_begins(checklist, period.start, where)
    return begins_at, None if checklist.cadence is Cadence.ONCE else tomorrow


def _window(
    checklist: Checklist,
    period: Period,
    where: ZoneInfo,
    covered: dt.date,
    qualified: tuple[dt.date, dt.date] | None,
) -> Window:
    if qualified is not None:
        return window_between(*qualified, where)
    same = checklist.looks_back is LooksBack.SAME
    match checklist.cadence:
        case Cadence.DAILY | Cadence.ONCE:
            return window_between(covered, covered, where)
        case Cadence.INTERVAL:
            before = slot_begins(period) - dt.timedelta.resolution
            seen = period if same else period_at(checklist, before, where)
            begins_at, ends_at = _bounds(checklist, seen, where)
            return Window(seen.start, seen.end, begins_at, ends_at or begins_at)
        case cadence:
            seen = period if same else previous(period, cadence)
            return window_between(seen.start, seen.end, where)


def window_between(start: dt.date, end: dt.date, where: ZoneInfo) -> Window:
    """Return the window of whole local dates from `start` to `end`, both included."""
    return Window(start, end, midnight(start, where), midnight(end + _DAY, where))


def standing(
    times: Times, now: dt.datetime, *, signed: bool, explained: bool = False, done: bool = False
) -> Standing:
    """Return where a run stands at the instant `now`.

    `explained`: what was signed says why the run was missed. `done`: nobody is asked to sign, and all was measured.
    """
    if explained:
        return Standing.EXPLAINED
    if signed:
        return Standing.SIGNED
    if done:
        return Standing.DONE
    if times.over(now):
        return Standing.MISSED
    if now >= times.overdue_at:
        return Standing.OVERDUE
    return Standing.DUE if now >= times.due_at else Standing.UPCOMING


# --- names of periods ------------------------------------------------------------------------------


_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})\Z")
_QUARTER = re.compile(r"([0-9]{4})-Q([1-4])\Z")
_SLOT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{4}Z\Z")


def is_slot(key: str) -> bool:
    """Tell whether a period's key is that of an interval, of which a day has many."""
    return _SLOT.fullmatch(key) is not None


def period_named(key: str, checklist: Checklist, where: ZoneInfo) -> Period | None:
    """Return the period of a checklist that is called `key`, None where it has none of that name.

    Of the cadence `once` every date is one: an edit of the file may have moved it since.
    """
    cadence = checklist.cadence
    try:
        if cadence is Cadence.INTERVAL:
            return _slot_named(key, checklist, where)
        if cadence is Cadence.WEEKLY and (week := _WEEK.fullmatch(key)):
            date = dt.date.fromisocalendar(int(week[1]), int(week[2]), 1)
        elif cadence is Cadence.QUARTERLY and (quarter := _QUARTER.fullmatch(key)):
            date = dt.date(int(quarter[1]), int(quarter[2]) * _QUARTER_MONTHS, 1)
        else:
            date = dt.date.fromisoformat(f"{key}-01" if cadence is Cadence.MONTHLY else key)
    except ValueError:
        return None
    if not FIRST_DATE <= date <= LAST_DATE:
        return None
    period = period_of(date, cadence)
    return period if period.key == key else None


def _slot_named(key: str, checklist: Checklist, where: ZoneInfo) -> Period | None:
    if not is_slot(key):
        return None
    begins = dt.datetime.fromisoformat(key)
    if not FIRST_DATE <= begins.date() <= LAST_DATE:
        return None
    slot = period_at(checklist, begins, where)
    return slot if slot.key == key else None
