"""What the name of a period says of its dates, whatever checklist it is of."""

import datetime as dt
import re

from opsconsole.model.calendar import Period, period_of
from opsconsole.model.checklists import Cadence

_SLOT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T[0-9]{4}Z\Z")
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})\Z")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}\Z")
_QUARTER = re.compile(r"([0-9]{4})-Q([1-4])\Z")


def dates_named(key: str) -> Period | None:
    """Return the day, week, month or quarter that is called `key`, whatever its checklist; None for other texts.

    Of an interval it is the day (UTC) on which it begins.
    """
    try:
        if slot := _SLOT.match(key):
            return period_of(dt.date.fromisoformat(slot[1]), Cadence.DAILY)
        if week := _WEEK.match(key):
            return period_of(dt.date.fromisocalendar(int(week[1]), int(week[2]), 1), Cadence.WEEKLY)
        if quarter := _QUARTER.match(key):
            return period_of(dt.date(int(quarter[1]), int(quarter[2]) * 3, 1), Cadence.QUARTERLY)
        if _MONTH.match(key):
            return period_of(dt.date.fromisoformat(f"{key}-01"), Cadence.MONTHLY)
        return period_of(dt.date.fromisoformat(key), Cadence.DAILY)
    except ValueError:
        return None
