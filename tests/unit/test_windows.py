"""What a run looks back over is compared with as much time before it, on every calendar."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.calendar import Window, midnight, period_of, previous, window_between
from opsconsole.model.checklists import Cadence
from opsconsole.model.windows import window_before

CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        ("2026-11-09", "2026-11-15", "2026-11-02"),  # a week
        ("2026-03-02", "2026-03-08", "2026-02-23"),  # one with the spring change in it
        ("2026-02-01", "2026-02-28", "2026-01-01"),  # a month before a longer one
        ("2026-03-01", "2026-03-31", "2026-02-01"),  # and before a shorter one
        ("2028-03-01", "2028-03-31", "2028-02-01"),  # of a leap year
        ("2026-01-01", "2026-01-31", "2025-12-01"),
        ("2026-01-01", "2026-03-31", "2025-10-01"),  # a quarter
        ("2026-11-21", "2026-11-21", "2026-11-20"),  # a day
        ("2026-11-13", "2026-11-21", "2026-11-04"),  # nine days
        ("2026-02-02", "2026-02-28", "2026-01-06"),  # 27 days that end with a month
    ],
)
def test_as_much_time_before(first: str, last: str, before: str) -> None:
    """Weeks are compared with weeks, months with months, and nine days with nine days."""
    window = window_between(dt.date.fromisoformat(first), dt.date.fromisoformat(last), CHICAGO)
    found = window_before(window, CHICAGO)
    assert found == window_between(dt.date.fromisoformat(before), window.start - dt.timedelta(days=1), CHICAGO)


@pytest.mark.parametrize("minutes", [0, 5])
def test_before_an_interval(minutes: int) -> None:
    """Fifteen minutes are compared with the fifteen before, also across midnight."""
    begins = midnight(dt.date(2026, 11, 21), CHICAGO) + dt.timedelta(minutes=minutes)
    window = Window(dt.date(2026, 11, 21), dt.date(2026, 11, 21), begins, begins + dt.timedelta(minutes=15))
    before = window_before(window, CHICAGO)
    assert (before.begins_at, before.ends_at) == (begins - dt.timedelta(minutes=15), begins)
    assert (before.start, before.end) == (dt.date(2026, 11, 20), dt.date(2026, 11, 21))


@given(
    st.dates(dt.date(1990, 1, 1), dt.date(2060, 12, 31)),
    st.sampled_from([Cadence.WEEKLY, Cadence.MONTHLY, Cadence.QUARTERLY]),
)
def test_before_a_period_is_the_period_before(date: dt.date, cadence: Cadence) -> None:
    """Week on week, month on month, quarter on quarter: the calendar's own periods, without a gap between them."""
    period = period_of(date, cadence)
    earlier = previous(period, cadence)
    window = window_before(window_between(period.start, period.end, CHICAGO), CHICAGO)
    assert window == window_between(earlier.start, earlier.end, CHICAGO)
