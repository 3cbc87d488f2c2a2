"""What a report says of numbers: series of readings with their limits, and entries against readings."""

import datetime as dt
from decimal import Decimal

import msgspec

from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Level
from opsconsole.model.trends import Trend as Direction
from opsconsole.model.values import Number


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that a series is held against."""

    value: Number
    upper: bool
    """Whether readings have to stay below it."""
    level: Level
    condition: str
    scale: str = ""
    """The unit it was written in."""
    moving: bool = False
    """It is computed anew for each reading, from the item's past or another measure; this is the last one."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One run's reading of a series; no value where there was none."""

    run: str
    date: dt.date
    at: dt.datetime | None = None
    """When it was measured or entered."""
    value: Number | None = None
    beyond: bool = False
    """Whether it broke a requirement or missed a target."""


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Which way a series goes, said only as far as its noise allows: the slope of Theil and Sen (see trends.py)."""

    direction: Direction
    per_day: Number
    low: Number | None
    """With `high` the 95 % interval of the slope; None where there are too few readings for one."""
    high: Number | None
    meets: str = ""
    """The condition whose limit a clear trend goes towards; empty where it goes towards none."""
    meets_on: dt.date | None = None
    meets_from: dt.date | None = None
    """The earliest date by the interval of the slope."""
    meets_until: dt.date | None = None
    """The latest one; None where it may take for ever."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A number that was read again and again: of one measure, or of one column in one row."""

    checklist: str
    item: str
    title: str
    target: str
    subject: str
    row: str
    bounds: tuple[Bound, ...]
    points: tuple[Point, ...]
    """One for each run of the period that was opened or due, in order of time."""
    readings: int
    """How many points have a value."""
    least: Number
    mean: Number
    median: Number
    greatest: Number
    last: Number
    median_before: Number | None
    """Of the period before."""
    change: Number | None
    """Of the median, against that."""
    change_percent: Decimal | None
    used: Decimal | None
    """The largest share of its nearest limit that was used up: 0.95 for 28.5 s of 30 s."""
    trend: Trend | None
    incomparable: int = 0
    """Readings left out because the item was measured in another way then."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What was entered one day, against what was measured."""

    run: str
    date: dt.date
    entered: Number
    measured: Number
    percent: Decimal | None
    """(entered - measured) / measured; None where nothing was measured but zero."""
    outcome: Outcome


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of an item against its readings."""

    checklist: str
    item: str
    title: str
    condition: str
    days: tuple[Difference, ...]
    greatest_percent: Decimal | None
    """The largest difference, whatever its sign."""
