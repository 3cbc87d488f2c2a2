"""A series drawn in text, with everything that is needed to read it: its axis, its limits and its gaps."""

from decimal import Decimal

from opsconsole.export.report_blocks import (
    bound_words,
    chart_values,
    missing_words,
    scale_of,
    subject_words,
    told,
)
from opsconsole.model.charts import bar, sparkline
from opsconsole.model.report_numbers import Series
from opsconsole.model.values import formatted

WIDTH = 60


def chart_lines(series: Series, *, ascii_only: bool = False) -> list[str]:
    """Return a series as lines of text: what it is, the line of readings, and how near the limit the worst came."""
    fixed = [each.value.value for each in series.bounds if not each.moving]
    worst = max if not series.bounds or series.bounds[0].upper else min
    beyond = {each.value.value for each in series.points if each.value is not None and each.beyond}
    line = sparkline(
        chart_values(series),
        limits=fixed,
        is_beyond=beyond.__contains__,
        pick=worst,
        width=WIDTH,
        ascii_only=ascii_only,
    )
    if line is None:
        return []
    cells = "" if line.per_cell == 1 else f", each character the worst of {line.per_cell}"
    axis = f"{told(series, line.low)} (lowest) to {told(series, line.high)} (highest)"
    lines = [
        subject_words(series),
        f"  {line.text}",
        f"  axis {axis}; {missing_words(series)}{cells}",
    ]
    if "!" in line.beyond:
        lines.insert(2, f"  {line.beyond.rstrip()}  ! = beyond {_bounds(series)}")
    elif series.bounds:
        lines.append(f"  never beyond {_bounds(series)}")
    return [*lines, *_bars(series, ascii_only=ascii_only)]


def _bounds(series: Series) -> str:
    return ", ".join(bound_words(series, each) for each in series.bounds)


def _bars(series: Series, *, ascii_only: bool) -> list[str]:
    """Return the worst reading against the nearest fixed limit."""
    for each in series.bounds:
        if each.moving:
            continue
        value = series.greatest if each.upper else series.least
        drawn = bar(value.value, each.value.value, ascii_only=ascii_only)
        ends = f"{_plain(series, drawn.low)} to {_plain(series, drawn.high)}"
        word = "greatest" if each.upper else "least"
        return [f"  [{drawn.text}] {word} {told(series, value)}, | = {bound_words(series, each)}; bar {ends}"]
    return []


def _plain(series: Series, value: Decimal) -> str:
    return "0" if not value else formatted(type(series.median)(value, series.median.unit), scale_of(series))
