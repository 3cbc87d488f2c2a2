"""The due periods before and after one, taken from the calendar as they are asked for."""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from opsconsole.model.calendar import Period, due_slots, following, is_due, period_of, previous
from opsconsole.model.checklists import Cadence, Checklist

_DAY = dt.timedelta(days=1)
_FAR = 400
"""Periods in which the next due one is looked for: more than a year of days."""


def periods_before(checklist: Checklist, period: Period, first: dt.date, where: ZoneInfo) -> Iterator[Period]:
    """Yield the due periods before `period`, the latest first, back to the one that `first` lies in.

    As lazily as they are asked for: a list that runs every five minutes has 100,000 of them a year.
    """
    cadence = checklist.cadence
    if cadence is Cadence.ONCE:
        return
    if cadence is Cadence.INTERVAL:
        for step in range((period.start - first).days + 1):
            slots = due_slots(period.start - step * _DAY, checklist.due, where)
            yield from (each for each in reversed(slots) if each.key < period.key)
        return
    earliest = period_of(first, cadence)
    while period.start > earliest.start:
        period = previous(period, cadence)
        if is_due(checklist, period, where):
            yield period


def due_after(checklist: Checklist, period: Period, where: ZoneInfo) -> Period | None:
    """Return the next due period, None where there will be none; after `once` nothing comes."""
    cadence = checklist.cadence
    if cadence is Cadence.ONCE:
        return None
    if cadence is Cadence.INTERVAL:
        dates = (period.start + step * _DAY for step in range(_FAR))
        slots = (slot for date in dates for slot in due_slots(date, checklist.due, where))
        return next((slot for slot in slots if slot.key > period.key), None)
    for _ in range(_FAR):
        period = following(period, cadence)
        if is_due(checklist, period, where):
            return period
    return None
