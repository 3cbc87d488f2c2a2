"""What a report is built of before it is markdown, HTML or text: headings, sentences, tables, quotations, charts.

Texts in blocks are raw: what writes a format makes them harmless for it.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from opsconsole.model.report_numbers import Bound, Series
from opsconsole.model.values import Number, Unit, formatted


class Heading(msgspec.Struct, frozen=True):
    """A heading; level 1 is the title of the whole report."""

    level: int
    text: str


class Paragraph(msgspec.Struct, frozen=True):
    """A paragraph of one line."""

    text: str
    strong: bool = False


class Bullets(msgspec.Struct, frozen=True):
    """A list of single lines."""

    items: tuple[str, ...]


class Table(msgspec.Struct, frozen=True):
    """A table; every row is as long as its head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Quote(msgspec.Struct, frozen=True):
    """What a person wrote, word for word, with where, who and when."""

    about: str
    text: str


class Chart(msgspec.Struct, frozen=True):
    """A series with its limits; formats draw it as they can."""

    title: str
    series: Series


Block = Heading | Paragraph | Bullets | Table | Quote | Chart


def table(head: Sequence[str], rows: Sequence[Sequence[str]], nothing: str = "None.") -> Block:
    """Return a table, a sentence where it would have no rows."""
    if not rows:
        return Paragraph(nothing)
    return Table(tuple(head), tuple(tuple(each) for each in rows))


# --- a chart in words ------------------------------------------------------------------------------


def chart_values(series: Series) -> list[Decimal | None]:
    """Return the value of each point, None where there is a gap."""
    unit = series.median.unit
    return [
        each.value.value if each.value is not None and each.value.unit is unit else None for each in series.points
    ]


def scale_of(series: Series) -> str:
    """Return the unit in which the limits of a series were written, so that all is shown on one scale."""
    return next((each.scale for each in series.bounds if each.scale and each.value.value), "")


def told(series: Series, value: Number | Decimal) -> str:
    """Return a number of a series for reading."""
    number = value if isinstance(value, Number) else Number(value, series.median.unit)
    return formatted(number, scale_of(series))


def difference(series: Series, value: Number) -> str:
    """Return a difference of two numbers of a series for reading: of percentages it is in points."""
    if value.unit is Unit.PERCENT:
        return f"{formatted(Number(value.value))} points"
    return told(series, value)


def bound_words(series: Series, bound: Bound) -> str:
    """Return `limit 80 %` or `target at least 1 GB`."""
    word = "limit" if bound.level.value == "require" else "target"
    now = " (now)" if bound.moving else ""
    return (
        f"{word} {'' if bound.upper else 'at least '}{formatted(bound.value, bound.scale or scale_of(series))}{now}"
    )


def missing_words(series: Series) -> str:
    """Return how many points a series has, and how many of them are gaps."""
    gaps = sum(each is None for each in chart_values(series))
    runs = f"{len(series.points)} run{'' if len(series.points) == 1 else 's'}"
    return runs if not gaps else f"{runs}, {gaps} without a reading"


def subject_words(series: Series) -> str:
    """Return what was measured: `duration of ConnectWise`, `used on /var`."""
    what = series.subject
    if series.row:
        what += f" of {series.row}"
    return f"{what} on {series.target}" if series.target else what
