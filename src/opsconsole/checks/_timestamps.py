"""Points in time as answers write them: ISO 8601, seconds or milliseconds since 1970, and HTTP's dates."""

import datetime as dt
import email.utils
import re
import zoneinfo
from decimal import Decimal

from opsconsole.model.values import Number, decimal_of, seconds

SKEW = 300
"""Seconds that a timestamp may lie in the future: as much as two clocks may differ. A later one has no age."""

_STEPS = ((Decimal("1e17"), Decimal("1e9")), (Decimal("1e14"), Decimal("1e6")), (Decimal("1e11"), Decimal(1000)))
"""From which size on a number since 1970 counts nano-, micro- and milliseconds. Seconds reach the first of them in
the year 5138, and milliseconds passed it in 1973."""


class TimestampError(ValueError):
    """A text or number is no point in time, or not a single one; the message says why."""


def age_of(stamp: str | int | Decimal, now: dt.datetime, zone: str = "") -> Number:
    """Return the seconds from a timestamp until `now`; raise TimestampError.

    It is a little below zero where the clock that wrote it is ahead; further ahead than SKEW it is none, for a
    timestamp of the next century would be fresh for ever.
    """
    age = (now - moment_of(stamp, zone)).total_seconds()
    if age < -SKEW:
        raise TimestampError(f"'{_shown(stamp)}' lies in the future: is it the right one, and is its clock right?")
    return seconds(age)


def moment_of(stamp: str | int | Decimal, zone: str = "") -> dt.datetime:
    """Return the moment in UTC that a timestamp means; raise TimestampError.

    `zone` is the IANA zone of those that say none; without it they are not understood.
    """
    if isinstance(stamp, int | Decimal):
        return _since_1970(Decimal(stamp))
    text = stamp.strip()
    if re.fullmatch(r"-?[0-9]{9,}(\.[0-9]+)?", text) and (number := decimal_of(text)) is not None:
        return _since_1970(number)
    found = _iso(text) or _http_date(text)
    if found is None:
        raise TimestampError(
            f"'{_shown(stamp)}' is no point in time: neither ISO 8601, nor a number since 1970, nor a date of HTTP"
        )
    if found.tzinfo is None:
        if not zone:
            raise TimestampError(f"'{_shown(stamp)}' does not say its time zone; name it as `timezone`")
        found = found.replace(tzinfo=zoneinfo.ZoneInfo(zone))
    return _in_utc(found, stamp)


def _in_utc(found: dt.datetime, stamp: object) -> dt.datetime:
    try:
        return found.astimezone(dt.UTC)
    except OverflowError:
        raise TimestampError(f"'{_shown(stamp)}' is beyond the years that a calendar has") from None


def _since_1970(count: Decimal) -> dt.datetime:
    if not count.is_finite() or abs(count) > Decimal("1e21"):
        raise TimestampError(f"{_shown(count)} is no point in time")
    divisor = next((by for least, by in _STEPS if abs(count) >= least), Decimal(1))
    try:
        return dt.datetime.fromtimestamp(float(count / divisor), dt.UTC)
    except (ValueError, OverflowError, OSError):
        raise TimestampError(f"{_shown(count)} is beyond the years that a calendar has") from None


def _iso(text: str) -> dt.datetime | None:
    """Read what fromisoformat does, which is more than RFC 3339; `2026-10-29 06:00:00 UTC` is written too."""
    plain = text.removesuffix(" UTC") + "Z" if text.endswith(" UTC") else text
    try:
        return dt.datetime.fromisoformat(plain.replace(" +", "+") if "T" not in plain else plain)
    except ValueError:
        return None


def _http_date(text: str) -> dt.datetime | None:
    try:
        return email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def zone_problem(zone: str) -> str | None:
    """Return why a text is no time zone, None where it is one or empty."""
    if not zone:
        return None
    try:
        zoneinfo.ZoneInfo(zone)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return f"'{zone}' is no time zone; write it like 'UTC' or 'America/Chicago'"
    return None


def _shown(stamp: object) -> str:
    return " ".join(str(stamp).split())[:60]
