"""The past that the demo pretends: complete, plausible and right about nights, months and clock changes."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opsconsole.demo.qbr.history import (
    CENTRAL,
    CONNECTWISE,
    FAILED,
    HISTORY_DAYS,
    METRICS,
    NINJAONE,
    SUCCESS,
    CollectorRun,
    last_collection_day,
    metric_value,
    planned_history,
    scheduled_collection,
)

SPRING = dt.date(2026, 3, 8)
AUTUMN = dt.date(2026, 11, 1)
ALL_METRICS = {name for names in METRICS.values() for name in names}


def utc(text: str) -> dt.datetime:
    """Read a moment written as UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


mornings = st.integers(int(utc("2015-01-01").timestamp()), int(utc("2060-01-01").timestamp())).map(
    lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC)
)

NOTABLE = (
    "2026-03-08T07:59:59",  # 01:59:59, the last second of standard time
    "2026-03-08T08:00:00",  # 03:00 daylight time; there was no 02:00
    "2026-11-01T06:59:59",  # the first 01:59:59
    "2026-11-01T07:30:00",  # the second 01:30
    "2026-11-01T08:00:00",  # 02:00, which comes once
    "2026-11-01T13:00:00",  # the first of a month
    "2026-01-01T13:00:00",
    "2026-03-01T13:00:00",
    "2028-02-29T14:00:00",  # a leap day
    "2028-03-01T14:00:00",
)


def notable_mornings(test: Callable[[dt.datetime], None]) -> Callable[[dt.datetime], None]:
    """Give a property test the moments that break calendars."""
    for moment in NOTABLE:
        test = example(utc(moment))(test)
    return test


def central_day(moment: dt.datetime) -> dt.date:
    """Return the day of a moment on the collectors' clock."""
    return moment.astimezone(CENTRAL).date()


def by_night(runs: Iterable[CollectorRun]) -> dict[dt.date, list[CollectorRun]]:
    """Group the collection log by the day on which it was written."""
    nights: dict[dt.date, list[CollectorRun]] = {}
    for run in runs:
        nights.setdefault(central_day(run.started_at), []).append(run)
    return nights


@notable_mornings
@given(mornings)
def test_history_ends_with_last_night(now: dt.datetime) -> None:
    """At any moment the newest collection is the one of the last 02:00 Central, never one still to come."""
    day = last_collection_day(now)
    assert scheduled_collection(day) <= now < scheduled_collection(day + dt.timedelta(days=1))
    assert max(by_night(planned_history(now).runs)) == day


@notable_mornings
@given(mornings)
def test_every_night_has_both_collectors(now: dt.datetime) -> None:
    """The audit of the last forty days finds no gap: two collectors succeeded on every single one of them."""
    nights = by_night(planned_history(now).runs)
    assert len(nights) == HISTORY_DAYS
    assert all(later - earlier == dt.timedelta(days=1) for earlier, later in pairwise(nights))
    for runs in nights.values():
        assert Counter(run.collector_name for run in runs if run.status == SUCCESS) == {NINJAONE: 1, CONNECTWISE: 1}


@notable_mornings
@given(mornings)
def test_collectors_begin_at_two_and_are_quick(now: dt.datetime) -> None:
    """Every night begins at 02:00 Central, 03:00 where that does not exist, and takes no longer than it may."""
    limits = {NINJAONE: (4, 8), CONNECTWISE: (9, 16)}
    for day, runs in by_night(planned_history(now).runs).items():
        started = runs[0].started_at.astimezone(CENTRAL)
        assert started.minute == 0
        assert started.hour in {2, 3}
        assert (started.hour == 3) == (
            started.utcoffset() != dt.datetime.combine(day, dt.time(1, fold=1), CENTRAL).utcoffset()
        )
        for earlier, later in pairwise(runs):
            assert earlier.completed_at is not None, "every run has ended"
            assert earlier.completed_at < later.started_at, "one after the other"
        for run in runs:
            assert run.completed_at is not None
            assert run.started_at >= scheduled_collection(day)
            if run.status == SUCCESS:
                low, high = limits[run.collector_name]
                assert low <= (run.completed_at - run.started_at).total_seconds() <= high


