"""Sets of due days as a checklist writes them: weekdays, the n-th one of a month, days of the month."""

import calendar
import datetime as dt
import re
from functools import cache

import msgspec

from opsconsole.model.holidays import CalendarError

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ORDINAL = re.compile(rf"({'|'.join(_DAYS)})#([1-5])\Z")
_LONGEST_MONTH = 31


class DueDays(msgspec.Struct, frozen=True):
    """A set of days."""

    weekdays: frozenset[int]
    """Monday is 0."""
    ordinals: frozenset[tuple[int, int]]
    """Weekday, and which one of its month."""
    month_days: frozenset[int]
    """A month that is too short for one has it on its last day."""

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


@cache
def due_days(text: str) -> DueDays:
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
        elif re.fullmatch(r"[0-9]{1,2}", part) and 1 <= int(part) <= _LONGEST_MONTH:
            month_days.add(int(part))
        else:
            raise CalendarError(
                f"'{part}' is no day; write weekdays ('Mon..Fri', 'Mon,Thu'), the n-th one of a month ('Mon#1') "
                "or days of the month ('1,15')"
            )
    return DueDays(frozenset(weekdays), frozenset(ordinals), frozenset(month_days))
