"""Numbers of a report as blocks: series with their limits and trends, entries against readings, time spent."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from opsconsole.export.report_blocks import (
    Block,
    Bullets,
    Chart,
    Heading,
    Paragraph,
    bound_words,
    difference,
    subject_words,
    table,
    told,
)
from opsconsole.model.report_effort import HOW
from opsconsole.model.report_numbers import Accuracy, Series
from opsconsole.model.reports import Effort
from opsconsole.model.trends import Trend as Direction
from opsconsole.model.values import formatted


def series_blocks(title: str, series: Sequence[Series], *, charts: bool = True) -> Iterator[Block]:
    """Yield a table of series, and a chart of each."""
    yield Heading(2, title)
    head = (
        *("Item", "What", "Limit", "Used", "Runs", "Least", "Average", "Median", "Greatest", "Last"),
        *("Median before", "Change", "Trend"),
    )
    yield table(head, [_series_row(each) for each in series], "No number with a limit was read.")
    if not charts:
        return
    for each in series:
        yield Chart(each.title, each)


def _series_row(series: Series) -> tuple[str, ...]:
    limits = "; ".join(bound_words(series, each) for each in series.bounds)
    incomparable = f" ({series.incomparable} measured in another way left out)" if series.incomparable else ""
    return (
        series.title,
        f"{subject_words(series)}{incomparable}",
        limits or "-",
        f"{series.used * 100:.0f} %" if series.used is not None else "-",
        str(series.readings),
        told(series, series.least),
        told(series, series.mean),
        told(series, series.median),
        told(series, series.greatest),
        told(series, series.last),
        told(series, series.median_before) if series.median_before is not None else "-",
        _change_words(series),
        trend_words(series),
    )


def _change_words(series: Series) -> str:
    if series.change is None:
        return "-"
    if not series.change.value:
        return "none"
    sign = "+" if series.change.value > 0 else ""
    percent = f" ({series.change_percent:+} %)" if series.change_percent is not None else ""
    return f"{sign}{difference(series, series.change)}{percent}"


def trend_words(series: Series) -> str:
    """Return which way a series goes, in words that claim no more than its interval allows."""
    trend = series.trend
    if trend is None or trend.direction is Direction.UNCLEAR or trend.low is None or trend.high is None:
        return "too few readings to say"
    if trend.direction is Direction.STEADY:
        return "no direction beyond its noise"
    slope = (
        f"{trend.direction} {difference(series, trend.per_day)} a day "
        f"(95 %: {difference(series, trend.low)} to {difference(series, trend.high)})"
    )
    if trend.meets_on is None:
        return slope
    until = f" to {trend.meets_until}" if trend.meets_until is not None else " or much later"
    return f"{slope}; if it goes on, beyond '{trend.meets}' about {trend.meets_on} ({trend.meets_from}{until})"


def accuracy_blocks(accuracy: Sequence[Accuracy]) -> Iterator[Block]:
    """Yield what people entered against what was measured, day by day."""
    yield Heading(2, "Accuracy: entries against readings")
    rows = [
        (
            item.title,
            f"{each.date}",
            formatted(each.entered),
            formatted(each.measured),
            f"{each.percent:+} %" if each.percent is not None else "-",
            str(each.outcome),
            item.condition,
        )
        for item in accuracy
        for each in item.days
    ]
    yield table(("Item", "Date", "Entered", "Measured", "Difference", "Outcome", "Asked"), rows)
    if rows:
        yield Bullets(
            tuple(
                f"{each.title}: largest difference {each.greatest_percent} % on {len(each.days)} days"
                for each in accuracy
                if each.greatest_percent is not None
            )
        )


def effort_blocks(effort: Sequence[Effort]) -> Iterator[Block]:
    """Yield the time that people worked, against what was planned, and how it is counted."""
    yield Heading(2, "Time spent")
    rows = [
        (
            each.checklist,
            str(each.runs),
            f"{each.planned_minutes} min",
            minutes(each.active_seconds),
            ", ".join(f"{who} {minutes(seconds)}" for who, seconds in each.people),
        )
        for each in effort
    ]
    yield table(
        ("Checklist", "Runs with work planned", "Planned", "Spent", "By"), rows, "Nobody did anything by hand."
    )
    yield Paragraph(HOW)


def minutes(seconds: Decimal) -> str:
    """Return a length of work in minutes."""
    return f"{round(seconds / 60, 1)} min"
