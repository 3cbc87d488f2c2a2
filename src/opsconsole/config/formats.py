"""What the types of a checklist do not say: the limits of its values, and mistakes that are known."""

import datetime as dt
from collections.abc import Callable
from zoneinfo import available_timezones

from opsconsole.config.decoding import Check, Rules, keys_of
from opsconsole.config.limits import an_id, one_line, some, unique, whole
from opsconsole.config.words import nearest, quoted
from opsconsole.model.calendar import time_of_day, zone
from opsconsole.model.checklists import (
    ID,
    Baseline,
    Checklist,
    Due,
    Entry,
    Escalation,
    Field,
    ForEach,
    Item,
    Retry,
    Schedule,
    Section,
)
from opsconsole.model.duedays import due_days
from opsconsole.model.holidays import CalendarError, is_holiday
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Duration

_ON_EMPTY = (Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.ERROR, Outcome.SKIPPED)
_ON_TIMEOUT = (Outcome.WARN, Outcome.FAIL, Outcome.ERROR)
_ON_NO_HISTORY = (Outcome.WARN, Outcome.FAIL, Outcome.ERROR, Outcome.SKIPPED)
_REASONS = (
    "no-permission",
    "not-found",
    "not-booted-with-systemd",
    "missing-program",
    "empty",
    "source-down",
    "tls",
    "refused",
    "no-secret",
    "missing-driver",
    "too-large",
    "unknown-source",
    "superuser",
    "timeout",
    "bad-answer",
    "failed",
)
"""The reasons of problems that several probes share (contracts.probe.ProbeError); a kind may have more."""

MAX_TIMEOUT = 600
_MINUTE, _DAY = 60, 86400


def _optional_line(text: str) -> str | None:
    return one_line(text) if text else None


def _from_calendar(read: Callable[[str], object]) -> Check:
    def check(text: str) -> str | None:
        try:
            read(text)
        except CalendarError as error:
            return str(error)
        return None

    return check


def _timezone(name: str) -> str | None:
    if name == "local":
        return None
    message = _from_calendar(zone)(name)
    meant = nearest(name, available_timezones()) if message else None
    return f"unknown time zone {quoted(name)}; did you mean '{meant}'?" if meant else message


def _holidays(region: str) -> str | None:
    return _from_calendar(lambda each: is_holiday(dt.date(2000, 1, 1), each))(region) if region else None


def _interval(every: Duration) -> str | None:
    """Refuse intervals that do not divide a day, which would drift from day to day."""
    whole_minutes = every.seconds >= _MINUTE and every.seconds % _MINUTE == 0
    if whole_minutes and _DAY % every.seconds == 0 and every.seconds < _DAY:
        return None
    return f"{every} is no interval: whole minutes that divide a day, such as '5 min', '15 min', '1 h' or '6 h'"


def _optional_id(text: str) -> str | None:
    return an_id(text) if text else None


def _duration(low: int, high: int, most: str) -> Check:
    """Refuse durations that are not longer than `low` seconds or longer than `high`, which is called `most`."""

    def check(value: Duration) -> str | None:
        if value.seconds <= low and low >= 0:
            return f"must be longer than {low} s"
        return f"{value} is too long: at most {most}" if value.seconds > high else None

    return check


def _lines(values: tuple[str, ...]) -> str | None:
    return next((f"{quoted(each)} {message}" for each in values if (message := one_line(each)) is not None), None)


def _targets(value: tuple[str, ...] | ForEach) -> str | None:
    return None if isinstance(value, ForEach) else some(unique(_lines))(value)


def _reasons(values: tuple[str, ...]) -> str | None:
    for each in values:
        if ID.fullmatch(each) is None or "_" in each:
            return f"{quoted(each)} is no reason; reasons are written like 'not-booted-with-systemd'"
        meant = nearest(each, _REASONS, alike=0.9)
        if meant not in {None, each}:
            return f"unknown reason {quoted(each)}; did you mean '{meant}'?"
    return None


def _lower(outcomes: tuple[Outcome, ...]) -> dict[str, Outcome]:
    return {str(each).lower(): each for each in outcomes}


CHECKLIST_RULES = Rules(
    checks={
        (Checklist, "title"): one_line,
        (Checklist, "system"): _optional_line,
        (Due, "at"): _from_calendar(time_of_day),
        (Due, "days"): _from_calendar(due_days),
        (Due, "timezone"): _timezone,
        (Due, "grace"): _duration(-1, 92 * 86400, "92 d"),
        (Schedule, "at"): _from_calendar(time_of_day),
        (Due, "holidays"): _holidays,
        (Due, "every"): _interval,
        (Due, "after"): _optional_id,
        (Baseline, "readings"): whole(2, 365),
        (Baseline, "least"): whole(2, 365),
        (Section, "title"): one_line,
        (Item, "id"): an_id,
        (Item, "title"): one_line,
        (Item, "refs"): unique(_lines),
        (Item, "requires"): unique(),
        (Item, "for_each"): _targets,
        (ForEach, "item"): an_id,
        (ForEach, "column"): _optional_line,
        (Checklist, "cutoff"): _duration(-1, 86400, "1 d"),
        (Item, "skip_when"): unique(_reasons),
        (Item, "timeout"): _duration(0, MAX_TIMEOUT, "10 min"),
        (Item, "minutes"): whole(0, 1440),
        (Item, "priority"): _optional_line,
        (Entry, "label"): one_line,
        (Escalation, "escalate"): _optional_line,
        (Retry, "times"): whole(1, 5),
        (Retry, "delay"): _duration(-1, MAX_TIMEOUT, "10 min"),
        (Retry, "on"): some(unique()),
        (Field, "id"): an_id,
        (Field, "title"): one_line,
    },
    choices={
        (Item, "on_empty"): _lower(_ON_EMPTY),
        (Item, "on_timeout"): _lower(_ON_TIMEOUT),
        (Item, "on_connect_error"): _lower(_ON_TIMEOUT),
        (Item, "on_nan"): _lower(_ON_NO_HISTORY),
        (Item, "on_too_few"): _lower(_ON_EMPTY),
        (Item, "on_no_history"): _lower(_ON_NO_HISTORY),
    },
    hints={
        (Checklist, "id"): "the id of a checklist is the name of its file",
        (Checklist, "item"): "an item stands in a section: [[section.item]]",
        (Checklist, "at"): 'it belongs to due: due = { at = "08:00" }',
        (Checklist, "days"): 'it belongs to due: due = { days = "Mon..Fri" }',
        (Checklist, "timezone"): 'it belongs to due: due = { timezone = "America/Chicago" }',
        (Checklist, "grace"): 'it belongs to due: due = { grace = "2 h" }',
        (Due, "time"): "the time of day is called 'at'",
        (Item, "options"): "what the probe is told stands beside the other keys of the item",
        (Item, "runbook"): 'it belongs to on_fail: on_fail = { runbook = "…" }',
        (Item, "escalate"): 'it belongs to on_fail: on_fail = { escalate = "…" }',
    },
)
"""What holds beyond the types of `model.checklists`."""

ITEM_KEYS = tuple(key for key in keys_of(Item) if key != "options")
"""The keys that an item of any kind may have."""
