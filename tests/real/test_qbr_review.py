"""The final review on a real PostgreSQL: nine clean nights are green, and what spoils one of them is seen."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from opsconsole.demo.qbr.history import CONNECTWISE, NINJAONE, RUNNING, CollectorRun, as_failed, repeated
from opsconsole.model.outcomes import Outcome
from support.postgres import Postgres
from support.qbr import (
    Plant,
    QbrDatabase,
    item_of,
    measured,
    night,
    qbr_history,
    shipped,
    times,
    with_metrics,
    with_runs,
)

FIRST, LAST = dt.date(2026, 11, 13), dt.date(2026, 11, 21)
NOW = dt.datetime(2026, 11, 22, 14, 5, tzinfo=dt.UTC)
FIFTH = dt.date(2026, 11, 17)
SECOND, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)

REVIEW = shipped("qbr-final-review")
SQL_ITEMS = [each.id for each in REVIEW.items if each.probe == "sql" and each.id != "database-server"]
Changed = Callable[[CollectorRun], Iterable[CollectorRun]]


def _fifth(changed: Changed, collector: str = "") -> Plant:
    """Return what changes the runs of the fifth night, of one collector or both."""

    def each(run: CollectorRun) -> Iterable[CollectorRun]:
        return changed(run) if night(run) == FIFTH and collector in {"", run.collector_name} else (run,)

    return with_runs(each)


def _taking(seconds: Callable[[int], float]) -> Plant:
    """Return what lets ConnectWise take so long, by the number of the night in the period."""

    def each(run: CollectorRun) -> Iterable[CollectorRun]:
        ago = (night(run) - FIRST).days
        if run.collector_name == CONNECTWISE and ago >= 0:
            yield replace(run, completed_at=run.started_at + seconds(ago) * SECOND)
        else:
            yield run

    return with_runs(each)


def _all_shifted(by: dt.timedelta) -> Plant:
    return with_runs(lambda run: (repeated(run, by),))


def _nothing(_run: CollectorRun) -> tuple[CollectorRun, ...]:
    return ()


def _unfinished(run: CollectorRun) -> tuple[CollectorRun, ...]:
    return (replace(run, status=RUNNING, completed_at=None, records_collected=None),)


def _failed_and_repeated(run: CollectorRun) -> tuple[CollectorRun, ...]:
    return (as_failed(run), repeated(run, HOUR / 3))


def _into_next_month(run: CollectorRun) -> tuple[CollectorRun, ...]:
    return (replace(run, period="2026-12"),)


PLANTED: dict[str, tuple[Plant, str, str]] = {
    "a missing night": (_fifth(_nothing), "audit", "FAIL 2026-11-17: collectors is 0, required 2"),
    "a missing collector": (_fifth(_nothing, NINJAONE), "audit", "FAIL 2026-11-17: collectors is 1, required 2"),
    "a failed collector": (
        _fifth(lambda run: (as_failed(run),), NINJAONE),
        "audit",
        "FAIL 2026-11-17: collectors is 1, required 2",
    ),
    "a missing metric": (
        with_metrics(lambda each: () if each.metric_name == "time_spent" else (each,)),
        "audit",
        "FAIL 2026-11-13: metrics is 4; 2026-11-14: ",
    ),
    "slow on average": (
        _taking(lambda _: 31.5),
        "performance",
        "FAIL ConnectWise: average is 31.5 s, limit 30 s",
    ),
    "slow once": (
        _taking(lambda ago: 41.2 if ago == 3 else 12),
        "performance",
        "WARN ConnectWise: maximum is 41.2 s, target 30 s",
    ),
    "nothing was collected": (
        with_runs(lambda run: (replace(run, records_collected=0),)),
        "performance",
        "WARN ConnectWise: average_records is 0",
    ),
    "a collector that never succeeded": (
        with_runs(lambda run: _nothing(run) if run.collector_name == NINJAONE else (run,)),
        "performance",
        "ERROR NinjaOne: average is missing",
    ),
    "a slow trend": (
        _taking(lambda ago: 10 + 1.2 * ago + 0.4 * (ago % 2)),
        "degradation",
        "FAIL ConnectWise: beyond_noise is 8.9 s, limit 5 s",
    ),
    "a gentle trend": (
        _taking(lambda ago: 10 + 0.25 * ago + 0.1 * (ago % 3)),
        "degradation",
        "WARN ConnectWise: beyond_noise is 1.",
    ),
    "noise without a trend": (_taking(lambda ago: 10 + (7 * ago % 9)), "degradation", "PASS "),
    "one slow night is no trend": (_taking(lambda ago: 29 if ago == 8 else 12 + ago % 2), "degradation", "PASS "),
    "too few runs for a trend": (
        with_runs(lambda run: (run,) if night(run) > LAST - 4 * dt.timedelta(days=1) else ()),
        "degradation",
        "FAIL ConnectWise: runs is 4; NinjaOne: runs is 4, limit at least 5",
    ),
    "an hour late": (_all_shifted(HOUR), "time-zone", "FAIL 2026-11-13: behind is 3,602.3 s; "),
    "in UTC": (_all_shifted(-6 * HOUR), "time-zone", "FAIL 2026-11-13: behind is 64,800.8 s; "),
    "too early": (_all_shifted(-HOUR / 2), "time-zone", "FAIL 2026-11-13: behind is -"),
    "another month": (_fifth(_into_next_month), "time-zone", "FAIL 2026-11-17: right_month is false"),
    "repeated by hand": (_fifth(_failed_and_repeated, NINJAONE), "time-zone", "PASS "),
    "failed and repeated": (
        _fifth(_failed_and_repeated, NINJAONE),
        "unsuccessful-runs",
        "WARN count is 1, wanted 0",
    ),
    "failed": (
        _fifth(lambda run: (as_failed(run),), NINJAONE),
        "unsuccessful-runs",
        "FAIL NinjaOne: course is 'failed, not repeated'",
    ),
    "unfinished": (
        _fifth(_unfinished, NINJAONE),
        "unsuccessful-runs",
        "FAIL NinjaOne: course is 'running, not repeated'",
    ),
}


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> QbrDatabase:
    """Give a database that each test fills anew."""
    return QbrDatabase(postgres)


@pytest.mark.parametrize(("plant", "item", "expected"), PLANTED.values(), ids=PLANTED)
async def test_what_spoils_nine_nights(database: QbrDatabase, plant: Plant, item: str, expected: str) -> None:
    """Each thing that went wrong is seen by the item that is about it, and named with its night or collector."""
    database.refill(plant(qbr_history(NOW)))
    _, judgement = await measured(database, item_of(REVIEW, item), times(REVIEW, LAST, (FIRST, LAST)), NOW)
    assert f"{judgement.outcome.upper()} {judgement.summary}".startswith(expected)


async def test_a_restart_of_the_database(database: QbrDatabase) -> None:
    """A database server that was restarted within the period is a warning, to be explained."""
    item = item_of(REVIEW, "database-server")
    _, before = await measured(database, item, times(REVIEW, LAST, (FIRST - 999 * dt.timedelta(1), LAST)), NOW)
    assert before.outcome is Outcome.WARN
    future = dt.date(2199, 1, 1)
    _, after = await measured(database, item, times(REVIEW, future, (future, future)), NOW)
    assert after.outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (FIRST, LAST),
        (dt.date(2026, 10, 27), dt.date(2026, 11, 4)),  # a month ends, and the clocks go back
        (dt.date(2026, 3, 3), dt.date(2026, 3, 11)),  # they go forward
        (dt.date(2028, 2, 24), dt.date(2028, 3, 3)),  # a leap day
        (dt.date(2026, 12, 26), dt.date(2027, 1, 3)),
    ],
)
async def test_nine_clean_nights(database: QbrDatabase, first: dt.date, last: dt.date) -> None:
    """Nine nights on which all went well are green in every item, whatever the calendar does meanwhile."""
    now = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(14, 5), dt.UTC)
    database.refill(qbr_history(now))
    for name in SQL_ITEMS:
        reading, judgement = await measured(
            database, item_of(REVIEW, name), times(REVIEW, last, (first, last)), now
        )
        assert judgement.outcome is Outcome.PASS, f"{name}: {judgement.summary}"
        assert name != "audit" or len(reading.rows) == 9
