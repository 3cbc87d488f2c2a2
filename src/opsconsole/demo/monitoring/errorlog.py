"""The error log of the site, as its database has it: a quiet one, the same kinds of errors week for week."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from opsconsole.demo.drawing import between
from opsconsole.demo.monitoring.faults import Fault

HISTORY_DAYS = 280
"""Days of the log: a quarter, the one before it, and the month before that."""
AHEAD_DAYS = 2
"""Days of it that are yet to come, and show when they have."""
_BY_WEEKDAY = (4, 3, 3, 3, 4, 1, 1)
"""Errors on each day of the week, Monday first: no week has more of them than another."""
_KINDS = (
    "Webhook of the payment provider timed out",
    "Mail queue: message {number} is tried again",
    "Membership {number}: no address for the invoice",
    "Report on attendance was late",
    "Mandate {number} has no date",
    "Session of a volunteer expired while saving",
    "Chapter {number}: postal code is unknown",
)
_BANK = "Direct debit: the bank did not answer to batch {number}"
_UNHEARD = "KeyError: 'iban' in create_refund of payment {number}"
_STORM, _STORM_MINUTES = 34, 20


@dataclass(frozen=True, slots=True)
class LoggedError:
    """One row."""

    at: dt.datetime
    """Aware."""
    title: str


def quiet_log(now: dt.datetime) -> Iterator[LoggedError]:
    """Yield what was logged up to an instant (aware), and what will be in the days after it."""
    today = now.date()
    for back in range(HISTORY_DAYS, -AHEAD_DAYS - 1, -1):
        day = today - dt.timedelta(days=back)
        midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
        for place in range(_BY_WEEKDAY[day.weekday()]):
            kind = _KINDS[(day.toordinal() * 3 + place) % len(_KINDS)]
            at = midnight + dt.timedelta(seconds=between(f"{day} {place}", 7 * 3600, 20 * 3600))
            yield LoggedError(at, _numbered(kind, f"{day} {place} number"))


def with_fault(now: dt.datetime, fault: Fault | None) -> Iterable[LoggedError]:
    """Return what a fault adds to the log."""
    if fault is Fault.NEW_ERROR:
        return [LoggedError(now - dt.timedelta(minutes=48), _numbered(_UNHEARD, str(now)))]
    if fault is Fault.ERROR_STORM:
        step = dt.timedelta(minutes=_STORM_MINUTES) / _STORM
        began = now - dt.timedelta(minutes=_STORM_MINUTES + 31)
        # Known for a fortnight: that it comes so often is what is new.
        known = LoggedError(now - dt.timedelta(days=13, hours=2), _numbered(_BANK, "known"))
        return [known, *(LoggedError(began + each * step, _numbered(_BANK, str(each))) for each in range(_STORM))]
    return []


def _numbered(kind: str, seed: str) -> str:
    return kind.format(number=between(seed, 10_412, 18_977))
