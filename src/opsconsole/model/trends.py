"""What a series of readings comes to: robust statistics, its slope with an interval, and when it meets a limit.

Readings are decimals and so is every result. The slope is the one of Theil and Sen, the median of the slopes
between all pairs of readings: a quarter of them may be wild without carrying it away. Its interval is that of Sen
(1968), after Kendall's test: it takes no distribution of the noise for granted, but that readings do not depend on
one another. For up to EXACT readings its ranks come from the exact distribution of Kendall's statistic, as in
Hollander and Wolfe, *Nonparametric Statistical Methods*, 9.3; beyond, from the normal one, rounded to the wider
interval.
"""

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Context, Decimal
from enum import StrEnum
from functools import cache
from itertools import pairwise

import msgspec

EXACT = 60
"""Readings up to which Kendall's distribution is computed exactly."""
MOST = 600
"""Readings that slopes are computed of: 179,700 pairs, a fifth of a second. More are thinned out, see `thinned`."""
CONFIDENCE = Decimal(95)
"""Percent."""

_DIGITS = Context(prec=12)
_DAY = Decimal(86400)
_MAD_OF_NORMAL = Decimal("1.4826")
"""1 / 0.6745: what makes the median absolute deviation of normal noise its standard deviation."""
_MICROSECONDS = Decimal(1_000_000)


class Point(msgspec.Struct, frozen=True):
    """One reading in time."""

    at: dt.datetime
    value: Decimal


class Slope(msgspec.Struct, frozen=True):
    """How fast a series changes, per day, in the unit of its values."""

    per_day: Decimal
    low: Decimal | None
    """None, as `high`, where there are too few readings for the confidence asked for."""
    high: Decimal | None
    confidence: Decimal
    """Percent, with which the true slope lies between the two."""
    level: Decimal
    """What the line comes to at the last reading."""
    at: dt.datetime
    """Of the last reading."""
    readings: int
    """How many it was computed of, after thinning."""


class Trend(StrEnum):
    """Which way a series goes, as far as its noise lets that be said."""

    RISING = "rising"
    FALLING = "falling"
    STEADY = "steady"
    """No slope that its interval tells from none."""
    UNCLEAR = "unclear"
    """Too few readings for an interval."""


class Bound(StrEnum):
    """On which side of the readings a limit is."""

    UPPER = "upper"
    LOWER = "lower"


class Meeting(msgspec.Struct, frozen=True):
    """When a trend meets a limit, in days from an instant; None where it never does, as far as one can tell."""

    reached: bool
    """It has been met already: all three are 0."""
    expected: Decimal | None
    early: Decimal | None
    """With the end of the slope's interval that goes there fastest."""
    late: Decimal | None


# --- of single values ------------------------------------------------------------------------------


def rounded(value: Decimal) -> Decimal:
    """Return `value` with twelve significant digits at most, a whole number without an exponent.

    What divisions leave behind has no end, and no reading has as many digits.
    """
    return _DIGITS.plus(value).normalize() + 0 if value else Decimal(0)


def median(values: Sequence[Decimal]) -> Decimal:
    """Return the median of at least one value."""
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def mean(values: Sequence[Decimal]) -> Decimal:
    """Return the mean of at least one value."""
    return rounded(sum(values, Decimal(0)) / len(values))


def spread(values: Sequence[Decimal]) -> Decimal:
    """Return the median distance from the median, times 1.4826: of normal noise the standard deviation.

    Unlike that, it is not carried away by a few readings that are far off.
    """
    centre = median(values)
    return rounded(median([abs(each - centre) for each in values]) * _MAD_OF_NORMAL)


def percentile(values: Sequence[Decimal], percent: Decimal) -> Decimal:
    """Return the value below which so many percent lie, interpolated between the two nearest.

    As spreadsheets have it (PERCENTILE.INC), NumPy, and Hyndman and Fan's definition 7.
    """
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return rounded(ordered[below] + (ordered[above] - ordered[below]) * (place - below))


def percent_change(before: Decimal, after: Decimal) -> Decimal | None:
    """Return by how much percent of its size `before` changed; None where it was 0, of which nothing is a share."""
    return rounded((after - before) / abs(before) * 100) if before else None


# --- the slope -------------------------------------------------------------------------------------


def theil_sen(points: Sequence[Point], confidence: Decimal = CONFIDENCE) -> Slope | None:
    """Return the slope of readings, None where there are no two of unlike times.

    `confidence` is in percent. The interval is never narrower than that asks for: of 95 % there is none for fewer
    than five readings.
    """
    used = thinned(sorted(points, key=lambda each: each.at))
    slopes = _slopes(used)
    if not slopes:
        return None
    per_day = median(slopes)
    pairs = len(used) * (len(used) - 1) // 2
    # Pairs of one time have no slope. Each may have been on either side, which makes the interval wider.
    rank = _rank(len(used), confidence) - (pairs - len(slopes))
    has_interval = 1 <= rank <= len(slopes) - rank + 1
    last = used[-1].at
    level = median([each.value + per_day * _days(each.at, last) for each in used])
    return Slope(
        per_day=rounded(per_day),
        low=rounded(slopes[rank - 1]) if has_interval else None,
        high=rounded(slopes[-rank]) if has_interval else None,
        confidence=confidence,
        level=rounded(level),
        at=last,
        readings=len(used),
    )


