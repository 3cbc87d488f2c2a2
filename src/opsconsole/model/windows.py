"""The stretch of time just before the one that a run looks back over, for queries that compare the two."""

import calendar
import datetime as dt
from zoneinfo import ZoneInfo

from opsconsole.model.calendar import Window, midnight, window_between

_MONTHS = 12


def window_before(window: Window, where: ZoneInfo) -> Window:
    """Return the window of the same length that ends where `window` begins.

    Before whole months come as many whole months, whatever their lengths: before February is all of January. Before
    other whole dates come as many dates, and before an interval one of the same real time.
    """
    if (window.begins_at, window.ends_at) != _whole_dates(window, where):
        length = window.ends_at - window.begins_at
        begins = window.begins_at - length
        return Window(begins.astimezone(where).date(), window.start, begins, window.begins_at)
    last = window.start - dt.timedelta(days=1)
    months = _whole_months(window)
    if months:
        index = window.start.year * _MONTHS + window.start.month - 1 - months
        return window_between(dt.date(index // _MONTHS, index % _MONTHS + 1, 1), last, where)
    return window_between(window.start - (window.end - last), last, where)


def _whole_dates(window: Window, where: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """Return the bounds that a window has which consists of whole local dates."""
    return midnight(window.start, where), midnight(window.end + dt.timedelta(days=1), where)


def _whole_months(window: Window) -> int:
    """Return how many months a window consists of, 0 where it does not."""
    end = window.end
    if window.start.day != 1 or end.day != calendar.monthrange(end.year, end.month)[1]:
        return 0
    return (end.year - window.start.year) * _MONTHS + end.month - window.start.month + 1
