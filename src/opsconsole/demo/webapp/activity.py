"""What people do on the site, as its logs have it: always the same for the same stretch of time."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from opsconsole.demo.drawing import between, pick
from opsconsole.demo.webapp.faults import Fault

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
_ERRORS = (
    "Could not send the mail of application {number}: connection refused by the relay",
    "Invalid image in the profile of user {number}",
    "Quest {number}: the summary could not be made",
    "Webhook {number} was answered with status 410",
    "Session of user {number} could not be restored",
    "Map tile {number} is missing",
)
"""Kinds of errors of every day: each hour has one of them."""
_UNHEARD = "IntegrityError: duplicate key value violates unique constraint of participant {number}"
_REQUESTS = ("/", "/quests/", "/quests/{number}/", "/api/quests/", "/api/applications/", "/static/app.css")
_BETWEEN_REQUESTS = 3
"""Seconds."""
_FAULTY_SHARE, _GATEWAY_SHARE = 100, 11
"""One in so many requests."""
_BURST = 28


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the application's log."""

    at: dt.datetime
    """Aware."""
    level: str
    message: str

    @property
    def line(self) -> str:
        """It as Django's `{levelname} {asctime} {module} {message}`, in UTC, with its line feed."""
        at = self.at.astimezone(dt.UTC)
        module = "middleware" if self.level == "DEBUG" else "views"
        return f"{self.level} {at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03} {module} {self.message}\n"


def entries_between(begin: dt.datetime, end: dt.datetime, fault: Fault | None, now: dt.datetime) -> list[Entry]:
    """Return what the application writes from an instant to another (aware), in order; faults are about `now`."""
    found = list(_of_fault(fault, now))
    hour = begin.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
    while hour < end:
        found += _of_hour(hour, failing=fault is Fault.FAILED_APPROVALS and hour >= _midnight(now) - DAY)
        hour += HOUR
    return sorted((each for each in found if begin <= each.at < end), key=lambda each: each.at)


@cache
def _of_hour(hour: dt.datetime, *, failing: bool) -> tuple[Entry, ...]:
    return tuple(_drawn_hour(hour, failing=failing))


def _drawn_hour(hour: dt.datetime, *, failing: bool) -> Iterator[Entry]:
    for minute in range(2, 60, 5):
        yield Entry(hour + dt.timedelta(minutes=minute, seconds=4), "INFO", "health is OK")
    yield _drawn(hour, "ERROR", _ERRORS[int(hour.timestamp() // 3600) % len(_ERRORS)], "error")
    approvals = between(f"{hour} approvals", 26, 38)
    for each in range(approvals):
        failed = each % 5 == 0 if failing else each == 0 and hour.hour % 9 == 0
        level, said = ("WARNING", "Application approval failed") if failed else ("INFO", "Application approved")
        yield _drawn(hour, level, f"{said}: {{number}}", f"approval {each}")
    for each in range(between(f"{hour} assignments", 34, 52)):
        yield _drawn(hour, "INFO", "Quest assigned: {number}", f"assignment {each}")


def _of_fault(fault: Fault | None, now: dt.datetime) -> Iterator[Entry]:
    yesterday = _midnight(now) - DAY
    if fault is Fault.NEW_ERROR:
        for hour in (9, 11, 17):
            yield _drawn(yesterday + hour * HOUR, "ERROR", _UNHEARD, "unheard")
    if fault is Fault.ERROR_BURST:
        for each in range(_BURST):
            yield _drawn(yesterday + 14 * HOUR, "ERROR", _ERRORS[0], f"burst {each}")
    if fault is Fault.CRITICAL:
        at = now - dt.timedelta(minutes=4)
        yield Entry(at, "CRITICAL", "CRITICAL: the queue of assignments is full, new ones are dropped")
    if fault is Fault.PASSWORD_LOGGED:
        # Neither is one: the second is the example of its maker's documentation.
        key = "AKIA" + "IOSFODNN7EXAMPLE"
        at = now - dt.timedelta(seconds=90)
        yield Entry(at, "WARNING", "form refused: {'user': 'visitor', 'password': 'not-Really-1-sEcret'}")
        yield Entry(at, "WARNING", f"upload refused: aws_access_key_id={key}")


def _drawn(hour: dt.datetime, level: str, message: str, seed: str) -> Entry:
    """Return an entry somewhere in an hour, with a number drawn for it."""
    after = dt.timedelta(milliseconds=between(f"{hour} {seed} at", 0, 3_599_999))
    return Entry(hour + after, level, message.format(number=between(f"{hour} {seed}", 1_000, 48_000)))


def requests_between(
    begin: dt.datetime, end: dt.datetime, fault: Fault | None
) -> Iterator[tuple[dt.datetime, str]]:
    """Yield the requests to nginx from an instant to another: when, and its line in the format `combined`."""
    share = _GATEWAY_SHARE if fault is Fault.GATEWAY_ERRORS else _FAULTY_SHARE
    first = -int(-begin.timestamp() // _BETWEEN_REQUESTS)
    for number in range(first, -int(-end.timestamp() // _BETWEEN_REQUESTS)):
        at = dt.datetime.fromtimestamp(number * _BETWEEN_REQUESTS, dt.UTC)
        path = pick(f"{number} path", _REQUESTS).format(number=number % 97)
        failed = number % share == 0
        status, size = (502, 157) if failed else (200, between(f"{number} size", 480, 19_000))
        client = f"192.0.2.{number * 7 % 250 + 1}"
        stamp = f"{at:%d/%b/%Y:%H:%M:%S} +0000"
        yield at, f'{client} - - [{stamp}] "GET {path} HTTP/1.1" {status} {size} "-" "Mozilla/5.0"\n'


def _midnight(now: dt.datetime) -> dt.datetime:
    return now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
