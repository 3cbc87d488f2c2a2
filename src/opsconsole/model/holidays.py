"""Public holidays, by the `holidays` library: an extra, loaded when a checklist names a country."""

import datetime as dt
import re
import threading
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holidays import HolidayBase

_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?\Z")
_lock = threading.Lock()
"""The library marks a year as known before it has worked it out, so that two threads must not ask at once."""


class CalendarError(ValueError):
    """A time, a set of days, a zone or a country that means nothing; the message says what to write."""


def is_holiday(date: dt.date, region: str) -> bool:
    """Return whether `date` is a public holiday of a country (`US`) or of a part of one (`US-TX`).

    Raises CalendarError for a region that is unknown, or where the library is not installed.
    """
    with _lock:
        return date in _calendar(region)


@cache
def _calendar(region: str) -> "HolidayBase":
    try:
        import holidays
    except ImportError as error:
        raise CalendarError(
            "public holidays need the library `holidays`: pip install 'opsconsole[holidays]'"
        ) from error
    unknown = f"no holidays are known of '{region}'; write a country by ISO 3166, such as 'US' or 'DE-BY'"
    if _REGION.fullmatch(region) is None:
        raise CalendarError(unknown)
    country, _, part = region.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise CalendarError(unknown) from error
