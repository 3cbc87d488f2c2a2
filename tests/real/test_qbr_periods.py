"""The weekly, monthly and quarterly lists on a real PostgreSQL: what is good is green, what is bad named."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from opsconsole.demo.qbr.history import CONNECTWISE, NINJAONE, RUNNING, CollectorRun, Metric, as_failed, repeated
from opsconsole.model.checklists import Checklist
from opsconsole.model.judging import judge_item
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Number
from opsconsole.wiring.kinds import probe_kinds
from support.mornings import Office
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

LISTS = {name: shipped(name) for name in ("qbr-weekly", "qbr-monthly", "qbr-quarterly")}
DAYS = {"qbr-weekly": 40, "qbr-monthly": 75, "qbr-quarterly": 200}
"""Nights of history: the period looked at, the one before, and some."""
NOW = {
    "qbr-weekly": dt.datetime(2026, 11, 16, 14, 5, tzinfo=dt.UTC),  # of 9 to 15 November
    "qbr-monthly": dt.datetime(2026, 11, 2, 13, 5, tzinfo=dt.UTC),  # of October
    "qbr-quarterly": dt.datetime(2026, 10, 12, 14, 5, tzinfo=dt.UTC),  # of July to September
}
SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)


def _compares(checklist: Checklist, item: str) -> bool:
    found = item_of(checklist, item)
    return any(each.past() for each in (*found.require, *found.target))


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> QbrDatabase:
    """Give a database that each test fills anew."""
    return QbrDatabase(postgres)


def _measurable(name: str) -> list[str]:
    """Return the items that the database alone answers: no entry, and no comparison with the record."""
    checklist = LISTS[name]
    return [
        each.id
        for each in checklist.items
        if each.probe == "sql" and each.entry is None and not _compares(checklist, each.id)
    ]


@pytest.mark.parametrize(
    ("name", "now"),
    [
        *NOW.items(),
        ("qbr-weekly", dt.datetime(2026, 11, 2, 14, 5, tzinfo=dt.UTC)),  # the clocks went back, a month ended
        ("qbr-weekly", dt.datetime(2026, 3, 9, 13, 5, tzinfo=dt.UTC)),  # they went forward
        ("qbr-weekly", dt.datetime(2027, 1, 4, 14, 5, tzinfo=dt.UTC)),  # two years in one week
        ("qbr-monthly", dt.datetime(2028, 3, 6, 13, 5, tzinfo=dt.UTC)),  # a leap day
        ("qbr-monthly", dt.datetime(2027, 1, 4, 13, 5, tzinfo=dt.UTC)),
        ("qbr-quarterly", dt.datetime(2027, 1, 11, 15, 5, tzinfo=dt.UTC)),
    ],
)
async def test_good_periods_are_green(database: QbrDatabase, name: str, now: dt.datetime) -> None:
    """A week, month or quarter in which all went well is green in every item, whatever the calendar did."""
    database.refill(qbr_history(now, DAYS[name]))
    for item in _measurable(name):
        _, judgement = await measured(database, item_of(LISTS[name], item), times(LISTS[name], now.date()), now)
        assert judgement.outcome is Outcome.PASS, f"{item}: {judgement.summary}"


# --- bad periods -------------------------------------------------------------------------------------


def _on(*dates: str, collector: str = "", changed: Callable[[CollectorRun], Iterable[CollectorRun]]) -> Plant:
    """Return what changes the runs of those nights, of one collector or both."""
    nights = {dt.date.fromisoformat(each) for each in dates}

    def each(run: CollectorRun) -> Iterable[CollectorRun]:
        return changed(run) if night(run) in nights and collector in {"", run.collector_name} else (run,)

    return with_runs(each)


def _gone(_run: CollectorRun) -> tuple[CollectorRun, ...]:
    return ()


def _failed_and_repeated(run: CollectorRun) -> tuple[CollectorRun, ...]:
    return (as_failed(run), repeated(run, dt.timedelta(minutes=20)))


def _unfinished(run: CollectorRun) -> tuple[CollectorRun, ...]:
    return (replace(run, status=RUNNING, completed_at=None, records_collected=None),)


def _since(date: str, seconds: float, *, until: str = "9999-12-31") -> Plant:
    """Return what lets ConnectWise take so long from one night to before another."""
    first, last = dt.date.fromisoformat(date), dt.date.fromisoformat(until)

    def each(run: CollectorRun) -> Iterable[CollectorRun]:
        slow = run.collector_name == CONNECTWISE and first <= night(run) < last
        return (replace(run, completed_at=run.started_at + seconds * SECOND),) if slow else (run,)

    return with_runs(each)


def _metric(period: str, name: str, changed: Callable[[Metric], Iterable[Metric]]) -> Plant:
    return with_metrics(
        lambda each: changed(each) if (each.period, each.metric_name) == (period, name) else (each,)
    )


def _only_since(date: str) -> Plant:
    """Return what leaves the runs from a night on: the database is new."""
    return with_runs(lambda run: (run,) if night(run) >= dt.date.fromisoformat(date) else ())


ALL_OF_OCTOBER = [f"2026-10-{day:02}" for day in range(1, 32)]

PLANTED: dict[str, tuple[str, str, Plant, str]] = {
    "a missing night": (
        "qbr-weekly",
        "nights",
        _on("2026-11-11", changed=_gone),
        "FAIL 2026-11-11: collectors is 0, required 2",
    ),
    "the first and the last night of the week": (
        "qbr-weekly",
        "nights",
        _on("2026-11-09", "2026-11-15", collector=NINJAONE, changed=_gone),
        "FAIL 2026-11-09: collectors is 1; 2026-11-15: collectors is 1, required 2",
    ),
    "the nights around the week": (
        "qbr-weekly",
        "nights",
        _on("2026-11-08", "2026-11-16", changed=_gone),
        "PASS ",
    ),
    "more failed runs than the week before": (
        "qbr-weekly",
        "failed-runs",
        _on("2026-11-11", collector=NINJAONE, changed=_failed_and_repeated),
        "WARN more is 1, wanted 0",
    ),
    "no more than the week before": (
        "qbr-weekly",
        "failed-runs",
        _on("2026-11-04", "2026-11-11", changed=_failed_and_repeated),
        "PASS ",
    ),
    "many failed and unfinished runs": (
        "qbr-weekly",
        "failed-runs",
        _on("2026-11-10", "2026-11-11", changed=_unfinished),
        "FAIL this_week is 4, limit 3",
    ),
    "a metric is missing": (
        "qbr-weekly",
        "metrics",
        _metric("2026-11", "time_spent", lambda _: ()),
        "FAIL 2026-11 time_spent: state is 'missing', required 'plausible'",
    ),
    "no endpoints": (
        "qbr-weekly",
        "metrics",
        _metric("2026-11", "endpoints_managed", lambda each: (replace(each, metric_value=Decimal(0)),)),
        "FAIL 2026-11 endpoints_managed: state is 'zero', required 'plausible'",
    ),
    "fewer tickets than none": (
        "qbr-weekly",
        "metrics",
        _metric("2026-11", "tickets_closed", lambda each: (replace(each, metric_value=Decimal(-1)),)),
        "FAIL 2026-11 tickets_closed: state is 'negative', required 'plausible'",
    ),
    "too much time": (
        "qbr-weekly",
        "metrics",
        _metric("2026-11", "time_spent", lambda each: (replace(each, metric_value=Decimal(501)),)),
        "FAIL 2026-11 time_spent: state is 'more than 500 h', required 'plausible'",
    ),
    "slower than the week before": (
        "qbr-weekly",
        "durations",
        _since("2026-11-09", 20),
        "WARN ConnectWise: slower is 54.4 %, target 25 %",
    ),
    "far too slow": (
        "qbr-weekly",
        "durations",
        _since("2026-11-09", 31),
        "FAIL ConnectWise: average is 31 s, limit 30 s",
    ),
    "a collector that stopped": (
        "qbr-weekly",
        "durations",
        with_runs(lambda run: (run,) if run.collector_name == NINJAONE or night(run).day < 9 else ()),
        "ERROR ConnectWise: average is missing",
    ),
    "the first week": ("qbr-weekly", "durations", _only_since("2026-11-09"), "SKIPPED no rows"),
    "nights of a month are missing": (
        "qbr-monthly",
        "nights",
        _on("2026-10-05", "2026-10-31", collector=NINJAONE, changed=_gone),
        "WARN 2026-10: incomplete is '2026-10-05 2026-10-31', wanted 'none'",
    ),
    "many nights of a month are missing": (
        "qbr-monthly",
        "nights",
        _on(*ALL_OF_OCTOBER[3:8], changed=_gone),
        "FAIL 2026-10: complete is 83.9 %, limit at least 90 %",
    ),
    "some runs of a month failed": (
        "qbr-monthly",
        "success-rate",
        _on(*ALL_OF_OCTOBER[:2], collector=NINJAONE, changed=_failed_and_repeated),
        "WARN rate is 96.9 %, target at least 99 %",
    ),
    "many runs of a month failed": (
        "qbr-monthly",
        "success-rate",
        _on(*ALL_OF_OCTOBER[:2], changed=_failed_and_repeated),
        "FAIL rate is 93.9 %, limit at least 95 %",
    ),
    "no run at all": (
        "qbr-monthly",
        "success-rate",
        _on(*ALL_OF_OCTOBER, changed=_gone),
        "ERROR rate is missing",
    ),
    "a slow month": (
        "qbr-monthly",
        "performance",
        _since("2026-10-01", 30.5, until="2026-11-01"),
        "FAIL ConnectWise: average is 30.5 s, limit 30 s",
    ),
    "some slow nights": (
        "qbr-monthly",
        "performance",
        _since("2026-10-20", 32, until="2026-10-23"),
        "WARN ConnectWise: slowest_twentieth is 32 s, target 30 s",
    ),
    "slower than the month before": (
        "qbr-monthly",
        "performance-change",
        _since("2026-10-01", 20, until="2026-11-01"),
        "WARN ConnectWise: slower is 51.8 %, target 25 %",
    ),
    "twice as slow": (
        "qbr-monthly",
        "performance-change",
        _since("2026-10-01", 29, until="2026-11-01"),
        "FAIL ConnectWise: slower is 120.",
    ),
    "the first month": ("qbr-monthly", "performance-change", _only_since("2026-10-01"), "SKIPPED no rows"),
    "a night of a quarter": (
        "qbr-quarterly",
        "months",
        _on("2026-08-17", collector=NINJAONE, changed=_gone),
        "WARN 2026-08: complete is 96.8 %, target at least 99 %",
    ),
    "a month of a quarter without a metric": (
        "qbr-quarterly",
        "months",
        _metric("2026-08", "time_spent", lambda _: ()),
        "FAIL 2026-08: metrics is 4, required 5",
    ),
    "four nights of a month": (
        "qbr-quarterly",
        "months",
        _on("2026-09-01", "2026-09-02", "2026-09-03", "2026-09-04", changed=_gone),
        "FAIL 2026-09: complete is 86.7 %, limit at least 90 %",
    ),
    "a month without its last day": (
        "qbr-quarterly",
        "closed-months",
        _metric("2026-08", "time_spent", lambda each: (replace(each, updated_at=each.updated_at - DAY),)),
        "FAIL 2026-08 time_spent: state is 'last day missing'",
    ),
    "a month that was changed": (
        "qbr-quarterly",
        "closed-months",
        _metric("2026-07", "seats_managed", lambda each: (replace(each, updated_at=each.updated_at + DAY),)),
        "WARN 2026-07 seats_managed: state is 'changed afterwards', wanted 'closed'",
    ),
    "no metrics": ("qbr-quarterly", "closed-months", with_metrics(lambda _: ()), "FAIL no rows"),
}


@pytest.mark.parametrize(("name", "item", "plant", "expected"), PLANTED.values(), ids=PLANTED)
async def test_what_spoils_a_period(
    database: QbrDatabase, name: str, item: str, plant: Plant, expected: str
) -> None:
    """Each thing that went wrong is seen by the item that is about it; what went wrong outside is not."""
    database.refill(plant(qbr_history(NOW[name], DAYS[name])))
    checklist = LISTS[name]
    _, judgement = await measured(database, item_of(checklist, item), times(checklist, NOW[name].date()), NOW[name])
    assert f"{judgement.outcome.upper()} {judgement.summary}".startswith(expected)


async def test_a_console_that_may_write(postgres: Postgres) -> None:
    """A role that could change what it looks after is found at the audit."""
    database = QbrDatabase(postgres, qbr_history(NOW["qbr-quarterly"], 1))
    database.run(f'GRANT DELETE ON qbr_metrics_monthly TO "{database.role}"')
    checklist, now = LISTS["qbr-quarterly"], NOW["qbr-quarterly"]
    _, judgement = await measured(database, item_of(checklist, "console-role"), times(checklist, now.date()), now)
    assert (judgement.outcome, judgement.summary) == (
        Outcome.FAIL,
        f"{database.role}: may_write is true, required false",
    )


@pytest.mark.parametrize(
    ("item", "metric"),
    [("closed-agree", "tickets_closed"), ("time-agrees", "time_spent"), ("seats-agree", "seats_managed")],
)
@pytest.mark.parametrize("date", [dt.date(2026, 11, 16), dt.date(2027, 2, 1)])
async def test_entries_are_compared_with_last_nights_value(
    database: QbrDatabase, item: str, metric: str, date: dt.date
) -> None:
    """What a person reads in a source system is held against the same month, also on the first of one."""
    now = dt.datetime.combine(date, dt.time(14, 5), dt.UTC)
    database.refill(qbr_history(now, 5))
    checklist = LISTS["qbr-weekly"]
    asked = item_of(checklist, item)
    reading, _ = await measured(database, asked, times(checklist, date), now)
    ((value,),) = reading.rows
    month = (date - dt.timedelta(days=1)).strftime("%Y-%m")
    (expected,) = (
        each for each in qbr_history(now, 5).metrics if (each.period, each.metric_name) == (month, metric)
    )
    assert value == Number(expected.metric_value)
    near, far = (Number(expected.metric_value * Decimal(factor)) for factor in ("1.009", "1.02"))
    assert [judge_item(asked, reading, entered).outcome for entered in (near, far)] == [Outcome.PASS, Outcome.FAIL]


async def test_a_restored_backup_is_counted(database: QbrDatabase) -> None:
    """At the audit a restore that lacks rows is found, and one that lacks last night's alone is not."""
    now = NOW["qbr-quarterly"]
    database.refill(qbr_history(now, 200))
    checklist = LISTS["qbr-quarterly"]
    asked = item_of(checklist, "restore")
    reading, _ = await measured(database, asked, times(checklist, now.date()), now)
    found = [judge_item(asked, reading, Number(Decimal(rows))).outcome for rows in (398, 390)]
    assert found == [Outcome.PASS, Outcome.FAIL]


