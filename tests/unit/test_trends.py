"""What a series of readings comes to, held against published examples, SciPy's answers and slow definitions."""

import datetime as dt
import itertools
import math
import statistics
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.model.trends import (
    Bound,
    Point,
    Slope,
    Trend,
    mean,
    median,
    meeting,
    percent_change,
    percentile,
    projected,
    rounded,
    spread,
    theil_sen,
    thinned,
    trend_of,
)
from opsconsole.model.trends import _inversions as inversions

START = dt.datetime(2026, 11, 1, 14, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)

SCIPY_12 = "2.9 3.22 2.95 2.93 2.71 3.01 3.56 3.31 3.57 3.28 3.36 3.29"
SCIPY_30 = (
    "2.33 3.36 3.24 3.26 2.4 2.4 2.76 2.95 3.28 3.16 3.41 2.96 3.36 3.42 3.02 3.99 3.54 3.82 3.11 3.08 3.26 3.38 "
    "3.69 3.56 3.3 3.12 3.31 4.03 3.24 3.68"
)
SCIPY_90 = (
    "3.17 2.42 3.06 3.58 2.27 2.97 3.08 2.81 3.36 3.16 2.61 3.55 3.51 3.64 3.86 3.44 3.37 2.82 3.61 3.14 3.22 2.91 "
    "3.05 3.25 4.0 2.69 2.94 3.64 4.14 3.81 2.84 2.61 3.78 3.37 3.23 4.09 4.16 3.8 3.86 3.95 4.44 4.07 4.05 4.08 "
    "3.25 4.41 4.3 4.15 3.17 3.73 4.34 3.3 3.97 4.47 3.56 4.74 4.34 4.08 4.29 4.44 4.25 4.68 3.98 4.09 4.7 4.31 "
    "3.97 4.72 4.95 4.2 3.85 4.37 4.38 4.34 5.04 4.09 5.02 4.03 4.25 4.83 5.05 4.96 4.78 4.72 4.74 4.93 4.65 4.85 "
    "4.99 4.78"
)


def daily(values: Sequence[Decimal | int | str]) -> list[Point]:
    """Return one reading a day."""
    return [Point(START + index * DAY, Decimal(value)) for index, value in enumerate(values)]


def slope_of(values: Sequence[Decimal | int | str], confidence: str = "95") -> Slope:
    """Return the slope of one reading a day."""
    found = theil_sen(daily(values), Decimal(confidence))
    assert found is not None
    return found


numbers = st.decimals(-(10**6), 10**6, places=2)
series = st.lists(numbers, min_size=2, max_size=25)


# --- the slope ---------------------------------------------------------------------------------------


def test_the_slope_of_the_textbook() -> None:
    """Hollander and Wolfe's example of seeded clouds (9.3): slope -0.05625, and (-0.13, 0.01) with 91.6 %."""
    found = slope_of(["1.26", "1.27", "1.12", "1.16", "1.03"], "91.6")
    assert found.per_day == Decimal("-0.05625")
    assert (found.low, found.high) == (Decimal("-0.13"), Decimal("0.01"))


@pytest.mark.parametrize(
    ("values", "confidence", "slope", "low", "high", "scaled_mad", "p95"),
    [
        (SCIPY_12, "95", 0.0436111111111111, 0.005, 0.0828571428571, 0.40030259899651, 3.5645),
        (SCIPY_30, "90", 0.0218181818181818, 0.0107692307692, 0.04, 0.25945538823848, 3.9135),
        (SCIPY_90, "95", 0.0217241379310345, 0.0184615384615, 0.0252, 0.76354014253039, 4.9555),
    ],
)
def test_what_scipy_says(
    values: str, confidence: str, slope: float, low: float, high: float, scaled_mad: float, p95: float
) -> None:
    """SciPy 1.17.1 says the same of the same series; its interval, rounded to the nearest, lies within ours."""
    decimals = [Decimal(each) for each in values.split()]
    found = slope_of(decimals, confidence)
    assert float(found.per_day) == pytest.approx(slope)
    assert found.low is not None
    assert found.high is not None
    assert float(found.low) <= low + 1e-9
    assert float(found.high) >= high - 1e-9
    assert float(found.low) == pytest.approx(low, abs=0.0015)
    assert float(found.high) == pytest.approx(high, abs=0.0015)
    assert float(spread(decimals)) == pytest.approx(scaled_mad, rel=1e-4)  # SciPy divides by 0.67448975
    assert float(percentile(decimals, Decimal(95))) == pytest.approx(p95)


