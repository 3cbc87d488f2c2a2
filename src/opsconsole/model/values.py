"""The values that readings hold and conditions compare, and the four kinds of units.

Numbers are decimals throughout: a record is hashed, and binary floats do not survive being written down.
"""

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import msgspec


class Unit(StrEnum):
    """What a number counts. Numbers of unlike units are never compared."""

    COUNT = "count"
    PERCENT = "%"
    BYTES = "B"
    SECONDS = "s"


class Number(msgspec.Struct, frozen=True, tag="number"):
    """A decimal in the base unit of its kind: plain, percent points, bytes or seconds."""

    value: Decimal
    unit: Unit = Unit.COUNT


class Moment(msgspec.Struct, frozen=True, tag="moment"):
    """A point in time, aware, kept in UTC."""

    at: dt.datetime


Value = None | bool | str | Number | Moment
"""What one cell or measure holds. None means that the source had nothing there, which is never a pass."""


class UnitError(ValueError):
    """A number whose unit is unknown or can be read in two ways; the message says what to write instead."""


_SCALES: dict[str, tuple[Unit, Decimal]] = {
    "%": (Unit.PERCENT, Decimal(1)),
    "us": (Unit.SECONDS, Decimal("0.000001")),
    "ms": (Unit.SECONDS, Decimal("0.001")),
    "s": (Unit.SECONDS, Decimal(1)),
    "min": (Unit.SECONDS, Decimal(60)),
    "h": (Unit.SECONDS, Decimal(3600)),
    "d": (Unit.SECONDS, Decimal(86400)),
    "B": (Unit.BYTES, Decimal(1)),
    "kB": (Unit.BYTES, Decimal(10**3)),
    "MB": (Unit.BYTES, Decimal(10**6)),
    "GB": (Unit.BYTES, Decimal(10**9)),
    "TB": (Unit.BYTES, Decimal(10**12)),
    "KiB": (Unit.BYTES, Decimal(2**10)),
    "MiB": (Unit.BYTES, Decimal(2**20)),
    "GiB": (Unit.BYTES, Decimal(2**30)),
    "TiB": (Unit.BYTES, Decimal(2**40)),
}

_AMBIGUOUS = {
    "m": "minutes or months? Write 'min' for minutes",
    "M": "mega, minutes or months? Write 'MB', 'MiB' or 'min'",
    "k": "1000 or 1024, and of what? Write 'kB' or 'KiB'",
    "K": "1000 or 1024, and of what? Write 'kB' or 'KiB'",
    "KB": "1000 or 1024? Write 'kB' or 'KiB'",
    "G": "10^9 or 2^30, and of what? Write 'GB' or 'GiB'",
    "T": "10^12 or 2^40, and of what? Write 'TB' or 'TiB'",
    "b": "bits or bytes? Write 'B' for bytes",
    "mb": "megabytes or mebibytes? Write 'MB' or 'MiB'",
    "gb": "gigabytes or gibibytes? Write 'GB' or 'GiB'",
    "mo": "months have no fixed length; write days: '30 d'",
    "y": "years have no fixed length; write days: '365 d'",
}

_SPELLINGS = {
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "mins": "min",
    "minute": "min",
    "minutes": "min",
    "hr": "h",
    "hrs": "h",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
    "week": "7 d",
    "w": "7 d",
    "percent": "%",
    "bytes": "B",
    "byte": "B",
    "msec": "ms",
    "millis": "ms",
    "µs": "us",
}

QUANTITY = re.compile(r"(?P<number>[+-]?(?:\d+(?:_\d+)*)(?:\.\d+)?)\s*(?P<unit>%|[A-Za-zµ]+)?\Z")


class Quantity(msgspec.Struct, frozen=True):
    """A number as somebody wrote it, so that measured values can be shown on the same scale."""

    number: Number
    scale: str = ""

    def __str__(self) -> str:
        return formatted(self.number, self.scale)


def parse_quantity(text: str) -> Quantity:
    """Read `30 s`, `80%`, `1 GiB` or `5`; raise UnitError where the unit is missing its meaning."""
    match = QUANTITY.fullmatch(text.strip())
    if match is None:
        raise UnitError(f"'{text}' is not a number with a unit such as '30 s', '80%', '1 GiB' or '5'")
    unit = match["unit"] or ""
    value = Decimal(match["number"].replace("_", ""))
    if abs(value.adjusted()) > MAX_EXPONENT:
        raise UnitError(f"'{text[:20]}...' has too many digits to be meant")
    if not unit:
        return Quantity(Number(value))
    if unit in _AMBIGUOUS:
        raise UnitError(f"'{text}' is ambiguous: {_AMBIGUOUS[unit]}")
    if unit not in _SCALES:
        raise UnitError(f"'{text}' has the unknown unit '{unit}'{_suggestion(unit)}")
    kind, factor = _SCALES[unit]
    return Quantity(Number(value * factor, kind), unit)


def _suggestion(unit: str) -> str:
    meant = _SPELLINGS.get(unit.lower())
    if meant is None:
        same_letters = [known for known in _SCALES if known.lower() == unit.lower()]
        meant = same_letters[0] if same_letters else None
    if meant is None:
        return "; known are " + ", ".join(_SCALES)
    return f"; did you mean '{meant}'?"


