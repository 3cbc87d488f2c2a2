"""N consecutive passing runs: which day of the monitoring a run is."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.model.calendar import business_date
from opsconsole.model.runs import RunState


class DayOfMonitoring(msgspec.Struct, frozen=True):
    """`day` of `length`; more than `length` once the qualification was reached."""

    day: int
    length: int

    def __str__(self) -> str:
        return f"day {self.day} of {self.length}"


def day_of_monitoring(
    passed: Callable[[dt.date], bool], earlier: Iterable[dt.date], length: int
) -> DayOfMonitoring:
    """Return the day of monitoring that comes after the dates `earlier`, the latest of which is the first.

    `passed` tells whether the run of a business date was signed as a pass. The dates just before count as long as
    each was: a failed, unsigned or missing one starts the count anew. Looks back `length` dates at most.
    """
    days = 1 + sum(1 for _ in itertools.takewhile(passed, itertools.islice(earlier, length)))
    return DayOfMonitoring(days, length)


def seen_in_time(state: RunState) -> bool:
    """Return whether every reading that counts was taken before the run's period was over.

    What is measured later says how things are then: a run made up for afterwards proves nothing about its day.
    """
    where, end = ZoneInfo(state.times.timezone), state.times.period.end
    return all(
        business_date(state.definition, attempt.body.started_at, where) <= end
        for item in state.items.values()
        for attempt in item.latest.values()
    )
