"""On which dates a checklist was due, by the calendar that was in force then: an edit of it hides no day."""

import datetime as dt
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

import msgspec

from opsconsole.model.calendar import due_date, period_of
from opsconsole.model.checklists import Cadence, Checklist


class CountedDate(msgspec.Struct, frozen=True):
    """A date that a qualification asks for."""

    date: dt.date
    closed: str = ""
    """Why it is none to be done, where nobody can tell whether that was so before it began."""


def counted_dates(
    present: Checklist,
    followed: Iterable[tuple[dt.datetime, Checklist]],
    first: dt.date,
    last: dt.date,
    begins: Callable[[dt.date], dt.datetime],
) -> Iterator[CountedDate]:
    """Yield the due dates of a daily checklist from `first` to `last`, both included.

    `followed` are the definitions that its runs have followed, each with the moment from which on; `begins` gives
    the instant at which a date begins. What counts for a date is the first definition that a run followed after the
    date had begun, and the `present` one where there is none yet: a day that failed or was missed cannot be closed,
    or declared a holiday, once the list has been opened again. One that was due by the definition before it, and is
    not by that one, is yielded as `closed`: the edit may have been made before the date, or on the morning after.
    """
    known = sorted(followed, key=lambda each: each[0])
    moments = [at for at, _ in known]
    for step in range((last - first).days + 1):
        date = first + dt.timedelta(days=step)
        place = bisect_left(moments, begins(date))
        after = known[place][1] if place < len(known) else present
        if _is_due(date, after):
            yield CountedDate(date)
        elif 0 < place < len(known) and _is_due(date, known[place - 1][1]):
            since = f"{moments[place]:%Y-%m-%d %H:%MZ}"
            yield CountedDate(date, f"it was closed by an edit that the record knows of only since {since}")


def _is_due(date: dt.date, definition: Checklist) -> bool:
    return due_date(period_of(date, Cadence.DAILY), definition.due) is not None