def trend_of(slope: Slope | None) -> Trend:
    """Return in a word what a slope says."""
    if slope is None or slope.low is None or slope.high is None:
        return Trend.UNCLEAR
    if slope.low > 0:
        return Trend.RISING
    return Trend.FALLING if slope.high < 0 else Trend.STEADY


def thinned(points: Sequence[Point], most: int = MOST) -> Sequence[Point]:
    """Return at most so many readings: where there are more, the medians of groups that follow one another.

    `points` are in the order of time. The times of a group count by their median too.
    """
    if len(points) <= most:
        return points
    edges = [len(points) * index // most for index in range(most + 1)]
    return [_middle(points[start:end]) for start, end in pairwise(edges)]


def _middle(group: Sequence[Point]) -> Point:
    return Point(group[(len(group) - 1) // 2].at, median([each.value for each in group]))


def _slopes(points: Sequence[Point]) -> list[Decimal]:
    """Return the slopes between all pairs of unlike times, per day, the smallest first."""
    if not points:
        return []
    first = points[0].at
    placed = [(_days(first, each.at), each.value) for each in points]
    return sorted(
        (value - earlier_value) / (day - earlier)
        for index, (day, value) in enumerate(placed)
        for earlier, earlier_value in placed[:index]
        if day != earlier
    )


def _days(start: dt.datetime, end: dt.datetime) -> Decimal:
    return Decimal((end - start) // dt.timedelta(microseconds=1)) / (_DAY * _MICROSECONDS)


@cache
def _rank(readings: int, confidence: Decimal) -> int:
    """Return which of the sorted slopes, from each end, bounds the interval; 0 where none is far enough out.

    Of n readings without a slope, the number of pairs that go down is distributed as Kendall's statistic. The k-th
    slope from an end is beyond the true one when fewer than k pairs are on its other side.
    """
    tail = (1 - confidence / 100) / 2
    if readings > EXACT:
        pairs = readings * (readings - 1) / 2
        sigma = math.sqrt(readings * (readings - 1) * (2 * readings + 5) / 18)
        quantile = _normal_quantile(1 - float(tail))
        return max(0, math.floor((pairs - quantile * sigma) / 2))
    allowed = tail * math.factorial(readings)
    found, seen = 0, 0
    for count in _inversions(readings):
        seen += count
        if seen > allowed:
            break
        found += 1
    return found


def _normal_quantile(share: float) -> float:
    from statistics import NormalDist  # which every start would pay for, and few series are long enough

    return NormalDist().inv_cdf(share)


def _inversions(readings: int) -> list[int]:
    """Return how many orders of so many readings have 0, 1, 2 ... pairs that go down (Mahonian numbers)."""
    counts = [1]
    for each in range(2, readings + 1):
        wider = [0] * (len(counts) + each - 1)
        window = 0
        for index in range(len(wider)):
            window += counts[index] if index < len(counts) else 0
            window -= counts[index - each] if 0 <= index - each < len(counts) else 0
            wider[index] = window
        counts = wider
    return counts


# --- what comes of it ------------------------------------------------------------------------------


def projected(slope: Slope, at: dt.datetime) -> tuple[Decimal, Decimal | None, Decimal | None]:
    """Return what the line comes to at an instant, and with the least and the greatest slope of its interval.

    The interval is that of the slope alone: the noise around the line comes on top.
    """
    days = _days(slope.at, at)
    ends = (slope.low, slope.high)
    low, high = (None if each is None else rounded(slope.level + each * days) for each in ends)
    return rounded(slope.level + slope.per_day * days), low, high


def meeting(slope: Slope, last: Decimal, limit: Decimal, bound: Bound, now: dt.datetime) -> Meeting:
    """Return when the trend meets `limit`, in days from `now`.

    It is met already where the `last` reading, or the line at the instant of `now`, is at it or beyond.
    """
    sign = 1 if bound is Bound.UPPER else -1
    present = projected(slope, now)[0]
    distance = (limit - present) * sign
    if distance <= 0 or (limit - last) * sign <= 0:
        return Meeting(reached=True, expected=Decimal(0), early=Decimal(0), late=Decimal(0))
    fastest, slowest = (slope.high, slope.low) if sign > 0 else (slope.low, slope.high)

    def days(per_day: Decimal | None) -> Decimal | None:
        towards = None if per_day is None else per_day * sign
        return rounded(distance / towards) if towards is not None and towards > 0 else None

    return Meeting(reached=False, expected=days(slope.per_day), early=days(fastest), late=days(slowest))
