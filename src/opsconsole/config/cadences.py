"""Checks what `cadence`, `due` and their neighbours say together: what is missing, what means nothing."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from opsconsole.config.diagnostics import WHOLE, Report
from opsconsole.model.calendar import Period, due_date, following, is_closed, period_of, times_of
from opsconsole.model.checklists import Cadence, Checklist, Due, LooksBack
from opsconsole.model.duedays import due_days

_OWN = {"every": Cadence.INTERVAL, "on": Cadence.ONCE, "after": Cadence.ONCE}
"""Keys of `due` that belong to one cadence."""
_USELESS = {
    Cadence.INTERVAL: {"at": "an interval is due when it begins"},
    Cadence.ONCE: dict.fromkeys(("days", "holidays", "closed"), "a list that is due once has its one date"),
}
"""Keys of `due` that nothing asks for, with why."""
_RARE = frozenset({Cadence.WEEKLY, Cadence.MONTHLY, Cadence.QUARTERLY})
_SAMPLE = dt.date(2001, 1, 1)
"""A Monday, and the first day of a quarter."""
_SAMPLE_YEARS = 28
"""After so many years weekdays, dates and leap days meet again."""
_FIFTH = 5
_UTC = ZoneInfo("UTC")


def check_cadence(checklist: Checklist, tables: Mapping[str, Any], report: Report) -> None:
    """Report what is wrong with when a checklist is due; `tables` are those of its file."""
    due = tables.get("due")
    given = due if isinstance(due, dict) else {}
    _check_own_keys(checklist, given, report)
    if report.failed:
        return
    for key, why in _USELESS.get(checklist.cadence, {}).items():
        if key in given:
            report.warn(WHOLE.at("due", key), f"means nothing for the cadence '{checklist.cadence}': {why}")
    _check_looks_back(checklist, tables, report)
    _check_grace(checklist, given, report)
    if checklist.cadence in _RARE:
        _check_days(checklist, report)
        _check_closed(checklist, report)


def _check_own_keys(checklist: Checklist, given: Mapping[str, Any], report: Report) -> None:
    cadence, due = checklist.cadence, checklist.due
    for key, only in _OWN.items():
        if key in given and cadence is not only:
            report.error(WHOLE.at("due", key), f"goes with cadence = '{only}', and this one is '{cadence}'")
    place = WHOLE.at("due") if given else WHOLE.at("cadence")
    if cadence is Cadence.INTERVAL and due.every is None:
        report.error(place, 'an interval needs its length: due = { every = "15 min" }')
    if cadence is Cadence.ONCE and bool(due.on) is bool(due.after):
        either = 'due = { on = 2026-11-21 }, or due = { after = "qbr-9day" } where it follows a qualification'
        which = "not both" if due.on else "and this has neither"
        report.error(place, f"a list that is due once says when, {which}: {either}")


def _check_looks_back(checklist: Checklist, tables: Mapping[str, Any], report: Report) -> None:
    """Warn where the window that a run looks back over is another one than the file seems to say."""
    place = WHOLE.at("looks_back")
    if "looks_back" not in tables:
        return
    if checklist.cadence is Cadence.DAILY:
        report.warn(place, "means nothing for a daily list: schedule.covers says which day's data it looks at")
    elif checklist.cadence is Cadence.ONCE:
        what = "the days of its qualification" if checklist.due.after else "its own date"
        report.warn(place, f"means nothing for a list that is due once, which looks back over {what}")
    elif checklist.looks_back is LooksBack.SAME and checklist.cadence is Cadence.INTERVAL:
        report.warn(place, "an interval has hardly begun when it is due: it would look at what is still to come")


def _check_grace(checklist: Checklist, given: Mapping[str, Any], report: Report) -> None:
    """Warn where a list is missed before its grace is over."""
    if checklist.cadence is Cadence.ONCE or (checklist.cadence is Cadence.INTERVAL and "grace" not in given):
        return
    grace = checklist.due.grace
    if checklist.cadence is Cadence.INTERVAL and checklist.due.every is not None:
        room = checklist.due.every.timedelta()
    else:
        date = next((each for each in _sample(checklist) if due_date(each, checklist.due, checklist.cadence)), None)
        if date is None:
            return
        times = times_of(checklist, date, _UTC)
        room = (times.ends_at or times.due_at) - times.due_at
    if grace.timedelta() > room:
        place = WHOLE.at("due", "grace" if "grace" in given else "at")
        over = {Cadence.INTERVAL: "interval", Cadence.DAILY: "day"}.get(checklist.cadence, "period")
        report.warn(place, f"the {over} is over, and the list missed, before its grace of {grace} is")


def _sample(checklist: Checklist) -> Iterator[Period]:
    """Yield the periods of as many years as it takes until the calendar repeats."""
    period = period_of(_SAMPLE, checklist.cadence)
    while period.start.year < _SAMPLE.year + _SAMPLE_YEARS:
        yield period
        period = following(period, checklist.cadence)


def _check_days(checklist: Checklist, report: Report) -> None:
    """Warn of weeks and months in which none of the days lies: nothing is due in them, and nothing missed."""
    due, days, cadence = Due(days=checklist.due.days), due_days(checklist.due.days), checklist.cadence
    monthly = days.month_days or any(nth < _FIFTH for _, nth in days.ordinals)
    if days.weekdays or (monthly and cadence is not Cadence.WEEKLY):
        return
    without = next((each.key for each in _sample(checklist) if due_date(each, due, cadence) is None), None)
    if without is not None:
        of = {Cadence.WEEKLY: "weeks", Cadence.MONTHLY: "months"}.get(cadence, "quarters")
        message = f"lie in some {of} only: nothing is due in the others, such as {without}"
        report.warn(WHOLE.at("due", "days"), message)


def _check_closed(checklist: Checklist, report: Report) -> None:
    """Warn of periods in which every day that the list could be done on is closed."""
    due, cadence = checklist.due, checklist.cadence
    for period in sorted({period_of(each, cadence) for each in due.closed}):
        day = due_date(period, due, cadence)
        if day is not None and is_closed(day, due):
            report.warn(
                WHOLE.at("due", "closed"),
                f"leave no working day after it in {period.key}: the list is due on {day}, although that is closed",
            )
