"""What the QBR collectors would have written by now: a plausible past, the same whenever it is asked for.

Every night at 02:00 US Central the NinjaOne collector runs, and then the ConnectWise one. They cover the month of
the day before: the run on the 1st completes the month that has just ended. Each writes one row into the collection
log, and brings its metrics of that month up to date.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

from opsconsole.demo.drawing import between, pick

CENTRAL = ZoneInfo("America/Chicago")
COLLECTION_TIME = dt.time(2, 0)
HISTORY_DAYS = 40
"""Nights of history; more than the longest month, so that there is always a month's end in it."""

NINJAONE = "NinjaOne"
CONNECTWISE = "ConnectWise"
METRICS = {
    NINJAONE: ("endpoints_managed", "seats_managed"),
    CONNECTWISE: ("tickets_created", "tickets_closed", "time_spent"),
}
VENDOR_IDS = {NINJAONE: 2, CONNECTWISE: 3}
DATA_SOURCE = "collected"

SUCCESS = "success"
FAILED = "failed"
RUNNING = "running"

_BAD_NIGHT_EVERY = 17
_QUIET_NIGHTS = 2
_DAYS_IN_WEEK_WORKED = 5


@dataclass(frozen=True, slots=True)
class CollectorRun:
    """One row of `qbr_collection_log`, and the day it covers."""

    period: str
    """The month that was collected, `YYYY-MM`."""
    collector_name: str
    status: str
    records_collected: int | None
    started_at: dt.datetime
    completed_at: dt.datetime | None
    covered: dt.date
    """The last day, in US Central, whose figures it saw: the day before the collection."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of `qbr_metrics_monthly`."""

    period: str
    metric_name: str
    metric_value: Decimal
    vendor_id: int
    data_source: str
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class History:
    """The rows of both tables, in the order in which they were written."""

    runs: tuple[CollectorRun, ...]
    metrics: tuple[Metric, ...]


def scheduled_collection(day: dt.date) -> dt.datetime:
    """Return when the collection of that night begins, in UTC.

    02:00 does not exist on the night in spring when the clocks go forward: the timer elapses at 03:00 daylight
    time, the same instant. In autumn 02:00 comes once, after the second 01:00.
    """
    return dt.datetime.combine(day, COLLECTION_TIME, CENTRAL).astimezone(dt.UTC)


def last_collection_day(now: dt.datetime) -> dt.date:
    """Return the day (US Central) of the last collection that began at or before `now`, which has to be aware."""
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    today = now.astimezone(CENTRAL).date()
    return today if scheduled_collection(today) <= now else today - dt.timedelta(days=1)


def planned_history(now: dt.datetime, days: int = HISTORY_DAYS) -> History:
    """Return the last `days` nights up to `now`. All went well, but for a few that are more than two nights ago."""
    runs = tuple(planned_runs(now, days))
    return History(runs, metrics_after(runs))


def planned_runs(now: dt.datetime, days: int) -> Iterator[CollectorRun]:
    """Yield the collection log of the last `days` nights up to `now`."""
    last = last_collection_day(now)
    for ago in reversed(range(days)):
        day = last - dt.timedelta(days=ago)
        bad = day.toordinal() % _BAD_NIGHT_EVERY == 0 and ago >= _QUIET_NIGHTS
        yield from _night(day, pick(f"{day} failed", (NINJAONE, CONNECTWISE)) if bad else None)


def metrics_after(runs: Iterable[CollectorRun]) -> tuple[Metric, ...]:
    """Return the metrics as successful runs leave them: a row for each month and metric, brought up to date."""
    rows: dict[tuple[str, str], Metric] = {}
    for run in runs:
        if run.status != SUCCESS or run.completed_at is None:
            continue
        for name in METRICS[run.collector_name]:
            vendor = VENDOR_IDS[run.collector_name]
            value = metric_value(name, run.covered)
            rows[run.period, name] = Metric(run.period, name, value, vendor, DATA_SOURCE, run.completed_at)
    return tuple(rows.values())


def metric_value(name: str, covered: dt.date) -> Decimal:
    """Return a metric of the month up to and including that day: tickets, hours of time, devices or seats."""
    match name:
        case "endpoints_managed":
            return Decimal(_endpoints(covered))
        case "seats_managed":
            return Decimal(_endpoints(covered) * 91 // 100)
        case _:
            return sum((_of_day(name, covered.replace(day=day)) for day in range(1, covered.day + 1)), Decimal(0))


def as_failed(run: CollectorRun) -> CollectorRun:
    """Return the run as one that gave up after a few seconds, with nothing collected."""
    completed = run.started_at + _span(f"{run.covered} gave up", 1_500, 3_800)
    return replace(run, status=FAILED, records_collected=0, completed_at=completed)


def repeated(run: CollectorRun, later: dt.timedelta) -> CollectorRun:
    """Return the same run, begun so much later."""
    completed = None if run.completed_at is None else run.completed_at + later
    return replace(run, started_at=run.started_at + later, completed_at=completed)


def _night(day: dt.date, failing: str | None) -> Iterator[CollectorRun]:
    """Yield one night's runs: both collectors, and the one that fails once more, by hand and with success."""
    start = scheduled_collection(day) + _span(f"{day} start", 400, 2_900)
    done = start + _span(f"{day} {NINJAONE}", 4_000, 8_000)
    ninjaone = _run(NINJAONE, day, start, done)
    start = done + _span(f"{day} gap", 300, 900)
    connectwise = _run(CONNECTWISE, day, start, start + _span(f"{day} {CONNECTWISE}", 9_000, 16_000))
    for run in (ninjaone, connectwise):
        yield as_failed(run) if run.collector_name == failing else run
    for run in (ninjaone, connectwise):
        if run.collector_name == failing:
            yield repeated(run, _span(f"{day} repeated", 12 * 60_000, 45 * 60_000))


def _run(collector: str, day: dt.date, started: dt.datetime, completed: dt.datetime) -> CollectorRun:
    covered = day - dt.timedelta(days=1)
    records = _endpoints(covered) if collector == NINJAONE else int(metric_value("tickets_created", covered))
    return CollectorRun(f"{covered:%Y-%m}", collector, SUCCESS, records, started, completed, covered)


@cache
def _of_day(name: str, day: dt.date) -> Decimal:
    """Return what one day adds to a metric that grows through the month; at most 16 hours of time."""
    worked = day.weekday() < _DAYS_IN_WEEK_WORKED
    created = between(f"{day} tickets", 19, 38) if worked else between(f"{day} tickets", 1, 6)
    match name:
        case "tickets_created":
            return Decimal(created)
        case "tickets_closed":
            return Decimal(max(0, created - between(f"{day} left open", 0, 4)))
        case "time_spent":
            quarters = between(f"{day} time", 36, 64) if worked else between(f"{day} time", 0, 8)
            return Decimal(quarters) / 4
    raise ValueError(f"there is no metric {name}")


def _endpoints(day: dt.date) -> int:
    """Return the managed devices on a day: some 600 in 2026, one or two more each month."""
    return 575 + (day.toordinal() - dt.date(2024, 1, 1).toordinal()) // 20 + between(f"{day} devices", 0, 2)


def _span(seed: str, low: int, high: int) -> dt.timedelta:
    return dt.timedelta(milliseconds=between(seed, low, high))
