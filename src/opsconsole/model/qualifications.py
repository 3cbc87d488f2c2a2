"""N consecutive passing runs: which day of the monitoring a run is."""

import datetime as dt
from collections.abc import Callable

import msgspec


class DayOfMonitoring(msgspec.Struct, frozen=True):
    """`day` of `length`; more than `length` once the qualification was reached."""

    day: int
    length: int

    def __str__(self) -> str:
        return f"day {self.day} of {self.length}"


def day_of_monitoring(passed: Callable[[dt.date], bool], business_date: dt.date, length: int) -> DayOfMonitoring:
    """Return the day of monitoring that `business_date` is.

    `passed` tells whether the run of a business date was signed as a pass. The days just before count as long as
    each was: a failed, unsigned or missing one starts the count anew. Looks back `length` days at most.
    """
    day = 1
    before = business_date - dt.timedelta(days=1)
    while day <= length and passed(before):
        day += 1
        before -= dt.timedelta(days=1)
    return DayOfMonitoring(day, length)
