"""Turns what MySQL and MariaDB send for a cell into a value, by the type of its column.

Type numbers: MySQL Source Code Documentation, `enum_field_types`. Cells are as the text protocol has them.
"""

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from opsconsole.model.values import Moment, Number, Unit, Value

TIMESTAMP, DATE, TIME, DATETIME, BIT = 7, 10, 11, 12, 16
NUMERIC = frozenset({0, 1, 2, 3, 4, 5, 8, 9, 13, BIT, 246})
"""DECIMAL, TINYINT, SMALLINT, INT, FLOAT, DOUBLE, BIGINT, MEDIUMINT, YEAR, BIT, DECIMAL as it is now."""

_NO_DATE = re.compile(r"0000-00-00(?: 00:00:00(?:\.0+)?)?")
_TIME = re.compile(r"(?P<sign>-)?(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d+)?)")


def value_of(raw: str | bytes | None, kind: int, unit: Unit | None = None, zone: ZoneInfo | None = None) -> Value:
    """Return a cell as a value.

    Numbers, BIT among them, have the `unit` given for their column; TIME is seconds. TIMESTAMP is a moment, because
    the session is in UTC. DATETIME names none, and stays a text unless a `zone` is given, whose clock it is read
    off: of an hour that the clock shows twice, the first. The date of zeros, which stands for none, is nothing.
    Bytes are shown as `0x…`, all else is the text that the server shows.
    """
    if raw is None:
        return None
    if kind == BIT and isinstance(raw, bytes):
        return Number(Decimal(int.from_bytes(raw, "big")), unit or Unit.COUNT)
    if isinstance(raw, bytes):
        return f"0x{raw.hex()}"
    if kind in NUMERIC:
        return _number(raw, unit or Unit.COUNT)
    if kind in {DATE, DATETIME, TIMESTAMP} and _NO_DATE.fullmatch(raw):
        return None
    if kind == TIMESTAMP:
        return _moment(raw, dt.UTC)
    if kind == DATETIME and zone is not None:
        return _moment(raw, zone)
    if kind == TIME:
        return _duration(raw)
    return raw


def _number(text: str, unit: Unit) -> Value:
    try:
        return Number(Decimal(text), unit)
    except InvalidOperation:
        return text


def _moment(text: str, zone: dt.tzinfo) -> Value:
    try:
        return Moment(dt.datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(dt.UTC))
    except (ValueError, OverflowError):  # `2026-02-00 00:00:00`
        return text


def _duration(text: str) -> Value:
    match = _TIME.fullmatch(text)
    if match is None:
        return text
    found = int(match["hours"]) * 3600 + int(match["minutes"]) * 60 + Decimal(match["seconds"])
    return Number(-found if match["sign"] else found, Unit.SECONDS)
