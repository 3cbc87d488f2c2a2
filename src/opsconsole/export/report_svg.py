"""A series as a picture in SVG, to stand inside an HTML document: a linear axis with its ends written on it.

Its attributes say enough for a reader that does not apply the style sheet of the page to pictures.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import escape

from opsconsole.export.report_blocks import bound_words, chart_values, missing_words, subject_words, told
from opsconsole.model.readings import Level
from opsconsole.model.report_numbers import Bound, Series
from opsconsole.model.text import visible

_WIDTH, _HEIGHT = 640, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 150, 14, 26
_LINE_OF_TEXT = 13
_DOTTED = 200
"""Readings up to which each has a dot."""


def svg(series: Series) -> str:
    """Return the picture; empty where no point has a value. What it shows is said in words in its title."""
    values = chart_values(series)
    known = [each for each in values if each is not None]
    if not known:
        return ""
    bounds = [each for each in series.bounds if not each.moving and each.value.unit is series.median.unit]
    axis = [*known, *(each.value.value for each in bounds)]
    low, high = min(axis), max(axis)
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    look = 'font-size="11" font-family="sans-serif" fill="currentColor"'
    parts = [
        f'<svg class="chart" role="img" {size} {look}>',
        f"<title>{_text(_told_words(series, low, high))}</title>",
        *_frame(series, low, high),
    ]
    parts += _limits(series, bounds, low, high)
    parts += _lines(values, low, high)
    parts += _dots(series, values, low, high)
    return "\n".join([*parts, "</svg>"])


def _told_words(series: Series, low: Decimal, high: Decimal) -> str:
    return f"{subject_words(series)}: {missing_words(series)}, axis {told(series, low)} to {told(series, high)}"


def _text(words: str) -> str:
    return escape(visible(words), quote=True)


def _frame(series: Series, low: Decimal, high: Decimal) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    yield f'<path class="axis" fill="none" stroke="#888888" d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}"/>'
    ends = [(high, _TOP)] if high == low else [(high, _TOP), (low, bottom)]
    for value, y in ends:
        at = (_TOP + bottom) // 2 if high == low else y
        yield f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{_text(told(series, value))}</text>'
    first, last = series.points[0].date, series.points[-1].date
    yield f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{first}</text>'
    if last != first:
        yield f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 8}" text-anchor="end">{last}</text>'


def _x(index: int, count: int) -> Decimal:
    span = _WIDTH - _RIGHT - _LEFT - 12
    return Decimal(_LEFT + 6) + round(Decimal(span * index) / max(1, count - 1), 1)


def _y(value: Decimal, low: Decimal, high: Decimal) -> Decimal:
    bottom = _HEIGHT - _BOTTOM
    if high == low:
        return Decimal(_TOP + bottom) / 2
    return round(bottom - (value - low) / (high - low) * (bottom - _TOP), 1)


def _limits(series: Series, bounds: Sequence[Bound], low: Decimal, high: Decimal) -> Iterator[str]:
    """Yield a line for each limit, and its words right of it, none over another."""
    free = Decimal(0)
    for each in sorted(bounds, key=lambda bound: -bound.value.value):
        y = _y(each.value.value, low, high)
        kind, colour = ("limit", "#b3261e") if each.level is Level.REQUIRE else ("target", "#8a5a00")
        ends = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"'
        yield f'<line class="{kind}" stroke="{colour}" stroke-dasharray="6 3" {ends}/>'
        free = max(y + 4, free)
        words = _text(bound_words(series, each))
        yield f'<text class="{kind}" fill="{colour}" x="{_WIDTH - _RIGHT + 6}" y="{free}">{words}</text>'
        free += _LINE_OF_TEXT


def _lines(values: Sequence[Decimal | None], low: Decimal, high: Decimal) -> Iterator[str]:
    """Yield a line for each stretch without a gap."""
    stretch: list[str] = []
    for index, value in enumerate([*values, None]):
        if value is not None:
            stretch.append(f"{_x(index, len(values))},{_y(value, low, high)}")
            continue
        if len(stretch) > 1:
            yield f'<polyline class="line" fill="none" stroke="#0b5cad" points="{" ".join(stretch)}"/>'
        stretch = []


def _dots(series: Series, values: Sequence[Decimal | None], low: Decimal, high: Decimal) -> Iterator[str]:
    """Yield a dot for each reading; of very many only for those that are beyond a limit."""
    for index, (point, value) in enumerate(zip(series.points, values, strict=True)):
        if value is None or (len(values) > _DOTTED and not point.beyond):
            continue
        kind = "dot beyond" if point.beyond else "dot"
        words = f"{point.date}: {told(series, value)}{', beyond its limit' if point.beyond else ''}"
        colour = "#b3261e" if point.beyond else "#0b5cad"
        at = f'cx="{_x(index, len(values))}" cy="{_y(value, low, high)}" r="{4 if point.beyond else 2.5}"'
        yield f'<circle class="{kind}" fill="{colour}" {at}><title>{_text(words)}</title></circle>'