class Duration:
    """A length of time as written in a checklist, such as `10 s` or `2 h`; in records it is that text."""

    __slots__ = ("seconds", "text")

    def __init__(self, seconds: Decimal, text: str) -> None:
        self.seconds = seconds
        self.text = text

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Read a non-negative duration; raise UnitError for any other quantity."""
        quantity = parse_quantity(text)
        if quantity.number.unit is not Unit.SECONDS or quantity.number.value < 0:
            raise UnitError(f"'{text}' is not a duration; write it like '10 s', '5 min', '2 h' or '1 d'")
        return cls(quantity.number.value, text.strip())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self.seconds == other.seconds

    def __hash__(self) -> int:
        return hash(self.seconds)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Duration.parse({self.text!r})"

    def timedelta(self) -> dt.timedelta:
        """Return the same length as a timedelta."""
        return dt.timedelta(seconds=float(self.seconds))


def number(value: Any, unit: Unit = Unit.COUNT) -> Number:
    """Make a Number of an int, float, Decimal or numeric text."""
    return Number(value if isinstance(value, Decimal) else Decimal(str(value)), unit)


def seconds(value: float | Decimal) -> Number:
    """Make a Number of seconds, rounded to the microsecond."""
    return Number(round(Decimal(str(value)), 6).normalize() + 0, Unit.SECONDS)


MAX_EXPONENT = 30
"""Powers of ten that a typed number may reach: beyond it is a slip of the keyboard, not a measurement."""


_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")


def decimal_of(text: str) -> Decimal | None:
    """Return the finite decimal of sensible size that `text` spells, or None."""
    clean = text.strip()
    if "," in clean and not _THOUSANDS.fullmatch(clean):
        return None  # `12,5` is twelve and a half to many: whoever means 125 does not write it so
    try:
        value = Decimal(clean.replace(",", ""))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) <= MAX_EXPONENT else None


_DURATION_STEPS = ((Decimal(86400), "d"), (Decimal(3600), "h"), (Decimal(60), "min"))
_BYTE_STEPS = ("TiB", "GiB", "MiB", "KiB")


def _measured(value: Decimal) -> str:
    """Return a measured value with as many decimals as a person reads: 41.2, 6.06, 0.482."""
    return _rounded(value, 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3)  # noqa: PLR2004 - as many digits as a person reads


def _rounded(value: Decimal, places: int = 3) -> str:
    """Return `value` with thousands separated and at most `places` decimals, without trailing zeros."""
    if value == value.to_integral_value():
        return f"{value:,.0f}"
    shown = f"{value:,.{places}f}".rstrip("0").rstrip(".")
    return shown if shown not in {"0", "-0"} else f"{value:.2g}"


_TENTH = Decimal("0.1")
_LEGIBLE = dict.fromkeys(("min", "h", "d"), Decimal(1))
"""What is less on a scale is easier to read on a smaller one: 4 min of 24 h, and not 0.069 h. Elsewhere a tenth."""
_WRITTEN_OUT = 30
"""Digits beyond which a number is shown with an exponent: `1e999999999`, written out, would fill the memory."""


def formatted(value: Number, scale: str = "") -> str:
    """Return `value` for reading, on the scale given (`GB`, `min` …) or one that suits it better.

    A number that is not finite is shown as such: it is never judged, but its evidence is.
    """
    if not value.value.is_finite():
        return str(value.value)
    if value.value.adjusted() > _WRITTEN_OUT:
        return f"{value.value:.3E}" + ("" if value.unit is Unit.COUNT else f" {value.unit}")
    if scale:
        unit, factor = _SCALES[scale]
        if unit is value.unit and not 0 < abs(value.value / factor) < _LEGIBLE.get(scale, _TENTH):
            return f"{_measured(value.value / factor)} {scale}"
    if value.unit is Unit.COUNT:
        return _rounded(value.value)
    if value.unit is Unit.PERCENT:
        return f"{_rounded(value.value, 1)} %"
    if value.unit is Unit.BYTES:
        return _formatted_bytes(value.value)
    return _formatted_seconds(value.value)


def _formatted_bytes(value: Decimal) -> str:
    for name in _BYTE_STEPS:
        factor = _SCALES[name][1]
        if abs(value) >= factor:
            return f"{_rounded(value / factor, 1)} {name}"
    return f"{_rounded(value)} B"


def _formatted_seconds(value: Decimal) -> str:
    if abs(value) < 1 and value != 0:
        return f"{_rounded(value * 1000, 1)} ms"
    if abs(value) < 120:  # noqa: PLR2004 - up to two minutes people think in seconds
        return f"{_rounded(value, 1)} s"
    sign = "-" if value < 0 else ""
    rest = abs(value)
    parts: list[str] = []
    for factor, name in _DURATION_STEPS:
        whole = rest // factor
        if whole and len(parts) < 2:  # noqa: PLR2004 - two parts are precise enough to read
            parts.append(f"{whole:,.0f} {name}")
            rest -= whole * factor
    return sign + " ".join(parts)


def shown(value: Value, scale: str = "") -> str:
    """Return any value for reading; text is returned raw and still has to be made visible by the front end."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, Moment):
        return value.at.strftime("%Y-%m-%d %H:%M:%SZ")
    return formatted(value, scale)


def kind_words(value: Value) -> str:
    """Return what a value is, in words: `a percentage`, `a text`."""
    match value:
        case bool():
            return "true or false"
        case str():
            return "a text"
        case Number(unit=Unit.COUNT):
            return "a plain number"
        case Number(unit=Unit.PERCENT):
            return "a percentage"
        case Number(unit=Unit.BYTES):
            return "a size in bytes"
        case Number():
            return "a duration"
        case Moment():
            return "a point in time"
        case _:
            return "nothing"