@given(st.lists(st.tuples(st.integers(0, 500), numbers), min_size=2, max_size=16))
def test_the_slope_is_the_median_of_all_pairs(placed: list[tuple[int, Decimal]]) -> None:
    """Whatever the readings and their times, it is what the slow definition says, in exact fractions."""
    slopes = [
        Fraction(late - early) / Fraction(after - before, 24)
        for (before, early), (after, late) in itertools.combinations(sorted(placed), 2)
        if before != after
    ]
    found = theil_sen([Point(START + hour * dt.timedelta(hours=1), value) for hour, value in placed])
    if not slopes:
        assert found is None
        return
    assert found is not None
    assert float(found.per_day) == pytest.approx(float(statistics.median(slopes)), rel=1e-9, abs=1e-9)


@given(series, st.integers(-500, 500))
def test_a_straight_line_on_top_is_added_to_the_slope(values: list[Decimal], per_day: int) -> None:
    """What grows by 5 a day more has a slope of 5 more, and an interval that is moved by as much."""
    plain = slope_of(values)
    tilted = slope_of([value + per_day * index for index, value in enumerate(values)])
    for before, after in ((plain.per_day, tilted.per_day), (plain.low, tilted.low), (plain.high, tilted.high)):
        assert (before is None) is (after is None)
        if before is not None and after is not None:
            assert abs(after - before - per_day) < Decimal("0.0001")


@given(st.lists(numbers, min_size=5, max_size=25))
def test_the_slope_lies_within_its_interval(values: list[Decimal]) -> None:
    """Five readings are enough for 95 %, and the interval holds the slope; a higher confidence makes it wider."""
    found, sure = slope_of(values), slope_of(values, "99.9")
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.per_day <= found.high
    if sure.low is not None and sure.high is not None:
        assert sure.low <= found.low <= found.high <= sure.high


@pytest.mark.parametrize("readings", [5, 6, 7])
@pytest.mark.parametrize("confidence", ["80", "90", "95"])
def test_the_interval_is_right_as_often_as_it_says(readings: int, confidence: str) -> None:
    """Of all orders in which noise without a slope can come, at least so many percent have 0 in the interval."""
    right = total = 0
    for order in itertools.permutations(range(readings)):
        found = slope_of(order, confidence)
        if found.low is None or found.high is None:
            right += 1
        else:
            right += found.low <= 0 <= found.high
        total += 1
    assert Decimal(100) * right / total >= Decimal(confidence)


@pytest.mark.parametrize("readings", [1, 2, 5, 7])
def test_kendalls_distribution(readings: int) -> None:
    """The number of orders with so many pairs that go down is that of counting them all."""
    counts = [0] * (readings * (readings - 1) // 2 + 1)
    for order in itertools.permutations(range(readings)):
        counts[sum(early > late for early, late in itertools.combinations(order, 2))] += 1
    assert inversions(readings) == counts
    assert sum(inversions(20)) == math.factorial(20)


@pytest.mark.parametrize(
    ("values", "trend"),
    [
        (range(8), Trend.RISING),
        (range(8, 0, -1), Trend.FALLING),
        ([5] * 8, Trend.STEADY),
        ([1, 9, 2, 8, 3, 7, 4, 6], Trend.STEADY),
        (range(4), Trend.UNCLEAR),
        ([1, 2, 3, 4, 5, 900, 7, 8], Trend.RISING),
    ],
)
def test_the_trend_in_a_word(values: Sequence[int], trend: Trend) -> None:
    """Noise is no trend, four readings are none of 95 %, and one wild reading hides none."""
    assert trend_of(slope_of(values)) is trend


def test_no_slope_of_one_instant() -> None:
    """Readings of one instant have no slope, and none is invented."""
    assert theil_sen([]) is None
    assert theil_sen([Point(START, Decimal(1)), Point(START, Decimal(2))]) is None
    assert trend_of(None) is Trend.UNCLEAR


def test_pairs_of_one_instant_widen_the_interval() -> None:
    """Two readings of one instant could stand in either order: the interval makes room for both."""
    values = daily([3, 1, 4, 1, 5])
    found = theil_sen([*values, Point(values[-1].at, Decimal(9))])
    assert found is not None
    # the first slopes from each end; of six unlike instants it would be the second
    assert (found.low, found.high) == (Decimal(-3), Decimal(8))


@pytest.mark.parametrize("count", [601, 1000, 8640])
def test_many_readings_are_thinned(count: int) -> None:
    """A month of five minutes is computed in groups; the slope of a straight line stays what it is."""
    points = [Point(START + index * dt.timedelta(minutes=5), Decimal(index)) for index in range(count)]
    kept = thinned(points)
    assert len(kept) == 600
    assert {each.at for each in kept} <= {each.at for each in points}
    found = theil_sen(points)
    assert found is not None
    assert found.readings == 600
    assert float(found.per_day) == pytest.approx(288, rel=0.002)
    assert trend_of(found) is Trend.RISING


# --- what comes of it --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "limit", "bound", "expected"),
    [
        ([10, 11, 12, 13, 14, 15], "20", Bound.UPPER, "5"),
        ([10, 11, 12, 13, 14, 15], "9", Bound.LOWER, None),
        ([10, 11, 12, 13, 14, 15], "15", Bound.UPPER, "0"),
        ([10, 11, 12, 13, 14, 15], "12", Bound.UPPER, "0"),
        ([30, 28, 26, 24, 22, 20], "10", Bound.LOWER, "5"),
        ([30, 28, 26, 24, 22, 20], "25", Bound.LOWER, "0"),
        ([5, 5, 5, 5, 5, 5], "20", Bound.UPPER, None),
        ([10, 11, 12, 13, 14, 40], "39", Bound.UPPER, "0"),
    ],
)
def test_when_a_limit_is_met(values: Sequence[int], limit: str, bound: Bound, expected: str | None) -> None:
    """Straight lines meet their limits when they do; a flat one or one that leads away never does; met is met."""
    slope = slope_of(values)
    found = meeting(slope, Decimal(values[-1]), Decimal(limit), bound, START + (len(values) - 1) * DAY)
    assert found.expected == (None if expected is None else Decimal(expected))
    assert found.reached is (expected == "0")


