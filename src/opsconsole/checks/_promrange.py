"""What a series comes to over a stretch of time: least, mean, greatest and last value, slope, and gaps."""

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec

from opsconsole.checks._promapi import Sample
from opsconsole.model.trends import MOST, Point, mean, percentile, rounded, theil_sen, thinned

STEPS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
"""Seconds between two points, where the item does not say: the first that asks for no more than POINTS."""
POINTS = 240
MOST_POINTS = 2_000
"""Of one series. The API itself gives no more than 11,000."""

_NAN = Decimal("NaN")
_HOUR = 24
"""Hours of a day: slopes are per day there, and per hour here."""
_PAIRS = 400_000
"""Of points, in all series together, whose slopes are computed: half a second."""
_P95 = Decimal(95)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One series over a stretch of time. Without a single point there is none."""

    least: Decimal
    mean: Decimal
    greatest: Decimal
    p95: Decimal
    last: Decimal
    slope: Decimal | None
    """Per hour, by Theil and Sen; None for fewer than two points."""
    points: int
    nans: int
    """Points that are no number."""
    coverage: Decimal
    """Percent of the points asked for that are there."""
    gaps: int
    """Stretches in which points are missing, at the beginning and the end too."""
    longest_gap: int
    """Seconds."""
    increase: Decimal | None = None
    """Of a counter: by how much it was raised, whatever was lost when it began again at 0."""
    resets: int | None = None
    """Of a counter: how often it began again."""


def step_for(seconds: float) -> int:
    """Return the step for a stretch of so many seconds."""
    return next((each for each in STEPS if seconds / each <= POINTS), math.ceil(seconds / POINTS))


def expected(seconds: float, step: int) -> int:
    """Return how many points a series without gaps has: at the beginning, and after each step."""
    return math.floor(seconds / step) + 1


def pairs_each(series: int) -> int:
    """Return of how many points of each series its slope is computed, so that many take no longer than few."""
    return max(20, min(MOST, math.isqrt(2 * _PAIRS // max(1, series))))


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How series are summed up."""

    begins: dt.datetime
    seconds: float
    step: int
    counter: bool
    skip_nan: bool
    slope_points: int = MOST


def summary(samples: Sequence[Sample], asked: Asked) -> Summary:
    """Return what the samples of one series come to.

    Of a counter the values are those of its rate per second between neighbouring points; one that falls began
    again. Where a point is no number nothing but the last is known, for leaving it out may leave out the worst.
    """
    kept = [each for each in samples if not (asked.skip_nan and each.value.is_nan())]
    values, increase, resets = kept, None, None
    if asked.counter:
        values, increase, resets = _rates(kept)
    gaps, longest = _gaps(samples, asked)
    whole = expected(asked.seconds, asked.step)
    points = [Point(each.at, each.value) for each in values]
    numbers = [each.value for each in points]
    finite = bool(numbers) and all(each.is_finite() for each in numbers)
    slope = theil_sen(thinned(points, asked.slope_points)) if finite else None
    return Summary(
        least=min(numbers) if finite else _NAN,
        mean=mean(numbers) if finite else _NAN,
        greatest=max(numbers) if finite else _NAN,
        p95=percentile(numbers, _P95) if finite else _NAN,
        last=numbers[-1] if numbers else _NAN,
        slope=(rounded(slope.per_day / _HOUR) if slope else None) if finite else _NAN,
        points=len(samples),
        nans=sum(each.value.is_nan() for each in samples),
        coverage=min(Decimal(100), (Decimal(100) * len(samples) / whole).quantize(Decimal("0.01"))),
        gaps=gaps,
        longest_gap=longest,
        increase=increase,
        resets=resets,
    )


def _rates(samples: Sequence[Sample]) -> tuple[list[Sample], Decimal, int]:
    """Return the rates per second between neighbours, what was added altogether, and how often it began again."""
    rates: list[Sample] = []
    total, resets = Decimal(0), 0
    for earlier, later in pairwise(samples):
        if not (earlier.value.is_finite() and later.value.is_finite()):
            rates.append(Sample(later.at, _NAN))
            total = _NAN
            continue
        fell = later.value < earlier.value
        resets += fell
        added = later.value if fell else later.value - earlier.value
        total += added
        length = Decimal((later.at - earlier.at) // dt.timedelta(microseconds=1)) / 1_000_000
        if length > 0:
            rates.append(Sample(later.at, rounded(added / length)))
    return rates, rounded(total) if total.is_finite() else total, resets


def _gaps(samples: Sequence[Sample], asked: Asked) -> tuple[int, int]:
    """Return in how many stretches points are missing, and the seconds that the longest is without one."""
    last = expected(asked.seconds, asked.step) - 1
    places = [
        -1,
        *(round((each.at - asked.begins).total_seconds() / asked.step) for each in samples),
        last + 1,
    ]
    missing = [after - before - 1 for before, after in pairwise(places) if after - before > 1]
    return len(missing), max(missing, default=0) * asked.step