# --- against the last time ---------------------------------------------------------------------------

BIG = "CREATE TABLE filler AS SELECT n, repeat('x', 100) FROM generate_series(1, 100_000) AS n;"
FEWER = (
    "UPDATE qbr_metrics_monthly SET metric_value = round(metric_value * 0.9) WHERE metric_name = 'seats_managed';"
)
WORSE = """
UPDATE qbr_collection_log SET status = 'failed'
WHERE collector_name = 'NinjaOne' AND started_at BETWEEN '2026-10-10' AND '2026-10-12';
"""
WRITER = "GRANT INSERT ON qbr_collection_log TO {role}"

COMPARED: dict[tuple[str, str], tuple[str, str, str, str]] = {
    ("qbr-weekly", "devices"): (
        "2026-11-09",
        FEWER,
        "SKIPPED endpoints_managed: value cannot be compared with 'last_week'",
        "WARN seats_managed: value is 5",
    ),
    ("qbr-monthly", "success-change"): (
        "2026-10-05",
        WORSE,
        "SKIPPED rate cannot be compared with 'last_month'",
        "WARN rate is 96.8 %, target at least last_month (100 %) - 2 % = 98 %",
    ),
    ("qbr-monthly", "database-growth"): (
        "2026-10-05",
        BIG,
        "SKIPPED database_size cannot be compared with 'last_month'",
        "WARN database_size is ",
    ),
    ("qbr-quarterly", "growth"): (
        "2026-07-13",
        BIG,
        "SKIPPED database_size cannot be compared with 'previous'",
        "WARN database_size is ",
    ),
    ("qbr-quarterly", "writers"): (
        "2026-07-13",
        WRITER,
        "WARN access: writers cannot be compared with 'previous'",
        "WARN access: writers is 1, target previous (0)",
    ),
}


@pytest.mark.parametrize(("name", "item"), COMPARED)
async def test_compared_with_the_last_time(postgres: Postgres, tmp_path: Path, name: str, item: str) -> None:
    """At first there is nothing to compare with; then what changed little is green, and what changed much not."""
    before, change, at_first, at_last = COMPARED[name, item]
    database = QbrDatabase(postgres, qbr_history(NOW[name], DAYS[name]))
    checklist = LISTS[name]
    office = Office(tmp_path, checklists=[checklist], source=database.source)
    needed = [item, *item_of(checklist, item).requires]
    needed += [each for name in needed for each in item_of(checklist, name).requires]
    first = dt.datetime.combine(dt.date.fromisoformat(before), dt.time(14, 5), dt.UTC)
    found = []
    for now, script in (
        (first, ""),
        (NOW[name], ""),
        (NOW[name] + DAY / 24, change.format(role=database.other_role())),
    ):
        if script:
            database.run(script)
        state = await office.run(checklist, now, probe_kinds(), needed)
        found.append(f"{state.items[item].outcome.upper()} {state.items[item].summary}")
    office.store.close()
    assert found[0].startswith(at_first)
    assert found[1].startswith("PASS ")
    assert found[2].startswith(at_last)
