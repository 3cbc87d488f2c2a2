"""A calendar of a checklist: which square stands for which period, and what became of it."""

import calendar
import datetime as dt
from collections.abc import Iterable, Iterator
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.model.calendar import (
    Period,
    due_date,
    following,
    period_of,
    slot_begins,
    slots_of,
    times_of,
)
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import is_seen

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKS_OF_A_QUARTER = 14
"""Weeks that may begin in one quarter, at most."""
_ROWS_AT_MOST = 8
"""Quarters of weeks, or years of months, that are worth looking at together."""
_DAYS_AT_MOST = 14
"""Days of intervals: each holds up to 288 runs."""
_HOURS = 24


class Square(StrEnum):
    """What became of a period."""

    FAIL = "failed"
    ERROR = "could not be measured"
    MISSED = "missed"
    UNSIGNED = "not signed"
    """It is over, and was done, at least in part; nobody signed it off."""
    WARN = "passed with warnings"
    """Or with waivers."""
    EXPLAINED = "missed, and explained"
    OPEN = "open"
    """It can still be done."""
    PASS = "passed"
    FUTURE = "to come"
    NOT_DUE = "not due"
    BEFORE = "before the first run"


_GRAVEST = list(Square)
"""Of several periods in one square the first of these is shown."""


def gravest(squares: Iterable[Square]) -> Square:
    """Return which of several is shown where there is room for one; NOT_DUE where there is none."""
    return min(squares, key=_GRAVEST.index, default=Square.NOT_DUE)


class Place(msgspec.Struct, frozen=True):
    """One square of the board: the period that it stands for, or the intervals of an hour."""

    label: str
    """`Sat 2026-11-21`, `2026-W47`, `2026-11-21 14h`."""
    periods: tuple[Period, ...]


class BoardRow(msgspec.Struct, frozen=True):
    """One row of squares; None where there is none, as before the first week of a quarter."""

    label: str
    places: tuple[Place | None, ...]


class Board(msgspec.Struct, frozen=True):
    """All squares that are looked at together."""

    heads: tuple[str, ...]
    """What stands above each column; empty above most."""
    rows: tuple[BoardRow, ...]
    cell_width: int
    first: dt.date
    last: dt.date

    @property
    def places(self) -> Iterator[Place]:
        """Every square, the latest first."""
        found = [each for row in self.rows for each in row.places if each is not None and each.periods]
        return iter(sorted(found, key=lambda each: each.periods[0].key, reverse=True))


def board_of(checklist: Checklist, until: dt.date, cells: int, height: int, where: ZoneInfo) -> Board:
    """Return the squares up to the date `until`, as many as fit into `cells` columns and `height` rows of text.

    A daily list is shown as weeks beside each other, a weekly one as a row for each quarter, a monthly or quarterly
    one as a row for each year, one of intervals as a row of hours for each day. A list that is done once has the
    calendar of a daily one.
    """
    match checklist.cadence:
        case Cadence.DAILY | Cadence.ONCE:
            return _weeks(until, cells)
        case Cadence.WEEKLY:
            return _quarters(until, min(height, _ROWS_AT_MOST))
        case Cadence.MONTHLY | Cadence.QUARTERLY:
            return _years(checklist.cadence, until, min(height, _ROWS_AT_MOST))
        case Cadence.INTERVAL:
            return _days(checklist, until, min(height, _DAYS_AT_MOST), where)


