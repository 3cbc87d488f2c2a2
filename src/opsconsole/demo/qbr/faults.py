"""What can have gone wrong in the night, or be wrong now, for a demo of a bad morning."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

from opsconsole.demo.qbr.history import (
    CONNECTWISE,
    RUNNING,
    CollectorRun,
    History,
    as_failed,
    metrics_after,
    repeated,
)
from opsconsole.demo.system import DemoFault

_LATE = dt.timedelta(seconds=41.2)
_SLOW = dt.timedelta(seconds=24.6)
_REPEATED_AFTER = dt.timedelta(minutes=20)
_NIGHT = dt.timedelta(days=1)


class Fault(DemoFault):
    """One thing that is wrong this morning."""

    LATE_COLLECTOR = "late-collector", "ConnectWise took 41.2 s last night, over the limit of 30 s"
    SLOW_COLLECTOR = "slow-collector", "ConnectWise took 24.6 s, over its target of 20 s but within the limit"
    FAILED_COLLECTOR = "failed-collector", "ConnectWise failed last night, and nobody has repeated it"
    REPEATED_COLLECTOR = "repeated-collector", "ConnectWise failed at 02:00 and was repeated with success at 02:20"
    UNFINISHED_COLLECTOR = "unfinished-collector", "ConnectWise began last night and has never finished"
    MISSING_METRIC = "missing-metric", "the month has no tickets_closed"
    STALE_METRICS = "stale-metrics", "both collectors report success, but no metric was updated last night"
    WRONG_MONTH = "wrong-month", "last night's figures were written into the month after the one they belong to"
    NO_RUN = "no-run", "nothing was collected last night"
    TOO_MANY_CONNECTIONS = "too-many-connections", "somebody keeps 55 connections to the database open"
    NO_GRANTS = "no-grants", "the checklist's role may no longer read the tables"
    DATABASE_DOWN = "database-down", "the database server is stopped"


def with_fault(history: History, fault: Fault | None) -> History:
    """Return the history as it is with that fault; the same one where the fault is not in the data."""
    if fault is None:
        return history
    night = max(run.covered for run in history.runs)
    period = f"{night:%Y-%m}"
    if fault is Fault.MISSING_METRIC:
        kept = (m for m in history.metrics if (m.period, m.metric_name) != (period, "tickets_closed"))
        return replace(history, metrics=tuple(kept))
    if fault is Fault.STALE_METRICS:
        # Shifted rather than left as they were: on the 2nd of a month there was nothing of it the night before.
        shifted = (
            replace(m, updated_at=m.updated_at - _NIGHT) if m.period == period else m for m in history.metrics
        )
        return replace(history, metrics=tuple(shifted))
    if fault not in _LAST_NIGHT:
        return history
    last_night = _LAST_NIGHT[fault]
    runs: list[CollectorRun] = []
    for run in history.runs:
        runs += last_night(run) if run.covered == night else (run,)
    return History(tuple(runs), metrics_after(runs))


def _taking(duration: dt.timedelta) -> Callable[[CollectorRun], tuple[CollectorRun, ...]]:
    return _connectwise(lambda run: (replace(run, completed_at=run.started_at + duration),))


def _connectwise(
    changed: Callable[[CollectorRun], tuple[CollectorRun, ...]],
) -> Callable[[CollectorRun], tuple[CollectorRun, ...]]:
    return lambda run: changed(run) if run.collector_name == CONNECTWISE else (run,)


def _into_next_month(run: CollectorRun) -> tuple[CollectorRun, ...]:
    following = run.covered.replace(day=28) + dt.timedelta(days=4)
    return (replace(run, period=f"{following:%Y-%m}"),)


_LAST_NIGHT: dict[Fault, Callable[[CollectorRun], tuple[CollectorRun, ...]]] = {
    Fault.LATE_COLLECTOR: _taking(_LATE),
    Fault.SLOW_COLLECTOR: _taking(_SLOW),
    Fault.FAILED_COLLECTOR: _connectwise(lambda run: (as_failed(run),)),
    Fault.REPEATED_COLLECTOR: _connectwise(lambda run: (as_failed(run), repeated(run, _REPEATED_AFTER))),
    Fault.UNFINISHED_COLLECTOR: _connectwise(
        lambda run: (replace(run, status=RUNNING, records_collected=None, completed_at=None),)
    ),
    Fault.WRONG_MONTH: _into_next_month,
    Fault.NO_RUN: lambda _run: (),
}
"""What becomes of each run of last night."""