@notable_mornings
@given(mornings)
def test_a_night_belongs_to_the_month_of_the_day_before(now: dt.datetime) -> None:
    """The collection on the 1st still counts for the month that has just ended."""
    for day, runs in by_night(planned_history(now).runs).items():
        assert {run.period for run in runs} == {(day - dt.timedelta(days=1)).strftime("%Y-%m")}


@notable_mornings
@given(mornings)
def test_each_month_has_its_five_metrics(now: dt.datetime) -> None:
    """Each month has exactly the five metrics, once each, and this month's are from last night and plausible."""
    history = planned_history(now)
    rows = Counter((metric.period, metric.metric_name) for metric in history.metrics)
    periods = {run.period for run in history.runs}
    assert set(rows.values()) == {1}
    assert set(rows) == {(period, name) for period in periods for name in ALL_METRICS}
    assert len(periods) >= 2
    last = scheduled_collection(last_collection_day(now))
    current = max(periods)
    for metric in history.metrics:
        completed = {run.completed_at for run in history.runs if run.period == metric.period}
        assert metric.updated_at in completed
        assert (metric.updated_at >= last) == (metric.period == current)
        if metric.metric_name == "time_spent":
            assert 0 <= metric.metric_value <= 500


@notable_mornings
@given(mornings)
def test_bad_nights_are_few_repaired_and_long_ago(now: dt.datetime) -> None:
    """A history without any failure would look made up; none is near enough to spoil this morning."""
    nights = by_night(planned_history(now).runs)
    bad = [day for day, runs in nights.items() if any(run.status == FAILED for run in runs)]
    assert 2 <= len(bad) <= 3
    assert max(bad) < max(nights) - dt.timedelta(days=1)
    for day in bad:
        failed, again = (next(run for run in nights[day] if run.status == FAILED), nights[day][-1])
        assert failed.completed_at is not None
        assert again.collector_name == failed.collector_name
        assert dt.timedelta(minutes=5) < again.started_at - failed.completed_at < dt.timedelta(hours=1)


@given(mornings, st.integers(1, 20))
def test_the_past_does_not_change(now: dt.datetime, days: int) -> None:
    """A demo started days later tells the same of the nights that both know."""
    earlier = planned_history(now).runs
    later = set(planned_history(now + dt.timedelta(days=days)).runs)
    both_know, settled = now - dt.timedelta(days=HISTORY_DAYS - 21), now - dt.timedelta(days=3)
    shared = [run for run in earlier if both_know < run.started_at < settled]
    assert shared
    assert later.issuperset(shared)


@given(st.dates(dt.date(2015, 1, 2), dt.date(2060, 1, 1)))
def test_a_month_only_grows(day: dt.date) -> None:
    """Tickets and hours of a month add up through it, and begin again with the next."""
    for name in METRICS[CONNECTWISE]:
        before = metric_value(name, day - dt.timedelta(days=1)) if day.day > 1 else Decimal(0)
        assert metric_value(name, day) >= before
    assert metric_value("tickets_closed", day) <= metric_value("tickets_created", day)


@pytest.mark.parametrize(
    ("day", "begins"),
    [
        pytest.param(SPRING - dt.timedelta(days=1), "2026-03-07T08:00:00", id="standard time"),
        pytest.param(SPRING, "2026-03-08T08:00:00", id="no 02:00 in spring: 03:00 daylight time"),
        pytest.param(SPRING + dt.timedelta(days=1), "2026-03-09T07:00:00", id="daylight time"),
        pytest.param(AUTUMN, "2026-11-01T08:00:00", id="autumn: after the second 01:00"),
        pytest.param(dt.date(2028, 2, 29), "2028-02-29T08:00:00", id="leap day"),
    ],
)
def test_when_a_night_begins(day: dt.date, begins: str) -> None:
    """The collection's moment is right on the nights on which the clocks change."""
    assert scheduled_collection(day) == utc(begins)


def test_a_clock_without_a_zone_is_refused() -> None:
    """Which night was last cannot be told from a time without its zone; guessing would shift the whole history."""
    with pytest.raises(ValueError, match="time zone"):
        planned_history(dt.datetime(2026, 3, 8, 8))
