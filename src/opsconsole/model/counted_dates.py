"""On which dates a checklist was due, by the calendar that was in force then: an edit of it hides no day."""

import datetime as dt
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

from opsconsole.model.calendar import due_date, period_of
from opsconsole.model.checklists import Cadence, Checklist


def counted_dates(
    present: Checklist,
    followed: Iterable[tuple[dt.datetime, Checklist]],
    first: dt.date,
    last: dt.date,
    begins: Callable[[dt.date], dt.datetime],
) -> Iterator[dt.date]:
    """Yield the due dates of a daily checklist from `first` to `last`, both included.

    `followed` are the definitions that its runs have followed, each with the moment from which on; `begins` gives
    the instant at which a date begins. What counts for a date is the first definition that a run followed after the
    date had begun, and the `present` one where there is none yet: a day that failed or was missed cannot be closed,
    or declared a holiday, once the list has been opened again.
    """
    known = sorted(followed, key=lambda each: each[0])
    moments = [at for at, _ in known]
    for step in range((last - first).days + 1):
        date = first + dt.timedelta(days=step)
        place = bisect_left(moments, begins(date))
        definition = known[place][1] if place < len(known) else present
        if due_date(period_of(date, Cadence.DAILY), definition.due) is not None:
            yield date
