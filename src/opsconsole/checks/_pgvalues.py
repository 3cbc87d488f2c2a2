"""Turns the text that PostgreSQL sends for a cell into a value, by the type of its column."""

import datetime as dt
import re
from decimal import Decimal, InvalidOperation

from opsconsole.model.values import Moment, Number, Unit, Value

BOOL, INTERVAL, TIMESTAMPTZ = 16, 1186, 1184
NUMERIC = frozenset({20, 21, 23, 26, 700, 701, 1700})
"""bigint, smallint, integer, oid, real, double precision, numeric: `select oid, typname from pg_type`."""

MAX_CELL = 10_000
"""Characters of a text that are kept."""

_INTERVAL = re.compile(
    r"(?:(?P<years>[+-]?\d+) years? ?)?(?:(?P<months>[+-]?\d+) mons? ?)?(?:(?P<days>[+-]?\d+) days? ?)?"
    r"(?:(?P<sign>[+-])?(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d+)?))?"
)
_DAY = Decimal(86_400)
_MONTH = 30 * _DAY
_YEAR = Decimal("365.25") * _DAY


def value_of(raw: bytes | None, kind: int, unit: Unit | None = None) -> Value:
    """Return a cell as a value.

    Numbers have the `unit` given for their column, intervals are seconds, `timestamptz` is a moment. All else is
    the text that the server shows: a date as `YYYY-MM-DD`, and also `timestamp`, which without a zone names no
    moment (`at time zone` makes it one). NaN and infinities stay numbers, which are never judged; moments beyond
    the years that Python knows stay text.
    """
    if raw is None:
        return None
    text = raw.decode("utf-8", "backslashreplace")
    if kind in NUMERIC:
        return _number(text, unit or Unit.COUNT)
    if kind == BOOL:
        return text == "t"
    if kind == TIMESTAMPTZ:
        return _moment(text)
    if kind == INTERVAL:
        return _interval(text)
    return text


def _number(text: str, unit: Unit) -> Value:
    try:
        return Number(Decimal(text), unit)
    except InvalidOperation:
        return text


def _moment(text: str) -> Value:
    try:
        found = dt.datetime.fromisoformat(text)
        return Moment(found.astimezone(dt.UTC) if found.tzinfo is not None else found.replace(tzinfo=dt.UTC))
    except (ValueError, OverflowError):  # `infinity`, `4713-01-01 00:00:00+00 BC`
        return text


def _interval(text: str) -> Value:
    """Return the seconds of an interval as `extract(epoch from …)` counts them: a month 30 days, a year 365.25."""
    match = _INTERVAL.fullmatch(text)
    if match is None or not text:  # `infinity`
        return text
    part = {name: Decimal(value or 0) for name, value in match.groupdict().items() if name != "sign"}
    clock = part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"]
    clock = -clock if match["sign"] == "-" else clock
    return Number(part["years"] * _YEAR + part["months"] * _MONTH + part["days"] * _DAY + clock, Unit.SECONDS)


def shortened(value: Value) -> tuple[Value, bool]:
    """Return a value that is not too long to keep, and whether it had to be cut."""
    if isinstance(value, str) and len(value) > MAX_CELL:
        return value[:MAX_CELL], True
    return value, False