def _weeks(until: dt.date, cells: int) -> Board:
    width, label = 2, 4
    columns = max(1, (cells - label) // width)
    last = until + dt.timedelta(days=6 - until.weekday())
    first = last - dt.timedelta(days=7 * columns - 1)
    mondays = [first + dt.timedelta(days=7 * column) for column in range(columns)]
    return Board(
        heads=tuple(map(_month_begun_in, mondays)),
        rows=tuple(
            BoardRow(name, tuple(_day_place(monday + dt.timedelta(days=number)) for monday in mondays))
            for number, name in enumerate(_WEEKDAYS)
        ),
        cell_width=width,
        first=first,
        last=last,
    )


def _month_begun_in(monday: dt.date) -> str:
    """Return the month whose first day lies in a week, in January the year."""
    last = monday + dt.timedelta(days=6)
    if last.day > 7:  # noqa: PLR2004 - a week that holds the first of a month ends on the seventh at the latest
        return ""
    return f"{last:%b}" if last.month > 1 else f"{last:%Y}"


def _day_place(date: dt.date) -> Place:
    return Place(f"{date:%a %Y-%m-%d}", (period_of(date, Cadence.DAILY),))


def _quarters(until: dt.date, count: int) -> Board:
    quarter = period_of(until, Cadence.QUARTERLY)
    rows: list[BoardRow] = []
    last = quarter.end
    for _ in range(max(1, count)):
        weeks = list(_weeks_begun_in(quarter))
        places = [Place(each.key, (each,)) for each in weeks]
        filled = (*places, *[None] * (_WEEKS_OF_A_QUARTER - len(places)))
        rows.insert(0, BoardRow(quarter.key, filled))
        first, quarter = quarter.start, period_of(quarter.start - dt.timedelta(days=1), Cadence.QUARTERLY)
    heads = tuple(str(number) for number in range(1, _WEEKS_OF_A_QUARTER + 1))
    return Board(heads, tuple(rows), 3, first, last)


def _weeks_begun_in(quarter: Period) -> Iterator[Period]:
    week = period_of(quarter.start, Cadence.WEEKLY)
    while week.start <= quarter.end:
        if week.start >= quarter.start:
            yield week
        week = following(week, Cadence.WEEKLY)


def _years(cadence: Cadence, until: dt.date, count: int) -> Board:
    months = range(1, 13) if cadence is Cadence.MONTHLY else range(1, 13, 3)
    heads = [calendar.month_abbr[each] if cadence is Cadence.MONTHLY else f"Q{(each + 2) // 3}" for each in months]
    rows = []
    for year in range(until.year - max(1, count) + 1, until.year + 1):
        periods = [period_of(dt.date(year, month, 1), cadence) for month in months]
        rows.append(BoardRow(str(year), tuple(Place(each.key, (each,)) for each in periods)))
    first = dt.date(until.year - max(1, count) + 1, 1, 1)
    return Board(tuple(heads), tuple(rows), 4, first, dt.date(until.year, 12, 31))


def _days(checklist: Checklist, until: dt.date, count: int, where: ZoneInfo) -> Board:
    every = checklist.due.every
    first = until - dt.timedelta(days=max(1, count) - 1)
    rows = []
    for number in range(max(1, count)):
        date = first + dt.timedelta(days=number)
        hours: dict[int, list[Period]] = {}
        for slot in slots_of(date, every.timedelta(), where) if every is not None else ():
            hours.setdefault(slot_begins(slot).astimezone(where).hour, []).append(slot)
        places = (
            Place(f"{date} {hour:02}h", tuple(hours[hour])) if hour in hours else None for hour in range(_HOURS)
        )
        rows.append(BoardRow(f"{date:%m-%d}", tuple(places)))
    heads = tuple(f"{hour:02}" if hour % 6 == 0 else "" for hour in range(_HOURS))
    return Board(heads, tuple(rows), 3, first, until)


# --- what became of a period -----------------------------------------------------------------------


def square_of(run: RunState, now: dt.datetime) -> Square:
    """Return what became of a run."""
    if run.missed:
        return Square.MISSED if run.signed is None else Square.EXPLAINED
    if run.signed is not None or (not run.definition.needs_signature and is_seen(run)):
        return _judged(run)
    if not run.times.over(now):
        return Square.OPEN
    if run.definition.needs_signature:
        return Square.UNSIGNED
    return Square.ERROR if run.counts.get(Outcome.ERROR) else Square.MISSED


def _judged(run: RunState) -> Square:
    if run.result is not Result.PASS:
        return Square.FAIL
    clean = run.counts.keys() <= {Outcome.PASS, Outcome.SKIPPED}
    return Square.PASS if clean else Square.WARN


def square_without_run(
    checklist: Checklist, period: Period, now: dt.datetime, where: ZoneInfo, first: str
) -> Square:
    """Return what a period is that nobody opened. `first` is the key of the first run there was, empty for none."""
    if checklist.cadence is Cadence.ONCE:
        due = checklist.due.on
        if due is None or due != period.start:
            return Square.NOT_DUE
    elif checklist.cadence is not Cadence.INTERVAL and due_date(period, checklist.due, checklist.cadence) is None:
        return Square.NOT_DUE
    times = times_of(checklist, period, where)
    if times.begins_at > now:
        return Square.FUTURE
    if times.over(now):
        return Square.BEFORE if not first or period.key < first else Square.MISSED
    return Square.OPEN