@given(st.lists(numbers, min_size=5, max_size=20), numbers, st.sampled_from(Bound), st.integers(0, 40))
def test_the_line_is_at_the_limit_when_it_is_met(
    values: list[Decimal], limit: Decimal, bound: Bound, later: int
) -> None:
    """Wherever a day is named, the line drawn out to it is at the limit; early comes before late."""
    slope = slope_of(values)
    now = START + (len(values) - 1 + later) * DAY
    found = meeting(slope, values[-1], limit, bound, now)
    days = [each for each in (found.early, found.expected, found.late) if each is not None]
    assert days == sorted(days)
    if found.late is not None:
        assert None not in {found.early, found.expected}
    if found.expected is not None and not found.reached and found.expected < 10**5:
        level = projected(slope, now + dt.timedelta(days=float(found.expected)))[0]
        assert float(level) == pytest.approx(float(limit), rel=1e-4, abs=0.05)


@given(st.lists(numbers, min_size=5, max_size=20), st.integers(0, 400))
def test_the_projection_lies_between_its_ends(values: list[Decimal], days: int) -> None:
    """What is drawn out lies between what the two ends of the slope's interval come to."""
    slope = slope_of(values)
    level, low, high = projected(slope, slope.at + days * DAY)
    assert low is not None
    assert high is not None
    assert low - Decimal("0.001") <= level <= high + Decimal("0.001")


# --- single values -----------------------------------------------------------------------------------


@given(series)
def test_middles_and_spreads(values: list[Decimal]) -> None:
    """They are what the slow definitions say."""
    assert median(values) == statistics.median(values)
    assert abs(mean(values) - statistics.mean(values)) < Decimal("0.0001")
    deviations = [abs(each - statistics.median(values)) for each in values]
    assert abs(spread(values) - Decimal("1.4826") * statistics.median(deviations)) < Decimal("0.001")


@given(st.lists(numbers, min_size=2, max_size=40))
def test_percentiles(values: list[Decimal]) -> None:
    """They are those of `statistics.quantiles` with the method of spreadsheets."""
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    for index, cut in enumerate(cuts, start=1):
        assert float(percentile(values, Decimal(5 * index))) == pytest.approx(float(cut), abs=1e-3)
    assert percentile(values, Decimal(100)) == max(values)
    assert percentile([Decimal(3)], Decimal(95)) == 3


@pytest.mark.parametrize(
    ("before", "after", "percent"), [("4", "5", "25"), ("5", "4", "-20"), ("-4", "-5", "-25"), ("0", "3", None)]
)
def test_changes_in_percent(before: str, after: str, percent: str | None) -> None:
    """They are of the size of what was before; of nothing, nothing is a share."""
    assert percent_change(Decimal(before), Decimal(after)) == (None if percent is None else Decimal(percent))


@pytest.mark.parametrize(
    ("value", "text"),
    [("1000", "1000"), ("0.10", "0.1"), ("-0", "0"), ("12345678901234567", "12345678901200000"), ("1E+3", "1000")],
)
def test_what_is_written_down(value: str, text: str) -> None:
    """Results are written as numbers are, without an exponent and without digits that no reading has."""
    assert str(rounded(Decimal(value))) == text


@settings(max_examples=30)
@given(series)
def test_no_result_has_a_float_in_it(values: list[Decimal]) -> None:
    """A record refuses binary floats: none of the results is one."""
    slope = slope_of(values)
    results = [slope.per_day, slope.level, mean(values), spread(values), percentile(values, Decimal(95))]
    results += [each for each in (slope.low, slope.high) if each is not None]
    assert all(type(each) is Decimal and each.is_finite() for each in results)
