"""What a series comes to over a stretch of time."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._promapi import Sample
from opsconsole.checks._promrange import Asked, Summary, expected, pairs_each, step_for, summary

BEGIN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
STEP = 60


def _summary(values: dict[int, str], *, points: int, counter: bool = False, skip_nan: bool = False) -> Summary:
    """Sum up the points at these places of so many."""
    samples = [Sample(BEGIN + dt.timedelta(seconds=STEP * at), Decimal(value)) for at, value in values.items()]
    asked = Asked(begins=BEGIN, seconds=STEP * (points - 1), step=STEP, counter=counter, skip_nan=skip_nan)
    return summary(samples, asked)


finite = st.decimals(min_value=-(10**9), max_value=10**9, places=3)


@given(st.dictionaries(st.integers(0, 99), finite, min_size=1))
def test_statistics_lie_where_they_must(values: dict[int, Decimal]) -> None:
    """The mean, the percentile and the last lie between the least and the greatest; points and gaps add up."""
    ordered = {at: str(values[at]) for at in sorted(values)}
    found = _summary(ordered, points=100)
    slack = Decimal("0.01")
    for each in (found.mean, found.p95, found.last):
        assert found.least - slack <= each <= found.greatest + slack
    assert found.points == len(values)
    assert found.coverage == Decimal(len(values))
    missing = [at not in values for at in range(100)]
    assert found.gaps == sum(now and not before for before, now in zip([False, *missing], missing, strict=False))
    longest = max((len(each) for each in "".join("x" if gap else " " for gap in missing).split()), default=0)
    assert found.longest_gap == longest * STEP


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=60), st.sets(st.integers(1, 58)))
def test_a_counter_loses_nothing_when_it_begins_again(steps: list[int], restarts: set[int]) -> None:
    """What a counter was raised by is the sum of its steps, wherever it began again; its rate is never negative."""
    total, counted, values, resets = 0, 0, {}, 0
    for at, step in enumerate(steps):
        if at in restarts and counted > step:
            counted, resets = 0, resets + 1
        counted += step
        total += step if at else 0
        values[at] = str(counted)
    found = _summary(values, points=len(steps), counter=True)
    assert (found.increase, found.resets) == (Decimal(total), resets)
    assert found.least >= 0


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity"])
def test_one_point_that_is_no_number(bad: str) -> None:
    """It spoils what is computed of all; left out on purpose, only if it is NaN."""
    values = {0: "1", 1: bad, 2: "3"}
    found = _summary(values, points=3)
    assert all(
        each.is_nan() for each in (found.least, found.mean, found.greatest, found.p95, found.slope or Decimal(0))
    )
    assert found.last == 3
    left_out = _summary(values, points=3, skip_nan=True)
    assert left_out.mean.is_nan() is (bad != "NaN")
    as_counter = _summary(values, points=3, counter=True)
    assert as_counter.increase is not None
    assert as_counter.increase.is_nan()


def test_one_point_has_no_slope() -> None:
    """A slope that was not seen is missing, not 0; of a counter nothing at all is known then."""
    assert _summary({0: "5"}, points=1).slope is None
    assert _summary({0: "5"}, points=1, counter=True).mean.is_nan()


@given(st.floats(1, 3e8))
def test_steps_fit(seconds: float) -> None:
    """The step of its own choice never asks for more points than the answer may have."""
    assert 1 <= expected(seconds, step_for(seconds)) <= 241


def test_many_series_take_no_longer() -> None:
    """Slopes of 5,000 series are computed of fewer points each."""
    assert pairs_each(1) == 600
    assert pairs_each(5_000) == 20
